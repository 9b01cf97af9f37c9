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

/**
 * @param options.window days, odd; 1 is WeatherBench 2's (the same day only)
 * @param options.fewest where the window holds fewer states than this, as many that are nearest in the season
 */
export function probabilisticClimatology(
  series: States,
  options: { trainRange: TimeRange; window?: number; fewest?: number },
): ProbabilisticClimatology {
  const { trainRange, window = 1, fewest = 0 } = options;
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
      const apart = (other: number) => Math.min(Math.abs(other - day), 366 - Math.abs(other - day));
      const all = byHour.get(hourOfDay(time)) ?? [];
      const inside = all.filter((entry) => apart(entry.day) <= half);
      const found =
        inside.length >= fewest
          ? inside
          : all.toSorted((a, b) => apart(a.day) - apart(b.day) || a.index - b.index).slice(0, fewest);
      if (found.length < 2)
        throw new UsageError(
          `the training period has ${found.length} states within ${half} days of day ${day} at hour ${hourOfDay(time)}; widen the window or the period`,
        );
      return found.map(({ index }) => stateAt(series, index));
    },
  };
}
