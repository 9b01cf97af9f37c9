/**
 * Tables of observations (CSV, Parquet) as Datasets. A table of reports, one row a station and time, becomes variables on
 * (time, station); one without stations, on (time); anything else stays a list of rows.
 *
 *     const table = parseCsv(text, { source: "obs.csv", missing: ["-9999"] });
 *     const dataset = tableDataset(table, { units: { temp: "degF" } });
 *
 * Which column is what is told by usual names. Units are taken from the header where it names them (`rain_mm`, `temp [K]`)
 * or from `units`; they are never guessed from values.
 */
import { daysInYear, instant, MS_PER_DAY, parseTime } from "../earth/time.js";
import { isUnit } from "../earth/units.js";
import { DataError } from "../errors.js";
import { sizeOf, stridesOf } from "../tensor/ndarray.js";
import { copyBlock } from "./blocks.js";
import { decoded } from "./cf.js";
import { type Attributes, type Dataset, memoryDataset, type MemoryVariable, type Variable } from "./dataset.js";

/** Numbers (missing: NaN) or texts (missing: ""). */
export type Column = Float64Array | readonly string[];

export interface Table {
  readonly source: string;
  readonly format: string;
  readonly columns: ReadonlyMap<string, Column>;
  /** Columns that hold instants already, in milliseconds. */
  readonly instants?: ReadonlySet<string>;
}

export interface TableOptions {
  /** Units by column; they win over those the header names. */
  readonly units?: Readonly<Record<string, string>>;
  /** Which columns are these, where their names do not say. */
  readonly time?: string;
  readonly station?: string;
  /** A table of the stations themselves: a row each, with the station's name in a column. */
  readonly stations?: Table;
}

const TIME_NAMES = [
  "time",
  "datetime",
  "timestamp",
  "valid_time",
  "valid",
  "time_hour",
  "timenominal",
  "timeobs",
  "date",
  "dt",
];
const STATION_NAMES = [
  "station",
  "station_id",
  "stationname",
  "station_name",
  "stid",
  "id",
  "site",
  "origin",
  "usaf",
  "wmo",
  "icao",
  "name",
];
const PLACE_NAMES: Readonly<Record<string, { names: readonly string[]; attrs: Attributes }>> = {
  latitude: { names: ["latitude", "lat"], attrs: { units: "degrees_north", standard_name: "latitude" } },
  longitude: {
    names: ["longitude", "lon", "long", "lng"],
    attrs: { units: "degrees_east", standard_name: "longitude" },
  },
  elevation: {
    names: ["elevation", "elev", "altitude", "alt", "height"],
    attrs: { units: "m", standard_name: "surface_altitude" },
  },
};

/** Endings of column names that say units, as station files write them. */
const UNIT_ENDINGS: Readonly<Record<string, string>> = {
  mm: "mm",
  cm: "cm",
  m: "m",
  km: "km",
  c: "degC",
  degc: "degC",
  f: "degF",
  degf: "degF",
  k: "K",
  pct: "%",
  percent: "%",
  hpa: "hPa",
  pa: "Pa",
  mb: "hPa",
  inhg: "inHg",
  kt: "knot",
  kts: "knot",
  ms: "m s-1",
  mps: "m s-1",
  kmh: "km h-1",
  mph: "mph",
  deg: "degree",
  wm2: "W m-2",
};

/** The units a column's name says, as `temp [K]`, `wind (m/s)` or `rain_mm`. */
export function unitsInName(name: string): { name: string; units?: string } {
  const bracketed = /^(.*?)\s*[[(]([^\])]+)[\])]\s*$/.exec(name);
  if (bracketed && isUnit(bracketed[2])) return { name: bracketed[1].trim(), units: bracketed[2] };
  const ending = /_([A-Za-z0-9]+)$/.exec(name)?.[1].toLowerCase();
  return { name, units: ending ? UNIT_ENDINGS[ending] : undefined };
}

const columnOf = (table: Table, names: readonly string[]): string | undefined => {
  const byLower = new Map([...table.columns.keys()].map((name) => [name.toLowerCase(), name]));
  const found = names.find((name) => byLower.has(name));
  return found === undefined ? undefined : byLower.get(found);
};

/** The instants of a table's rows and the columns they were told from; undefined where it has none. */
function rowTimes(table: Table, chosen?: string): { values: Float64Array; columns: string[] } | undefined {
  const name = chosen ?? columnOf(table, TIME_NAMES);
  const column = name === undefined ? undefined : table.columns.get(name);
  const parts = ["year", "month", "day", "hour", "minute"].map((part) => columnOf(table, [part]));
  // beside a column of whole instants the parts say the same again (in local time, perhaps)
  const used = parts[0] === undefined ? [] : parts.filter((part): part is string => part !== undefined);
  if (name !== undefined && column) {
    const values = table.instants?.has(name) ? (column as Float64Array) : instantsOf(column, name, table.source);
    return { values, columns: [name, ...used] };
  }
  if (parts[0] === undefined) return undefined;
  const columns = parts.map((part) => (part === undefined ? undefined : table.columns.get(part)));
  // a column 'year' of texts holds more than the year: 1850-01
  if (!(columns[0] instanceof Float64Array))
    return { values: instantsOf(columns[0]!, parts[0], table.source), columns: [parts[0]] };
  const [years, months, days, hours, minutes] = columns as (Float64Array | undefined)[];
  const at = (i: number): number => {
    const [month = 1, day = 1, hour = 0, minute = 0] = [months, days, hours, minutes].map((column) => column?.[i]);
    try {
      return instant({ year: years![i], month, day, hour, minute });
    } catch (cause) {
      throw new DataError(table.source, `row ${i + 1} has no time: ${(cause as Error).message}`, { cause });
    }
  };
  return { columns: used, values: Float64Array.from(years!, (_, i) => at(i)) };
}

/** Texts as ISO 8601; numbers as yyyymmdd, yyyymmddhh or years with a fraction. */
function instantsOf(column: Column, name: string, source: string): Float64Array {
  const known = new Map<string, number>();
  const parse = (text: string, row: number): number => {
    if (text === "") return NaN;
    let ms = known.get(text);
    if (ms === undefined)
      try {
        known.set(text, (ms = parseTime(text)));
      } catch (cause) {
        throw new DataError(
          source,
          `row ${row + 1}, column '${name}': '${text}' is not a time; write it as 2013-07-01T06:00Z`,
          { cause },
        );
      }
    return ms;
  };
  if (!(column instanceof Float64Array)) return Float64Array.from(column, parse);
  return Float64Array.from(column, (value, row) => {
    if (Number.isNaN(value)) return NaN;
    if (Number.isInteger(value) && value >= 18_000_101) return parse(String(value), row);
    if (value < 1000 || value > 3000)
      throw new DataError(
        source,
        `row ${row + 1}, column '${name}': ${value} is neither a year nor yyyymmdd; name the time column`,
      );
    const year = Math.floor(value);
    return instant({ year }) + Math.round((value - year) * daysInYear(year) * MS_PER_DAY);
  });
}

const INSTANTS = { units: "milliseconds since 1970-01-01", calendar: "standard" };
const SECONDS = { units: "seconds since 1970-01-01", standard_name: "time", calendar: "standard" };

/** A table as a dataset. What had to be left out is said in the attribute `problems`. */
export function tableDataset(table: Table, options: TableOptions = {}): Dataset {
  const rows = [...table.columns.values()][0]?.length ?? 0;
  if (rows === 0) throw new DataError(table.source, "it has no rows; give a table with a header and at least one");
  const times = rowTimes(table, options.time);
  const stationName = options.station ?? columnOf(table, STATION_NAMES);
  const station = stationName === undefined ? undefined : table.columns.get(stationName);
  if (stationName !== undefined && !station)
    throw new DataError(
      table.source,
      `there is no column '${stationName}'; it has ${[...table.columns.keys()].join(", ")}`,
    );
  const layout = layoutOf(rows, times?.values, station, table.source);
  const used = new Set([...(times?.columns ?? []), ...(layout.stations ? [stationName!] : [])]);
  const dims = layout.dims.map(({ name }) => name);
  const shape = layout.dims.map(({ length }) => length);
  const numeric: Record<string, MemoryVariable> = {};
  const texts: Variable[] = [];
  const put = (
    name: string,
    at: readonly string[],
    lengths: readonly number[],
    values: Column,
    attrs: Attributes,
  ): void => {
    if (values instanceof Float64Array)
      numeric[name] = { dims: at, data: { dtype: "float64", shape: lengths, data: values }, attrs };
    else texts.push(textVariable(name, at, lengths, values, attrs, table.source));
  };
  if (times) {
    const [dim, instants] = layout.times ? ["time", layout.times] : ["row", times.values];
    put(
      "time",
      [dim],
      [instants.length],
      instants.map((ms) => ms / 1000),
      SECONDS,
    );
  }
  if (layout.stations) put("station", ["station"], [layout.stations.length], layout.stations, {});
  const byStation = layout.stations && stationPlaces(table, options.stations, layout.stations, layout.stationOf!, used);
  for (const [name, { values, attrs }] of Object.entries(byStation ?? {}))
    put(name, ["station"], [layout.stations!.length], values, attrs);
  for (const [column, values] of table.columns) {
    if (used.has(column)) continue;
    const said = unitsInName(column);
    const units = options.units?.[column] ?? options.units?.[said.name] ?? said.units;
    const isInstant = table.instants?.has(column) && units === undefined;
    const attrs: Attributes = isInstant ? INSTANTS : units === undefined ? {} : { units };
    put(said.name, dims, shape, spread(values, layout.placeOf, sizeOf(shape)), attrs);
  }
  const dataset = memoryDataset(numeric, {
    source: table.source,
    attrs: layout.problem ? { problems: layout.problem } : {},
  });
  const all = new Map([...dataset.variables, ...texts.map((v): [string, Variable] => [v.name, v])]);
  const lengths = Object.fromEntries(layout.dims.map(({ name, length }) => [name, length]));
  return { ...dataset, format: table.format, variables: all, dims: { ...lengths, ...dataset.dims } };
}

const textsOf = (column: Column): string[] => Array.from(column as ArrayLike<string | number>, String);

interface Layout {
  dims: { name: string; length: number }[];
  /** The cell each row goes to; -1 for a row that is left out. */
  placeOf: Int32Array;
  times?: Float64Array;
  stations?: string[];
  stationOf?: Int32Array;
  problem?: string;
}

/** How sparse a grid of times and stations may be before rows are kept as rows. */
const SPARSEST = 50;

function layoutOf(rows: number, times: Float64Array | undefined, station: Column | undefined, source: string): Layout {
  const asRows: Layout = {
    dims: [{ name: "row", length: rows }],
    placeOf: Int32Array.from({ length: rows }, (_, i) => i),
  };
  if (!times) {
    if (!station) return asRows;
    // a table of stations: one row each
    const names = textsOf(station);
    const unique = new Set(names).size === rows;
    return unique
      ? { ...asRows, dims: [{ name: "station", length: rows }], stations: names, stationOf: asRows.placeOf }
      : asRows;
  }
  const sorted = Float64Array.from(new Set(times.filter((t) => !Number.isNaN(t)))).sort();
  if (sorted.length === 0) throw new DataError(source, "none of its rows has a time");
  const timeIndex = new Map(Array.from(sorted, (t, i) => [t, i]));
  const stations = station && [...new Set(textsOf(station))].sort();
  const stationIndex = new Map(stations?.map((name, i) => [name, i]));
  const width = stations?.length ?? 1;
  if (sorted.length * width > SPARSEST * rows) return asRows;
  const stationOf = station && Int32Array.from(textsOf(station), (name) => stationIndex.get(name)!);
  const seen = new Uint8Array(sorted.length * width);
  let repeated = 0;
  const placeOf = Int32Array.from(times, (t, row) => {
    if (Number.isNaN(t)) return -1;
    const place = timeIndex.get(t)! * width + (stationOf?.[row] ?? 0);
    if (seen[place]++) {
      repeated++;
      return -1;
    }
    return place;
  });
  if (!station && repeated > 0)
    return {
      ...asRows,
      problem: `${repeated} rows repeat a time; name the column that tells them apart (--station-column)`,
    };
  const problem = repeated > 0 ? `${repeated} rows repeat a station and time; the first of each is kept` : undefined;
  const dims = [{ name: "time", length: sorted.length }, ...(stations ? [{ name: "station", length: width }] : [])];
  return { dims, placeOf, times: sorted, stations, stationOf, problem };
}

/** A column's values at their places; places without a row are missing. */
function spread(values: Column, placeOf: Int32Array, size: number): Column {
  const out: Float64Array | string[] =
    values instanceof Float64Array ? new Float64Array(size).fill(NaN) : new Array<string>(size).fill("");
  placeOf.forEach((place, row) => {
    if (place >= 0) out[place] = values[row];
  });
  return out;
}

/** Latitude, longitude and elevation of each station, from the table itself or from one of the stations. */
function stationPlaces(
  table: Table,
  about: Table | undefined,
  stations: readonly string[],
  stationOf: Int32Array,
  used: Set<string>,
): Record<string, { values: Float64Array; attrs: Attributes }> {
  const places: Record<string, { values: Float64Array; attrs: Attributes }> = {};
  const aboutName = about && columnOf(about, STATION_NAMES);
  const index = new Map(stations.map((name, i) => [name, i]));
  const aboutRows =
    about && aboutName !== undefined
      ? textsOf(about.columns.get(aboutName)!).map((name) => index.get(name) ?? -1)
      : undefined;
  for (const [name, { names, attrs }] of Object.entries(PLACE_NAMES)) {
    const own = columnOf(table, names);
    const other = about && columnOf(about, names);
    const source =
      own !== undefined
        ? { column: table.columns.get(own)!, rows: stationOf }
        : other !== undefined && aboutRows
          ? { column: about!.columns.get(other)!, rows: aboutRows }
          : undefined;
    if (!source || !(source.column instanceof Float64Array)) continue;
    const values = new Float64Array(stations.length).fill(NaN);
    const column = source.column;
    Array.from(source.rows).forEach((at, row) => {
      if (at >= 0 && Number.isNaN(values[at])) values[at] = column[row];
    });
    places[name] = { values, attrs };
    if (own !== undefined) used.add(own);
  }
  return places;
}

/** A text variable in memory. */
function textVariable(
  name: string,
  dims: readonly string[],
  shape: readonly number[],
  values: readonly string[],
  attrs: Attributes,
  source: string,
): Variable {
  const strides = stridesOf(shape);
  return decoded(
    {
      name,
      dims,
      shape,
      attrs,
      dtype: "string",
      readBlock: async ({ start, count }) => {
        const out = new Array<string>(sizeOf(count));
        const offset = start.reduce((sum, at, axis) => sum + at * strides[axis], 0);
        copyBlock({ data: values, strides, offset }, { data: out, strides: stridesOf(count), offset: 0 }, count);
        return out;
      },
    },
    source,
  );
}
