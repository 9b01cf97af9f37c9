/**
 * Ridge regression on leading principal components, one for each lead: the best linear forecast a short record can carry
 * (a linear inverse model fitted lead by lead; Penland and Magorian 1993 with a ridge).
 *
 *     z(t) = components of the anomalies at t;   z(t + L) = B_L z(t),   B_L = Y Zᵀ (Z Zᵀ + r n s I)⁻¹
 *
 * Anomalies are departures from climatology, each channel divided by its own standard deviation, cells weighted by the root of
 * their area. What lies outside the components is damped by its own lag regression, one number a lead. The strength r (in units of the components' mean
 * variance s) is the one with the least error on the last fifth of the training period after fitting on the rest.
 */
import { CholeskyDecomposition, Matrix } from "ml-matrix";
import { latitudeWeights } from "../../earth/weights.js";
import { type Series, stateAt, stateSize, stepOf } from "../series.js";
import { type Baseline, pairs, type TimeRange, trainingIndices } from "./baseline.js";
import type { Climatology } from "./climatology.js";
import { dot, principalComponents, project } from "./components.js";

export interface RidgeOptions {
  readonly trainRange: TimeRange;
  readonly components?: number;
  readonly seed?: number;
}

/** Tried strengths, in units of the components' mean variance. */
const STRENGTHS = [1e-4, 1e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1];
/** States the components are found from, spread evenly over the training period: as many as fit in this many numbers. */
const MOST_NUMBERS = 8e6;
const FEWEST_STATES = 300;
/** Pairs the damping of the remainder is found from: one number from whole fields needs no more. */
const MOST_REMAINDERS = 100;

export function ridgeRegression(
  series: Series,
  climatology: Climatology,
  { trainRange, components = 50, seed = 0 }: RidgeOptions,
): Baseline {
  const size = stateSize(series);
  const cells = size / series.channels.length;
  const step = stepOf(series);
  const indices = trainingIndices(series, trainRange);

  /** Departure from climatology; missing values count as none. */
  const anomaly = (index: number): Float32Array => {
    const x = stateAt(series, index).slice();
    const mean = climatology.at(series.times[index]);
    for (let i = 0; i < size; i++) {
      const a = x[i] - mean[i];
      x[i] = a === a ? a : 0;
    }
    return x;
  };

  const most = Math.max(FEWEST_STATES, Math.floor(MOST_NUMBERS / size));
  const stride = Math.ceil(indices.length / most);
  const sample = indices.filter((_, k) => k % stride === 0).map(anomaly);
  const scale = cellScale(series, sample);
  for (const x of sample) for (let i = 0; i < size; i++) x[i] *= scale[i];
  const count = Math.min(components, Math.floor(sample.length / 4));
  const { patterns: exact, variances } = principalComponents(sample, count, { seed });
  const patterns = exact.map((pattern) => Float32Array.from(pattern)); // half the memory to go through for each forecast
  const meanVariance = variances.reduce((sum, v) => sum + v, 0) / variances.length;

  const scaled = (index: number): Float32Array => {
    const x = anomaly(index);
    for (let i = 0; i < size; i++) x[i] *= scale[i];
    return x;
  };
  const coordinates = new Map<number, Float64Array>();
  const coordinatesOf = (index: number): Float64Array => {
    let z = coordinates.get(index);
    if (!z) coordinates.set(index, (z = project(scaled(index), patterns)));
    return z;
  };

  /** What the components leave of the scaled anomaly; the last one is kept, since leads of one start come in a row. */
  let last: { index: number; field: Float64Array } | undefined;
  const remainder = (index: number): Float64Array => {
    if (last?.index !== index) {
      const field = Float64Array.from(scaled(index));
      addPatterns(field, patterns, coordinatesOf(index), -1);
      last = { index, field };
    }
    return last.field;
  };

  /** Lag regression of the remainders r: the patterns are orthonormal, so r·r' = x·x' - z·z'. */
  const dampingOf = (leadSteps: number): number => {
    const { from, to } = pairs(series, indices, leadSteps, MOST_REMAINDERS);
    let product = 0;
    let square = 0;
    from.forEach((index, k) => {
      const [x, z] = [scaled(index), coordinatesOf(index)];
      product += dot(x, scaled(to[k])) - dot(z, coordinatesOf(to[k]));
      square += dot(x, x) - dot(z, z);
    });
    return square > 0 ? product / square : 0;
  };

  const fitted = new Map<number, { b: Matrix; damping: number }>();
  const fit = (leadSteps: number): { b: Matrix; damping: number } => {
    const known = fitted.get(leadSteps);
    if (known) return known;
    const { from, to } = pairs(series, indices, leadSteps);
    const z = from.map(coordinatesOf);
    const y = to.map(coordinatesOf);
    const cut = Math.floor(0.8 * z.length);
    let best = STRENGTHS[STRENGTHS.length - 1];
    let least = Infinity;
    for (const strength of STRENGTHS) {
      const b = solve(z.slice(0, cut), y.slice(0, cut), strength * meanVariance);
      let error = 0;
      for (let k = cut; k < z.length; k++) {
        const guess = multiply(b, z[k]);
        for (let c = 0; c < guess.length; c++) error += (guess[c] - y[k][c]) ** 2;
      }
      if (error < least) [best, least] = [strength, error];
    }
    const result = { b: solve(z, y, best * meanVariance), damping: dampingOf(leadSteps) };
    fitted.set(leadSteps, result);
    return result;
  };

  return {
    name: "ridge",
    description: `ridge regression on ${patterns.length} leading principal components of the anomalies, one fit a lead`,
    predict(initIndices, leadSteps) {
      const { b, damping } = fit(leadSteps);
      const out = new Float32Array(initIndices.length * size);
      for (let k = 0; k < initIndices.length; k++) {
        const mean = climatology.at(series.times[initIndices[k]] + leadSteps * step);
        const target = remainder(initIndices[k]).slice();
        for (let i = 0; i < size; i++) target[i] *= damping;
        addPatterns(target, patterns, multiply(b, coordinatesOf(initIndices[k])), 1);
        for (let i = 0; i < size; i++) out[k * size + i] = mean[i] + target[i] / scale[i];
      }
      return out;
    },
  };

  function cellScale(of: Series, anomalies: readonly Float32Array[]): Float64Array {
    // A row at the pole has no area; it is kept in the components with a little weight, so that it can be scaled back.
    const area = latitudeWeights(of.latitudes, "exact");
    const columns = of.longitudes.length;
    const out = new Float64Array(size);
    for (let c = 0; c < of.channels.length; c++) {
      let square = 0;
      for (const x of anomalies) for (let i = c * cells; i < (c + 1) * cells; i++) square += x[i] * x[i];
      const deviation = Math.sqrt(square / (anomalies.length * cells)) || 1;
      for (let i = 0; i < cells; i++)
        out[c * cells + i] = Math.sqrt(Math.max(area[Math.floor(i / columns)], 1e-3)) / deviation;
    }
    return out;
  }
}

/** B = Y Zᵀ (Z Zᵀ + n r I)⁻¹ for columns z, y. */
function solve(z: readonly Float64Array[], y: readonly Float64Array[], ridge: number): Matrix {
  const width = z[0].length;
  const zz = Array.from({ length: width }, () => new Float64Array(width));
  const zy = Array.from({ length: width }, () => new Float64Array(width));
  for (let k = 0; k < z.length; k++) {
    const [a, b] = [z[k], y[k]];
    for (let i = 0; i < width; i++) {
      const [left, right] = [zz[i], zy[i]];
      for (let j = 0; j < width; j++) {
        left[j] += a[i] * a[j];
        right[j] += a[i] * b[j];
      }
    }
  }
  for (let i = 0; i < width; i++) zz[i][i] += z.length * ridge;
  return new CholeskyDecomposition(new Matrix(zz)).solve(new Matrix(zy)).transpose();
}

/** x += sign Σ z_c pattern_c. */
function addPatterns(x: Float64Array, patterns: readonly Float32Array[], z: Float64Array, sign: 1 | -1): void {
  for (let c = 0; c < patterns.length; c++) {
    const pattern = patterns[c];
    const factor = sign * z[c];
    for (let i = 0; i < x.length; i++) x[i] += factor * pattern[i];
  }
}

function multiply(b: Matrix, z: Float64Array): Float64Array {
  const out = new Float64Array(b.rows);
  for (let i = 0; i < b.rows; i++) for (let j = 0; j < z.length; j++) out[i] += b.get(i, j) * z[j];
  return out;
}
