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
  readonly kind: "bytes_to_bytes";
  encode(bytes: Uint8Array): Promise<Uint8Array>;
  decode(bytes: Uint8Array): Promise<Uint8Array>;
}
interface CodecClass {
  fromConfig(configuration: unknown): Codec;
}

function replaceDecoder(name: string, decode: Codec["decode"]): void {
  const theirs = registry.get(name)!;
  const ours: CodecClass = {
    fromConfig: (configuration) => ({
      kind: "bytes_to_bytes",
      encode: async (bytes) => ((await theirs()) as unknown as CodecClass).fromConfig(configuration).encode(bytes),
      decode,
    }),
  };
  for (const each of [name, `numcodecs.${name}`]) registry.set(each, () => Promise.resolve(ours));
}

replaceDecoder("zstd", (bytes) => decodeZstd(bytes));
replaceDecoder("lz4", async (bytes) => decodeSizedLz4(bytes));
replaceDecoder("blosc", (bytes) => decodeBlosc(bytes));
