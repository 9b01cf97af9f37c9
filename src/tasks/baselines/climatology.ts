/**
 * Climatology by day of the year and hour of the day, as WeatherBench 2 makes it (`compute_climatology.py`): for each hour, the
 * mean over the training years and a window of days around the day, with triangular weights that reach 0 at the window's ends (61
 * days: 59 with weight). Years wrap around; in a year without a 366th day the 365th stands for it.
 *
 * The mean of years in which the window is only partly seen is over what is seen, so a training period of a year and a bit works.
 */
import { dateParts, dayOfYear, daysInYear, hourOfDay } from "../../earth/time.js";
import { UsageError } from "../../errors.js";
import { type Series, stateAt, stateSize, stepOf } from "../series.js";
import { type Baseline, type TimeRange, trainingIndices } from "./baseline.js";

export interface Climatology {
  /** The mean state at an instant of any year, [channel, latitude, longitude]; kept, do not write into it. */
  at(time: number): Float32Array;
  readonly description: string;
}

export interface ClimatologyOptions {
  readonly trainRange: TimeRange;
  /** Days, odd. WeatherBench 2's 61 unless given. */
  readonly window?: number;
}

/** Mean over the window of days around each day, from the training period alone. */
export function fitClimatology(series: Series, { trainRange, window = 61 }: ClimatologyOptions): Climatology {
  if (!Number.isInteger(window) || window < 3 || window % 2 === 0)
    throw new UsageError(`the climatology window is ${window} days; it must be odd and at least 3`);
  const size = stateSize(series);
  const days = 366;
  const half = (window - 1) / 2;

  // Per day and hour, the sum over years; days without a sample stay absent. `gaps` counts missing values, where there are any.
  const sums = new Map<string, { sum: Float64Array; years: number; gaps?: Uint16Array }>();
  const hours = new Set<number>();
  const add = (day: number, hour: number, state: Float32Array) => {
    const key = `${day}/${hour}`;
    let slot = sums.get(key);
    if (!slot) sums.set(key, (slot = { sum: new Float64Array(size), years: 0 }));
    slot.years++;
    for (let i = 0; i < size; i++) {
      if (state[i] === state[i]) slot.sum[i] += state[i];
      else (slot.gaps ??= new Uint16Array(size))[i]++;
    }
  };
  for (const index of trainingIndices(series, trainRange)) {
    const time = series.times[index];
    const hour = hourOfDay(time);
    hours.add(hour);
    const day = dayOfYear(time, series.calendar);
    const yearLength = daysInYear(dateParts(time, series.calendar).year, series.calendar);
    add(day, hour, stateAt(series, index));
    if (day === 365 && yearLength === 365) add(366, hour, stateAt(series, index));
  }

  // Part of a year knows nothing of the other seasons: its own mean is then all there is, and the description says so
  const partial = longestGap(new Set([...sums.keys()].map((key) => Number(key.split("/")[0]))), days) > half - 1;
  const reach = partial ? days / 2 : half;
  const weightOf = (distance: number) => (partial ? 1 : 1 - Math.abs(distance) / half);

  const known = new Map<string, Float32Array>();
  const smooth = (day: number, hour: number): Float32Array => {
    const key = `${day}/${hour}`;
    const before = known.get(key);
    if (before) return before;
    const total = new Float64Array(size);
    const missing = new Float64Array(size);
    let weight = 0;
    for (let distance = 1 - reach; distance <= (partial ? reach : reach - 1); distance++) {
      const slot = sums.get(`${((((day - 1 + distance) % days) + days) % days) + 1}/${hour}`);
      if (!slot) continue;
      const w = weightOf(distance);
      const { sum, years, gaps } = slot;
      weight += w * years;
      for (let i = 0; i < size; i++) total[i] += w * sum[i];
      if (gaps) for (let i = 0; i < size; i++) missing[i] += w * gaps[i];
    }
    const mean = new Float32Array(size); // NaN only where every value was missing
    for (let i = 0; i < size; i++) mean[i] = weight > missing[i] ? total[i] / (weight - missing[i]) : NaN;
    known.set(key, mean);
    return mean;
  };

  return {
    description: partial
      ? "mean by hour of the day over the training period, which is too short for a mean by day of the year"
      : `mean by day of the year and hour over the training period, ${window}-day triangular window`,
    at(time) {
      const hour = hourOfDay(time);
      if (!hours.has(hour))
        throw new UsageError(
          `the training period has no times at hour ${hour}, only at ${[...hours].sort((a, b) => a - b).join(", ")}; the climatology knows no others`,
        );
      return smooth(dayOfYear(time, series.calendar), hour);
    },
  };
}

/** The longest run of days of the year, around its end, that no time falls on. */
function longestGap(seen: ReadonlySet<number>, days: number): number {
  let longest = 0;
  let run = 0;
  for (let day = 0; day < 2 * days; day++) {
    run = seen.has((day % days) + 1) ? 0 : run + 1;
    longest = Math.max(longest, run);
  }
  return Math.min(longest, days);
}

/** The climatology of the valid time as a forecast. */
export function climatologyForecast(series: Series, climatology: Climatology): Baseline {
  const step = stepOf(series);
  const size = stateSize(series);
  return {
    name: "climatology",
    description: climatology.description,
    predict(initIndices, leadSteps) {
      const out = new Float32Array(initIndices.length * size);
      for (let k = 0; k < initIndices.length; k++)
        out.set(climatology.at(series.times[initIndices[k]] + leadSteps * step), k * size);
      return out;
    },
  };
}
