/** What a site keeps for itself between rounds and across restarts: its identity, its memories, an update not yet decided on. */

export interface SiteStore {
  get(name: string): Promise<Uint8Array | undefined>;
  /** Whole or not at all. */
  put(name: string, bytes: Uint8Array): Promise<void>;
  remove(name: string): Promise<void>;
}

/** For simulations: gone with the process. */
export function memorySiteStore(): SiteStore {
  const held = new Map<string, Uint8Array>();
  return {
    get: async (name) => held.get(name),
    put: async (name, bytes) => void held.set(name, bytes.slice()),
    remove: async (name) => void held.delete(name),
  };
}
