/**
 * Unsigned integers of any width packed head to tail, most significant bit first: the storage of every GRIB packing.
 * The loops are written for V8: a 32-bit load at any byte (`DataView.getInt32`, one instruction and a byte swap) holds
 * every field of up to 25 bits that begins in that byte, so no state but the position goes from one value to the next.
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

/** Integers to values, in place. */
export function scaleIntegers(values: Float64Array, { reference, binary, decimal }: Scaling): void {
  const offset = reference * decimal;
  const factor = binary * decimal;
  for (let i = 0; i < values.length; i++) values[i] = offset + values[i] * factor;
}

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
  const view = viewOf(padded(bytes.subarray(Math.floor(bitOffset / 8))));
  const drop = 32 - bits;
  let at = 0;
  let bit = bitOffset % 8;
  for (let i = 0; i < count; i++) {
    out[i] = (view.getInt32(at) << bit) >>> drop;
    bit += bits;
    at += bit >> 3;
    bit &= 7;
  }
  return out;
}

export const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** Values between two whole bytes at any width: the loops count bits in 32-bit integers, which must not overflow. */
const RUN = 1 << 20;

/** Simple packing: `out.length` integers of `bits` bits from the first byte on, scaled into `out`. */
export function unpackScaled(bytes: Uint8Array, bits: number, out: Float64Array, scaling: Scaling): void {
  checkRoom(bytes, 0, bits, out.length);
  const offset = scaling.reference * scaling.decimal;
  const factor = scaling.binary * scaling.decimal;
  if (bits === 0) out.fill(offset);
  else if (bits > 32) for (let i = 0; i < out.length; i++) out[i] = offset + readUint(bytes, i * bits, bits) * factor;
  else {
    const view = viewOf(padded(bytes));
    for (let begin = 0; begin < out.length; begin += RUN) {
      const part = out.subarray(begin, begin + RUN);
      const from = (begin / 8) * bits;
      if (bits === 16) unpack16(view, from, part, offset, factor);
      else if (bits <= 25) unpackNarrow(view, from, bits, part, offset, factor);
      else unpackWide(view, from, bits, part, offset, factor);
    }
  }
}

/** 16 bits, the width most files have: two values a load. */
function unpack16(view: DataView, from: number, out: Float64Array, offset: number, factor: number): void {
  const even = out.length & ~1;
  for (let i = 0; i < even; i += 2) {
    const pair = view.getInt32(from + 2 * i);
    out[i] = offset + (pair >>> 16) * factor;
    out[i + 1] = offset + (pair & 0xffff) * factor;
  }
  if (even < out.length) out[even] = offset + view.getUint16(from + 2 * even) * factor;
}

function unpackNarrow(
  view: DataView,
  from: number,
  bits: number,
  out: Float64Array,
  offset: number,
  factor: number,
): void {
  const drop = 32 - bits;
  let at = 0;
  for (let i = 0; i < out.length; i++) {
    out[i] = offset + ((view.getInt32(from + (at >>> 3)) << (at & 7)) >>> drop) * factor;
    at += bits;
  }
}

/** 26 to 32 bits, which may lie across five bytes. */
function unpackWide(
  view: DataView,
  from: number,
  bits: number,
  out: Float64Array,
  offset: number,
  factor: number,
): void {
  const drop = 32 - bits;
  let at = 0;
  for (let i = 0; i < out.length; i++) {
    const byte = from + (at >>> 3);
    const window = (view.getInt32(byte) << (at & 7)) | (view.getUint8(byte + 4) >> (8 - (at & 7)));
    out[i] = offset + (window >>> drop) * factor;
    at += bits;
  }
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

/**
 * Spreads the packed values at the front of `values` over the points whose bit is set, in place; the others become NaN.
 * `present` is how many bits are set among the first `values.length`.
 */
export function applyBitmap(values: Float64Array, bitmap: Uint8Array, present: number): void {
  // From the end: a value never moves onto one that has not moved yet.
  for (let i = values.length - 1, from = present - 1; i >= 0; i--)
    values[i] = (bitmap[i >> 3] >> (7 - (i & 7))) & 1 ? values[from--] : NaN;
}
