/** zlib (RFC 1950) through the platform, and never further than the size that is promised. */

/** Inflates to exactly `size` bytes. Throws where the stream is damaged, holds fewer, or more before more are kept. */
export async function inflate(parts: readonly Uint8Array[], size: number): Promise<Uint8Array> {
  const blob = new Blob(parts as Uint8Array<ArrayBuffer>[]);
  const reader = blob.stream().pipeThrough(new DecompressionStream("deflate")).getReader();
  const out = new Uint8Array(size);
  let filled = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      if (filled + value.length > size) throw new SizeError(`it inflates to more than its ${size} bytes`);
      out.set(value, filled);
      filled += value.length;
    }
  } catch (cause) {
    await reader.cancel().catch(() => {});
    throw cause instanceof SizeError ? cause : new Error("it cannot be inflated; it is damaged", { cause });
  }
  if (filled < size) throw new SizeError(`it inflates to ${filled} bytes instead of ${size}`);
  return out;
}

class SizeError extends Error {}
