/**
 * Few bits a number after a random rotation, right on average: what one site's update loses, the mean of many sites' finds again,
 * so no memory of what was left out is needed (DRIVE, Vargaftik et al. 2021; EDEN, Vargaftik et al. 2022).
 *
 *     y = H D x / sqrt(N)              D: signs drawn from the seed, H: Hadamard's matrix (N a power of two)
 *     q = the nearest level of the best b-bit quantiser of a normal number (Max 1960) to sqrt(N) y / |x|
 *     s = |x|^2 / <y, q>               so that <decoded, x> = |x|^2
 *     decoded = s D H q / sqrt(N)
 *
 * Rotated numbers are nearly normal whatever x is, so the expected |decoded - x|^2 / |x|^2 is known: e / (1 - e) with the
 * quantiser's error e; pi / 2 - 1 = 0.571 for one bit, 0.133 for two, 0.0096 for four.
 */
import { random } from "../../tensor/random.js";
import { ByteReader, ByteWriter } from "./bytes.js";
import type { Codec } from "./codecs.js";

/** The levels above 0 of the best quantisers of a standard normal number with so many bits (Max 1960, table I). */
const LEVELS = {
  1: [0.7979],
  2: [0.4528, 1.51],
  4: [0.1284, 0.3881, 0.6568, 0.9424, 1.256, 1.618, 2.069, 2.733],
} as const;
export type RotatedBits = keyof typeof LEVELS;
export const ROTATED_BITS = Object.keys(LEVELS).map(Number) as RotatedBits[];

/** Numbers rotated together and given one scale: 4 bytes for each 128 of one bit. The last block is filled up to a power of two. */
const BLOCK = 1024;

/** `eden:BITS`. */
export function rotated(bits: RotatedBits): Codec {
  const positive: readonly number[] = LEVELS[bits];
  const bounds = positive.slice(1).map((level, i) => (level + positive[i]) / 2);
  /** The number of a level: its place among the positive ones, and above them the sign. */
  const levelOf = (v: number): number => {
    const size = Math.abs(v);
    let at = 0;
    while (at < bounds.length && size > bounds[at]) at++;
    return v < 0 ? at + positive.length : at;
  };
  const valueOf = (level: number): number =>
    level < positive.length ? positive[level] : -positive[level - positive.length];
  return {
    name: `eden:${bits}`,
    encode(numbers, seed) {
      const to = new ByteWriter();
      for (const { start, end, size, signs } of blocks(numbers.length, seed)) {
        const y = new Float64Array(size);
        let square = 0;
        for (let i = start; i < end; i++) {
          y[i - start] = signs[i - start] * numbers[i];
          square += numbers[i] * numbers[i];
        }
        hadamard(y);
        const norm = Math.sqrt(square);
        const levels = Array.from(y, (v) => levelOf(norm > 0 ? (v * Math.sqrt(size)) / norm : 0));
        const along = levels.reduce((s, level, i) => s + y[i] * valueOf(level), 0);
        to.float32(along > 0 ? square / along : 0);
        to.packed(levels, bits);
      }
      return to.done();
    },
    decode(bytes, length, seed) {
      const from = new ByteReader(bytes);
      const out = new Float32Array(length);
      for (const { start, end, size, signs } of blocks(length, seed)) {
        const scale = from.float32();
        const q = Float64Array.from(from.packed(size, bits), valueOf);
        hadamard(q);
        for (let i = start; i < end; i++) out[i] = scale * signs[i - start] * q[i - start];
      }
      from.end();
      return out;
    },
  };
}

interface Block {
  readonly start: number;
  readonly end: number;
  /** A power of two of at least end - start. */
  readonly size: number;
  /** +1 or -1, one a number. */
  readonly signs: Int8Array;
}

function* blocks(length: number, seed: number): Generator<Block> {
  const rng = random(seed).split("rotation");
  for (let start = 0; start < length; start += BLOCK) {
    const end = Math.min(length, start + BLOCK);
    const size = 2 ** Math.ceil(Math.log2(end - start));
    const signs = new Int8Array(size);
    for (let i = 0, word = 0; i < size; i++, word >>>= 1) {
      if (i % 32 === 0) word = rng.uint32();
      signs[i] = word & 1 ? 1 : -1;
    }
    yield { start, end, size, signs };
  }
}

/** H v / sqrt(N) in place: its own inverse. v has a power of two of numbers. */
export function hadamard(v: Float64Array): void {
  const n = v.length;
  for (let half = 1; half < n; half *= 2)
    for (let start = 0; start < n; start += 2 * half)
      for (let i = start; i < start + half; i++) {
        const [a, b] = [v[i], v[i + half]];
        v[i] = a + b;
        v[i + half] = a - b;
      }
  const scale = 1 / Math.sqrt(n);
  for (let i = 0; i < n; i++) v[i] *= scale;
}
