/**
 * Decodes Blosc 1 chunks (c-blosc's README_CHUNK_FORMAT): blocks that are shuffled by bytes or bits, then compressed whole
 * or one part for each byte of a value, by BloscLZ, LZ4, Snappy, zlib or zstd.
 */
import { snappyUncompress } from "hyparquet";
import { inflate } from "./inflate.js";
import { copyMatch, decodeLz4 } from "./lz4.js";
import { decodeZstd } from "./zstd.js";

/** Flags of a chunk's third byte; its upper three bits are the compressor. */
const [SHUFFLED, COPIED, BIT_SHUFFLED, UNDIVIDED] = [1, 2, 4, 16];
/** No chunk is larger; a larger one is damage. */
const LARGEST = 2 ** 29;
const HEADER = 16;

/** The bytes of a chunk. Throws where it is damaged, cut off, or promises more than 512 MiB. */
export async function decodeBlosc(chunk: Uint8Array, into?: Uint8Array): Promise<Uint8Array> {
  if (chunk.length < HEADER) throw new Error(`the Blosc chunk ends at byte ${chunk.length}, inside its header`);
  const view = new DataView(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  const flags = chunk[2];
  const width = Math.max(1, chunk[3]);
  const [size, blockSize, packed] = [4, 8, 12].map((at) => view.getUint32(at, true));
  if (chunk[0] > 2) throw new Error(`it is Blosc of version ${chunk[0]}; version 2, that of Blosc 1, is read`);
  if (packed > chunk.length) throw new Error(`the Blosc chunk ends at byte ${chunk.length} of ${packed}`);
  const copied = (flags & COPIED) !== 0;
  const blocks = size === 0 ? 0 : Math.ceil(size / blockSize);
  if (size > LARGEST || (copied ? HEADER + size : HEADER + 4 * blocks) > chunk.length)
    throw new Error(`${chunk.length} bytes of Blosc cannot hold the ${size} they promise`);
  const out = into?.length === size ? into : new Uint8Array(size);
  if (copied) {
    out.set(chunk.subarray(HEADER, HEADER + size));
    return out;
  }
  const decode = COMPRESSORS[flags >> 5];
  if (!decode) throw new Error(`Blosc's compressor ${flags >> 5} is not known`);
  const shuffled = width > 1 && (flags & SHUFFLED) !== 0;
  const bitShuffled = (flags & BIT_SHUFFLED) !== 0 && blockSize >= width;
  const buffer = shuffled || bitShuffled ? new Uint8Array(Math.min(blockSize, size)) : undefined;
  for (let block = 0; block < blocks; block++) {
    const target = out.subarray(block * blockSize, Math.min(size, (block + 1) * blockSize));
    const values = buffer?.subarray(0, target.length) ?? target;
    const divided = (flags & UNDIVIDED) === 0 && target.length === blockSize;
    await readBlock(chunk, view.getUint32(HEADER + 4 * block, true), values, divided ? width : 1, decode);
    if (shuffled) unshuffle(values, target, width);
    else if (bitShuffled) bitUnshuffle(values, target, width);
  }
  return out;
}

/** The parts of a block, each after its length; a part as long as what it holds is not compressed. */
async function readBlock(
  chunk: Uint8Array,
  start: number,
  out: Uint8Array,
  parts: number,
  decode: Decode,
): Promise<void> {
  const view = new DataView(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  const length = Math.floor(out.length / parts);
  if (length * parts !== out.length) throw new Error(`a block of ${out.length} bytes is not ${parts} parts`);
  let at = start;
  for (let part = 0; part < parts; part++) {
    const packed = at + 4 <= chunk.length ? view.getUint32(at, true) : Infinity;
    at += 4;
    if (at + packed > chunk.length) throw new Error(`the Blosc chunk is damaged at byte ${Math.min(at, chunk.length)}`);
    const from = chunk.subarray(at, at + packed);
    const to = out.subarray(part * length, (part + 1) * length);
    if (packed === length) to.set(from);
    else await decode(from, to);
    at += packed;
  }
}

/** Fills `to`, or throws. */
type Decode = (from: Uint8Array, to: Uint8Array) => void | Promise<void>;

/** By their numbers in the header. */
const COMPRESSORS: readonly (Decode | undefined)[] = [
  decodeBloscLz,
  decodeLz4,
  (from, to) => snappyUncompress(from, to),
  async (from, to) => to.set(await inflate([from], to.length)),
  async (from, to) => {
    const out = await decodeZstd(from, to);
    if (out.length !== to.length) throw new Error(`a zstd frame holds ${out.length} bytes instead of ${to.length}`);
    if (out.buffer !== to.buffer) to.set(out);
  },
];

/** The farthest that a match of BloscLZ reaches in its short form. */
const FAR = 8191;

/** BloscLZ (c-blosc's blosclz.c): runs of literals, and matches of which long and far ones take more bytes. */
function decodeBloscLz(from: Uint8Array, to: Uint8Array): void {
  let [at, filled] = [1, 0];
  const damaged = (): Error => new Error(`the BloscLZ block is damaged at byte ${at}`);
  const next = (): number => {
    if (at >= from.length) throw damaged();
    return from[at++];
  };
  if (from.length === 0) throw damaged();
  // the first byte is always a run of literals; its upper bits mark the format
  for (let control = from[0] & 31; ; control = from[at++]) {
    if (control < 32) {
      const length = control + 1;
      if (at + length > from.length || filled + length > to.length) throw damaged();
      to.set(from.subarray(at, at + length), filled);
      at += length;
      filled += length;
    } else {
      let length = (control >> 5) + 2;
      if (length === 9)
        for (let byte = 255; byte === 255;) {
          byte = next();
          length += byte;
        }
      const high = (control & 31) << 8;
      const low = next();
      let distance = high + low + 1;
      if (low === 255 && high === 31 << 8) {
        const far = next() << 8;
        distance = far + next() + FAR + 1;
      }
      if (distance > filled || filled + length > to.length) throw damaged();
      copyMatch(to, filled, distance, length);
      filled += length;
    }
    if (at >= from.length) break;
  }
  if (filled !== to.length) throw new Error(`the BloscLZ block holds ${filled} bytes instead of ${to.length}`);
}

/** All first bytes, then all second bytes, ... back to values; what is over at the end lies as it is. */
function unshuffle(from: Uint8Array, to: Uint8Array, width: number): void {
  const count = Math.floor(from.length / width);
  if (width === 4) {
    // the common case, a value at a time
    const words = aligned(to, count);
    if (words) {
      for (let i = 0, a = count, b = 2 * count, c = 3 * count; i < count; i++)
        words[i] = from[i] | (from[a + i] << 8) | (from[b + i] << 16) | (from[c + i] << 24);
      to.set(from.subarray(4 * count), 4 * count);
      return;
    }
  }
  for (let byte = 0; byte < width; byte++)
    for (let i = 0, at = byte * count, out = byte; i < count; i++, at++, out += width) to[out] = from[at];
  to.set(from.subarray(width * count), width * count);
}

/** Bytes as little-endian words where they lie so. */
const aligned = (bytes: Uint8Array, count: number): Int32Array | undefined =>
  bytes.byteOffset % 4 === 0 ? new Int32Array(bytes.buffer, bytes.byteOffset, count) : undefined;

/** All lowest bits, then all second bits, ... back to values; only counts of a multiple of eight were shuffled. */
function bitUnshuffle(from: Uint8Array, to: Uint8Array, width: number): void {
  const count = Math.floor(from.length / width);
  if (count % 8 !== 0) {
    to.set(from);
    return;
  }
  const plane = count / 8;
  for (let byte = 0; byte < width; byte++)
    for (let group = 0; group < plane; group++) {
      // an 8 x 8 matrix of bits: a row a bit, a column a value; its transpose has a row a value
      let [low, high] = [0, 0];
      const at = byte * 8 * plane + group;
      for (let bit = 0; bit < 4; bit++) {
        low |= from[at + bit * plane] << (8 * bit);
        high |= from[at + (bit + 4) * plane] << (8 * bit);
      }
      [low, high] = transposeBits(low, high);
      for (let value = 0; value < 4; value++) {
        to[(8 * group + value) * width + byte] = low >>> (8 * value);
        to[(8 * group + value + 4) * width + byte] = high >>> (8 * value);
      }
    }
  to.set(from.subarray(width * count), width * count);
}

/** Transposes 8 x 8 bits, four rows a word, bit k of byte j becoming bit j of byte k (Hacker's Delight, 7-3). */
function transposeBits(low: number, high: number): [number, number] {
  let t = (low ^ (low >>> 7)) & 0x00aa00aa;
  low ^= t ^ (t << 7);
  t = (high ^ (high >>> 7)) & 0x00aa00aa;
  high ^= t ^ (t << 7);
  t = (low ^ (low >>> 14)) & 0x0000cccc;
  low ^= t ^ (t << 14);
  t = (high ^ (high >>> 14)) & 0x0000cccc;
  high ^= t ^ (t << 14);
  const swap = ((low >>> 4) ^ high) & 0x0f0f0f0f;
  return [low ^ (swap << 4), high ^ swap];
}
