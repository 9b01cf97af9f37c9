/**
 * Which arrays of the shared model a site trains. Sites hold different variables, so a site's graph has only some of the model's
 * arrays; the others are not sent, and the hub takes the mean of each array among those who trained it: a rare variable is never
 * diluted with zeros. Arrays that the same sites trained form a group, aggregated as a model of its own.
 *
 * A coverage is written as bits in the layout's order, base64; absent: every array that is shared at all.
 */
import { FoehnError } from "../../errors.js";
import { type Rows, zeroVector } from "../aggregate/rows.js";
import { base64, unbase64 } from "../compress/hash.js";
import { type Layout, layoutSegments } from "./parameters.js";

export type Segment = readonly [from: number, to: number];

/** One flag an array: trained, or not. */
export type Covered = readonly boolean[];

/** Arrays that leave a site at all: those not named as personal. */
export const sharedArrays = (layout: Layout, personal: readonly string[]): boolean[] =>
  layout.map(({ name }) => !personal.some((prefix) => name.startsWith(prefix)));

/** Of the shared arrays those that are named (all where `names` is absent); FoehnError for a name the model lacks. */
export function coveredArrays(layout: Layout, shared: Covered, names: readonly string[] | undefined): boolean[] {
  if (!names) return [...shared];
  const known = new Set(layout.map(({ name }) => name));
  const odd = names.find((name) => !known.has(name));
  if (odd !== undefined)
    throw new FoehnError(
      `the trainer says it trained '${odd}', which the shared model lacks; use the model of the hub`,
    );
  const trained = new Set(names);
  return layout.map(({ name }, i) => shared[i] && trained.has(name));
}

/** As text for the manifest; undefined where all that is shared is covered. */
export function coverageText(covered: Covered, shared: Covered): string | undefined {
  if (covered.every((c, i) => c === shared[i])) return undefined;
  const bits = new Uint8Array(Math.ceil(covered.length / 8));
  covered.forEach((c, i) => (bits[i >> 3] |= c ? 1 << (i & 7) : 0));
  return base64(bits);
}

/** The flags behind a text; FoehnError where it does not fit the layout or names arrays that are not shared. */
export function coverageFrom(text: string | undefined, shared: Covered): boolean[] {
  if (text === undefined) return [...shared];
  let bits: Uint8Array;
  try {
    bits = unbase64(text);
  } catch (cause) {
    throw new FoehnError("the update's list of arrays is not base64", { cause });
  }
  if (bits.length !== Math.ceil(shared.length / 8))
    throw new FoehnError(
      `the update's list of arrays has ${bits.length} bytes, but this model of ${shared.length} arrays needs ${Math.ceil(shared.length / 8)}`,
    );
  const covered = shared.map((_, i) => ((bits[i >> 3] >> (i & 7)) & 1) === 1);
  const foreign = covered.findIndex((c, i) => c && !shared[i]);
  if (foreign >= 0) throw new FoehnError(`the update holds array ${foreign} of the model, which stays at the sites`);
  return covered;
}

/** Where the covered arrays lie in the flat vector; neighbours are one segment. */
export function coveredSegments(layout: Layout, covered: Covered): Segment[] {
  const out: [number, number][] = [];
  layoutSegments(layout).forEach(([from, to], i) => {
    if (!covered[i] || from === to) return;
    const last = out.at(-1);
    if (last?.[1] === from) last[1] = to;
    else out.push([from, to]);
  });
  return out;
}

export const segmentsLength = (segments: readonly Segment[]): number =>
  segments.reduce((total, [from, to]) => total + to - from, 0);

/** The numbers of the segments behind one another. */
export function gathered<T extends Float32Array | Float64Array>(vector: T, segments: readonly Segment[]): T {
  const out = new (vector.constructor as new (length: number) => T)(segmentsLength(segments));
  let at = 0;
  for (const [from, to] of segments) {
    out.set(vector.subarray(from, to), at);
    at += to - from;
  }
  return out;
}

/** Puts gathered numbers back into their places in `into`, which it returns. */
export function scattered<T extends Float32Array | Float64Array>(
  values: Float32Array | Float64Array,
  segments: readonly Segment[],
  into: T,
): T {
  let at = 0;
  for (const [from, to] of segments) {
    into.set(values.subarray(at, at + to - from), from);
    at += to - from;
  }
  return into;
}

/** Arrays that the same updates hold, and as many members train. */
export interface CoverageGroup {
  /** Positions of the updates among all. */
  readonly updates: readonly number[];
  /** Positions of the arrays in the layout. */
  readonly arrays: readonly number[];
  readonly segments: readonly Segment[];
  /** Members of the run that train these arrays. */
  readonly members: number;
}

/** The groups of a round, in the order of their first array; an array that nobody trained is in none. */
export function coverageGroups(
  layout: Layout,
  updates: readonly Covered[],
  members: readonly Covered[] = [],
): CoverageGroup[] {
  const groups = new Map<string, { updates: number[]; arrays: number[]; members: number }>();
  layout.forEach((_, array) => {
    const holders = updates.flatMap((covered, i) => (covered[array] ? [i] : []));
    if (holders.length === 0) return;
    const among = Math.max(holders.length, members.filter((covered) => covered[array]).length);
    const key = `${among}: ${holders.join(" ")}`;
    const group = groups.get(key);
    if (group) group.arrays.push(array);
    else groups.set(key, { updates: holders, arrays: [array], members: among });
  });
  return [...groups.values()].map((group) => {
    const mine = new Set(group.arrays);
    return {
      ...group,
      segments: coveredSegments(
        layout,
        layout.map((_, i) => mine.has(i)),
      ),
    };
  });
}

/** Some rows, and of them some segments, as rows of their own; `offset` is where the vector begins in a row. */
export function partOfRows(rows: Rows, chosen: readonly number[], segments: readonly Segment[], offset = 0): Rows {
  const length = segmentsLength(segments);
  return {
    count: chosen.length,
    length,
    precision: rows.precision,
    read(i, start, into) {
      const pending: Promise<void>[] = [];
      let [at, done] = [0, 0]; // where the segment begins among the gathered numbers; how much is filled
      for (const [from, to] of segments) {
        const skip = Math.max(0, start - at);
        const count = Math.min(to - from - skip, into.length - done);
        if (count > 0) {
          const reading = rows.read(chosen[i], offset + from + skip, into.subarray(done, done + count));
          if (reading) pending.push(reading);
          done += count;
        }
        at += to - from;
        if (done === into.length) break;
      }
      return pending.length > 0 ? Promise.all(pending).then(() => undefined) : undefined;
    },
  };
}

/** A vector of zeros for one that a memory does not hold yet. */
export const gatheredOrZeros = (
  vector: Float32Array | Float64Array | undefined,
  segments: readonly Segment[],
): Float32Array | Float64Array =>
  vector ? gathered(vector, segments) : zeroVector(segmentsLength(segments), "float32");
