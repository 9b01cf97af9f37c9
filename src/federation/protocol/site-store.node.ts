/** A site's own files, readable by its user alone. */
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import type { SiteStore } from "./site-store.js";

export function fileSiteStore(folder: string): SiteStore {
  const file = (name: string): string => path.join(folder, name);
  return {
    async get(name) {
      try {
        return await readFile(file(name));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
        throw error;
      }
    },
    async put(name, bytes) {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      await writeFile(`${file(name)}.part`, bytes, { mode: 0o600 });
      await rename(`${file(name)}.part`, file(name));
    },
    remove: (name) => rm(file(name), { force: true }),
  };
}
