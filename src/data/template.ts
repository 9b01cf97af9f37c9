/** What is about to be written: dimensions and variables without their values, and how values are cut into pieces. */
import { FoehnError, nearest } from "../errors.js";
import { type DType, sizeOf, TYPED_ARRAYS } from "../tensor/ndarray.js";
import { product } from "./blocks.js";
import { isText } from "./cf.js";
import type { Attributes, Dataset, Selection } from "./dataset.js";

export interface TemplateVariable {
  readonly dims: readonly string[];
  readonly dtype: DType | "string";
  readonly attrs?: Attributes;
  /** One length an axis; chosen to hold about a megabyte where not given. */
  readonly chunks?: readonly number[];
}

export interface Template {
  readonly dims: Readonly<Record<string, number>>;
  readonly variables: Readonly<Record<string, TemplateVariable>>;
  readonly attrs?: Attributes;
}

/** The template of a dataset. `chunks` by dimension names; -1 is the whole dimension. */
export function templateOf(dataset: Dataset, options: { chunks?: Readonly<Record<string, number>> } = {}): Template {
  const { chunks } = options;
  if (chunks)
    for (const dim of Object.keys(chunks))
      if (!(dim in dataset.dims)) {
        const near = nearest(dim, Object.keys(dataset.dims));
        throw new FoehnError(
          `chunks name '${dim}', but there is no such dimension${near ? `; did you mean '${near}'?` : ""}`,
        );
      }
  const variables = Object.fromEntries(
    [...dataset.variables.values()].map((v): [string, TemplateVariable] => {
      const own: TemplateVariable = { dims: v.dims, dtype: isText(v) ? "string" : v.dtype, attrs: v.attrs };
      if (!chunks) return [v.name, own];
      const automatic = chunkShape(own, dataset.dims);
      const lengths = v.dims.map((dim, axis) => {
        const wanted = chunks[dim];
        return wanted === undefined ? automatic[axis] : wanted === -1 ? v.shape[axis] : wanted;
      });
      return [v.name, { ...own, chunks: lengths.map((n) => Math.max(1, n)) }];
    }),
  );
  return { dims: dataset.dims, variables, attrs: dataset.attrs };
}

const CHUNK_BYTES = 2 ** 20;

/**
 * Chunk lengths of about a megabyte: the last axes whole, as many steps of the first as fit. One step stays one chunk
 * where it is larger, so that a single time is read alone.
 */
export function chunkShape(
  { dims, dtype, chunks }: TemplateVariable,
  lengths: Readonly<Record<string, number>>,
): number[] {
  if (chunks) return [...chunks];
  const shape = dims.map((dim) => Math.max(1, lengths[dim]));
  let room = CHUNK_BYTES / bytesOf(dtype);
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    // horizontal axes are never cut below a whole field: a field is what is read
    const whole = axis >= shape.length - 2 && shape.length > 2;
    const length = whole ? shape[axis] : Math.max(1, Math.min(shape[axis], Math.floor(room)));
    // a growing dimension begins with length 0: its chunks still hold several steps
    shape[axis] = lengths[dims[axis]] === 0 ? Math.max(1, Math.min(256, Math.floor(room))) : length;
    room /= shape[axis];
  }
  return shape;
}

export const bytesOf = (dtype: DType | "string"): number =>
  dtype === "string" ? 32 : TYPED_ARRAYS[dtype].BYTES_PER_ELEMENT;

/** Pieces of a variable that follow its chunks and hold at most `limit` values (or one chunk): what a copy reads at a time. */
export function* pieces(
  v: { dims: readonly string[]; shape: readonly number[] },
  chunks: readonly number[],
  limit: number,
): Generator<Selection> {
  const lengths = [...chunks];
  // grow the piece from the last axis on, in whole chunks, while it stays within the limit
  for (let axis = v.shape.length - 1; axis >= 0; axis--) {
    const rest = sizeOf(lengths) / lengths[axis];
    const most = Math.max(1, Math.floor(limit / rest / chunks[axis])) * chunks[axis];
    lengths[axis] = Math.min(v.shape[axis], most);
  }
  const starts = v.shape.map((n, axis) =>
    Array.from({ length: Math.ceil(n / lengths[axis]) }, (_, i) => i * lengths[axis]),
  );
  if (v.shape.length === 0) yield {};
  else
    for (const from of product(starts))
      yield Object.fromEntries(
        v.dims.map((dim, axis) => [
          dim,
          { start: from[axis], stop: Math.min(v.shape[axis], from[axis] + lengths[axis]) },
        ]),
      );
}
