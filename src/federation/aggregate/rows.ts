/**
 * The updates of a round as rows of numbers that are read in pieces: a hundred updates of a large model need not be in memory
 * at once. `memoryRows` holds them; `file-rows.node.ts` keeps them on disk.
 */
import { FoehnError } from "../../errors.js";

/** A flat list of parameters or of their changes. */
export type Vector = Float32Array | Float64Array;

export interface Rows {
  readonly count: number;
  /** Numbers in each row. */
  readonly length: number;
  /** Element type in which the rows are read and results are given. */
  readonly precision: "float32" | "float64";
  /** Fills `into` with the numbers of `row` from position `from` on. */
  read(row: number, from: number, into: Vector): void | Promise<void>;
}

/** Rows that lie in memory. All must have one length and one element type. */
export function memoryRows(vectors: readonly Vector[]): Rows {
  const length = vectors[0]?.length ?? 0;
  const odd = vectors.findIndex((v) => v.length !== length);
  if (odd >= 0)
    throw new FoehnError(
      `update ${odd} has ${vectors[odd].length} numbers, but update 0 has ${length}; give equal lengths`,
    );
  return {
    count: vectors.length,
    length,
    precision: vectors[0] instanceof Float64Array ? "float64" : "float32",
    read: (row, from, into) => into.set(vectors[row].subarray(from, from + into.length)),
  };
}

/** Zeros of a precision. */
export const zeroVector = (length: number, precision: Rows["precision"]): Vector =>
  precision === "float64" ? new Float64Array(length) : new Float32Array(length);

/** Zeros of the length and type of `like`. */
export const zerosLike = (like: Vector): Vector =>
  zeroVector(like.length, like instanceof Float64Array ? "float64" : "float32");

/** The value of `f(i)` at each position, in the type of `like`. */
export function tabulate(like: Vector, f: (i: number) => number): Vector {
  const out = zerosLike(like);
  for (let i = 0; i < out.length; i++) out[i] = f(i);
  return out;
}

// Loops of their own, not `tabulate`: a call a number is most of a round's time where models are large

export function difference(a: Vector, b: Vector): Vector {
  const out = zerosLike(a);
  for (let i = 0; i < out.length; i++) out[i] = a[i] - b[i];
  return out;
}

export function sum(a: Vector, b: Vector): Vector {
  const out = zerosLike(a);
  for (let i = 0; i < out.length; i++) out[i] = a[i] + b[i];
  return out;
}

export function scaled(a: Vector, factor: number): Vector {
  const out = zerosLike(a);
  for (let i = 0; i < out.length; i++) out[i] = a[i] * factor;
  return out;
}

export function dot(a: Vector, b: Vector): number {
  // Two sums, so that an addition need not wait for the one before
  let even = 0;
  let odd = 0;
  const pairs = a.length - (a.length % 2);
  for (let i = 0; i < pairs; i += 2) {
    even += a[i] * b[i];
    odd += a[i + 1] * b[i + 1];
  }
  return even + odd + (pairs < a.length ? a[pairs] * b[pairs] : 0);
}

/** Euclidean length. */
export const norm = (a: Vector): number => Math.sqrt(dot(a, a));

/** Whether no number is NaN or infinite. */
export function allFinite(a: Vector): boolean {
  for (let i = 0; i < a.length; i++) if (!Number.isFinite(a[i])) return false;
  return true;
}

/** y += factor * x, in place. */
export function addScaled(y: Vector, factor: number, x: Vector): void {
  for (let i = 0; i < y.length; i++) y[i] += factor * x[i];
}

/** Sum of `weights[i] * vectors[i]`; sums are kept in double precision. */
export function weightedSum(vectors: readonly Vector[], weights: ArrayLike<number>): Vector {
  const total = new Float64Array(vectors[0].length);
  vectors.forEach((v, i) => {
    if (weights[i] !== 0) addScaled(total, weights[i], v);
  });
  return vectors[0] instanceof Float64Array ? total : Float32Array.from(total);
}

/** The plain mean. */
export const mean = (vectors: readonly Vector[]): Vector =>
  weightedSum(vectors, new Float64Array(vectors.length).fill(1 / vectors.length));

/** Indices that sort `values` ascending; equal values keep their order. */
export const argsort = (values: ArrayLike<number>): number[] =>
  Array.from(values, (_, i) => i).sort((a, b) => values[a] - values[b] || a - b);
