/**
 * Tables of the public station archives as tables of plain numbers: a row a report, a column a quantity with its units,
 * values the archive's own quality control failed left out.
 *
 * - GHCN daily by station (readme.txt of NCEI): long form, tenths, a quality flag per value.
 * - Global hourly (ISD, `isd-format-document.pdf`): groups of comma-separated sub-fields, scaled, with quality codes.
 * - METAR by the Iowa Environmental Mesonet: plain columns in US units.
 */
import { DataError } from "../errors.js";
import { parseCsv } from "./csv.js";
import type { Column, Table } from "./table.js";

export interface StationTable {
  readonly table: Table;
  readonly units: Readonly<Record<string, string>>;
}

/** Element, column, units and scale of GHCN daily. */
const GHCN: Readonly<Record<string, { name: string; units: string; scale: number }>> = {
  TMAX: { name: "tmax", units: "degC", scale: 0.1 },
  TMIN: { name: "tmin", units: "degC", scale: 0.1 },
  TAVG: { name: "tavg", units: "degC", scale: 0.1 },
  PRCP: { name: "prcp", units: "mm", scale: 0.1 },
  SNOW: { name: "snowfall_depth", units: "mm", scale: 1 },
  SNWD: { name: "snow_depth_on_ground", units: "mm", scale: 1 },
  AWND: { name: "wind_speed", units: "m s-1", scale: 0.1 },
};

/** Rows of reports, then columns: what the layouts share. */
function wide(
  rows: readonly {
    station: string;
    time: string;
    values: Readonly<Record<string, number>>;
    place?: readonly number[];
  }[],
  columns: Readonly<Record<string, string>>,
  source: string,
): StationTable {
  if (rows.length === 0) throw new DataError(source, "there are no reports in it");
  const out = new Map<string, Column>([
    ["station", rows.map(({ station }) => station)],
    ["time", rows.map(({ time }) => time)],
  ]);
  if (rows.some(({ place }) => place))
    ["latitude", "longitude", "elevation"].forEach((name, i) =>
      out.set(
        name,
        Float64Array.from(rows, ({ place }) => place?.[i] ?? NaN),
      ),
    );
  for (const name of Object.keys(columns)) {
    const values = Float64Array.from(rows, (row) => row.values[name] ?? NaN);
    if (values.some((x) => !Number.isNaN(x))) out.set(name, values);
  }
  return { table: { source, format: "csv", columns: out }, units: columns };
}

const texts = (table: Table, name: string, source: string): readonly string[] => {
  const column = table.columns.get(name);
  if (!column) throw new DataError(source, `it has no column '${name}'; the server's layout has changed`);
  return column instanceof Float64Array ? Array.from(column, (x) => (Number.isNaN(x) ? "" : String(x))) : column;
};

const GHCN_HEADER = "ID,DATE,ELEMENT,DATA_VALUE,M_FLAG,Q_FLAG,S_FLAG,OBS_TIME";

function ghcn(text: string, source: string): StationTable {
  const headed = /^"?ID"?,/i.test(text) ? text : `${GHCN_HEADER}\n${text}`;
  const table = parseCsv(headed, { source });
  const column = (name: string): readonly string[] => texts(table, name, source);
  const [ids, dates, elements, flags] = [column("ID"), column("DATE"), column("ELEMENT"), column("Q_FLAG")];
  const values = column("DATA_VALUE");
  const days = new Map<string, { station: string; time: string; values: Record<string, number> }>();
  for (let i = 0; i < ids.length; i++) {
    const known = GHCN[elements[i]];
    if (!known || flags[i].trim() !== "") continue;
    const key = `${ids[i]} ${dates[i]}`;
    let day = days.get(key);
    if (!day) {
      const date = dates[i].replaceAll("-", "");
      day = { station: ids[i], time: `${date.slice(0, 4)}-${date.slice(4, 6)}-${date.slice(6, 8)}`, values: {} };
      days.set(key, day);
    }
    day.values[known.name] = Number(values[i]) * known.scale;
  }
  const units = Object.fromEntries(Object.values(GHCN).map(({ name, units: u }) => [name, u]));
  return wide([...days.values()], units, source);
}

/** Quality codes of ISD that mean suspect or wrong (2, 3: NCEI; 6, 7: the same of other sources). */
const DOUBTFUL = new Set(["2", "3", "6", "7"]);

function isd(text: string, source: string): StationTable {
  const table = parseCsv(text, { source });
  const column = (name: string): readonly string[] => texts(table, name, source);
  const [ids, times, tmp, dew, slp, wnd] = ["STATION", "DATE", "TMP", "DEW", "SLP", "WND"].map(column);
  const places = ["LATITUDE", "LONGITUDE", "ELEVATION"].map(column);
  const part = (field: string, at: number, quality: number, missing: string, scale: number): number => {
    const parts = field.split(",");
    const given = parts[at]?.replace("+", "") ?? "";
    if (given === "" || given === missing || DOUBTFUL.has(parts[quality] ?? "")) return NaN;
    return Number(given) * scale;
  };
  const rows = ids.map((station, i) => ({
    station,
    time: times[i],
    place: places.map((list) => Number(list[i])),
    values: {
      temp: part(tmp[i], 0, 1, "9999", 0.1),
      dewp: part(dew[i], 0, 1, "9999", 0.1),
      slp: part(slp[i], 0, 1, "99999", 0.1),
      wind_dir: part(wnd[i], 0, 1, "999", 1),
      wind_speed: part(wnd[i], 3, 4, "9999", 0.1),
    },
  }));
  return wide(rows, { temp: "degC", dewp: "degC", slp: "hPa", wind_dir: "degree", wind_speed: "m s-1" }, source);
}

const METAR_UNITS: Readonly<Record<string, string>> = {
  tmpf: "degF",
  dwpf: "degF",
  relh: "%",
  drct: "degree",
  sknt: "knot",
  gust: "knot",
  p01i: "inch",
  alti: "inHg",
  mslp: "hPa",
  vsby: "mile",
  feel: "degF",
  skyl1: "ft",
  skyl2: "ft",
  skyl3: "ft",
  skyl4: "ft",
};

/** A station file's text as a table. Throws DataError where the layout is another. */
export function stationTable(layout: "ghcn" | "isd" | "metar", text: string, source: string): StationTable {
  if (layout === "ghcn") return ghcn(text, source);
  if (layout === "isd") return isd(text, source);
  return { table: parseCsv(text, { source, missing: ["M", "null"] }), units: METAR_UNITS };
}

/** Several tables as one: rows one after another, columns by name. */
export function joinTables(tables: readonly Table[]): Table {
  const [first] = tables;
  if (tables.length === 1) return first;
  const names = new Set(tables.flatMap(({ columns }) => [...columns.keys()]));
  const length = (table: Table): number => [...table.columns.values()][0].length;
  const columns = new Map<string, Column>();
  for (const name of names) {
    const isText = tables.some(({ columns: own }) => own.get(name) && !(own.get(name) instanceof Float64Array));
    if (isText)
      columns.set(
        name,
        tables.flatMap((t) => Array.from(t.columns.get(name) ?? new Array<string>(length(t)).fill(""), String)),
      );
    else
      columns.set(
        name,
        Float64Array.from(
          tables.flatMap((t) =>
            Array.from((t.columns.get(name) as Float64Array) ?? new Float64Array(length(t)).fill(NaN)),
          ),
        ),
      );
  }
  return { ...first, source: `${first.source} (and ${tables.length - 1} more)`, columns };
}
