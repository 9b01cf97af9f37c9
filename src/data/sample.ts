/** A look at a variable's values, whole or, where they are many, at evenly spaced slices of its first dimension. */
import { toNumbers } from "../tensor/ndarray.js";
import type { Selection, Variable } from "./dataset.js";
import { chunkShape, pieces } from "./template.js";

export interface Sample {
  readonly count: number;
  readonly missing: number;
  readonly infinite: number;
  /** NaN where no value is there. */
  readonly min: number;
  readonly max: number;
  readonly mean: number;
  /** False where only some slices were read. */
  readonly whole: boolean;
}

const PIECE_VALUES = 2 ** 21;

/** Counts and range of a variable; at most about `maxValues` values are read. */
export async function sampleOf(v: Variable, options: { maxValues?: number } = {}): Promise<Sample> {
  const { maxValues = 2e7 } = options;
  const size = v.shape.reduce((a, b) => a * b, 1);
  const whole = size <= maxValues || v.dims.length === 0 || v.shape[0] < 2;
  const state = { count: 0, missing: 0, infinite: 0, min: Infinity, max: -Infinity, sum: 0 };
  for (const selection of whole ? wholePieces(v) : slices(v, maxValues)) {
    const values = toNumbers(await v.read(selection));
    for (let i = 0; i < values.length; i++) {
      const x = values[i];
      if (x !== x) state.missing++;
      else if (x === Infinity || x === -Infinity) state.infinite++;
      else {
        state.count++;
        state.sum += x;
        if (x < state.min) state.min = x;
        if (x > state.max) state.max = x;
      }
    }
  }
  const { count, missing, infinite, sum } = state;
  const known = count > 0;
  return {
    count,
    missing,
    infinite,
    min: known ? state.min : NaN,
    max: known ? state.max : NaN,
    mean: known ? sum / count : NaN,
    whole,
  };
}

function wholePieces(v: Variable): Iterable<Selection> {
  const lengths = Object.fromEntries(v.dims.map((dim, axis) => [dim, v.shape[axis]]));
  return pieces(v, v.chunks ?? chunkShape(v, lengths), PIECE_VALUES);
}

function* slices(v: Variable, maxValues: number): Generator<Selection> {
  const each = v.shape.slice(1).reduce((a, b) => a * b, 1);
  const n = Math.max(2, Math.min(v.shape[0], Math.floor(maxValues / each)));
  for (let i = 0; i < n; i++) yield { [v.dims[0]]: Math.round((i * (v.shape[0] - 1)) / (n - 1)) };
}
