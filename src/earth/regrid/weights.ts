/**
 * A regridding as a sparse matrix: each value of the target is a weighted sum of values of the source. Made once for two
 * grids, applied to any number of fields.
 */
import { UsageError } from "../../errors.js";

/** Compressed rows: target value t is the sum over k in [starts[t], starts[t + 1]) of weights[k] * source[columns[k]]. */
export interface RegridWeights {
  readonly rows: number;
  readonly sourceSize: number;
  readonly starts: Int32Array;
  readonly columns: Int32Array;
  readonly weights: Float64Array;
  /**
   * Weights for values that lack one of their sources, which a method with negative weights cannot scale up. Of the same
   * grids; their own weights are not negative.
   */
  readonly fallback?: RegridWeights;
}

/** Gathers entries row by row. */
export function weightsBuilder(
  rows: number,
  sourceSize: number,
): { add(column: number, weight: number): void; endRow(): void; build(): RegridWeights } {
  const starts = new Int32Array(rows + 1);
  let columns = new Int32Array(Math.max(16, rows * 4));
  let weights = new Float64Array(columns.length);
  let used = 0;
  let row = 0;
  return {
    add(column, weight) {
      if (weight === 0) return;
      if (used === columns.length) {
        const more = new Int32Array(used * 2);
        more.set(columns);
        columns = more;
        const wider = new Float64Array(used * 2);
        wider.set(weights);
        weights = wider;
      }
      columns[used] = column;
      weights[used++] = weight;
    },
    endRow() {
      starts[++row] = used;
    },
    build: () => ({ rows, sourceSize, starts, columns: columns.slice(0, used), weights: weights.slice(0, used) }),
  };
}

export interface ApplyOptions {
  /** A target value is missing where less than this share of its weight has values; otherwise what is there is scaled up. */
  readonly minimumShare?: number;
}

/**
 * Regrids fields that lie one after the other.
 *
 * @param source [fields * sourceSize]; missing values are NaN
 * @returns [fields * rows]
 */
export function applyWeights<T extends Float32Array | Float64Array>(
  { rows, sourceSize, starts, columns, weights, fallback }: RegridWeights,
  source: T,
  options: ApplyOptions = {},
): T {
  const { minimumShare = 1e-6 } = options;
  if (source.length % sourceSize !== 0)
    throw new UsageError(
      `${source.length} values are no whole number of fields of ${sourceSize}; the weights are for another grid`,
    );
  const spare = fallback ?? { starts, columns, weights };
  const fields = source.length / sourceSize;
  const out = (source instanceof Float32Array ? new Float32Array(fields * rows) : new Float64Array(fields * rows)) as T;
  // Four fields at a time: the matrix is larger than any cache, and is read once for all of them.
  let field = 0;
  for (; field + 4 <= fields; field += 4) {
    const [a, b, c, d] = [0, 1, 2, 3].map((n) =>
      source.subarray((field + n) * sourceSize, (field + n + 1) * sourceSize),
    );
    const to = field * rows;
    for (let row = 0; row < rows; row++) {
      const start = starts[row];
      const end = starts[row + 1];
      let sumA = 0;
      let sumB = 0;
      let sumC = 0;
      let sumD = 0;
      for (let k = start; k < end; k++) {
        const column = columns[k];
        const weight = weights[k];
        sumA += weight * a[column];
        sumB += weight * b[column];
        sumC += weight * c[column];
        sumD += weight * d[column];
      }
      // NaN marks a missing value among them (or none at all): only then is it worth a second look
      const some = end > start;
      out[to + row] = sumA === sumA && some ? sumA : partialSum(row, field * sourceSize);
      out[to + rows + row] = sumB === sumB && some ? sumB : partialSum(row, (field + 1) * sourceSize);
      out[to + 2 * rows + row] = sumC === sumC && some ? sumC : partialSum(row, (field + 2) * sourceSize);
      out[to + 3 * rows + row] = sumD === sumD && some ? sumD : partialSum(row, (field + 3) * sourceSize);
    }
  }
  for (; field < fields; field++) {
    const from = field * sourceSize;
    const to = field * rows;
    for (let row = 0; row < rows; row++) {
      const end = starts[row + 1];
      let sum = 0;
      for (let k = starts[row]; k < end; k++) sum += weights[k] * source[from + columns[k]];
      out[to + row] = sum === sum && end > starts[row] ? sum : partialSum(row, from);
    }
  }
  return out;

  function partialSum(row: number, from: number): number {
    let sum = 0;
    let known = 0;
    let all = 0;
    for (let k = spare.starts[row]; k < spare.starts[row + 1]; k++) {
      const value = source[from + spare.columns[k]];
      all += spare.weights[k];
      if (value === value) {
        sum += spare.weights[k] * value;
        known += spare.weights[k];
      }
    }
    return known > 0 && known >= minimumShare * all ? (sum * all) / known : NaN;
  }
}
