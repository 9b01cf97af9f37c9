/**
 * A member of a site: one station, or one region's grid, with everything that is fitted to its own training part and never
 * leaves: climatology, deviations, how fast departures fade. A site has one member or, as the owner of a network, several.
 */
import { DataError } from "../../errors.js";
import { fitNormaliser, type Normaliser } from "../../tasks/forecast/normaliser.js";
import { departure } from "../../tasks/forecast/features.js";
import { type Series, stateAt, stateSize } from "../../tasks/series.js";
import type { Prior } from "./ridge.js";
import { type Part, type Parts, PARTS, splitParts, startsOf } from "./split.js";
import { gapHours, inSteps, lookBack, type SharedTask } from "./task.js";

export interface FittedMember {
  readonly name: string;
  readonly series: Series;
  readonly normaliser: Normaliser;
  readonly parts: Parts;
  /** Departures from climatology in units of their deviation, [time, channel, cell]; missing values are NaN. */
  readonly departures: Float32Array;
  /** Usable starts by part, for each of the task's leads. */
  readonly starts: Readonly<Record<Part, readonly Int32Array[]>>;
  /** Where the run's task has them. */
  readonly surroundings?: Surroundings;
}

/** The coarse fields around a member. */
export interface Surroundings {
  readonly normaliser: Normaliser;
  /** As the member's departures, [time of its record, variable, point of the stencil, cell]. */
  readonly departures: Float32Array;
}

/** A member with what is fitted to all members of its site. */
export interface Member extends FittedMember {
  readonly ridge: MemberRidge;
}

/** The site's ridge regression, leads by their position among the task's. */
export interface MemberRidge {
  /** What it adds to damped persistence, [variable, cell], in units of its deviation. */
  at(start: number, lead: number): Float32Array;
  /** Its slopes as fitted to the whole training part, one row for each variable. */
  slopes(lead: number): readonly Float64Array[];
  /** The same with slopes drawn towards those given; towards zero where there are none. */
  towards(prior: Prior | undefined): MemberRidge;
}

/** A channel with fewer values than this in the training part counts as absent. */
const FEWEST = 100;

/** Fits a member to its own training part. Throws DataError where nothing is left to train, validate or test on. */
export function fitMember(name: string, series: Series, task: SharedTask): FittedMember {
  const leads = inSteps(task, "leads");
  const parts = partsOf(series.times.length, task);
  const training = onlyPart(series, parts, "train");
  blankRare(series, training);
  const normaliser = fitNormaliser(training, {
    trainRange: [-Infinity, Infinity],
    step: task.forecast.step * 3_600_000,
    leadSteps: Math.max(...leads),
    firstGuess: "damped-anomaly",
    missing: "skip",
  });
  const departures = departuresOf(series, normaliser);
  const present = series.times.map((_, t) => (stateAt(series, t).some((v) => v === v) ? 1 : 0));
  const earliest = lookBack(task);
  const starts = Object.fromEntries(
    PARTS.map((part) => [
      part,
      leads.map((lead) => startsOf(parts, part, lead, (t) => t >= earliest && !!present[t] && !!present[t + lead])),
    ]),
  ) as Record<Part, Int32Array[]>;
  return { name, series, normaliser, parts, departures, starts };
}

/** The part of each of a record's times. */
export const partsOf = (count: number, task: SharedTask): Parts =>
  splitParts(count, { ...task.split, gap: Math.round(gapHours(task) / task.forecast.step) });

/** Departures from climatology of a whole record, in units of their deviation. */
export function departuresOf(series: Series, normaliser: Normaliser): Float32Array {
  const out = new Float32Array(series.values.length);
  const size = stateSize(series);
  series.times.forEach((time, t) => out.set(departure(normaliser, stateAt(series, t), time), t * size));
  return out;
}

/** The times of one part as a series. */
export function onlyPart(series: Series, parts: Parts, part: Part): Series {
  const size = stateSize(series);
  const indices = [...series.times.keys()].filter((t) => parts[t] === PARTS.indexOf(part));
  if (indices.length < 8)
    throw new DataError("site data", `only ${indices.length} times fall into its ${part} part; give a longer record`);
  const values = new Float32Array(indices.length * size);
  indices.forEach((t, k) => values.set(stateAt(series, t), k * size));
  return { ...series, times: Float64Array.from(indices, (t) => series.times[t]), values };
}

/** Channels that the training part hardly has are taken as absent, everywhere. */
function blankRare(series: Series, training: Series): void {
  const channels = series.channels.length;
  const cells = stateSize(series) / channels;
  for (let c = 0; c < channels; c++) {
    let seen = 0;
    for (let t = 0; t < training.times.length; t++)
      if (training.values[(t * channels + c) * cells] === training.values[(t * channels + c) * cells]) seen++;
    if (seen >= FEWEST) continue;
    for (const s of [series, training])
      for (let t = 0; t < s.times.length; t++)
        s.values.fill(NaN, (t * channels + c) * cells, (t * channels + c + 1) * cells);
  }
}
