/**
 * The forcing of Held and Suarez (1994), "A proposal for the intercomparison of the dynamical cores of atmospheric general
 * circulation models": temperature relaxes to a prescribed radiative equilibrium, low winds to rest.
 *
 *     T_eq = max(200 K, (315 K - dTy sin^2(phi) - dthz ln(p/p0) cos^2(phi)) (p/p0)^kappa)
 *     k_T  = k_a + (k_s - k_a) max(0, (sigma - sigma_b) / (1 - sigma_b)) cos^4(phi)
 *     k_v  = k_f max(0, (sigma - sigma_b) / (1 - sigma_b))
 */
import type { SigmaLevels } from "./levels.js";
import { DAY } from "./planet.js";
import type { Physics } from "./primitive.js";

export interface HeldSuarezOptions {
  /** Pole-to-equator difference dTy, K. */
  readonly meridional?: number;
  /** Static stability dthz, K. */
  readonly vertical?: number;
  /** K between summer and winter pole: `seasons` sin(phi) sin(year) added in the brackets; 0 in the paper. */
  readonly seasons?: number;
  /** The fraction of the year (0 at the March equinox) at a model time in seconds. */
  readonly yearFraction?: (time: number) => number;
}

const SIGMA_B = 0.7;
const height = (sigma: number): number => Math.max(0, (sigma - SIGMA_B) / (1 - SIGMA_B));

/** k_v per level, 1/s. */
export const heldSuarezDrag = (levels: SigmaLevels): Float64Array => levels.full.map((s) => height(s) / DAY);

export function heldSuarez(options: HeldSuarezOptions = {}): Physics {
  const { meridional = 60, vertical = 10, seasons = 0, yearFraction = () => 0 } = options;
  const slow = 1 / (40 * DAY);
  const fast = 1 / (4 * DAY);
  return ({ transform, levels, planet, columns, tendencies, grid, out, leap, time }) => {
    const { nlat, nlon, mu } = transform;
    const L = levels.count;
    const kappa = planet.gasConstant / planet.specificHeat;
    const logSigma = levels.full.map(Math.log);
    const exner = levels.full.map((s) => s ** kappa);
    const logP0 = Math.log(planet.pressure);
    const rate = new Float64Array(L);
    const season = seasons * Math.sin(2 * Math.PI * yearFraction(time));
    for (let j = 0; j < nlat; j++) {
      const sin2 = mu[j] * mu[j];
      const cos2 = 1 - sin2;
      for (let k = 0; k < L; k++) {
        const k_T = slow + (fast - slow) * height(levels.full[k]) * cos2 * cos2;
        rate[k] = (1 - Math.exp(-leap * k_T)) / leap;
      }
      const base = 315 - meridional * sin2 + season * mu[j];
      for (let i = 0; i < nlon; i++) {
        const g = (j * nlon + i) * columns.grid;
        const o = (j * nlon + i) * tendencies.count + tendencies.heating;
        const logP = grid[g + columns.logPressure] - logP0;
        const surface = Math.exp(kappa * logP);
        for (let k = 0; k < L; k++) {
          const equilibrium = Math.max(200, (base - vertical * cos2 * (logSigma[k] + logP)) * surface * exner[k]);
          out[o + k] -= rate[k] * (grid[g + columns.temperature + k] - equilibrium);
        }
      }
    }
  };
}
