/** Fills a Zarr store of known arrays box by box: chunks are kept in memory until they are full, then compressed and written. */
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import path from "node:path";
import { DataError, nearest } from "../errors.js";
import {
  type DType,
  type NdArray,
  sizeOf,
  stridesOf,
  toNumbers,
  TYPED_ARRAYS,
  type TypedArray,
} from "../tensor/ndarray.js";
import { copyBlock, product } from "./blocks.js";
import { type Attributes, resolveSelection, type Selection } from "./dataset.js";
import { cannotWrite } from "./files.node.js";
import { compress, decodeChunk, decompress, emptyChunk, encodeChunk } from "./zarr-encoding.js";
import { type OpenArray, sameLengths, writeMetadataV2, writeMetadataV3 } from "./zarr-metadata.node.js";
import { decodeShard, encodeShard, type ShardLayout } from "./zarr-shards.js";
import { bytesOf } from "./template.js";

export interface ZarrWriter {
  /** Writes a box of a variable: contiguous ranges or single indices; a growing dimension grows as needed. */
  write(name: string, selection: Selection, values: NdArray | readonly string[]): Promise<void>;
  /** Finishes metadata and puts the store in its place. */
  close(): Promise<void>;
  /** Removes what was written. */
  abort(): Promise<void>;
}

/** Bytes of unfinished chunks kept in memory by a writer. */
const BUFFER_BYTES = 256 * 2 ** 20;

interface Buffered {
  array: OpenArray;
  coordinates: number[];
  data: TypedArray | string[];
  written: number;
  bytes: number;
}

export function zarrWriter(store: {
  root: string;
  target: string;
  arrays: Map<string, OpenArray>;
  attrs: Attributes;
  growing?: string;
  zarrFormat: 2 | 3;
  level: number;
  finish: () => Promise<void>;
  discard: () => Promise<void>;
}): ZarrWriter {
  const { target, arrays, growing, zarrFormat, level } = store;
  const buffered = new Map<string, Buffered>();
  let bufferedBytes = 0;
  let done = false;
  let last: Promise<unknown> = Promise.resolve();

  const fileOf = ({ folder }: OpenArray, coordinates: readonly number[]): string =>
    zarrFormat === 3
      ? path.join(folder, "c", ...coordinates.map(String))
      : path.join(folder, coordinates.length ? coordinates.join(".") : "0");

  /** How an array's files hold several chunks; undefined where each holds one. */
  const layoutOf = ({ files, chunks, template }: OpenArray): ShardLayout | undefined =>
    sameLengths(files, chunks) || template.dtype === "string"
      ? undefined
      : { dtype: template.dtype, shard: files, chunk: chunks, level };

  async function flush(key: string): Promise<void> {
    const { array, coordinates, data, bytes } = buffered.get(key)!;
    buffered.delete(key);
    bufferedBytes -= bytes;
    const file = fileOf(array, coordinates);
    const layout = layoutOf(array);
    const packed = layout
      ? await encodeShard(
          data as TypedArray,
          layout,
          coordinates.map((c, axis) => array.shape[axis] - c * array.files[axis]),
        )
      : await compress(encodeChunk(data), level);
    await mkdir(path.dirname(file), { recursive: true });
    const beside = `${file}.partial`;
    await writeFile(beside, packed);
    await rename(beside, file);
  }

  async function chunkAt(array: OpenArray, coordinates: number[]): Promise<Buffered> {
    const key = `${array.name}:${coordinates.join(".")}`;
    const open = buffered.get(key);
    if (open) return open;
    const size = sizeOf(array.files);
    const { dtype } = array.template;
    const stored = await readFile(fileOf(array, coordinates)).catch(() => undefined);
    const layout = layoutOf(array);
    const data = !stored
      ? emptyChunk(dtype, size)
      : layout
        ? await decodeShard(stored, layout, target)
        : decodeChunk(await decompress(stored, level), dtype);
    const chunk: Buffered = { array, coordinates, data, written: 0, bytes: size * bytesOf(dtype) };
    buffered.set(key, chunk);
    bufferedBytes += chunk.bytes;
    while (bufferedBytes > BUFFER_BYTES && buffered.size > 1) {
      const oldest = [...buffered.keys()].find((each) => each !== key)!;
      await flush(oldest);
    }
    return chunk;
  }

  async function write(name: string, selection: Selection, values: NdArray | readonly string[]): Promise<void> {
    const array = arrays.get(name);
    if (!array) {
      const near = nearest(name, arrays.keys());
      throw new DataError(target, `there is no variable '${name}' to write${near ? `; did you mean '${near}'?` : ""}`);
    }
    grow(array, selection);
    const { dims, dtype } = array.template;
    const axes = resolveSelection({ name, dims, shape: array.shape }, selection, target);
    const count = axes.map(({ indices }) => indices.length);
    const start = axes.map(({ indices }) => (indices.length ? indices[0] : 0));
    axes.forEach(({ indices }, axis) => {
      if (indices.length > 0 && indices[indices.length - 1] !== start[axis] + indices.length - 1)
        throw new DataError(target, `'${name}' can be written in contiguous ranges only, which ${dims[axis]} is not`);
    });
    const data = matching(values, dtype, sizeOf(count), name);
    const fromStrides = stridesOf(count);
    const toStrides = stridesOf(array.files);
    const along = start.map((from, axis) =>
      range(Math.floor(from / array.files[axis]), Math.floor((from + count[axis] - 1) / array.files[axis])),
    );
    if (count.some((n) => n === 0)) return;
    for (const coordinates of product(along.length ? along : [[0]])) {
      const at = dims.length ? coordinates : [];
      const chunk = await chunkAt(array, at);
      const low = at.map((c, axis) => Math.max(start[axis], c * array.files[axis]));
      const high = at.map((c, axis) => Math.min(start[axis] + count[axis], (c + 1) * array.files[axis]));
      const box = low.map((from, axis) => high[axis] - from);
      copyBlock(
        {
          data,
          strides: fromStrides,
          offset: dot(
            low.map((from, axis) => from - start[axis]),
            fromStrides,
          ),
        },
        {
          data: chunk.data,
          strides: toStrides,
          offset: dot(
            low.map((from, axis) => from - at[axis] * array.files[axis]),
            toStrides,
          ),
        },
        box,
      );
      chunk.written += sizeOf(box);
      if (chunk.written >= expectedIn(array, at)) await flush(`${name}:${at.join(".")}`);
    }
  }

  /** How many values a chunk waits for: fewer at the array's edge, but all along the dimension that may still grow. */
  const expectedIn = ({ template, shape, files }: OpenArray, coordinates: readonly number[]): number =>
    sizeOf(
      coordinates.map((c, axis) =>
        template.dims[axis] === growing ? files[axis] : Math.min(files[axis], shape[axis] - c * files[axis]),
      ),
    );

  /** Lengthens the growing dimension to hold a selection. */
  function grow(array: OpenArray, selection: Selection): void {
    const axis = growing === undefined ? -1 : array.template.dims.indexOf(growing);
    if (axis < 0) return;
    const wanted = selection[growing!];
    const stop =
      typeof wanted === "number"
        ? wanted + 1
        : Array.isArray(wanted)
          ? Math.max(...(wanted as number[])) + 1
          : ((wanted as { stop?: number } | undefined)?.stop ?? 0);
    array.shape[axis] = Math.max(array.shape[axis], stop);
  }

  function matching(
    values: NdArray | readonly string[],
    dtype: DType | "string",
    size: number,
    name: string,
  ): TypedArray | readonly string[] {
    const isList = Array.isArray(values);
    const length = isList ? values.length : (values as NdArray).data.length;
    if (length !== size)
      throw new DataError(target, `${length} values were given for a box of ${size} in variable '${name}'`);
    if (isList !== (dtype === "string"))
      throw new DataError(target, `variable '${name}' holds ${dtype}, but ${isList ? "text" : "numbers"} were given`);
    if (isList) return values as readonly string[];
    const array = values as NdArray;
    if (array.dtype === dtype) return array.data;
    if (dtype === "int64" || dtype === "uint64") return TYPED_ARRAYS[dtype].from(Array.from(toNumbers(array), BigInt));
    return TYPED_ARRAYS[dtype as "float32"].from(toNumbers(array));
  }

  return {
    async write(name, selection, values) {
      if (done) throw new DataError(target, "it is closed; nothing more can be written");
      // one after the other, whoever calls: two writes may touch the same chunk
      const writing = last.then(() => write(name, selection, values));
      last = writing.catch(() => {});
      await writing.catch((error: Error) => {
        throw error instanceof DataError ? error : cannotWrite(target, error);
      });
    },
    async close() {
      if (done) return;
      done = true;
      try {
        await last;
        settleLengths(arrays, growing, target);
        for (const key of [...buffered.keys()]) await flush(key);
        await (zarrFormat === 3 ? writeMetadataV3 : writeMetadataV2)(store);
        await store.finish();
      } catch (error) {
        await store.discard();
        throw error instanceof DataError ? error : cannotWrite(target, error as Error);
      }
    },
    async abort() {
      if (done) return;
      done = true;
      buffered.clear();
      await store.discard();
    },
  };
}

/** All variables end at the same length of the growing dimension, or something was left out. */
function settleLengths(arrays: Map<string, OpenArray>, growing: string | undefined, target: string): void {
  if (growing === undefined) return;
  const having = [...arrays.values()].filter(({ template }) => template.dims.includes(growing));
  const lengths = having.map(({ template, shape }) => shape[template.dims.indexOf(growing)]);
  const longest = Math.max(0, ...lengths);
  having.forEach(({ name }, i) => {
    if (lengths[i] !== longest)
      throw new DataError(
        target,
        `variable '${name}' was written to ${growing} ${lengths[i]}, others to ${longest}; write every variable at every step`,
      );
  });
}

const range = (first: number, last: number): number[] =>
  Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => first + i);
const dot = (a: readonly number[], b: readonly number[]): number => a.reduce((sum, x, i) => sum + x * b[i], 0);
