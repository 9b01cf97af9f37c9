/**
 * What the model is shown for a start and a lead, every number of order one:
 *
 * - a channel's departures from climatology: now, and its changes over the past states of the history;
 * - the channel itself, its climatology now and the change of climatology until the valid time;
 * - the first guess of the departure at the valid time;
 * - fixed maps: how variable the point is, its daily cycle's size, where it lies;
 * - and, as a vector, the season, the hours of day of start and valid time, and the lead.
 */
import { dayOfYear, hourOfDay } from "../../earth/time.js";
import type { Normaliser } from "./normaliser.js";

/** States to start from, newest first: [channel x latitude x longitude] each, one step of the data apart. */
export interface Start {
  /** Of the newest state, milliseconds. */
  readonly time: number;
  readonly states: readonly Float32Array[];
}

export interface FeatureSizes {
  /** Maps a sample has. */
  readonly fields: number;
  /** Length of its condition vector. */
  readonly condition: number;
}

/** Length of the condition vector: season (2), hours (4), lead (5). */
const CONDITION = 11;

/** True where longitudes go once around the globe, so that the first column follows the last. */
export function isGlobal(longitudes: ArrayLike<number>): boolean {
  const n = longitudes.length;
  return (
    n > 2 &&
    Math.abs(Math.abs(longitudes[n - 1] - longitudes[0]) + Math.abs(longitudes[1] - longitudes[0]) - 360) < 1e-3
  );
}

export const featureSizes = (n: Normaliser, history: number): FeatureSizes => ({
  fields: n.channels.length * (history + 4) + fixedMaps(n).length,
  condition: CONDITION,
});

const fixedCache = new WeakMap<Normaliser, Float32Array[]>();

/** Maps that never change: log deviation and daily amplitude of each channel, and coordinates. */
function fixedMaps(n: Normaliser): Float32Array[] {
  const known = fixedCache.get(n);
  if (known) return known;
  const [height, width] = [n.latitudes.length, n.longitudes.length];
  const cells = height * width;
  const perChannel = n.channels.flatMap((_, c) => {
    const deviation = n.anomaly.subarray(c * cells, (c + 1) * cells);
    const maps = [standardised(deviation.map(Math.log))];
    const { annual, daily } = n.climatology.harmonics;
    if (daily > 0) {
      // The first daily cosine and sine without annual modulation
      const size = n.channels.length * cells;
      const first = 1 + 2 * annual;
      const modulated = annual > 0 ? 5 : 1;
      const row = (k: number) => n.climatology.coefficients.subarray(k * size + c * cells, k * size + (c + 1) * cells);
      const [cosine, sine] = [row(first), row(first + modulated)];
      maps.push(standardised(cosine.map((v, i) => Math.hypot(v, sine[i]))));
    }
    return maps;
  });
  const map = (f: (latitude: number, longitude: number) => number) =>
    Float32Array.from({ length: cells }, (_, i) => f(n.latitudes[Math.floor(i / width)], n.longitudes[i % width]));
  const radians = Math.PI / 180;
  const scaled = (v: number, axis: Float64Array) =>
    axis.length > 1 ? (2 * (v - axis[0])) / (axis[axis.length - 1] - axis[0]) - 1 : 0;
  const place = isGlobal(n.longitudes)
    ? [
        map((lat) => Math.sin(lat * radians) * 1.5),
        map((lat) => Math.cos(lat * radians) * 1.5),
        map((_, lon) => Math.cos(lon * radians)),
        map((_, lon) => Math.sin(lon * radians)),
      ]
    : [map((lat) => scaled(lat, n.latitudes)), map((_, lon) => scaled(lon, n.longitudes))];
  const maps = [...perChannel, ...place];
  fixedCache.set(n, maps);
  return maps;
}

function standardised(values: Float32Array): Float32Array {
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  const deviation = Math.sqrt(values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length) || 1;
  return values.map((v) => (v - mean) / deviation);
}

/** Writes one sample's maps [fields, latitude, longitude] and condition vector. `lead` counts steps of the data. */
export function writeFeatures(
  n: Normaliser,
  { time, states }: Start,
  lead: number,
  fields: Float32Array,
  condition: Float32Array,
): void {
  const cells = n.latitudes.length * n.longitudes.length;
  const valid = time + lead * n.step;
  const usual = states.map((_, j) => n.climatology.at(time - j * n.step));
  const usualThen = n.climatology.at(valid);
  const damping = n.damping.subarray((lead - 1) * cells * n.channels.length);
  let at = 0;
  const put = (f: (i: number) => number, from: number): void => {
    for (let i = 0; i < cells; i++) fields[at++] = f(from + i);
  };
  n.channels.forEach((_, c) => {
    const p = c * cells;
    const [mean, spread] = [n.mean[c], n.spread[c]];
    const { anomaly } = n;
    put((i) => (states[0][i] - usual[0][i]) / anomaly[i], p);
    for (let j = 1; j < states.length; j++)
      put((i) => (1.5 * (states[j - 1][i] - usual[j - 1][i] - (states[j][i] - usual[j][i]))) / anomaly[i], p);
    put((i) => (states[0][i] - mean) / spread, p);
    put((i) => (usual[0][i] - mean) / spread, p);
    put((i) => (usualThen[i] - usual[0][i]) / anomaly[i], p);
    put((i) => (damping[i] * (states[0][i] - usual[0][i])) / anomaly[i], p);
  });
  for (const map of fixedMaps(n)) {
    fields.set(map, at);
    at += cells;
  }
  condition.set(conditionOf(n, time, lead));
}

function conditionOf(n: Normaliser, time: number, lead: number): number[] {
  const turn = (fraction: number): [number, number] => [
    Math.cos(2 * Math.PI * fraction),
    Math.sin(2 * Math.PI * fraction),
  ];
  const x = lead / n.leadSteps;
  return [
    ...turn(dayOfYear(time, n.calendar) / 365.25),
    ...turn(hourOfDay(time) / 24),
    ...turn(hourOfDay(time + lead * n.step) / 24),
    2 * x - 1,
    n.leadSteps > 1 ? (2 * Math.log(lead)) / Math.log(n.leadSteps) - 1 : 0,
    Math.exp((-lead * n.step) / 86_400_000),
    Math.cos(Math.PI * x),
    Math.cos(2 * Math.PI * x),
  ];
}

/** The first guess for a start and lead, in the channels' units. */
export function firstGuess(n: Normaliser, { time, states }: Start, lead: number): Float32Array {
  const size = states[0].length;
  const damping = n.damping.subarray((lead - 1) * size);
  const [usual, usualThen] = [n.climatology.at(time), n.climatology.at(time + lead * n.step)];
  return states[0].map((v, p) => usualThen[p] + damping[p] * (v - usual[p]));
}
