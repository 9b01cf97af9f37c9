/**
 * **Rows**: a table of numbers, row by row, that may be larger than memory. In memory here; over a scratch file in
 * `rows.node.ts`. What needs many fields at any time (climatologies, states of many years, sums of many starts) keeps them so.
 *
 *     const rows = memoryRows.float32(366, cells);
 *     rows.set(0, field);
 *     rows.get(0);
 */

export interface Rows<A extends Float32Array | Float64Array = Float32Array> {
  readonly count: number;
  readonly width: number;
  /** Columns `from` to `to` of a row; all of them unless said. Do not write into it: it may be the table itself. */
  get(row: number, from?: number, to?: number): A;
  /** Writes values from column `from` on. */
  set(row: number, values: ArrayLike<number>, from?: number): void;
}

/** Makes tables of zeros. */
export interface RowMaker {
  readonly float32: (count: number, width: number) => Rows;
  readonly float64: (count: number, width: number) => Rows<Float64Array>;
  /** Frees what its tables hold; they are of no use after. */
  readonly close: () => void;
}

/** The rows of an array. */
export const tableOver = <A extends Float32Array | Float64Array>(data: A, count: number, width: number): Rows<A> => ({
  count,
  width,
  get: (row, from = 0, to = width) => data.subarray(row * width + from, row * width + to) as A,
  set: (row, values, from = 0) => data.set(values, row * width + from),
});

export const memoryRows: RowMaker = {
  float32: (count, width) => tableOver(new Float32Array(count * width), count, width),
  float64: (count, width) => tableOver(new Float64Array(count * width), count, width),
  close: () => {},
};
