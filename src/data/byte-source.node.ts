/** A file on disk as a `ByteSource`. */
import { open } from "node:fs/promises";
import { DataError } from "../errors.js";
import type { ByteSource } from "./byte-source.js";

export interface FileSource extends ByteSource {
  close(): Promise<void>;
}

/** Opens a file for random reads; close it when done. Throws DataError where it cannot be opened. */
export async function openFileSource(path: string): Promise<FileSource> {
  const file = await open(path).catch((cause: unknown) => {
    throw new DataError(path, "the file cannot be opened; check the path and its permissions", { cause });
  });
  const { size } = await file.stat();
  return {
    size,
    async read(offset, length) {
      const bytes = new Uint8Array(Math.max(0, Math.min(length, size - offset)));
      let filled = 0;
      while (filled < bytes.length) {
        const { bytesRead } = await file.read(bytes, filled, bytes.length - filled, offset + filled);
        if (bytesRead === 0) break;
        filled += bytesRead;
      }
      return bytes.subarray(0, filled);
    },
    close: () => file.close(),
  };
}
