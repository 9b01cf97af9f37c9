/**
 * Rain: large-scale condensation, and the simplified Betts-Miller convection of Frierson (2007), "The dynamics of idealized
 * convection schemes and their effect on the zonally averaged tropical circulation".
 *
 * A parcel rises from the lowest level, dry to saturation, then along the pseudo-adiabat. Between there and its level of neutral
 * buoyancy temperature relaxes to the parcel's and humidity to 70 % of its saturation, in two hours, so that enthalpy is kept:
 *
 *     dT = (T_ref - T) / tau,   dq = (q_ref - q) / tau,   P = -sum dq dp / g
 *
 * Deep where both warming and drying would rain; otherwise shallow, mixing without rain.
 */
import { LATENT_HEAT, saturationHumidity, saturationSlope, VAPOUR_CONSTANT } from "./thermodynamics.js";

/** Reference relative humidity and time of adjustment (s), Frierson's (2007) control. */
export const REFERENCE_HUMIDITY = 0.7;
export const ADJUSTMENT_TIME = 7200;

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
  /** Room for the parcel: temperature and reference humidity per level. */
  readonly parcel: Float64Array;
  readonly humidity: Float64Array;
}

/**
 * Lifts a parcel of T, q from the lowest level; fills its temperature down to the level of neutral buoyancy, whose index is
 * returned, or the number of levels where the parcel never rises freely. `T`, `q` are the column's present values.
 */
export function liftParcel(setting: ConvectionSetting, T: Float64Array, q: Float64Array, p: Float64Array): number {
  const { specificHeat: cp, gasConstant: R, parcel } = setting;
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
    const log = Math.log(p[k] / pressure);
    const dry = t * Math.exp(kappa * log);
    if (!saturated && vapour < saturationHumidity(dry, p[k])) t = dry;
    else {
      if (!saturated) {
        // Saturation lies between the levels: to it along the dry adiabat (bisection in ln p), from there along the moist one.
        let low = 0;
        let high = 1;
        for (let i = 0; i < 8; i++) {
          const middle = 0.5 * (low + high);
          const here = t * Math.exp(kappa * log * middle);
          if (vapour < saturationHumidity(here, pressure * Math.exp(log * middle))) low = middle;
          else high = middle;
        }
        const share = 0.5 * (low + high);
        t *= Math.exp(kappa * log * share);
        pressure *= Math.exp(log * share);
        saturated = true;
      }
      t = moistAdiabat(t, pressure, p[k], cp, R);
    }
    pressure = p[k];
    parcel[k] = t;
    if (t > T[k]) {
      top = k;
      rising = true;
    } else if (rising) break; // neutral buoyancy
  }
  return top;
}

/** Temperature at pressure `to` of saturated air that rises from (`t`, `from`): two midpoint steps in ln p. */
function moistAdiabat(t: number, from: number, to: number, cp: number, R: number): number {
  const slope = (temperature: number, pressure: number): number => {
    const qs = saturationHumidity(temperature, pressure);
    const a = (LATENT_HEAT * qs) / (R * temperature);
    const b = (LATENT_HEAT * LATENT_HEAT * qs) / (cp * VAPOUR_CONSTANT * temperature * temperature);
    return ((R * temperature) / cp) * ((1 + a) / (1 + b));
  };
  const steps = 2;
  const step = Math.log(to / from) / steps;
  let pressure = from;
  for (let i = 0; i < steps; i++) {
    const middle = t + 0.5 * step * slope(t, pressure);
    t += step * slope(middle, pressure * Math.exp(0.5 * step));
    pressure *= Math.exp(step);
  }
  return t;
}

/** Adds the convective tendencies of one column; returns rain, kg m^-2 s^-1. */
export function convection(setting: ConvectionSetting, column: MoistColumn): number {
  const { specificHeat: cp, gravity, parcel, humidity } = setting;
  const { T, q, p, dp, dT, dq } = column;
  const L = T.length;
  const top = liftParcel(setting, T, q, p);
  if (top >= L - 1) return 0;
  let dryRain = 0; // what the drying would rain, in kg/m^2 times g tau
  let warmRain = 0; // what the warming would need
  let depth = 0;
  let reference = 0;
  for (let k = top; k < L; k++) {
    humidity[k] = REFERENCE_HUMIDITY * saturationHumidity(parcel[k], p[k]);
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
  const rate = 1 / ADJUSTMENT_TIME;
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
