/** Where the hub keeps the decoded updates of a round until they are aggregated. */
import { memoryRows, type Rows } from "../aggregate/rows.js";

export interface RowStore {
  add(name: string, values: Float32Array): Promise<void>;
  has(name: string): boolean;
  /** The named rows, in order; `close` when done. */
  open(names: readonly string[]): Promise<Rows & { close(): Promise<void> }>;
  /** Drops all but the named. */
  keep(names: readonly string[]): Promise<void>;
}

/** In memory: for small models or few sites. */
export function memoryRowStore(): RowStore {
  const held = new Map<string, Float32Array>();
  return {
    add: async (name, values) => void held.set(name, values),
    has: (name) => held.has(name),
    open: async (names) => ({ ...memoryRows(names.map((name) => held.get(name)!)), close: async () => undefined }),
    async keep(names) {
      for (const name of [...held.keys()]) if (!names.includes(name)) held.delete(name);
    },
  };
}
