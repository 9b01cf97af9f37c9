/** ChaosBench's distances between the spectra of forecast and truth (Nathaniel et al. 2024, eqs. 6 and 7). */
import { fourier } from "./fourier.js";

/** |FFT2|^2 of a field [rows, columns], divided by its sum. */
export function powerDistribution(field: ArrayLike<number>, columns: number): Float64Array {
  const rows = field.length / columns;
  const re = Float64Array.from(field);
  const im = new Float64Array(field.length);
  const transform = (length: number, at: (k: number) => number) => {
    const [r, i] = [new Float64Array(length), new Float64Array(length)];
    for (let k = 0; k < length; k++) [r[k], i[k]] = [re[at(k)], im[at(k)]];
    fourier(r, i);
    for (let k = 0; k < length; k++) [re[at(k)], im[at(k)]] = [r[k], i[k]];
  };
  for (let row = 0; row < rows; row++) transform(columns, (k) => row * columns + k);
  for (let column = 0; column < columns; column++) transform(rows, (k) => k * columns + column);
  let total = 0;
  for (let i = 0; i < re.length; i++) total += re[i] = re[i] * re[i] + im[i] * im[i];
  return re.map((power) => power / total);
}

/** Σ q ln(q / p), p of the mean forecast, q of the mean truth over the starts. 0: the same spectrum. */
export function spectralDivergence(
  forecastMean: ArrayLike<number>,
  truthMean: ArrayLike<number>,
  columns: number,
): number {
  const p = powerDistribution(forecastMean, columns);
  const q = powerDistribution(truthMean, columns);
  return q.reduce((sum, x, k) => sum + x * Math.log(Math.max(x / p[k], 1e-9)), 0);
}

/** sqrt(mean (p - q)^2). */
export function spectralResidual(
  forecastMean: ArrayLike<number>,
  truthMean: ArrayLike<number>,
  columns: number,
): number {
  const p = powerDistribution(forecastMean, columns);
  const q = powerDistribution(truthMean, columns);
  return Math.sqrt(p.reduce((sum, x, k) => sum + (x - q[k]) ** 2, 0) / p.length);
}
