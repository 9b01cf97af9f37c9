/** Water in air: constants and saturation as in Frierson, Held and Zurita-Gotor (2006). */

/** Latent heat of vaporisation, J/kg. */
export const LATENT_HEAT = 2.5e6;
/** Gas constant of water vapour, J/(kg K). */
export const VAPOUR_CONSTANT = 461.5;
/** R_d / R_v. */
export const EPSILON = 287 / VAPOUR_CONSTANT;
/** W/(m^2 K^4). */
export const STEFAN_BOLTZMANN = 5.67e-8;

const COLDEST = 100;
const WARMEST = 400;
const PER_KELVIN = 8;

/** e_s(T) = 610.78 Pa exp(-(L / R_v) (1/T - 1/273.16)), tabulated: the interpolation is good to 1e-4 at 170 K and to 1e-5 at 290 K. */
const TABLE = Float64Array.from(
  { length: (WARMEST - COLDEST) * PER_KELVIN + 2 },
  (_, i) => 610.78 * Math.exp((-LATENT_HEAT / VAPOUR_CONSTANT) * (1 / (COLDEST + i / PER_KELVIN) - 1 / 273.16)),
);

/** Saturation vapour pressure, Pa, at T between 100 and 400 K (held at the ends beyond). */
export function saturationPressure(temperature: number): number {
  const x = (Math.min(WARMEST, Math.max(COLDEST, temperature)) - COLDEST) * PER_KELVIN;
  const i = Math.floor(x);
  return TABLE[i] + (x - i) * (TABLE[i + 1] - TABLE[i]);
}

/** Saturation specific humidity, kg/kg: eps e_s / (p - (1 - eps) e_s), at most 1. */
export function saturationHumidity(temperature: number, pressure: number): number {
  const e = saturationPressure(temperature);
  const q = (EPSILON * e) / (pressure - (1 - EPSILON) * e);
  return q > 0 && q < 1 ? q : 1;
}

/** dq_s/dT = q_s L / (R_v T^2) (Clausius and Clapeyron), 1/K. */
export const saturationSlope = (temperature: number, saturation: number): number =>
  (saturation * LATENT_HEAT) / (VAPOUR_CONSTANT * temperature * temperature);
