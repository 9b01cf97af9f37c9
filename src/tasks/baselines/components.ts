/**
 * Leading principal components of many long vectors, by randomised subspace iteration (Halko, Martinsson and Tropp 2011,
 * algorithms 4.4 and 5.1): a few passes over the data instead of a decomposition of its covariance.
 */
import { EigenvalueDecomposition, Matrix } from "ml-matrix";
import { random } from "../../tensor/random.js";

export interface Components {
  /** Orthonormal patterns, [component][size], by falling variance. */
  readonly patterns: readonly Float64Array[];
  /** Variance along each. */
  readonly variances: Float64Array;
}

/**
 * @param rows vectors of one size, mean near zero, nothing missing
 * @param count how many components to keep; fewer where there are fewer rows
 */
export function principalComponents(
  rows: readonly Float32Array[],
  count: number,
  { seed = 0, iterations = 2 }: { seed?: number; iterations?: number } = {},
): Components {
  const size = rows[0].length;
  const width = Math.min(count + 10, rows.length, size);
  const rng = random(seed);
  let basis: Float64Array[] = Array.from({ length: width }, () =>
    Float64Array.from({ length: size }, () => rng.normal()),
  );
  orthonormalise(basis);
  for (let i = 0; i < iterations; i++) {
    basis = applyCovariance(rows, basis);
    orthonormalise(basis);
  }
  // Rayleigh-Ritz: the exact components within the subspace found.
  const projected = rows.map((row) => project(row, basis));
  const small = Matrix.zeros(width, width);
  for (const p of projected)
    for (let a = 0; a < width; a++)
      for (let b = 0; b <= a; b++) small.set(a, b, small.get(a, b) + (p[a] * p[b]) / rows.length);
  for (let a = 0; a < width; a++) for (let b = 0; b < a; b++) small.set(b, a, small.get(a, b));
  const { realEigenvalues, eigenvectorMatrix } = new EigenvalueDecomposition(small, { assumeSymmetric: true });
  const order = [...realEigenvalues.keys()].sort((a, b) => realEigenvalues[b] - realEigenvalues[a]);
  const kept = order
    .slice(0, Math.min(count, width))
    .filter((k) => realEigenvalues[k] > 1e-12 * realEigenvalues[order[0]]);
  const patterns = kept.map((k) => {
    const pattern = new Float64Array(size);
    for (let a = 0; a < width; a++) {
      const c = eigenvectorMatrix.get(a, k);
      for (let i = 0; i < size; i++) pattern[i] += c * basis[a][i];
    }
    return pattern;
  });
  return { patterns, variances: Float64Array.from(kept, (k) => realEigenvalues[k]) };
}

/** The coordinates of a vector along orthonormal patterns. */
export const project = (vector: Numbers, patterns: readonly Numbers[]): Float64Array =>
  Float64Array.from(patterns, (pattern) => dot(pattern, vector));

type Numbers = Float32Array | Float64Array;

export function dot(a: Numbers, b: Numbers): number {
  // Four sums, so that an addition need not wait for the one before.
  let [s0, s1, s2, s3] = [0, 0, 0, 0];
  const whole = a.length - (a.length % 4);
  for (let i = 0; i < whole; i += 4) {
    s0 += a[i] * b[i];
    s1 += a[i + 1] * b[i + 1];
    s2 += a[i + 2] * b[i + 2];
    s3 += a[i + 3] * b[i + 3];
  }
  for (let i = whole; i < a.length; i++) s0 += a[i] * b[i];
  return s0 + s1 + (s2 + s3);
}

/** Rows taken together, so that the basis is fetched from memory once for all of them. */
const BATCH = 16;

/** (XᵀX) B without forming XᵀX. */
function applyCovariance(rows: readonly Float32Array[], basis: readonly Float64Array[]): Float64Array[] {
  const out = basis.map((b) => new Float64Array(b.length));
  for (let from = 0; from < rows.length; from += BATCH) {
    const batch = rows.slice(from, from + BATCH);
    for (let k = 0; k < basis.length; k++) {
      const target = out[k];
      for (const row of batch) {
        const c = dot(basis[k], row);
        for (let i = 0; i < target.length; i++) target[i] += c * row[i];
      }
    }
  }
  return out;
}

/** Modified Gram-Schmidt, twice (Giraud et al. 2005: twice is enough). */
function orthonormalise(basis: readonly Float64Array[]): void {
  for (let k = 0; k < basis.length; k++) {
    const v = basis[k];
    for (let pass = 0; pass < 2; pass++)
      for (let j = 0; j < k; j++) {
        const u = basis[j];
        let dot = 0;
        for (let i = 0; i < v.length; i++) dot += u[i] * v[i];
        for (let i = 0; i < v.length; i++) v[i] -= dot * u[i];
      }
    const norm = Math.sqrt(v.reduce((sum, x) => sum + x * x, 0));
    for (let i = 0; i < v.length; i++) v[i] /= norm || 1;
  }
}
