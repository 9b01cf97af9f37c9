/**
 * Climatology by day of the year and hour of the day, as WeatherBench 2 defines it (`compute_climatology.py`): for each
 * hour, the weighted mean over all years and a 61-day window around the day, triangular weights from 1 at the day to 0 at
 * thirty days' distance; the days wrap around the year, and a year without a 366th day repeats its 365th there.
 *
 *     const normal = await climatology(dataset, ["t2m"], { times: split.train });
 *     const field = climatologyAt(normal, "t2m", Date.UTC(2020, 1, 29, 6));
 *
 * One pass over the data, a block of grid points at a time, so memory does not grow with the years. Missing values take no
 * part. A year or two of data are enough, as long as every day has some within its window.
 */
import { type Calendar, dayOfYear, formatTime, hourOfDay } from "../earth/time.js";
import { DataError, UsageError } from "../errors.js";
import { sizeOf, toNumbers } from "../tensor/ndarray.js";
import { readTimes } from "./coords.js";
import { type DaySlots, daySlots, DaySums, uncovered } from "./day-sums.js";
import { type Dataset, memoryDataset, type MemoryVariable, type Variable, variable } from "./dataset.js";

export interface ClimatologyOptions {
  /** Indices of the times to learn from (the training years); all of them unless given. */
  readonly times?: readonly number[];
  /** Days, odd. */
  readonly window?: number;
  /** Bytes of running sums kept at a time. */
  readonly memory?: number;
}

export interface ClimatologyField {
  /** What is left of the variable's dimensions without time. */
  readonly dims: readonly string[];
  readonly shape: readonly number[];
  readonly units?: string;
  /** [hour, day of year, ...dims]. */
  readonly values: Float32Array;
}

export interface Climatology {
  /** UTC, ascending: those the data have. */
  readonly hours: readonly number[];
  /** Of the longest year: 366 in the standard calendar. */
  readonly days: number;
  readonly calendar: Calendar;
  readonly fields: Readonly<Record<string, ClimatologyField>>;
  /** Coordinates of the fields' dimensions. */
  readonly coordinates: Readonly<Record<string, MemoryVariable>>;
}

/** The climatology of some variables. */
export async function climatology(
  dataset: Dataset,
  names: readonly string[],
  options: ClimatologyOptions = {},
): Promise<Climatology> {
  const { window = 61, memory = 512 * 2 ** 20 } = options;
  if (!Number.isInteger(window) || window < 1 || window % 2 === 0)
    throw new UsageError(`the climatology's window is ${window} days; it must be odd (WeatherBench 2: 61)`);
  const { values: instants, calendar } = await readTimes(dataset);
  const times = options.times ?? Array.from(instants, (_, i) => i);
  const entries = times.map((index) => ({ index, ms: instants[index] }));
  const chosen = entries.map(({ ms }) => ms);
  const slots = daySlots(chosen, calendar);
  assertCovered(slots, window, chosen, calendar, dataset.source);
  const fields: Record<string, ClimatologyField> = {};
  for (const name of names)
    fields[name] = await climatologyField(dataset, variable(dataset, name), slots, entries, window, memory);
  const dims = new Set(Object.values(fields).flatMap((field) => field.dims));
  const coordinates: Record<string, MemoryVariable> = {};
  for (const dim of dims) {
    const v = dataset.variables.get(dim);
    if (v && !v.readStrings) coordinates[dim] = { dims: v.dims, data: await v.read(), attrs: v.attrs };
  }
  return { hours: slots.hours, days: slots.days, calendar, fields, coordinates };
}

/** Refuses data in which some day of the year has no value within its window. */
function assertCovered(
  slots: DaySlots,
  window: number,
  instants: readonly number[],
  calendar: Calendar,
  source: string,
): void {
  const [slot] = uncovered(slots, instants, window);
  if (slot === undefined) return;
  const { hours, days } = slots;
  throw new DataError(
    source,
    `the times from ${formatTime(instants[0], calendar)} to ${formatTime(instants[instants.length - 1], calendar)} have nothing within ${Math.max(0, (window - 1) / 2 - 1)} days of day ${(slot % days) + 1} of the year at ${hours[Math.floor(slot / days)]} UTC; a climatology needs at least a whole year`,
  );
}

async function climatologyField(
  dataset: Dataset,
  v: Variable,
  slots: DaySlots,
  entries: readonly { index: number; ms: number }[],
  window: number,
  memory: number,
): Promise<ClimatologyField> {
  const axis = v.dims.indexOf("time");
  if (axis < 0) throw new DataError(dataset.source, `variable '${v.name}' has no time, so it has no climatology`);
  const dims = v.dims.filter((_, i) => i !== axis);
  const shape = v.shape.filter((_, i) => i !== axis);
  const cells = sizeOf(shape);
  const values = new Float32Array(slots.hours.length * slots.days * cells);
  // blocks along the first dimension that is left, so that sums and counts fit into `memory`
  const rows = shape[0] ?? 1;
  const rowCells = cells / rows;
  const blockRows = Math.max(1, Math.min(rows, Math.floor(memory / (DaySums.bytesPerCell(slots) * rowCells))));
  for (let row = 0; row < rows; row += blockRows) {
    const n = Math.min(blockRows, rows - row);
    const sums = new DaySums(slots, n * rowCells);
    const block = dims[0] ? { [dims[0]]: { start: row, stop: row + n } } : {};
    // as many times at once as a chunk holds, within a few megabytes
    const most = Math.ceil(2 ** 22 / Math.max(1, n * rowCells));
    const batch = Math.max(1, Math.min(Math.max(v.chunks?.[axis] ?? 64, 1), most));
    for (let from = 0; from < entries.length; from += batch) {
      const some = entries.slice(from, from + batch);
      const array = await v.read({ ...block, time: some.map(({ index }) => index) });
      const data = toNumbers(array);
      const fieldOf = timeField(array.shape, axis, n * rowCells);
      some.forEach(({ ms }, t) => sums.add(ms, fieldOf(data, t)));
    }
    sums.means(window, (slot, mean) => values.set(mean, slot * cells + row * rowCells));
  }
  const units = v.attrs["units"];
  return { dims, shape, values, ...(typeof units === "string" ? { units } : {}) };
}

/** The field of one time in an array whose time axis may be any. */
function timeField(
  shape: readonly number[],
  axis: number,
  cells: number,
): (data: ArrayLike<number>, time: number) => ArrayLike<number> {
  const inner = sizeOf(shape.slice(axis + 1));
  const length = shape[axis];
  if (axis === 0) return (data, time) => (data as Float32Array).subarray(time * inner, (time + 1) * inner); // typed arrays all
  return (data, time) =>
    Float64Array.from(
      { length: cells },
      (_, cell) => data[(Math.floor(cell / inner) * length + time) * inner + (cell % inner)],
    );
}

/**
 * The climatological field of an instant: of its day of the year, at its hour. Between the hours the data have, the two
 * nearest are interpolated linearly (across midnight with the neighbouring day).
 */
export function climatologyAt(normal: Climatology, name: string, ms: number): Float32Array {
  const field = normal.fields[name];
  if (!field)
    throw new UsageError(`the climatology has no variable '${name}'; it has ${Object.keys(normal.fields).join(", ")}`);
  const { hours, days, calendar } = normal;
  const cells = sizeOf(field.shape);
  const at = (slot: number): Float32Array => field.values.subarray(slot * cells, (slot + 1) * cells);
  const day = Math.min(days, dayOfYear(ms, calendar)) - 1;
  const hour = hourOfDay(ms);
  const exact = hours.indexOf(hour);
  if (exact >= 0) return at(exact * days + day).slice();
  if (hours.length === 1) return at(day).slice();
  const after = hours.findIndex((h) => h > hour);
  const [h1, d1] = after <= 0 ? [hours.length - 1, after === 0 ? -1 : 0] : [after - 1, 0];
  const [h2, d2] = after < 0 ? [0, 1] : [after, 0];
  const from = hours[h1] + 24 * d1;
  const to = hours[h2] + 24 * d2;
  const share = (hour - from) / (to - from);
  const wrap = (d: number): number => (d + days) % days;
  const a = at(h1 * days + wrap(day + d1));
  const b = at(h2 * days + wrap(day + d2));
  return a.map((x, i) => x + share * (b[i] - x));
}

/** The climatology as a dataset in WeatherBench 2's layout: (hour, dayofyear, ...). */
export function climatologyDataset(normal: Climatology): Dataset {
  const { hours, days, fields, coordinates } = normal;
  const numbers = (values: readonly number[]): MemoryVariable["data"] => ({
    dtype: "int64",
    shape: [values.length],
    data: BigInt64Array.from(values, (x) => BigInt(Math.round(x))),
  });
  return memoryDataset(
    {
      hour: { dims: ["hour"], data: numbers(hours) },
      dayofyear: { dims: ["dayofyear"], data: numbers(Array.from({ length: days }, (_, i) => i + 1)) },
      ...coordinates,
      ...Object.fromEntries(
        Object.entries(fields).map(([name, { dims, shape, values, units }]): [string, MemoryVariable] => [
          name,
          {
            dims: ["hour", "dayofyear", ...dims],
            data: { dtype: "float32", shape: [hours.length, days, ...shape], data: values },
            attrs: units ? { units } : {},
          },
        ]),
      ),
    },
    { source: "climatology" },
  );
}
