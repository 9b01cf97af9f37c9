/**
 * Where a reader's bytes come from: anything that knows its size and gives a range. A file on Node lives in
 * `byte-source.node.ts`, an address in `http.ts`; a browser wraps a `Blob` in the same two members.
 */

/**
 * Random access to bytes. `read` may give fewer bytes than asked only at the end of the source, and must not change bytes
 * it has given.
 */
export interface ByteSource {
  readonly size: number;
  read(offset: number, length: number): Promise<Uint8Array>;
}

/** A source over bytes in memory. No copy. */
export const memorySource = (bytes: Uint8Array): ByteSource => ({
  size: bytes.length,
  read: async (offset, length) => bytes.subarray(offset, offset + length),
});

/**
 * The same source read through one window: small reads that lie near each other cost one read of `window` bytes, which
 * is what walking over section headers needs.
 */
export function windowed(source: ByteSource, window = 16 * 1024): ByteSource {
  let start = 0;
  let bytes: Uint8Array = new Uint8Array(0);
  return {
    size: source.size,
    async read(offset, length) {
      const end = Math.min(offset + length, source.size);
      if (offset < start || end > start + bytes.length) {
        bytes = await source.read(offset, Math.min(Math.max(length, window), source.size - offset));
        start = offset;
      }
      return bytes.subarray(offset - start, Math.max(offset, end) - start);
    },
  };
}
