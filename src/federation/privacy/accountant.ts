/**
 * How much privacy rounds of clipped and noised updates cost: Renyi differential privacy of the subsampled Gaussian mechanism
 * (Mironov, Talwar & Zhang 2019), composed over rounds, turned into (epsilon, delta) (Balle et al. 2020, theorem 21).
 *
 *   epsilon({ noise: 1.5, sampling: 0.04, rounds: 2250, delta: 1e-5 })   // 7.329
 */
import { UsageError } from "../../errors.js";

export interface PrivacyOptions {
  /** Noise multiplier: deviation of the noise over the clipping bound. */
  readonly noise: number;
  /** Share of the sites (or samples) in each round. */
  readonly sampling: number;
  readonly rounds: number;
  readonly delta: number;
}

/** Orders tried; the best bound is taken. */
const ORDERS = [
  ...Array.from({ length: 99 }, (_, i) => 1 + (i + 1) / 10),
  ...Array.from({ length: 52 }, (_, i) => i + 12),
];

/** The epsilon that all rounds together cost; Infinity without noise. */
export function epsilon({ noise, sampling, rounds, delta }: PrivacyOptions): number {
  if (!(sampling >= 0 && sampling <= 1))
    throw new UsageError(`the sampled share lies in [0, 1], but ${sampling} was given`);
  if (!(delta > 0 && delta < 1))
    throw new UsageError(`delta lies in (0, 1), but ${delta} was given; use less than 1 / sites`);
  if (noise < 0) throw new UsageError(`the noise multiplier is at least 0, but ${noise} was given`);
  if (rounds === 0 || sampling === 0) return 0;
  if (noise === 0) return Infinity;
  return Math.min(
    ...ORDERS.map(
      (order) =>
        rounds * renyi(sampling, noise, order) -
        (Math.log(delta) + Math.log(order)) / (order - 1) +
        Math.log((order - 1) / order),
    ),
  );
}

/** The least noise multiplier whose cost over all rounds is at most `target`, to 1e-4. */
export function noiseFor(target: number, options: Omit<PrivacyOptions, "noise">): number {
  if (!(target > 0)) throw new UsageError(`epsilon is above 0, but ${target} was given`);
  let [low, high] = [0, 1];
  while (epsilon({ ...options, noise: high }) > target) {
    high *= 2;
    if (high > 1e6) throw new UsageError(`no noise gives epsilon ${target}; ask for more`);
  }
  while (high - low > 1e-4) {
    const middle = (low + high) / 2;
    if (epsilon({ ...options, noise: middle }) > target) low = middle;
    else high = middle;
  }
  return high;
}

/** Renyi divergence of one round at an order above 1. */
export function renyi(q: number, sigma: number, order: number): number {
  if (q === 1) return order / (2 * sigma * sigma);
  return (
    (Number.isInteger(order) ? logMomentInteger(q, sigma, order) : logMomentFraction(q, sigma, order)) / (order - 1)
  );
}

/** log sum_i binom(a, i) q^i (1 - q)^(a - i) exp((i^2 - i) / (2 sigma^2)) */
function logMomentInteger(q: number, sigma: number, a: number): number {
  let total = -Infinity;
  let logBinomial = 0;
  for (let i = 0; i <= a; i++) {
    const term = logBinomial + i * Math.log(q) + (a - i) * Math.log1p(-q) + (i * i - i) / (2 * sigma * sigma);
    total = logAdd(total, term);
    logBinomial += Math.log(a - i) - Math.log(i + 1);
  }
  return total;
}

/** The same for a fractional order: two alternating series with Gaussian tails (section 3.3). */
function logMomentFraction(q: number, sigma: number, a: number): number {
  const z0 = sigma * sigma * Math.log(1 / q - 1) + 0.5;
  let [sum0, sum1] = [-Infinity, -Infinity];
  let [logBinomial, sign] = [0, 1];
  for (let i = 0; ; i++) {
    const j = a - i;
    const tail = (v: number): number => Math.log(0.5) + logErfc(v / (Math.SQRT2 * sigma));
    const term0 = logBinomial + i * Math.log(q) + j * Math.log1p(-q) + (i * i - i) / (2 * sigma * sigma) + tail(i - z0);
    const term1 = logBinomial + j * Math.log(q) + i * Math.log1p(-q) + (j * j - j) / (2 * sigma * sigma) + tail(z0 - j);
    sum0 = sign > 0 ? logAdd(sum0, term0) : logSubtract(sum0, term0);
    sum1 = sign > 0 ? logAdd(sum1, term1) : logSubtract(sum1, term1);
    if (Math.max(term0, term1) < -30) return logAdd(sum0, sum1);
    // binom(a, i + 1) = binom(a, i) (a - i) / (i + 1), negative factors from i > a on
    logBinomial += Math.log(Math.abs(j)) - Math.log(i + 1);
    if (j < 0) sign = -sign;
  }
}

function logAdd(a: number, b: number): number {
  const [high, low] = a > b ? [a, b] : [b, a];
  return low === -Infinity ? high : high + Math.log1p(Math.exp(low - high));
}

const logSubtract = (a: number, b: number): number => (a <= b ? -Infinity : a + Math.log1p(-Math.exp(b - a)));

/** log erfc(x): a series below 2, a continued fraction above (Abramowitz & Stegun 7.1.5, 7.1.14). */
export function logErfc(x: number): number {
  if (x < -2) return Math.log(2 - Math.exp(logErfc(-x)));
  if (x <= 2) {
    let [term, total] = [x, x];
    for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(total) && n < 200; n++) {
      term *= (-x * x) / n;
      total += term / (2 * n + 1);
    }
    return Math.log1p((-2 / Math.sqrt(Math.PI)) * total);
  }
  let fraction = 0;
  for (let n = 120; n > 0; n--) fraction = n / 2 / (x + fraction);
  return -x * x - Math.log(Math.sqrt(Math.PI)) - Math.log(x + fraction);
}
