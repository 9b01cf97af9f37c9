/**
 * CCSDS lossless compression, data template 7.42: the adaptive Rice coder of CCSDS 121.0-B (Lossless Data Compression),
 * in the form GRIB uses it (unsigned samples, most significant bit first). Blocks of `blockSize` samples each choose the
 * cheapest of: errors of prediction as they are, a Rice code with k low bits, a run of zero blocks, or pairs of small values; every `interval`
 * blocks the predictor starts anew from a raw sample.
 */
import { padded, readUint, viewOf } from "../bits.js";
import type { Packing } from "../field.js";
import { GribError } from "../octets.js";

type Ccsds = Extract<Packing, { kind: "ccsds" }>;

/** Bits of the options octet (octet 22 of template 5.42). */
export const CCSDS = { signed: 1, threeByte: 2, msb: 4, preprocess: 8, restricted: 16, padInterval: 32 } as const;
const MAX_BLOCK = 64;
/** A run of zero blocks does not cross the end of a segment of 64 blocks. */
const SEGMENT = 64;

/** Bits of the option's number before each block. */
export function optionBits(bits: number, restricted: boolean): number {
  if (bits > 16) return 5;
  if (bits > 8) return 4;
  if (restricted && bits <= 4) return bits <= 2 ? 1 : 2;
  return 3;
}

/** Section 7 without its 5-octet head, scaled, to all of `out`. */
export function unpackCcsds(bytes: Uint8Array, packing: Ccsds, out: Float64Array): void {
  const { bits, flags, blockSize, interval, scaling } = packing;
  if (bits === 0) {
    out.fill(scaling.reference * scaling.decimal);
    return;
  }
  if (bits > 31) throw new GribError(`CCSDS samples of ${bits} bits are not read; at most 31 are`);
  if (flags & CCSDS.signed) throw new GribError("CCSDS packing of signed samples is not read");
  if (blockSize < 1 || blockSize > MAX_BLOCK || interval < 1)
    throw new GribError(`CCSDS blocks of ${blockSize} samples, ${interval} to an interval, do not exist`);
  decode(bytes, packing, out);
}

/** Where the decoder stands. */
interface Stream {
  /** The next bit is bit `bit` of byte `at`. */
  at: number;
  bit: number;
  /** The sample before, and the index of the next one. */
  last: number;
  next: number;
}

interface Coder {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** Bytes of the stream; `bytes` go on behind them. */
  readonly limit: number;
  readonly packing: Ccsds;
  readonly idBits: number;
  readonly block: Int32Array;
}

function decode(source: Uint8Array, packing: Ccsds, out: Float64Array): void {
  const bytes = padded(source);
  const idBits = optionBits(packing.bits, (packing.flags & CCSDS.restricted) !== 0);
  const coder: Coder = {
    bytes,
    view: viewOf(bytes),
    limit: source.length,
    packing,
    idBits,
    block: new Int32Array(MAX_BLOCK),
  };
  const stream: Stream = { at: 0, bit: 0, last: 0, next: 0 };
  while (stream.next < out.length) {
    decodeInterval(coder, stream, out);
    if (packing.flags & CCSDS.padInterval && stream.bit > 0) {
      stream.at++;
      stream.bit = 0;
    }
  }
  if (stream.at * 8 + stream.bit > (source.length + 1) * 8) throw short(stream, out);
}

const short = ({ next }: Stream, out: Float64Array): GribError =>
  new GribError(`the CCSDS stream ends after ${next} of ${out.length} values`);

/**
 * Blocks up to the next restart of the predictor. The inner loops of this packing: state lives in local variables and is
 * put back at the end.
 */
function decodeInterval(
  { bytes, view, limit, packing, idBits, block }: Coder,
  stream: Stream,
  out: Float64Array,
): void {
  const { bits, flags, blockSize, interval, scaling } = packing;
  const offset = scaling.reference * scaling.decimal;
  const factor = scaling.binary * scaling.decimal;
  const count = out.length;
  const preprocess = (flags & CCSDS.preprocess) !== 0;
  const raw = (1 << idBits) - 1;
  const top = 2 ** bits - 1;
  const middle = top >>> 1;
  let { at, bit, last, next } = stream;

  for (let blocks = 0; blocks < interval && next < count;) {
    if (at >= limit) throw short(stream, out);
    const opening = preprocess && blocks === 0 ? 1 : 0; // an interval opens with a sample in full
    const id = ((((bytes[at] << 8) | bytes[at + 1]) << bit) & 0xffff) >>> (16 - idBits);
    bit += idBits;
    at += bit >> 3;
    bit &= 7;
    let pairs = false;
    if (id === 0) {
      pairs = ((bytes[at] >> (7 - bit)) & 1) === 1;
      bit++;
      at += bit >> 3;
      bit &= 7;
    }
    const full = id === raw ? blockSize : opening;
    if (at * 8 + bit + full * bits > limit * 8) throw short(stream, out);
    for (let i = 0; i < full; i++) {
      block[i] = readUint(bytes, at * 8 + bit, bits);
      bit += bits;
      at += bit >> 3;
      bit &= 7;
    }
    const k = id === 0 || id === raw ? 0 : id - 1;

    const unaries = id === raw ? 0 : id !== 0 ? blockSize - opening : pairs ? (blockSize + 1 - opening) >> 1 : 1;
    // No sample has a longer code, and no pair or run would be coded longer than raw; beyond the end all bits are zeros.
    const longest = id === 0 ? Math.max(SEGMENT, bits * blockSize) : top >>> k;
    bit = readUnaries(view, at, bit, block, opening, opening + unaries, Math.min(longest, (limit - at) * 8) + 32);
    if (bit < 0) throw short(stream, out);
    at += bit >> 3;
    bit &= 7;
    if (opening) {
      last = block[0];
      out[next++] = offset + last * factor;
    }

    if (id === 0 && !pairs) {
      // A run of blocks of zeros: 5 means to the end of the segment or the interval.
      const code = block[opening];
      const toEnd = Math.min(interval - blocks, SEGMENT - (blocks % SEGMENT));
      const run = code < 4 ? code + 1 : code === 4 ? toEnd : code;
      const end = Math.min(count, next + run * blockSize - opening);
      out.fill(offset + (preprocess ? last : 0) * factor, next, end);
      next = end;
      blocks += run;
      continue;
    }
    if (pairs) spreadPairs(block, opening, blockSize);
    const end = Math.min(blockSize, count - next + opening);
    if (k <= 25 && preprocess) {
      const drop = 32 - k; // of k = 0 the shift by 32 is one by 0, so the mask takes the window away
      const mask = k === 0 ? 0 : -1;
      let position = bit; // in bits from byte `at`
      for (let i = opening; i < end; i++) {
        const low = ((view.getInt32(at + (position >> 3)) << (position & 7)) >>> drop) & mask;
        const d = (block[i] << k) | low;
        position += k;
        // The mapped error: even is up, odd is down while both are open; then the rest of the range.
        const open = last <= middle ? last : top - last;
        if ((d + 1) >>> 1 <= open) last += (d >>> 1) ^ -(d & 1);
        else last = last <= middle ? d : top - d;
        out[next++] = offset + last * factor;
      }
      at += position >> 3;
      bit = position & 7;
    } else {
      for (let i = opening; i < end; i++) {
        const d = block[i] * 2 ** k + readUint(bytes, at * 8 + bit, k);
        bit += k;
        at += bit >> 3;
        bit &= 7;
        last = preprocess ? unmap(d, last, top) : d;
        out[next++] = offset + last * factor;
      }
    }
    blocks++;
  }
  stream.at = at;
  stream.bit = bit;
  stream.last = last;
  stream.next = next;
}

/**
 * Unary numbers into block[from..to): as many zeros as the number says, then a one. A window of 32 bits holds several.
 * Gives the position after them in bits from byte `at`, or -1 where a run of zeros is longer than `most`.
 */
function readUnaries(
  view: DataView,
  at: number,
  bit: number,
  block: Int32Array,
  from: number,
  to: number,
  most: number,
): number {
  let position = bit;
  let carry = 0;
  for (let i = from; i < to;) {
    const skip = position & 7;
    // The 32 - skip bits that are left of the byte; the ones behind them are zeros.
    let window = view.getInt32(at + (position >> 3)) << skip;
    let used = 0;
    while (window !== 0) {
      const zeros = Math.clz32(window);
      block[i++] = carry + zeros;
      carry = 0;
      used += zeros + 1;
      if (i === to) return position + used;
      window = (window << zeros) << 1;
    }
    carry += 32 - skip - used;
    position += 32 - skip;
    if (carry > most) return -1;
  }
  return position;
}

/** The sample after `last` from its mapped error: even is up, odd is down while both are open; then the rest of the range. */
function unmap(d: number, last: number, top: number): number {
  const low = last <= top >>> 1;
  const open = low ? last : top - last;
  if ((d + 1) >>> 1 <= open) return last + ((d >>> 1) ^ -(d & 1));
  return low ? d : top - d;
}

/**
 * Second extension: one number m for two samples a, b: m = (a + b)(a + b + 1)/2 + b. Spreads the numbers from
 * `block[opening..]` over the block; the first pair of an opening block has its first sample in full already.
 */
function spreadPairs(block: Int32Array, opening: number, blockSize: number): void {
  const numbers = block.slice(opening, opening + ((blockSize + 1 - opening) >> 1));
  let at = opening;
  for (const m of numbers) {
    const sum = Math.floor((Math.sqrt(8 * m + 1) - 1) / 2);
    const second = m - (sum * (sum + 1)) / 2;
    if (at % 2 === 0) block[at++] = sum - second;
    block[at++] = second;
  }
}
