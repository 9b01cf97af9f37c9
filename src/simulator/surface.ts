/**
 * The ground under the air: a slab of water (deep) or of soil (shallow), bulk fluxes, and the mixing of the lowest air.
 *
 *     H = rho c_p C |V| (T_s - theta_L),   E = rho C |V| beta (q_s(T_s) - q_L),   stress = -rho C |V| (u, v)
 *     C_slab dT_s/dt = sunshine (1 - albedo) + long-wave down - sigma_SB T_s^4 - H - L E + Q
 */
import type { MoistColumn } from "./convection.js";
import { LATENT_HEAT, saturationHumidity } from "./thermodynamics.js";
import type { SphericalTransform } from "./transform.js";

/** Exchange coefficients over water and land. */
export const DRAG_WATER = 0.8e-3;
export const DRAG_LAND = 2.0e-3;
export const EXCHANGE = 1.1e-3;
/** m/s, added to the wind in quadrature: gusts where the mean wind is weak. */
export const GUST = 3;
/** Share of potential evaporation that land gives. */
export const LAND_WETNESS = 0.6;

/** Heat capacity of one metre of water, J/(m^2 K). */
export const WATER_CAPACITY = 1025 * 3990;
/** Metres of water that store as much heat as the soil a season reaches. */
export const LAND_DEPTH = 2;

/** Strength (W/m^2) and half width (radians) of the heat that the ocean carries out of the tropics. */
const OCEAN_TRANSPORT = 25;
const TRANSPORT_WIDTH = (18 * Math.PI) / 180;

/**
 * Heating of the slab by the ocean's currents, W/m^2 (Merlis, Schneider, Bordoni and Eisenman 2013), on water alone and nought
 * in the mean:
 *
 *     Q(phi) = -Q_0 (1 - 2 phi^2 / phi_0^2) exp(-phi^2 / phi_0^2) / cos(phi)
 */
export function oceanHeating(transform: SphericalTransform, land: Float64Array): Float64Array {
  const { nlat, nlon, mu, weights } = transform;
  const out = new Float64Array(land.length);
  let sum = 0;
  let water = 0;
  for (let j = 0; j < nlat; j++) {
    const x = (Math.asin(mu[j]) / TRANSPORT_WIDTH) ** 2;
    const heat = (-OCEAN_TRANSPORT * (1 - 2 * x) * Math.exp(-x)) / Math.sqrt(1 - mu[j] ** 2);
    for (let p = j * nlon; p < (j + 1) * nlon; p++) {
      out[p] = heat * (1 - land[p]);
      sum += weights[j] * out[p];
      water += weights[j] * (1 - land[p]);
    }
  }
  return out.map((heat, p) => heat - (water > 0 ? sum / water : 0) * (1 - land[p]));
}

export interface SurfaceFluxes {
  /** W/m^2, upward. */
  sensible: number;
  latent: number;
  /** kg m^-2 s^-1. */
  evaporation: number;
}

export interface SurfaceSetting {
  readonly specificHeat: number;
  readonly gasConstant: number;
  readonly gravity: number;
  /** sigma_L^-kappa: brings the lowest temperature to the ground. */
  readonly toGround: number;
  /** Exchange coefficient C of heat and water. */
  readonly exchange: number;
}

/** Adds the surface's tendencies to the lowest level, friction's heat among them; `land` from 0 to 1. */
export function surfaceFluxes(
  setting: SurfaceSetting,
  column: MoistColumn,
  ground: number,
  surfacePressure: number,
  land: number,
  out: SurfaceFluxes,
): void {
  const { specificHeat: cp, gasConstant: R, gravity, toGround } = setting;
  const { T, q, u, v, dp, dT, dq, du, dv } = column;
  const k = T.length - 1;
  const air = T[k] * toGround;
  const density = surfacePressure / (R * air);
  const speed = Math.sqrt(u[k] * u[k] + v[k] * v[k] + GUST * GUST);
  const wetness = 1 - land * (1 - LAND_WETNESS);
  const perMass = gravity / dp[k];
  const flow = density * setting.exchange * speed;
  const evaporation = flow * wetness * Math.max(0, saturationHumidity(ground, surfacePressure) - q[k]);
  const sensible = flow * cp * (ground - air);
  out.sensible = sensible;
  out.evaporation = evaporation;
  out.latent = LATENT_HEAT * evaporation;
  dT[k] += (perMass * sensible) / cp;
  dq[k] += perMass * evaporation;
  const friction = perMass * density * (DRAG_WATER + land * (DRAG_LAND - DRAG_WATER)) * speed;
  du[k] -= friction * u[k];
  dv[k] -= friction * v[k];
  dT[k] += (friction * (u[k] * u[k] + v[k] * v[k])) / cp;
}

/** Where the mixing of water and of momentum ends (sigma) in stable air, and its times (s) where the air is stable and where it is not. */
const MOIST_BELOW = 0.76;
const STRESS_BELOW = 0.85;
const STABLE_TIME = 86_400;
const UNSTABLE_TIME = 4 * 3600;

/**
 * Exchanges dry static energy, humidity and momentum between neighbouring levels: slowly in the boundary layer, swiftly wherever
 * the air above is potentially colder. `height` (m) of the full levels, `sigma` of the half levels.
 */
export function mixing(setting: SurfaceSetting, column: MoistColumn, height: Float64Array, sigma: Float64Array): void {
  const { specificHeat: cp, gravity } = setting;
  const { T, q, u, v, dp, dT, dq, du, dv } = column;
  for (let k = T.length - 2; k >= 0; k--) {
    const energy = cp * (T[k + 1] - T[k]) + gravity * (height[k + 1] - height[k]);
    const unstable = energy > 0;
    if (!unstable && sigma[k + 1] < MOIST_BELOW) continue;
    // Mass exchanged, Pa/s: of the thinner layer in the given time.
    const rate = Math.min(dp[k], dp[k + 1]) / (unstable ? UNSTABLE_TIME : STABLE_TIME);
    const up = rate / dp[k];
    const down = rate / dp[k + 1];
    // In stable air heat is not mixed: radiation and the fluxes keep its stratification.
    if (unstable) {
      dT[k] += (up * energy) / cp;
      dT[k + 1] -= (down * energy) / cp;
    }
    const moisture = q[k + 1] - q[k];
    dq[k] += up * moisture;
    dq[k + 1] -= down * moisture;
    if (!unstable && sigma[k + 1] < STRESS_BELOW) continue;
    const east = u[k + 1] - u[k];
    const north = v[k + 1] - v[k];
    du[k] += up * east;
    du[k + 1] -= down * east;
    dv[k] += up * north;
    dv[k + 1] -= down * north;
    // What motion loses becomes heat, half in either layer.
    const heat = (0.5 * (east * east + north * north)) / cp;
    dT[k] += up * heat;
    dT[k + 1] += down * heat;
  }
}
