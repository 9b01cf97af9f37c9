/** What every baseline is: a forecast that any model must beat, made from the training years and the state at the start alone. */
import { UsageError } from "../../errors.js";
import { type States, stepOf } from "../series.js";

export interface Baseline {
  readonly name: string;
  /** One sentence for reports. */
  readonly description: string;
  /**
   * Forecasts from the states at `initIndices` of the series it was fitted on, `leadSteps` of its time steps ahead:
   * [init, channel, latitude, longitude]; do not write into it. The valid time may lie beyond the series.
   */
  predict(initIndices: ArrayLike<number>, leadSteps: number): Float32Array;
}

/** Half-open range of instants, milliseconds. */
export type TimeRange = readonly [start: number, end: number];

/** The indices of the series inside the range. Throws where there are too few to fit anything. */
export function trainingIndices(series: Pick<States, "times">, [start, end]: TimeRange): number[] {
  const indices = [...series.times.keys()].filter((i) => series.times[i] >= start && series.times[i] < end);
  if (indices.length < 8)
    throw new UsageError(
      `the training period holds ${indices.length} of the series' ${series.times.length} times; baselines need at least 8: widen it`,
    );
  return indices;
}

/** Pairs of indices `leadSteps` apart in time, both among `indices`, at most `limit` of them spread evenly. */
export function pairs(
  series: Pick<States, "times">,
  indices: readonly number[],
  leadSteps: number,
  limit = 4000,
): { from: number[]; to: number[] } {
  const step = stepOf(series);
  const at = new Map(indices.map((i) => [series.times[i], i]));
  const from = indices.filter((i) => at.has(series.times[i] + leadSteps * step));
  if (from.length === 0)
    throw new UsageError(
      `no two training times lie ${(leadSteps * step) / 3_600_000} h apart; widen the training period or shorten the lead`,
    );
  const stride = Math.ceil(from.length / limit);
  const kept = from.filter((_, k) => k % stride === 0);
  return { from: kept, to: kept.map((i) => at.get(series.times[i] + leadSteps * step)!) };
}
