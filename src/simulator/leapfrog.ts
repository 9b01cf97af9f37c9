/** What every leapfrog model of the hierarchy shares: the time filter and the scale-selective diffusion. */
import type { SphericalTransform } from "./transform.js";

/** nu and alpha of Williams (2009); alpha = 1 is the plain Robert-Asselin filter. */
export interface TimeFilter {
  readonly nu: number;
  readonly alpha: number;
}

export const DEFAULT_FILTER: TimeFilter = { nu: 0.1, alpha: 0.53 };

/**
 * The filter of Robert, Asselin and Williams (2009), which damps the swing between odd and even steps and keeps the mean of the
 * three times almost unchanged:
 *
 *     d = nu (before - 2 now + after) / 2,   now += alpha d,   after += (alpha - 1) d
 */
export function timeFilter(
  { nu, alpha }: TimeFilter,
  before: Float64Array,
  now: Float64Array,
  after: Float64Array,
): void {
  for (let i = 0; i < now.length; i++) {
    const d = 0.5 * nu * (before[i] - 2 * now[i] + after[i]);
    now[i] += alpha * d;
    after[i] += (alpha - 1) * d;
  }
}

/** Hyperdiffusion del^order: the smallest scale decays by e in `hours`; 0 hours for none. */
export interface Diffusion {
  readonly order: number;
  readonly hours: number;
}

/** del^8 as weak as each truncation bears: 24 h at T21, 6 h at T42, 2.7 h at T63 (Held and Suarez took 2.4 h there). */
export const usualDiffusion = (truncation: number): Diffusion => ({ order: 8, hours: 24 * (21 / truncation) ** 2 });

/** kappa_n = (n (n+1) / (T (T+1)))^(order/2) / hours, per row, 1/s. */
export function diffusionRates(transform: SphericalTransform, { order, hours }: Diffusion): Float64Array {
  const T = transform.truncation;
  const scale = hours > 0 ? 1 / (hours * 3600) : 0;
  return Float64Array.from(transform.n, (n) => scale * ((n * (n + 1)) / (T * (T + 1))) ** (order / 2));
}

/** One field on the grid, [latitude][longitude], to its spectrum [row][re, im], cut at T. */
export function analyseField(transform: SphericalTransform, field: Float64Array): Float64Array {
  const { rows, points, n, truncation } = transform;
  const pair = new Float64Array(points * 2);
  for (let i = 0; i < points; i++) pair[2 * i] = field[i];
  const both = new Float64Array(rows * 4);
  transform.analyse(pair, both, 2);
  return Float64Array.from({ length: rows * 2 }, (_, i) => (n[i >> 1] > truncation ? 0 : both[2 * i]));
}

/** One spectrum [row][re, im] to the grid, [latitude][longitude]. */
export function synthesiseField(transform: SphericalTransform, spectrum: Float64Array): Float64Array {
  const { rows, points } = transform;
  const both = new Float64Array(rows * 4);
  for (let i = 0; i < rows * 2; i++) both[2 * i] = spectrum[i];
  const pair = new Float64Array(points * 2);
  transform.synthesise(both, pair, 2);
  return Float64Array.from({ length: points }, (_, i) => pair[2 * i]);
}
