/**
 * Climatology by day of the year and hour of the day of a series (`data/day-sums.ts` says how; WeatherBench 2's definition),
 * as what anomalies are counted from and as a forecast. Also one that others made, read from a file in WeatherBench 2's layout.
 *
 * The mean of years in which the window is only partly seen is over what is seen, so a training period of a year and a bit works.
 */
import { canonical, ordered, readCoordinate } from "../../data/coords.js";
import type { Dataset } from "../../data/dataset.js";
import { daySlots, DaySums, uncovered } from "../../data/day-sums.js";
import { type Calendar, dayOfYear, hourOfDay } from "../../earth/time.js";
import { DataError, UsageError } from "../../errors.js";
import { toNumbers } from "../../tensor/ndarray.js";
import { memoryRows, type RowMaker, type Rows } from "../../tensor/rows.js";
import { channelsOf, stateAt, type States, stateSize, stepOf } from "../series.js";
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
  /** Where the means are kept. */
  readonly rows?: RowMaker;
  /** Bytes of running sums at a time. */
  readonly memory?: number;
}

/** Mean over the window of days around each day, from the training period alone. */
export function fitClimatology(series: States, options: ClimatologyOptions): Climatology {
  const { trainRange, window = 61, rows = memoryRows, memory = 256e6 } = options;
  if (!Number.isInteger(window) || window < 3 || window % 2 === 0)
    throw new UsageError(`the climatology window is ${window} days; it must be odd and at least 3`);
  const indices = trainingIndices(series, trainRange);
  const instants = indices.map((i) => series.times[i]);
  const slots = daySlots(instants, series.calendar);
  // Part of a year knows nothing of the other seasons: its own mean is then all there is, and the description says so.
  const partial = uncovered(slots, instants, window).length > 0;
  // All days in one: a year of a single day.
  const kept = partial ? { ...slots, days: 1, of: (ms: number) => [slots.hours.indexOf(hourOfDay(ms))] } : slots;
  const size = stateSize(series);
  const means = rows.float32(kept.hours.length * kept.days, size);
  const cells = Math.max(1, Math.min(size, Math.floor(memory / DaySums.bytesPerCell(kept))));
  for (let from = 0; from < size; from += cells) {
    const to = Math.min(size, from + cells);
    const sums = new DaySums(kept, to - from);
    for (const index of indices) sums.add(series.times[index], stateAt(series, index).subarray(from, to));
    sums.means(partial ? 1 : window, (slot, mean) => means.set(slot, mean, from));
  }
  const description = partial
    ? "mean by hour of the day over the training period, which is too short for a mean by day of the year"
    : `mean by day of the year and hour over the training period, ${window}-day triangular window`;
  return bySlot(means, { ...kept, calendar: series.calendar, description });
}

/**
 * A climatology from a file of (hour, dayofyear, [level], latitude, longitude), as WeatherBench 2 publishes them, for the channels,
 * grid and order of rows of the series.
 */
export async function readClimatology(
  file: Dataset,
  series: States,
  options: { rows?: RowMaker } = {},
): Promise<Climatology> {
  const { rows = memoryRows } = options;
  const dataset = await ordered(canonical(file), "latitude");
  const wrong = (what: string) => new DataError(file.source, what);
  if (!("hour" in dataset.dims) || !("dayofyear" in dataset.dims))
    throw wrong(
      `a climatology has the dimensions hour and dayofyear; it has ${Object.keys(dataset.dims).join(", ")}. Leave --climatology out to compute one from the truth`,
    );
  if (series.scattered) throw wrong("a climatology on a grid does not serve stations; leave --climatology out");
  for (const name of ["latitude", "longitude"] as const) {
    const [own, theirs] = [series[`${name}s`], await readCoordinate(dataset, name)];
    if (own.length !== theirs.length || own.some((x, i) => Math.abs(((x - theirs[i] + 540) % 360) - 180) > 1e-3))
      throw wrong(
        `its ${theirs.length} ${name}s are not the ${own.length} of the truth; bring it to that grid with 'foehn convert --regrid'`,
      );
  }
  const hours = [...(await readCoordinate(dataset, "hour"))];
  const days = dataset.dims["dayofyear"];
  const channels = await channelsOf(dataset, series.channels);
  const cells = stateSize(series) / channels.length;
  const means = rows.float32(hours.length * days, stateSize(series));
  for (const [c, { variable, level }] of channels.entries())
    for (let slot = 0; slot < hours.length * days; slot++) {
      const at = { hour: Math.floor(slot / days), dayofyear: slot % days };
      means.set(slot, toNumbers(await variable.read({ ...at, ...(level === undefined ? {} : { level }) })), c * cells);
    }
  return bySlot(means, {
    hours,
    days,
    calendar: series.calendar,
    description: `mean by day and hour of ${file.source}`,
  });
}

function bySlot(
  means: Rows,
  of: { hours: readonly number[]; days: number; calendar: Calendar; description: string },
): Climatology {
  const { hours, days, calendar, description } = of;
  return {
    description,
    at(time) {
      const hour = hours.indexOf(hourOfDay(time));
      if (hour < 0)
        throw new UsageError(
          `the climatology has no times at hour ${hourOfDay(time)}, only at ${hours.join(", ")}: train it on times of that hour too`,
        );
      return means.get(hour * days + Math.min(days, dayOfYear(time, calendar)) - 1);
    },
  };
}

/** The climatology of the valid time as a forecast. */
export function climatologyForecast(series: States, climatology: Climatology): Baseline {
  const step = stepOf(series);
  const size = stateSize(series);
  return {
    name: "climatology",
    description: climatology.description,
    predict(initIndices, leadSteps) {
      const mean = (k: number) => climatology.at(series.times[initIndices[k]] + leadSteps * step);
      if (initIndices.length === 1) return mean(0);
      const out = new Float32Array(initIndices.length * size);
      for (let k = 0; k < initIndices.length; k++) out.set(mean(k), k * size);
      return out;
    },
  };
}
