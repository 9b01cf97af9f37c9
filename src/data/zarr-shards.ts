/**
 * Shards: many chunks in one file with an index at its end (Zarr v3, `sharding_indexed` 1.0). The index holds, row by row
 * of chunks, where each begins and how long it is, as little-endian 64-bit numbers, and a CRC-32C of itself; a chunk that
 * is not there has all bits set.
 */
import { DataError } from "../errors.js";
import { type DType, sizeOf, stridesOf, type TypedArray } from "../tensor/ndarray.js";
import { copyBlock, product } from "./blocks.js";
import { bytesOf } from "./template.js";
import { compress, decodeChunk, decompress, emptyChunk, encodeChunk } from "./zarr-encoding.js";

const ABSENT = 2n ** 64n - 1n;

export interface ShardLayout {
  readonly dtype: DType;
  /** Lengths of a shard, whole multiples of the chunks'. */
  readonly shard: readonly number[];
  readonly chunk: readonly number[];
  /** Zstd's level; 0 is none. */
  readonly level: number;
}

/** CRC-32C (Castagnoli, reflected polynomial 0x82f63b78; RFC 3720, appendix B.4). */
export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (let i = 0; i < bytes.length; i++) {
    crc ^= bytes[i];
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0);
  }
  return (crc ^ 0xffffffff) >>> 0;
}

const chunkPositions = ({ shard, chunk }: ShardLayout): number[][] => [
  ...product(shard.map((n, axis) => Array.from({ length: n / chunk[axis] }, (_, i) => i))),
];

/** Copies a chunk out of a shard's values, or into them. */
function transfer(
  layout: ShardLayout,
  position: readonly number[],
  shard: TypedArray,
  chunk: TypedArray,
  into: boolean,
) {
  const strides = stridesOf(layout.shard);
  const offset = position.reduce((sum, p, axis) => sum + p * layout.chunk[axis] * strides[axis], 0);
  const outer = { data: shard, strides, offset };
  const inner = { data: chunk, strides: stridesOf(layout.chunk), offset: 0 };
  copyBlock(into ? inner : outer, into ? outer : inner, layout.chunk);
}

/** A shard's file. `used` says how far along each axis the array goes: chunks wholly beyond it are left out. */
export async function encodeShard(data: TypedArray, layout: ShardLayout, used: readonly number[]): Promise<Uint8Array> {
  const positions = chunkPositions(layout);
  const index = new Uint8Array(16 * positions.length + 4);
  const view = new DataView(index.buffer);
  const parts: Uint8Array[] = [];
  let at = 0;
  for (const [i, position] of positions.entries()) {
    if (position.some((p, axis) => p * layout.chunk[axis] >= used[axis])) {
      view.setBigUint64(16 * i, ABSENT, true);
      view.setBigUint64(16 * i + 8, ABSENT, true);
      continue;
    }
    const chunk = emptyChunk(layout.dtype, sizeOf(layout.chunk)) as TypedArray;
    transfer(layout, position, data, chunk, false);
    const packed = await compress(encodeChunk(chunk), layout.level);
    view.setBigUint64(16 * i, BigInt(at), true);
    view.setBigUint64(16 * i + 8, BigInt(packed.length), true);
    parts.push(packed);
    at += packed.length;
  }
  view.setUint32(index.length - 4, crc32c(index.subarray(0, index.length - 4)), true);
  const out = new Uint8Array(at + index.length);
  let to = 0;
  for (const part of [...parts, index]) {
    out.set(part, to);
    to += part.length;
  }
  return out;
}

/** The values of a shard's file. Throws DataError where its index is damaged. */
export async function decodeShard(bytes: Uint8Array, layout: ShardLayout, source: string): Promise<TypedArray> {
  const positions = chunkPositions(layout);
  const start = bytes.length - 16 * positions.length - 4;
  const index = bytes.subarray(Math.max(0, start));
  const view = new DataView(index.buffer, index.byteOffset, index.byteLength);
  if (start < 0 || view.getUint32(index.length - 4, true) !== crc32c(index.subarray(0, index.length - 4)))
    throw new DataError(source, "the index of a shard is damaged; write the store again");
  const out = emptyChunk(layout.dtype, sizeOf(layout.shard)) as TypedArray;
  for (const [i, position] of positions.entries()) {
    const offset = view.getBigUint64(16 * i, true);
    if (offset === ABSENT) continue;
    const from = Number(offset);
    const packed = bytes.subarray(from, from + Number(view.getBigUint64(16 * i + 8, true)));
    transfer(
      layout,
      position,
      out,
      decodeChunk(await decompress(packed, layout.level), layout.dtype) as TypedArray,
      true,
    );
  }
  return out;
}

/** Values in a shard's file, uncompressed. */
const SHARD_BYTES = 2 ** 25;
/** Arrays in more files than this are put into shards. */
const MANY_FILES = 2048;

/**
 * Shard lengths for an array whose chunks would lie in very many files, else undefined: whole chunks, last axes first, up
 * to 32 MiB.
 */
export function automaticShards(
  shape: readonly number[],
  chunk: readonly number[],
  dtype: DType | "string",
): number[] | undefined {
  const counts = shape.map((n, axis) => Math.max(1, Math.ceil(n / chunk[axis])));
  if (dtype === "string" || sizeOf(counts) <= MANY_FILES) return undefined;
  const shard = [...chunk];
  let room = Math.floor(SHARD_BYTES / (sizeOf(chunk) * bytesOf(dtype)));
  for (let axis = shard.length - 1; axis >= 0 && room > 1; axis--) {
    const times = Math.min(counts[axis], room);
    shard[axis] *= times;
    room = Math.floor(room / times);
  }
  return shard;
}
