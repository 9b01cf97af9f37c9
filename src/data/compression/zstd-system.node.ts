/**
 * The zstd library that the system has (`libzstd`, which Debian's and Red Hat's package managers themselves need), called
 * through koffi, an optional dependency. It is the one decoder that writes where it is told to: straight into the array
 * that is read, on Node's thread pool. A third of WebAssembly's time.
 */
import { createRequire } from "node:module";
import type * as Koffi from "koffi";
import type { ZstdDecoder } from "./zstd.js";

const LIBRARIES: Readonly<Partial<Record<NodeJS.Platform, readonly string[]>>> = {
  linux: ["libzstd.so.1"],
  darwin: ["/opt/homebrew/lib/libzstd.1.dylib", "/usr/local/lib/libzstd.1.dylib"],
};

/** Loads the library; undefined where it, or koffi, is not there. */
export function systemZstd(): ZstdDecoder | undefined {
  for (const name of LIBRARIES[process.platform] ?? [])
    try {
      const koffi = createRequire(import.meta.url)("koffi") as typeof Koffi;
      const decompress = koffi
        .load(name)
        .func("size_t ZSTD_decompress(uint8_t *to, size_t room, const uint8_t *from, size_t length)");
      return (bytes, bound, into) =>
        new Promise((resolve, reject) => {
          const out = into && into.length >= bound ? into : new Uint8Array(bound);
          decompress.async(out, out.length, bytes, bytes.length, (error: Error | null, size: number | bigint) => {
            // errors are the largest numbers (ZSTD_isError); that `bytes` is named here keeps them from being collected
            if (error || size > out.length)
              reject(error ?? new Error(`the zstd frame of ${bytes.length} bytes is damaged`));
            else resolve(out.subarray(0, Number(size)));
          });
        });
    } catch {
      continue;
    }
  return undefined;
}
