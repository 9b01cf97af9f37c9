/** The fields of a primitive-equation model on pressure levels and near the ground. */
import {
  type Bracket,
  bracket,
  completeColumn,
  geopotentialAt,
  newColumn,
  seaLevelPressure,
  surfaceTemperature,
  temperatureAt,
} from "./pressure-levels.js";
import type { PrimitiveModel } from "./primitive.js";
import { variableInfo } from "./variables.js";

/** Roughness (m) of the logarithmic profile that brings the lowest wind down to 10 m. */
const ROUGHNESS = 0.01;

/** Fields by name; those on levels are [level][latitude][longitude], the others [latitude][longitude]. `pressureLevels` in hPa. */
export function primitiveFields(
  model: PrimitiveModel,
  names: readonly string[],
  pressureLevels: readonly number[],
): Record<string, Float32Array> {
  const { transform, levels, planet, columns, surfaceGeopotential } = model;
  const { points, nlon, mu } = transform;
  const L = levels.count;
  const grid = model.grid();
  const setting = { levels, gasConstant: planet.gasConstant, gravity: planet.gravity };
  const column = newColumn(levels);
  const logSigma = levels.full.map(Math.log);
  const where: Bracket = { above: 0, below: 0, weight: 0 };
  const out: Record<string, Float32Array> = {};
  for (const name of names)
    out[name] = new Float32Array(points * (variableInfo(name)?.onLevels ? pressureLevels.length : 1));
  const { geopotential: z, temperature: t, u_component_of_wind: u, v_component_of_wind: v, specific_humidity: q } = out;
  for (let p = 0; p < points; p++) {
    const g = p * columns.grid;
    const secant = 1 / Math.sqrt(1 - mu[Math.floor(p / nlon)] ** 2);
    column.surfacePressure = Math.exp(grid[g + columns.logPressure]);
    column.surfaceGeopotential = surfaceGeopotential[p];
    for (let k = 0; k < L; k++) column.temperature[k] = grid[g + columns.temperature + k];
    completeColumn(setting, column);
    const interpolate = (from: number): number =>
      grid[g + from + where.above] + where.weight * (grid[g + from + where.below] - grid[g + from + where.above]);
    pressureLevels.forEach((hPa, l) => {
      const log = Math.log((hPa * 100) / column.surfacePressure);
      bracket(levels, logSigma, log, where);
      const at = l * points + p;
      if (z) z[at] = geopotentialAt(setting, column, logSigma, log, where);
      if (t) t[at] = temperatureAt(setting, column, logSigma, log, where);
      if (u) u[at] = interpolate(columns.u) * secant;
      if (v) v[at] = interpolate(columns.v) * secant;
      if (q) q[at] = Math.max(0, interpolate(columns.humidity));
    });
    const { surface_pressure: ps, mean_sea_level_pressure: msl, "2m_temperature": t2m } = out;
    if (ps) ps[p] = column.surfacePressure;
    if (msl) msl[p] = seaLevelPressure(setting, column);
    if (t2m) t2m[p] = surfaceTemperature(setting, column) - 0.0065 * 2;
    const { "10m_u_component_of_wind": u10, "10m_v_component_of_wind": v10 } = out;
    if (u10 || v10) {
      const height = (column.geopotential[L - 1] - column.surfaceGeopotential) / planet.gravity;
      const share = Math.log(10 / ROUGHNESS) / Math.log(height / ROUGHNESS);
      if (u10) u10[p] = grid[g + columns.u + L - 1] * secant * share;
      if (v10) v10[p] = grid[g + columns.v + L - 1] * secant * share;
    }
  }
  return out;
}
