/** The training, validation and test periods of a record: apart in time, none looking into another. */
import { splitByTime } from "../../data/split.js";
import { formatTime } from "../../earth/time.js";
import { UsageError } from "../../errors.js";
import type { TimeRange } from "../baselines/index.js";
import { type Series, stepOf } from "../series.js";
import type { ForecastConfig } from "./config.js";

export interface Periods {
  readonly train: TimeRange;
  readonly validation: TimeRange;
  readonly test: TimeRange;
}

/** The periods that a configuration names, or 70, 10 and 20 parts of the record, each beginning a gap after the one before. */
export function resolvePeriods(
  series: Series,
  {
    data,
    forecast,
  }: {
    readonly data: Pick<ForecastConfig["data"], "train" | "validation" | "test" | "gap">;
    readonly forecast: Pick<ForecastConfig["forecast"], "maxLead">;
  },
): Periods {
  const { times, calendar } = series;
  const named = [data.train, data.validation, data.test].filter((p) => p !== undefined).length;
  if (named !== 0 && named !== 3)
    throw new UsageError("name all three of data.train, data.validation and data.test, or none of them");
  const part = (from: number, to: number): [string, string] => [
    formatTime(times[Math.floor(from * times.length)], calendar),
    formatTime(times[Math.floor(to * times.length) - 1], calendar),
  ];
  const span = ([start, end]: readonly [string, string]) => ({ start, end });
  const parts = splitByTime(times, {
    train: span(data.train ?? part(0, 0.7)),
    validation: span(data.validation ?? part(0.7, 0.8)),
    test: span(data.test ?? part(0.8, 1)),
    gap: data.gap ?? forecast.maxLead,
    calendar,
  });
  const range = (indices: readonly number[]): TimeRange => [
    times[indices[0]],
    times[indices[indices.length - 1]] + stepOf(series),
  ];
  return { train: range(parts.train), validation: range(parts.validation), test: range(parts.test) };
}

/** Indices of starts whose whole history lies in the range and whose target `leadSteps` ahead does too. Gaps in the record are left out. */
export function startsIn(series: Series, range: TimeRange, history: number, leadSteps: number): number[] {
  const step = stepOf(series);
  const { times } = series;
  const inside = (i: number) => i >= 0 && i < times.length && times[i] >= range[0] && times[i] < range[1];
  const regular = (from: number, to: number) =>
    inside(from) && inside(to) && times[to] - times[from] === (to - from) * step;
  return [...times.keys()].filter((i) => regular(i - history + 1, i + leadSteps));
}
