/**
 * Derivatives of winds and heights on rows and columns of the sphere, by parabolas through neighbouring points (second
 * order on even spacing), columns around the globe where they go around. Fields are [latitude, longitude], missing values
 * NaN; a value beside a missing one is missing. Radius of the Earth: 6371229 m, as ECMWF's and GRIB's shape 6.
 */
import { isPeriodic, RADIANS, type RectilinearGrid } from "./regrid/grid.js";
import { longitudeLine, slopeWeights } from "./regrid/lines.js";

export const EARTH_RADIUS = 6_371_229;
/** Of the Earth's rotation, s-1. */
export const ROTATION_RATE = 7.292115e-5;
/** Nearer to the equator than this, in degrees, the geostrophic wind is not told: it goes with 1 / sin latitude. */
export const GEOSTROPHIC_LIMIT = 5;

type Field = ArrayLike<number>;

export interface SphereDerivatives {
  /** (dv/dlambda - d(u cos phi)/dphi) / (a cos phi), s-1. */
  vorticity(u: Field, v: Field): Float64Array;
  /** (du/dlambda + d(v cos phi)/dphi) / (a cos phi), s-1. */
  divergence(u: Field, v: Field): Float64Array;
  /** u = -dPhi/dphi / (f a), v = dPhi/dlambda / (f a cos phi), of a geopotential in m2 s-2; m s-1. */
  geostrophicWind(geopotential: Field): { u: Float64Array; v: Float64Array };
}

/** The derivatives of fields on a grid. A pole's row holds what Stokes' and Gauss's theorems say of the cap around it. */
export function sphereDerivatives(grid: RectilinearGrid): SphereDerivatives {
  const { latitudes, longitudes } = grid;
  const [ny, nx] = [latitudes.length, longitudes.length];
  const around = longitudeLine(grid);
  const cosines = latitudes.map((y) => Math.cos(y * RADIANS));
  const polar = (j: number): boolean => Math.abs(latitudes[j]) > 90 - 1e-6;
  const gap = (at: (k: number) => number | undefined, k: number): number | undefined => {
    const [a, b] = [at(k), at(k + 1)];
    return a === undefined || b === undefined ? undefined : (b - a) * RADIANS;
  };
  const columns = Array.from({ length: nx }, (_, i) =>
    slopeWeights(
      gap((k) => around.at(k), i - 1),
      gap((k) => around.at(k), i),
    ),
  );
  const rows = Array.from({ length: ny }, (_, j) =>
    slopeWeights(
      gap((k) => latitudes[k], j - 1),
      gap((k) => latitudes[k], j),
    ),
  );
  /** d/dlambda at a point, of a field. */
  const eastward = (f: Field, j: number, i: number): number => {
    let sum = 0;
    for (let k = -1; k <= 1; k++)
      if (columns[i][k + 1] !== 0) sum += columns[i][k + 1] * f[j * nx + around.column(i + k)];
    return sum;
  };
  /** d(f scale)/dphi at a point. */
  const northward = (f: Field, scale: Float64Array | undefined, j: number, i: number): number => {
    let sum = 0;
    for (let k = -1; k <= 1; k++)
      if (rows[j][k + 1] !== 0) sum += rows[j][k + 1] * f[(j + k) * nx + i] * (scale ? scale[j + k] : 1);
    return sum;
  };
  /** The mean along the row next to a pole, as a flux through the cap's rim over the cap's area; NaN where there is none. */
  const capFlux = (f: Field, j: number): number => {
    if (!isPeriodic(grid) || ny < 2) return NaN;
    const row = j === 0 ? 1 : ny - 2;
    let sum = 0;
    for (let i = 0; i < nx; i++) sum += f[row * nx + i];
    return ((sum / nx) * cosines[row]) / (EARTH_RADIUS * (1 - Math.abs(Math.sin(latitudes[row] * RADIANS))));
  };
  const each = (atPole: (j: number) => number, value: (j: number, i: number) => number): Float64Array => {
    const out = new Float64Array(ny * nx);
    for (let j = 0; j < ny; j++) {
      const cap = polar(j) ? atPole(j) : 0;
      for (let i = 0; i < nx; i++) out[j * nx + i] = polar(j) ? cap : value(j, i);
    }
    return out;
  };
  const hemisphere = (j: number): number => Math.sign(latitudes[j]);
  return {
    vorticity: (u, v) =>
      each(
        (j) => hemisphere(j) * capFlux(u, j),
        (j, i) => (eastward(v, j, i) - northward(u, cosines, j, i)) / (EARTH_RADIUS * cosines[j]),
      ),
    divergence: (u, v) =>
      each(
        (j) => -hemisphere(j) * capFlux(v, j),
        (j, i) => (eastward(u, j, i) + northward(v, cosines, j, i)) / (EARTH_RADIUS * cosines[j]),
      ),
    geostrophicWind(geopotential) {
      const coriolis = (j: number): number =>
        Math.abs(latitudes[j]) < GEOSTROPHIC_LIMIT ? NaN : 2 * ROTATION_RATE * Math.sin(latitudes[j] * RADIANS);
      return {
        u: each(
          () => NaN,
          (j, i) => -northward(geopotential, undefined, j, i) / (coriolis(j) * EARTH_RADIUS),
        ),
        v: each(
          () => NaN,
          (j, i) => eastward(geopotential, j, i) / (coriolis(j) * EARTH_RADIUS * cosines[j]),
        ),
      };
    },
  };
}
