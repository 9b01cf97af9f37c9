/** Solves A X = B for a small symmetric positive definite A [n, n] and B [n, m] by Cholesky's decomposition, in place. */
import { FoehnError } from "../../errors.js";

export function solveSymmetric(a: Float64Array, b: Float64Array, n: number): Float64Array {
  const m = b.length / n;
  for (let j = 0; j < n; j++) {
    for (let k = 0; k < j; k++) for (let i = j; i < n; i++) a[i * n + j] -= a[i * n + k] * a[j * n + k];
    const pivot = a[j * n + j];
    if (!(pivot > 0))
      throw new FoehnError(`a least-squares fit has no single answer (column ${j} depends on those before it)`);
    const root = Math.sqrt(pivot);
    for (let i = j; i < n; i++) a[i * n + j] /= root;
  }
  // L y = b, then L^T x = y, for all right-hand sides at once
  const row = (i: number) => b.subarray(i * m, (i + 1) * m);
  const subtract = (target: Float64Array, source: Float64Array, factor: number) => {
    for (let p = 0; p < m; p++) target[p] -= factor * source[p];
  };
  const divide = (target: Float64Array, by: number) => {
    for (let p = 0; p < m; p++) target[p] /= by;
  };
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < i; k++) subtract(row(i), row(k), a[i * n + k]);
    divide(row(i), a[i * n + i]);
  }
  for (let i = n - 1; i >= 0; i--) {
    for (let k = i + 1; k < n; k++) subtract(row(i), row(k), a[k * n + i]);
    divide(row(i), a[i * n + i]);
  }
  return b;
}
