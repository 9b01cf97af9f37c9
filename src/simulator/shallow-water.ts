/**
 * The shallow-water equations on the sphere in vorticity-divergence form, spectral, semi-implicit leapfrog (Hack and Jakob 1992).
 * With phi the geopotential of the fluid's depth less its mean Phi, Phi_s that of the ground under it:
 *
 *     dzeta/dt = curl F,      F = ((zeta + f) V, -(zeta + f) U)
 *     dD/dt    = div F - laplacian(E + phi + Phi_s)
 *     dphi/dt  = -div(v phi) - Phi D
 *
 * The barotropic vorticity equation is the same without D and phi: `barotropic: true`.
 */
import {
  analyseField,
  DEFAULT_FILTER,
  type Diffusion,
  diffusionRates,
  type TimeFilter,
  timeFilter,
} from "./leapfrog.js";
import { divergenceAndCurl, operators, windFromVorticity } from "./operators.js";
import { EARTH, type Planet } from "./planet.js";
import { BlowUpError } from "./stability.js";
import { type SphericalTransform, sphericalTransform } from "./transform.js";

export interface ShallowWaterOptions {
  readonly truncation: number;
  /** Seconds. */
  readonly step: number;
  readonly barotropic?: boolean;
  readonly planet?: Planet;
  /** Phi, m^2/s^2. */
  readonly meanGeopotential?: number;
  /** Phi_s, m^2/s^2, [latitude][longitude]. */
  readonly surfaceGeopotential?: Float64Array;
  /** f, 1/s, [latitude][longitude]; 2 Omega sin(latitude) where not given. */
  readonly coriolis?: Float64Array;
  readonly diffusion?: Diffusion;
  readonly filter?: TimeFilter;
  /** Linear friction on vorticity and divergence, 1/s, taken implicitly. */
  readonly drag?: number;
  /** Adds to the tendencies of zeta, D, phi: spectra [row][re, im][4], of the values one step earlier. */
  readonly forcing?: (before: Float64Array, tendency: Float64Array, steps: number) => void;
}

/** Columns of a state spectrum [row][re, im][4]. */
export const VORTICITY = 0;
export const DIVERGENCE = 1;
export const GEOPOTENTIAL = 2;
export const STATE = 4;
/** Further columns of a grid [point][6]. */
export const U = 3;
export const V = 4;
export const GRID = 6;

export interface ShallowWaterModel {
  readonly transform: SphericalTransform;
  readonly planet: Planet;
  readonly meanGeopotential: number;
  readonly stepSeconds: number;
  readonly steps: number;
  /** The state spectrum [row][re, im][4]: zeta, D, phi; changed only before the first step. */
  readonly now: Float64Array;
  /** Grid [point][6] of the present state: zeta, D, phi, u cos(latitude), v cos(latitude). */
  grid(): Float64Array;
  step(): void;
  readonly fastest: number;
  save(): { steps: number; now: Float64Array; before: Float64Array };
  restore(state: { steps: number; now: Float64Array; before: Float64Array }): void;
  readonly timing: { transforms: number; total: number };
}

export function shallowWaterModel(options: ShallowWaterOptions): ShallowWaterModel {
  const {
    truncation,
    step: stepSeconds,
    barotropic = false,
    planet = EARTH,
    meanGeopotential = 0,
    diffusion = { order: 4, hours: 0 },
    filter = DEFAULT_FILTER,
    drag = 0,
    forcing,
  } = options;
  const transform = sphericalTransform(truncation);
  const { rows, points, nlat, nlon, mu, n: ns } = transform;
  const ops = operators(transform, planet.radius);
  const damping = diffusionRates(transform, diffusion);
  const surface = analyseField(transform, options.surfaceGeopotential ?? new Float64Array(points));
  const coriolis =
    options.coriolis ?? Float64Array.from({ length: points }, (_, p) => 2 * planet.rotation * mu[Math.floor(p / nlon)]);

  let now = new Float64Array(rows * 2 * STATE);
  let before = new Float64Array(now.length);
  let after = new Float64Array(now.length);
  const wide = new Float64Array(rows * 2 * GRID);
  const grid = new Float64Array(points * GRID);
  // Tendency columns: F_u, F_v, U phi, V phi, E.
  const tendencyGrid = new Float64Array(points * GRID);
  const analysed = new Float64Array(rows * 2 * GRID);
  const tendency = new Float64Array(rows * 2 * STATE);
  let steps = 0;
  let fastest = 0;
  const timing = { transforms: 0, total: 0 };

  const toGrid = (state: Float64Array): void => {
    for (let r = 0; r < 2 * rows; r++) for (let c = 0; c < 3; c++) wide[r * GRID + c] = state[r * STATE + c];
    const slot = (at: number) => ({ spectrum: wide, columns: GRID, at });
    windFromVorticity(ops, slot(VORTICITY), slot(DIVERGENCE), slot(U), slot(V), 1);
    const start = performance.now();
    transform.synthesise(wide, grid, GRID);
    timing.transforms += (performance.now() - start) / 1000;
  };

  /** F / cos^2, v phi / cos^2 and E at every point. */
  const nonlinear = (): void => {
    let top = 0;
    for (let j = 0; j < nlat; j++) {
      const inverseCos2 = 1 / (1 - mu[j] * mu[j]);
      for (let p = j * nlon; p < (j + 1) * nlon; p++) {
        const g = p * GRID;
        const absolute = (grid[g + VORTICITY] + coriolis[p]) * inverseCos2;
        const u = grid[g + U];
        const v = grid[g + V];
        const phi = grid[g + GEOPOTENTIAL] * inverseCos2;
        const E = 0.5 * (u * u + v * v) * inverseCos2;
        tendencyGrid[g] = absolute * v;
        tendencyGrid[g + 1] = -absolute * u;
        tendencyGrid[g + 2] = u * phi;
        tendencyGrid[g + 3] = v * phi;
        tendencyGrid[g + 4] = E;
        top = E === E ? Math.max(top, E) : Number.NaN;
      }
    }
    fastest = Math.sqrt(2 * top);
    if (!(fastest < 1000)) throw new BlowUpError({ fastest, level: 0, steps, stepSeconds, truncation, planet });
  };

  /** `after` = `from` + `leap` seconds of the tendencies of the state on the grid. */
  const advance = (from: Float64Array, leap: number): void => {
    nonlinear();
    const start = performance.now();
    transform.analyse(tendencyGrid, analysed, GRID);
    timing.transforms += (performance.now() - start) / 1000;
    const slot = (at: number) => ({ spectrum: analysed, columns: GRID, at });
    const made = (at: number) => ({ spectrum: tendency, columns: STATE, at });
    divergenceAndCurl(ops, slot(0), slot(1), made(DIVERGENCE), made(VORTICITY), 1);
    divergenceAndCurl(ops, slot(2), slot(3), made(GEOPOTENTIAL), undefined, 1, -1);
    for (let r = 0; r < 2 * rows; r++)
      tendency[r * STATE + DIVERGENCE] -= ops.laplacian[r >> 1] * (analysed[r * GRID + 4] + surface[r]);
    forcing?.(from, tendency, steps);
    const xi = leap / 2;
    for (let r = 0; r < 2 * rows; r++) {
      const row = r >> 1;
      if (ns[row] > truncation) continue;
      const at = r * STATE;
      const laplacian = ops.laplacian[row];
      const slow = 1 / (1 + leap * (damping[row] + drag));
      after[at] = (from[at] + leap * tendency[at]) * slow;
      if (barotropic) continue;
      const phi = from[at + 2] + xi * tendency[at + 2];
      const mean =
        (from[at + 1] + xi * (tendency[at + 1] - laplacian * phi)) / (1 - xi * xi * meanGeopotential * laplacian);
      after[at + 1] = (2 * mean - from[at + 1]) * slow;
      after[at + 2] = (from[at + 2] + leap * (tendency[at + 2] - meanGeopotential * mean)) / (1 + leap * damping[row]);
    }
  };

  return {
    transform,
    planet,
    meanGeopotential,
    stepSeconds,
    timing,
    get steps() {
      return steps;
    },
    get now() {
      return now;
    },
    get fastest() {
      return fastest;
    },
    grid() {
      toGrid(now);
      return grid;
    },
    step() {
      const start = performance.now();
      toGrid(now);
      if (steps === 0) {
        // A half step forward, then a leap of one step over it.
        before.set(now);
        advance(before, stepSeconds / 2);
        toGrid(after);
        advance(before, stepSeconds);
        [now, after] = [after, now];
      } else {
        advance(before, 2 * stepSeconds);
        timeFilter(filter, before, now, after);
        [before, now, after] = [now, after, before];
      }
      steps++;
      timing.total += (performance.now() - start) / 1000;
    },
    save: () => ({ steps, now: now.slice(), before: before.slice() }),
    restore(state) {
      steps = state.steps;
      now.set(state.now);
      before.set(state.before);
    },
  };
}

/** Fields given at the grid points: winds in m/s, phi in m^2/s^2. */
export interface ShallowWaterStart {
  readonly u: (longitude: number, latitude: number) => number;
  readonly v: (longitude: number, latitude: number) => number;
  /** Geopotential of the fluid's depth, its mean included (radians in, m^2/s^2 out). */
  readonly geopotential: (longitude: number, latitude: number) => number;
}

/** Sets a model's state from functions of longitude and latitude in radians. */
export function setShallowWater(model: ShallowWaterModel, start: ShallowWaterStart): void {
  const { transform, planet, now, meanGeopotential } = model;
  const { nlat, nlon, mu, longitudes, rows, points } = transform;
  const grid = new Float64Array(points * 4);
  for (let j = 0; j < nlat; j++)
    for (let i = 0; i < nlon; i++) {
      const latitude = Math.asin(mu[j]);
      const longitude = (longitudes[i] * Math.PI) / 180;
      const at = (j * nlon + i) * 4;
      const secant = 1 / Math.cos(latitude);
      grid[at] = start.u(longitude, latitude) * secant;
      grid[at + 1] = start.v(longitude, latitude) * secant;
      grid[at + 2] = start.geopotential(longitude, latitude) - meanGeopotential;
    }
  const spectrum = new Float64Array(rows * 2 * 4);
  transform.analyse(grid, spectrum, 4);
  const slot = (at: number) => ({ spectrum, columns: 4, at });
  const ops = operators(transform, planet.radius);
  divergenceAndCurl(
    ops,
    slot(0),
    slot(1),
    { spectrum: now, columns: STATE, at: DIVERGENCE },
    { spectrum: now, columns: STATE, at: VORTICITY },
    1,
  );
  for (let r = 0; r < 2 * rows; r++)
    if (transform.n[r >> 1] <= transform.truncation) now[r * STATE + GEOPOTENTIAL] = spectrum[r * 4 + 2];
}

export interface Invariants {
  /** Mean depth times gravity, m^2/s^2. */
  readonly mass: number;
  /** Mean of (depth) (u^2 + v^2)/2 + (phi_top^2 - phi_s^2)/2, m^4/s^4. */
  readonly energy: number;
  /** Mean of (zeta + f)^2 / (2 depth). */
  readonly potentialEnstrophy: number;
}

/** The global invariants of Williamson et al. (1992), section 4. */
export function invariants(model: ShallowWaterModel, surface?: Float64Array, coriolis?: Float64Array): Invariants {
  const { transform, planet, meanGeopotential } = model;
  const { nlat, nlon, mu, weights } = transform;
  const grid = model.grid();
  let mass = 0;
  let energy = 0;
  let enstrophy = 0;
  for (let j = 0; j < nlat; j++)
    for (let i = 0; i < nlon; i++) {
      const p = j * nlon + i;
      const g = p * GRID;
      const w = weights[j] / (2 * nlon);
      const depth = grid[g + GEOPOTENTIAL] + meanGeopotential;
      const ground = surface?.[p] ?? 0;
      const absolute = grid[g + VORTICITY] + (coriolis?.[p] ?? 2 * planet.rotation * mu[j]);
      mass += w * depth;
      energy +=
        w *
        ((depth * (grid[g + U] ** 2 + grid[g + V] ** 2)) / (2 * (1 - mu[j] ** 2)) +
          ((depth + ground) ** 2 - ground ** 2) / 2);
      enstrophy += (w * absolute ** 2) / (2 * depth);
    }
  return { mass, energy, potentialEnstrophy: enstrophy };
}
