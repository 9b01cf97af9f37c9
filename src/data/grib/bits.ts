/**
 * Unsigned integers of any width packed head to tail, most significant bit first: the storage of every GRIB packing.
 * The loops are written for V8: four byte loads make a 32-bit window that holds any field of up to 25 bits wherever it
 * begins, so no state is carried from one value to the next but the position.
 */
import { GribError } from "./octets.js";

/** A value is `(reference + x * binary) * decimal` of the packed integer x. */
export interface Scaling {
  /** R */
  readonly reference: number;
  /** 2^E */
  readonly binary: number;
  /** 10^-D */
  readonly decimal: number;
}

export const scalingOf = (reference: number, binaryScale: number, decimalScale: number): Scaling => ({
  reference,
  binary: 2 ** binaryScale,
  decimal: 10 ** -decimalScale,
});

/** Widest integer that a float64 holds exactly. */
const MAX_BITS = 53;

function checkRoom(bytes: Uint8Array, bitOffset: number, bits: number, count: number): void {
  if (bits > MAX_BITS) throw new GribError(`values are packed in ${bits} bits each, which is more than ${MAX_BITS}`);
  if (bitOffset + bits * count > bytes.length * 8)
    throw new GribError(
      `${count} values of ${bits} bits from bit ${bitOffset} need ${Math.ceil((bitOffset + bits * count) / 8)} bytes, but only ${bytes.length} are there`,
    );
}

/**
 * The bytes with at least 8 more after them, whatever they hold, so that a window never reads past the end (a read past
 * the end of a typed array is slow). No copy where the buffer behind already goes on.
 */
export function padded(bytes: Uint8Array): Uint8Array {
  if (bytes.byteOffset + bytes.byteLength + 8 <= bytes.buffer.byteLength)
    return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength + 8);
  const copy = new Uint8Array(bytes.length + 8);
  copy.set(bytes);
  return copy;
}

/** One unsigned integer of up to 53 bits that begins at bit `at`. */
export function readUint(bytes: Uint8Array, at: number, bits: number): number {
  checkRoom(bytes, at, bits, 1);
  let value = 0;
  for (let i = at, end = at + bits; i < end; ) {
    const inByte = i % 8;
    const take = Math.min(8 - inByte, end - i);
    const byte = bytes[Math.floor(i / 8)];
    value = value * 2 ** take + ((byte >> (8 - inByte - take)) & ((1 << take) - 1));
    i += take;
  }
  return value;
}

/** `count` unsigned integers of up to 32 bits that begin at bit `bitOffset`. */
export function readUints(bytes: Uint8Array, bitOffset: number, bits: number, count: number): Uint32Array {
  if (bits > 32) throw new GribError(`${bits}-bit group descriptors are wider than 32 bits`);
  checkRoom(bytes, bitOffset, bits, count);
  const out = new Uint32Array(count);
  if (bits === 0) return out;
  if (bits > 25) {
    for (let i = 0; i < count; i++) out[i] = readUint(bytes, bitOffset + i * bits, bits);
    return out;
  }
  const data = padded(bytes);
  const drop = 32 - bits;
  let at = Math.floor(bitOffset / 8);
  let bit = bitOffset % 8;
  for (let i = 0; i < count; i++) {
    const word = (data[at] << 24) | (data[at + 1] << 16) | (data[at + 2] << 8) | data[at + 3];
    out[i] = (word << bit) >>> drop;
    bit += bits;
    at += bit >> 3;
    bit &= 7;
  }
  return out;
}

/**
 * Simple packing's loop: `count` integers of `bits` bits from the first byte on, scaled. 8, 12, 16 and 24 bits, the
 * widths most files have, take their own loops.
 */
export function unpackScaled(bytes: Uint8Array, bits: number, count: number, scaling: Scaling): Float64Array {
  checkRoom(bytes, 0, bits, count);
  const { reference, binary, decimal } = scaling;
  const out = new Float64Array(count);
  let at = 0;
  switch (bits) {
    case 0:
      return out.fill(reference * decimal);
    case 8:
      for (let i = 0; i < count; i++) out[i] = (reference + bytes[i] * binary) * decimal;
      return out;
    case 12: {
      const even = count & ~1;
      for (let i = 0; i < even; i += 2, at += 3) {
        const middle = bytes[at + 1];
        out[i] = (reference + ((bytes[at] << 4) | (middle >> 4)) * binary) * decimal;
        out[i + 1] = (reference + (((middle & 15) << 8) | bytes[at + 2]) * binary) * decimal;
      }
      if (count & 1) out[count - 1] = (reference + ((bytes[at] << 4) | (bytes[at + 1] >> 4)) * binary) * decimal;
      return out;
    }
    case 16:
      for (let i = 0; i < count; i++, at += 2)
        out[i] = (reference + ((bytes[at] << 8) | bytes[at + 1]) * binary) * decimal;
      return out;
    case 24:
      for (let i = 0; i < count; i++, at += 3)
        out[i] = (reference + ((bytes[at] << 16) | (bytes[at + 1] << 8) | bytes[at + 2]) * binary) * decimal;
      return out;
  }
  if (bits > 32) {
    for (let i = 0; i < count; i++) out[i] = (reference + readUint(bytes, i * bits, bits) * binary) * decimal;
    return out;
  }
  const data = padded(bytes);
  const drop = 32 - bits;
  let bit = 0;
  if (bits > 25) {
    for (let i = 0; i < count; i++) {
      const word = (data[at] << 24) | (data[at + 1] << 16) | (data[at + 2] << 8) | data[at + 3];
      out[i] = (reference + (((word << bit) | (data[at + 4] >> (8 - bit))) >>> drop) * binary) * decimal;
      bit += bits;
      at += bit >> 3;
      bit &= 7;
    }
    return out;
  }
  for (let i = 0; i < count; i++) {
    const word = (data[at] << 24) | (data[at + 1] << 16) | (data[at + 2] << 8) | data[at + 3];
    out[i] = (reference + ((word << bit) >>> drop) * binary) * decimal;
    bit += bits;
    at += bit >> 3;
    bit &= 7;
  }
  return out;
}

/** The set bits of a bitmap among its first `count`. */
export function countBits(bitmap: Uint8Array, count: number): number {
  let set = 0;
  const whole = count >> 3;
  for (let i = 0; i < whole; i++) {
    let byte = bitmap[i];
    for (; byte; byte &= byte - 1) set++;
  }
  for (let i = whole * 8; i < count; i++) set += (bitmap[i >> 3] >> (7 - (i & 7))) & 1;
  return set;
}

/** Spreads packed values over the points whose bit is set; the others become NaN. */
export function applyBitmap(values: Float64Array, bitmap: Uint8Array, points: number): Float64Array {
  if (bitmap.length * 8 < points)
    throw new GribError(`the bitmap has ${bitmap.length} bytes, too few for ${points} points`);
  const out = new Float64Array(points);
  let next = 0;
  for (let i = 0; i < points; i++) out[i] = (bitmap[i >> 3] >> (7 - (i & 7))) & 1 ? values[next++] : NaN;
  if (next > values.length)
    throw new GribError(`the bitmap marks ${next} points as present, but ${values.length} values are packed`);
  return out;
}
