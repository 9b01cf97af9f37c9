/**
 * From sigma levels to what a forecaster reads: values on pressure surfaces, mean sea level pressure, values near the ground.
 *
 * Between levels temperature, wind and humidity are linear in ln p, and geopotential is the hydrostatic integral of that
 * temperature, joined without a step to the model's own geopotential. Above the highest level the air is isothermal. Below the
 * lowest one temperature follows the standard lapse rate of 6.5 K/km (Trenberth, Berry and Buja 1993), wind and humidity stay.
 */
import { geopotential, type SigmaLevels } from "./levels.js";

/** K/m. */
export const LAPSE_RATE = 0.0065;

/** One column of the atmosphere, refilled for every point. */
export interface Column {
  /** Pa. */
  surfacePressure: number;
  /** J/kg. */
  surfaceGeopotential: number;
  /** K, from the top. */
  readonly temperature: Float64Array;
  /** J/kg, at full levels. */
  readonly geopotential: Float64Array;
}

export interface ColumnSetting {
  readonly levels: SigmaLevels;
  readonly gasConstant: number;
  readonly gravity: number;
}

export function newColumn(levels: SigmaLevels): Column {
  return {
    surfacePressure: 0,
    surfaceGeopotential: 0,
    temperature: new Float64Array(levels.count),
    geopotential: new Float64Array(levels.count),
  };
}

/** Completes a column whose pressure, surface geopotential and temperature are set. */
export function completeColumn({ levels, gasConstant }: ColumnSetting, column: Column): void {
  geopotential(levels, gasConstant, column.temperature, 0, column.geopotential);
  for (let k = 0; k < levels.count; k++) column.geopotential[k] += column.surfaceGeopotential;
}

/** Temperature (K) at the ground, from the lowest level down the standard lapse rate. */
export function surfaceTemperature({ levels, gasConstant, gravity }: ColumnSetting, column: Column): number {
  const lowest = levels.count - 1;
  return column.temperature[lowest] * (1 / levels.full[lowest]) ** ((gasConstant * LAPSE_RATE) / gravity);
}

/** Pressure at sea level, Pa: p_s (1 + lapse z_s / T_s)^(g / (R lapse)). */
export function seaLevelPressure(setting: ColumnSetting, column: Column): number {
  const { gasConstant, gravity } = setting;
  const height = column.surfaceGeopotential / gravity;
  if (Math.abs(height) < 0.1) return column.surfacePressure;
  const ground = surfaceTemperature(setting, column);
  // Very warm or cold ground would make the fictitious air below it absurd: half way to the usual range, as ECMWF does.
  const base = ground > 290.5 ? 0.5 * (ground + 290.5) : ground < 255 ? 0.5 * (ground + 255) : ground;
  return column.surfacePressure * (1 + (LAPSE_RATE * height) / base) ** (gravity / (gasConstant * LAPSE_RATE));
}

/** Where a pressure lies among the full levels: `above` and the weight of the level below it; outside, above = below. */
export interface Bracket {
  above: number;
  below: number;
  weight: number;
}

/** Finds the levels around sigma = pressure / p_s; `logSigma` of the full levels. */
export function bracket(levels: SigmaLevels, logSigma: Float64Array, log: number, out: Bracket): void {
  const L = levels.count;
  let k = 0;
  while (k < L && logSigma[k] < log) k++;
  out.above = Math.max(0, k - 1);
  out.below = Math.min(L - 1, k);
  out.weight = k === 0 || k === L ? 0 : (log - logSigma[k - 1]) / (logSigma[k] - logSigma[k - 1]);
}

/** Temperature (K) at ln(p / p_s) = `log`. */
export function temperatureAt(
  setting: ColumnSetting,
  column: Column,
  logSigma: Float64Array,
  log: number,
  b: Bracket,
): number {
  const { levels, gasConstant, gravity } = setting;
  const { temperature: T } = column;
  const lowest = levels.count - 1;
  if (log > logSigma[lowest])
    return T[lowest] * Math.exp(((gasConstant * LAPSE_RATE) / gravity) * (log - logSigma[lowest]));
  return T[b.above] + b.weight * (T[b.below] - T[b.above]);
}

/** Geopotential (J/kg) at ln(p / p_s) = `log`. */
export function geopotentialAt(
  setting: ColumnSetting,
  column: Column,
  logSigma: Float64Array,
  log: number,
  b: Bracket,
): number {
  const { levels, gasConstant: R, gravity } = setting;
  const { temperature: T, geopotential: phi } = column;
  const lowest = levels.count - 1;
  if (log <= logSigma[0]) return phi[0] + R * T[0] * (logSigma[0] - log);
  if (log > logSigma[lowest]) {
    // Down the lapse rate from the ground or from the lowest level, the two joined between them.
    const exponent = (R * LAPSE_RATE) / gravity;
    const drop = (from: number, t: number): number =>
      (gravity / LAPSE_RATE) * t * (1 - Math.exp(exponent * (log - from)));
    const ground = T[lowest] * Math.exp(-exponent * logSigma[lowest]);
    if (log >= 0) return column.surfaceGeopotential + drop(0, ground);
    const full = phi[lowest] + (gravity / LAPSE_RATE) * T[lowest] * (1 - Math.exp(-exponent * logSigma[lowest]));
    const share = (log - logSigma[lowest]) / -logSigma[lowest];
    return phi[lowest] + drop(logSigma[lowest], T[lowest]) + share * (column.surfaceGeopotential - full);
  }
  const { above, below, weight } = b;
  const here = T[above] + weight * (T[below] - T[above]);
  const step = logSigma[below] - logSigma[above];
  const trapezoid = 0.5 * R * (T[above] + T[below]) * step;
  const residual = phi[above] - phi[below] - trapezoid;
  return phi[below] + 0.5 * R * (here + T[below]) * (logSigma[below] - log) + residual * (1 - weight);
}
