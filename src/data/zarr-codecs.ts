/**
 * Foehn's decoders of zstd, LZ4 and Blosc in zarrita's registry; importing this module puts them there. zarrita's own run
 * in numcodecs' WebAssembly, which copies byte by byte between JavaScript and its memory, and whose memory a damaged chunk
 * spoils for every chunk after it. Encoding is left to them.
 */
import { registry } from "zarrita";
import { decodeBlosc } from "./compression/blosc.js";
import { decodeSizedLz4 } from "./compression/lz4.js";
import { decodeZstd } from "./compression/zstd.js";

interface Codec {
  encode(bytes: Uint8Array): Promise<Uint8Array>;
  decode(bytes: Uint8Array): Promise<Uint8Array>;
}
interface CodecClass {
  fromConfig(configuration: unknown): Codec;
}

function replaceDecoder(name: string, decode: (bytes: Uint8Array) => Promise<Uint8Array>): void {
  const theirs = registry.get(name)! as unknown as () => Promise<CodecClass>;
  const ours: CodecClass = {
    fromConfig: (configuration) => ({
      ...{ kind: "bytes_to_bytes" },
      encode: async (bytes) => (await theirs()).fromConfig(configuration).encode(bytes),
      decode,
    }),
  };
  const entry = (): Promise<CodecClass> => Promise.resolve(ours);
  for (const each of [name, `numcodecs.${name}`])
    registry.set(each, entry as unknown as NonNullable<ReturnType<typeof registry.get>>);
}

replaceDecoder("zstd", (bytes) => decodeZstd(bytes));
replaceDecoder("lz4", async (bytes) => decodeSizedLz4(bytes));
replaceDecoder("blosc", (bytes) => decodeBlosc(bytes));
