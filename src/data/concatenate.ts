/** Several datasets as one along a dimension, lazily: the years of a reanalysis, one file each. */
import { encodeTimes, decodeTimes } from "../earth/time.js";
import { DataError } from "../errors.js";
import { type DType, type NdArray, sizeOf, stridesOf, toNumbers, type TypedArray } from "../tensor/ndarray.js";
import { allocator, asArray, copyBlock, keptShape } from "./blocks.js";
import { type Dataset, resolveSelection, type Selection, type Variable, variable } from "./dataset.js";
import { mappedVariable, withVariables } from "./views.js";

/**
 * Joins datasets along a dimension, in the order given. Variables without it are taken from the first. Times with other
 * units are brought to the first one's.
 *
 * @throws where variables, shapes or calendars do not agree, naming the file.
 */
export function concatenate(datasets: readonly Dataset[], dim: string): Dataset {
  const [first, ...others] = datasets;
  if (!first) throw new DataError("concatenate", "no datasets were given");
  if (others.length === 0) return first;
  const variables = [...first.variables.values()].map((v) => {
    if (!v.dims.includes(dim)) return v;
    return joined([v, ...others.map((other) => matching(v, other, dim))], dim, first.source);
  });
  return {
    ...withVariables(first, variables),
    source: `${first.source} (and ${others.length} more)`,
    close: async () => void (await Promise.all(datasets.map((each) => each.close()))),
  };
}

/** The same variable of another dataset, checked, times in the first one's units. */
function matching(v: Variable, other: Dataset, dim: string): Variable {
  const found = variable(other, v.name);
  const same =
    found.dims.join() === v.dims.join() && v.dims.every((d, axis) => d === dim || found.shape[axis] === v.shape[axis]);
  if (!same)
    throw new DataError(
      other.source,
      `'${v.name}' is (${found.dims.join(", ")}) of ${found.shape.join(" x ")}, which does not go on from (${v.dims.join(", ")}) of ${v.shape.join(" x ")}`,
    );
  const { units, calendar = "standard" } = v.attrs;
  if (v.name !== dim || units === found.attrs["units"]) return found;
  if (
    typeof units !== "string" ||
    typeof found.attrs["units"] !== "string" ||
    calendar !== (found.attrs["calendar"] ?? "standard")
  )
    throw new DataError(
      other.source,
      `its '${dim}' counts '${String(found.attrs["units"])}' (${String(found.attrs["calendar"] ?? "standard")}), which does not go on from '${String(units)}' (${String(calendar)})`,
    );
  const from = found.attrs["units"];
  return mappedVariable(
    found,
    (values) => ({
      dtype: "float64",
      shape: values.shape,
      data: encodeTimes(decodeTimes(toNumbers(values), from, String(calendar)), units, String(calendar)),
    }),
    { dtype: "float64", attrs: v.attrs },
  );
}

/** Variables one after the other along a dimension. */
function joined(parts: readonly Variable[], dim: string, source: string): Variable {
  const [first] = parts;
  const axis = first.dims.indexOf(dim);
  const starts = [0];
  for (const part of parts) starts.push(starts.at(-1)! + part.shape[axis]);
  const shape = first.shape.map((n, i) => (i === axis ? starts.at(-1)! : n));
  const dtype: DType = parts.every((part) => part.dtype === first.dtype) ? first.dtype : "float64";

  /** Reads what each part has of a selection and hands it over with the places it takes. */
  async function each(selection: Selection, take: (part: Variable, own: Selection, places: number[]) => Promise<void>) {
    const axes = resolveSelection({ name: first.name, dims: first.dims, shape }, selection, source);
    const wanted = axes[axis].indices;
    for (const [p, part] of parts.entries()) {
      const places: number[] = [];
      const own: number[] = [];
      for (let i = 0; i < wanted.length; i++)
        if (wanted[i] >= starts[p] && wanted[i] < starts[p + 1]) {
          places.push(i);
          own.push(wanted[i] - starts[p]);
        }
      if (places.length > 0) await take(part, { ...selection, [dim]: own }, places);
    }
    return axes;
  }

  return {
    ...first,
    shape,
    dtype,
    async read(selection = {}): Promise<NdArray> {
      const axes = resolveSelection({ name: first.name, dims: first.dims, shape }, selection, source);
      const counts = axes.map((a) => a.indices.length);
      const out = allocator(dtype)(sizeOf(counts)) as TypedArray;
      const outStrides = stridesOf(counts);
      const keptLists = axes.map((a, i) => (i === axis ? 1 : a.indices.length));
      await each(selection, async (part, own, places) => {
        const values = await part.read(own);
        const data = values.dtype === dtype ? values.data : Float64Array.from(toNumbers(values));
        const partCounts = counts.map((n, i) => (i === axis ? places.length : n));
        const inStrides = stridesOf(partCounts);
        places.forEach((place, i) =>
          copyBlock(
            { data, strides: inStrides, offset: i * inStrides[axis] },
            { data: out, strides: outStrides, offset: place * outStrides[axis] },
            keptLists,
          ),
        );
      });
      return asArray(dtype, keptShape(axes), out);
    },
    readStrings:
      first.readStrings &&
      (async (selection = {}) => {
        const pieces: [number[], string[]][] = [];
        const axes = await each(
          selection,
          async (part, own, places) => void pieces.push([places, await part.readStrings!(own)]),
        );
        if (axes.length > 1)
          throw new DataError(source, `text variable '${first.name}' has several dimensions; it cannot be joined`);
        const out = new Array<string>(axes[0].indices.length);
        for (const [places, texts] of pieces) places.forEach((place, i) => (out[place] = texts[i]));
        return out;
      }),
  };
}
