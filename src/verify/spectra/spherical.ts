/**
 * Power by total wavenumber of spherical harmonics: scales on the sphere, alike at the equator and near the poles.
 *
 * P_l = Σ_m |f_lm|^2, f_lm the coefficients of orthonormal harmonics, found by the quadrature of the grid's rows: Gauss's on
 * Gaussian latitudes, Clenshaw and Curtis's (poles are rows) or Fejér's (poles are edges) on equiangular ones (Trefethen 2008,
 * SIAM Review 50; Driscoll and Healy 1994). Up to the highest wavenumber that these resolve, they are exact.
 */
import { UsageError } from "../../errors.js";
import { gaussianNodes, legendreColumn } from "../../simulator/gaussian.js";
import { fourier } from "./fourier.js";

const RADIANS = Math.PI / 180;

export interface SphericalAnalysis {
  /** The highest total wavenumber that the grid resolves. */
  readonly highest: number;
  /** Multiplications that a spectrum costs, roughly. */
  readonly cost: number;
  /** P_l for l = 0 .. highest of a global field [latitude, longitude]; Σ_l P_l is its mean square. NaN where a value is missing. */
  power(field: ArrayLike<number>): Float64Array;
}

/** P_l for l = 0 .. highest. Throws where the rows do not cover the sphere, or for wavenumbers that they do not resolve. */
export function sphericalSpectrum(
  field: ArrayLike<number>,
  latitudes: ArrayLike<number>,
  options: { highest?: number } = {},
): Float64Array {
  const [rows, columns] = [latitudes.length, field.length / latitudes.length];
  const analysis = sphericalAnalysis(latitudes, columns);
  if (!analysis)
    throw new UsageError(
      `latitudes ${latitudes[0]} to ${latitudes[rows - 1]} are neither Gaussian nor evenly spaced from pole to pole; take zonal spectra`,
    );
  const { highest = analysis.highest } = options;
  if (highest > analysis.highest)
    throw new UsageError(
      `a grid of ${rows} x ${columns} resolves total wavenumbers up to ${analysis.highest}, not ${highest}; ask for fewer or verify on a finer grid`,
    );
  return analysis.power(field).slice(0, highest + 1);
}

/** Numbers of Legendre functions that are kept; on larger grids they are made again for every field. */
const MOST_KEPT = 4e6;

/** The analysis of fields on these rows around the whole globe; undefined where they do not cover the sphere. */
export function sphericalAnalysis(latitudes: ArrayLike<number>, columns: number): SphericalAnalysis | undefined {
  const rule = quadrature(latitudes);
  if (!rule) return undefined;
  const rows = latitudes.length;
  const highest = Math.min(rule.highest, Math.ceil(columns / 2) - 1);
  // P_l^m at every row, [row, l - m].
  const functionsOf = (m: number): Float64Array => {
    const width = highest - m + 1;
    const p = new Float64Array(rows * width);
    for (let i = 0; i < rows; i++)
      legendreColumn(m, highest, Math.sin(latitudes[i] * RADIANS), p.subarray(i * width, (i + 1) * width));
    return p;
  };
  const cost = (rows * (highest + 1) * (highest + 2)) / 2;
  const kept = cost <= MOST_KEPT ? Array.from({ length: highest + 1 }, (_, m) => functionsOf(m)) : undefined;
  return {
    highest,
    cost: 2 * cost,
    power(field) {
      const [re, im] = [0, 1].map(() => new Float64Array(rows * columns));
      for (let i = 0; i < rows; i++) {
        const [from, to] = [i * columns, (i + 1) * columns];
        for (let k = from; k < to; k++) re[k] = field[k];
        fourier(re.subarray(from, to), im.subarray(from, to));
      }
      const power = new Float64Array(highest + 1);
      const [sumRe, sumIm] = [0, 1].map(() => new Float64Array(highest + 1));
      for (let m = 0; m <= highest; m++) {
        const p = kept?.[m] ?? functionsOf(m);
        const width = highest - m + 1;
        sumRe.fill(0);
        sumIm.fill(0);
        for (let i = 0; i < rows; i++) {
          const [a, b] = [re, im].map((of) => (rule.weights[i] * of[i * columns + m]) / columns);
          const base = i * width;
          for (let k = 0; k < width; k++) {
            sumRe[k] += a * p[base + k];
            sumIm[k] += b * p[base + k];
          }
        }
        for (let k = 0; k < width; k++) power[m + k] += (m === 0 ? 1 : 2) * (sumRe[k] ** 2 + sumIm[k] ** 2);
      }
      return power;
    },
  };
}

/** Weights of rows that add up to 1, and the highest wavenumber whose squares they integrate exactly. */
function quadrature(latitudes: ArrayLike<number>): { weights: Float64Array; highest: number } | undefined {
  const n = latitudes.length;
  if (n < 4) return undefined;
  const { mu, weights } = gaussianNodes(n);
  const isAt = (degrees: (i: number) => number, tolerance: number) => {
    const turned = latitudes[0] < latitudes[n - 1];
    return Array.from(latitudes).every((y, i) => Math.abs(y - degrees(turned ? n - 1 - i : i)) < tolerance);
  };
  // Published Gaussian latitudes have three decimals or more; rows stand symmetrically, so that their order does not matter.
  if (isAt((i) => Math.asin(mu[i]) / RADIANS, 2e-3)) return { weights: weights.map((w) => w / 2), highest: n - 1 };
  const highest = Math.floor((n - 1) / 2);
  if (isAt((i) => 90 - (180 * i) / (n - 1), 1e-3)) return { weights: clenshawCurtis(n), highest };
  if (isAt((i) => 90 - (180 * (i + 0.5)) / n, 1e-3)) return { weights: fejer(n), highest };
  return undefined;
}

/** w_i = 1/n (1 - 2 Σ_k cos(2 k θ_i) / (4 k² - 1)), θ_i = π (i + 1/2) / n, k to n / 2. */
function fejer(n: number): Float64Array {
  return Float64Array.from({ length: n }, (_, i) => {
    let sum = 1;
    for (let k = 1; k <= Math.floor(n / 2); k++)
      sum -= (2 * Math.cos((2 * k * Math.PI * (i + 0.5)) / n)) / (4 * k * k - 1);
    return sum / n;
  });
}

/** w_i = c_i / (2 N) (1 - Σ_k b_k cos(2 k θ_i) / (4 k² - 1)), θ_i = π i / N, N = n - 1, k to N / 2; c is 1 at the poles, else 2. */
function clenshawCurtis(n: number): Float64Array {
  const last = n - 1;
  return Float64Array.from({ length: n }, (_, i) => {
    let sum = 1;
    for (let k = 1; k <= Math.floor(last / 2); k++)
      sum -= ((2 * k === last ? 1 : 2) * Math.cos((2 * k * Math.PI * i) / last)) / (4 * k * k - 1);
    return ((i === 0 || i === last ? 1 : 2) * sum) / (2 * last);
  });
}
