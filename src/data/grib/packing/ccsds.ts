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

function decode(source: Uint8Array, packing: Ccsds, out: Float64Array): void {
  const { bits, flags, blockSize, interval, scaling } = packing;
  const offset = scaling.reference * scaling.decimal;
  const factor = scaling.binary * scaling.decimal;
  const bytes = padded(source);
  const view = viewOf(bytes);
  const limit = source.length;
  const count = out.length;
  const preprocess = (flags & CCSDS.preprocess) !== 0;
  const idBits = optionBits(bits, (flags & CCSDS.restricted) !== 0);
  const raw = (1 << idBits) - 1;
  const top = 2 ** bits - 1;
  const block = new Int32Array(MAX_BLOCK);
  let at = 0; // the next bit is bit `bit` of byte `at`
  let bit = 0;
  let last = 0; // the sample before
  let next = 0;
  let inInterval = 0; // blocks since the predictor started anew
  const short = () => new GribError(`the CCSDS stream ends after ${next} of ${count} values`);

  while (next < count) {
    if (at >= limit) throw short();
    const opening = preprocess && inInterval === 0 ? 1 : 0; // an interval opens with a sample in full
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
    if (at * 8 + bit + full * bits > limit * 8) throw short();
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
    if (bit < 0) throw short();
    at += bit >> 3;
    bit &= 7;

    if (id === 0 && !pairs) {
      // A run of blocks of zeros: 5 means to the end of the segment or the interval.
      const code = block[opening];
      const blocks =
        code < 4 ? code + 1 : code === 4 ? Math.min(interval - inInterval, SEGMENT - (inInterval % SEGMENT)) : code;
      if (opening) {
        last = block[0];
        out[next++] = offset + last * factor;
      }
      const end = Math.min(count, next + blocks * blockSize - opening);
      out.fill(offset + (preprocess ? last : 0) * factor, next, end);
      next = end;
      inInterval += blocks;
    } else {
      if (pairs) spreadPairs(block, opening, blockSize);
      const end = Math.min(blockSize, count - next);
      let i = 0;
      if (opening) {
        last = block[0];
        out[next++] = offset + last * factor;
        i = 1;
      }
      if (k === 0) {
        for (; i < end; i++)
          out[next++] = offset + (last = preprocess ? unmap(block[i], last, top) : block[i]) * factor;
      } else if (k <= 25 && preprocess) {
        const drop = 32 - k;
        const middle = top >>> 1;
        let window = bit; // in bits from byte `at`
        for (; i < end; i++) {
          const d = (block[i] << k) | ((view.getInt32(at + (window >> 3)) << (window & 7)) >>> drop);
          window += k;
          const open = last <= middle ? last : top - last;
          if ((d + 1) >>> 1 <= open) last += (d >>> 1) ^ -(d & 1);
          else last = last <= middle ? d : top - d;
          out[next++] = offset + last * factor;
        }
        at += window >> 3;
        bit = window & 7;
      } else {
        for (; i < end; i++) {
          const d = block[i] * 2 ** k + readUint(bytes, at * 8 + bit, k);
          bit += k;
          at += bit >> 3;
          bit &= 7;
          out[next++] = offset + (last = preprocess ? unmap(d, last, top) : d) * factor;
        }
      }
      inInterval++;
    }
    if (inInterval >= interval) {
      inInterval = 0;
      if (flags & CCSDS.padInterval && bit > 0) {
        at++;
        bit = 0;
      }
    }
  }
  if (at * 8 + bit > (limit + 1) * 8) throw short();
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
  for (let i = from; i < to; ) {
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
