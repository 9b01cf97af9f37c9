/**
 * Fields of a dataset through time, wherever their cells lie: rows and columns of latitude and longitude, a projected grid
 * (UTM axes, or two-dimensional latitudes and longitudes). A single forecast run with several leads is a series by valid time.
 *
 *     const source = await openFields(dataset, ["msl", "z@500"]);
 *     const values = await source.read(0, 24); // [24, 2, rows, columns]
 */
import { canonical, readCoordinate, readLeadHours, readTimes } from "../../data/coords.js";
import { type Dataset, type Selection, type Variable, variable } from "../../data/dataset.js";
import { type Calendar, MS_PER_HOUR } from "../../earth/time.js";
import { inverseTransverseMercator, type TransverseMercator, utm } from "../../earth/transverse-mercator.js";
import { DataError } from "../../errors.js";
import { toNumbers } from "../../tensor/ndarray.js";

/** Where the cells of a field lie. Degrees. */
export interface FieldGrid {
  readonly rows: number;
  readonly columns: number;
  /** One value a row where `axes`, else one a cell. */
  readonly latitudes: Float64Array;
  /** One value a column where `axes`, else one a cell. */
  readonly longitudes: Float64Array;
  readonly axes: boolean;
  /** The grid's own axes where it is projected, as the file has them. */
  readonly projected?: { readonly y: Axis; readonly x: Axis };
}
interface Axis {
  readonly name: string;
  readonly units: string;
  readonly values: Float64Array;
}

export interface FieldSource {
  readonly source: string;
  /** Valid times, ascending, milliseconds. */
  readonly times: Float64Array;
  readonly calendar: Calendar;
  readonly names: readonly string[];
  readonly units: readonly string[];
  readonly grid: FieldGrid;
  /** Times [from, to): [time, name, row, column]. */
  read(from: number, to: number): Promise<Float32Array>;
}

const OUTER = ["time", "lead_time", "level", "member"];

/** Fields of the named variables (`z@500` for one level; all fields through time without names). `accumulated` ones are differenced in time. */
export async function openFields(
  given: Dataset,
  names: readonly string[] = [],
  options: { accumulated?: readonly string[] } = {},
): Promise<FieldSource> {
  const dataset = canonical(given);
  const wanted = names.length > 0 ? names : [...dataset.variables.values()].filter(isSeries).map((v) => v.name);
  if (wanted.length === 0) throw new DataError(dataset.source, "no variable has a time and a grid; name the variables");
  const channels: Channel[] = [];
  for (const name of wanted) channels.push(await channelOf(dataset, name, options.accumulated ?? []));
  const [first] = channels;
  const other = channels.find((c) => c.space.join() !== first.space.join());
  if (other)
    throw new DataError(
      dataset.source,
      `'${first.name}' lies on (${first.space.join(", ")}), but '${other.name}' on (${other.space.join(", ")}); name them as two sources`,
    );
  const { times, calendar, along } = await validTimes(dataset, first.variable);
  const grid = await gridOfFields(dataset, first.variable);
  const cells = grid.rows * grid.columns;
  return {
    source: dataset.source,
    times,
    calendar,
    names: channels.map((c) => c.name),
    units: channels.map((c) => String(c.variable.attrs["units"] ?? "")),
    grid,
    async read(from, to) {
      const out = new Float32Array((to - from) * channels.length * cells);
      for (const [c, channel] of channels.entries()) {
        const before = channel.accumulated && from > 0 ? 1 : 0;
        const data = await readChannel(channel, along, from - before, to);
        for (let t = from; t < to; t++) {
          const at = (t - from + before) * cells;
          const target = ((t - from) * channels.length + c) * cells;
          for (let i = 0; i < cells; i++)
            out[target + i] =
              channel.accumulated && t > 0 ? Math.max(0, data[at + i] - data[at - cells + i]) : data[at + i];
        }
      }
      return out;
    },
  };
}

/** Maps that do not change (orography, masks): [name, row, column] of each variable's first time. */
export async function readMaps(
  given: Dataset,
  names: readonly string[] = [],
): Promise<{ names: string[]; grid: FieldGrid; values: Float32Array }> {
  const dataset = canonical(given);
  const fields = [...dataset.variables.values()].filter((v) => v.dims.length >= 2 && spaceOf(v).length === 2);
  const chosen = names.length > 0 ? names.map((name) => variable(dataset, name)) : fields.filter((v) => !isPlace(v));
  if (chosen.length === 0) throw new DataError(dataset.source, "it has no map; name a file with orography or a mask");
  const grid = await gridOfFields(dataset, chosen[0]);
  const cells = grid.rows * grid.columns;
  const values = new Float32Array(chosen.length * cells);
  for (const [k, v] of chosen.entries()) {
    const outer = Object.fromEntries(v.dims.slice(0, -2).map((dim) => [dim, 0]));
    const data = toNumbers(await v.read(outer));
    if (data.length !== cells)
      throw new DataError(dataset.source, `'${v.name}' has ${data.length} cells and '${chosen[0].name}' ${cells}`);
    values.set(Float32Array.from(data), k * cells);
  }
  return { names: chosen.map((v) => v.name), grid, values };
}

const isPlace = (v: Variable): boolean => v.name === "latitude" || v.name === "longitude";
const spaceOf = (v: Variable): string[] => v.dims.filter((dim) => !OUTER.includes(dim));
const isSeries = (v: Variable): boolean =>
  spaceOf(v).length === 2 && v.dims.length > 2 && (v.dims.includes("time") || v.dims.includes("lead_time"));

interface Channel {
  readonly name: string;
  readonly variable: Variable;
  readonly fixed: Selection;
  readonly space: readonly string[];
  readonly accumulated: boolean;
}

async function channelOf(dataset: Dataset, wish: string, accumulated: readonly string[]): Promise<Channel> {
  const [name, at] = wish.split("@");
  const found = variable(dataset, name);
  const space = spaceOf(found);
  if (space.length !== 2 || found.dims.slice(-2).join() !== space.join())
    throw new DataError(
      dataset.source,
      `variable '${name}' lies on (${found.dims.join(", ")}); downscaling needs times and then two dimensions of space`,
    );
  const fixed: Record<string, number> = {};
  if (found.dims.includes("member")) fixed["member"] = 0;
  if (found.dims.includes("level")) {
    const levels = await readCoordinate(dataset, "level");
    const index = at === undefined && levels.length === 1 ? 0 : levels.indexOf(Number(at));
    if (index < 0)
      throw new DataError(
        dataset.source,
        `'${wish}' names no level; write ${Array.from(levels, (l) => `${name}@${l}`).join(" or ")}`,
      );
    fixed["level"] = index;
  } else if (at !== undefined)
    throw new DataError(dataset.source, `variable '${name}' has no levels, so '${wish}' names none of its values`);
  return { name: wish, variable: found, fixed, space, accumulated: accumulated.includes(wish) };
}

async function validTimes(
  dataset: Dataset,
  v: Variable,
): Promise<{ times: Float64Array; calendar: Calendar; along: "time" | "lead_time" }> {
  const { values, calendar } = await readTimes(dataset);
  if (!v.dims.includes("lead_time")) return { times: values, calendar, along: "time" };
  if (v.dims.includes("time") && values.length > 1)
    throw new DataError(
      dataset.source,
      `'${v.name}' has several starts with several leads each; take one start, or one lead, with 'foehn convert' first`,
    );
  const leads = await readLeadHours(dataset);
  return { times: leads.map((h) => values[0] + h * MS_PER_HOUR), calendar, along: "lead_time" };
}

async function readChannel(
  { variable: v, fixed }: Channel,
  along: "time" | "lead_time",
  from: number,
  to: number,
): Promise<Float32Array> {
  const first: Selection = along === "lead_time" && v.dims.includes("time") ? { time: 0 } : {};
  const data = toNumbers(await v.read({ ...fixed, ...first, [along]: { start: from, stop: to } }));
  return data instanceof Float32Array ? data : Float32Array.from(data);
}

/** Where a variable's cells lie: its own axes, two-dimensional coordinates, or a projection that its grid mapping names. */
async function gridOfFields(dataset: Dataset, v: Variable): Promise<FieldGrid> {
  const [dy, dx] = v.dims.slice(-2);
  const [rows, columns] = v.shape.slice(-2);
  if (dy === "latitude" && dx === "longitude")
    return {
      rows,
      columns,
      latitudes: await readCoordinate(dataset, "latitude"),
      longitudes: await readCoordinate(dataset, "longitude"),
      axes: true,
    };
  const axis = async (name: string, length: number): Promise<Axis> => {
    const own = dataset.variables.get(name);
    const values = own ? Float64Array.from(toNumbers(await own.read())) : Float64Array.from({ length }, (_, i) => i);
    return { name, units: String(own?.attrs["units"] ?? "1"), values };
  };
  const projected = { y: await axis(dy, rows), x: await axis(dx, columns) };
  const [latitude, longitude] = [dataset.variables.get("latitude"), dataset.variables.get("longitude")];
  if (latitude?.dims.join() === `${dy},${dx}` && longitude?.dims.join() === `${dy},${dx}`)
    return {
      rows,
      columns,
      latitudes: await readCoordinate(dataset, "latitude"),
      longitudes: await readCoordinate(dataset, "longitude"),
      axes: false,
      projected,
    };
  const projection = projectionOf(dataset, v);
  if (!projection)
    throw new DataError(
      dataset.source,
      `the places of '${v.name}' on (${dy}, ${dx}) are not known; add variables latitude and longitude on these dimensions, or a grid mapping of transverse Mercator`,
    );
  const places = Array.from(projected.y.values).flatMap((northing) =>
    Array.from(projected.x.values, (easting) => inverseTransverseMercator(projection, easting, northing)),
  );
  return {
    rows,
    columns,
    latitudes: Float64Array.from(places, ([lat]) => lat),
    longitudes: Float64Array.from(places, ([, lon]) => lon),
    axes: false,
    projected,
  };
}

/** CF 1.11 appendix F's transverse_mercator, or the zone that a PROJ string names. */
function projectionOf(dataset: Dataset, v: Variable): TransverseMercator | undefined {
  const attrs = dataset.variables.get(String(v.attrs["grid_mapping"] ?? ""))?.attrs;
  if (!attrs) return undefined;
  const zone = /\+proj=utm\b.*\+zone=(\d+)(.*\+south\b)?/.exec(String(attrs["proj4"] ?? attrs["proj4text"] ?? ""));
  if (zone) return utm(Number(zone[1]), { south: zone[2] !== undefined });
  if (attrs["grid_mapping_name"] !== "transverse_mercator") return undefined;
  const number = (name: string, otherwise: number) => (typeof attrs[name] === "number" ? attrs[name] : otherwise);
  return {
    radius: number("semi_major_axis", 6_378_137),
    flattening: 1 / number("inverse_flattening", 298.257222101),
    centralMeridian: number("longitude_of_central_meridian", 0),
    scale: number("scale_factor_at_central_meridian", 1),
    falseEasting: number("false_easting", 0),
    falseNorthing: number("false_northing", 0),
  };
}
