/**
 * Spectral normalisation (Miyato et al. 2018): every matrix is divided by its largest singular value, so that no layer stretches its
 * input much. The value comes from a few power iterations within the graph, from the same vector every time: it lies about a tenth
 * below the true one for random matrices, nothing is remembered between steps, and its derivative is exact.
 */
import type { Scope } from "../engine/parameters.js";
import type { Tensor } from "../graph/graph.js";
import { add, div, emit, gemm, matmul, reshape, sqrt } from "../graph/ops.js";
import { float32 } from "../tensor/ndarray.js";
import { random } from "../tensor/random.js";

const ITERATIONS = 3;

/** A scope whose matrices and kernels named `w` come divided by their largest singular value. */
export function spectralScope(p: Scope): Scope {
  return {
    graph: p.graph,
    initialisers: p.initialisers,
    param(name, shape, init) {
      const w = p.param(name, shape, init);
      return name === "w" && shape.length > 1 ? div(w, largestSingularValue(w)) : w;
    },
    child: (name) => spectralScope(p.child(name)),
  };
}

/** Of a matrix, or of a kernel [out, in, ...] as one with `out` rows: |W v| / |v| with v = (W^T W)^k v_0. */
export function largestSingularValue(w: Tensor): Tensor {
  const rows = w.shape[0];
  const columns = w.shape.slice(1).reduce((a, b) => a * b, 1);
  const matrix = reshape(w, [rows, columns]);
  const rng = random(rows).split(String(columns));
  const start = Float32Array.from({ length: columns }, () => rng.normal() / Math.sqrt(columns));
  let v: Tensor = w.graph.constant(float32([columns, 1], start));
  // Singular values are near one, so that v keeps its size without being normalised on the way
  for (let i = 0; i < ITERATIONS; i++) v = gemm(matrix, matmul(matrix, v), undefined, { transA: true });
  const squared = (t: Tensor) => emit("ReduceSumSquare", [t], { keepdims: 0 })[0];
  return sqrt(add(div(squared(matmul(matrix, v)), add(squared(v), 1e-20)), 1e-20));
}
