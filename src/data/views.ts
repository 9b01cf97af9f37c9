/**
 * Lazy views of datasets: renamed, picked by index, joined. Nothing is read until a variable is.
 *
 *     const year = taken(dataset, { time: indices2013 });
 */
import { DataError } from "../errors.js";
import type { NdArray } from "../tensor/ndarray.js";
import {
  type Attributes,
  type AxisSelection,
  type Dataset,
  resolveSelection,
  type Selection,
  type Variable,
} from "./dataset.js";

/** The same dataset with other variables. Dimension lengths follow from them. */
export function withVariables(dataset: Dataset, variables: Iterable<Variable>): Dataset {
  const map = new Map([...variables].map((v) => [v.name, v]));
  const dims: Record<string, number> = {};
  for (const { dims: names, shape } of map.values()) names.forEach((dim, axis) => (dims[dim] = shape[axis]));
  return { ...dataset, dims, variables: map, close: () => dataset.close() };
}

/** A dataset with dimensions and variables renamed; names not given stay. */
export function renamed(
  dataset: Dataset,
  names: { dims?: Readonly<Record<string, string>>; variables?: Readonly<Record<string, string>> },
): Dataset {
  const { dims = {}, variables = {} } = names;
  const back = Object.fromEntries(Object.entries(dims).map(([from, to]) => [to, from]));
  const selectionOf = (selection: Selection = {}): Selection =>
    Object.fromEntries(Object.entries(selection).map(([dim, wanted]) => [back[dim] ?? dim, wanted]));
  return withVariables(
    dataset,
    [...dataset.variables.values()].map((v): Variable => ({
      ...v,
      name: variables[v.name] ?? v.name,
      attrs: withNames(v.attrs, variables),
      dims: v.dims.map((dim) => dims[dim] ?? dim),
      // an unknown dimension is refused here, where its new name is known
      read: async (selection) => {
        checkDims(
          v,
          v.dims.map((dim) => dims[dim] ?? dim),
          selection,
          dataset.source,
        );
        return v.read(selectionOf(selection));
      },
      readStrings: v.readStrings && (async (selection) => v.readStrings!(selectionOf(selection))),
    })),
  );
}

/** CF attributes that name other variables follow their new names. */
function withNames(attrs: Attributes, names: Readonly<Record<string, string>>): Attributes {
  const follow = ["coordinates", "bounds", "ancillary_variables"].filter((key) => typeof attrs[key] === "string");
  if (follow.length === 0) return attrs;
  const renamedText = (text: string): string => text.replace(/\S+/g, (word) => names[word] ?? word);
  return { ...attrs, ...Object.fromEntries(follow.map((key) => [key, renamedText(attrs[key] as string)])) };
}

function checkDims(v: Variable, names: readonly string[], selection: Selection = {}, source: string): void {
  for (const dim of Object.keys(selection))
    if (!names.includes(dim))
      throw new DataError(source, `variable '${v.name}' has no dimension '${dim}'; it has ${names.join(", ")}`);
}

/** A variable seen through index lists along some of its dimensions. */
export function takenVariable(
  v: Variable,
  indices: Readonly<Record<string, ArrayLike<number>>>,
  source: string,
): Variable {
  if (!v.dims.some((dim) => dim in indices)) return v;
  const shape = v.dims.map((dim, axis) => indices[dim]?.length ?? v.shape[axis]);
  const through = (selection: Selection = {}): Selection => {
    const axes = resolveSelection({ name: v.name, dims: v.dims, shape }, selection, source);
    return Object.fromEntries(v.dims.map((dim, axis) => [dim, mapped(axes[axis], indices[dim])]));
  };
  return {
    ...v,
    shape,
    read: (selection) => v.read(through(selection)),
    readStrings: v.readStrings && ((selection) => v.readStrings!(through(selection))),
  };
}

function mapped({ indices, keep }: AxisSelection, list: ArrayLike<number> | undefined): number | number[] {
  if (!keep) return list ? list[indices[0]] : indices[0];
  return Array.from(indices, (i) => (list ? list[i] : i));
}

/** A dataset at the given indices of some dimensions, in the order given: a subset, a reversal, a permutation. */
export function taken(dataset: Dataset, indices: Readonly<Record<string, ArrayLike<number>>>): Dataset {
  return withVariables(
    dataset,
    [...dataset.variables.values()].map((v) => takenVariable(v, indices, dataset.source)),
  );
}

/** A variable whose values are changed as they are read, its attributes perhaps too. */
export function mappedVariable(
  v: Variable,
  change: (values: NdArray) => NdArray,
  options: { name?: string; attrs?: Variable["attrs"]; dtype?: Variable["dtype"] } = {},
): Variable {
  const { name = v.name, attrs = v.attrs, dtype = v.dtype } = options;
  return { ...v, name, attrs, dtype, read: async (selection) => change(await v.read(selection)) };
}
