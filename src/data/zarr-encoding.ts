/** How the chunks Foehn writes lie in their files: little-endian values or texts, compressed by zstd. */
import { registry } from "zarrita";
import { type DType, TYPED_ARRAYS, type TypedArray } from "../tensor/ndarray.js";
import { allocator } from "./blocks.js";
import "./zarr-codecs.js";

/** Never-written values: missing. */
export function emptyChunk(dtype: DType | "string", size: number): TypedArray | string[] {
  const data = allocator(dtype)(size);
  if (dtype === "float32" || dtype === "float64") (data as Float64Array).fill(NaN);
  return data;
}

/** Little-endian bytes; text as numcodecs' vlen-utf8 (count, then length and bytes of each). */
export function encodeChunk(data: TypedArray | string[]): Uint8Array {
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const texts = data.map((text) => new TextEncoder().encode(text));
  const out = new Uint8Array(4 + texts.reduce((sum, text) => sum + 4 + text.length, 0));
  const view = new DataView(out.buffer);
  view.setUint32(0, texts.length, true);
  let at = 4;
  for (const text of texts) {
    view.setUint32(at, text.length, true);
    out.set(text, at + 4);
    at += 4 + text.length;
  }
  return out;
}

export function decodeChunk(bytes: Uint8Array, dtype: DType | "string"): TypedArray | string[] {
  if (dtype !== "string") {
    const copy = bytes.slice();
    return new TYPED_ARRAYS[dtype](copy.buffer) as TypedArray;
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  let at = 4;
  return Array.from({ length: view.getUint32(0, true) }, () => {
    const length = view.getUint32(at, true);
    at += 4 + length;
    return new TextDecoder().decode(bytes.subarray(at - length, at));
  });
}

interface Compressor {
  encode(bytes: Uint8Array): Uint8Array | Promise<Uint8Array>;
  decode(bytes: Uint8Array): Uint8Array | Promise<Uint8Array>;
}

async function zstd(level: number): Promise<Compressor> {
  const Codec = (await registry.get("zstd")!()) as unknown as { fromConfig(config: { level: number }): Compressor };
  return Codec.fromConfig({ level });
}

export const compress = async (bytes: Uint8Array, level: number): Promise<Uint8Array> =>
  level > 0 ? (await zstd(level)).encode(bytes) : bytes;
export const decompress = async (bytes: Uint8Array, level: number): Promise<Uint8Array> =>
  level > 0 ? (await zstd(level)).decode(bytes) : bytes;
