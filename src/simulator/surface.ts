/**
 * The ground under the air: a slab of water (deep) or of soil (shallow), bulk fluxes, and the mixing of the lowest air.
 *
 *     H = rho c_p C |V| (T_s - theta_L),   E = rho C |V| beta (q_s(T_s) - q_L),   stress = -rho C |V| (u, v)
 *     C_slab dT_s/dt = sunshine (1 - albedo) + long-wave down - sigma_SB T_s^4 - H - L E
 */
import type { MoistColumn } from "./convection.js";
import { LATENT_HEAT, saturationHumidity } from "./thermodynamics.js";

/** Exchange coefficients over water and land. */
export const DRAG_WATER = 1.0e-3;
export const DRAG_LAND = 3.0e-3;
export const EXCHANGE = 1.1e-3;
/** m/s, added to the wind in quadrature: gusts where the mean wind is weak. */
export const GUST = 3;
/** Share of potential evaporation that land gives. */
export const LAND_WETNESS = 0.6;

/** Heat capacity of one metre of water, J/(m^2 K). */
export const WATER_CAPACITY = 1025 * 3990;
/** Metres of water that store as much heat as the soil a season reaches. */
export const LAND_DEPTH = 2;

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
  const flow = density * EXCHANGE * speed;
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

/** Where mixing ends (sigma), and its times (s) where the air is stable and where it is not. */
const MIXED_BELOW = 0.6;
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
    if (!unstable && sigma[k + 1] < MIXED_BELOW) continue;
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
    const east = u[k + 1] - u[k];
    const north = v[k + 1] - v[k];
    du[k] += up * east;
    du[k + 1] -= down * east;
    dv[k] += up * north;
    dv[k + 1] -= down * north;
  }
}
