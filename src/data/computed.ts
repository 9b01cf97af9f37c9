/**
 * Variables computed from others as they are read. A computation says along which dimensions it needs whole rows (a
 * gradient all latitudes and longitudes, an integral all levels); along all others it is given just what is asked for.
 */
import { DataError } from "../errors.js";
import { type DType, type NdArray, sizeOf, stridesOf, toNumbers } from "../tensor/ndarray.js";
import { asArray, keptShape } from "./blocks.js";
import { type Attributes, resolveSelection, select, type Selection, type Variable } from "./dataset.js";

export interface Computation {
  readonly name: string;
  /** All on the same dimensions, in any order. */
  readonly inputs: readonly Variable[];
  readonly attrs: Attributes;
  /** Dimensions the computation needs whole, in the order it wants them last. */
  readonly whole?: readonly string[];
  /** Of those, dimensions it takes away; what is left of them comes last. */
  readonly without?: readonly string[];
  /** What becomes of the dimensions that are whole and stay, where their lengths or names change. */
  readonly becomes?: readonly { readonly dim: string; readonly length: number }[];
  /**
   * @param values of each input, [count, ...whole]
   * @param count how many rows of the other dimensions
   * @returns [count, ...what stays of whole]
   */
  compute(values: readonly ArrayLike<number>[], count: number): Float32Array | Float64Array;
}

/** The variable a computation gives. */
export function computedVariable(of: Computation, source: string): Variable {
  const { name, inputs, attrs, whole = [], without = [] } = of;
  const [first] = inputs;
  for (const other of inputs)
    if ([...other.dims].sort().join() !== [...first.dims].sort().join())
      throw new DataError(
        source,
        `'${name}' cannot be computed: '${first.name}' is on (${first.dims.join(", ")}), '${other.name}' on (${other.dims.join(", ")})`,
      );
  const lengthOf = (dim: string): number => first.shape[first.dims.indexOf(dim)];
  const outer = first.dims.filter((dim) => !whole.includes(dim));
  const stay =
    of.becomes ?? whole.filter((dim) => !without.includes(dim)).map((dim) => ({ dim, length: lengthOf(dim) }));
  const dims = [...outer, ...stay.map(({ dim }) => dim)];
  const shape = [...outer.map(lengthOf), ...stay.map(({ length }) => length)];
  const dtype: DType = inputs.every((v) => v.dtype === "float32") ? "float32" : "float64";
  return {
    name,
    dims,
    shape,
    dtype,
    attrs,
    chunks: undefined,
    async read(selection: Selection = {}): Promise<NdArray> {
      const axes = resolveSelection({ name, dims, shape }, selection, source);
      const own = Object.fromEntries(outer.map((dim, i) => [dim, Array.from(axes[i].indices)]));
      const values: ArrayLike<number>[] = [];
      for (const v of inputs) values.push(arranged(await v.read(own), v.dims, [...outer, ...whole]));
      const outerCounts = axes.slice(0, outer.length).map((axis) => axis.indices.length);
      const result = of.compute(values, sizeOf(outerCounts));
      const data = dtype === "float32" ? Float32Array.from(result) : Float64Array.from(result);
      const given = asArray(dtype, [...outerCounts, ...stay.map(({ length }) => length)], data);
      // outer dimensions are chosen already; the rest is chosen from what was computed whole
      const chosen = axes.map((axis, i) =>
        i < outer.length ? { indices: Array.from({ length: outerCounts[i] }, (_, k) => k), keep: axis.keep } : axis,
      );
      return asArray(dtype, keptShape(chosen), select(given, chosen).data);
    },
  };
}

/** Values with their axes in another order. */
export function arranged(array: NdArray, dims: readonly string[], wanted: readonly string[]): ArrayLike<number> {
  const values = toNumbers(array);
  const order = wanted.map((dim) => dims.indexOf(dim));
  if (order.every((axis, i) => axis === i)) return values;
  const strides = stridesOf(array.shape);
  const counts = order.map((axis) => array.shape[axis]);
  const steps = order.map((axis) => strides[axis]);
  const out = array.dtype === "float32" ? new Float32Array(values.length) : new Float64Array(values.length);
  const at = counts.map(() => 0);
  for (let i = 0, from = 0; i < out.length; i++) {
    out[i] = values[from];
    for (let axis = counts.length - 1; axis >= 0; axis--) {
      from += steps[axis];
      if (++at[axis] < counts[axis]) break;
      from -= steps[axis] * counts[axis];
      at[axis] = 0;
    }
  }
  return out;
}
