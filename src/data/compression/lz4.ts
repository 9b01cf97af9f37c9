/**
 * Decodes LZ4 blocks (lz4_Block_format.md) strictly: a block gives exactly the bytes that are asked of it, or an error.
 */

const damaged = (at: number): Error => new Error(`the LZ4 block is damaged at byte ${at}`);

/** Fills `out` from a block. Throws where the block holds fewer bytes, or more, or points before its beginning. */
export function decodeLz4(block: Uint8Array, out: Uint8Array): void {
  let [at, to] = [0, 0];
  /** A length that goes on in bytes of 255. */
  const longer = (nibble: number): number => {
    if (nibble < 15) return nibble;
    let length = nibble;
    for (let byte = 255; byte === 255;) {
      if (at >= block.length) throw damaged(at);
      length += byte = block[at++];
    }
    return length;
  };
  while (at < block.length) {
    const token = block[at++];
    const literals = longer(token >> 4);
    if (at + literals > block.length || to + literals > out.length) throw damaged(at);
    if (literals > 32) out.set(block.subarray(at, at + literals), to);
    else for (let i = 0; i < literals; i++) out[to + i] = block[at + i];
    at += literals;
    to += literals;
    if (at === block.length) break; // the last sequence has no match
    if (at + 2 > block.length) throw damaged(at);
    const distance = block[at] | (block[at + 1] << 8);
    at += 2;
    const length = longer(token & 15) + 4;
    if (distance === 0 || distance > to || to + length > out.length) throw damaged(at);
    copyMatch(out, to, distance, length);
    to += length;
  }
  if (to !== out.length) throw new Error(`the LZ4 block holds ${to} bytes instead of ${out.length}`);
}

/** Repeats what lies `distance` before; the two may overlap, which makes a pattern. */
export function copyMatch(out: Uint8Array, to: number, distance: number, length: number): void {
  if (distance >= length && length > 32) out.copyWithin(to, to - distance, to - distance + length);
  else if (distance === 1) out.fill(out[to - 1], to, to + length);
  else for (let i = to; i < to + length; i++) out[i] = out[i - distance];
}

/** No chunk is larger; a larger one is damage. */
const LARGEST = 2 ** 29;
/** The best that LZ4 can: a byte of 255 more. */
const BEST = 255;

/** numcodecs' LZ4: the decoded length in four bytes, then a block. */
export function decodeSizedLz4(bytes: Uint8Array): Uint8Array {
  if (bytes.length < 4) throw damaged(bytes.length);
  const size = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  if (size > LARGEST || size > BEST * bytes.length)
    throw new Error(`${bytes.length} bytes of LZ4 cannot hold the ${size} they promise`);
  const out = new Uint8Array(size);
  decodeLz4(bytes.subarray(4), out);
  return out;
}
