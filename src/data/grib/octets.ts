/**
 * A section of a GRIB message, read by octet numbers as the WMO Manual on Codes (FM 92) counts them: from 1. Integers
 * are big-endian; a signed integer is its sign bit and its magnitude, not two's complement (regulation 92.1.5).
 */
import { FoehnError } from "../../errors.js";

/** A message that breaks the format, or uses a part of it that is not read. Callers add the file and the offset. */
export class GribError extends FoehnError {}

export interface Octets {
  readonly bytes: Uint8Array;
  readonly length: number;
  /** Unsigned integers of 1 to 4 octets, beginning at octet `n`. */
  readonly u8: (n: number) => number;
  readonly u16: (n: number) => number;
  readonly u24: (n: number) => number;
  readonly u32: (n: number) => number;
  /** Sign and magnitude. */
  readonly s8: (n: number) => number;
  readonly s16: (n: number) => number;
  readonly s24: (n: number) => number;
  readonly s32: (n: number) => number;
  /** IEEE 754 binary32. */
  readonly ieee32: (n: number) => number;
  /** The IBM System/360 single of GRIB edition 1: sign, 7-bit exponent of 16 biased by 64, 24-bit fraction. */
  readonly ibm32: (n: number) => number;
}

const signMagnitude = (value: number, bits: number): number => {
  const sign = 2 ** (bits - 1);
  return value < sign ? value : sign - value;
};

/** Wraps a section; `name` is for the error where an octet beyond its end is asked for. */
export function octets(bytes: Uint8Array, name: string): Octets {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const at = (n: number, size: number): number => {
    if (n < 1 || n - 1 + size > bytes.length)
      throw new GribError(`${name} has ${bytes.length} octets, but octet ${n + size - 1} is needed`);
    return n - 1;
  };
  const u8 = (n: number) => bytes[at(n, 1)];
  const u16 = (n: number) => view.getUint16(at(n, 2));
  const u24 = (n: number) => (view.getUint16(at(n, 3)) << 8) | bytes[n + 1];
  const u32 = (n: number) => view.getUint32(at(n, 4));
  return {
    bytes,
    length: bytes.length,
    u8,
    u16,
    u24,
    u32,
    s8: (n) => signMagnitude(u8(n), 8),
    s16: (n) => signMagnitude(u16(n), 16),
    s24: (n) => signMagnitude(u24(n), 24),
    s32: (n) => signMagnitude(u32(n), 32),
    ieee32: (n) => view.getFloat32(at(n, 4)),
    ibm32: (n) => ibmToNumber(u32(n)),
  };
}

/** (-1)^s * f/2^24 * 16^(e-64). */
export function ibmToNumber(word: number): number {
  const fraction = word & 0xffffff;
  const exponent = (word >>> 24) & 0x7f;
  const magnitude = (fraction / 16777216) * 16 ** (exponent - 64);
  return word >>> 31 ? -magnitude : magnitude;
}
