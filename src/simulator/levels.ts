/**
 * Sigma levels (sigma = p / p_s) and the vertical differences of Simmons and Burridge (1981), which conserve energy and angular
 * momentum. Level 1 is the highest; half level k + 1/2 lies below level k.
 *
 *     alpha_k = 1 - (sigma_{k-1/2} / dsigma_k) ln(sigma_{k+1/2} / sigma_{k-1/2}),   alpha_1 = ln 2
 *     Phi_k   = Phi_s + alpha_k R T_k + sum over j > k of R T_j ln(sigma_{j+1/2} / sigma_{j-1/2})
 */
import { UsageError } from "../errors.js";

export interface SigmaLevels {
  readonly count: number;
  /** Half levels, 0 to 1, `count + 1` of them. */
  readonly half: Float64Array;
  /** Where a level's values live: the sigma at which Phi_k is hydrostatic for constant T, exp(-alpha_k) sigma_{k+1/2}. */
  readonly full: Float64Array;
  readonly thickness: Float64Array;
  readonly alpha: Float64Array;
  /** ln(sigma_{k+1/2} / sigma_{k-1/2}); 0 at the top, where it only ever multiplies 0. */
  readonly logRatio: Float64Array;
}

/** Half levels of the 8-level model of Molteni (2003, SPEEDY). */
const EIGHT = [0, 0.05, 0.14, 0.26, 0.42, 0.6, 0.77, 0.9, 1];

/** Half levels for a number of levels: equal up to 5, Molteni's for 8, else closer together at the ground and at the top. */
export function defaultHalfLevels(count: number): number[] {
  if (!Number.isInteger(count) || count < 2 || count > 100)
    throw new UsageError(`${count} levels are not possible: take a whole number from 2 to 100, such as 5, 8 or 10`);
  if (count === 8) return EIGHT;
  return Array.from({ length: count + 1 }, (_, k) => {
    const x = k / count;
    return count <= 5 ? x : 0.4 * x + 0.6 * x * x * (3 - 2 * x);
  });
}

/** `half` rises from 0 to 1. */
export function sigmaLevels(half: readonly number[]): SigmaLevels {
  const count = half.length - 1;
  if (count < 2 || half[0] !== 0 || half[count] !== 1 || half.some((s, k) => k > 0 && !(s > half[k - 1])))
    throw new UsageError(`half levels must rise from 0 to 1, at least three of them; got [${half.join(", ")}]`);
  const thickness = Float64Array.from({ length: count }, (_, k) => half[k + 1] - half[k]);
  const logRatio = Float64Array.from({ length: count }, (_, k) => (k === 0 ? 0 : Math.log(half[k + 1] / half[k])));
  const alpha = Float64Array.from({ length: count }, (_, k) =>
    k === 0 ? Math.LN2 : 1 - (half[k] / thickness[k]) * logRatio[k],
  );
  return {
    count,
    half: Float64Array.from(half),
    full: Float64Array.from({ length: count }, (_, k) => half[k + 1] * Math.exp(-alpha[k])),
    thickness,
    alpha,
    logRatio,
  };
}

/** Phi_k - Phi_s of one column of temperatures, into `out` (J/kg). */
export function geopotential(
  levels: SigmaLevels,
  gasConstant: number,
  temperature: Float64Array,
  at: number,
  out: Float64Array,
): void {
  let below = 0;
  for (let k = levels.count - 1; k >= 0; k--) {
    const RT = gasConstant * temperature[at + k];
    out[k] = below + levels.alpha[k] * RT;
    below += levels.logRatio[k] * RT;
  }
}

/** The energy conversion matrix's action: A_k = (logRatio_k sum_{j<k} G_j dsigma_j + alpha_k dsigma_k G_k) / dsigma_k. */
export function columnIntegral(levels: SigmaLevels, G: Float64Array, out: Float64Array): void {
  const { count, thickness, alpha, logRatio } = levels;
  let above = 0;
  for (let k = 0; k < count; k++) {
    out[k] = (logRatio[k] * above) / thickness[k] + alpha[k] * G[k];
    above += G[k] * thickness[k];
  }
}
