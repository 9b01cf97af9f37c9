/**
 * Rain: large-scale condensation, and the simplified Betts-Miller convection of Frierson (2007), "The dynamics of idealized
 * convection schemes and their effect on the zonally averaged tropical circulation".
 *
 * A parcel rises from the lowest level, dry to saturation, then along the pseudo-adiabat. Between there and its level of neutral
 * buoyancy temperature relaxes to the parcel's and humidity to 70 % of its saturation, in two hours (Frierson's control), so that enthalpy is kept:
 *
 *     dT = (T_ref - T) / tau,   dq = (q_ref - q) / tau,   P = -sum dq dp / g
 *
 * Deep where both warming and drying would rain; otherwise shallow, mixing without rain.
 */
import type { SigmaLevels } from "./levels.js";
import type { Planet } from "./planet.js";
import {
  EPSILON,
  LATENT_HEAT,
  saturationHumidity,
  saturationPressure,
  saturationSlope,
  VAPOUR_CONSTANT,
} from "./thermodynamics.js";

/** Reference relative humidity and time of adjustment (s), Frierson's (2007) control. */
const REFERENCE_HUMIDITY = 0.7;
export const ADJUSTMENT_TIME = 7200;

/** K by which a saturated parcel may be colder than the air around it and still be followed. */
const HOPELESS = 4;

/** A column that physics works on: values one step earlier, and their tendencies. Index 0 is the top. */
export interface MoistColumn {
  readonly T: Float64Array;
  readonly q: Float64Array;
  readonly u: Float64Array;
  readonly v: Float64Array;
  /** Pressure of the full levels and thickness, Pa. */
  readonly p: Float64Array;
  readonly dp: Float64Array;
  readonly dT: Float64Array;
  readonly dq: Float64Array;
  readonly du: Float64Array;
  readonly dv: Float64Array;
}

/** The constants of a convection on given levels, and its room. */
export function convectionSetting(
  levels: SigmaLevels,
  { specificHeat, gasConstant, gravity }: Planet,
  options: { referenceHumidity?: number; adjustmentTime?: number } = {},
): ConvectionSetting {
  const { full, count } = levels;
  const logStep = full.map((sigma, k) => (k + 1 < count ? Math.log(sigma / full[k + 1]) : 0));
  return {
    specificHeat,
    gasConstant,
    gravity,
    referenceHumidity: options.referenceHumidity ?? REFERENCE_HUMIDITY,
    adjustmentTime: options.adjustmentTime ?? ADJUSTMENT_TIME,
    logStep,
    dryStep: logStep.map((log) => Math.exp((gasConstant / specificHeat) * log)),
    parcel: new Float64Array(count),
    humidity: new Float64Array(count),
  };
}

export function moistColumn(levels: number): MoistColumn {
  const array = () => new Float64Array(levels);
  return {
    T: array(),
    q: array(),
    u: array(),
    v: array(),
    p: array(),
    dp: array(),
    dT: array(),
    dq: array(),
    du: array(),
    dv: array(),
  };
}

export interface ConvectionSetting {
  readonly specificHeat: number;
  readonly gasConstant: number;
  readonly gravity: number;
  readonly referenceHumidity: number;
  /** s. */
  readonly adjustmentTime: number;
  /** ln(sigma_k / sigma_{k+1}) and its exponential to the power of kappa: a rise from level k + 1 to k. */
  readonly logStep: Float64Array;
  readonly dryStep: Float64Array;
  /** Room for the parcel: temperature and reference humidity per level. */
  readonly parcel: Float64Array;
  readonly humidity: Float64Array;
}

/**
 * Lifts a parcel of T, q from the lowest level; fills its temperature down to the level of neutral buoyancy, whose index is
 * returned, or the number of levels where the parcel never rises freely. `T`, `q` are the column's present values.
 */
export function liftParcel(setting: ConvectionSetting, T: Float64Array, q: Float64Array, p: Float64Array): number {
  const { specificHeat: cp, gasConstant: R, parcel, logStep, dryStep } = setting;
  const L = T.length;
  const kappa = R / cp;
  const start = L - 1;
  const vapour = q[start];
  let t = T[start];
  let saturated = vapour >= saturationHumidity(t, p[start]);
  let pressure = p[start];
  let top = L;
  let rising = false;
  parcel[start] = t;
  for (let k = start - 1; k >= 0; k--) {
    let log = logStep[k];
    if (!saturated) {
      const dry = t * dryStep[k];
      if (vapour < saturationHumidity(dry, p[k])) t = dry;
      else {
        // Saturation lies between the levels: to it along the dry adiabat, from there along the moist one.
        const share = condensationShare(t, pressure, vapour, kappa, log);
        t *= Math.exp(kappa * log * share);
        pressure *= Math.exp(log * share);
        log *= 1 - share;
        saturated = true;
      }
    }
    if (saturated) t = moistAdiabat(t, pressure, log, cp, R);
    pressure = p[k];
    parcel[k] = t;
    if (t > T[k]) {
      top = k;
      rising = true;
    } else if (rising || (saturated && t < T[k] - HOPELESS)) break; // neutral buoyancy, or none in sight
  }
  return top;
}

/**
 * The share of a dry rise by `log` = ln(p_to / p_from) after which `vapour` saturates: e = e_0 (T / T_0)^(1/kappa) meets
 * e_s ~ exp(-B / T), B = L / R_v, so that two of Newton's steps find T to 0.03 K:
 *
 *     f(T) = ln(e_0 / e_s(T_0)) + ln(T / T_0) / kappa + B (1/T - 1/T_0) = 0,   f' = 1 / (kappa T) - B / T^2
 */
function condensationShare(t: number, pressure: number, vapour: number, kappa: number, log: number): number {
  const e = (vapour * pressure) / (EPSILON + (1 - EPSILON) * vapour);
  const humidity = Math.log(e / saturationPressure(t));
  const B = LATENT_HEAT / VAPOUR_CONSTANT;
  const first = t - humidity / (1 / (kappa * t) - B / (t * t));
  const excess = humidity + Math.log(first / t) / kappa + B * (1 / first - 1 / t);
  const saturated = first - excess / (1 / (kappa * first) - B / (first * first));
  return Math.min(1, Math.max(0, Math.log(saturated / t) / (kappa * log)));
}

/** |ln p| above which a rise is taken in two steps: one is good to 0.02 K below. */
const THICK = 0.2;

/** Temperature of saturated air after a rise by `log` = ln(p_to / p_from) from (`t`, `from`): one or two midpoint steps in ln p. */
function moistAdiabat(t: number, from: number, log: number, cp: number, R: number): number {
  const steps = log < -THICK ? 2 : 1;
  const step = log / steps;
  // exp(step / 2) by its series: a layer is a small part of the air.
  const half = 1 + 0.5 * step * (1 + 0.25 * step * (1 + step / 6));
  let pressure = from;
  for (let i = 0; i < steps; i++) {
    const middle = t + 0.5 * step * moistSlope(t, pressure, cp, R);
    t += step * moistSlope(middle, pressure * half, cp, R);
    pressure *= half * half;
  }
  return t;
}

/** dT/dln p along the pseudo-adiabat: (R T / cp) (1 + L q_s / (R T)) / (1 + L^2 q_s / (cp R_v T^2)). */
function moistSlope(temperature: number, pressure: number, cp: number, R: number): number {
  const qs = saturationHumidity(temperature, pressure);
  const a = (LATENT_HEAT * qs) / (R * temperature);
  const b = (LATENT_HEAT * LATENT_HEAT * qs) / (cp * VAPOUR_CONSTANT * temperature * temperature);
  return ((R * temperature) / cp) * ((1 + a) / (1 + b));
}

/** Adds the convective tendencies of one column; returns rain, kg m^-2 s^-1. */
export function convection(setting: ConvectionSetting, column: MoistColumn): number {
  const { specificHeat: cp, gravity, parcel, humidity, referenceHumidity } = setting;
  const { T, q, p, dp, dT, dq } = column;
  const L = T.length;
  const top = liftParcel(setting, T, q, p);
  if (top >= L - 1) return 0;
  let dryRain = 0; // what the drying would rain, in kg/m^2 times g tau
  let warmRain = 0; // what the warming would need
  let depth = 0;
  let reference = 0;
  for (let k = top; k < L; k++) {
    humidity[k] = referenceHumidity * saturationHumidity(parcel[k], p[k]);
    dryRain += (q[k] - humidity[k]) * dp[k];
    warmRain += (cp / LATENT_HEAT) * (parcel[k] - T[k]) * dp[k];
    reference += humidity[k] * dp[k];
    depth += dp[k];
  }
  if (warmRain <= 0) return 0;
  const deep = dryRain > 0;
  // Deep: the parcel's temperatures are shifted so that warming equals rain. Shallow: both are mixed without rain.
  const moisture = deep ? 1 : (reference + dryRain) / reference;
  const shift = (LATENT_HEAT * ((deep ? dryRain : 0) - warmRain)) / (cp * depth);
  const rate = 1 / setting.adjustmentTime;
  for (let k = top; k < L; k++) {
    dT[k] += rate * (parcel[k] + shift - T[k]);
    dq[k] += rate * (moisture * humidity[k] - q[k]);
  }
  return deep ? (rate * dryRain) / gravity : 0;
}

/**
 * Condenses what exceeds saturation after `leap` seconds of the physics so far; all of it falls out.
 *
 *     dq = -(q - q_s) / (1 + (L / cp) dq_s/dT),   dT = -(L / cp) dq
 */
export function condensation(setting: ConvectionSetting, column: MoistColumn, leap: number): number {
  const { specificHeat: cp, gravity } = setting;
  const { T, q, p, dp, dT, dq } = column;
  let rain = 0;
  for (let k = 0; k < T.length; k++) {
    const t = T[k] + leap * dT[k];
    const vapour = q[k] + leap * dq[k];
    const saturation = saturationHumidity(t, p[k]);
    if (vapour <= saturation) continue;
    const excess = (vapour - saturation) / (1 + (LATENT_HEAT / cp) * saturationSlope(t, saturation)) / leap;
    dq[k] -= excess;
    dT[k] += (LATENT_HEAT / cp) * excess;
    rain += (excess * dp[k]) / gravity;
  }
  return rain;
}
