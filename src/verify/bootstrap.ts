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

const drawn = new Map<string, Draw>();
/** Most verifications need a handful of draws, over and over. */
const MOST_DRAWS = 32;

export function drawBlocks(n: number, length: number, options: { resamples?: number; seed?: number } = {}): Draw {
  const { resamples = 1000, seed = 0 } = options;
  const key = [n, length, resamples, seed].join();
  const known = drawn.get(key);
  if (known) return known;
  const rng = random(seed);
  const count = Math.ceil(n / length);
  const starts = Array.from({ length: resamples }, () =>
    Uint32Array.from({ length: count }, () => rng.integer(n - length + 1)),
  );
  if (drawn.size >= MOST_DRAWS) drawn.clear();
  const draw = { n, length, starts };
  drawn.set(key, draw);
  return draw;
}

/** Sums of rows over each resample, of some of their columns. */
export interface Resampled {
  readonly count: number;
  /**
   * A number of every resample's sums, given as a row: the same array every time. Columns not asked for (of all that were summed,
   * or of these) are 0.
   */
  map(of: (row: Float64Array) => number, columns?: readonly number[]): Float64Array;
}

export function resampledSums(
  rows: readonly ArrayLike<number>[],
  { n, length, starts }: Draw,
  columns: readonly number[] = Array.from({ length: rows[0].length }, (_, k) => k),
): Resampled {
  const sums = new Map(columns.map((column) => [column, new Float64Array(starts.length)]));
  for (let k = 0; k < columns.length; k += 4) {
    const four = columns.slice(k, k + 4);
    addResamples(
      rows,
      { n, length, starts },
      four,
      four.map((column) => sums.get(column)!),
    );
  }
  return {
    count: starts.length,
    map(of, wanted = columns) {
      const row = new Float64Array(rows[0].length);
      const read = wanted.map((column) => sums.get(column)!);
      const out = new Float64Array(starts.length);
      for (let r = 0; r < out.length; r++) {
        for (let k = 0; k < read.length; k++) row[wanted[k]] = read[k][r];
        out[r] = of(row);
      }
      return out;
    },
  };
}

/** Sums of up to four columns: their additions need not wait for one another, and a block's place is fetched once. */
function addResamples(
  rows: readonly ArrayLike<number>[],
  { n, length, starts }: Draw,
  columns: readonly number[],
  out: readonly Float64Array[],
): void {
  const last = n - (Math.ceil(n / length) - 1) * length; // of a resample's last block, which is cut
  // The sum of every block that can be drawn, whole and cut, so that a block is one addition.
  const [whole, cut] = [0, 1].map(() => new Float64Array(4 * (n - length + 1)));
  columns.forEach((column, c) => {
    for (let t = 0; t + length <= n; t++) {
      let sum = 0;
      for (let i = 0; i < last; i++) sum += rows[t + i][column];
      cut[4 * t + c] = sum;
      for (let i = last; i < length; i++) sum += rows[t + i][column];
      whole[4 * t + c] = sum;
    }
  });
  for (let r = 0; r < starts.length; r++) {
    const blocks = starts[r];
    const end = blocks.length - 1;
    const at = 4 * blocks[end];
    let s0 = cut[at];
    let s1 = cut[at + 1];
    let s2 = cut[at + 2];
    let s3 = cut[at + 3];
    for (let b = 0; b < end; b++) {
      const from = 4 * blocks[b];
      s0 += whole[from];
      s1 += whole[from + 1];
      s2 += whole[from + 2];
      s3 += whole[from + 3];
    }
    out[0][r] = s0;
    if (out.length > 1) out[1][r] = s1;
    if (out.length > 2) out[2][r] = s2;
    if (out.length > 3) out[3][r] = s3;
  }
}

/** The middle `confidence` of values (linear between order statistics); missing values are left out. */
export function interval(values: ArrayLike<number>, confidence = 0.95): [low: number, high: number] {
  const kept = new Float64Array(values.length);
  let count = 0;
  for (let i = 0; i < values.length; i++) if (Number.isFinite(values[i])) kept[count++] = values[i];
  if (count === 0) return [NaN, NaN];
  const there = kept.subarray(0, count);
  let sorted = 0; // what lies before this place is no greater than what lies behind
  const at = (p: number) => {
    const x = p * (count - 1);
    const i = Math.floor(x);
    const low = smallest(there, i, Math.min(sorted, i));
    sorted = i;
    if (i + 1 >= count) return low;
    // Everything behind place i is no smaller: the next one is the least of it.
    let next = there[i + 1];
    for (let k = i + 2; k < count; k++) if (there[k] < next) next = there[k];
    return low + (x - i) * (next - low);
  };
  return [at((1 - confidence) / 2), at((1 + confidence) / 2)];
}

/** The value of rank k, put at place k with no greater ones before it (Hoare's selection, 1961), looking from place `low` on. The order of values changes. */
function smallest(values: Float64Array, k: number, low: number): number {
  let high = values.length - 1;
  while (low < high) {
    const pivot = values[(low + high) >> 1];
    let i = low;
    let j = high;
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
