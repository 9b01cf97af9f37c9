/**
 * Power by scale along latitude circles: whether a forecast keeps the small scales or blurs them away.
 *
 * F = rfft(f) / n; S_0 = C |F_0|^2, S_k = 2 C |F_k|^2, C the length of the circle in metres: the density of variance over
 * wavenumber (WeatherBench 2 `ZonalEnergySpectrum`). A row that does not go around is followed by its mirror image, so that its ends
 * meet: the discrete cosine transform of Denis, Côté and Laprise (2002, MWR 130), with waves of half as many.
 */
import { fourier } from "./fourier.js";

/** WeatherBench 2's, metres. */
export const EARTH_RADIUS = 6_367_500;
const RADIANS = Math.PI / 180;

/** Length of the circle at a latitude in metres; wavelength k is this over k. */
export const circleLength = (latitude: number): number => Math.cos(latitude * RADIANS) * 2 * Math.PI * EARTH_RADIUS;

/** Power by wavenumber 0 .. columns / 2 of one row that goes around the whole circle, in units^2 m. */
export const zonalSpectrum = (row: ArrayLike<number>, latitude: number): Float64Array =>
  linePower(Float64Array.from(row), circleLength(latitude));

/** Power of a line whose last value is followed by its first; the line is used up. */
function linePower(line: Float64Array, length: number): Float64Array {
  const n = line.length;
  const im = new Float64Array(n);
  fourier(line, im);
  const power = new Float64Array(Math.floor(n / 2) + 1);
  for (let k = 0; k < power.length; k++)
    power[k] = ((k === 0 ? 1 : 2) * length * (line[k] * line[k] + im[k] * im[k])) / (n * n);
  return power;
}

/** Mean by area over all rows but the poles of their spectra by wavenumber. */
export function meanSpectrum(
  field: ArrayLike<number>,
  latitudes: ArrayLike<number>,
  options: {
    /** The share of the circle that a row spans, where it does not go around: wave k then has k / 2 lengths in it. */
    readonly part?: number;
  } = {},
): Float64Array {
  const { part } = options;
  const columns = field.length / latitudes.length;
  const count = part === undefined ? columns : 2 * columns;
  const mean = new Float64Array(Math.floor(count / 2) + 1);
  let total = 0;
  for (let i = 0; i < latitudes.length; i++) {
    if (Math.abs(latitudes[i]) > 89.9) continue;
    const line = new Float64Array(count);
    for (let j = 0; j < columns; j++) line[j] = field[i * columns + j];
    for (let j = columns; j < count; j++) line[j] = line[count - 1 - j];
    const weight = Math.cos(latitudes[i] * RADIANS);
    const power = linePower(line, circleLength(latitudes[i]) * (part === undefined ? 1 : 2 * part));
    for (let k = 0; k < mean.length; k++) mean[k] += weight * power[k];
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
