/** Samples of a series for the forecasting network: features, target and weight of a start and a lead. */
import type { Feeds } from "../../engine/runtime.js";
import { latitudeWeights } from "../../earth/weights.js";
import { type Series, stateAt } from "../series.js";
import { featureSizes, firstGuess, type Start, writeFeatures } from "./features.js";
import type { Normaliser } from "./normaliser.js";

export interface Pick {
  /** Index of the start in the series. */
  readonly start: number;
  /** Steps of the data ahead. */
  readonly lead: number;
}

/** The states up to a start, newest first. */
export const startAt = (series: Series, index: number, history: number): Start => ({
  time: series.times[index],
  states: Array.from({ length: history }, (_, j) => stateAt(series, index - j)),
});

/** Feeds of the network's features for several starts and leads. */
export function featureFeeds(n: Normaliser, starts: readonly { start: Start; lead: number }[], history: number): Feeds {
  const { fields: maps, condition } = featureSizes(n, history);
  const grid = [n.latitudes.length, n.longitudes.length];
  const size = maps * grid[0] * grid[1];
  const fields = new Float32Array(starts.length * size);
  const conditions = new Float32Array(starts.length * condition);
  starts.forEach(({ start, lead }, b) =>
    writeFeatures(
      n,
      start,
      lead,
      fields.subarray(b * size, (b + 1) * size),
      conditions.subarray(b * condition, (b + 1) * condition),
    ),
  );
  return {
    fields: { dtype: "float32", shape: [starts.length, maps, ...grid], data: fields },
    condition: { dtype: "float32", shape: [starts.length, condition], data: conditions },
  };
}

/** Everything the loss needs for a batch of picks. */
export function sampleFeeds(n: Normaliser, series: Series, picks: readonly Pick[], history: number): Feeds {
  const size = n.anomaly.length;
  const shape = [picks.length, n.channels.length, n.latitudes.length, n.longitudes.length];
  const target = new Float32Array(picks.length * size);
  const weight = new Float32Array(picks.length * size);
  const starts = picks.map(({ start, lead }) => ({ start: startAt(series, start, history), lead }));
  picks.forEach(({ start, lead }, b) => {
    const guess = firstGuess(n, starts[b].start, lead);
    const truth = stateAt(series, start + lead);
    const residual = n.residual.subarray((lead - 1) * size);
    const w = lossWeights(n, lead);
    for (let p = 0; p < size; p++) {
      target[b * size + p] = (truth[p] - guess[p]) / residual[p];
      weight[b * size + p] = w[p];
    }
  });
  return {
    ...featureFeeds(n, starts, history),
    target: { dtype: "float32", shape, data: target },
    weight: { dtype: "float32", shape, data: weight },
  };
}

const weightCache = new WeakMap<Normaliser, Map<number, Float32Array>>();

/**
 * Area weight times (r / R)^2, with R^2 the area mean of r^2: the loss is then the latitude-weighted squared error over that of
 * the first guess, one for a model that knows nothing more, for every channel and lead alike.
 */
function lossWeights(n: Normaliser, lead: number): Float32Array {
  const cache = weightCache.get(n) ?? new Map<number, Float32Array>();
  weightCache.set(n, cache);
  const known = cache.get(lead);
  if (known) return known;
  const width = n.longitudes.length;
  const cells = n.latitudes.length * width;
  const rows = latitudeWeights(n.latitudes, "exact");
  const size = n.anomaly.length;
  const residual = n.residual.subarray((lead - 1) * size, lead * size);
  const out = new Float32Array(size);
  for (let c = 0; c < n.channels.length; c++) {
    let mean = 0;
    for (let i = 0; i < cells; i++) mean += (rows[Math.floor(i / width)] * residual[c * cells + i] ** 2) / cells;
    for (let i = 0; i < cells; i++)
      out[c * cells + i] = (rows[Math.floor(i / width)] * residual[c * cells + i] ** 2) / mean;
  }
  cache.set(lead, out);
  return out;
}
