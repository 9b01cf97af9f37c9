/**
 * Water vapour by the formulas in common use. Temperatures in K, pressures in Pa, relative humidity as a fraction,
 * specific humidity in kg kg-1.
 *
 * Saturation is over liquid water: e_s = 611.2 Pa exp(17.67 (T - 273.15) / (T - 29.65)) (Bolton 1980, eq. 10), as
 * WeatherBench 2 uses it.
 */

/** Ratio of the gas constants of dry air and water vapour. */
const EPSILON = 0.622;

/** Saturation vapour pressure over water, Pa. */
export const saturationVapourPressure = (temperature: number): number =>
  611.2 * Math.exp((17.67 * (temperature - 273.15)) / (temperature - 29.65));

/** Dew point (K) of a vapour pressure (Pa): Bolton's formula turned round. */
export function dewPoint(vapourPressure: number): number {
  const x = Math.log(vapourPressure / 611.2);
  return (17.67 * 273.15 - 29.65 * x) / (17.67 - x);
}

/** Vapour pressure (Pa) of air with specific humidity q at pressure p: e = p q / (eps + (1 - eps) q). */
export const vapourPressure = (specificHumidity: number, pressure: number): number =>
  (pressure * specificHumidity) / (EPSILON + (1 - EPSILON) * specificHumidity);

/** Specific humidity of a vapour pressure e: q = eps e / (p - (1 - eps) e). */
export const specificHumidity = (vapour: number, pressure: number): number =>
  (EPSILON * vapour) / (pressure - (1 - EPSILON) * vapour);

/** Relative humidity by mixing ratios, w / w_s, as WeatherBench 2 derives it. */
export function relativeHumidity(specific: number, temperature: number, pressure: number): number {
  const saturation = saturationVapourPressure(temperature);
  const mixing = specific / (1 - specific);
  return mixing / ((EPSILON * saturation) / (pressure - saturation));
}

/** Relative humidity from temperature and dew point, e / e_s. */
export const relativeHumidityOfDewPoint = (dewpoint: number, temperature: number): number =>
  saturationVapourPressure(dewpoint) / saturationVapourPressure(temperature);

/** Dew point from temperature and relative humidity. */
export const dewPointOfRelativeHumidity = (relative: number, temperature: number): number =>
  dewPoint(relative * saturationVapourPressure(temperature));
