/** Mountains and land from a user's dataset: maps on any regular latitude-longitude grid, brought to a model's Gaussian grid. */
import { type Attributes, type Dataset, dataVariables, type Variable, variable } from "../data/dataset.js";
import { DataError } from "../errors.js";
import { toNumbers } from "../tensor/ndarray.js";
import { EARTH } from "./planet.js";
import { sphericalTransform } from "./transform.js";

export interface MapOptions {
  readonly truncation: number;
  /** The variable; found by its standard name where left out. */
  readonly name?: string;
}

/** As CF and GRIB write them: m, metres, gpm; m2 s-2, m**2 s**-2, m^2/s^2, J kg-1. */
const HEIGHT_UNITS = /^(m|met(er|re)s?|gpm)$/i;
const GEOPOTENTIAL_UNITS = /^(m(\*\*|\^)?2 ?(s(\*\*|\^)?-2|\/ ?s(\*\*|\^)?2)|J ?(kg(\*\*|\^)?-1|\/ ?kg))$/;

const HEIGHT_NAMES = ["surface_altitude", "height", "ground_level_altitude"];

/** Heights (m) on the Gaussian grid; a geopotential (m^2/s^2) is divided by g. Missing values (the sea) count as 0. */
export async function orographyFrom(dataset: Dataset, options: MapOptions): Promise<Float64Array> {
  const found = mapIn(dataset, options, [...HEIGHT_NAMES, "surface_geopotential"]);
  const units = unitsOf(found);
  const geopotential = standardName(found.attrs) === "surface_geopotential" || GEOPOTENTIAL_UNITS.test(units ?? "");
  if (!geopotential && units !== undefined && !HEIGHT_UNITS.test(units))
    throw new DataError(
      dataset.source,
      `'${found.name}' is in ${units}, not in metres: name the variable that holds heights, as in heights.nc:z`,
    );
  const heights = await onGaussianGrid(dataset, found, options.truncation);
  return geopotential ? heights.map((h) => h / EARTH.gravity) : heights;
}

const LAND_NAMES = ["land_area_fraction", "land_binary_mask"];

/** Share of land, 0 to 1, on the Gaussian grid; missing values count as sea. */
export async function landFrom(dataset: Dataset, options: MapOptions): Promise<Float64Array> {
  const found = mapIn(dataset, options, LAND_NAMES);
  const land = await onGaussianGrid(dataset, found, options.truncation);
  const share = unitsOf(found) === "%" ? land.map((percent) => percent / 100) : land;
  const [least, most] = [Math.min(...share), Math.max(...share)];
  if (!(least >= 0 && most <= 1))
    throw new DataError(
      dataset.source,
      `'${found.name}' reaches from ${least} to ${most}: give the share of land, from 0 (sea) to 1`,
    );
  return share;
}

const standardName = (attrs: Attributes): string =>
  typeof attrs["standard_name"] === "string" ? attrs["standard_name"] : "";

const unitsOf = ({ attrs }: Variable): string | undefined =>
  attrs["units"] === undefined ? undefined : String(attrs["units"]);

/** The variable named, or the first that has one of the standard names. */
function mapIn(dataset: Dataset, { name }: MapOptions, standardNames: readonly string[]): Variable {
  const found = name
    ? variable(dataset, name)
    : dataVariables(dataset).find((v) => standardNames.includes(standardName(v.attrs)));
  if (found) return found;
  throw new DataError(
    dataset.source,
    `no variable has the standard name ${standardNames.slice(0, -1).join(", ")} or ${standardNames.at(-1)}: say which is meant, as in file.nc:name`,
  );
}

/** A map's first time, each point of the Gaussian grid the mean of the source's points in its cell, or the nearest one where the source is coarser. */
async function onGaussianGrid(dataset: Dataset, found: Variable, truncation: number): Promise<Float64Array> {
  const [latDim, lonDim] = found.dims.slice(-2);
  if (latDim !== "latitude" || lonDim !== "longitude")
    throw new DataError(
      dataset.source,
      `'${found.name}' has dimensions ${found.dims.join(", ")}: a map needs latitude and longitude, in this order`,
    );
  const first = Object.fromEntries(found.dims.slice(0, -2).map((dim) => [dim, 0]));
  const values = toNumbers(await found.read(first));
  const latitudes = toNumbers(await variable(dataset, "latitude").read());
  const longitudes = toNumbers(await variable(dataset, "longitude").read());
  const span = (longitudes[longitudes.length - 1] - longitudes[0]) * (1 + 1 / longitudes.length);
  if (Math.abs(latitudes[latitudes.length - 1] - latitudes[0]) < 150 || Math.abs(span) < 345)
    throw new DataError(dataset.source, "its grid does not span the globe: give a map of all latitudes and longitudes");

  const { nlat, nlon, latitudes: rows } = sphericalTransform(truncation);
  const sum = new Float64Array(nlat * nlon);
  const count = new Float64Array(nlat * nlon);
  const nearestRow = (latitude: number): number => {
    let best = 0;
    for (let j = 1; j < nlat; j++) if (Math.abs(rows[j] - latitude) < Math.abs(rows[best] - latitude)) best = j;
    return best;
  };
  const nearestColumn = (longitude: number): number =>
    Math.round((((longitude % 360) + 360) % 360) / (360 / nlon)) % nlon;
  const at = (j: number, i: number): number => {
    const value = values[j * longitudes.length + i];
    return Number.isFinite(value) ? value : 0;
  };
  for (let j = 0; j < latitudes.length; j++) {
    const row = nearestRow(latitudes[j]) * nlon;
    for (let i = 0; i < longitudes.length; i++) {
      const cell = row + nearestColumn(longitudes[i]);
      sum[cell] += at(j, i);
      count[cell]++;
    }
  }
  const closest = (values: ArrayLike<number>, wanted: number, circle: boolean): number => {
    let best = 0;
    const distance = (i: number): number =>
      circle ? Math.abs(((values[i] - wanted + 540) % 360) - 180) : Math.abs(values[i] - wanted);
    for (let i = 1; i < values.length; i++) if (distance(i) < distance(best)) best = i;
    return best;
  };
  return sum.map((total, p) =>
    count[p] > 0
      ? total / count[p]
      : at(closest(latitudes, rows[Math.floor(p / nlon)], false), closest(longitudes, ((p % nlon) * 360) / nlon, true)),
  );
}
