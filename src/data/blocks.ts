/**
 * Any selection as a few contiguous blocks. Formats read blocks (a start and a count along each axis); a selection may
 * step, reverse or list indices. Indices that lie close together are read as one block and picked out of it, so that
 * neither a read for every value nor a read of the whole file comes of it.
 */
import {
  type DType,
  type NdArray,
  type Shape,
  sizeOf,
  stridesOf,
  TYPED_ARRAYS,
  type TypedArray,
} from "../tensor/ndarray.js";
import type { AxisSelection } from "./dataset.js";

export interface Block {
  readonly start: readonly number[];
  readonly count: readonly number[];
}

/** Indices `from..to` of the output along one axis, all inside `start..start+count` of the input. */
interface Run {
  start: number;
  count: number;
  from: number;
  to: number;
}

/** Splits the indices of one axis into runs; within a run at most three of four values read are thrown away. */
function runsOf(indices: ArrayLike<number>, chunk: number): Run[] {
  const runs: Run[] = [];
  let low = 0;
  let high = -1;
  for (let i = 0; i < indices.length; i++) {
    const run = runs.at(-1);
    const [newLow, newHigh] = run ? [Math.min(low, indices[i]), Math.max(high, indices[i])] : [indices[i], indices[i]];
    if (run && newHigh - newLow + 1 <= Math.max(chunk, 4 * (i + 1 - run.from))) {
      [low, high] = [newLow, newHigh];
      Object.assign(run, { start: low, count: high - low + 1, to: i + 1 });
    } else {
      [low, high] = [indices[i], indices[i]];
      runs.push({ start: low, count: 1, from: i, to: i + 1 });
    }
  }
  return runs;
}

/** Copies one block's selected values to their places in the output. */
function scatter(
  from: TypedArray | string[],
  to: TypedArray | string[],
  axes: readonly { offsets: Int32Array; inStride: number; outStride: number; outStart: number }[],
): void {
  const walk = (axis: number, inOffset: number, outOffset: number): void => {
    const { offsets, inStride, outStride, outStart } = axes[axis];
    const last = axis === axes.length - 1;
    for (let i = 0; i < offsets.length; i++) {
      const at = inOffset + offsets[i] * inStride;
      const out = outOffset + (outStart + i) * outStride;
      if (last) to[out] = from[at];
      else walk(axis + 1, at, out);
    }
  };
  walk(0, 0, 0);
}

/** The values of a selection, read through `readBlock`; row-major, one axis for each of `axes` (kept or not). */
export async function gather<T extends TypedArray | string[]>(
  axes: readonly AxisSelection[],
  chunks: readonly number[] | undefined,
  readBlock: (block: Block) => Promise<T>,
  allocate: (size: number) => T,
): Promise<T> {
  const shape = axes.map((axis) => axis.indices.length);
  if (axes.length === 0) return readBlock({ start: [], count: [] });
  if (sizeOf(shape) === 0) return allocate(0);
  const runs = axes.map(({ indices }, axis) => runsOf(indices, chunks?.[axis] ?? 1));
  const isPlain = (run: Run, indices: ArrayLike<number>): boolean =>
    run.count === run.to - run.from &&
    indices[run.from] === run.start &&
    indices[run.to - 1] === run.start + run.count - 1;
  if (
    runs.every(
      (list, axis) => list.length === 1 && isPlain(list[0], axes[axis].indices) && ascending(axes[axis].indices),
    )
  )
    return readBlock({ start: runs.map(([run]) => run.start), count: runs.map(([run]) => run.count) });

  const out = allocate(sizeOf(shape));
  const outStrides = stridesOf(shape);
  for (const choice of product(runs)) {
    const block = { start: choice.map((run) => run.start), count: choice.map((run) => run.count) };
    const values = await readBlock(block);
    const inStrides = stridesOf(block.count);
    scatter(
      values,
      out,
      choice.map((run, axis) => ({
        offsets: Int32Array.from({ length: run.to - run.from }, (_, i) => axes[axis].indices[run.from + i] - run.start),
        inStride: inStrides[axis],
        outStride: outStrides[axis],
        outStart: run.from,
      })),
    );
  }
  return out;
}

function ascending(indices: ArrayLike<number>): boolean {
  for (let i = 1; i < indices.length; i++) if (indices[i] !== indices[i - 1] + 1) return false;
  return true;
}

/** Every choice of one element from each list, the last list fastest. */
export function* product<T>(lists: readonly (readonly T[])[]): Generator<T[]> {
  if (lists.some((list) => list.length === 0)) return;
  const at = lists.map(() => 0);
  for (;;) {
    yield lists.map((list, axis) => list[at[axis]]);
    let axis = lists.length - 1;
    while (axis >= 0 && ++at[axis] === lists[axis].length) at[axis--] = 0;
    if (axis < 0) return;
  }
}

/** A strided piece of one array, for `copyBlock`. */
export interface Strided {
  readonly data: { readonly length: number; [index: number]: unknown };
  readonly strides: readonly number[];
  readonly offset: number;
}

/** Copies a box of `count` elements between two strided arrays; as much at once as is contiguous in both. */
export function copyBlock(from: Strided, to: Strided, count: readonly number[]): void {
  if (count.length === 0) {
    to.data[to.offset] = from.data[from.offset];
    return;
  }
  // an axis whose rows follow one another in both arrays is one with the axis inside it
  const inner = count.length - 1;
  const both = (axis: number): boolean =>
    from.strides[axis] === from.strides[axis + 1] * count[axis + 1] &&
    to.strides[axis] === to.strides[axis + 1] * count[axis + 1];
  if (inner > 0 && both(inner - 1)) {
    const joined = ({ data, strides, offset }: Strided): Strided => ({
      data,
      strides: [...strides.slice(0, inner - 1), strides[inner]],
      offset,
    });
    copyBlock(joined(from), joined(to), [...count.slice(0, inner - 1), count[inner - 1] * count[inner]]);
    return;
  }
  const rank = count.length;
  const n = count[rank - 1];
  const rows =
    from.strides[rank - 1] === 1 &&
    to.strides[rank - 1] === 1 &&
    ArrayBuffer.isView(to.data) &&
    ArrayBuffer.isView(from.data);
  const walk = (axis: number, a: number, b: number): void => {
    if (axis < rank - 1) {
      for (let i = 0; i < count[axis]; i++) walk(axis + 1, a + i * from.strides[axis], b + i * to.strides[axis]);
    } else if (rows) {
      (to.data as unknown as Float64Array).set((from.data as unknown as Float64Array).subarray(a, a + n), b);
    } else {
      for (let i = 0; i < n; i++) to.data[b + i * to.strides[axis]] = from.data[a + i * from.strides[axis]];
    }
  };
  walk(0, from.offset, to.offset);
}

/** An uninitialised array of a type, or of strings. */
export const allocator =
  (dtype: DType | "string") =>
  (size: number): TypedArray | string[] =>
    dtype === "string" ? new Array<string>(size).fill("") : new TYPED_ARRAYS[dtype](size);

/** The shape that remains of a selection. */
export const keptShape = (axes: readonly AxisSelection[]): Shape =>
  axes.filter((axis) => axis.keep).map((axis) => axis.indices.length);

/** Elements of a typed array of another length or type are never mixed up: wraps `data` as an array of `dtype`. */
export const asArray = (dtype: DType, shape: Shape, data: TypedArray): NdArray => ({ dtype, shape, data });
