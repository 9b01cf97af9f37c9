/** Samples of a series for the forecasting network: the states of a start, the jumps from it, truth and weights. */
import type { Feeds } from "../../engine/runtime.js";
import { latitudeWeights } from "../../earth/weights.js";
import type { NdArray } from "../../tensor/ndarray.js";
import { type Series, stateAt } from "../series.js";
import { departure, jumpArrays } from "./features.js";
import type { Normaliser } from "./normaliser.js";

/** States to start from: departures newest first, and slow means of departures before the start. */
export interface Start {
  /** Of the newest state, milliseconds. */
  readonly time: number;
  readonly departures: readonly Float32Array[];
  readonly slow: readonly Float32Array[];
}

/** What of the past a model is shown. */
export interface Past {
  /** States, one step of the data apart. */
  readonly history: number;
  /** Days before the start over which slow means go. */
  readonly slowDays: readonly number[];
}

/** The departures of every state of a series, and their running sums, so that a start is put together without work. */
export interface Departures {
  readonly series: Series;
  start(index: number, past: Past): Start;
  /** The departure at an index. */
  at(index: number): Float32Array;
}

export function departuresOf(n: Normaliser, series: Series): Departures {
  const all: (Float32Array | undefined)[] = Array.from({ length: series.times.length }, () => undefined);
  const sums: Float64Array[] = [new Float64Array(n.anomaly.length)];
  const at = (i: number) => (all[i] ??= departure(n, stateAt(series, i), series.times[i]));
  /** Sum of the departures of indices below `end`. */
  const sumBelow = (end: number): Float64Array => {
    for (let i = sums.length; i <= end; i++) {
      const next = sums[i - 1].slice();
      at(i - 1).forEach((v, p) => (next[p] += v));
      sums.push(next);
    }
    return sums[end];
  };
  return {
    series,
    at,
    start: (index, { history, slowDays }) => ({
      time: series.times[index],
      departures: Array.from({ length: history }, (_, j) => at(index - j)),
      // As much of the span as the record has
      slow: slowDays.map((days) => {
        const from = Math.max(0, index + 1 - Math.round((days * 86_400_000) / n.step));
        const [upper, lower] = [sumBelow(index + 1), sumBelow(from)];
        return Float32Array.from(upper, (v, p) => (1.5 * (v - lower[p])) / (index + 1 - from));
      }),
    }),
  };
}

/** `history` and `slow` of several starts. */
export function startFeeds(n: Normaliser, starts: readonly Start[]): Feeds {
  const stacked = (pick: (s: Start) => readonly Float32Array[]): NdArray => {
    const each = pick(starts[0]).length;
    const size = n.anomaly.length;
    const data = new Float32Array(starts.length * each * size);
    starts.forEach((s, b) => pick(s).forEach((map, j) => data.set(map, (b * each + j) * size)));
    return {
      dtype: "float32",
      shape: [starts.length, each * n.channels.length, n.latitudes.length, n.longitudes.length],
      data,
    };
  };
  return {
    history: stacked((s) => s.departures),
    ...(starts[0].slow.length > 0 ? { slow: stacked((s) => s.slow) } : {}),
  };
}

/** A sample: where it starts, and how many jumps of how many steps follow. */
export interface Pick {
  /** Index of the start in the series. */
  readonly start: number;
  readonly lead: number;
}

/** Everything that the loss needs for a batch of picks with `jumps` jumps each. */
export function sampleFeeds(
  n: Normaliser,
  departures: Departures,
  picks: readonly Pick[],
  past: Past,
  jumps: number,
  /** How much each channel counts (channel-weights.ts); alike where left out. */
  channelWeights?: readonly number[],
): Feeds {
  const size = n.anomaly.length;
  const shape = [picks.length, n.channels.length, n.latitudes.length, n.longitudes.length];
  const feeds: Record<string, NdArray> = {
    ...(startFeeds(
      n,
      picks.map(({ start }) => departures.start(start, past)),
    ) as Record<string, NdArray>),
  };
  for (let k = 0; k < jumps; k++) {
    const arrays = jumpArrays(
      n,
      picks.map(({ start, lead }) => ({
        time: departures.series.times[start] + k * lead * n.step,
        lead,
        elapsed: k * lead,
      })),
    );
    for (const [name, array] of Object.entries(arrays)) feeds[`${k}.${name}`] = array;
    const truth = new Float32Array(picks.length * size);
    const weight = new Float32Array(picks.length * size);
    picks.forEach(({ start, lead }, b) => {
      truth.set(departures.at(start + (k + 1) * lead), b * size);
      weight.set(lossWeights(n, (k + 1) * lead), b * size);
    });
    if (channelWeights) {
      const cells = size / channelWeights.length;
      weight.forEach((w, p) => (weight[p] = w * channelWeights[Math.floor(p / cells) % channelWeights.length]));
    }
    feeds[`${k}.truth`] = { dtype: "float32", shape, data: truth };
    feeds[`${k}.weight`] = { dtype: "float32", shape, data: weight };
  }
  return feeds;
}

const weightCache = new WeakMap<Normaliser, Map<number, Float32Array>>();

/**
 * Area weight times (s / R)^2, with R^2 the area mean of r_L^2: the loss is then the latitude-weighted squared error over that of
 * the first guess, for every channel and lead alike.
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
      out[c * cells + i] = (rows[Math.floor(i / width)] * n.anomaly[c * cells + i] ** 2) / mean;
  }
  cache.set(lead, out);
  return out;
}
