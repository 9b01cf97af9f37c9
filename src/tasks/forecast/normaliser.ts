/**
 * What a forecasting model knows before it learns: the climatology, how much each point departs from it, how fast departures
 * fade, and how large the error of that first guess is at each lead. All fitted to the training period alone and kept with the
 * run, so that a forecast needs nothing but the run and the states to start from.
 *
 *     first guess   g(t + L) = c(t + L) + a_L x'(t),   x' = x - c        (damped anomaly persistence)
 *     target        z = (x(t + L) - g(t + L)) / r_L,   r_L its deviation: of order one at every lead and point
 */
import type { Calendar } from "../../earth/time.js";
import { DataError } from "../../errors.js";
import { float32, type NdArray } from "../../tensor/ndarray.js";
import { pairs, type TimeRange, trainingIndices } from "../baselines/baseline.js";
import { type Series, stateAt, stateSize } from "../series.js";
import {
  bearable,
  fitHarmonics,
  type Harmonics,
  harmonicClimatology,
  type HarmonicClimatology,
  harmonicsAt,
} from "./harmonic.js";
import type { StaticMaps } from "./statics.js";

/** `damped-anomaly` as above; `persistence` has a_L = 1, so that the model predicts the change over the lead. */
export type FirstGuess = "damped-anomaly" | "persistence";

export interface Normaliser {
  readonly channels: readonly string[];
  readonly units: readonly string[];
  readonly latitudes: Float64Array;
  readonly longitudes: Float64Array;
  readonly calendar: Calendar;
  /** Milliseconds between states. */
  readonly step: number;
  readonly leadSteps: number;
  /** The training period that everything here was fitted to, milliseconds. */
  readonly trainRange: TimeRange;
  readonly climatology: HarmonicClimatology;
  /** Mean and deviation of each channel over the training period and the grid, in its units. */
  readonly mean: Float32Array;
  readonly spread: Float32Array;
  /** Deviation of the departure from climatology, [channel, latitude, longitude]. */
  readonly anomaly: Float32Array;
  /** a_L and r_L, [lead, channel, latitude, longitude], leads of 1, 2, ... steps. */
  readonly damping: Float32Array;
  readonly residual: Float32Array;
  /** Fixed maps that the network is shown; none where left out. */
  readonly statics?: StaticMaps;
}

/** A deviation of zero (a constant point) would divide by zero: it is held above this part of its channel's mean deviation. */
const FLOOR = 0.05;

export function fitNormaliser(
  series: Series,
  options: {
    trainRange: TimeRange;
    step: number;
    leadSteps: number;
    firstGuess: FirstGuess;
    /** Annual harmonics of the climatology; by the period's length where left out. */
    annualHarmonics?: number;
    /** Whether missing values are an error (a network takes none) or left out, as records of stations need it. */
    missing?: "refuse" | "skip";
  },
): Normaliser {
  const { trainRange, step, leadSteps, firstGuess, missing = "refuse" } = options;
  const size = stateSize(series);
  const channels = series.channels.length;
  const cells = size / channels;
  const indices = trainingIndices(series, trainRange);
  if (missing === "refuse") refuseMissing(series, indices);
  const own = bearable(series, trainRange);
  const climatology = fitHarmonics(series, trainRange, { ...own, annual: options.annualHarmonics ?? own.annual });

  const mean = new Float32Array(channels);
  const spread = new Float32Array(channels);
  const sums = new Float64Array(3 * channels);
  const departures = new Float64Array(size);
  const counts = new Float64Array(size);
  for (const i of indices) {
    const [state, usual] = [stateAt(series, i), climatology.at(series.times[i])];
    for (let p = 0; p < size; p++) {
      if (state[p] !== state[p]) continue;
      const c = Math.floor(p / cells);
      sums[3 * c]++;
      sums[3 * c + 1] += state[p];
      sums[3 * c + 2] += state[p] ** 2;
      departures[p] += (state[p] - usual[p]) ** 2;
      counts[p]++;
    }
  }
  for (let c = 0; c < channels; c++) {
    const n = sums[3 * c] || 1;
    mean[c] = sums[3 * c + 1] / n;
    spread[c] = Math.sqrt(Math.max(0, sums[3 * c + 2] / n - mean[c] ** 2)) || 1;
  }
  const anomaly = floored(
    departures.map((v, p) => Math.sqrt(v / (counts[p] || 1))),
    cells,
  );

  const damping = new Float32Array(leadSteps * size).fill(1);
  const residual = new Float32Array(leadSteps * size);
  for (let lead = 1; lead <= leadSteps; lead++) {
    const { from, to } = pairs(series, indices, lead);
    const a = damping.subarray((lead - 1) * size, lead * size);
    // Sums of x'(t) x'(t + L), of both squares, and how many there are: all that the regression and its error need
    const [xy, xx, yy, seen] = [0, 0, 0, 0].map(() => new Float64Array(size));
    for (let k = 0; k < from.length; k++) {
      const [now, later] = [stateAt(series, from[k]), stateAt(series, to[k])];
      const [cNow, cLater] = [climatology.at(series.times[from[k]]), climatology.at(series.times[to[k]])];
      for (let p = 0; p < size; p++) {
        const x = now[p] - cNow[p];
        const y = later[p] - cLater[p];
        const product = x * y;
        if (product !== product) continue; // one of them is missing
        xy[p] += product;
        xx[p] += x * x;
        yy[p] += y * y;
        seen[p]++;
      }
    }
    if (firstGuess === "damped-anomaly") for (let p = 0; p < size; p++) a[p] = xx[p] > 0 ? xy[p] / xx[p] : 0;
    // mean (y - a x)^2
    const error = yy.map((v, p) => Math.sqrt(Math.max(0, v - 2 * a[p] * xy[p] + a[p] ** 2 * xx[p]) / (seen[p] || 1)));
    residual.set(floored(error, cells), (lead - 1) * size);
  }
  const { channels: names, units, latitudes, longitudes, calendar } = series;
  return {
    channels: names,
    units,
    latitudes,
    longitudes,
    calendar,
    step,
    leadSteps,
    trainRange,
    climatology,
    mean,
    spread,
    anomaly,
    damping,
    residual,
  };
}

/** Deviations held above a small part of their channel's mean. */
function floored(deviations: Float64Array, cells: number): Float32Array {
  const out = Float32Array.from(deviations);
  for (let at = 0; at < out.length; at += cells) {
    const part = out.subarray(at, at + cells);
    const least = (FLOOR * part.reduce((a, b) => a + b, 0)) / cells || 1;
    part.forEach((v, i) => (part[i] = Math.max(v, least)));
  }
  return out;
}

function refuseMissing(series: Series, indices: readonly number[]): void {
  const cells = series.latitudes.length * series.longitudes.length;
  let count = 0;
  let first: string | undefined;
  for (const i of indices)
    stateAt(series, i).forEach((v, p) => {
      if (Number.isFinite(v)) return;
      count++;
      first ??= `'${series.channels[Math.floor(p / cells)]}' at ${new Date(series.times[i]).toISOString()}`;
    });
  if (count > 0)
    throw new DataError(
      "training data",
      `${count} values are missing or not finite, the first in ${first}; fill them, or leave that variable or period out`,
    );
}

/** Everything as named arrays and text, for the run's `normalisation.safetensors`. */
export function packNormaliser(n: Normaliser): { arrays: [string, NdArray][]; metadata: Record<string, string> } {
  const count = harmonicsAt(0, n.climatology.harmonics, n.calendar).length;
  const [channelCount, rows, columns] = [n.channels.length, n.latitudes.length, n.longitudes.length];
  // Scattered points, in no grid, have a latitude and a longitude each
  const cells = n.anomaly.length / channelCount;
  const state = [channelCount, ...(cells === rows * columns ? [rows, columns] : [cells])];
  const arrays: [string, NdArray][] = [
    ["climatology", float32([count, ...state], n.climatology.coefficients)],
    ["mean", float32([channelCount], n.mean)],
    ["spread", float32([channelCount], n.spread)],
    ["anomaly", float32(state, n.anomaly)],
    ["damping", float32([n.leadSteps, ...state], n.damping)],
    ["residual", float32([n.leadSteps, ...state], n.residual)],
    ["latitude", { dtype: "float64", shape: [rows], data: n.latitudes }],
    ["longitude", { dtype: "float64", shape: [columns], data: n.longitudes }],
    ...(n.statics
      ? [["static", float32([n.statics.names.length, rows, columns], n.statics.values)] as [string, NdArray]]
      : []),
  ];
  const { channels, units, calendar, step, leadSteps, trainRange } = n;
  return {
    arrays,
    metadata: {
      normaliser: JSON.stringify({
        channels,
        units,
        calendar,
        step,
        leadSteps,
        trainRange,
        harmonics: n.climatology.harmonics,
        ...(n.statics && { statics: n.statics.names }),
      }),
    },
  };
}

/** Back from what `packNormaliser` wrote. */
export function unpackNormaliser(
  arrays: ReadonlyMap<string, NdArray>,
  metadata: Readonly<Record<string, string>>,
  source: string,
): Normaliser {
  const get = <T>(name: string): T => {
    const found = arrays.get(name);
    if (!found) throw new DataError(source, `it has no array '${name}', so it is not the normalisation of a run`);
    return found.data as T;
  };
  const facts = JSON.parse(metadata["normaliser"] ?? "{}") as Pick<
    Normaliser,
    "channels" | "units" | "calendar" | "step" | "leadSteps" | "trainRange"
  > & { harmonics: Harmonics; statics?: string[] };
  const { harmonics, statics, ...rest } = facts;
  return {
    ...rest,
    latitudes: get("latitude"),
    longitudes: get("longitude"),
    climatology: harmonicClimatology(get("climatology"), harmonics, rest.calendar),
    mean: get("mean"),
    spread: get("spread"),
    anomaly: get("anomaly"),
    damping: get("damping"),
    residual: get("residual"),
    ...(statics && { statics: { names: statics, values: get<Float32Array>("static") } }),
  };
}
