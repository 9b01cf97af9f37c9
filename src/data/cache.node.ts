/**
 * A cache on disk for what comes over the network: every entry ends in the SHA-256 of its content, so that a damaged or
 * half-written one is noticed and fetched again; the entries used longest ago make room.
 *
 *     const cache = diskCache("~/.cache/foehn", { limit: 10e9 });
 *     await openDataset("wb2:era5-64x32", { http: { cache } });
 */
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import path from "node:path";
import type { ByteCache } from "./http.js";

const DIGEST_BYTES = 32;
const sha256 = (bytes: Uint8Array | string): Buffer => createHash("sha256").update(bytes).digest();

/** A cache in a folder of its own; `limit` bytes, 20 GB unless told. */
export function diskCache(folder: string, options: { limit?: number } = {}): ByteCache {
  const { limit = 20e9 } = options;
  let total: number | undefined;
  let serial = 0;
  const fileOf = (key: string): string => {
    const name = sha256(key).toString("hex");
    return path.join(folder, name.slice(0, 2), name);
  };

  async function entries(): Promise<{ file: string; size: number; used: number }[]> {
    const names = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
    const files = names
      .filter((entry) => entry.isFile())
      .map((entry) => path.join(entry.parentPath ?? entry.path, entry.name));
    const found = await Promise.all(
      files.map(async (file) => {
        const about = await stat(file).catch(() => undefined);
        return about && { file, size: about.size, used: about.mtimeMs };
      }),
    );
    return found.filter((entry) => entry !== undefined);
  }

  return {
    async get(key) {
      const file = fileOf(key);
      const bytes = await readFile(file).catch(() => undefined);
      if (!bytes) return undefined;
      const content = bytes.subarray(0, Math.max(0, bytes.length - DIGEST_BYTES));
      if (!sha256(content).equals(bytes.subarray(content.length))) {
        await rm(file, { force: true });
        return undefined;
      }
      const now = new Date();
      await utimes(file, now, now).catch(() => {});
      return new Uint8Array(content);
    },
    async put(key, bytes) {
      const file = fileOf(key);
      await mkdir(path.dirname(file), { recursive: true });
      const beside = `${file}.${process.pid}.${serial++}`;
      await writeFile(beside, Buffer.concat([bytes, sha256(bytes)]));
      await rename(beside, file);
      total ??= (await entries()).reduce((sum, { size }) => sum + size, 0) - bytes.length - DIGEST_BYTES;
      total += bytes.length + DIGEST_BYTES;
      if (total <= limit) return;
      for (const { file: old, size } of (await entries()).sort((a, b) => a.used - b.used)) {
        if (total <= limit) break;
        await rm(old, { force: true });
        total -= size;
      }
    },
  };
}
