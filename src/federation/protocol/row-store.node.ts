/** Decoded updates on disk: a round larger than memory. */
import { rm } from "node:fs/promises";
import { fileRows, writeRow } from "../aggregate/file-rows.node.js";
import type { RowStore } from "./row-store.js";

/** Rows as files in `folder`, which belongs to this hub alone. */
export function fileRowStore(folder: string): RowStore {
  const held = new Map<string, { file: string; length: number }>();
  return {
    async add(name, values) {
      held.set(name, { file: await writeRow(folder, name, values), length: values.length });
    },
    has: (name) => held.has(name),
    open: (names) => {
      const rows = names.map((name) => held.get(name)!);
      return fileRows(
        rows.map(({ file }) => file),
        rows[0].length,
      );
    },
    async keep(names) {
      for (const [name, { file }] of [...held])
        if (!names.includes(name)) {
          await rm(file, { force: true });
          held.delete(name);
        }
    },
  };
}
