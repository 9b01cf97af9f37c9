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
  for (let i = at, end = at + bits; i < end;) {
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

/**
 * Values a call of an inner loop takes; a multiple of 8, so that each call begins at a whole byte whatever the width, and
 * few, so that a field is many calls: V8 then runs the optimised function from its start instead of leaving it half-way.
 */
const RUN = 1 << 13;

/** Simple packing: `out.length` integers of `bits` bits from the first byte on, scaled into `out`. */
export function unpackScaled(bytes: Uint8Array, bits: number, out: Float64Array, scaling: Scaling): void {
  checkRoom(bytes, 0, bits, out.length);
  const offset = scaling.reference * scaling.decimal;
  const factor = scaling.binary * scaling.decimal;
  if (bits === 0) {
    out.fill(offset);
    return;
  }
  // The loops load four or five bytes at a value's first; the last values, where that leaves the data, go one by one.
  const safe = bits > 32 ? 0 : Math.min(out.length & ~7, Math.max(0, Math.floor((bytes.length - 5) / bits)) * 8);
  const view = viewOf(bytes);
  for (let begin = 0; begin < safe; begin += RUN) {
    const part = out.subarray(begin, Math.min(begin + RUN, safe));
    const from = (begin / 8) * bits;
    if (bits === 16) unpack16(view, from, part, offset, factor);
    else if (bits <= 25) unpackNarrow(view, from, bits, part, offset, factor);
    else unpackWide(view, from, bits, part, offset, factor);
  }
  for (let i = safe; i < out.length; i++) out[i] = offset + readUint(bytes, i * bits, bits) * factor;
}

/** 16 bits, the width most files have: eight values in four loads. These loops take whole eights of values. */
function unpack16(view: DataView, from: number, out: Float64Array, offset: number, factor: number): void {
  let at = from;
  for (let i = 0; i < out.length; i += 8, at += 16) {
    const [a, b, c, d] = [view.getInt32(at), view.getInt32(at + 4), view.getInt32(at + 8), view.getInt32(at + 12)];
    out[i] = offset + (a >>> 16) * factor;
    out[i + 1] = offset + (a & 0xffff) * factor;
    out[i + 2] = offset + (b >>> 16) * factor;
    out[i + 3] = offset + (b & 0xffff) * factor;
    out[i + 4] = offset + (c >>> 16) * factor;
    out[i + 5] = offset + (c & 0xffff) * factor;
    out[i + 6] = offset + (d >>> 16) * factor;
    out[i + 7] = offset + (d & 0xffff) * factor;
  }
}

/** Up to 25 bits: eight values take as many whole bytes as a value has bits, so bytes and shifts repeat every eight. */
function unpackNarrow(
  view: DataView,
  from: number,
  bits: number,
  out: Float64Array,
  offset: number,
  factor: number,
): void {
  const drop = 32 - bits;
  const byte = (n: number) => (n * bits) >> 3;
  const shift = (n: number) => (n * bits) & 7;
  const [b1, b2, b3, b4, b5, b6, b7] = [byte(1), byte(2), byte(3), byte(4), byte(5), byte(6), byte(7)];
  const [s1, s2, s3, s4, s5, s6, s7] = [shift(1), shift(2), shift(3), shift(4), shift(5), shift(6), shift(7)];
  let at = from;
  for (let i = 0; i < out.length; i += 8, at += bits) {
    out[i] = offset + (view.getInt32(at) >>> drop) * factor;
    out[i + 1] = offset + ((view.getInt32(at + b1) << s1) >>> drop) * factor;
    out[i + 2] = offset + ((view.getInt32(at + b2) << s2) >>> drop) * factor;
    out[i + 3] = offset + ((view.getInt32(at + b3) << s3) >>> drop) * factor;
    out[i + 4] = offset + ((view.getInt32(at + b4) << s4) >>> drop) * factor;
    out[i + 5] = offset + ((view.getInt32(at + b5) << s5) >>> drop) * factor;
    out[i + 6] = offset + ((view.getInt32(at + b6) << s6) >>> drop) * factor;
    out[i + 7] = offset + ((view.getInt32(at + b7) << s7) >>> drop) * factor;
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
