/**
 * Ridge regression on leading principal components, one for each lead: the best linear forecast a short record can carry
 * (a linear inverse model fitted lead by lead; Penland and Magorian 1993 with a ridge).
 *
 *     z(t) = components of the anomalies at t;   z(t + L) = B_L z(t),   B_L = Y Zᵀ (Z Zᵀ + r n s I)⁻¹
 *
 * Anomalies are departures from climatology, each channel divided by its own standard deviation, cells weighted by the root of
 * their area; on grids too large to hold many of them, means over blocks of cells. What lies outside the components is damped by
 * its own lag regression, one number a lead. The strength r (in units of the components' mean variance s) is the one with the
 * least error on the last fifth of the training period after fitting on the rest.
 */
import { CholeskyDecomposition, Matrix } from "ml-matrix";
import { latitudeWeights } from "../../earth/weights.js";
import { memoryRows, type RowMaker } from "../../tensor/rows.js";
import { type States, stateSize, stepOf } from "../series.js";
import { type Anomalies, anomaliesOf } from "./anomalies.js";
import { type Baseline, pairs, type TimeRange, trainingIndices } from "./baseline.js";
import { blocksOf } from "./blocks.js";
import type { Climatology } from "./climatology.js";
import { principalComponents } from "./components.js";
import { combine, dot, dots } from "./dense.js";

export interface RidgeOptions {
  readonly trainRange: TimeRange;
  readonly components?: number;
  readonly seed?: number;
  readonly rows?: RowMaker;
  readonly anomalies?: Anomalies;
  /** Cells of a state beyond which blocks of them are taken together. */
  readonly mostCells?: number;
}

/** Tried strengths, in units of the components' mean variance. */
const STRENGTHS = [1e-4, 1e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1];
/** States the components are found from, spread evenly over the training period: as many as fit in this many numbers. */
const MOST_NUMBERS = 8e6;
const FEWEST_STATES = 300;
/** States whose coordinates are found together. */
const BATCH = 32;
/** Forecasts made together, so that the patterns are fetched from memory once for all of them. */
const TOGETHER = 4;
/** Pairs the damping of the remainder is found from: one number from whole fields needs no more. */
const MOST_REMAINDERS = 100;

export function ridgeRegression(series: States, climatology: Climatology, options: RidgeOptions): Baseline {
  const { trainRange, components = 50, seed = 0, rows = memoryRows, mostCells = 120_000 } = options;
  const { anomalies = anomaliesOf(series, climatology, rows) } = options;
  const size = stateSize(series);
  const step = stepOf(series);
  const indices = trainingIndices(series, trainRange);

  const most = Math.max(FEWEST_STATES, Math.floor(MOST_NUMBERS / size));
  const stride = Math.ceil(indices.length / most);
  const some = indices.filter((_, k) => k % stride === 0);
  const scale = cellScale(series, some, anomalies);
  const blocks = blocksOf(series, scale, mostCells);
  const sample = some.map((index) => blocks.gather(anomalies.at(index)));
  const count = Math.min(components, Math.floor(sample.length / 4));
  const { patterns, variances } = principalComponents(sample, count, { seed });
  const meanVariance = variances.reduce((sum, v) => sum + v, 0) / variances.length;

  const coordinates = new Map<number, Float64Array>();
  const coordinatesOf = (wanted: readonly number[]): Float64Array[] => {
    const missing = wanted.filter((index) => !coordinates.has(index));
    for (let from = 0; from < missing.length; from += BATCH) {
      const batch = missing.slice(from, from + BATCH);
      const z = dots(
        batch.map((index) => blocks.gather(anomalies.at(index))),
        patterns,
      );
      batch.forEach((index, k) => coordinates.set(index, z.subarray(k * patterns.length, (k + 1) * patterns.length)));
    }
    return wanted.map((index) => coordinates.get(index)!);
  };

  const squares = new Map<number, number>();
  const squareOf = (index: number): number => {
    let square = squares.get(index);
    if (square === undefined) {
      const x = anomalies.at(index);
      squares.set(index, (square = scaledDot(x, x, scale)));
    }
    return square;
  };

  /** Lag regression of the remainders r: the patterns are orthonormal, so r·r' = x·x' - z·z'. */
  const dampingOf = (leadSteps: number): number => {
    const { from, to } = pairs(series, indices, leadSteps, MOST_REMAINDERS);
    let product = 0;
    let square = 0;
    from.forEach((index, k) => {
      const [now, later] = [anomalies.at(index), anomalies.at(to[k])];
      const [z, zLater] = coordinatesOf([index, to[k]]);
      product += scaledDot(now, later, scale) - dot(z, zLater);
      square += squareOf(index) - dot(z, z);
    });
    return square > 0 ? product / square : 0;
  };

  const fitted = new Map<number, { b: Matrix; damping: number }>();
  const fit = (leadSteps: number): { b: Matrix; damping: number } => {
    const known = fitted.get(leadSteps);
    if (known) return known;
    const { from, to } = pairs(series, indices, leadSteps);
    const [z, y] = [coordinatesOf(from), coordinatesOf(to)];
    const cut = Math.floor(0.8 * z.length);
    const [train, held] = [products(z, y, 0, cut), products(z, y, cut, z.length)];
    let best = STRENGTHS[STRENGTHS.length - 1];
    let least = Infinity;
    for (const strength of STRENGTHS) {
      const error = heldError(solve(train, strength * meanVariance), held);
      if (error < least) [best, least] = [strength, error];
    }
    const all = { zz: Matrix.add(train.zz, held.zz), zy: Matrix.add(train.zy, held.zy), n: z.length };
    const result = { b: solve(all, best * meanVariance), damping: dampingOf(leadSteps) };
    fitted.set(leadSteps, result);
    return result;
  };

  /** Σ (B z - damping z) patterns, by block: what the components say beyond the damping of everything. */
  let inside = new Map<string, Float32Array>();
  const insideOf = (index: number, leadSteps: number): Float32Array => {
    const key = (lead: number) => `${index} ${lead}`;
    if (!inside.has(key(leadSteps))) {
      // Who asks for one lead of a start mostly asks for those that came after it before.
      fit(leadSteps);
      const leads = [...fitted.keys()];
      const next = leads.slice(leads.indexOf(leadSteps)).slice(0, TOGETHER);
      const [z] = coordinatesOf([index]);
      const fields = next.map(() => new Float32Array(blocks.count));
      const factors = next.flatMap((lead) => {
        const { b, damping } = fit(lead);
        return Array.from(multiply(b, z), (x, c) => x - damping * z[c]);
      });
      combine(fields, patterns, factors);
      inside = new Map(next.map((lead, k) => [key(lead), fields[k]]));
    }
    return inside.get(key(leadSteps))!;
  };

  return {
    name: "ridge",
    description: `ridge regression on ${patterns.length} leading principal components of the anomalies${blocks.words}, one fit a lead`,
    predict(initIndices, leadSteps) {
      const { damping } = fit(leadSteps);
      const out = new Float32Array(initIndices.length * size);
      for (let k = 0; k < initIndices.length; k++) {
        // c + damping x' + what is inside the components: what lies outside them is x' less its part in them.
        const field = out.subarray(k * size, (k + 1) * size);
        blocks.scatter(insideOf(initIndices[k], leadSteps), field);
        const [mean, x] = [
          climatology.at(series.times[initIndices[k]] + leadSteps * step),
          anomalies.at(initIndices[k]),
        ];
        for (let i = 0; i < size; i++) field[i] += mean[i] + (x[i] === x[i] ? damping * x[i] : 0);
      }
      return out;
    },
  };
}

/** Root of a cell's area over its channel's standard deviation. */
function cellScale(series: States, sample: readonly number[], anomalies: Anomalies): Float64Array {
  const size = stateSize(series);
  const cells = size / series.channels.length;
  // A row at the pole has no area; it is kept in the components with a little weight, so that it can be scaled back.
  const area = series.scattered ? undefined : latitudeWeights(series.latitudes, "exact");
  const columns = series.longitudes.length;
  const squares = new Float64Array(series.channels.length);
  for (const index of sample) {
    const x = anomalies.at(index);
    for (let i = 0; i < size; i++) if (x[i] === x[i]) squares[Math.floor(i / cells)] += x[i] * x[i];
  }
  const out = new Float64Array(size);
  squares.forEach((square, c) => {
    const deviation = Math.sqrt(square / (sample.length * cells)) || 1;
    for (let i = 0; i < cells; i++)
      out[c * cells + i] = Math.sqrt(Math.max(area?.[Math.floor(i / columns)] ?? 1, 1e-3)) / deviation;
  });
  return out;
}

/** Σ s² a b over what is there. */
function scaledDot(a: Float32Array, b: Float32Array, scale: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < scale.length; i++) {
    const both = scale[i] * scale[i] * a[i] * b[i];
    if (both === both) sum += both;
  }
  return sum;
}

/** Z Zᵀ, Z Yᵀ and |Y|² over some of the pairs. */
interface Products {
  readonly zz: Matrix;
  readonly zy: Matrix;
  readonly n: number;
}

function products(z: readonly Float64Array[], y: readonly Float64Array[], from: number, to: number): Products {
  const width = z[0].length;
  const [zz, zy] = [0, 1].map(() => Array.from({ length: width }, () => new Float64Array(width)));
  for (let k = from; k < to; k++) {
    const [a, b] = [z[k], y[k]];
    for (let i = 0; i < width; i++) {
      const [left, right, x] = [zz[i], zy[i], a[i]];
      for (let j = 0; j < width; j++) {
        left[j] += x * a[j];
        right[j] += x * b[j];
      }
    }
  }
  return { zz: new Matrix(zz), zy: new Matrix(zy), n: to - from };
}

/** B = Y Zᵀ (Z Zᵀ + n r I)⁻¹. */
function solve({ zz, zy, n }: Products, ridge: number): Matrix {
  const width = zz.rows;
  const left = zz.clone();
  for (let i = 0; i < width; i++) left.set(i, i, left.get(i, i) + n * ridge);
  return new CholeskyDecomposition(left).solve(zy).transpose();
}

/** Σ |B z - y|² over held pairs, less Σ |y|²: tr(B ZZᵀ Bᵀ) - 2 tr(B ZYᵀ). */
function heldError(b: Matrix, { zz, zy }: Products): number {
  const width = b.rows;
  const bz = b.mmul(zz);
  let error = 0;
  for (let i = 0; i < width; i++)
    for (let j = 0; j < width; j++) error += b.get(i, j) * (bz.get(i, j) - 2 * zy.get(j, i));
  return error;
}

function multiply(b: Matrix, z: Float64Array): Float64Array {
  const out = new Float64Array(b.rows);
  for (let i = 0; i < b.rows; i++) for (let j = 0; j < z.length; j++) out[i] += b.get(i, j) * z[j];
  return out;
}
