/**
 * The semi-implicit step of the primitive equations (Robert 1969; Hoskins and Simmons 1975): the linear gravity-wave terms about
 * an isothermal atmosphere T_r at rest, averaged over the old and the new time, solved per total wavenumber.
 *
 *     dD/dt  = N_D  - laplacian(G T + R T_r pi)     G:   Simmons-Burridge hydrostatic matrix
 *     dT/dt  = N_T  + tau D                         tau: -kappa T_r times the energy conversion matrix
 *     dpi/dt = N_pi - dsigma . D
 *
 * With D* = (D+ + D-) / 2 and xi = half the leap:
 *
 *     (1 + xi^2 laplacian_n (G tau - R T_r 1 dsigma^T)) D* = D- + xi N_D - xi laplacian_n (G (T- + xi N_T) + R T_r (pi- + xi N_pi))
 */
import { columnIntegral, geopotential, type SigmaLevels } from "./levels.js";
import type { Planet } from "./planet.js";

export interface SemiImplicit {
  /** [k][j]: d Phi_k / d T_j. */
  readonly hydrostatic: Float64Array;
  /** [k][j]: d(dT_k/dt) / d D_j. */
  readonly conversion: Float64Array;
  readonly referenceTemperature: number;
  /** [n][k][j]: the inverse of the matrix above for a leap of 2 xi seconds. */
  inverse(leap: number): Float64Array;
}

export function semiImplicit(
  levels: SigmaLevels,
  planet: Planet,
  options: { referenceTemperature: number; truncation: number },
): SemiImplicit {
  const { referenceTemperature, truncation } = options;
  const { count: L, thickness } = levels;
  const { gasConstant: R, specificHeat, radius } = planet;
  const hydrostatic = new Float64Array(L * L);
  const conversion = new Float64Array(L * L);
  const unit = new Float64Array(L);
  const response = new Float64Array(L);
  for (let j = 0; j < L; j++) {
    unit.fill(0);
    unit[j] = 1;
    geopotential(levels, R, unit, 0, response);
    for (let k = 0; k < L; k++) hydrostatic[k * L + j] = response[k];
    columnIntegral(levels, unit, response);
    for (let k = 0; k < L; k++) conversion[k * L + j] = (-R / specificHeat) * referenceTemperature * response[k];
  }
  const known = new Map<number, Float64Array>();
  return {
    hydrostatic,
    conversion,
    referenceTemperature,
    inverse(leap) {
      const found = known.get(leap);
      if (found) return found;
      const xi = leap / 2;
      const all = new Float64Array((truncation + 2) * L * L);
      for (let n = 0; n < truncation + 2; n++) {
        const matrix = new Float64Array(L * L);
        const c = (xi * xi * n * (n + 1)) / radius ** 2;
        for (let k = 0; k < L; k++)
          for (let j = 0; j < L; j++) {
            let coupling = -R * referenceTemperature * thickness[j];
            for (let i = 0; i < L; i++) coupling += hydrostatic[k * L + i] * conversion[i * L + j];
            matrix[k * L + j] = (k === j ? 1 : 0) - c * coupling;
          }
        all.set(invert(matrix, L), n * L * L);
      }
      known.set(leap, all);
      return all;
    },
  };
}

/** The inverse of a small matrix, by Gauss-Jordan elimination with pivots. */
export function invert(matrix: Float64Array, size: number): Float64Array {
  const a = Float64Array.from(matrix);
  const out = new Float64Array(size * size);
  for (let i = 0; i < size; i++) out[i * size + i] = 1;
  for (let i = 0; i < size; i++) {
    let pivot = i;
    for (let r = i + 1; r < size; r++) if (Math.abs(a[r * size + i]) > Math.abs(a[pivot * size + i])) pivot = r;
    for (let c = 0; c < size; c++) {
      [a[i * size + c], a[pivot * size + c]] = [a[pivot * size + c], a[i * size + c]];
      [out[i * size + c], out[pivot * size + c]] = [out[pivot * size + c], out[i * size + c]];
    }
    const scale = 1 / a[i * size + i];
    for (let c = 0; c < size; c++) {
      a[i * size + c] *= scale;
      out[i * size + c] *= scale;
    }
    for (let r = 0; r < size; r++) {
      const factor = a[r * size + i];
      if (r === i || factor === 0) continue;
      for (let c = 0; c < size; c++) {
        a[r * size + c] -= factor * a[i * size + c];
        out[r * size + c] -= factor * out[i * size + c];
      }
    }
  }
  return out;
}
