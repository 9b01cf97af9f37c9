/**
 * Writes Zarr v3 (or v2) directories that xarray, zarr-python and zarrita open: zstd-compressed chunks, consolidated
 * metadata. The store lies beside its place until `close`, which puts it there in one step.
 *
 *     await writeZarr(dataset, "out.zarr");
 *
 *     const writer = await createZarr("sim.zarr", template, { growing: "time" });   // dims.time may be 0
 *     await writer.write("temperature", { time: 0 }, field);                         // any order, any box
 *     await writer.close();
 */
import { existsSync } from "node:fs";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
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
import type { Attributes, Dataset, Selection } from "./dataset.js";
import { resolveSelection } from "./dataset.js";
import { besidePath, cannotWrite, type Overwrite, takePlace } from "./files.node.js";
import { compress, decodeChunk, decompress, emptyChunk, encodeChunk } from "./zarr-codec.js";
import { type OpenArray, writeMetadataV2, writeMetadataV3 } from "./zarr-metadata.node.js";
import { bytesOf, chunkShape, pieces, type Template, templateOf } from "./template.js";

export interface ZarrWriteOptions {
  zarrFormat?: 2 | 3;
  /** zstd's level, 1 (fast) to 22; 0 leaves chunks uncompressed. */
  level?: number;
  /** Chunk lengths by dimension; -1 is the whole dimension. */
  chunks?: Readonly<Record<string, number>>;
  overwrite?: Overwrite;
}

export interface ZarrWriter {
  /** Writes a box of a variable: contiguous ranges or single indices; a growing dimension grows as needed. */
  write(name: string, selection: Selection, values: NdArray | readonly string[]): Promise<void>;
  /** Finishes metadata and puts the store in its place. */
  close(): Promise<void>;
  /** Removes what was written. */
  abort(): Promise<void>;
}

/** Values a copy holds at a time. */
const PIECE_VALUES = 2 ** 22;
/** Bytes of unfinished chunks kept in memory by a writer. */
const BUFFER_BYTES = 256 * 2 ** 20;

/** Writes a whole dataset, piece by piece. */
export async function writeZarr(dataset: Dataset, target: string, options: ZarrWriteOptions = {}): Promise<void> {
  const template = templateOf(dataset, options);
  const writer = await createZarr(target, template, options);
  try {
    for (const v of dataset.variables.values()) {
      const chunks = chunkShape(template.variables[v.name], dataset.dims);
      for (const selection of pieces(v, chunks, PIECE_VALUES))
        await writer.write(v.name, selection, v.readStrings ? await v.readStrings(selection) : await v.read(selection));
    }
    await writer.close();
  } catch (error) {
    await writer.abort();
    throw error;
  }
}

/** A store to be filled piece by piece; `growing` names the dimension whose length is not known before. */
export async function createZarr(
  target: string,
  template: Template,
  options: ZarrWriteOptions & { growing?: string } = {},
): Promise<ZarrWriter> {
  const { zarrFormat = 3, level = 1, overwrite, growing } = options;
  const root = await besidePath(target, { overwrite });
  await mkdir(root).catch((cause: Error) => cannotWrite(target, cause));
  const arrays = new Map<string, OpenArray>();
  for (const [name, v] of Object.entries(template.variables))
    arrays.set(name, {
      name,
      template: v,
      folder: path.join(root, name),
      shape: v.dims.map((dim) => lengthOf(dim, template.dims, name, target)),
      chunks: chunkShape(v, template.dims),
    });
  return zarrWriter({
    root,
    target,
    arrays,
    attrs: template.attrs ?? {},
    growing,
    zarrFormat,
    level,
    finish: () => takePlace(root, target, isZarrDirectory),
    discard: () => rm(root, { recursive: true, force: true }),
  });
}

/**
 * Goes on writing to a store that `createZarr` made, along one dimension. Readers see the old length until `close`, which
 * replaces the metadata last; a killed process leaves the store as it was.
 */
export async function appendZarr(target: string, growing: string): Promise<ZarrWriter> {
  const text = await readFile(path.join(target, "zarr.json"), "utf8").catch((cause: Error) => {
    throw new DataError(target, "there is no Zarr v3 store of Foehn's here to append to; write it first", { cause });
  });
  const meta = JSON.parse(text) as {
    attributes: Attributes;
    consolidated_metadata?: { metadata: Record<string, ArrayMetadata> };
  };
  const arrays = new Map<string, OpenArray>();
  let level = 0;
  for (const [name, array] of Object.entries(meta.consolidated_metadata?.metadata ?? {})) {
    if (!array.shape) continue; // a group
    level = array.codecs.find((codec) => codec.name === "zstd")?.configuration?.level ?? 0;
    arrays.set(name, {
      name,
      template: { dims: array.dimension_names, dtype: array.data_type, attrs: array.attributes },
      folder: path.join(target, name),
      shape: [...array.shape],
      chunks: array.chunk_grid.configuration.chunk_shape,
    });
  }
  if (![...arrays.values()].some(({ template }) => template.dims.includes(growing)))
    throw new DataError(target, `no variable has a dimension '${growing}' to append along`);
  return zarrWriter({
    root: target,
    target,
    arrays,
    attrs: meta.attributes,
    growing,
    zarrFormat: 3,
    level,
    finish: async () => {},
    discard: async () => {},
  });
}

export const isZarrDirectory = (directory: string): boolean =>
  ["zarr.json", ".zgroup", ".zarray", ".zmetadata"].some((name) => existsSync(path.join(directory, name)));

interface ArrayMetadata {
  shape: number[];
  data_type: DType | "string";
  dimension_names: string[];
  attributes: Attributes;
  chunk_grid: { configuration: { chunk_shape: number[] } };
  codecs: { name: string; configuration?: { level?: number } }[];
}

function lengthOf(dim: string, dims: Readonly<Record<string, number>>, name: string, target: string): number {
  if (dims[dim] === undefined)
    throw new DataError(target, `variable '${name}' has dimension '${dim}', whose length is not given`);
  return dims[dim];
}

interface Buffered {
  array: OpenArray;
  coordinates: number[];
  data: TypedArray | string[];
  written: number;
  bytes: number;
}

function zarrWriter(store: {
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

  async function flush(key: string): Promise<void> {
    const { array, coordinates, data, bytes } = buffered.get(key)!;
    buffered.delete(key);
    bufferedBytes -= bytes;
    const file = fileOf(array, coordinates);
    const packed = await compress(encodeChunk(data), level);
    await mkdir(path.dirname(file), { recursive: true });
    const beside = `${file}.partial`;
    await writeFile(beside, packed);
    await rename(beside, file);
  }

  async function chunkAt(array: OpenArray, coordinates: number[]): Promise<Buffered> {
    const key = `${array.name}:${coordinates.join(".")}`;
    const open = buffered.get(key);
    if (open) return open;
    const size = sizeOf(array.chunks);
    const { dtype } = array.template;
    const stored = await readFile(fileOf(array, coordinates)).catch(() => undefined);
    const data = stored ? decodeChunk(await decompress(stored, level), dtype) : emptyChunk(dtype, size);
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
    const toStrides = stridesOf(array.chunks);
    const along = start.map((from, axis) =>
      range(Math.floor(from / array.chunks[axis]), Math.floor((from + count[axis] - 1) / array.chunks[axis])),
    );
    if (count.some((n) => n === 0)) return;
    for (const coordinates of product(along.length ? along : [[0]])) {
      const at = dims.length ? coordinates : [];
      const chunk = await chunkAt(array, at);
      const low = at.map((c, axis) => Math.max(start[axis], c * array.chunks[axis]));
      const high = at.map((c, axis) => Math.min(start[axis] + count[axis], (c + 1) * array.chunks[axis]));
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
            low.map((from, axis) => from - at[axis] * array.chunks[axis]),
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
  const expectedIn = ({ template, shape, chunks }: OpenArray, coordinates: readonly number[]): number =>
    sizeOf(
      coordinates.map((c, axis) =>
        template.dims[axis] === growing ? chunks[axis] : Math.min(chunks[axis], shape[axis] - c * chunks[axis]),
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
