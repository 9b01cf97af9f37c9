/**
 * Decodes zstd (RFC 8878) for every reader of Zarr: zarrita's own codec copies byte by byte between JavaScript and
 * WebAssembly and takes two to four times as long. Importing this module puts the codec into zarrita's registry.
 *
 * The decoder is zstddec (WebAssembly) unless a faster one is set (`zstd.node.ts`). What it refuses, and frames that do not
 * say their size, zarrita's codec has the last word on.
 */
import { registry } from "zarrita";
import { ZSTDDecoder } from "zstddec";

/** Decodes a frame that says it holds `size` bytes. */
export type ZstdDecoder = (bytes: Uint8Array, size: number) => Promise<Uint8Array>;

/** Frames that say they hold more are left to the codec that grows its output as it goes. */
const LARGEST = 2 ** 29;

let wasm: Promise<ZSTDDecoder> | undefined;

/** One frame through zstddec on this thread. Throws where the frame is damaged. */
export async function decodeInline(bytes: Uint8Array, size: number): Promise<Uint8Array> {
  wasm ??= (async () => {
    const decoder = new ZSTDDecoder();
    await decoder.init();
    return decoder;
  })();
  const out = (await wasm).decode(bytes, size);
  if (out.length !== size) throw new Error(`the frame says it holds ${size} bytes, but they cannot be decoded`);
  return out;
}

let decoder: ZstdDecoder = decodeInline;

/** Has zstd decoded by another decoder from now on. */
export function setZstdDecoder(other: ZstdDecoder): void {
  decoder = other;
}

/** The decoded size that a frame's header says; undefined where it does not, or where there is no frame. */
export function frameContentSize(bytes: Uint8Array): number | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 6 || view.getUint32(0, true) !== 0xfd2fb528) return undefined;
  const descriptor = bytes[4];
  const single = (descriptor >> 5) & 1;
  const at = 5 + (single ? 0 : 1) + [0, 1, 2, 4][descriptor & 3];
  const width = [single, 2, 4, 8][descriptor >> 6];
  if (width === 0 || bytes.length < at + width) return undefined;
  if (width === 1) return view.getUint8(at);
  if (width === 2) return view.getUint16(at, true) + 256;
  return width === 4 ? view.getUint32(at, true) : Number(view.getBigUint64(at, true));
}

interface Codec {
  encode(bytes: Uint8Array): Promise<Uint8Array>;
  decode(bytes: Uint8Array): Promise<Uint8Array>;
}

/** zarrita's own, as it was registered before this module. */
const theirs = registry.get("zstd")!;

class ZstdCodec implements Codec {
  readonly kind = "bytes_to_bytes";
  readonly #configuration: unknown;
  constructor(configuration: unknown) {
    this.#configuration = configuration;
  }
  static fromConfig(configuration: unknown): ZstdCodec {
    return new ZstdCodec(configuration);
  }
  async #theirs(): Promise<Codec> {
    const entry = (await theirs()) as unknown as { fromConfig(configuration: unknown): Codec };
    return entry.fromConfig(this.#configuration);
  }
  async encode(bytes: Uint8Array): Promise<Uint8Array> {
    return (await this.#theirs()).encode(bytes);
  }
  async decode(bytes: Uint8Array): Promise<Uint8Array> {
    const size = frameContentSize(bytes);
    if (size === undefined || size === 0 || size > LARGEST) return (await this.#theirs()).decode(bytes);
    return decoder(bytes, size).catch(async () => (await this.#theirs()).decode(bytes));
  }
}

for (const name of ["zstd", "numcodecs.zstd"])
  registry.set(name, () => Promise.resolve(ZstdCodec as unknown as Awaited<ReturnType<typeof theirs>>));
