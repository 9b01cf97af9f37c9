/**
 * What a network is shown to jump from a state to one `lead` steps later. States are departures from climatology in units of
 * their deviation, u = (x - c) / s, newest first; all numbers are of order one. Per channel:
 *
 * - u now, and its changes over the past states of the history;
 * - slow means of u before the start of the forecast (5 and 20 days, say);
 * - the channel itself, its climatology, and the change of climatology until the valid time;
 * - the first guess a_L u;
 * - fixed maps: how variable the point is, its daily cycle's size; where it lies; and those that a configuration names (statics.ts).
 *
 * Besides maps there is a vector, the condition: season, hours of day, lead, and the time since the forecast began.
 */
import { dayOfYear, hourOfDay } from "../../earth/time.js";
import { identify } from "../../earth/variables.js";
import type { Tensor } from "../../graph/graph.js";
import { add, concat, expand, mul, sub } from "../../graph/ops.js";
import type { ModelInputs, ModelVariable } from "../../models/index.js";
import { float32, type NdArray } from "../../tensor/ndarray.js";
import type { Normaliser } from "./normaliser.js";

/** Length of the condition vector: season (2), hours (4), lead (5), elapsed (2). */
export const CONDITION = 13;

/** One jump's inputs: what does not depend on the state. All maps [batch, channel, latitude, longitude]. */
export interface JumpInputs {
  /** Climatology at the start of the jump, in the channel's spread about its mean. */
  readonly usual: Tensor;
  /** Its change until the valid time, in units of the departures' deviation. */
  readonly change: Tensor;
  /** a_L. */
  readonly damping: Tensor;
  /** r_L / s. */
  readonly scale: Tensor;
  /** [batch, CONDITION]. */
  readonly condition: Tensor;
}
export const JUMP_MAPS = ["usual", "change", "damping", "scale"] as const;

/** True where longitudes go once around the globe, so that the first column follows the last. */
export function isGlobal(longitudes: ArrayLike<number>): boolean {
  const n = longitudes.length;
  return (
    n > 2 &&
    Math.abs(Math.abs(longitudes[n - 1] - longitudes[0]) + Math.abs(longitudes[1] - longitudes[0]) - 360) < 1e-3
  );
}

/** The network's maps [batch, feature, latitude, longitude], and which of them belong to which channel. */
export type Features = Pick<ModelInputs, "fields" | "variables" | "shared">;

/**
 * The network's maps from the states (newest first), the slow means and a jump's inputs: blocks of one map a channel, then each
 * channel's fixed maps, then where the points lie.
 */
export function featureMaps(
  n: Normaliser,
  states: readonly Tensor[],
  slow: Tensor | undefined,
  jump: JumpInputs,
): Features {
  const [now] = states;
  const [batch, channels, height, width] = now.shape;
  const { graph } = now;
  const cells = height * width;
  const constant = (data: Float32Array) => graph.constant(float32([1, data.length / cells, height, width], data));
  // u s / spread: the departure in the units of the channel's own spread
  const ratio = constant(n.anomaly.map((s, p) => s / n.spread[Math.floor(p / cells)]));
  const perChannel = fixedMaps(n);
  const places = placeMaps(n);
  const statics = staticMaps(n);
  const fixed = constant(concatenated([...perChannel.flat(), ...places, ...statics.values()]));
  const fields = concat(
    [
      now,
      ...states.slice(1).map((past, j) => mul(sub(states[j], past), 1.5)),
      ...(slow ? [slow] : []),
      add(jump.usual, mul(now, ratio)),
      jump.usual,
      jump.change,
      mul(jump.damping, now),
      expand(fixed, [batch, ...fixed.shape.slice(1)]),
    ],
    1,
  );
  const each = perChannel[0].length;
  const changing = fields.shape[1] - fixed.shape[1];
  const mapsOf = (c: number): number[] => [
    ...Array.from({ length: changing / channels }, (_, k) => k * channels + c),
    ...Array.from({ length: each }, (_, k) => changing + c * each + k),
  ];
  return {
    fields,
    variables: variableNames(n).map((name, c): ModelVariable => ({ name, maps: mapsOf(c) })),
    shared: [
      {
        name: isGlobal(n.longitudes) ? "place-on-globe" : "place-in-region",
        maps: places.map((_, i) => fields.shape[1] - statics.size - places.length + i),
      },
      // Each a kind of its own: networks of several datasets share the maps that both have
      ...[...statics.keys()].map((name, i) => ({
        name: `static.${name}`,
        maps: [fields.shape[1] - statics.size + i],
      })),
    ],
  };
}

/** The catalogue's name of each channel, its level with it; a channel the catalogue does not know, or the second that it calls the same, keeps its own. */
export function variableNames({ channels, units }: Pick<Normaliser, "channels" | "units">): string[] {
  const taken = new Set<string>();
  return channels.map((channel, c) => {
    const [own, level] = channel.split("@");
    const dims = level === undefined ? [] : ["level"];
    const known = identify({ name: own, dims, attrs: units[c] ? { units: units[c] } : {} });
    const full = known && (level === undefined ? known.name : `${known.name}@${level}`);
    const name = full === undefined || taken.has(full) ? channel : full;
    taken.add(name);
    return name;
  });
}

const concatenated = (maps: readonly Float32Array[]): Float32Array => {
  const out = new Float32Array(maps.length * maps[0].length);
  maps.forEach((map, i) => out.set(map, i * map.length));
  return out;
};

/** Each channel's maps that never change: log deviation and daily amplitude (zero where only other channels have one). */
function fixedMaps(n: Normaliser): Float32Array[][] {
  const cells = n.latitudes.length * n.longitudes.length;
  const amplitudes = n.channels.map((_, c) => n.climatology.dailyAmplitude(c, cells));
  const daily = amplitudes.some((a) => a !== undefined);
  return amplitudes.map((amplitude, c) => [
    standardised(n.anomaly.subarray(c * cells, (c + 1) * cells).map(Math.log)),
    ...(daily ? [amplitude ? standardised(amplitude) : new Float32Array(cells)] : []),
  ]);
}

/** Where each point lies. */
function placeMaps(n: Normaliser): Float32Array[] {
  const [height, width] = [n.latitudes.length, n.longitudes.length];
  const map = (f: (latitude: number, longitude: number) => number) =>
    Float32Array.from({ length: height * width }, (_, i) =>
      f(n.latitudes[Math.floor(i / width)], n.longitudes[i % width]),
    );
  const radians = Math.PI / 180;
  const scaled = (v: number, axis: Float64Array) =>
    axis.length > 1 ? (2 * (v - axis[0])) / (axis[axis.length - 1] - axis[0]) - 1 : 0;
  return isGlobal(n.longitudes)
    ? [
        map((lat) => 1.5 * Math.sin(lat * radians)),
        map((lat) => 1.5 * Math.cos(lat * radians)),
        map((_, lon) => Math.cos(lon * radians)),
        map((_, lon) => Math.sin(lon * radians)),
      ]
    : [map((lat) => scaled(lat, n.latitudes)), map((_, lon) => scaled(lon, n.longitudes))];
}

/** The fixed maps of a configuration by name, each with mean 0 and deviation 1 over the grid. */
const staticMaps = ({ statics, latitudes, longitudes }: Normaliser): Map<string, Float32Array> => {
  const cells = latitudes.length * longitudes.length;
  return new Map(
    statics?.names.map((name, k) => [name, standardised(statics.values.subarray(k * cells, (k + 1) * cells))]),
  );
};

function standardised(values: Float32Array): Float32Array {
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  const deviation = Math.sqrt(values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length) || 1;
  return values.map((v) => (v - mean) / deviation);
}

/** A jump of `lead` steps from `time`, `elapsed` steps after the forecast began. */
export interface Jump {
  readonly time: number;
  readonly lead: number;
  readonly elapsed: number;
}

/** The numbers of `JumpInputs` for a batch of jumps. */
export function jumpArrays(n: Normaliser, jumps: readonly Jump[]): Record<keyof JumpInputs, NdArray> {
  const size = n.anomaly.length;
  const cells = n.latitudes.length * n.longitudes.length;
  const shape = [jumps.length, n.channels.length, n.latitudes.length, n.longitudes.length];
  const maps = Object.fromEntries(JUMP_MAPS.map((name) => [name, new Float32Array(jumps.length * size)])) as Record<
    (typeof JUMP_MAPS)[number],
    Float32Array
  >;
  const condition = new Float32Array(jumps.length * CONDITION);
  jumps.forEach((jump, b) => {
    const [usual, then] = [n.climatology.at(jump.time), n.climatology.at(jump.time + jump.lead * n.step)];
    const at = (jump.lead - 1) * size;
    for (let p = 0, c = 0; c < n.channels.length; c++)
      for (const end = (c + 1) * cells; p < end; p++) {
        const out = b * size + p;
        maps.usual[out] = (usual[p] - n.mean[c]) / n.spread[c];
        maps.change[out] = (then[p] - usual[p]) / n.anomaly[p];
        maps.damping[out] = n.damping[at + p];
        maps.scale[out] = n.residual[at + p] / n.anomaly[p];
      }
    condition.set(conditionOf(n, jump), b * CONDITION);
  });
  return {
    ...(Object.fromEntries(JUMP_MAPS.map((name) => [name, float32Array(shape, maps[name])])) as Record<
      (typeof JUMP_MAPS)[number],
      NdArray
    >),
    condition: float32Array([jumps.length, CONDITION], condition),
  };
}

const float32Array = (shape: number[], data: Float32Array): NdArray => ({ dtype: "float32", shape, data });

function conditionOf(n: Normaliser, { time, lead, elapsed }: Jump): number[] {
  const turn = (fraction: number): [number, number] => [
    Math.cos(2 * Math.PI * fraction),
    Math.sin(2 * Math.PI * fraction),
  ];
  return [
    ...turn(dayOfYear(time, n.calendar) / 365.25),
    ...turn(hourOfDay(time) / 24),
    ...turn(hourOfDay(time + lead * n.step) / 24),
    ...leadCondition(n, lead, elapsed),
  ];
}

/** The part of the condition that does not depend on the date: lead (5) and elapsed (2). */
export function leadCondition(n: Pick<Normaliser, "leadSteps" | "step">, lead: number, elapsed: number): number[] {
  const days = (steps: number) => (steps * n.step) / 86_400_000;
  const x = lead / n.leadSteps;
  return [
    2 * x - 1,
    n.leadSteps > 1 ? (2 * Math.log(lead)) / Math.log(n.leadSteps) - 1 : 0,
    Math.exp(-days(lead)),
    Math.cos(Math.PI * x),
    Math.cos(2 * Math.PI * x),
    Math.min(days(elapsed) / 2.5, 4) - 1,
    Math.exp(-days(elapsed)),
  ];
}

/** u of a state: its departure from climatology in units of the departures' deviation. */
export function departure(n: Normaliser, state: Float32Array, time: number): Float32Array {
  const usual = n.climatology.at(time);
  return state.map((v, p) => (v - usual[p]) / n.anomaly[p]);
}

/** The state of a departure: c + s u. */
export function stateOf(n: Normaliser, u: Float32Array, time: number): Float32Array {
  const usual = n.climatology.at(time);
  return u.map((v, p) => usual[p] + n.anomaly[p] * v);
}
