/**
 * A **measure** is what scores are made from beyond the sums that every field gives (`scores/sums.ts`): a few places of a row, filled
 * field by field. Like those sums it adds over starts and pieces, so that it streams, merges and can be redrawn.
 */
import type { Quantity } from "../../earth/variables.js";
import type { EnsembleFields } from "../ensemble/kernel.js";
import type { Score } from "../scores/sums.js";
import type { SeepsClimate } from "../scores/seeps.js";

export type Field = Float32Array | Float64Array;

/** One field to be scored. Cells that any forecaster lacks are NaN in the truth. */
export interface FieldCase {
  /** One for a point forecast. */
  readonly members: readonly Field[];
  /** The members' mean. */
  readonly forecast: Field;
  readonly truth: Field;
  readonly weights: Float64Array;
  readonly ensemble?: EnsembleFields;
}

export interface Measure {
  /** Two measures of one key are one. */
  readonly key: string;
  /** Places it takes. */
  readonly width: number;
  /** Adds a field to its own places. */
  add(places: Float64Array, field: FieldCase): void;
}

/** An event: to exceed a value in the variable's units, or each cell's own quantile over the training period. */
export interface EventLimit {
  readonly limit: number;
  readonly quantile: boolean;
}

/** What a variable is and where it lies: what a metric needs to know to be made for it. */
export interface ChannelContext {
  readonly name: string;
  readonly units: string;
  readonly quantity?: Quantity;
  /** Of the forecast; 1 for a single one. */
  readonly members: number;
  readonly columns: number;
  /** Whether the last column is followed by the first. */
  readonly wraps: boolean;
  /** Stations, in no grid. */
  readonly scattered: boolean;
  /** The event's limit in this variable: one number, or one a cell. */
  readonly limitOf: (event: EventLimit) => number | Float32Array;
  /** Each cell's own climate of wet and dry. */
  readonly wetClimate: (dryUpTo: number) => SeepsClimate;
}

/** A metric for one variable: the score, and the measure whose places it reads, if any. */
export interface Made {
  readonly measure?: Measure;
  /** @param at where the measure's places begin */
  readonly score: (at: number) => Score;
}

/** A parsed name: `csi>q0.95`, `fss>1@9`, `coverage:0.9`, `rmse`. */
export interface Asked {
  /** As it was written, without the variable. */
  readonly name: string;
  readonly base: string;
  readonly event?: EventLimit;
  /** Behind `@`: a window in cells, a cost-loss ratio. */
  readonly at?: number;
}

/** Scores that share what they need. */
export interface Family {
  readonly names: readonly string[];
  /** How they are written, for help and errors. */
  readonly form: string;
  readonly title: (asked: Asked) => string;
  /** The metric for a variable, or why it makes no sense there. */
  make(asked: Asked, context: ChannelContext): Made | string;
}

/** Σw over cells that the truth has. */
export function areaOf({ truth, weights }: Pick<FieldCase, "truth" | "weights">): number {
  let total = 0;
  for (let i = 0; i < truth.length; i++) if (truth[i] === truth[i]) total += weights[i];
  return total;
}

/** What follows an event's name in words. */
export const aboveWords = ({ limit, quantile }: EventLimit): string =>
  quantile ? `the ${limit} quantile` : `${limit}`;
