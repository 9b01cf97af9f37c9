/**
 * Latitudes and longitudes of a grid's points, in degrees, in the order `gridOrder` gives the values: as two axes where
 * the grid has them, else point by point. Longitudes are from 0 to 360, or go on past 360 along a row that crosses
 * Greenwich, so that an axis is monotonic.
 */
import { MAX_POINTS } from "./decode.js";
import { gaussianLatitudes } from "./gaussian.js";
import type { Grid, Rotation } from "./grid.js";
import { healpixCoordinates } from "./healpix.js";
import { GribError } from "./octets.js";
import { projectionOf } from "./projections.js";

/** `axes`: latitude [nj] and longitude [ni]; `points`: both [points]. */
export interface GridCoordinates {
  readonly kind: "axes" | "points";
  readonly latitude: Float64Array;
  readonly longitude: Float64Array;
}

/** How a grid's coordinates come, told without computing them; undefined where it has none. */
export function coordinatesKind(grid: Grid): GridCoordinates["kind"] | undefined {
  if (grid.kind === "spectral" || grid.kind === "other") return undefined;
  if (grid.kind === "latlon" || grid.kind === "gaussian") return grid.rotation ? "points" : "axes";
  return grid.kind === "projected" && grid.projection === "mercator" ? "axes" : "points";
}

/** Throws GribError where the grid's coordinates are not computed, or cannot be. */
export function gridCoordinates(grid: Grid, options: { maxPoints?: number } = {}): GridCoordinates {
  const { maxPoints = MAX_POINTS } = options;
  if (grid.points > maxPoints)
    throw new GribError(`the grid has ${grid.points} points, more than the limit of ${maxPoints}`);
  switch (grid.kind) {
    case "latlon":
    case "gaussian": {
      const latitude =
        grid.kind === "latlon" ? line(grid.firstLatitude, grid.lastLatitude, grid.nj) : gaussianRows(grid, grid.nj);
      const east = grid.scanning.iNegative
        ? line(grid.firstLongitude, below(grid.lastLongitude, grid.firstLongitude), grid.ni)
        : line(grid.firstLongitude, above(grid.lastLongitude, grid.firstLongitude), grid.ni);
      const longitude = grid.ni > 1 ? east : Float64Array.of(grid.firstLongitude);
      const axes: GridCoordinates = { kind: "axes", latitude, longitude };
      return grid.rotation ? unrotate(spread(axes), grid.rotation) : axes;
    }
    case "reduced":
      return reducedPoints(grid);
    case "projected":
      return projectedPoints(grid);
    case "healpix":
      return { kind: "points", ...healpixCoordinates(grid) };
    case "spectral":
      throw new GribError("a spectral field has coefficients, not points");
    case "other":
      throw new GribError(grid.reason);
  }
}

/** n numbers from `first` to `last`. The increments in files are rounded; the end points are the truer. */
function line(first: number, last: number, n: number): Float64Array {
  const out = new Float64Array(n);
  for (let i = 0; i < n; i++) out[i] = n === 1 ? first : first + ((last - first) * i) / (n - 1);
  return out;
}

const above = (last: number, first: number): number =>
  last > first ? last : last + 360 * Math.ceil((first - last + 1e-9) / 360);
const below = (last: number, first: number): number =>
  last < first ? last : last - 360 * Math.ceil((last - first + 1e-9) / 360);

/** The `rows` Gaussian latitudes that begin at the grid's first one. */
function gaussianRows(grid: Extract<Grid, { n?: number }>, rows: number): Float64Array {
  const all = gaussianLatitudes(grid.n!);
  const latitudes = grid.scanning.jPositive ? Float64Array.from(all).reverse() : all;
  let start = 0;
  for (let i = 1; i < latitudes.length; i++)
    if (Math.abs(latitudes[i] - grid.firstLatitude) < Math.abs(latitudes[start] - grid.firstLatitude)) start = i;
  if (start + rows > latitudes.length)
    throw new GribError(`${rows} rows from latitude ${grid.firstLatitude} do not fit a Gaussian grid of N = ${grid.n}`);
  return latitudes.slice(start, start + rows);
}

/** Two axes to points, row by row. */
function spread({ latitude, longitude }: GridCoordinates): GridCoordinates {
  const [nj, ni] = [latitude.length, longitude.length];
  const [lats, lons] = [new Float64Array(nj * ni), new Float64Array(nj * ni)];
  for (let j = 0; j < nj; j++) {
    lats.fill(latitude[j], j * ni, (j + 1) * ni);
    lons.set(longitude, j * ni);
  }
  return { kind: "points", latitude: lats, longitude: lons };
}

/**
 * Rows of unequal length. `pl` counts the points of whole circles from Greenwich; a row of a smaller area has those of
 * them that lie between its first and last longitude, unless `pl` adds up to the points there are.
 */
function reducedPoints(grid: Extract<Grid, { kind: "reduced" }>): GridCoordinates {
  const { pl, points, firstLongitude, rotation } = grid;
  const latitudes =
    grid.n === undefined ? line(grid.firstLatitude, grid.lastLatitude, pl.length) : gaussianRows(grid, pl.length);
  const latitude = new Float64Array(points);
  const longitude = new Float64Array(points);
  const last = above(grid.lastLongitude, firstLongitude);
  const widest = Math.max(...pl);
  const global = last - firstLongitude + 1.5 * (360 / widest) >= 360;
  const wholeRows = pl.reduce((a, b) => a + b, 0) === points;
  let at = 0;
  pl.forEach((count, row) => {
    for (let i = 0; i < count; i++) {
      let x = firstLongitude + (360 * i) / count;
      if (!global) {
        if (wholeRows) x = count > 1 ? firstLongitude + ((last - firstLongitude) * i) / (count - 1) : firstLongitude;
        else {
          x = firstOnCircle(firstLongitude, count) + (360 * i) / count;
          if (x > last + 1e-6) break;
        }
      }
      if (at === points) throw new GribError(`the rows hold more than the grid's ${points} points`);
      latitude[at] = latitudes[row];
      longitude[at++] = x;
    }
  });
  if (at !== points) throw new GribError(`the rows hold ${at} points, but the grid has ${points}`);
  const result: GridCoordinates = { kind: "points", latitude, longitude };
  return rotation ? unrotate(result, rotation) : result;
}

/** The first multiple of 360 / count degrees at or east of a longitude; a microdegree of rounding is forgiven. */
const firstOnCircle = (longitude: number, count: number): number =>
  (Math.ceil(((longitude - 1e-6) * count) / 360) * 360) / count;

function projectedPoints(grid: Extract<Grid, { kind: "projected" }>): GridCoordinates {
  const { ni, nj, scanning } = grid;
  const { forward, inverse } = projectionOf(grid);
  const [x0, y0] = forward(grid.firstLatitude, grid.firstLongitude);
  const dx = scanning.iNegative ? -grid.dx : grid.dx;
  const dy = scanning.jPositive ? grid.dy : -grid.dy;
  if (grid.projection === "mercator") {
    const latitude = Float64Array.from({ length: nj }, (_, j) => inverse(x0, y0 + j * dy)[0]);
    const longitude = Float64Array.from({ length: ni }, (_, i) => inverse(x0 + i * dx, y0)[1]);
    return { kind: "axes", latitude, longitude };
  }
  const [latitude, longitude] = [new Float64Array(ni * nj), new Float64Array(ni * nj)];
  for (let j = 0, at = 0; j < nj; j++)
    for (let i = 0; i < ni; i++, at++) {
      const [lat, lon] = inverse(x0 + i * dx, y0 + j * dy);
      latitude[at] = lat;
      longitude[at] = ((lon % 360) + 360) % 360;
    }
  return { kind: "points", latitude, longitude };
}

/** Coordinates on a sphere turned so that its south pole lies at `rotation`, back to the earth's. In place. */
function unrotate(coordinates: GridCoordinates, rotation: Rotation): GridCoordinates {
  const { latitude, longitude } = coordinates;
  const R = Math.PI / 180;
  const tilt = -(90 + rotation.latitude) * R;
  const [sin, cos] = [Math.sin(tilt), Math.cos(tilt)];
  for (let i = 0; i < latitude.length; i++) {
    const phi = latitude[i] * R;
    const lambda = (longitude[i] - rotation.angle) * R;
    const [x, y, z] = [Math.cos(lambda) * Math.cos(phi), Math.sin(lambda) * Math.cos(phi), Math.sin(phi)];
    const [x1, z1] = [cos * x + sin * z, -sin * x + cos * z];
    latitude[i] = Math.asin(Math.max(-1, Math.min(1, z1))) / R;
    longitude[i] = (((Math.atan2(y, x1) / R + rotation.longitude) % 360) + 360) % 360;
  }
  return coordinates;
}
