/**
 * Physical consistency of a global or regional state: balances that the atmosphere keeps and a statistical forecast may not. Each is
 * compared with the truth's own value, since neither is zero in nature.
 */
import { latitudeWeights } from "../../earth/weights.js";

const RADIUS = 6_371_229;
const GRAVITY = 9.80665;
const OMEGA = 7.2921e-5;
const GAS_CONSTANT = 287.05;
const HEAT_CAPACITY = 1004.6;
const LATENT_HEAT = 2.501e6;
const RADIANS = Math.PI / 180;

export interface LatLon {
  readonly latitudes: ArrayLike<number>;
  readonly longitudes: ArrayLike<number>;
}

/**
 * Wind that the height field does not explain: root mean square of (u, v) minus the geostrophic wind, m/s, over rows farther than
 * `beyond` degrees from the equator. u_g = -(g/f) dz/dy, v_g = (g/f) dz/dx; centred differences, seams joined on a global grid.
 *
 * @param height geopotential height, m; u, v in m/s; [latitude, longitude]
 */
export function ageostrophicWind(
  height: ArrayLike<number>,
  u: ArrayLike<number>,
  v: ArrayLike<number>,
  grid: LatLon,
  options: { beyond?: number } = {},
): number {
  const rows = latitudeWeights(grid.latitudes, "exact");
  const columns = grid.longitudes.length;
  const weights = Float64Array.from({ length: rows.length * columns }, (_, i) => rows[Math.floor(i / columns)]);
  const { sum, total } = ageostrophicSums(height, u, v, grid, weights, options);
  return Math.sqrt(sum / total);
}

/** Σ w |(u, v) - geostrophic|² and Σ w, with a weight for each cell. */
export function ageostrophicSums(
  height: ArrayLike<number>,
  u: ArrayLike<number>,
  v: ArrayLike<number>,
  { latitudes, longitudes }: LatLon,
  weights: ArrayLike<number>,
  options: { beyond?: number } = {},
): { sum: number; total: number } {
  const { beyond = 20 } = options;
  const columns = longitudes.length;
  const step = longitudes[1] - longitudes[0];
  const wraps = Math.abs(Math.abs(step) * columns - 360) < 0.01;
  let sum = 0;
  let total = 0;
  for (let i = 1; i < latitudes.length - 1; i++) {
    if (Math.abs(latitudes[i]) < beyond || Math.abs(latitudes[i]) > 85) continue;
    const f = 2 * OMEGA * Math.sin(latitudes[i] * RADIANS);
    const dy = RADIUS * (latitudes[i + 1] - latitudes[i - 1]) * RADIANS;
    const dx = 2 * RADIUS * Math.cos(latitudes[i] * RADIANS) * step * RADIANS;
    for (let j = wraps ? 0 : 1; j < (wraps ? columns : columns - 1); j++) {
      const at = (row: number, column: number) => height[row * columns + ((column + columns) % columns)];
      const ug = (-GRAVITY / f) * ((at(i + 1, j) - at(i - 1, j)) / dy);
      const vg = (GRAVITY / f) * ((at(i, j + 1) - at(i, j - 1)) / dx);
      const square = (u[i * columns + j] - ug) ** 2 + (v[i * columns + j] - vg) ** 2;
      const weight = weights[i * columns + j];
      if (square !== square || weight === 0) continue;
      sum += weight * square;
      total += weight;
    }
  }
  return { sum, total };
}

/**
 * Hydrostatic imbalance of layers between pressure levels: root mean square of the thickness minus R T / g ln(p_lower / p_upper), m,
 * with T the mean of the layer's ends. Fields by level, from the highest pressure up; pressures in any one unit.
 *
 * @param heights geopotential height, m; @param temperatures (virtual) temperature, K
 */
export function hydrostaticImbalance(
  heights: readonly ArrayLike<number>[],
  temperatures: readonly ArrayLike<number>[],
  pressures: readonly number[],
  weights: ArrayLike<number>,
): number {
  let sum = 0;
  let total = 0;
  for (let k = 1; k < pressures.length; k++) {
    const depth = (GAS_CONSTANT / GRAVITY) * Math.log(pressures[k - 1] / pressures[k]);
    for (let i = 0; i < weights.length; i++) {
      const mean = (temperatures[k][i] + temperatures[k - 1][i]) / 2;
      const d = heights[k][i] - heights[k - 1][i] - depth * mean;
      if (d !== d) continue;
      sum += weights[i] * d * d;
      total += weights[i];
    }
  }
  return Math.sqrt(sum / total);
}

/** Column totals averaged over the area, kg/m2 and J/m2. */
export interface Budget {
  /** Dry air: (p_s / g) less the water vapour. */
  readonly dryMass: number;
  readonly vapour: number;
  /** Internal + potential (c_p T), latent (L q) and kinetic energy. */
  readonly energy: number;
}

/**
 * Budgets of a state on pressure levels, by the trapezoidal rule between the levels; mass from the surface pressure. Levels ascend in
 * pressure (Pa). A budget that drifts along a roll-out is a leak.
 *
 * @param state temperature K, humidity kg/kg, u and v m/s by level; surface pressure Pa
 */
export function budget(
  state: {
    readonly temperature: readonly ArrayLike<number>[];
    readonly humidity: readonly ArrayLike<number>[];
    readonly u: readonly ArrayLike<number>[];
    readonly v: readonly ArrayLike<number>[];
    readonly surfacePressure: ArrayLike<number>;
  },
  pressures: readonly number[],
  weights: ArrayLike<number>,
): Budget {
  const { temperature, humidity, u, v, surfacePressure } = state;
  const column = (of: (k: number) => number) => {
    let sum = 0;
    for (let k = 1; k < pressures.length; k++)
      sum += ((of(k) + of(k - 1)) / 2) * ((pressures[k] - pressures[k - 1]) / GRAVITY);
    return sum;
  };
  let mass = 0;
  let vapour = 0;
  let energy = 0;
  let total = 0;
  for (let i = 0; i < weights.length; i++) {
    const water = column((k) => humidity[k][i]);
    const heat = column(
      (k) => HEAT_CAPACITY * temperature[k][i] + LATENT_HEAT * humidity[k][i] + (u[k][i] ** 2 + v[k][i] ** 2) / 2,
    );
    if (water + heat !== water + heat) continue;
    mass += weights[i] * (surfacePressure[i] / GRAVITY - water);
    vapour += weights[i] * water;
    energy += weights[i] * heat;
    total += weights[i];
  }
  return { dryMass: mass / total, vapour: vapour / total, energy: energy / total };
}

/** Change a day of something along the leads, by least squares; with its value at the first lead this is the drift of a roll-out. */
export function drift(values: ArrayLike<number>, leadHours: ArrayLike<number>): number {
  const n = values.length;
  let [x, y] = [0, 0];
  for (let l = 0; l < n; l++) [x, y] = [x + leadHours[l] / 24 / n, y + values[l] / n];
  let [xy, xx] = [0, 0];
  for (let l = 0; l < n; l++) {
    xy += (leadHours[l] / 24 - x) * (values[l] - y);
    xx += (leadHours[l] / 24 - x) ** 2;
  }
  return xy / xx;
}
