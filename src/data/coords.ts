/**
 * Coordinates: which variable is the time, the latitude, the level, and what they say. Found by CF attributes
 * (`standard_name`, `axis`, `units`; CF 1.11, section 4) and, failing these, by the names files use.
 *
 *     const { values, calendar } = await readTimes(dataset);
 *     const latitudes = await readCoordinate(dataset, "latitude");
 */
import { type Calendar, calendarFrom, decodeTimes, formatTime, isTimeUnits } from "../earth/time.js";
import { DataError, FoehnError } from "../errors.js";
import { toNumbers } from "../tensor/ndarray.js";
import type { Dataset, Variable } from "./dataset.js";
import { mappedVariable, renamed, taken, withVariables } from "./views.js";

export type CoordinateName = "time" | "level" | "latitude" | "longitude" | "member" | "station" | "lead_time";

/** Names in use, lower case, most telling first. */
const USUAL_NAMES: Readonly<Record<CoordinateName, readonly string[]>> = {
  time: ["time", "times", "valid_time", "date", "datetime", "xtime", "init_time", "reftime", "forecast_reference_time"],
  level: [
    "level",
    "lev",
    "plev",
    "pressure",
    "isobaricinhpa",
    "isobaric",
    "pressure_level",
    "pfull",
    "model_level",
    "hybrid",
    "height",
    "altitude",
    "depth",
    "zlev",
    "bottom_top",
  ],
  latitude: ["latitude", "lat", "lats", "xlat", "nav_lat", "g0_lat_1", "lat_0", "south_north", "rlat"],
  longitude: ["longitude", "lon", "lons", "long", "xlong", "nav_lon", "g0_lon_2", "lon_0", "west_east", "rlon"],
  member: ["member", "number", "realization", "ensemble", "ensemble_member", "ens", "ensmember"],
  station: ["station", "stations", "station_id", "stid", "site", "location", "locations", "station_name"],
  lead_time: [
    "lead_time",
    "prediction_timedelta",
    "step",
    "leadtime",
    "lead",
    "forecast_period",
    "ftime",
    "forecast_hour",
  ],
};

const STANDARD_NAMES: Readonly<Record<string, CoordinateName>> = {
  time: "time",
  forecast_reference_time: "time",
  latitude: "latitude",
  longitude: "longitude",
  realization: "member",
  forecast_period: "lead_time",
  air_pressure: "level",
  altitude: "level",
  height: "level",
  depth: "level",
  model_level_number: "level",
  atmosphere_hybrid_sigma_pressure_coordinate: "level",
  atmosphere_sigma_coordinate: "level",
  platform_id: "station",
};

const AXES: Readonly<Record<string, CoordinateName>> = {
  T: "time",
  Z: "level",
  Y: "latitude",
  X: "longitude",
  E: "member",
};
const DEGREES_NORTH = /^degrees?_?n(orth)?$/i;
const DEGREES_EAST = /^degrees?_?e(ast)?$/i;
const TIME_SPAN = /^(hours?|hrs?|days?|minutes?|seconds?|months?|nanoseconds?|h|d|s)$/i;

/** What a variable is a coordinate of, or undefined. Names are asked last. */
export function coordinateKind(v: Pick<Variable, "name" | "attrs" | "readStrings">): CoordinateName | undefined {
  const { units, axis, standard_name: standard } = v.attrs;
  const name = v.name.toLowerCase();
  if (v.readStrings) return USUAL_NAMES.station.includes(name) || standard === "platform_id" ? "station" : undefined;
  if (typeof standard === "string" && STANDARD_NAMES[standard]) return STANDARD_NAMES[standard];
  const byName = (Object.keys(USUAL_NAMES) as CoordinateName[]).find((kind) => USUAL_NAMES[kind].includes(name));
  if (typeof units === "string") {
    if (DEGREES_NORTH.test(units)) return "latitude";
    if (DEGREES_EAST.test(units)) return "longitude";
    if (isTimeUnits(units)) return "time";
    if (byName === "time" && TIME_SPAN.test(units)) return "lead_time";
  }
  // projected axes carry X and Y too: metres are no degrees
  const kind = typeof axis === "string" ? AXES[axis.toUpperCase()] : undefined;
  if (kind && !((kind === "latitude" || kind === "longitude") && byName !== kind)) return kind;
  return byName;
}

/** Which dimension of a dataset is which, by the variables named like them and then by the dimensions' own names. */
function canonicalDims(dataset: Dataset): Record<string, string> {
  const taken = new Set(Object.keys(dataset.dims));
  const names: Record<string, string> = {};
  const claim = (dim: string, kind: CoordinateName | undefined): void => {
    if (!kind || dim === kind || taken.has(kind) || dim in names) return;
    names[dim] = kind;
    taken.add(kind);
  };
  const dims = Object.keys(dataset.dims);
  for (const dim of dims) {
    const v = dataset.variables.get(dim);
    if (v?.dims.length === 1) claim(dim, coordinateKind(v));
  }
  for (const dim of dims) if (!dataset.variables.has(dim)) claim(dim, coordinateKind({ name: dim, attrs: {} }));
  return names;
}

/**
 * The dataset with its dimensions and their coordinates under Foehn's names (`time`, `level`, `latitude`, `longitude`,
 * `member`, `station`, `lead_time`); coordinates along another dimension (a station's latitude) too. What already bears
 * such a name keeps it. Data variables keep their names.
 */
export function canonical(dataset: Dataset): Dataset {
  const dims = canonicalDims(dataset);
  const variables: Record<string, string> = {};
  const names = new Set(dataset.variables.keys());
  for (const [from, to] of Object.entries(dims))
    if (dataset.variables.has(from) && !names.has(to)) {
      variables[from] = to;
      names.add(to);
    }
  for (const v of dataset.variables.values()) {
    const kind = coordinateKind(v);
    const isSite = (kind === "latitude" || kind === "longitude") && v.dims.length <= 2 && !(v.name in dataset.dims);
    const isScalar = v.dims.length === 0 && kind !== "level";
    if (
      kind &&
      (isSite || isScalar) &&
      !names.has(kind) &&
      !Object.values(dims).includes(kind) &&
      !(kind in dataset.dims)
    ) {
      variables[v.name] = kind;
      names.add(kind);
    }
  }
  return Object.keys(dims).length + Object.keys(variables).length ? renamed(dataset, { dims, variables }) : dataset;
}

/** The dataset with the units of some variables said anew; names it has not are left to who reads them. */
export function withUnits(dataset: Dataset, units: Readonly<Record<string, string>>): Dataset {
  if (![...dataset.variables.keys()].some((name) => name in units)) return dataset;
  return withVariables(
    dataset,
    [...dataset.variables.values()].map((v) =>
      v.name in units ? { ...v, attrs: { ...v.attrs, units: units[v.name] } } : v,
    ),
  );
}

/** The coordinate variable of that kind: named so, or the only one that CF's attributes or usual names point out. */
export function coordinate(dataset: Dataset, name: string): Variable {
  const named = dataset.variables.get(name);
  if (named) return named;
  const candidates = [...dataset.variables.values()].filter(
    (v) => coordinateKind(v) === name && v.dims.length <= 2 && (name !== "level" || v.name in dataset.dims),
  );
  const found = candidates.find((v) => v.dims.length === 1) ?? candidates[0];
  if (!found)
    throw new DataError(
      dataset.source,
      `there is no coordinate '${name}'; it has ${[...dataset.variables.keys()].join(", ")}. Name one with --rename or give it CF's standard_name`,
    );
  return found;
}

/** The numbers of a coordinate in float64. */
export async function readCoordinate(dataset: Dataset, name: string): Promise<Float64Array> {
  return Float64Array.from(toNumbers(await coordinate(dataset, name).read()));
}

export interface Times {
  /** Milliseconds since 1970-01-01T00:00Z in `calendar`. */
  readonly values: Float64Array;
  readonly calendar: Calendar;
}

/** The instants of a time coordinate. */
export async function readTimes(dataset: Dataset, name = "time"): Promise<Times> {
  const v = coordinate(dataset, name);
  const { units, calendar } = v.attrs;
  if (typeof units !== "string")
    throw new DataError(
      dataset.source,
      `its '${v.name}' has no units, so the times cannot be told; give it 'hours since YYYY-MM-DD'`,
    );
  try {
    const known = calendarFrom(typeof calendar === "string" ? calendar : undefined);
    return { values: decodeTimes(toNumbers(await v.read()), units, known), calendar: known };
  } catch (error) {
    if (error instanceof DataError || !(error instanceof FoehnError)) throw error;
    throw new DataError(dataset.source, `the times in '${v.name}' cannot be decoded: ${error.message}`, {
      cause: error,
    });
  }
}

const SPAN_HOURS: readonly [RegExp, number][] = [
  [/^(hours?|hrs?|h)$/i, 1],
  [/^(days?|d)$/i, 24],
  [/^(minutes?|min)$/i, 1 / 60],
  [/^(seconds?|sec|s)$/i, 1 / 3600],
  [/^(milliseconds?|ms)$/i, 1 / 3.6e6],
  [/^(microseconds?|us)$/i, 1 / 3.6e9],
  [/^(nanoseconds?|ns)$/i, 1 / 3.6e12],
];

/** Lead times in hours. */
export async function readLeadHours(dataset: Dataset, name = "lead_time"): Promise<Float64Array> {
  const v = coordinate(dataset, name);
  const units = String(v.attrs["units"] ?? "");
  const hours = SPAN_HOURS.find(([pattern]) => pattern.test(units.trim()))?.[1];
  if (hours === undefined)
    throw new DataError(
      dataset.source,
      `lead times in '${v.name}' have units '${units}'; use hours, days, minutes or seconds`,
    );
  return Float64Array.from(toNumbers(await v.read()), (value) => value * hours);
}

/** +1 where values rise throughout, -1 where they fall, 0 otherwise. */
export function direction(values: ArrayLike<number>): 1 | -1 | 0 {
  if (values.length < 2) return 1;
  const sign = values[1] > values[0] ? 1 : -1;
  for (let i = 1; i < values.length; i++) if (!((values[i] - values[i - 1]) * sign > 0)) return 0;
  return sign;
}

/** Refuses a coordinate that neither rises nor falls throughout, saying where it turns. */
export function assertOrdered(values: ArrayLike<number>, name: string, source: string): void {
  if (direction(values) !== 0) return;
  const sign = values[1] > values[0] ? 1 : -1;
  let at = 1;
  while ((values[at] - values[at - 1]) * sign > 0) at++;
  const isTime = name === "time";
  const show = (i: number): string => (isTime ? formatTime(values[i]) : String(values[i]));
  throw new DataError(
    source,
    `${name} values are out of order at index ${at} (${show(at - 1)} is followed by ${show(at)}); sort them with ordered(dataset, '${name}') or 'foehn convert --sort ${name}'`,
  );
}

/** The dataset with a dimension in rising (or falling) order of its coordinate, read lazily. */
export async function ordered(
  dataset: Dataset,
  dim: string,
  options: { order?: "ascending" | "descending" } = {},
): Promise<Dataset> {
  const { order = "ascending" } = options;
  const values = dim === "time" ? (await readTimes(dataset)).values : await readCoordinate(dataset, dim);
  const sign = order === "ascending" ? 1 : -1;
  if (direction(values) === sign) return dataset;
  const indices = Array.from(values, (_, i) => i).sort((a, b) => sign * (values[a] - values[b]) || a - b);
  return taken(dataset, { [dim]: indices });
}

/** The longitude in [from, from + 360). */
export function wrapLongitude(longitude: number, from = 0): number {
  const turned = (((longitude - from) % 360) + 360) % 360;
  return turned + from;
}

/**
 * The dataset with longitudes in [from, from + 360), rising: `from` 0 for 0..360, -180 for -180..180. A dimension is
 * rolled along with its values, read lazily.
 */
export async function withLongitudes(dataset: Dataset, options: { from?: number } = {}): Promise<Dataset> {
  const { from = 0 } = options;
  const v = coordinate(dataset, "longitude");
  const wrapped = withVariables(
    dataset,
    [...dataset.variables.values()].map((each) =>
      each === v
        ? mappedVariable(
            each,
            (values) => ({
              ...values,
              dtype: "float64",
              data: Float64Array.from(toNumbers(values), (x) => wrapLongitude(x, from)),
            }),
            { dtype: "float64" },
          )
        : each,
    ),
  );
  return v.dims.length === 1 && v.dims[0] === v.name ? ordered(wrapped, v.name) : wrapped;
}
