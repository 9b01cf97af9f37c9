/**
 * Part of a dataset by meaning: names, a box of latitudes and longitudes, levels, a span of time. All of it lazy.
 *
 *     const europe = await subset(dataset, { variables: ["t2m"], box: { south: 35, north: 75, west: -12.5, east: 42.5 }, time: { start: "2013", end: "2014-03" } });
 */
import { daysInMonth, formatTime, instant, MS_PER_DAY, MS_PER_HOUR, parseTime, type Calendar } from "../earth/time.js";
import { DataError, UsageError } from "../errors.js";
import { toNumbers } from "../tensor/ndarray.js";
import { coordinate, readCoordinate, readTimes, wrapLongitude } from "./coords.js";
import { type Dataset, type Variable, variable } from "./dataset.js";
import { mappedVariable, taken, withVariables } from "./views.js";

/** Degrees; edges belong to the box. West may be greater than east: the box then crosses the grid's seam. */
export interface Box {
  readonly south?: number;
  readonly north?: number;
  readonly west?: number;
  readonly east?: number;
}

/** Both ends belong to the span. A text stands for all it covers: `end: "2014"` is to the last instant of 2014. */
export interface TimeSpan {
  readonly start?: string | number;
  readonly end?: string | number;
}

export interface SubsetOptions {
  readonly variables?: readonly string[];
  readonly box?: Box;
  /** Values of the level coordinate, in its units. */
  readonly levels?: readonly number[];
  readonly time?: TimeSpan;
}

/** The part of a dataset asked for; an error says what is not there. */
export async function subset(dataset: Dataset, options: SubsetOptions): Promise<Dataset> {
  const { variables, box, levels, time } = options;
  let part = variables ? withNames(dataset, variables) : dataset;
  if (box) part = await inBox(part, box);
  if (levels) part = taken(part, { level: await levelIndices(part, levels) });
  if (time) {
    const { values, calendar } = await readTimes(part);
    const indices = indicesInSpan(values, time, calendar);
    if (indices.length === 0)
      throw new DataError(
        dataset.source,
        `no time lies in ${spanText(time)}; it has ${formatTime(values[0], calendar)} to ${formatTime(values[values.length - 1], calendar)}`,
      );
    part = taken(part, { [coordinate(part, "time").dims[0] ?? "time"]: indices });
  }
  return part;
}

/** The named variables and the coordinates of their dimensions. */
function withNames(dataset: Dataset, names: readonly string[]): Dataset {
  const chosen = names.map((name) => variable(dataset, name));
  const dims = new Set(chosen.flatMap((v) => v.dims));
  const belongs = (v: Variable): boolean => {
    const aboutPlace = v.name === "latitude" || v.name === "longitude";
    return !chosen.includes(v) && (dims.has(v.name) || aboutPlace) && v.dims.every((dim) => dims.has(dim));
  };
  return withVariables(dataset, [...[...dataset.variables.values()].filter(belongs), ...chosen]);
}

async function inBox(dataset: Dataset, box: Box): Promise<Dataset> {
  const { south = -90, north = 90, west, east } = box;
  if (south > north) throw new UsageError(`the box's south (${south}) lies north of its north (${north})`);
  const latitude = coordinate(dataset, "latitude");
  const longitude = coordinate(dataset, "longitude");
  if (latitude.dims.length !== 1 || longitude.dims.length !== 1)
    throw new DataError(
      dataset.source,
      "its latitudes and longitudes are not one-dimensional; regrid it before cutting a box",
    );
  const latitudes = await readCoordinate(dataset, "latitude");
  const longitudes = await readCoordinate(dataset, "longitude");
  const rows = indicesWhere(latitudes, (y) => y >= south && y <= north);
  const columns = columnsBetween(longitudes, west, east);
  const missing = rows.length === 0 ? "latitude" : columns.indices.length === 0 ? "longitude" : undefined;
  if (missing)
    throw new DataError(
      dataset.source,
      `no ${missing} lies in the box ${JSON.stringify(box)}; it has ${range(missing === "latitude" ? latitudes : longitudes)}`,
    );
  const [alongY, alongX] = [latitude.dims[0], longitude.dims[0]];
  if (alongY === alongX) {
    // stations: both conditions on one dimension
    const inside = new Set(columns.indices);
    return taken(dataset, { [alongY]: rows.filter((i) => inside.has(i)) });
  }
  const cut = taken(dataset, { [alongY]: rows, [alongX]: columns.indices });
  if (columns.from === undefined) return cut;
  return withVariables(
    cut,
    [...cut.variables.values()].map((v) => (v.name === longitude.name ? turned(v, columns.from!) : v)),
  );
}

/** The columns between two meridians, eastward from `west`; `from` where their values must be turned to stay in order. */
function columnsBetween(longitudes: Float64Array, west?: number, east?: number): { indices: number[]; from?: number } {
  if (west === undefined && east === undefined) return { indices: indicesWhere(longitudes, () => true) };
  const from = west ?? Math.min(...longitudes);
  const width =
    east === undefined || west === undefined ? wrapLongitude((east ?? from + 360) - from, 0) || 360 : east - west;
  const span = width >= 360 ? 360 : wrapLongitude(width, 0);
  const distance = (x: number): number => wrapLongitude(x - from, 0);
  const near = (x: number): boolean => distance(x) <= span + 1e-9 || distance(x) >= 360 - 1e-9;
  const indices = indicesWhere(longitudes, near);
  const eastward = [...indices].sort(
    (a, b) => (distance(longitudes[a]) % (360 - 1e-9)) - (distance(longitudes[b]) % (360 - 1e-9)),
  );
  const inOrder = indices.every((each, i) => each === eastward[i]);
  return inOrder || longitudes[0] > longitudes[longitudes.length - 1] ? { indices } : { indices: eastward, from };
}

const turned = (v: Variable, from: number): Variable =>
  mappedVariable(
    v,
    (values) => ({
      shape: values.shape,
      dtype: "float64",
      data: Float64Array.from(toNumbers(values), (x) => wrapLongitude(x, from)),
    }),
    { dtype: "float64" },
  );

async function levelIndices(dataset: Dataset, levels: readonly number[]): Promise<number[]> {
  const known = await readCoordinate(dataset, "level");
  return levels.map((wanted) => {
    const at = known.findIndex((level) => Math.abs(level - wanted) <= 1e-6 * Math.abs(wanted));
    if (at < 0)
      throw new DataError(
        dataset.source,
        `there is no level ${wanted}; it has ${[...known].join(", ")} ${String(coordinate(dataset, "level").attrs["units"] ?? "")}`.trim(),
      );
    return at;
  });
}

/** The indices of the instants in a span. */
export function indicesInSpan(times: ArrayLike<number>, span: TimeSpan, calendar: Calendar = "standard"): number[] {
  const start =
    span.start === undefined
      ? -Infinity
      : typeof span.start === "number"
        ? span.start
        : parseTime(span.start, calendar);
  const end =
    span.end === undefined ? Infinity : typeof span.end === "number" ? span.end : lastInstant(span.end, calendar);
  if (start > end) throw new UsageError(`the time span ${spanText(span)} ends before it begins`);
  return indicesWhere(times, (t) => t >= start && t <= end);
}

/** The last millisecond a text covers: of the year, month, day, hour or minute it names. */
export function lastInstant(text: string, calendar: Calendar = "standard"): number {
  const start = parseTime(text, calendar);
  const trimmed = text.trim();
  const yearMonth = /^([+-]?\d{1,6})(?:-(\d{1,2}))?$/.exec(trimmed);
  if (yearMonth && !/^\d{5,}$/.test(trimmed)) {
    const [, year, month] = yearMonth;
    if (!month) return instant({ year: +year + 1 }, calendar) - 1;
    return start + daysInMonth(+year, +month, calendar) * MS_PER_DAY - 1;
  }
  if (/^([+-]?\d{1,6}-\d{1,2}-\d{1,2}|\d{8})$/.test(trimmed)) return start + MS_PER_DAY - 1;
  if (/[T\s]\d{1,2}Z?$|^\d{10}$/.test(trimmed)) return start + MS_PER_HOUR - 1;
  return /[T\s]\d{1,2}:\d{2}Z?$/.test(trimmed) ? start + 60_000 - 1 : start;
}

const spanText = ({ start, end }: TimeSpan): string => {
  const show = (t: string | number | undefined): string => (typeof t === "number" ? formatTime(t) : (t ?? "..."));
  return `${show(start)} to ${show(end)}`;
};

const range = (values: Float64Array): string => `${Math.min(...values)} to ${Math.max(...values)}`;

function indicesWhere(values: ArrayLike<number>, holds: (value: number) => boolean): number[] {
  const indices: number[] = [];
  for (let i = 0; i < values.length; i++) if (holds(values[i])) indices.push(i);
  return indices;
}
