/**
 * The published starts of shallow-water models: Williamson et al. (1992), "A standard test set for numerical approximations to the
 * shallow water equations in spherical geometry", cases 2, 5 and 6; Galewsky, Scott and Polvani (2004), "An initial-value problem
 * for testing numerical models of the global shallow-water equations".
 */
import { DAY, type Planet } from "./planet.js";
import type { ShallowWaterStart } from "./shallow-water.js";
import type { SphericalTransform } from "./transform.js";

/** The constants of both papers. */
export const TEST_PLANET: Planet = {
  radius: 6.37122e6,
  rotation: 7.292e-5,
  gravity: 9.80616,
  gasConstant: 287,
  specificHeat: 1004.5,
  pressure: 1e5,
};
const { radius: a, rotation: omega, gravity: g } = TEST_PLANET;

export interface ShallowWaterCase {
  readonly start: ShallowWaterStart;
  readonly meanGeopotential: number;
  /** Functions of longitude and latitude in radians. */
  readonly coriolis?: (longitude: number, latitude: number) => number;
  readonly surface?: (longitude: number, latitude: number) => number;
}

/** Case 2: steady zonal geostrophic flow about an axis tilted by `alpha` radians. */
export function steadyZonalFlow(alpha = 0): ShallowWaterCase {
  const u0 = (2 * Math.PI * a) / (12 * DAY);
  const tilt = (lon: number, lat: number): number =>
    -Math.cos(lon) * Math.cos(lat) * Math.sin(alpha) + Math.sin(lat) * Math.cos(alpha);
  return {
    meanGeopotential: 2.94e4 - (a * omega * u0 + (u0 * u0) / 2) / 3,
    coriolis: (lon, lat) => 2 * omega * tilt(lon, lat),
    start: {
      u: (lon, lat) => u0 * (Math.cos(lat) * Math.cos(alpha) + Math.cos(lon) * Math.sin(lat) * Math.sin(alpha)),
      v: (lon) => -u0 * Math.sin(lon) * Math.sin(alpha),
      geopotential: (lon, lat) => 2.94e4 - (a * omega * u0 + (u0 * u0) / 2) * tilt(lon, lat) ** 2,
    },
  };
}

/** Case 5: zonal flow over an isolated mountain. */
export function flowOverMountain(): ShallowWaterCase {
  const u0 = 20;
  const h0 = 5960;
  const mountain = (lon: number, lat: number): number => {
    const R = Math.PI / 9;
    const r = Math.min(R, Math.hypot(lon - (3 * Math.PI) / 2, lat - Math.PI / 6));
    return 2000 * (1 - r / R);
  };
  return {
    meanGeopotential: g * h0 - (a * omega * u0 + (u0 * u0) / 2) / 3,
    surface: (lon, lat) => g * mountain(lon, lat),
    start: {
      u: (_, lat) => u0 * Math.cos(lat),
      v: () => 0,
      geopotential: (lon, lat) =>
        g * h0 - (a * omega * u0 + (u0 * u0) / 2) * Math.sin(lat) ** 2 - g * mountain(lon, lat),
    },
  };
}

/** Case 6: a Rossby-Haurwitz wave of zonal wavenumber `R`. */
export function rossbyHaurwitz(R = 4, w = 7.848e-6, K = w, h0 = 8000): ShallowWaterCase {
  const phi = (lon: number, lat: number): number => {
    const c = Math.cos(lat);
    const A =
      (w / 2) * (2 * omega + w) * c * c +
      (K * K * c ** (2 * R) * ((R + 1) * c * c + (2 * R * R - R - 2) - (2 * R * R) / (c * c))) / 4;
    const B = ((2 * (omega + w) * K) / ((R + 1) * (R + 2))) * c ** R * (R * R + 2 * R + 2 - (R + 1) ** 2 * c * c);
    const C = (K * K * c ** (2 * R) * ((R + 1) * c * c - (R + 2))) / 4;
    return g * h0 + a * a * (A + B * Math.cos(R * lon) + C * Math.cos(2 * R * lon));
  };
  return {
    meanGeopotential: g * h0 + a * a * w * (omega + w / 2) * (2 / 3), // the mean of the zonal part, near enough
    start: {
      u: (lon, lat) => {
        const c = Math.cos(lat);
        return a * w * c + a * K * c ** (R - 1) * (R * Math.sin(lat) ** 2 - c * c) * Math.cos(R * lon);
      },
      v: (lon, lat) => -a * K * R * Math.cos(lat) ** (R - 1) * Math.sin(lat) * Math.sin(R * lon),
      geopotential: phi,
    },
  };
}

/** The angular speed (rad/s, eastward) at which a Rossby-Haurwitz wave turns in the nondivergent equation (Haurwitz 1940). */
export const rossbyHaurwitzSpeed = (R: number, w: number, planet: Planet): number =>
  (R * (3 + R) * w - 2 * planet.rotation) / ((1 + R) * (2 + R));

/** Galewsky et al.: a balanced barotropically unstable jet, with the height perturbation that sets it off or without. */
export function unstableJet({ perturbed }: { perturbed: boolean }): ShallowWaterCase {
  const south = Math.PI / 7;
  const north = Math.PI / 2 - south;
  const scale = 80 * Math.exp(4 / (north - south) ** 2);
  const u = (lat: number): number =>
    lat <= south || lat >= north ? 0 : scale * Math.exp(1 / ((lat - south) * (lat - north)));
  // g h(lat) = g h0 - integral of a u (f + u tan(lat) / a), by Simpson's rule on a fine mesh from the south pole
  const count = 20_000;
  const table = new Float64Array(count + 1);
  const slope = (lat: number): number => a * u(lat) * (2 * omega * Math.sin(lat) + (u(lat) * Math.tan(lat)) / a);
  const width = Math.PI / count;
  for (let i = 0; i < count; i++) {
    const lat = -Math.PI / 2 + i * width;
    table[i + 1] = table[i] - (width / 6) * (slope(lat) + 4 * slope(lat + width / 2) + slope(lat + width));
  }
  let mean = 0;
  for (let i = 0; i <= count; i++) mean += (table[i] * Math.cos(-Math.PI / 2 + i * width) * width) / 2;
  const balanced = (lat: number): number => {
    const x = (lat + Math.PI / 2) / width;
    const i = Math.min(count - 1, Math.floor(x));
    return g * 10_000 - mean + table[i] + (x - i) * (table[i + 1] - table[i]);
  };
  const bump = (lon: number, lat: number): number => {
    const around = lon > Math.PI ? lon - 2 * Math.PI : lon;
    return 120 * Math.cos(lat) * Math.exp(-((around * 3) ** 2)) * Math.exp(-(((Math.PI / 4 - lat) * 15) ** 2));
  };
  return {
    meanGeopotential: g * 10_000,
    start: {
      u: (_, lat) => u(lat),
      v: () => 0,
      geopotential: (lon, lat) => balanced(lat) + (perturbed ? g * bump(lon, lat) : 0),
    },
  };
}

/** A function of longitude and latitude in radians at every grid point. */
export function onGrid(
  transform: SphericalTransform,
  value: (longitude: number, latitude: number) => number,
): Float64Array {
  const { nlat, nlon, mu, longitudes } = transform;
  const out = new Float64Array(nlat * nlon);
  for (let j = 0; j < nlat; j++)
    for (let i = 0; i < nlon; i++) out[j * nlon + i] = value((longitudes[i] * Math.PI) / 180, Math.asin(mu[j]));
  return out;
}
