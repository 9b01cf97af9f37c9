/**
 * Radiation after Frierson, Held and Zurita-Gotor (2006): one long-wave band of prescribed optical depth that CO2 thickens, a
 * window beside it through which the ground shines into space (Geen, Czaja and Haigh 2016 have one too), and sunshine absorbed
 * by the ground and a little by the air. Without the window the tropopause is too warm, and storms too weak under it.
 *
 *     tau(sigma, phi) = (tau_e + (tau_p - tau_e) sin^2(phi)) (f sigma + (1 - f) sigma^4) (1 + c log2(CO2 / 280 ppm))
 *     F_up, F_down:   dF/dtau = +-(F - (1 - w) sigma_SB T^4), level by level with transmission exp(-dtau);  window: w sigma_SB T_s^4
 */
import type { SigmaLevels } from "./levels.js";
import { STEFAN_BOLTZMANN } from "./thermodynamics.js";

/** W/m^2. */
export const SOLAR_CONSTANT = 1360;

export const TAU_EQUATOR = 15;
export const TAU_POLE = 6.7;
/**
 * Share f of the well-mixed absorber. Its depth, f tau_e = 0.75, is about Frierson's 0.6; 1.9 kept the air at 300 hPa seven kelvins
 * too warm in middle latitudes, and storms a quarter weaker under it.
 */
const LINEAR_SHARE = 0.05;
/** Share w of a black body's radiation that no gas absorbs. */
const WINDOW = 0.16;

/** Transmission exp(-dtau) of every level at one latitude, into `out`; `thickening` is c log2(CO2 / 280 ppm). */
export function transmissions(
  levels: SigmaLevels,
  mu: number,
  thickening: number,
  out: Float64Array,
  at: number,
): void {
  const column = (TAU_EQUATOR + (TAU_POLE - TAU_EQUATOR) * mu * mu) * (1 + thickening);
  const tau = (s: number): number => column * (LINEAR_SHARE * s + (1 - LINEAR_SHARE) * s ** 4);
  for (let k = 0; k < levels.count; k++) out[at + k] = Math.exp(tau(levels.half[k]) - tau(levels.half[k + 1]));
}

/** sigma_SB T^4, W/m^2. */
export function blackBody(temperature: number): number {
  const square = temperature * temperature; // a power would cost ten times as much
  return STEFAN_BOLTZMANN * square * square;
}

/** Long-wave fluxes of one column: net absorption of every level (W/m^2) into `absorbed`. */
export function longWave(
  temperature: Float64Array,
  transmission: Float64Array,
  at: number,
  ground: number,
  absorbed: Float64Array,
): { downAtGround: number; upAtTop: number } {
  const L = temperature.length;
  let down = 0;
  for (let k = 0; k < L; k++) {
    const emitted = (1 - WINDOW) * (1 - transmission[at + k]) * blackBody(temperature[k]);
    const next = down * transmission[at + k] + emitted;
    absorbed[k] = down - next;
    down = next;
  }
  const shining = blackBody(ground);
  let up = (1 - WINDOW) * shining;
  for (let k = L - 1; k >= 0; k--) {
    const emitted = (1 - WINDOW) * (1 - transmission[at + k]) * blackBody(temperature[k]);
    const next = up * transmission[at + k] + emitted;
    absorbed[k] += up - next;
    up = next;
  }
  return { downAtGround: down, upAtTop: up + WINDOW * shining };
}

/** Optical depth of the air to sunshine: it keeps a third of what is not reflected, as Earth's does, where the vapour is (sigma^4). */
const SUNSHINE_DEPTH = 0.4;

/** The share of the sunshine that is not reflected which every level takes, and last what the ground takes; they sum to 1. */
export function sunshineShares(levels: SigmaLevels): Float64Array {
  const left = levels.half.map((sigma) => Math.exp(-SUNSHINE_DEPTH * sigma ** 4));
  return Float64Array.from({ length: levels.count + 1 }, (_, k) =>
    k < levels.count ? left[k] - left[k + 1] : left[levels.count],
  );
}

/** Sine of the sun's declination; `year` is the fraction since the March equinox of a circular orbit. */
export const sineOfDeclination = (year: number): number =>
  Math.sin((23.44 * Math.PI) / 180) * Math.sin(2 * Math.PI * year);

/** Sunshine on a horizontal plane above the air, W/m^2, as the mean of a day (Berger 1978, equation 10 for a circular orbit). */
export function dailyInsolation(mu: number, sineDeclination: number): number {
  const sin = mu * sineDeclination;
  const cos = Math.sqrt(1 - mu * mu) * Math.sqrt(1 - sineDeclination * sineDeclination);
  const x = cos < 1e-12 ? (sin > 0 ? -1 : 1) : -sin / cos;
  const half = x <= -1 ? Math.PI : x >= 1 ? 0 : Math.acos(x);
  return (SOLAR_CONSTANT / Math.PI) * (half * sin + Math.sin(half) * cos);
}

/** The same at one moment: `hourAngle` in radians from local noon. */
export function momentInsolation(mu: number, sineDeclination: number, hourAngle: number): number {
  const cos = Math.sqrt((1 - mu * mu) * (1 - sineDeclination * sineDeclination));
  return SOLAR_CONSTANT * Math.max(0, mu * sineDeclination + cos * Math.cos(hourAngle));
}

/** What an ice sheet (land beyond 62 degrees) reflects more than open water there. */
const ICE = 0.2;
const ICE_LINE = Math.sin((62 * Math.PI) / 180);

/** Reflected share of sunshine: low sun and ice brighten the poles, 0.30 over the globe; `land` from 0 to 1. */
export const albedo = (mu: number, land = 0): number =>
  0.24 + 0.08 * mu ** 2 + 0.3 * mu ** 8 + (Math.abs(mu) > ICE_LINE ? ICE * land : 0);
