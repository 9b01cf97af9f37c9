/**
 * Samples as the network is fed them. Everything is fed and nothing is a constant of the graph, so that one graph serves all
 * stations of a site. Per variable, as maps: the departure from climatology now and its changes since past states, slow means,
 * the state and its climatology in units of the variable's own spread, the climatology's change until the valid time, the first
 * guess, and how variable the point is; and the coarse fields around it where the task has them. What is learnt is the error of damped persistence in units of its deviation:
 *
 *     z = (u(t + L) - a_L u(t)) s / r_L
 *
 * or, where the first guess is the site's ridge regression, what that leaves of z; its z is then one more map.
 */
import type { Feeds } from "../../engine/runtime.js";
import { latitudeWeights } from "../../earth/weights.js";
import { placeFeatures, FEATURES, patchCentres } from "../../models/position.js";
import { patchGrid } from "../../models/patches.js";
import { CONDITION, jumpArrays } from "../../tasks/forecast/features.js";
import type { Normaliser } from "../../tasks/forecast/normaliser.js";
import { float32 } from "../../tensor/ndarray.js";
import type { FittedMember, Member, Surroundings } from "./member.js";
import { fromRidge, inSteps, type SharedTask, surroundingLags } from "./task.js";

/** Maps that each variable has in a sample. */
export const mapsPerVariable = ({ forecast }: SharedTask): number =>
  1 + forecast.lags.length + forecast.slowMeans.length + 6;

/** Maps of the fields around a site, which belong to none of its variables. */
export const mapsAround = ({ surroundings }: SharedTask): number =>
  surroundings ? surroundings.variables.length * surroundings.points ** 2 * (1 + surroundings.lags.length) : 0;

/** Where the maps of a sample lie as the network is fed them: of each variable, and of what is around. */
export function mapsFed(task: SharedTask, variables: number): { of: number[][]; around: number[]; count: number } {
  const [own, around] = [mapsPerVariable(task), mapsAround(task)];
  const ridge = fromRidge(task);
  return {
    of: Array.from({ length: variables }, (_, c) => [
      ...Array.from({ length: own }, (_, k) => k * variables + c),
      ...(ridge ? [own * variables + around + c] : []),
    ]),
    around: Array.from({ length: around }, (_, k) => own * variables + k),
    count: (own + (ridge ? 1 : 0)) * variables + around,
  };
}

/** What is added to the network's output to make it z, [variable, cell]; undefined where that is nothing. */
export const firstGuess = (task: SharedTask, { member, start, lead }: Pick): Float32Array | undefined =>
  fromRidge(task) ? member.ridge.at(start, lead) : undefined;

export interface Pick<M extends FittedMember = Member> {
  readonly member: M;
  readonly start: number;
  /** Position of the lead among the task's. */
  readonly lead: number;
}

/** One sample's numbers, variable by variable within a map. */
export interface Sample {
  /** [map, variable, cell], then what is around, [map, cell]. */
  readonly fields: Float32Array;
  readonly condition: Float32Array;
  readonly truth: Float32Array;
  readonly weight: Float32Array;
}

/** Samples of stations are kept: they are small and drawn again and again. Those of grids are made anew. */
const KEPT_NUMBERS = 1024;

/** Kept samples lie behind one another in blocks: as arrays of their own they would be most of what is alive, and slow to look over. */
interface Kept {
  /** For each start and lead, one more than the sample's place; 0 where it was not made yet. */
  readonly places: Uint32Array;
  readonly blocks: Float32Array[];
  count: number;
}
const BLOCK = 512;
/** By the departures, which a member has in common with itself begun from another line. */
const kept = new WeakMap<Float32Array, Kept>();

/** How many numbers the fields of a sample are. */
const fieldNumbers = (task: SharedTask, { normaliser: { anomaly, channels } }: FittedMember): number =>
  (mapsPerVariable(task) + mapsAround(task) / channels.length) * anomaly.length;

export function sampleOf(task: SharedTask, pick: Pick<FittedMember>): Sample {
  const { member, start, lead } = pick;
  const numbers = fieldNumbers(task, member);
  if (numbers > KEPT_NUMBERS) return makeSample(task, pick);
  const leads = task.forecast.leads.length;
  const known = kept.get(member.departures) ?? {
    places: new Uint32Array(member.parts.length * leads),
    blocks: [],
    count: 0,
  };
  kept.set(member.departures, known);
  const size = member.normaliser.anomaly.length;
  const widths = [numbers, CONDITION, size, size];
  const width = widths.reduce((a, b) => a + b);
  const viewOf = (place: number): Float32Array[] => {
    let at = (place % BLOCK) * width;
    return widths.map((w) => known.blocks[Math.floor(place / BLOCK)].subarray(at, (at += w)));
  };
  const key = start * leads + lead;
  if (known.places[key] === 0) {
    if (known.count % BLOCK === 0) known.blocks.push(new Float32Array(BLOCK * width));
    const made = makeSample(task, pick);
    const view = viewOf(known.count);
    [made.fields, made.condition, made.truth, made.weight].forEach((numbers, i) => view[i].set(numbers));
    known.places[key] = ++known.count;
  }
  const [fields, condition, truth, weight] = viewOf(known.places[key] - 1);
  return { fields, condition, truth, weight };
}

function makeSample(task: SharedTask, { member, start, lead: chosen }: Pick<FittedMember>): Sample {
  const { normaliser: n, departures, surroundings } = member;
  const size = n.anomaly.length;
  const lead = inSteps(task, "leads")[chosen];
  const jump = jumpArrays(n, [{ time: member.series.times[start], lead, elapsed: 0 }]);
  const [usual, change, damping, scale] = [jump.usual, jump.change, jump.damping, jump.scale].map(
    (a) => a.data as Float32Array,
  );
  const fixed = fixedMaps(member);
  const area = areaWeights(member);
  const now = departures.subarray(start * size, (start + 1) * size);
  const later = departures.subarray((start + lead) * size, (start + lead + 1) * size);
  const fields = new Float32Array(fieldNumbers(task, member));
  let map = 0;
  /** Writes the next map of every variable: 0 stands for what is missing. */
  const put = (value: (p: number) => number): void => {
    for (let p = 0; p < size; p++) {
      const v = value(p);
      fields[map * size + p] = v === v ? v : 0;
    }
    map++;
  };
  put((p) => now[p]);
  for (const lag of inSteps(task, "lags")) {
    const past = departures.subarray((start - lag) * size, (start - lag + 1) * size);
    put((p) => now[p] - past[p]);
  }
  for (const steps of inSteps(task, "slowMeans")) {
    const mean = slowMean(departures, size, start, steps);
    put((p) => mean[p]);
  }
  put((p) => usual[p] + now[p] * fixed.ratio[p]);
  put((p) => usual[p]);
  put((p) => change[p]);
  put((p) => damping[p] * now[p]);
  put((p) => fixed.deviation[p]);
  put((p) => fixed.amplitude[p]);
  if (surroundings) putAround(fields.subarray(map * size), surroundings, start, surroundingLags(task));
  const truth = new Float32Array(size);
  const weight = new Float32Array(size);
  for (let p = 0; p < size; p++) {
    const z = (later[p] - damping[p] * now[p]) / scale[p];
    if (z !== z) continue;
    truth[p] = z;
    weight[p] = area[p];
  }
  return { fields, condition: jump.condition.data as Float32Array, truth, weight };
}

/** Writes the departures around a member at a start, then their changes since each of some steps before. */
function putAround(out: Float32Array, { normaliser, departures }: Surroundings, start: number, lags: number[]): void {
  const size = normaliser.anomaly.length;
  const now = departures.subarray(start * size, (start + 1) * size);
  [0, ...lags].forEach((lag, k) => {
    const past = departures.subarray((start - lag) * size, (start - lag + 1) * size);
    for (let p = 0; p < size; p++) {
      const v = lag === 0 ? now[p] : now[p] - past[p];
      out[k * size + p] = v === v ? v : 0;
    }
  });
}

/** The sample with its first guess as one more map, and what that leaves of the truth. */
function beyondGuess(sample: Sample, guess: Float32Array | undefined): Sample {
  if (!guess) return sample;
  const fields = new Float32Array(sample.fields.length + guess.length);
  fields.set(sample.fields);
  fields.set(guess, sample.fields.length);
  return { ...sample, fields, truth: sample.truth.map((z, p) => z - guess[p]) };
}

/** Inputs, targets and weights of a batch. The weights are zero where the truth is missing; their mean is one. */
export function sampleFeeds(task: SharedTask, picks: readonly Pick[], patch: readonly [number, number]): Feeds {
  const { series } = picks[0].member;
  const channels = series.channels.length;
  const [height, width] = [series.latitudes.length, series.longitudes.length];
  const grid = patchGrid(height, width, patch);
  const samples = picks.map((pick) => beyondGuess(sampleOf(task, pick), firstGuess(task, pick)));
  const weight = concatenated(samples.map((s) => s.weight));
  let total = 0;
  for (let i = 0; i < weight.length; i++) total += weight[i];
  if (total > 0) for (let i = 0; i < weight.length; i++) weight[i] *= weight.length / total;
  const batch = picks.length;
  const shape = [batch, channels, height, width];
  return {
    fields: float32([batch, mapsFed(task, channels).count, height, width], concatenated(samples.map((s) => s.fields))),
    condition: float32([batch, CONDITION], concatenated(samples.map((s) => s.condition))),
    places: float32(
      [batch, grid.rows * grid.columns, FEATURES],
      concatenated(picks.map(({ member }) => placesOf(member, grid))),
    ),
    truth: float32(shape, concatenated(samples.map((s) => s.truth))),
    weight: float32(shape, weight),
  };
}

const concatenated = (parts: readonly Float32Array[]): Float32Array => {
  const out = new Float32Array(parts.length * parts[0].length);
  parts.forEach((part, i) => out.set(part, i * part.length));
  return out;
};

/** Mean departure over the last `steps` states, of those that are there. */
function slowMean(departures: Float32Array, size: number, start: number, steps: number): Float64Array {
  const sum = new Float64Array(size);
  const seen = new Float64Array(size);
  for (let t = Math.max(0, start - steps + 1); t <= start; t++)
    for (let p = 0; p < size; p++) {
      const u = departures[t * size + p];
      if (u !== u) continue;
      sum[p] += u;
      seen[p]++;
    }
  return sum.map((v, p) => (1.5 * v) / seen[p]);
}

interface Fixed {
  readonly ratio: Float32Array;
  readonly deviation: Float32Array;
  readonly amplitude: Float32Array;
}
const fixedOf = new WeakMap<Normaliser, Fixed>();

/** s / spread; log of the deviation over its mean on the grid; the daily cycle's size in units of the deviation. */
function fixedMaps(member: FittedMember): Fixed {
  const known = fixedOf.get(member.normaliser);
  if (known) return known;
  const { anomaly, spread, climatology, channels } = member.normaliser;
  const cells = anomaly.length / channels.length;
  const ratio = anomaly.map((s, p) => s / spread[Math.floor(p / cells)]);
  const deviation = new Float32Array(anomaly.length);
  const amplitude = new Float32Array(anomaly.length);
  channels.forEach((_, c) => {
    const part = anomaly.subarray(c * cells, (c + 1) * cells);
    const mean = part.reduce((s, v) => s + v, 0) / cells;
    const daily = climatology.dailyAmplitude(c, cells);
    for (let i = 0; i < cells; i++) {
      deviation[c * cells + i] = Math.log(part[i] / mean);
      amplitude[c * cells + i] = daily ? daily[i] / part[i] : 0;
    }
  });
  const fixed = { ratio, deviation, amplitude };
  fixedOf.set(member.normaliser, fixed);
  return fixed;
}

const areasOf = new WeakMap<Normaliser, Float32Array>();

/** Exact area weights of every channel's cells, their mean one. */
export function areaWeights(member: FittedMember): Float32Array {
  const known = areasOf.get(member.normaliser);
  if (known) return known;
  const { latitudes, longitudes, channels } = member.series;
  const rows = latitudes.length > 1 ? latitudeWeights(latitudes, "exact") : [1];
  const cells = latitudes.length * longitudes.length;
  const out = Float32Array.from(
    { length: channels.length * cells },
    (_, p) => rows[Math.floor((p % cells) / longitudes.length)],
  );
  areasOf.set(member.normaliser, out);
  return out;
}

const placesKnown = new WeakMap<Normaliser, Float32Array>();

function placesOf(member: Member, grid: ReturnType<typeof patchGrid>): Float32Array {
  const known = placesKnown.get(member.normaliser);
  if (known) return known;
  const out = Float32Array.from(patchCentres(member.series, grid).flatMap(placeFeatures));
  placesKnown.set(member.normaliser, out);
  return out;
}
