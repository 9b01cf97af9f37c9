/**
 * Starts of the primitive equations, and their global budgets. `baroclinicWave` is that of Jablonowski and Williamson (2006), "A
 * baroclinic instability test case for atmospheric model dynamical cores": a balanced zonal flow that is an exact steady solution,
 * and a small bump in the wind that grows into a train of cyclones within 10 days.
 */
import { operators, divergenceAndCurl } from "./operators.js";
import type { Planet } from "./planet.js";
import type { PrimitiveModel } from "./primitive.js";

/** The constants of the paper, table A.1. */
export const BAROCLINIC_PLANET: Planet = {
  radius: 6.371229e6,
  rotation: 7.29212e-5,
  gravity: 9.80616,
  gasConstant: 287,
  specificHeat: 1004.64,
  pressure: 1e5,
};

/** Values at longitude and latitude (radians) and sigma: m/s, K; p_s in Pa. */
export interface PrimitiveStart {
  readonly u: (longitude: number, latitude: number, sigma: number) => number;
  readonly v: (longitude: number, latitude: number, sigma: number) => number;
  readonly temperature: (longitude: number, latitude: number, sigma: number) => number;
  readonly surfacePressure: (longitude: number, latitude: number) => number;
}

/** The balanced flow of the paper (equations 2-7), its ground, and the bump of equation 10 where `perturbed`. */
export function baroclinicWave({ perturbed }: { perturbed: boolean }): PrimitiveStart & {
  surfaceGeopotential: (longitude: number, latitude: number) => number;
} {
  const { radius: a, rotation, gravity, gasConstant: R } = BAROCLINIC_PLANET;
  const u0 = 35;
  const vertical = (eta: number): number => ((eta - 0.252) * Math.PI) / 2;
  const first = (lat: number): number => -2 * Math.sin(lat) ** 6 * (Math.cos(lat) ** 2 + 1 / 3) + 10 / 63;
  const second = (lat: number): number => 1.6 * Math.cos(lat) ** 3 * (Math.sin(lat) ** 2 + 2 / 3) - Math.PI / 4;
  const bump = (lon: number, lat: number): number => {
    const [lon0, lat0] = [Math.PI / 9, (2 * Math.PI) / 9];
    const cosine = Math.sin(lat0) * Math.sin(lat) + Math.cos(lat0) * Math.cos(lat) * Math.cos(lon - lon0);
    return Math.exp(-((Math.acos(Math.min(1, cosine)) * 10) ** 2));
  };
  return {
    u: (lon, lat, eta) =>
      u0 * Math.cos(vertical(eta)) ** 1.5 * Math.sin(2 * lat) ** 2 + (perturbed ? bump(lon, lat) : 0),
    v: () => 0,
    temperature(_, lat, eta) {
      const mean = 288 * eta ** ((R * 0.005) / gravity) + (eta < 0.2 ? 4.8e5 * (0.2 - eta) ** 5 : 0);
      const v = vertical(eta);
      return (
        mean +
        ((0.75 * eta * Math.PI * u0) / R) *
          Math.sin(v) *
          Math.sqrt(Math.cos(v)) *
          (first(lat) * 2 * u0 * Math.cos(v) ** 1.5 + second(lat) * a * rotation)
      );
    },
    surfacePressure: () => 1e5,
    surfaceGeopotential(_, lat) {
      const c = u0 * Math.cos(vertical(1)) ** 1.5;
      return c * (first(lat) * c + second(lat) * a * rotation);
    },
  };
}

/** Sets a model's state before its first step. */
export function setPrimitive(model: PrimitiveModel, start: PrimitiveStart): void {
  const { transform, levels, columns, planet, now } = model;
  const { nlat, nlon, mu, longitudes, points, rows, n, truncation } = transform;
  const L = levels.count;
  const width = 3 * L + 1 + ((3 * L + 1) % 2);
  const grid = new Float64Array(points * width);
  for (let j = 0; j < nlat; j++)
    for (let i = 0; i < nlon; i++) {
      const lat = Math.asin(mu[j]);
      const lon = (longitudes[i] * Math.PI) / 180;
      const at = (j * nlon + i) * width;
      for (let k = 0; k < L; k++) {
        // Over cos^2, as the analysis of a vector wants U = u cos.
        grid[at + k] = start.u(lon, lat, levels.full[k]) / Math.cos(lat);
        grid[at + L + k] = start.v(lon, lat, levels.full[k]) / Math.cos(lat);
        grid[at + 2 * L + k] = start.temperature(lon, lat, levels.full[k]);
      }
      grid[at + 3 * L] = Math.log(start.surfacePressure(lon, lat));
    }
  const spectrum = new Float64Array(rows * 2 * width);
  transform.analyse(grid, spectrum, width);
  const slot = (at: number) => ({ spectrum, columns: width, at });
  const state = (at: number) => ({ spectrum: now, columns: columns.state, at });
  divergenceAndCurl(
    operators(transform, planet.radius),
    slot(0),
    slot(L),
    state(columns.divergence),
    state(columns.vorticity),
    L,
  );
  for (let r = 0; r < 2 * rows; r++) {
    if (n[r >> 1] > truncation) continue;
    for (let k = 0; k < L; k++) now[r * columns.state + columns.temperature + k] = spectrum[r * width + 2 * L + k];
    now[r * columns.state + columns.logPressure] = spectrum[r * width + 3 * L];
  }
}

/** Global means over the sphere. */
export interface Budget {
  /** p_s, Pa. */
  readonly mass: number;
  /** (1/g) integral of KE + cp T + Phi_s over pressure, J/m^2. */
  readonly energy: number;
  readonly kinetic: number;
  /** (1/g) integral of (u + Omega a cos) a cos over pressure, kg m^2 s^-1 per m^2. */
  readonly angularMomentum: number;
}

/** Mass, energy and axial angular momentum of the present state. */
export function budget(model: PrimitiveModel): Budget {
  const { transform, levels, planet, columns, surfaceGeopotential } = model;
  const { nlat, nlon, mu, weights } = transform;
  const grid = model.grid();
  let mass = 0;
  let energy = 0;
  let kinetic = 0;
  let angularMomentum = 0;
  for (let j = 0; j < nlat; j++) {
    const cos2 = 1 - mu[j] ** 2;
    for (let i = 0; i < nlon; i++) {
      const g = (j * nlon + i) * columns.grid;
      const w = weights[j] / (2 * nlon);
      const ps = Math.exp(grid[g + columns.logPressure]);
      mass += w * ps;
      energy += (w * ps * surfaceGeopotential[j * nlon + i]) / planet.gravity;
      for (let k = 0; k < levels.count; k++) {
        const dm = (w * ps * levels.thickness[k]) / planet.gravity;
        const U = grid[g + columns.u + k];
        const V = grid[g + columns.v + k];
        kinetic += (dm * (U * U + V * V)) / (2 * cos2);
        energy += dm * planet.specificHeat * grid[g + columns.temperature + k];
        angularMomentum += dm * planet.radius * (U + planet.rotation * planet.radius * cos2);
      }
    }
  }
  return { mass, energy: energy + kinetic, kinetic, angularMomentum };
}
