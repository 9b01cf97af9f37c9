/**
 * Downscaled fields beside their baselines on a held-back period. Every forecaster is a mean and a set of equally likely values
 * (one, where it gives a single guess), and each score uses of them what it asks for:
 *
 * - `rmse`, `bias` the mean; `crps` all values: twice the mean pinball loss at the levels (i + 1/2) / n, for one value its
 *   absolute error;
 * - `seeps` (rain) the category, dry, light or heavy, of least expected cost;
 * - `fss` the chance of exceeding the threshold, averaged over windows;
 * - `p95:bias`, `p95:abs` the 95th percentile, over the period, of all values at a cell, less that of the truth: its area mean
 *   and the area mean of its size.
 *
 * Intervals: moving-block bootstrap over times, paired between forecasters.
 */
import { type DownscaleBaseline, type Guess } from "../tasks/downscale/baselines.js";
import { blockLength, type Draw, drawBlocks, interval, resampledSums } from "./bootstrap.js";
import type { ScoreRow } from "./rows.js";
import { eventFractions, windowMean } from "./scores/fss.js";
import { type DownscaleShape, quantilesOf, shapeOf } from "./downscale-shape.js";
import { type SeepsClimate, seepsCosts, seepsSums } from "./scores/seeps.js";

export interface DownscaleCase {
  readonly variable: string;
  /** Which grid it starts from: a label such as `4x4`, or `all`. */
  readonly region: string;
  /** Times of the held-back period, in order: how many. */
  readonly times: number;
  readonly truth: (k: number) => Float32Array;
  readonly model: (k: number) => Guess;
  readonly baselines: readonly (Omit<DownscaleBaseline, "at"> & { readonly at: (k: number) => Guess })[];
  /** Area weights of the cells. */
  readonly weights: Float32Array;
  readonly columns: number;
  /** Of the training period, for rain. */
  readonly seeps?: SeepsClimate & { readonly dryUpTo: number };
  /** Threshold of FSS in the variable's units, and its windows in cells. */
  readonly fss: { readonly threshold: number; readonly windows: readonly number[] };
  readonly onProgress?: (done: number, total: number) => void;
}

export interface DownscaleScores {
  readonly rows: readonly ScoreRow[];
  /** Model less baseline, with intervals of the difference. */
  readonly comparisons: readonly ScoreRow[];
  readonly blockLength: number;
  /** The model first, then the baselines. */
  readonly shapes: readonly DownscaleShape[];
  /** Of the truth, at `SHAPE_LEVELS`. */
  readonly truthQuantiles: Float64Array;
}

/** Places of a row of sums. */
const [W, E, EE, CRPS, SEEPS, SEEPS_W, FSS] = [0, 1, 2, 3, 4, 5, 6];
/** Cells at most that percentiles are taken of, spread over the grid. */
const PERCENTILE_CELLS = 4000;
const RESAMPLES = 500;

/** Scores of the model and every baseline over the same times and cells. */
export function scoreDownscaling(given: DownscaleCase): DownscaleScores {
  const forecasters = [{ name: null, at: given.model }, ...given.baselines.map(({ name, at }) => ({ name, at }))];
  const sums: Float64Array[][] = forecasters.map(() => []);
  const truths: Float32Array[] = [];
  const finite = [...given.weights.keys()].filter((i) => {
    const o = given.truth(0)[i];
    return o === o;
  });
  const stride = Math.ceil(finite.length / PERCENTILE_CELLS);
  const kept = finite.filter((_, k) => k % stride === 0);
  const values: Float32Array[][] = forecasters.map(() => []); // [forecaster][time] of members x kept cells
  const means: Float32Array[][] = forecasters.map(() => []); // [forecaster][time] of kept cells
  for (let k = 0; k < given.times; k++) {
    const truth = given.truth(k);
    truths.push(Float32Array.from(kept, (i) => truth[i]));
    forecasters.forEach(({ at }, f) => {
      const guess = at(k);
      sums[f].push(sumsOf(guess, truth, given));
      values[f].push(Float32Array.from(guess.members.flatMap((m) => kept.map((i) => m[i]))));
      means[f].push(Float32Array.from(kept, (i) => guess.mean[i]));
    });
    given.onProgress?.(k + 1, given.times);
  }
  const weights = kept.map((i) => given.weights[i]);
  const lengths = sums.map((rows) => blockLength(rows.map((r) => r[EE] / r[W])));
  // A series too short for the rule gives no number
  const length = Math.max(1, ...lengths.filter(Number.isFinite));
  const draw = given.times >= 8 ? drawBlocks(given.times, length, { resamples: RESAMPLES }) : undefined;
  const additive = additiveScores(given);
  const rows: ScoreRow[] = [];
  const comparisons: ScoreRow[] = [];
  const key = { variable: given.variable, level: null, lead_hours: 0, region: given.region, n: given.times };
  const report = (metric: string, own: number[], draws: (Float64Array | undefined)[]) => {
    forecasters.forEach(({ name }, f) => {
      const [low, high] = draws[f] ? interval(draws[f]) : [null, null];
      rows.push({ metric, ...key, baseline: name, value: own[f], low, high });
      if (name === null) return;
      const difference = draws[0] && draws[f] && draws[0].map((x, k) => x - draws[f]![k]);
      const [from, to] = difference ? interval(difference) : [null, null];
      comparisons.push({ metric, ...key, baseline: name, value: own[0] - own[f], low: from, high: to });
    });
  };
  const totals = sums.map((each) => each.reduce((a, b) => a.map((x, i) => x + b[i])));
  const resampled = draw && sums.map((each) => resampledSums(each, draw));
  for (const { metric, of } of additive)
    report(
      metric,
      totals.map(of),
      forecasters.map((_, f) => resampled && resampled[f].map(of)),
    );
  const percentiles = forecasters.map((_, f) => percentileBias(values[f], truths, kept.length, weights, draw));
  for (const [metric, part] of [
    ["p95:bias", 0],
    ["p95:abs", 1],
  ] as const)
    report(
      metric,
      percentiles.map(({ own }) => own[part]),
      percentiles.map(({ draws }) => draws && Float64Array.from(draws, (d) => d[part])),
    );
  const shapes = forecasters.map(({ name }, f) => {
    const errors = Float64Array.from(sums[f], (r) => Math.sqrt(r[EE] / r[W]));
    return shapeOf(name, errors, means[f], values[f], truths, given.fss.threshold);
  });
  return { rows, comparisons, blockLength: length, shapes, truthQuantiles: quantilesOf(truths) };
}

function additiveScores({ seeps, fss: { threshold, windows } }: DownscaleCase) {
  const ratio = (above: number, below: number) => (s: Float64Array) => s[above] / s[below];
  return [
    { metric: "rmse", of: (s: Float64Array) => Math.sqrt(s[EE] / s[W]) },
    { metric: "crps", of: ratio(CRPS, W) },
    { metric: "bias", of: ratio(E, W) },
    ...(seeps ? [{ metric: "seeps", of: ratio(SEEPS, SEEPS_W) }] : []),
    ...windows.map((window, i) => ({
      metric: `fss>${Number(threshold.toPrecision(4))}:${window}`,
      of: (s: Float64Array) => 1 - s[FSS + 2 * i] / s[FSS + 2 * i + 1],
    })),
  ];
}

/** One time's sums of one forecaster. */
function sumsOf({ mean, members }: Guess, truth: Float32Array, given: DownscaleCase): Float64Array {
  const { weights, seeps, fss, columns } = given;
  const row = new Float64Array(FSS + 2 * fss.windows.length);
  const n = members.length;
  for (let i = 0; i < truth.length; i++) {
    const o = truth[i];
    const e = mean[i] - o;
    if (e !== e) continue;
    const w = weights[i];
    row[W] += w;
    row[E] += w * e;
    row[EE] += w * e * e;
    let pinball = 0;
    for (let m = 0; m < n; m++) {
      const d = o - members[m][i];
      pinball += d * ((m + 0.5) / n - (d < 0 ? 1 : 0));
    }
    row[CRPS] += (2 * w * pinball) / n;
  }
  if (seeps) {
    const { sum, total } = seepsSums(cheapest(members, seeps), truth, weights, seeps, seeps);
    row[SEEPS] = sum;
    row[SEEPS_W] = total;
  }
  const chance = new Float64Array(truth.length);
  for (const member of members)
    for (let i = 0; i < chance.length; i++)
      chance[i] += member[i] !== member[i] || truth[i] !== truth[i] ? NaN : Number(member[i] > fss.threshold) / n;
  fss.windows.forEach((window, k) => {
    const pf = windowMean(chance, { window, columns });
    const po = eventFractions(truth, fss.threshold, { window, columns });
    po.forEach((o, i) => {
      const d = pf[i] - o;
      if (d !== d) return;
      row[FSS + 2 * k] += weights[i] * d * d;
      row[FSS + 2 * k + 1] += weights[i] * (pf[i] ** 2 + o * o);
    });
  });
  return row;
}

/** For each cell an amount in the category of least expected cost. */
function cheapest(
  members: readonly ArrayLike<number>[],
  { dryFraction, heavyFrom, dryUpTo }: SeepsClimate & { dryUpTo: number },
): Float64Array {
  return Float64Array.from({ length: members[0].length }, (_, i) => {
    const amounts = [0, (dryUpTo + heavyFrom[i]) / 2, 2 * heavyFrom[i]];
    const chance = [0, 0, 0];
    for (const m of members) {
      if (Number.isNaN(m[i])) return NaN;
      chance[m[i] <= dryUpTo ? 0 : m[i] < heavyFrom[i] ? 1 : 2] += 1;
    }
    const expected = seepsCosts(dryFraction[i]).map((costs) => costs.reduce((sum, c, k) => sum + c * chance[k], 0));
    return amounts[expected.indexOf(Math.min(...expected))];
  });
}

/** Area mean of the 95th percentile's error and of its size; in every resample of times too. */
function percentileBias(
  forecast: readonly Float32Array[],
  truth: readonly Float32Array[],
  cells: number,
  weights: readonly number[],
  draw: Draw | undefined,
): { own: [number, number]; draws?: [number, number][] } {
  const once = new Uint16Array(truth.length).fill(1);
  const counts = draw?.starts.map((starts) => {
    const count = new Uint16Array(draw.n);
    let left = draw.n;
    for (const start of starts) {
      for (let t = start; t < start + Math.min(draw.length, left); t++) count[t]++;
      left -= Math.min(draw.length, left);
    }
    return count;
  });
  const all = [once, ...(counts ?? [])];
  const sums = all.map((): [number, number] => [0, 0]);
  let total = 0;
  for (let i = 0; i < cells; i++) {
    const [f, o] = [topOf(forecast, i, cells), topOf(truth, i, cells)];
    if (!f || !o) continue;
    total += weights[i];
    all.forEach((count, r) => {
      const d = percentile(f, count, truth.length) - percentile(o, count, truth.length);
      sums[r][0] += weights[i] * d;
      sums[r][1] += weights[i] * Math.abs(d);
    });
  }
  const [own, ...draws] = sums.map(([a, b]): [number, number] => [a / total, b / total]);
  return { own, ...(counts && { draws }) };
}

/** The values of a cell at all times, largest first, and the time of each; undefined where one is missing. */
function topOf(fields: readonly Float32Array[], cell: number, cells: number) {
  const members = fields[0].length / cells;
  const values = new Float32Array(fields.length * members);
  fields.forEach((field, t) => {
    for (let m = 0; m < members; m++) values[t * members + m] = field[m * cells + cell];
  });
  if (values.some(Number.isNaN)) return undefined;
  const order = Uint32Array.from(values.keys()).sort((a, b) => values[b] - values[a]);
  return { members, order, sorted: Float32Array.from(order, (k) => values[k]) };
}

/** The value that 5 % of the counted ones exceed. */
function percentile(
  { members, order, sorted }: { members: number; order: Uint32Array; sorted: Float32Array },
  count: Uint16Array,
  times: number,
): number {
  let left = 0.05 * times * members;
  for (let k = 0; k < order.length; k++) {
    left -= count[Math.floor(order[k] / members)];
    if (left <= 0) return sorted[k];
  }
  return sorted[sorted.length - 1];
}
