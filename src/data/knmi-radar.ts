/**
 * KNMI's radar files (KNMI HDF5 data format specification 3.5) in CF's words: what groups beside an image say of its values,
 * its time and where its pixels lie.
 *
 * The plane is polar stereographic; `geo_row_offset` and `geo_column_offset` count pixels from the pole to the outer edge
 * of the first one, `geo_pixel_size_y` is negative because rows go south.
 */
import { isUnit } from "../earth/units.js";
import { asArray } from "./blocks.js";
import type { RawVariable } from "./cf.js";
import {
  type Attributes,
  memoryDataset,
  type MemoryVariable,
  resolveSelection,
  select,
  type Variable,
} from "./dataset.js";
import { type Projection, projectionOf } from "./grib/projections.js";

/** CF's name of the plane, and of the variable that describes it. */
const MAPPING = "polar_stereographic";
const NUMBER = String.raw`[-+]?[\d.]+(?:[eE][-+]?\d+)?`;

/**
 * The formula of the values (`GEO=0.01*PV+0.0`), the codes of missing ones, and the units at the end of the parameter's
 * name, from the attributes of an image's group and of its `calibration`; undefined where they say no formula.
 */
export function radarCalibration(image: Attributes, calibration: Attributes): Attributes | undefined {
  const formula = new RegExp(`^\\s*GEO\\s*=\\s*(${NUMBER})\\s*\\*\\s*PV\\s*([-+]\\s*${NUMBER})?\\s*$`).exec(
    String(calibration["calibration_formulas"] ?? ""),
  );
  if (!formula) return undefined;
  const missing = ["calibration_missing_data", "calibration_out_of_image"]
    .map((name) => calibration[name])
    .filter((code): code is number => typeof code === "number");
  const parameter = String(image["image_geo_parameter"] ?? "");
  const units = /\[([^\]]+)\]$/.exec(parameter)?.[1].toLowerCase();
  return {
    scale_factor: Number(formula[1]),
    add_offset: Number((formula[2] ?? "0").replace(/\s/g, "").replace(/\+-/, "-")),
    ...(missing.length > 0 ? { missing_value: [...new Set(missing)] } : {}),
    ...(units && isUnit(units) ? { units } : {}),
    ...(parameter.startsWith("ACCUMULATED_PRECIPITATION") && {
      standard_name: "lwe_thickness_of_precipitation_amount",
      cell_methods: "time: sum",
    }),
  };
}

/** Middles of an image's pixels, in metres on the plane. */
export interface RadarGrid {
  readonly rows: number;
  readonly columns: number;
  readonly x: Float64Array;
  readonly y: Float64Array;
  /** Metres to degrees. */
  readonly inverse: Projection["inverse"];
  /** CF's grid mapping (appendix F, polar stereographic). */
  readonly mapping: Attributes;
}

/** The pixels that the groups `geographic` and `geographic/map_projection` tell of; undefined where they do not. */
export function radarGrid(geographic: Attributes, projection: Attributes): RadarGrid | undefined {
  const said = Object.fromEntries(
    [...String(projection["projection_proj4_params"] ?? "").matchAll(/\+(\w+)=(\S+)/g)].map(([, key, value]) => [
      key,
      value,
    ]),
  );
  const [pole, orientation, trueLatitude, a, b] = ["lat_0", "lon_0", "lat_ts", "a", "b"].map((key) =>
    Number(said[key]),
  );
  const [rows, columns, rowOffset, columnOffset, dx, dy] = [
    "geo_number_rows",
    "geo_number_columns",
    "geo_row_offset",
    "geo_column_offset",
    "geo_pixel_size_x",
    "geo_pixel_size_y",
  ].map((name) => Number(geographic[name]));
  const isKilometres = String(geographic["geo_dim_pixel"] ?? "").toUpperCase() === "KM,KM";
  const numbers = [orientation, trueLatitude, a, b, rowOffset, columnOffset, dx, dy];
  const fits = (n: number): boolean => Number.isInteger(n) && n > 0 && n <= MOST_PIXELS;
  if (said["proj"] !== "stere" || Math.abs(pole) !== 90 || !isKilometres) return undefined;
  if (!numbers.every(Number.isFinite) || !fits(rows) || !fits(columns) || !(a >= b && b > 0)) return undefined;
  // PROJ's text gives the semi-axes in kilometres, as the pixels are
  const earth = { major: 1000 * a, minor: 1000 * b };
  const plane = projectionOf({
    projection: "polar",
    earth,
    trueLatitude: Math.abs(trueLatitude),
    orientation,
    southPole: pole < 0,
    parallels: [90, 90],
  });
  const middles = (count: number, offset: number, step: number): Float64Array =>
    Float64Array.from({ length: count }, (_, i) => 1000 * step * (offset + i + 0.5));
  const [x, y] = [middles(columns, columnOffset, dx), middles(rows, rowOffset, dy)];
  const mapping = {
    grid_mapping_name: MAPPING,
    latitude_of_projection_origin: pole,
    straight_vertical_longitude_from_pole: orientation,
    standard_parallel: trueLatitude,
    semi_major_axis: earth.major,
    semi_minor_axis: earth.minor,
  };
  return { rows, columns, x, y, inverse: plane.inverse, mapping };
}

/** No radar picture has a longer side; a longer one is damage. */
const MOST_PIXELS = 2 ** 14;

/** The end of the image's interval in seconds since 1970, from `product_datetime_end` (`26-AUG-2010;00:05:00.000`). */
export function radarTime(overview: Attributes): number | undefined {
  const said = /^(\d+)-([A-Z]{3})-(\d{4});(\d+):(\d+):([\d.]+)$/.exec(String(overview["product_datetime_end"] ?? ""));
  const month = said ? MONTHS.indexOf(said[2]) : -1;
  if (!said || month < 0) return undefined;
  const [day, year, hour, minute, second] = [1, 3, 4, 5, 6].map((group) => Number(said[group]));
  return Date.UTC(year, month, day, hour, minute) / 1000 + second;
}

const MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];

/** Time, plane and places of images, as variables; the places are computed when they are first read. */
export function radarCoordinates(grid: RadarGrid, seconds: number, source: string): Variable[] {
  const { rows, columns, x, y, inverse, mapping } = grid;
  const along = (dim: string, values: Float64Array, attrs: Attributes): MemoryVariable => ({
    dims: [dim],
    data: asArray("float64", [values.length], values),
    attrs,
  });
  const held = memoryDataset(
    {
      time: along("time", Float64Array.of(seconds), { units: "seconds since 1970-01-01", standard_name: "time" }),
      y: along("y", y, { units: "m", standard_name: "projection_y_coordinate", axis: "Y" }),
      x: along("x", x, { units: "m", standard_name: "projection_x_coordinate", axis: "X" }),
      [MAPPING]: { dims: [], data: asArray("int32", [], Int32Array.of(0)), attrs: mapping },
    },
    { source },
  );
  const place = (name: "latitude" | "longitude", units: string): Variable => {
    const of = { name, dims: ["y", "x"], shape: [rows, columns] };
    let degrees: Float64Array | undefined;
    return {
      ...of,
      dtype: "float64",
      attrs: { units, standard_name: name },
      read: async (selection = {}) => {
        degrees ??= Float64Array.from({ length: rows * columns }, (_, p) => {
          const [latitude, longitude] = inverse(x[p % columns], y[Math.floor(p / columns)]);
          return name === "latitude" ? latitude : longitude;
        });
        return select(asArray("float64", of.shape, degrees), resolveSelection(of, selection, source));
      },
    };
  };
  return [...held.variables.values(), place("latitude", "degrees_north"), place("longitude", "degrees_east")];
}

/** An image [rows, columns] at its time [time, y, x], so that the files of a product follow in time; others as they are. */
export function placedImage(raw: RawVariable, { rows, columns }: RadarGrid): RawVariable {
  if (raw.shape.length !== 2 || raw.shape[0] !== rows || raw.shape[1] !== columns) return raw;
  return {
    ...raw,
    dims: ["time", "y", "x"],
    shape: [1, rows, columns],
    chunks: raw.chunks && [1, ...raw.chunks],
    attrs: { ...raw.attrs, coordinates: "latitude longitude", grid_mapping: MAPPING },
    readBlock: ({ start, count }) => raw.readBlock({ start: start.slice(1), count: count.slice(1) }),
  };
}
