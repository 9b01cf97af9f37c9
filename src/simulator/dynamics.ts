/**
 * The nonlinear tendencies of the primitive equations at every grid point (Hoskins and Simmons 1975, equations 2-6; vertical
 * differences of Simmons and Burridge 1981, equations 3.5-3.19). With U = u cos(phi), V = v cos(phi), pi = ln p_s, T = T_r + T':
 *
 *     G        = D + v . grad(pi)
 *     sigmadot_{k+1/2} = sigma_{k+1/2} sum_all G dsigma - sum_{j<=k} G_j dsigma_j
 *     F_u      =  (zeta + f) V - sigmadot dU/dsigma - (R T'/a) dpi/dlambda
 *     F_v      = -(zeta + f) U - sigmadot dV/dsigma - (R T'/a) (1 - mu^2) dpi/dmu
 *     E        = (U^2 + V^2) / (2 cos^2(phi))
 *     N_T      = T' D - sigmadot dT/dsigma + kappa T omega/p      (its linear part, -kappa T_r A(D), is left to the implicit step)
 *     omega/p  = v . grad(pi) - A(G)                              A: `columnIntegral`
 *     N_pi     = -sum v . grad(pi) dsigma
 */
import type { StateColumns, TendencyColumns } from "./columns.js";
import type { SigmaLevels } from "./levels.js";
import type { Planet } from "./planet.js";
import type { SphericalTransform } from "./transform.js";

export interface DynamicsSetting {
  readonly transform: SphericalTransform;
  readonly levels: SigmaLevels;
  readonly planet: Planet;
  readonly columns: StateColumns;
  readonly tendencies: TendencyColumns;
  readonly referenceTemperature: number;
}

/** Fills the tendency grid `out`; returns the fastest wind (m/s) and its level (from 0). A wind that is no number is the fastest. */
export function dynamics(
  setting: DynamicsSetting,
  grid: Float64Array,
  out: Float64Array,
): { fastest: number; level: number } {
  const { transform, levels, planet, columns, tendencies, referenceTemperature: Tr } = setting;
  const { nlat, nlon, mu } = transform;
  const { count: L, half, thickness, alpha, logRatio } = levels;
  const { radius, rotation, gasConstant: R, specificHeat } = planet;
  const kappa = R / specificHeat;
  const { vorticity, divergence, temperature, humidity, moist, u, v, pressureEast, pressureNorth } = columns;
  const {
    forceEast,
    forceNorth,
    heatFluxEast,
    heatFluxNorth,
    moistureFluxEast,
    moistureFluxNorth,
    energy,
    heating,
    moistening,
    logPressure,
  } = tendencies;
  const width = columns.grid;
  const outWidth = tendencies.count;
  /** v . grad(pi), and half level k + 1/2 of sigmadot. */
  const advected = new Float64Array(L);
  const sigmaDot = new Float64Array(L);
  const perThickness = thickness.map((d) => 1 / d);
  let fastest = 0;
  let level = 0;
  for (let j = 0; j < nlat; j++) {
    const cos2 = 1 - mu[j] * mu[j];
    const inverseCos2 = 1 / cos2;
    const coriolis = 2 * rotation * mu[j];
    for (let i = 0; i < nlon; i++) {
      const g = (j * nlon + i) * width;
      const o = (j * nlon + i) * outWidth;
      const east = grid[g + pressureEast];
      const north = grid[g + pressureNorth];

      let allG = 0;
      let allAdvected = 0;
      for (let k = 0; k < L; k++) {
        const a = ((grid[g + u + k] * east + grid[g + v + k] * north) * inverseCos2) / radius;
        advected[k] = a;
        allAdvected += a * thickness[k];
        allG += (grid[g + divergence + k] + a) * thickness[k];
      }
      out[o + logPressure] = -allAdvected;

      let aboveG = 0;
      let aboveD = 0;
      const pressureForce = R / radius;
      for (let k = 0; k < L; k++) {
        const U = grid[g + u + k];
        const V = grid[g + v + k];
        const D = grid[g + divergence + k];
        const T = grid[g + temperature + k];
        const anomaly = T - Tr;
        const G = D + advected[k];
        const A = logRatio[k] * aboveG * perThickness[k] + alpha[k] * G;
        const linearA = logRatio[k] * aboveD * perThickness[k] + alpha[k] * D;
        aboveG += G * thickness[k];
        aboveD += D * thickness[k];
        sigmaDot[k] = half[k + 1] * allG - aboveG;
        const absolute = grid[g + vorticity + k] + coriolis;
        out[o + forceEast + k] = absolute * V - pressureForce * anomaly * east;
        out[o + forceNorth + k] = -absolute * U - pressureForce * anomaly * north;
        out[o + heatFluxEast + k] = U * anomaly * inverseCos2;
        out[o + heatFluxNorth + k] = V * anomaly * inverseCos2;
        const E = 0.5 * (U * U + V * V) * inverseCos2;
        out[o + energy + k] = E;
        if (!(E <= fastest)) {
          if (fastest === fastest) level = k;
          fastest = E === E ? (fastest === fastest ? E : fastest) : Number.NaN;
        }
        out[o + heating + k] = anomaly * D + kappa * (T * (advected[k] - A) + Tr * linearA);
      }
      if (moist)
        for (let k = 0; k < L; k++) {
          const q = grid[g + humidity + k];
          out[o + moistureFluxEast + k] = grid[g + u + k] * q * inverseCos2;
          out[o + moistureFluxNorth + k] = grid[g + v + k] * q * inverseCos2;
          out[o + moistening + k] = q * grid[g + divergence + k];
        }

      // (sigmadot dX/dsigma)_k = (sigmadot_{k+1/2} (X_{k+1} - X_k) + sigmadot_{k-1/2} (X_k - X_{k-1})) / (2 dsigma_k)
      for (let k = 0; k + 1 < L; k++) {
        const above = 0.5 * sigmaDot[k] * perThickness[k];
        const below = 0.5 * sigmaDot[k] * perThickness[k + 1];
        const dU = grid[g + u + k + 1] - grid[g + u + k];
        const dV = grid[g + v + k + 1] - grid[g + v + k];
        const dT = grid[g + temperature + k + 1] - grid[g + temperature + k];
        out[o + forceEast + k] -= above * dU;
        out[o + forceEast + k + 1] -= below * dU;
        out[o + forceNorth + k] -= above * dV;
        out[o + forceNorth + k + 1] -= below * dV;
        out[o + heating + k] -= above * dT;
        out[o + heating + k + 1] -= below * dT;
        if (moist) {
          const dq = grid[g + humidity + k + 1] - grid[g + humidity + k];
          out[o + moistening + k] -= above * dq;
          out[o + moistening + k + 1] -= below * dq;
        }
      }
      // The analysis of a vector takes its components over cos^2(phi).
      for (let k = 0; k < L; k++) {
        out[o + forceEast + k] *= inverseCos2;
        out[o + forceNorth + k] *= inverseCos2;
      }
    }
  }
  return { fastest: Math.sqrt(2 * fastest), level };
}
