/** Whether a difference between two forecasts could be chance, where errors of successive starts resemble each other. */
import { normalDistribution } from "../scores/gaussian-crps.js";

export interface TestResult {
  readonly statistic: number;
  /** Two-sided. */
  readonly p: number;
}

/**
 * Diebold and Mariano (1995): the mean loss difference over its standard error, with Newey and West's (1987) variance that allows for
 * correlation up to `lags`, and Harvey, Leybourne and Newbold's (1997) correction for small samples.
 *
 * @param differences loss of one forecast minus that of the other, one a start in time order
 * @param lags starts over which forecasts overlap, less one; (4 n/100)^(2/9) if absent
 */
export function dieboldMariano(differences: ArrayLike<number>, options: { lags?: number } = {}): TestResult {
  const n = differences.length;
  const { lags = Math.floor(4 * (n / 100) ** (2 / 9)) } = options;
  const mean = sum(differences) / n;
  const autocovariance = (lag: number) => {
    let total = 0;
    for (let t = lag; t < n; t++) total += (differences[t] - mean) * (differences[t - lag] - mean);
    return total / n;
  };
  let variance = autocovariance(0);
  for (let lag = 1; lag <= lags; lag++) variance += 2 * (1 - lag / (lags + 1)) * autocovariance(lag);
  const h = lags + 1;
  const correction = Math.sqrt((n + 1 - 2 * h + (h * (h - 1)) / n) / n);
  const statistic = (correction * mean) / Math.sqrt(variance / n);
  return { statistic, p: studentTail(statistic, n - 1) };
}

/**
 * Wilcoxon's signed-rank test (1945) by its normal approximation with ties averaged and the continuity correction
 * (as scipy's `wilcoxon(..., method="approx", correction=True)`); zeros are dropped. It takes starts as independent: thin them first.
 */
export function wilcoxon(differences: ArrayLike<number>): TestResult {
  const kept = Array.from(differences).filter((d) => d !== 0 && !Number.isNaN(d));
  const n = kept.length;
  const order = [...kept.keys()].sort((a, b) => Math.abs(kept[a]) - Math.abs(kept[b]));
  const ranks = new Float64Array(n);
  let ties = 0;
  for (let i = 0; i < n;) {
    let j = i;
    while (j < n && Math.abs(kept[order[j]]) === Math.abs(kept[order[i]])) j++;
    for (let k = i; k < j; k++) ranks[order[k]] = (i + 1 + j) / 2;
    ties += (j - i) ** 3 - (j - i);
    i = j;
  }
  const positive = ranks.reduce((total, rank, i) => total + (kept[i] > 0 ? rank : 0), 0);
  const statistic = Math.min(positive, (n * (n + 1)) / 2 - positive);
  const deviation = Math.sqrt((n * (n + 1) * (2 * n + 1)) / 24 - ties / 48);
  const z = (statistic - (n * (n + 1)) / 4 + 0.5) / deviation;
  return { statistic, p: Math.min(1, 2 * normalDistribution(z)) };
}

/**
 * Benjamini and Hochberg (1995): p-values turned into the false-discovery rate at which each would just be called a discovery. Over
 * a scorecard of many cells, marking those below 0.05 keeps false marks to a twentieth of all marks.
 */
export function falseDiscoveryRates(p: ArrayLike<number>): Float64Array {
  const n = p.length;
  const order = Array.from({ length: n }, (_, i) => i).sort((a, b) => p[b] - p[a]);
  const rates = new Float64Array(n);
  let least = 1;
  order.forEach((index, k) => {
    least = Math.min(least, (p[index] * n) / (n - k));
    rates[index] = least;
  });
  return rates;
}

const sum = (x: ArrayLike<number>): number =>
  Array.prototype.reduce.call(x, (a, b) => (a as number) + (b as number), 0) as number;

/** Two-sided tail of Student's t: the regularised incomplete beta function I_x(v/2, 1/2), x = v / (v + t^2). */
export function studentTail(t: number, degrees: number): number {
  return incompleteBeta(degrees / (degrees + t * t), degrees / 2, 0.5);
}

/** By its continued fraction (Abramowitz and Stegun 26.5.8), Lentz's method. */
function incompleteBeta(x: number, a: number, b: number): number {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  if (x > (a + 1) / (a + b + 2)) return 1 - incompleteBeta(1 - x, b, a);
  const front = Math.exp(logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log(1 - x)) / a;
  const tiny = 1e-300;
  let [c, d] = [1, 1 - ((a + b) * x) / (a + 1)];
  d = 1 / (Math.abs(d) < tiny ? tiny : d);
  let fraction = d;
  for (let m = 1; m < 500; m++) {
    for (const factor of [
      (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m)),
      (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1)),
    ]) {
      d = 1 + factor * d;
      c = 1 + factor / c;
      if (Math.abs(d) < tiny) d = tiny;
      if (Math.abs(c) < tiny) c = tiny;
      d = 1 / d;
      fraction *= c * d;
    }
    if (Math.abs(c * d - 1) < 1e-15) break;
  }
  return front * fraction;
}

/** Stirling's series after shifting the argument above 10; to 1e-14. */
function logGamma(x: number): number {
  let shift = 0;
  for (; x < 10; x++) shift -= Math.log(x);
  const y = 1 / (x * x);
  const series = (1 / 12 - y * (1 / 360 - y * (1 / 1260 - y * (1 / 1680 - y / 1188)))) / x;
  return shift + (x - 0.5) * Math.log(x) - x + 0.5 * Math.log(2 * Math.PI) + series;
}
