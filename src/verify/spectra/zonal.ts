/**
 * Power by scale along latitude circles: whether a forecast keeps the small scales or blurs them away.
 *
 * F = rfft(f) / n; S_0 = C |F_0|^2, S_k = 2 C |F_k|^2, C the length of the circle in metres: the density of variance over
 * wavenumber (WeatherBench 2 `ZonalEnergySpectrum`).
 */
import { fourier } from "./fourier.js";

/** WeatherBench 2's, metres. */
export const EARTH_RADIUS = 6_367_500;
const RADIANS = Math.PI / 180;

/** Length of the circle at a latitude in metres; wavelength k is this over k. */
export const circleLength = (latitude: number): number => Math.cos(latitude * RADIANS) * 2 * Math.PI * EARTH_RADIUS;

/** Power by wavenumber 0 .. columns / 2 of one row that goes around the whole circle, in units^2 m. */
export function zonalSpectrum(row: ArrayLike<number>, latitude: number): Float64Array {
  const n = row.length;
  const re = Float64Array.from(row);
  const im = new Float64Array(n);
  fourier(re, im);
  const length = circleLength(latitude);
  return Float64Array.from(
    { length: Math.floor(n / 2) + 1 },
    (_, k) => ((k === 0 ? 1 : 2) * length * (re[k] * re[k] + im[k] * im[k])) / (n * n),
  );
}

/** Mean over rows between two latitudes, by area, of their spectra by wavenumber. */
export function meanSpectrum(
  field: ArrayLike<number>,
  latitudes: ArrayLike<number>,
  options: { between?: readonly [number, number] } = {},
): Float64Array {
  const [south, north] = options.between ?? [-90, 90];
  const columns = field.length / latitudes.length;
  const mean = new Float64Array(Math.floor(columns / 2) + 1);
  let total = 0;
  for (let i = 0; i < latitudes.length; i++) {
    if (latitudes[i] < south || latitudes[i] > north || Math.abs(latitudes[i]) > 89.9) continue;
    const weight = Math.cos(latitudes[i] * RADIANS);
    const row = Array.prototype.slice.call(field, i * columns, (i + 1) * columns);
    zonalSpectrum(row, latitudes[i]).forEach((power, k) => (mean[k] += weight * power));
    total += weight;
  }
  return mean.map((power) => power / total);
}

/**
 * The first wavenumber from which on the forecast has less than `share` of the truth's power: what lies beyond it is not there.
 * Undefined where it keeps its power to the end.
 */
export function effectiveWavenumber(
  forecast: ArrayLike<number>,
  truth: ArrayLike<number>,
  options: { share?: number } = {},
): number | undefined {
  const { share = 0.5 } = options;
  for (let k = truth.length - 1; k >= 1; k--)
    if (forecast[k] >= share * truth[k]) return k + 1 < truth.length ? k + 1 : undefined;
  return 1;
}
