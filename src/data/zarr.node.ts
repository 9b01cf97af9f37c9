/** Zarr stores on a local disk: directories. */
import { open, readdir } from "node:fs/promises";
import path from "node:path";
import type { Dataset } from "./dataset.js";
import { openZarr, type ZarrStore } from "./zarr.js";
import "./compression/zstd.node.js";

/** A directory as a Zarr store. */
export function directoryStore(root: string): ZarrStore {
  const absent = (error: NodeJS.ErrnoException): undefined => {
    if (error.code === "ENOENT" || error.code === "ENOTDIR") return undefined;
    throw error;
  };
  return {
    async get(key) {
      // in one piece: readFile takes a pass through the thread pool for every 512 KiB
      const file = await open(path.join(root, key)).catch(absent);
      if (!file) return undefined;
      try {
        const { size } = await file.stat();
        const bytes = Buffer.allocUnsafeSlow(size);
        let at = 0;
        while (at < size) {
          const { bytesRead } = await file.read(bytes, at, size - at, at);
          if (bytesRead === 0) break;
          at += bytesRead;
        }
        return bytes.subarray(0, at);
      } catch (error) {
        return absent(error as NodeJS.ErrnoException);
      } finally {
        await file.close();
      }
    },
    async getRange(key, range) {
      const file = await open(path.join(root, key)).catch(absent);
      if (!file) return undefined;
      try {
        const { size } = await file.stat();
        const offset = "offset" in range ? range.offset : Math.max(0, size - range.suffixLength);
        const length = "offset" in range ? range.length : Math.min(size, range.suffixLength);
        const bytes = new Uint8Array(Math.max(0, Math.min(length, size - offset)));
        await file.read(bytes, 0, bytes.length, offset);
        return bytes;
      } finally {
        await file.close();
      }
    },
  };
}

/** Opens a Zarr directory, consolidated or not. */
export const openZarrDirectory = (
  root: string,
  options: { source?: string; cacheBytes?: number } = {},
): Promise<Dataset> =>
  openZarr(directoryStore(root), {
    source: options.source ?? root,
    cacheBytes: options.cacheBytes,
    list: async (below) => {
      const entries = await readdir(path.join(root, below), { withFileTypes: true });
      return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
    },
  });
