/**
 * Conformal projections of GRIB's projected grids on a sphere or an ellipsoid: Lambert conic, polar stereographic,
 * Mercator. Snyder, Map Projections: A Working Manual (USGS Professional Paper 1395, 1987), equations 7-9 to 7-13,
 * 14-15, 15-9, 15-10 and 21-33 to 21-40; on a sphere the eccentricity is 0 and the same equations hold.
 */
import type { Grid } from "./grid.js";
import { GribError } from "./octets.js";

/** What a projected grid says of its plane. */
export type Plane = Pick<
  Extract<Grid, { kind: "projected" }>,
  "projection" | "earth" | "trueLatitude" | "orientation" | "parallels" | "southPole"
>;

export interface Projection {
  /** Degrees to metres. */
  readonly forward: (latitude: number, longitude: number) => readonly [x: number, y: number];
  /** Metres to degrees. */
  readonly inverse: (x: number, y: number) => readonly [latitude: number, longitude: number];
}

const RADIANS = Math.PI / 180;

export function projectionOf(grid: Plane): Projection {
  const { major: a, minor: b } = grid.earth;
  if (!(a > 0) || !(b > 0) || b > a) throw new GribError(`an earth with semi-axes ${a} m and ${b} m does not exist`);
  const e = Math.sqrt(1 - (b / a) ** 2);
  /** Snyder's m (14-15): the radius of the parallel over a. */
  const parallel = (phi: number) => Math.cos(phi) / Math.sqrt(1 - (e * Math.sin(phi)) ** 2);
  /** Snyder's t (15-9): tan(pi/4 - chi/2) of the conformal latitude chi. */
  const conformal = (phi: number) =>
    Math.tan(Math.PI / 4 - phi / 2) / ((1 - e * Math.sin(phi)) / (1 + e * Math.sin(phi))) ** (e / 2);
  /** The latitude of t, by iteration (7-9). */
  const latitudeOf = (t: number): number => {
    let phi = Math.PI / 2 - 2 * Math.atan(t);
    if (e > 0)
      for (let i = 0; i < 15; i++) {
        const s = e * Math.sin(phi);
        const next = Math.PI / 2 - 2 * Math.atan(t * ((1 - s) / (1 + s)) ** (e / 2));
        if (Math.abs(next - phi) < 1e-14) return next;
        phi = next;
      }
    return phi;
  };

  if (grid.projection === "mercator") {
    // The template allows 0 to 90 degrees; larger numbers (NCEP writes a meridian there) mean nothing.
    if (grid.orientation > 0 && grid.orientation <= 90)
      throw new GribError(`a Mercator grid turned by ${grid.orientation} degrees is not computed`);
    const radius = a * parallel(grid.trueLatitude * RADIANS);
    return {
      forward: (latitude, longitude) => [
        radius * longitude * RADIANS,
        -radius * Math.log(conformal(latitude * RADIANS)),
      ],
      inverse: (x, y) => [latitudeOf(Math.exp(-y / radius)) / RADIANS, x / radius / RADIANS],
    };
  }
  // Both others are cones: a pole's cone is flat (n = 1). The south is the north turned over.
  const [first, second] = grid.parallels.map((degrees) => degrees * RADIANS);
  let n: number; // the cone's constant
  let scale: number; // rho = scale * t^n
  let sign = 1;
  if (grid.projection === "polar") {
    sign = grid.southPole ? -1 : 1;
    const phi = sign * grid.trueLatitude * RADIANS;
    n = 1;
    scale =
      Math.abs(phi - Math.PI / 2) < 1e-12
        ? (2 * a) / Math.sqrt((1 + e) ** (1 + e) * (1 - e) ** (1 - e))
        : (a * parallel(phi)) / conformal(phi);
  } else {
    n =
      Math.abs(first - second) < 1e-10
        ? Math.sin(first)
        : (Math.log(parallel(first)) - Math.log(parallel(second))) /
          (Math.log(conformal(first)) - Math.log(conformal(second)));
    if (!(Math.abs(n) > 1e-10))
      throw new GribError(`a Lambert cone between parallels ${grid.parallels.join(" and ")} degrees does not exist`);
    scale = (a * parallel(first)) / (n * conformal(first) ** n);
  }
  return {
    forward(latitude, longitude) {
      const rho = scale * conformal(sign * latitude * RADIANS) ** n;
      const theta = n * (turn(longitude - grid.orientation) * RADIANS);
      return [rho * Math.sin(theta), -sign * rho * Math.cos(theta)];
    },
    inverse(x, y) {
      const down = -sign * y;
      const rho = Math.sign(n) * Math.hypot(x, down);
      const theta = Math.atan2(Math.sign(n) * x, Math.sign(n) * down);
      const latitude = rho === 0 ? Math.sign(n) * 90 : latitudeOf((rho / scale) ** (1 / n)) / RADIANS;
      return [sign * latitude, grid.orientation + theta / n / RADIANS];
    },
  };
}

/** An angle in (-180, 180]. */
const turn = (degrees: number): number => {
  const rest = ((degrees % 360) + 360) % 360;
  return rest > 180 ? rest - 360 : rest;
};
