/**
 * Damped anomaly persistence: the departure from climatology at the start, shrunk by its lag regression, on the climatology of
 * the valid time. The honest form of persistence: it knows how fast the atmosphere forgets.
 *
 *     forecast(t + L) = c(t + L) + a_L (x(t) - c(t)),   a_L = Σ x'(t) x'(t + L) / Σ x'(t)^2  over training times
 */
import { type Series, stateAt, stateSize, stepOf } from "../series.js";
import { type Baseline, pairs, type TimeRange, trainingIndices } from "./baseline.js";
import type { Climatology } from "./climatology.js";

export interface DampedAnomalyOptions {
  readonly trainRange: TimeRange;
  /** One coefficient a grid point (the default), or one for the whole field of a channel, for very short records. */
  readonly coefficient?: "point" | "field";
}

export function dampedAnomaly(
  series: Series,
  climatology: Climatology,
  { trainRange, coefficient = "point" }: DampedAnomalyOptions,
): Baseline {
  const size = stateSize(series);
  const cells = size / series.channels.length;
  const step = stepOf(series);
  const indices = trainingIndices(series, trainRange);
  const fitted = new Map<number, Float32Array>();

  const fit = (leadSteps: number): Float32Array => {
    const known = fitted.get(leadSteps);
    if (known) return known;
    const { from, to } = pairs(series, indices, leadSteps);
    const product = new Float64Array(size);
    const square = new Float64Array(size);
    from.forEach((i, k) => {
      const [now, later] = [stateAt(series, i), stateAt(series, to[k])];
      const [cNow, cLater] = [climatology.at(series.times[i]), climatology.at(series.times[to[k]])];
      for (let p = 0; p < size; p++) {
        const a = now[p] - cNow[p];
        const b = later[p] - cLater[p];
        if (a !== a || b !== b) continue;
        product[p] += a * b;
        square[p] += a * a;
      }
    });
    if (coefficient === "field")
      for (let at = 0; at < size; at += cells) {
        const sum = (x: Float64Array) => x.subarray(at, at + cells).reduce((total, v) => total + v, 0);
        const [p, s] = [sum(product), sum(square)];
        product.fill(p, at, at + cells);
        square.fill(s, at, at + cells);
      }
    // A point that never departs from its climatology has nothing to persist.
    const a = Float32Array.from(product, (p, i) => (square[i] > 0 ? p / square[i] : 0));
    fitted.set(leadSteps, a);
    return a;
  };

  return {
    name: "damped-anomaly",
    description: "the start's departure from climatology, damped by its lag regression over the training period",
    predict(initIndices, leadSteps) {
      const a = fit(leadSteps);
      const out = new Float32Array(initIndices.length * size);
      for (let k = 0; k < initIndices.length; k++) {
        const time = series.times[initIndices[k]];
        const state = stateAt(series, initIndices[k]);
        const [start, valid] = [climatology.at(time), climatology.at(time + leadSteps * step)];
        for (let p = 0; p < size; p++) out[k * size + p] = valid[p] + a[p] * (state[p] - start[p]);
      }
      return out;
    },
  };
}
