/**
 * Damped anomaly persistence: the departure from climatology at the start, shrunk by its lag regression, on the climatology of
 * the valid time. The honest form of persistence: it knows how fast the atmosphere forgets.
 *
 *     forecast(t + L) = c(t + L) + a_L (x(t) - c(t)),   a_L = Σ x'(t) x'(t + L) / Σ x'(t)^2  over training times
 */
import { memoryRows, type RowMaker } from "../../tensor/rows.js";
import { type States, stateSize, stepOf } from "../series.js";
import { type Anomalies, anomaliesOf } from "./anomalies.js";
import { type Baseline, pairs, type TimeRange, trainingIndices } from "./baseline.js";
import type { Climatology } from "./climatology.js";

export interface DampedAnomalyOptions {
  readonly trainRange: TimeRange;
  /** One coefficient a grid point (the default), or one for the whole field of a channel, for very short records. */
  readonly coefficient?: "point" | "field";
  readonly rows?: RowMaker;
  readonly anomalies?: Anomalies;
}

export function dampedAnomaly(series: States, climatology: Climatology, options: DampedAnomalyOptions): Baseline {
  const { trainRange, coefficient = "point", rows = memoryRows } = options;
  const { anomalies = anomaliesOf(series, climatology, rows) } = options;
  const size = stateSize(series);
  const cells = size / series.channels.length;
  const step = stepOf(series);
  const indices = trainingIndices(series, trainRange);
  const fitted = new Map<number, { get: () => Float32Array }>();

  const fit = (leadSteps: number): Float32Array => {
    const known = fitted.get(leadSteps);
    if (known) return known.get();
    const { from, to } = pairs(series, indices, leadSteps);
    const product = new Float64Array(size);
    const square = new Float64Array(size);
    for (let k = 0; k < from.length; k += TOGETHER) {
      const [now, later] = [from, to].map((of) => of.slice(k, k + TOGETHER));
      const [a, b] = [now, later].map((of) => of.map((i) => anomalies.at(i)));
      if (now.length === TOGETHER && ![...now, ...later].some(anomalies.gaps)) addFour(product, square, a, b);
      else a.forEach((x, n) => addPair(product, square, x, b[n]));
    }
    if (coefficient === "field")
      for (let at = 0; at < size; at += cells) {
        const sum = (x: Float64Array) => x.subarray(at, at + cells).reduce((total, v) => total + v, 0);
        const [p, s] = [sum(product), sum(square)];
        product.fill(p, at, at + cells);
        square.fill(s, at, at + cells);
      }
    const kept = rows.float32(1, size);
    // A point that never departs from its climatology has nothing to persist.
    kept.set(
      0,
      product.map((p, i) => (square[i] > 0 ? p / square[i] : 0)),
    );
    const get = () => kept.get(0);
    fitted.set(leadSteps, { get });
    return get();
  };

  return {
    name: "damped-anomaly",
    description: "the start's departure from climatology, damped by its lag regression over the training period",
    predict(initIndices, leadSteps) {
      const a = fit(leadSteps);
      const out = new Float32Array(initIndices.length * size);
      for (let k = 0; k < initIndices.length; k++) {
        const valid = climatology.at(series.times[initIndices[k]] + leadSteps * step);
        const start = anomalies.at(initIndices[k]);
        const base = k * size;
        for (let p = 0; p < size; p++) out[base + p] = valid[p] + a[p] * start[p];
      }
      return out;
    },
  };
}

/** Adds x'(t) x'(t + L) and x'(t)^2 where both are there. */
function addPair(product: Float64Array, square: Float64Array, now: Float32Array, later: Float32Array): void {
  for (let p = 0; p < product.length; p++) {
    const both = now[p] * later[p];
    if (both !== both) continue;
    product[p] += both;
    square[p] += now[p] * now[p];
  }
}

/** Pairs taken together, so that the sums are fetched and put back once for all of them. */
const TOGETHER = 4;

/** The same of four pairs without gaps. */
function addFour(
  product: Float64Array,
  square: Float64Array,
  [a, b, c, d]: readonly Float32Array[],
  [e, f, g, h]: readonly Float32Array[],
): void {
  for (let p = 0; p < product.length; p++) {
    product[p] += a[p] * e[p] + b[p] * f[p] + (c[p] * g[p] + d[p] * h[p]);
    square[p] += a[p] * a[p] + b[p] * b[p] + (c[p] * c[p] + d[p] * d[p]);
  }
}
