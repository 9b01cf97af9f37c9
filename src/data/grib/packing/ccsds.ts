/**
 * CCSDS lossless compression, data template 7.42: the adaptive Rice coder of CCSDS 121.0-B (Lossless Data Compression),
 * in the form GRIB uses it (unsigned samples, most significant bit first). Blocks of `blockSize` samples each choose the
 * cheapest of: raw samples, a Rice code with k low bits, a run of zero blocks, or pairs of small values; every `interval`
 * blocks the predictor starts anew from a raw sample.
 */
import { padded, readUint, type Scaling } from "../bits.js";
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

/** Section 7 without its 5-octet head to `count` scaled values. */
export function unpackCcsds(bytes: Uint8Array, packing: Ccsds, count: number): Float64Array {
  const { bits, flags, blockSize, interval, scaling } = packing;
  if (bits === 0) return new Float64Array(count).fill(scaling.reference * scaling.decimal);
  if (bits > 31) throw new GribError(`CCSDS samples of ${bits} bits are not read; at most 31 are`);
  if (flags & CCSDS.signed) throw new GribError("CCSDS packing of signed samples is not read");
  if (blockSize < 1 || blockSize > MAX_BLOCK || interval < 1)
    throw new GribError(`CCSDS blocks of ${blockSize} samples, ${interval} to an interval, do not exist`);
  // A zero block run is the densest code: 64 blocks in a few bits.
  if (count > (bytes.length + 1) * 8 * SEGMENT * MAX_BLOCK)
    throw new GribError(`${bytes.length} bytes cannot hold ${count} values`);
  const out = new Float64Array(count);
  decode(bytes, packing, scaling, out);
  return out;
}

function decode(source: Uint8Array, packing: Ccsds, { reference, binary, decimal }: Scaling, out: Float64Array): void {
  const { bits, flags, blockSize, interval } = packing;
  const bytes = padded(source);
  const limit = source.length;
  const count = out.length;
  const preprocess = (flags & CCSDS.preprocess) !== 0;
  const idBits = optionBits(bits, (flags & CCSDS.restricted) !== 0);
  const raw = (1 << idBits) - 1;
  const top = 2 ** bits - 1;
  const middle = top >>> 1;
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

    // Unary numbers: as many zeros as the number says, then a one. One window of 32 bits holds several of them.
    const unaries = id === raw ? 0 : id !== 0 ? blockSize - opening : pairs ? (blockSize + 1 - opening) >> 1 : 1;
    const most = (top >>> k) + 32; // no code that a sample can have is longer
    let carry = 0;
    for (let i = opening, end = opening + unaries; i < end; ) {
      let window =
        (((bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]) << bit) |
        (bytes[at + 4] >> (8 - bit));
      let left = 32;
      while (i < end) {
        const zeros = Math.clz32(window);
        if (zeros >= left) break;
        block[i++] = (carry + zeros) << k;
        carry = 0;
        left -= zeros + 1;
        window = (window << zeros) << 1;
      }
      if (i < end) {
        carry += left;
        left = 0;
        if (carry > most || at > limit) throw short();
      }
      bit += 32 - left;
      at += bit >> 3;
      bit &= 7;
    }

    if (id === 0 && !pairs) {
      // A run of blocks of zeros: 5 means to the end of the segment or the interval.
      const code = block[opening];
      const blocks =
        code < 4 ? code + 1 : code === 4 ? Math.min(interval - inInterval, SEGMENT - (inInterval % SEGMENT)) : code;
      if (opening) {
        last = block[0];
        out[next++] = (reference + last * binary) * decimal;
      }
      const end = Math.min(count, next + blocks * blockSize - opening);
      out.fill((reference + (preprocess ? last : 0) * binary) * decimal, next, end);
      next = end;
      inInterval += blocks;
    } else {
      if (pairs) spreadPairs(block, opening, blockSize);
      const end = Math.min(blockSize, count - next);
      let i = 0;
      if (opening) {
        last = block[0];
        out[next++] = (reference + last * binary) * decimal;
        i = 1;
      }
      const drop = 32 - k;
      for (; i < end; i++) {
        let d = block[i];
        if (k > 0) {
          const window = (bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3];
          d |= k <= 25 ? (window << bit) >>> drop : ((window << bit) | (bytes[at + 4] >> (8 - bit))) >>> drop;
          bit += k;
          at += bit >> 3;
          bit &= 7;
        }
        if (!preprocess) last = d;
        else {
          // The mapped prediction error: even is up, odd is down, as far as both directions are open; then the rest.
          const open = last <= middle ? last : top - last;
          if ((d >>> 1) + (d & 1) <= open) last += (d >>> 1) ^ -(d & 1);
          else last = last <= middle ? d : top - d;
        }
        out[next++] = (reference + last * binary) * decimal;
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
