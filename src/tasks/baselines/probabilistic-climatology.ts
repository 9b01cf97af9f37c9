/**
 * Probabilistic climatology: the training years' states of the same day and hour as members (WeatherBench 2's baseline for
 * ensembles). With few years the days around it join in.
 */
import { dayOfYear, hourOfDay } from "../../earth/time.js";
import { UsageError } from "../../errors.js";
import { stateAt, type States } from "../series.js";
import { type TimeRange, trainingIndices } from "./baseline.js";

export interface ProbabilisticClimatology {
  /** States of the training period within the window of days around the instant's, [member][channel, latitude, longitude]; views. */
  members(time: number): Float32Array[];
}

/** @param options.window days, odd; 1 is WeatherBench 2's (the same day only) */
export function probabilisticClimatology(
  series: States,
  options: { trainRange: TimeRange; window?: number },
): ProbabilisticClimatology {
  const { trainRange, window = 1 } = options;
  const half = (window - 1) / 2;
  const byHour = new Map<number, { day: number; index: number }[]>();
  for (const index of trainingIndices(series, trainRange)) {
    const hour = hourOfDay(series.times[index]);
    const entry = { day: dayOfYear(series.times[index], series.calendar), index };
    byHour.set(hour, [...(byHour.get(hour) ?? []), entry]);
  }
  return {
    members(time) {
      const day = dayOfYear(time, series.calendar);
      const near = (other: number) => {
        const apart = Math.abs(other - day);
        return Math.min(apart, 366 - apart) <= half;
      };
      const found = (byHour.get(hourOfDay(time)) ?? []).filter((entry) => near(entry.day));
      if (found.length < 2)
        throw new UsageError(
          `the training period has ${found.length} states within ${half} days of day ${day} at hour ${hourOfDay(time)}; widen the window or the period`,
        );
      return found.map(({ index }) => stateAt(series, index));
    },
  };
}
