/**
 * Scores of events as metrics of a verification: `csi>285` (above 285 in the variable's units), `ets>q0.95` (above each cell's own
 * 95 % quantile over the training period). An ensemble warns when half of its members or more do; `brier` takes their share as the
 * probability.
 */
import { nearest, UsageError } from "../errors.js";
import { type Series, stateSize } from "../tasks/series.js";
import { CONTINGENCY_SCORES } from "./scores/contingency.js";
import { type Row, rowWidth, type Score, W } from "./scores/sums.js";

export interface Event {
  /** `>285` or `>q0.95`. */
  readonly label: string;
  readonly limit: number;
  /** Whether `limit` is a quantile. */
  readonly quantile: boolean;
}

/** Places an event takes in a row of sums: hits, false alarms, misses, correct negatives, Σw(p - event)². */
const WIDTH = 5;
const KINDS = [...Object.keys(CONTINGENCY_SCORES), "brier"];

/** Whether a metric's name asks for an event. */
export const isEventMetric = (name: string): boolean => name.includes(">");

/** The events that metrics name, each once. Throws for names that cannot be read. */
export function eventsOf(metrics: readonly string[]): Event[] {
  const events = new Map<string, Event>();
  for (const name of metrics.filter(isEventMetric)) {
    const match = /^([a-z]+)(>(q?)(-?\d+(?:\.\d+)?(?:e-?\d+)?))$/i.exec(name);
    if (!match || !KINDS.includes(match[1])) {
      const near = nearest(match?.[1] ?? name.split(">")[0], KINDS);
      throw new UsageError(
        `'${name}' is not a score of an event${near ? `; did you mean '${near}>...'?` : ""} Write csi>285 or csi>q0.95; known are ${KINDS.join(", ")}`,
      );
    }
    const [, , label, quantile, limit] = match;
    if (quantile && !(Number(limit) > 0 && Number(limit) < 1))
      throw new UsageError(`'${name}' asks for the quantile ${limit}; it must lie between 0 and 1`);
    events.set(label, { label, limit: Number(limit), quantile: quantile !== "" });
  }
  return [...events.values()];
}

/** How long rows of sums are with these events behind the others. */
export const rowWidthWith = (members: number, events: readonly Event[]): number =>
  rowWidth(members) + WIDTH * events.length;

const offsetOf = (members: number, index: number): number => rowWidth(members) + WIDTH * index;

/** The score a name like `csi>285` stands for, reading its own places of a row. */
export function eventScore(name: string, events: readonly Event[], members: number): Score {
  const kind = name.slice(0, name.indexOf(">"));
  const at = offsetOf(
    members,
    events.findIndex((event) => name.endsWith(event.label) && name.length === kind.length + event.label.length),
  );
  const common = { name, units: "1", over: "all" } as const;
  if (kind === "brier")
    return {
      ...common,
      formula: "mean (p - event)^2",
      better: "low",
      probabilistic: true,
      source: "Brier 1950, MWR 78",
      value: (s) => s[at + 4] / s[W],
    };
  return {
    ...common,
    formula: "from hits, false alarms, misses and correct negatives",
    better: kind === "fbi" ? 1 : kind === "far" ? "low" : "high",
    source: "Jolliffe and Stephenson 2012, chapter 3",
    value: (s) =>
      CONTINGENCY_SCORES[kind as keyof typeof CONTINGENCY_SCORES]({
        hits: s[at],
        falseAlarms: s[at + 1],
        misses: s[at + 2],
        correctNegatives: s[at + 3],
      }),
  };
}

/** What each event's limit is, by channel: a number, or one for each cell. */
export type Limits = readonly (readonly (number | Float32Array)[])[];

/** [event][channel]; quantiles over the training states, linear between order statistics. */
export function limitsOf(events: readonly Event[], truth: Series, training: readonly number[]): Limits {
  const cells = stateSize(truth) / truth.channels.length;
  const sorted = new Float32Array(training.length);
  return events.map(({ limit, quantile }) =>
    truth.channels.map((_, c) => {
      if (!quantile) return limit;
      return Float32Array.from({ length: cells }, (_, i) => {
        training.forEach((t, k) => (sorted[k] = truth.values[(t * truth.channels.length + c) * cells + i]));
        sorted.sort();
        const at = limit * (sorted.length - 1);
        const k = Math.floor(at);
        return sorted[k] + (at - k) * ((sorted[k + 1] ?? sorted[k]) - sorted[k]);
      });
    }),
  );
}

/** Adds one event of a field to its places in a row. */
export function addEvent(
  row: Row,
  index: number,
  members: readonly ArrayLike<number>[],
  truth: ArrayLike<number>,
  weights: ArrayLike<number>,
  limit: number | Float32Array,
  ensembleSize: number,
): void {
  const at = offsetOf(ensembleSize, index);
  for (let i = 0; i < truth.length; i++) {
    const o = truth[i];
    if (weights[i] === 0 || o !== o) continue;
    const threshold = typeof limit === "number" ? limit : limit[i];
    let above = 0;
    for (const x of members) if (x[i] > threshold) above++;
    const p = above / members.length;
    const happened = o > threshold;
    row[at + (p >= 0.5 ? (happened ? 0 : 1) : happened ? 2 : 3)] += weights[i];
    row[at + 4] += weights[i] * (p - Number(happened)) ** 2;
  }
}
