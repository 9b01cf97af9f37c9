/**
 * Updates seen through their inner products. Nearly every robust rule of the literature gives a combination of the updates
 * whose weights depend on distances alone, and distances follow from the Gram matrix K = X X^T (n x n). So a rule is a `Mix`:
 * from K to a matrix of weights. The d numbers of an update are read twice, in blocks, whatever the rule.
 */

/** A dense matrix, row-major. */
export interface Matrix {
  readonly rows: number;
  readonly cols: number;
  readonly data: Float64Array;
}

/** `n` updates and, behind them, `references` rows that are no updates (a trusted direction, the last aggregate). */
export interface Points {
  readonly n: number;
  readonly references: number;
  /** Inner products of all n + references rows. */
  readonly gram: Matrix;
}

/** From points to weights: row i of the result makes the i-th new point from the old points and references. */
export type Mix = (points: Points) => Matrix;

export const matrix = (rows: number, cols: number, data = new Float64Array(rows * cols)): Matrix => ({
  rows,
  cols,
  data,
});

export const row = ({ data, cols }: Matrix, i: number): Float64Array => data.subarray(i * cols, (i + 1) * cols);

export function matrixFromRows(rows: readonly ArrayLike<number>[]): Matrix {
  const out = matrix(rows.length, rows[0].length);
  rows.forEach((values, i) => row(out, i).set(values));
  return out;
}

/** a b */
export function multiply(a: Matrix, b: Matrix): Matrix {
  const out = matrix(a.rows, b.cols);
  for (let i = 0; i < a.rows; i++) {
    const to = row(out, i);
    for (let k = 0; k < a.cols; k++) {
      const factor = a.data[i * a.cols + k];
      if (factor === 0) continue;
      const from = row(b, k);
      for (let j = 0; j < b.cols; j++) to[j] += factor * from[j];
    }
  }
  return out;
}

export function transpose(a: Matrix): Matrix {
  const out = matrix(a.cols, a.rows);
  for (let i = 0; i < a.rows; i++) for (let j = 0; j < a.cols; j++) out.data[j * a.rows + i] = a.data[i * a.cols + j];
  return out;
}

/** Squared distances between all points (references included): K_ii + K_jj - 2 K_ij. */
export function squaredDistances({ gram }: Points): Matrix {
  const n = gram.rows;
  const out = matrix(n, n);
  for (let i = 0; i < n; i++)
    for (let j = 0; j < n; j++)
      if (i !== j)
        out.data[i * n + j] = Math.max(0, gram.data[i * n + i] + gram.data[j * n + j] - 2 * gram.data[i * n + j]);
  return out;
}

/** Lengths of the updates. */
export const norms = ({ n, gram }: Points): Float64Array =>
  Float64Array.from({ length: n }, (_, i) => Math.sqrt(Math.max(0, gram.data[i * gram.rows + i])));

/** Squared distance of update i to the combination with weights `w` over all rows, given `Kw` and `wKw`. */
export function distancesTo({ n, gram }: Points, w: Float64Array): Float64Array {
  const total = gram.rows;
  const product = new Float64Array(total);
  let square = 0;
  for (let i = 0; i < total; i++) {
    const from = row(gram, i);
    for (let j = 0; j < total; j++) product[i] += from[j] * w[j];
    square += w[i] * product[i];
  }
  return Float64Array.from({ length: n }, (_, i) =>
    Math.sqrt(Math.max(0, gram.data[i * total + i] - 2 * product[i] + square)),
  );
}

/** The points a mix makes, references carried along: the new Gram matrix is M K M^T. */
export function mixed(points: Points, weights: Matrix): { points: Points; weights: Matrix } {
  const { references } = points;
  const total = points.n + references;
  const whole = matrix(weights.rows + references, total);
  whole.data.set(weights.data);
  for (let r = 0; r < references; r++) whole.data[(weights.rows + r) * total + points.n + r] = 1;
  return {
    points: { n: weights.rows, references, gram: multiply(multiply(whole, points.gram), transpose(whole)) },
    weights: whole,
  };
}

/** One mix after another. */
export function compose(...mixes: readonly Mix[]): Mix {
  return (points) => {
    let seen = points;
    let weights: Matrix | undefined;
    for (const mix of mixes) {
      const next = mixed(seen, mix(seen));
      weights = weights ? multiply(next.weights, weights) : next.weights;
      seen = next.points;
    }
    if (!weights) return identity(points);
    return matrix(seen.n, weights.cols, weights.data.slice(0, seen.n * weights.cols));
  };
}

/** The updates as they are. */
export function identity({ n, references }: Points): Matrix {
  const out = matrix(n, n + references);
  for (let i = 0; i < n; i++) out.data[i * out.cols + i] = 1;
  return out;
}
