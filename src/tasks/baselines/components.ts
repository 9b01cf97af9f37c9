/**
 * Leading principal components of many long vectors, by randomised subspace iteration (Halko, Martinsson and Tropp 2011,
 * algorithms 4.4 and 5.1): a few passes over the data instead of a decomposition of its covariance.
 */
import { EigenvalueDecomposition, Matrix } from "ml-matrix";
import { random } from "../../tensor/random.js";
import { combine, dot, dots } from "./dense.js";

export interface Components {
  /** Orthonormal patterns, [component][size], by falling variance. */
  readonly patterns: readonly Float32Array[];
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
  let basis: Float32Array[] = Array.from({ length: width }, () =>
    Float32Array.from({ length: size }, () => rng.normal()),
  );
  orthonormalise(basis);
  for (let i = 0; i < iterations; i++) {
    basis = applyCovariance(rows, basis);
    orthonormalise(basis);
  }
  // Rayleigh-Ritz: the exact components within the subspace found.
  const small = Matrix.zeros(width, width);
  const coordinates = dots(rows, basis);
  for (let r = 0; r < rows.length; r++) {
    const p = coordinates.subarray(r * width, (r + 1) * width);
    for (let a = 0; a < width; a++)
      for (let b = 0; b <= a; b++) small.set(a, b, small.get(a, b) + (p[a] * p[b]) / rows.length);
  }
  for (let a = 0; a < width; a++) for (let b = 0; b < a; b++) small.set(b, a, small.get(a, b));
  const { realEigenvalues, eigenvectorMatrix } = new EigenvalueDecomposition(small, { assumeSymmetric: true });
  const order = [...realEigenvalues.keys()].sort((a, b) => realEigenvalues[b] - realEigenvalues[a]);
  const kept = order
    .slice(0, Math.min(count, width))
    .filter((k) => realEigenvalues[k] > 1e-12 * realEigenvalues[order[0]]);
  const patterns = kept.map(() => new Float32Array(size));
  combine(
    patterns,
    basis,
    kept.flatMap((k) => eigenvectorMatrix.getColumn(k)),
  );
  return { patterns, variances: Float64Array.from(kept, (k) => realEigenvalues[k]) };
}

/** Rows taken together, so that the basis is fetched from memory once for all of them. */
const BATCH = 64;

/** (XᵀX) B without forming XᵀX. */
function applyCovariance(rows: readonly Float32Array[], basis: readonly Float32Array[]): Float32Array[] {
  const out = basis.map((b) => new Float32Array(b.length));
  for (let from = 0; from < rows.length; from += BATCH) {
    const batch = rows.slice(from, from + BATCH);
    combine(out, batch, dots(basis, batch));
  }
  return out;
}

/** Vectors freed together from those before them. */
const PANEL = 4;

/** Gram-Schmidt by panels, twice (Giraud et al. 2005: twice is enough). */
function orthonormalise(basis: readonly Float32Array[]): void {
  const normalise = (v: Float32Array) => {
    const norm = Math.sqrt(dot(v, v)) || 1;
    for (let i = 0; i < v.length; i++) v[i] /= norm;
  };
  const free = (panel: readonly Float32Array[], before: readonly Float32Array[]) =>
    combine(
      panel,
      before,
      dots(panel, before).map((x) => -x),
    );
  for (let from = 0; from < basis.length; from += PANEL) {
    const panel = basis.slice(from, from + PANEL);
    for (let pass = 0; pass < 2; pass++) {
      // Of about one length, or rounding of the longest would be all there is of the shortest.
      panel.forEach(normalise);
      free(panel, basis.slice(0, from));
      panel.forEach((v, k) => {
        for (let twice = 0; twice < 2; twice++) free([v], panel.slice(0, k));
        normalise(v);
      });
    }
  }
}
