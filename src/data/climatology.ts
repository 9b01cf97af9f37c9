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
import { type Calendar, dateParts, dayOfYear, daysInYear, formatTime, hourOfDay } from "../earth/time.js";
import { DataError, UsageError } from "../errors.js";
import { sizeOf, toNumbers } from "../tensor/ndarray.js";
import { readTimes } from "./coords.js";
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

const LONGEST_YEAR: Readonly<Record<Calendar, number>> = {
  standard: 366,
  proleptic_gregorian: 366,
  julian: 366,
  all_leap: 366,
  noleap: 365,
  "360_day": 360,
};

/** The slots (hour, day) that each time of the data counts towards. */
interface Slots {
  readonly hours: number[];
  readonly days: number;
  /** By time: index of the time in the data, and its one or two slots `hour * days + day`. */
  readonly entries: { time: number; slots: number[] }[];
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
  const slots = slotsOf(instants, times, calendar);
  assertCovered(slots, window, instants, times, calendar, dataset.source);
  const fields: Record<string, ClimatologyField> = {};
  for (const name of names)
    fields[name] = await climatologyField(dataset, variable(dataset, name), slots, window, memory);
  const dims = new Set(Object.values(fields).flatMap((field) => field.dims));
  const coordinates: Record<string, MemoryVariable> = {};
  for (const dim of dims) {
    const v = dataset.variables.get(dim);
    if (v && !v.readStrings) coordinates[dim] = { dims: v.dims, data: await v.read(), attrs: v.attrs };
  }
  return { hours: slots.hours, days: slots.days, calendar, fields, coordinates };
}

function slotsOf(instants: Float64Array, times: readonly number[], calendar: Calendar): Slots {
  const days = LONGEST_YEAR[calendar];
  const hours = [...new Set(times.map((i) => hourOfDay(instants[i])))].sort((a, b) => a - b);
  const entries = times.map((time) => {
    const ms = instants[time];
    const day = dayOfYear(ms, calendar) - 1;
    const base = hours.indexOf(hourOfDay(ms)) * days;
    const isLast = day === 364 && days === 366 && daysInYear(dateParts(ms, calendar).year, calendar) === 365;
    return { time, slots: isLast ? [base + day, base + 365] : [base + day] };
  });
  return { hours, days, entries };
}

/** Refuses data in which some day of the year has no value within its window. */
function assertCovered(
  { hours, days, entries }: Slots,
  window: number,
  instants: Float64Array,
  times: readonly number[],
  calendar: Calendar,
  source: string,
): void {
  const reach = Math.max(0, (window - 1) / 2 - 1);
  const seen = new Uint8Array(hours.length * days);
  for (const { slots } of entries) for (const slot of slots) seen[slot] = 1;
  for (let hour = 0; hour < hours.length; hour++)
    for (let day = 0; day < days; day++) {
      let found = false;
      for (let d = -reach; d <= reach && !found; d++) found = seen[hour * days + ((day + d + days * 2) % days)] === 1;
      if (!found)
        throw new DataError(
          source,
          `the times from ${formatTime(instants[times[0]], calendar)} to ${formatTime(instants[times[times.length - 1]], calendar)} have nothing within ${reach} days of day ${day + 1} of the year at ${hours[hour]} UTC; a climatology needs at least a whole year`,
        );
    }
}

async function climatologyField(
  dataset: Dataset,
  v: Variable,
  slots: Slots,
  window: number,
  memory: number,
): Promise<ClimatologyField> {
  const axis = v.dims.indexOf("time");
  if (axis < 0) throw new DataError(dataset.source, `variable '${v.name}' has no time, so it has no climatology`);
  const dims = v.dims.filter((_, i) => i !== axis);
  const shape = v.shape.filter((_, i) => i !== axis);
  const cells = sizeOf(shape);
  const nSlots = slots.hours.length * slots.days;
  const values = new Float32Array(nSlots * cells);
  // blocks along the first dimension that is left, so that sums and counts fit into `memory`
  const rows = shape[0] ?? 1;
  const rowCells = cells / rows;
  const blockRows = Math.max(1, Math.min(rows, Math.floor(memory / (nSlots * rowCells * 12))));
  for (let row = 0; row < rows; row += blockRows) {
    const n = Math.min(blockRows, rows - row);
    const block = await sumsOf(
      v,
      slots,
      dims[0] ? { [dims[0]]: { start: row, stop: row + n } } : {},
      n * rowCells,
      axis,
    );
    smooth(block, slots, window, n * rowCells, (slot, cell, value) => {
      values[slot * cells + row * rowCells + cell] = value;
    });
  }
  const units = v.attrs["units"];
  return { dims, shape, values, ...(typeof units === "string" ? { units } : {}) };
}

/** Sums and counts of a block of cells by slot. */
async function sumsOf(
  v: Variable,
  { hours, days, entries }: Slots,
  block: Record<string, { start: number; stop: number }>,
  cells: number,
  axis: number,
): Promise<{ sums: Float64Array; counts: Float32Array }> {
  const sums = new Float64Array(hours.length * days * cells);
  const counts = new Float32Array(hours.length * days * cells);
  // as many times at once as a chunk holds, within a few megabytes
  const batch = Math.max(1, Math.min(Math.max(v.chunks?.[axis] ?? 64, 1), Math.ceil(2 ** 22 / Math.max(1, cells))));
  for (let from = 0; from < entries.length; from += batch) {
    const some = entries.slice(from, from + batch);
    const array = await v.read({ ...block, time: some.map(({ time }) => time) });
    const data = toNumbers(array);
    const order = timeFirst(array.shape, axis);
    some.forEach(({ slots }, t) => {
      for (const slot of slots) {
        const base = slot * cells;
        for (let cell = 0; cell < cells; cell++) {
          const x = data[order(t, cell)];
          if (x === x) {
            sums[base + cell] += x;
            counts[base + cell]++;
          }
        }
      }
    });
  }
  return { sums, counts };
}

/** Where value (time, cell) lies in an array whose time axis may be any. */
function timeFirst(shape: readonly number[], axis: number): (time: number, cell: number) => number {
  const inner = sizeOf(shape.slice(axis + 1));
  const length = shape[axis];
  if (axis === 0) return (time, cell) => time * inner + cell;
  return (time, cell) => (Math.floor(cell / inner) * length + time) * inner + (cell % inner);
}

/** Weighted means over the window of days, circular. */
function smooth(
  { sums, counts }: { sums: Float64Array; counts: Float32Array },
  { hours, days }: Slots,
  window: number,
  cells: number,
  put: (slot: number, cell: number, value: number) => void,
): void {
  const half = (window - 1) / 2;
  const weights = Array.from({ length: window }, (_, i) => (half === 0 ? 1 : 1 - Math.abs(i - half) / half));
  const total = new Float64Array(cells);
  const weight = new Float64Array(cells);
  for (let hour = 0; hour < hours.length; hour++)
    for (let day = 0; day < days; day++) {
      total.fill(0);
      weight.fill(0);
      for (let k = -half; k <= half; k++) {
        const w = weights[k + half];
        if (w === 0) continue;
        const base = (hour * days + ((((day + k) % days) + days) % days)) * cells;
        for (let cell = 0; cell < cells; cell++) {
          total[cell] += w * sums[base + cell];
          weight[cell] += w * counts[base + cell];
        }
      }
      for (let cell = 0; cell < cells; cell++) put(hour * days + day, cell, total[cell] / weight[cell]);
    }
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
