/**
 * Complex packing and spatial differencing, data templates 7.2 and 7.3: groups of values, each with its own reference
 * and width; with differencing, what is packed are the first or second differences above their minimum. Missing values
 * are kept as the highest codes of a group (code table 5.5). WMO Manual on Codes, FM 92-XIV, notes to templates 5.2, 5.3.
 */
import { padded, readUint, readUints, scaleIntegers, type Scaling, viewOf } from "../bits.js";
import type { Packing } from "../field.js";
import { GribError } from "../octets.js";

type Complex = Extract<Packing, { kind: "complex" }>;

/** Section 7 without its 5-octet head, to all of `out`; missing values are NaN. */
export function unpackComplex(bytes: Uint8Array, packing: Complex, out: Float64Array): void {
  const { scaling, bits, groups, order } = packing;
  const count = out.length;
  if (groups === 0 || count === 0) {
    out.fill(scaling.reference * scaling.decimal);
    return;
  }
  if (groups > count) throw new GribError(`${count} values cannot form ${groups} groups`);
  if (order > 2) throw new GribError(`spatial differencing of order ${order} does not exist (code table 5.6)`);
  let at = 0;
  const extras: number[] = [];
  if (order > 0) {
    if (packing.orderOctets > 6) throw new GribError(`extra descriptors of ${packing.orderOctets} octets are too wide`);
    const width = packing.orderOctets * 8;
    for (let i = 0; i <= order; i++, at += packing.orderOctets) extras.push(readUint(bytes, at * 8, width));
    // The first values are unsigned; the minimum of the differences is sign and magnitude.
    const sign = 2 ** (width - 1);
    if (extras[order] >= sign) extras[order] = sign - extras[order];
  }
  const references = readUints(bytes, at * 8, bits, groups);
  at += Math.ceil((groups * bits) / 8);
  const widths = readUints(bytes, at * 8, packing.widthBits, groups);
  at += Math.ceil((groups * packing.widthBits) / 8);
  const lengths = readUints(bytes, at * 8, packing.lengthBits, groups);
  at += Math.ceil((groups * packing.lengthBits) / 8);

  let total = 0;
  let totalBits = 0;
  for (let g = 0; g < groups; g++) {
    widths[g] += packing.widthReference;
    lengths[g] = g === groups - 1 ? packing.lastLength : packing.lengthReference + lengths[g] * packing.lengthIncrement;
    total += lengths[g];
    totalBits += lengths[g] * widths[g];
    if (widths[g] > 32) throw new GribError(`group ${g} is ${widths[g]} bits wide, more than 32`);
  }
  if (total !== count) throw new GribError(`the groups hold ${total} values, but ${count} are packed`);
  if (at * 8 + totalBits > bytes.length * 8)
    throw new GribError(`the groups need ${Math.ceil(totalBits / 8)} bytes, but only ${bytes.length - at} are there`);

  const integers: Groups = { bytes: padded(bytes), at, references, widths, lengths };
  if (packing.missing === 1 || packing.missing === 2) {
    readWithMissing(integers, out, bits, packing.missing);
    if (order > 0) undoDifferencesAroundMissing(out, extras, order);
    scaleIntegers(out, scaling);
  } else if (order === 0) readScaled(integers, out, scaling);
  else {
    readScaled(integers, out, { reference: 0, binary: 1, decimal: 1 });
    undoDifferences(out, extras, order, scaling);
  }
}

interface Groups {
  readonly bytes: Uint8Array;
  /** First byte of the packed values. */
  readonly at: number;
  readonly references: Uint32Array;
  readonly widths: Uint32Array;
  readonly lengths: Uint32Array;
}

/** `(reference + (group reference + x) * binary) * decimal` for all values; the inner loops of this file. */
function readScaled({ bytes, at, references, widths, lengths }: Groups, out: Float64Array, scaling: Scaling): void {
  const offset = scaling.reference * scaling.decimal;
  const factor = scaling.binary * scaling.decimal;
  const view = viewOf(bytes);
  let byte = at;
  let bit = 0; // counted from `byte`
  let next = 0;
  for (let g = 0; g < references.length; g++) {
    const base = references[g];
    const width = widths[g];
    const end = next + lengths[g];
    if (width === 0) {
      const value = offset + base * factor;
      while (next < end) out[next++] = value;
    } else if (width <= 25) {
      const drop = 32 - width;
      while (next < end) {
        out[next++] = offset + (base + ((view.getInt32(byte + (bit >>> 3)) << (bit & 7)) >>> drop)) * factor;
        bit += width;
      }
    } else {
      for (; next < end; next++, bit += width)
        out[next] = offset + (base + readUint(bytes, byte * 8 + bit, width)) * factor;
    }
    byte += bit >>> 3;
    bit &= 7;
  }
}

/** The packed integers, NaN where a code stands for a missing value: all ones, and with two kinds all ones but the last. */
function readWithMissing(
  { bytes, at, references, widths, lengths }: Groups,
  out: Float64Array,
  bits: number,
  kinds: number,
): void {
  let position = at * 8;
  let next = 0;
  for (let g = 0; g < references.length; g++) {
    const base = references[g];
    const width = widths[g];
    // A group of width 0 is missing as a whole where its reference is the highest code.
    const lowestMissing = 2 ** (width === 0 ? bits : width) - kinds;
    for (const end = next + lengths[g]; next < end; next++) {
      const x = width === 0 ? base : readUint(bytes, position, width);
      position += width;
      out[next] = x >= lowestMissing ? NaN : width === 0 ? base : base + x;
    }
  }
}

/** f_i = d_i + min + f_{i-1}, or d_i + min + 2 f_{i-1} - f_{i-2}; scaled as they come. */
function undoDifferences(out: Float64Array, extras: readonly number[], order: number, scaling: Scaling): void {
  const offset = scaling.reference * scaling.decimal;
  const factor = scaling.binary * scaling.decimal;
  const minimum = extras[order];
  const n = out.length;
  let value = extras[0];
  out[0] = offset + value * factor;
  if (order === 1) {
    for (let i = 1; i < n; i++) {
      value += out[i] + minimum;
      out[i] = offset + value * factor;
    }
    return;
  }
  if (n === 1) return;
  let slope = extras[1] - value;
  value = extras[1];
  out[1] = offset + value * factor;
  for (let i = 2; i < n; i++) {
    slope += out[i] + minimum;
    value += slope;
    out[i] = offset + value * factor;
  }
}

/** The same over the present values alone. */
function undoDifferencesAroundMissing(out: Float64Array, extras: readonly number[], order: number): void {
  const minimum = extras[order];
  let seen = 0;
  let value = 0;
  let slope = 0;
  for (let i = 0; i < out.length; i++) {
    if (Number.isNaN(out[i])) continue;
    if (seen < order) {
      slope = extras[seen] - value;
      value = extras[seen];
    } else if (order === 1) value += out[i] + minimum;
    else {
      slope += out[i] + minimum;
      value += slope;
    }
    seen++;
    out[i] = value;
  }
}
