/** Decodes zstd (RFC 8878): by zstddec (WebAssembly) unless a faster decoder is set (`zstd.node.ts`). */
import { ZSTDDecoder } from "zstddec";

/**
 * Decodes frames that hold at most `bound` bytes, into `into` where it is given and has that room. Gives the bytes decoded;
 * throws where the frames are damaged.
 */
export type ZstdDecoder = (bytes: Uint8Array, bound: number, into?: Uint8Array) => Promise<Uint8Array>;

/** Frames that may hold more are refused rather than allocated. */
const LARGEST = 2 ** 29;
/** No block of a frame holds more (RFC 8878, 3.1.1.2.4). */
const LARGEST_BLOCK = 2 ** 17;

let wasm: Promise<ZSTDDecoder> | undefined;

/** Decodes through zstddec on this thread. */
export const decodeInline: ZstdDecoder = async (bytes, bound, into) => {
  wasm ??= (async () => {
    const decoder = new ZSTDDecoder();
    await decoder.init();
    return decoder;
  })();
  // where the C library refuses, zstddec gives nothing
  const out = (await wasm).decode(bytes, bound);
  if (out.length === 0 && bound > 0) throw new Error("the zstd frame is damaged");
  return placed(out, into);
};

/** Decoded bytes where they were asked for. */
export function placed(out: Uint8Array, into: Uint8Array | undefined): Uint8Array {
  if (!into || out.length > into.length) return out;
  into.set(out);
  return into.subarray(0, out.length);
}

let decoder: ZstdDecoder = decodeInline;

/** Has zstd decoded by another decoder from now on. */
export function setZstdDecoder(other: ZstdDecoder): void {
  decoder = other;
}

/** Decodes zstd frames that follow one another. Throws where they are damaged, cut off, or hold more than 512 MiB. */
export async function decodeZstd(bytes: Uint8Array, into?: Uint8Array): Promise<Uint8Array> {
  const bound = decodedBound(bytes);
  if (bound > LARGEST) throw new Error(`the zstd frame says it holds ${bound} bytes, more than ${LARGEST}`);
  return bound === 0 ? new Uint8Array(0) : decoder(bytes, bound, into);
}

/**
 * The most bytes that frames hold: what their headers say, or what their blocks can hold. Throws where the bytes are no
 * frames, or end inside one.
 */
export function decodedBound(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  let bound = 0;
  const take = (count: number): number => {
    if (at + count > bytes.length) throw new Error(`the zstd frame is cut off at byte ${bytes.length}`);
    at += count;
    return at - count;
  };
  while (at < bytes.length) {
    const magic = view.getUint32(take(4), true);
    if ((magic & 0xfffffff0) >>> 0 === 0x184d2a50) {
      take(view.getUint32(take(4), true)); // a frame to skip
      continue;
    }
    if (magic !== 0xfd2fb528) throw new Error(`there is no zstd frame at byte ${at - 4}`);
    const descriptor = bytes[take(1)];
    const single = (descriptor >> 5) & 1;
    take((single ? 0 : 1) + [0, 1, 2, 4][descriptor & 3]);
    const width = [single, 2, 4, 8][descriptor >> 6];
    const size = take(width);
    const said =
      width === 1
        ? view.getUint8(size)
        : width === 2
          ? view.getUint16(size, true) + 256
          : width === 4
            ? view.getUint32(size, true)
            : width === 8
              ? Number(view.getBigUint64(size, true))
              : undefined;
    let held = 0;
    for (let last = false; !last;) {
      const header = bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16);
      take(3);
      last = (header & 1) === 1;
      const [kind, length] = [(header >> 1) & 3, header >> 3];
      take(kind === 1 ? 1 : length); // a run is one byte
      held += kind === 2 ? LARGEST_BLOCK : length;
    }
    take(descriptor & 4); // a checksum
    bound += said ?? held;
  }
  return bound;
}
