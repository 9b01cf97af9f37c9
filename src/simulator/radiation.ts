/**
 * Grey radiation (Frierson, Held and Zurita-Gotor 2006): one long-wave band of prescribed optical depth that CO2 thickens, and
 * sunshine absorbed by the ground and a little by the air.
 *
 *     tau(sigma, phi) = (tau_e + (tau_p - tau_e) sin^2(phi)) (f sigma + (1 - f) sigma^4) (1 + c log2(CO2 / 280 ppm))
 *     F_up, F_down:   dF/dtau = +-(F - sigma_SB T^4), level by level with transmission exp(-dtau)
 */
import type { SigmaLevels } from "./levels.js";
import { STEFAN_BOLTZMANN } from "./thermodynamics.js";

/** W/m^2. */
export const SOLAR_CONSTANT = 1360;

export const TAU_EQUATOR = 7.6;
export const TAU_POLE = 3.2;
const LINEAR_SHARE = 0.1;

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
    const emitted = (1 - transmission[at + k]) * blackBody(temperature[k]);
    const next = down * transmission[at + k] + emitted;
    absorbed[k] = down - next;
    down = next;
  }
  let up = blackBody(ground);
  for (let k = L - 1; k >= 0; k--) {
    const emitted = (1 - transmission[at + k]) * blackBody(temperature[k]);
    const next = up * transmission[at + k] + emitted;
    absorbed[k] += up - next;
    up = next;
  }
  return { downAtGround: down, upAtTop: up };
}

/** Optical depth of the air to sunshine: it keeps 39 % of what is not reflected (Earth's some 33 %: grey air cools more than real air, and rain follows the difference), as Earth's does, most of it low down where the vapour is. */
const SUNSHINE_DEPTH = 0.5;

/** The share of the sunshine that is not reflected which every level takes, and last what the ground takes; they sum to 1. */
export function sunshineShares(levels: SigmaLevels): Float64Array {
  const left = levels.half.map((sigma) => Math.exp(-SUNSHINE_DEPTH * sigma * sigma));
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

/** Reflected share of sunshine: bright ice and low sun towards the poles, 0.30 over the globe. */
export const albedo = (mu: number): number => 0.25 + 0.25 * mu ** 4;
