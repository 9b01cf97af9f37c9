/** Reads boxes out of a Zarr array's chunks, keeping the decoded chunks used last. */
import type * as zarr from "zarrita";
import { DataError } from "../errors.js";
import { type DType, stridesOf, type TypedArray } from "../tensor/ndarray.js";
import { allocator, type Block, copyBlock, product } from "./blocks.js";
import type { DirectChunks } from "./zarr-direct.js";

/** One decoded chunk, its strides in elements. */
interface Chunk {
  data: TypedArray | string[];
  shape: readonly number[];
  strides: readonly number[];
}

export interface ChunkCache {
  get(array: object, key: string): Promise<Chunk> | undefined;
  set(array: object, key: string, chunk: Promise<Chunk>, bytes: number): void;
}

/** Keeps the chunks used last, up to a number of bytes. */
export function chunkCache(limit: number): ChunkCache {
  const ids = new Map<object, number>();
  const kept = new Map<string, { chunk: Promise<Chunk>; bytes: number }>();
  let total = 0;
  const idOf = (array: object): number => {
    if (!ids.has(array)) ids.set(array, ids.size);
    return ids.get(array)!;
  };
  return {
    get(array, key) {
      const id = `${idOf(array)}:${key}`;
      const hit = kept.get(id);
      if (!hit) return undefined;
      kept.delete(id);
      kept.set(id, hit);
      return hit.chunk;
    },
    set(array, key, chunk, bytes) {
      if (bytes > limit) return;
      const id = `${idOf(array)}:${key}`;
      kept.set(id, { chunk, bytes });
      total += bytes;
      chunk.catch(() => kept.delete(id));
      for (const [oldest, { bytes: size }] of kept) {
        if (total <= limit) break;
        kept.delete(oldest);
        total -= size;
      }
    },
  };
}

interface Context {
  readonly name: string;
  readonly source: string;
  readonly cache: ChunkCache;
  /** How whole chunks are decoded where they are wanted, if they lie as plainly as that. */
  readonly direct?: DirectChunks;
}

/** Reads a block chunk by chunk; a few chunks are under way at once. */
export async function readChunks(
  array: zarr.Array<zarr.DataType>,
  { start, count }: Block,
  dtype: DType | "string",
  context: Context,
): Promise<TypedArray | string[]> {
  const { chunks } = array;
  const { direct } = context;
  const out = allocator(dtype)(count.reduce((a, b) => a * b, 1));
  const outStrides = stridesOf(count);
  const along = start.map((from, axis) => {
    const first = Math.floor(from / chunks[axis]);
    const last = Math.floor((from + count[axis] - 1) / chunks[axis]);
    return Array.from({ length: last - first + 1 }, (_, i) => first + i);
  });
  const sum = (terms: number[]): number => terms.reduce((a, b) => a + b, 0);
  const values = chunks.reduce((a, b) => a * b, 1);
  // chunks whose values follow one another in the output as they do in the file
  const chunkStrides = stridesOf(chunks);
  const inOrder = chunks.every((n, axis) => n === 1 || chunkStrides[axis] === outStrides[axis]);
  const several = along.some((list) => list.length > 1);
  const place = async (coordinates: number[]): Promise<void> => {
    const low = coordinates.map((c, axis) => Math.max(start[axis], c * chunks[axis]));
    const high = coordinates.map((c, axis) => Math.min(start[axis] + count[axis], (c + 1) * chunks[axis]));
    const offset = sum(low.map((at, axis) => (at - start[axis]) * outStrides[axis]));
    // one chunk alone may be asked for again, and goes through the cache
    if (direct && several && inOrder && low.every((at, axis) => high[axis] - at === chunks[axis])) {
      const room = out as TypedArray;
      const width = room.BYTES_PER_ELEMENT;
      if (await direct(coordinates, new Uint8Array(room.buffer, offset * width, values * width))) return;
    }
    const chunk = await fetchChunk(array, coordinates, context);
    copyBlock(
      {
        data: chunk.data,
        strides: chunk.strides,
        offset: sum(low.map((at, axis) => (at - coordinates[axis] * chunks[axis]) * chunk.strides[axis])),
      },
      { data: out, strides: outStrides, offset },
      low.map((at, axis) => high[axis] - at),
    );
  };
  const pending = new Set<Promise<void>>();
  for (const coordinates of product(along)) {
    const task: Promise<void> = place(coordinates).finally(() => pending.delete(task));
    task.catch(() => {});
    pending.add(task);
    if (pending.size >= 8) await Promise.race(pending);
  }
  await Promise.all(pending);
  return out;
}

async function fetchChunk(
  array: zarr.Array<zarr.DataType>,
  coordinates: number[],
  { name, source, cache }: Context,
): Promise<Chunk> {
  const key = coordinates.join(".");
  const hit = cache.get(array, key);
  if (hit) return hit;
  const expected = array.chunks.reduce((a, b) => a * b, 1);
  const loading = array.getChunk(coordinates).then(
    ({ data, shape, stride }): Chunk => {
      const isText = typeof data !== "object" || !ArrayBuffer.isView(data);
      const values = isText ? textOf(data) : (data as unknown as TypedArray);
      if (values.length < expected)
        throw new DataError(
          source,
          `chunk ${key} of '${name}' holds ${values.length} values instead of ${expected}; the file is damaged, copy it again`,
        );
      return { data: values, shape, strides: stride };
    },
    (cause: Error) => {
      const inner = cause.cause instanceof Error ? `${cause.message}: ${cause.cause.message}` : cause.message;
      throw new DataError(
        source,
        `chunk ${key} of '${name}' cannot be decoded (${inner}); the file is damaged or uses an unknown codec`,
        { cause },
      );
    },
  );
  const chunk = await loading;
  const bytes = ArrayBuffer.isView(chunk.data) ? chunk.data.byteLength : 64 * chunk.data.length;
  cache.set(array, key, loading, bytes);
  return chunk;
}

/** zarrita's boolean, fixed-width text and object arrays as plain ones. */
function textOf(data: unknown): TypedArray | string[] {
  const iterable = data as Iterable<unknown> & { constructor: { name: string } };
  if (iterable.constructor.name === "BoolArray") return Uint8Array.from(iterable, (v) => (v ? 1 : 0));
  return Array.from(iterable, (value) =>
    typeof value === "string" ? value.replace(/\0+$/, "") : (JSON.stringify(value) ?? ""),
  );
}
