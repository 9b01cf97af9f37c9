/**
 * Intervals for scores of forecasts whose errors resemble those of the start before: the moving-block bootstrap
 * (Künsch 1989), which redraws runs of successive starts and so keeps what connects them.
 *
 * Block length: Politis and White (2004), as corrected by Patton, Politis and White (2009), for the circular block bootstrap.
 */
import { random } from "../tensor/random.js";

/** The block length those papers' rule gives for a series: 1 for noise, longer the longer it remembers; at most n / 3. */
export function blockLength(series: ArrayLike<number>): number {
  const n = series.length;
  if (n < 4) return 1;
  const mean = sum(series) / n;
  const autocovariance = (lag: number) => {
    let total = 0;
    for (let t = lag; t < n; t++) total += (series[t] - mean) * (series[t - lag] - mean);
    return total / n;
  };
  const variance = autocovariance(0);
  if (!(variance > 0)) return 1;
  const quiet = Math.max(5, Math.ceil(Math.sqrt(Math.log10(n))));
  const limit = Math.min(n - 1, Math.ceil(Math.sqrt(n)) + quiet);
  const rho = Array.from({ length: limit + 1 }, (_, k) => autocovariance(k) / variance);
  const threshold = 2 * Math.sqrt(Math.log10(n) / n);
  // The last lag before `quiet` insignificant ones in a row.
  let last = limit;
  for (let m = 0; m + quiet <= limit; m++)
    if (rho.slice(m + 1, m + 1 + quiet).every((r) => Math.abs(r) < threshold)) {
      last = m;
      break;
    }
  const width = Math.min(2 * Math.max(last, 1), limit);
  let g = 0;
  let spectrum = variance; // 2 pi times the spectral density at frequency 0
  for (let k = 1; k <= width; k++) {
    const taper = k / width <= 0.5 ? 1 : 2 * (1 - k / width);
    g += 2 * taper * k * rho[k] * variance;
    spectrum += 2 * taper * rho[k] * variance;
  }
  // b = (2 G^2 / D)^(1/3) n^(1/3), D = 4/3 g(0)^2
  const best = Math.cbrt((2 * g * g) / ((4 / 3) * spectrum * spectrum)) * Math.cbrt(n);
  const most = Math.max(1, Math.floor(Math.min(3 * Math.sqrt(n), n / 3)));
  return Math.min(most, Math.max(1, Math.ceil(best)));
}

const sum = (x: ArrayLike<number>): number => {
  let total = 0;
  for (let i = 0; i < x.length; i++) total += x[i];
  return total;
};

/** Which blocks each resample consists of. The same draw serves every score of a sample, so that differences are paired. */
export interface Draw {
  readonly n: number;
  readonly length: number;
  /** Start of every block, by resample; the last block of a resample is cut to make n. */
  readonly starts: readonly Uint32Array[];
}

export function drawBlocks(n: number, length: number, options: { resamples?: number; seed?: number } = {}): Draw {
  const { resamples = 1000, seed = 0 } = options;
  const rng = random(seed);
  const count = Math.ceil(n / length);
  const starts = Array.from({ length: resamples }, () =>
    Uint32Array.from({ length: count }, () => rng.integer(n - length + 1)),
  );
  return { n, length, starts };
}

/** Sums of rows over each resample, of some of their columns. */
export interface Resampled {
  readonly count: number;
  /** Calls back with each resample's sums as a row; the row is the same array every time. Columns not asked for are 0. */
  each(use: (row: Float64Array, resample: number) => void): void;
  /** A number of every resample's sums. */
  map(of: (row: Float64Array) => number): Float64Array;
}

export function resampledSums(
  rows: readonly ArrayLike<number>[],
  { n, length, starts }: Draw,
  columns: readonly number[] = Array.from({ length: rows[0].length }, (_, k) => k),
): Resampled {
  const width = columns.length;
  // Sums up to each start, so that a block is one subtraction.
  const before = new Float64Array((n + 1) * width);
  for (let t = 0; t < n; t++)
    for (let k = 0; k < width; k++) before[(t + 1) * width + k] = before[t * width + k] + rows[t][columns[k]];
  const sums = new Float64Array(starts.length * width);
  starts.forEach((blocks, r) => {
    const base = r * width;
    let left = n;
    for (const start of blocks) {
      const run = Math.min(length, left);
      const [low, high] = [start * width, (start + run) * width];
      for (let k = 0; k < width; k++) sums[base + k] += before[high + k] - before[low + k];
      left -= run;
    }
  });
  const row = new Float64Array(rows[0].length);
  const each: Resampled["each"] = (use) => {
    for (let r = 0; r < starts.length; r++) {
      for (let k = 0; k < width; k++) row[columns[k]] = sums[r * width + k];
      use(row, r);
    }
  };
  return {
    count: starts.length,
    each,
    map(of) {
      const out = new Float64Array(starts.length);
      each((sum, r) => (out[r] = of(sum)));
      return out;
    },
  };
}

/** The middle `confidence` of values (linear between order statistics); missing values are left out. */
export function interval(values: ArrayLike<number>, confidence = 0.95): [low: number, high: number] {
  const kept = new Float64Array(values.length);
  let count = 0;
  for (let i = 0; i < values.length; i++) if (Number.isFinite(values[i])) kept[count++] = values[i];
  const there = kept.subarray(0, count);
  const at = (p: number) => {
    const x = p * (count - 1);
    const i = Math.floor(x);
    const low = smallest(there, i);
    if (i + 1 >= count) return low;
    // Everything behind place i is no smaller: the next one is the least of it.
    let next = there[i + 1];
    for (let k = i + 2; k < count; k++) if (there[k] < next) next = there[k];
    return low + (x - i) * (next - low);
  };
  return count === 0 ? [NaN, NaN] : [at((1 - confidence) / 2), at((1 + confidence) / 2)];
}

/** The value of rank k, put at place k with no greater ones before it (Hoare's selection, 1961); the order of values changes. */
function smallest(values: Float64Array, k: number): number {
  let [low, high] = [0, values.length - 1];
  while (low < high) {
    const pivot = values[(low + high) >> 1];
    let [i, j] = [low, high];
    while (i <= j) {
      while (values[i] < pivot) i++;
      while (values[j] > pivot) j--;
      if (i <= j) {
        const swap = values[i];
        values[i++] = values[j];
        values[j--] = swap;
      }
    }
    if (k <= j) high = j;
    else if (k >= i) low = i;
    else break;
  }
  return values[k];
}
