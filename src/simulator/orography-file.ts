/** Orography from a user's dataset: heights on any regular latitude-longitude grid, brought to a model's Gaussian grid. */
import { type Attributes, type Dataset, dataVariables, variable } from "../data/dataset.js";
import { DataError } from "../errors.js";
import { toNumbers } from "../tensor/ndarray.js";
import { EARTH } from "./planet.js";
import { sphericalTransform } from "./transform.js";

/** As CF and GRIB write them: m, metres, gpm; m2 s-2, m**2 s**-2, m^2/s^2, J kg-1. */
const HEIGHT_UNITS = /^(m|met(er|re)s?|gpm)$/i;
const GEOPOTENTIAL_UNITS = /^(m(\*\*|\^)?2 ?(s(\*\*|\^)?-2|\/ ?s(\*\*|\^)?2)|J ?(kg(\*\*|\^)?-1|\/ ?kg))$/;

const HEIGHT_NAMES = ["surface_altitude", "height", "ground_level_altitude"];

/**
 * Heights (m) on the Gaussian grid of a truncation, each the mean of the source's points in its cell (or its nearest point where
 * the source is the coarser). The variable is the one named, or the first whose standard name says altitude or surface
 * geopotential; a geopotential (m^2/s^2) is divided by g. Missing values (the sea) count as 0.
 */
export async function orographyFrom(
  dataset: Dataset,
  { truncation, name }: { truncation: number; name?: string },
): Promise<Float64Array> {
  const standard = (attrs: Attributes): string =>
    typeof attrs["standard_name"] === "string" ? attrs["standard_name"] : "";
  const found = name
    ? variable(dataset, name)
    : dataVariables(dataset).find((v) => [...HEIGHT_NAMES, "surface_geopotential"].includes(standard(v.attrs)));
  if (!found)
    throw new DataError(
      dataset.source,
      `no variable has the standard name ${HEIGHT_NAMES.join(", ")} or surface_geopotential: say which holds the heights`,
    );
  const units = found.attrs["units"] === undefined ? undefined : String(found.attrs["units"]);
  const geopotential = standard(found.attrs) === "surface_geopotential" || GEOPOTENTIAL_UNITS.test(units ?? "");
  if (!geopotential && units !== undefined && !HEIGHT_UNITS.test(units))
    throw new DataError(
      dataset.source,
      `'${found.name}' is in ${units}, not in metres: name the variable that holds heights, as in heights.nc:z`,
    );
  const [latDim, lonDim] = found.dims.slice(-2);
  if (latDim !== "latitude" || lonDim !== "longitude")
    throw new DataError(
      dataset.source,
      `'${found.name}' has dimensions ${found.dims.join(", ")}: heights need latitude and longitude, in this order`,
    );
  const first = Object.fromEntries(found.dims.slice(0, -2).map((dim) => [dim, 0]));
  const heights = toNumbers(await found.read(first));
  const latitudes = toNumbers(await variable(dataset, "latitude").read());
  const longitudes = toNumbers(await variable(dataset, "longitude").read());
  const scale = geopotential ? 1 / EARTH.gravity : 1;
  const span = (longitudes[longitudes.length - 1] - longitudes[0]) * (1 + 1 / longitudes.length);
  if (Math.abs(latitudes[latitudes.length - 1] - latitudes[0]) < 150 || Math.abs(span) < 345)
    throw new DataError(
      dataset.source,
      "its grid does not span the globe: give heights for all latitudes and longitudes",
    );

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
  const height = (j: number, i: number): number => {
    const value = heights[j * longitudes.length + i];
    return Number.isFinite(value) ? value * scale : 0;
  };
  for (let j = 0; j < latitudes.length; j++) {
    const row = nearestRow(latitudes[j]) * nlon;
    for (let i = 0; i < longitudes.length; i++) {
      const at = row + nearestColumn(longitudes[i]);
      sum[at] += height(j, i);
      count[at]++;
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
      : height(
          closest(latitudes, rows[Math.floor(p / nlon)], false),
          closest(longitudes, ((p % nlon) * 360) / nlon, true),
        ),
  );
}
