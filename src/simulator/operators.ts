/**
 * Derivatives on the sphere, in spectral space, where each is a product with the wavenumber or a step between neighbouring n.
 * All act on columns of a wider spectrum: `from` columns of one array to `to` columns of another.
 *
 *     d/dlambda:            (f)_n^m -> i m f_n^m
 *     (1 - mu^2) d/dmu:     (f)_n^m -> (n+2) eps_{n+1} f_{n+1} - (n-1) eps_n f_{n-1}         of a field's coefficients
 *                           (f)_n^m -> (n+1) eps_n f_{n-1} - n eps_{n+1} f_{n+1}             transposed: by parts, in analysis
 *
 * with eps_n^m = sqrt((n^2 - m^2) / (4 n^2 - 1)) (Hoskins and Simmons 1975, appendix).
 */
import { epsilon } from "./gaussian.js";
import type { SphericalTransform } from "./transform.js";

export interface Operators {
  readonly transform: SphericalTransform;
  readonly radius: number;
  /** -n(n+1)/a^2 per row, and its inverse (0 for n = 0). */
  readonly laplacian: Float64Array;
  readonly inverseLaplacian: Float64Array;
  /** Factors of f_{n+1} and f_{n-1} in (1 - mu^2) df/dmu, per row; 0 where there is no such neighbour. */
  readonly slopeAbove: Float64Array;
  readonly slopeBelow: Float64Array;
  /** The same, transposed. */
  readonly partsAbove: Float64Array;
  readonly partsBelow: Float64Array;
}

export function operators(transform: SphericalTransform, radius: number): Operators {
  const { rows, truncation: T, m: ms, n: ns } = transform;
  const make = (value: (m: number, n: number) => number): Float64Array =>
    Float64Array.from({ length: rows }, (_, r) => value(ms[r], ns[r]));
  const laplacian = make((_, n) => (-n * (n + 1)) / radius ** 2);
  return {
    transform,
    radius,
    laplacian,
    inverseLaplacian: laplacian.map((value) => (value === 0 ? 0 : 1 / value)),
    slopeAbove: make((m, n) => (n > T ? 0 : (n + 2) * epsilon(m, n + 1))),
    slopeBelow: make((m, n) => (n === m ? 0 : -(n - 1) * epsilon(m, n))),
    partsAbove: make((m, n) => (n > T ? 0 : -n * epsilon(m, n + 1))),
    partsBelow: make((m, n) => (n === m ? 0 : (n + 1) * epsilon(m, n))),
  };
}

/** Where `count` columns of a spectrum lie: its array, its width, the first column. */
export interface Slot {
  readonly spectrum: Float64Array;
  readonly columns: number;
  readonly at: number;
}

/**
 * U = u cos(phi) and V = v cos(phi) from vorticity and divergence (s^-1), psi and chi being their inverse Laplacians:
 *
 *     a U = dchi/dlambda - (1 - mu^2) dpsi/dmu
 *     a V = dpsi/dlambda + (1 - mu^2) dchi/dmu
 */
export function windFromVorticity(
  ops: Operators,
  vorticity: Slot,
  divergence: Slot,
  u: Slot,
  v: Slot,
  count: number,
): void {
  const { transform, radius, inverseLaplacian: inverse, slopeAbove, slopeBelow } = ops;
  const { rows, m } = transform;
  for (let r = 0; r < rows; r++) {
    const here = (m[r] * inverse[r]) / radius;
    const above = slopeAbove[r] === 0 ? 0 : (slopeAbove[r] * inverse[r + 1]) / radius;
    const below = slopeBelow[r] === 0 ? 0 : (slopeBelow[r] * inverse[r - 1]) / radius;
    // The top row n = T + 1 of each m is empty in a scalar, and the first row has no neighbour below: their factors are 0.
    const up = above === 0 ? r : r + 1;
    const down = below === 0 ? r : r - 1;
    for (let part = 0; part < 2; part++) {
      const sign = part === 0 ? -1 : 1; // i (a + i b) = -b + i a
      const other = 1 - part;
      const zHere = (2 * r + other) * vorticity.columns + vorticity.at;
      const dHere = (2 * r + other) * divergence.columns + divergence.at;
      const zUp = (2 * up + part) * vorticity.columns + vorticity.at;
      const dUp = (2 * up + part) * divergence.columns + divergence.at;
      const zDown = (2 * down + part) * vorticity.columns + vorticity.at;
      const dDown = (2 * down + part) * divergence.columns + divergence.at;
      const uOut = (2 * r + part) * u.columns + u.at;
      const vOut = (2 * r + part) * v.columns + v.at;
      const z = vorticity.spectrum;
      const d = divergence.spectrum;
      for (let k = 0; k < count; k++) {
        u.spectrum[uOut + k] = sign * here * d[dHere + k] - above * z[zUp + k] - below * z[zDown + k];
        v.spectrum[vOut + k] = sign * here * z[zHere + k] + above * d[dUp + k] + below * d[dDown + k];
      }
    }
  }
}

/** df/dlambda and (1 - mu^2) df/dmu of a scalar. */
export function gradient(ops: Operators, field: Slot, east: Slot, north: Slot, count: number): void {
  const { transform, slopeAbove, slopeBelow } = ops;
  const { rows, m } = transform;
  const f = field.spectrum;
  for (let r = 0; r < rows; r++) {
    const above = slopeAbove[r];
    const below = slopeBelow[r];
    const up = above === 0 ? r : r + 1;
    const down = below === 0 ? r : r - 1;
    for (let part = 0; part < 2; part++) {
      const factor = (part === 0 ? -1 : 1) * m[r];
      for (let k = 0; k < count; k++) {
        east.spectrum[(2 * r + part) * east.columns + east.at + k] =
          factor * f[(2 * r + 1 - part) * field.columns + field.at + k];
        north.spectrum[(2 * r + part) * north.columns + north.at + k] =
          above * f[(2 * up + part) * field.columns + field.at + k] +
          below * f[(2 * down + part) * field.columns + field.at + k];
      }
    }
  }
}

/**
 * Divergence of a vector whose components times cos(phi), over cos^2(phi), have been analysed as A and B:
 *
 *     (div)_n^m = (1/a) (i m A_n - parts(B)_n),     (curl)_n^m = (1/a) (i m B_n + parts(A)_n)
 *
 * `scale` multiplies; the row n = T + 1 comes out zero. `curl` may be left out.
 */
export function divergenceAndCurl(
  ops: Operators,
  a: Slot,
  b: Slot,
  divergence: Slot,
  curl: Slot | undefined,
  count: number,
  scale = 1,
): void {
  const { transform, radius, partsAbove, partsBelow } = ops;
  const { rows, m, n, truncation } = transform;
  const factor = scale / radius;
  for (let r = 0; r < rows; r++) {
    const beyond = n[r] > truncation;
    const above = factor * partsAbove[r];
    const below = factor * partsBelow[r];
    const up = beyond || above === 0 ? r : r + 1;
    const down = beyond || below === 0 ? r : r - 1;
    for (let part = 0; part < 2; part++) {
      const here = (part === 0 ? -1 : 1) * m[r] * factor;
      const dOut = (2 * r + part) * divergence.columns + divergence.at;
      const cOut = curl ? (2 * r + part) * curl.columns + curl.at : 0;
      if (beyond) {
        divergence.spectrum.fill(0, dOut, dOut + count);
        curl?.spectrum.fill(0, cOut, cOut + count);
        continue;
      }
      const aHere = (2 * r + 1 - part) * a.columns + a.at;
      const bHere = (2 * r + 1 - part) * b.columns + b.at;
      const aUp = (2 * up + part) * a.columns + a.at;
      const bUp = (2 * up + part) * b.columns + b.at;
      const aDown = (2 * down + part) * a.columns + a.at;
      const bDown = (2 * down + part) * b.columns + b.at;
      for (let k = 0; k < count; k++)
        divergence.spectrum[dOut + k] =
          here * a.spectrum[aHere + k] - above * b.spectrum[bUp + k] - below * b.spectrum[bDown + k];
      if (curl)
        for (let k = 0; k < count; k++)
          curl.spectrum[cOut + k] =
            here * b.spectrum[bHere + k] + above * a.spectrum[aUp + k] + below * a.spectrum[aDown + k];
    }
  }
}
