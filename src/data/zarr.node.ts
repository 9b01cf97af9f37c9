/** Zarr stores on a local disk: directories. */
import { open, readdir, readFile } from "node:fs/promises";
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
    get: (key) => readFile(path.join(root, key)).catch(absent),
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
