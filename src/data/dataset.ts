/**
 * A **Dataset**: named variables on labelled dimensions with CF attributes, read lazily in pieces. As xarray, smaller.
 *
 * Whatever the format, a reader gives this interface with values already decoded (scale and offset applied, missing values
 * as NaN in floats). Canonical dimension names are `time`, `level`, `latitude`, `longitude`, `member`, `station`,
 * `lead_time`; a coordinate is a one-dimensional variable named like its dimension.
 */
import { DataError, nearest } from "../errors.js";
import { type DType, type NdArray, sizeOf, stridesOf, TYPED_ARRAYS, type TypedArray } from "../tensor/ndarray.js";

export type AttributeValue = string | number | readonly number[] | readonly string[];
export type Attributes = Readonly<Record<string, AttributeValue>>;

/** By dimension: one index (the dimension is dropped), a half-open range, or a list of indices. A dimension not named is whole. */
export type Selection = Readonly<
  Record<string, number | { start?: number; stop?: number; step?: number } | readonly number[]>
>;

export interface Variable {
  readonly name: string;
  readonly dims: readonly string[];
  readonly shape: readonly number[];
  /** Of the decoded values. */
  readonly dtype: DType;
  readonly attrs: Attributes;
  /** How the values lie in the file, where that is known: read along whole chunks to read each once. */
  readonly chunks?: readonly number[];
  read(selection?: Selection): Promise<NdArray>;
  /** Text variables (station names) read as strings instead; `read` refuses them. */
  readStrings?(selection?: Selection): Promise<string[]>;
}

export interface Dataset {
  /** Its path or address, for messages. */
  readonly source: string;
  /** `zarr v3`, `netcdf4`, `grib2`, `memory`, ... */
  readonly format: string;
  readonly dims: Readonly<Record<string, number>>;
  /** Data variables and coordinates alike, by name. */
  readonly variables: ReadonlyMap<string, Variable>;
  readonly attrs: Attributes;
  close(): Promise<void>;
}

/** The variable of that name, or an error that names the nearest right one. */
export function variable(dataset: Dataset, name: string): Variable {
  const found = dataset.variables.get(name);
  if (found) return found;
  const near = nearest(name, dataset.variables.keys());
  throw new DataError(
    dataset.source,
    `there is no variable '${name}'${near ? `; did you mean '${near}'?` : ""} It has: ${[...dataset.variables.keys()].join(", ")}`,
  );
}

/** Variables that are not coordinates. */
export const dataVariables = (dataset: Dataset): Variable[] =>
  [...dataset.variables.values()].filter(
    (v) => !(v.dims.length <= 1 && (v.name in dataset.dims || v.dims.length === 0)),
  );

export interface MemoryVariable {
  readonly dims: readonly string[];
  readonly data: NdArray;
  readonly attrs?: Attributes;
}

/** A dataset over arrays in memory: what computations give back and tests begin with. */
export function memoryDataset(
  variables: Readonly<Record<string, MemoryVariable>>,
  options: { source?: string; attrs?: Attributes } = {},
): Dataset {
  const { source = "memory", attrs = {} } = options;
  const dims: Record<string, number> = {};
  for (const [name, { dims: names, data }] of Object.entries(variables)) {
    if (names.length !== data.shape.length)
      throw new DataError(
        source,
        `variable '${name}' has ${data.shape.length} axes but ${names.length} dimension names`,
      );
    names.forEach((dim, i) => {
      if ((dims[dim] ??= data.shape[i]) !== data.shape[i])
        throw new DataError(
          source,
          `dimension '${dim}' is ${dims[dim]} long, but ${data.shape[i]} in variable '${name}'`,
        );
    });
  }
  const entries = Object.entries(variables).map(
    ([name, { dims: names, data, attrs: own = {} }]): [string, Variable] => [
      name,
      {
        name,
        dims: names,
        shape: data.shape,
        dtype: data.dtype,
        attrs: own,
        read: async (selection = {}) =>
          select(data, resolveSelection({ name, dims: names, shape: data.shape }, selection, source)),
      },
    ],
  );
  return { source, format: "memory", dims, variables: new Map(entries), attrs, close: async () => {} };
}

/** A selection along one axis, resolved: which indices, and whether the axis stays. */
export interface AxisSelection {
  readonly indices: ArrayLike<number>;
  readonly keep: boolean;
}

/** Checks a selection against a variable and lists the indices of each axis; negative indices count from the end. */
export function resolveSelection(
  of: Pick<Variable, "name" | "dims" | "shape">,
  selection: Selection,
  source: string,
): AxisSelection[] {
  for (const dim of Object.keys(selection))
    if (!of.dims.includes(dim))
      throw new DataError(source, `variable '${of.name}' has no dimension '${dim}'; it has ${of.dims.join(", ")}`);
  return of.dims.map((dim, axis) => {
    const length = of.shape[axis];
    const at = (i: number): number => {
      const index = i < 0 ? i + length : i;
      if (!Number.isInteger(index) || index < 0 || index >= length)
        throw new DataError(
          source,
          `index ${i} is outside dimension '${dim}' of '${of.name}', which has ${length} values`,
        );
      return index;
    };
    const wanted = selection[dim] ?? {};
    if (typeof wanted === "number") return { indices: [at(wanted)], keep: false };
    if (Array.isArray(wanted)) return { indices: wanted.map(at), keep: true };
    const { start = 0, stop = length, step = 1 } = wanted as { start?: number; stop?: number; step?: number };
    const from = Math.max(0, start < 0 ? start + length : start);
    const to = Math.min(length, stop < 0 ? stop + length : stop);
    const count = Math.max(0, Math.ceil((to - from) / step));
    return { indices: Array.from({ length: count }, (_, i) => from + i * step), keep: true };
  });
}

/** The selected elements of an array, copied. */
export function select(array: NdArray, axes: readonly AxisSelection[]): NdArray {
  const shape = axes.filter((a) => a.keep).map((a) => a.indices.length);
  const counts = axes.map((a) => a.indices.length);
  const out = new TYPED_ARRAYS[array.dtype](sizeOf(counts)) as TypedArray;
  const strides = stridesOf(array.shape);
  let at = 0;
  const walk = (axis: number, offset: number): void => {
    if (axis === axes.length) {
      out[at++] = array.data[offset];
      return;
    }
    const { indices } = axes[axis];
    const run = indices.length;
    if (axis === axes.length - 1 && run > 0 && indices[run - 1] - indices[0] === run - 1) {
      out.set(array.data.subarray(offset + indices[0], offset + indices[0] + run) as never, at);
      at += run;
      return;
    }
    for (let i = 0; i < run; i++) walk(axis + 1, offset + indices[i] * strides[axis]);
  };
  walk(0, 0);
  return { dtype: array.dtype, shape, data: out };
}
