/**
 * Second-order packing: groups of values with a first-order value (the group's minimum) each and second-order values of
 * the group's width above it. Edition 1 has it in four forms (WMO Manual on Codes, FM 92-IX Ext., section 4): rows as
 * groups, groups marked by a secondary bitmap with one width or with a width each, and ECMWF's general extended form with
 * spatial differencing, which edition 2 has as the local templates 5.50001 and 5.50002.
 */
import { applyBitmap, countBits, readUint, readUints, scaleIntegers, scalingOf } from "../bits.js";
import type { Packing } from "../field.js";
import { GribError, octets } from "../octets.js";

interface GroupTable {
  readonly widths: ArrayLike<number>;
  readonly lengths: ArrayLike<number>;
  readonly first: ArrayLike<number>;
}

/** The first `order` values and the bias of the differences, `width` bits each; the bias's first bit is its sign. */
export function readSpatialDifferencing(bytes: Uint8Array, width: number, order: number): number[] {
  const spd = Array.from({ length: order }, (_, i) => readUint(bytes, i * width, width));
  if (width === 0) return [...spd, 0];
  const magnitude = readUint(bytes, order * width + 1, width - 1);
  return [...spd, readUint(bytes, order * width, 1) ? -magnitude : magnitude];
}

/** Edition 2, section 7 without its head: widths, lengths, first-order values, second-order values, each from a whole byte. */
export function unpackSecondOrder2(
  bytes: Uint8Array,
  packing: Extract<Packing, { kind: "second-order-2" }>,
  out: Float64Array,
): void {
  const { order, spd, scaling } = packing;
  const { table, at } = readExtendedTable(bytes, 0, packing);
  readGroups(bytes, at * 8, table, out, order);
  undoDifferences(out, spd, order);
  scaleIntegers(out, scaling);
}

function readExtendedTable(
  bytes: Uint8Array,
  begin: number,
  is: { groups: number; widthBits: number; lengthBits: number; firstOrderBits: number },
): { table: GroupTable; at: number } {
  let at = begin;
  const list = (bits: number) => {
    const values = readUints(bytes, at * 8, bits, is.groups);
    at += Math.ceil((is.groups * bits) / 8);
    return values;
  };
  if (is.groups > bytes.length * 8) throw new GribError(`${bytes.length} bytes cannot describe ${is.groups} groups`);
  const table = { widths: list(is.widthBits), lengths: list(is.lengthBits), first: list(is.firstOrderBits) };
  return { table, at };
}

/** What section 4 of edition 1 needs to know of the grid. */
export interface Rows {
  /** Points of each row, in the file's order. */
  readonly lengths: readonly number[];
  readonly points: number;
}

/** Section 4 of edition 1, whole, to the grid's points in `out`; missing ones are NaN. */
export function unpackSecondOrder1(
  bytes: Uint8Array,
  decimalScale: number,
  rows: Rows,
  bitmap: Uint8Array | undefined,
  out: Float64Array,
): void {
  const section = octets(bytes, "section 4 (binary data)");
  const scaling = scalingOf(section.ibm32(7), section.s16(5), decimalScale);
  const flags = section.u8(14);
  if (flags & 0x40) throw new GribError("a matrix of values at each grid point is not read");
  const secondaryBitmap = (flags & 0x20) !== 0;
  const severalWidths = (flags & 0x10) !== 0;
  const extended = (flags & 0x08) !== 0;
  const alternating = (flags & 0x04) !== 0;
  const order = flags & 0x03;
  const firstOrderBits = section.u8(11);
  const [firstAt, secondAt] = [section.u16(12) - 1, section.u16(15) - 1];
  const groups = section.u16(17) + 65536 * section.u8(21);
  const count = bitmap ? countBits(bitmap, rows.points) : rows.points;
  const packed = out.subarray(0, count);
  if (extended) {
    const spd = order ? readSpatialDifferencing(bytes.subarray(26), section.u8(26), order) : [];
    const begin = order ? 26 + Math.ceil(((order + 1) * section.u8(26)) / 8) : 25;
    const is = { groups, firstOrderBits, widthBits: section.u8(22), lengthBits: section.u8(23) };
    const { table, at } = readExtendedTable(bytes, begin, is);
    readGroups(bytes, at * 8, table, packed, order);
    undoDifferences(packed, spd, order);
  } else {
    const widths = severalWidths ? readUints(bytes, 21 * 8, 8, groups) : new Uint32Array(groups).fill(section.u8(22));
    const lengths = secondaryBitmap
      ? groupLengths(bytes.subarray(severalWidths ? 21 + groups : 22), count)
      : rowLengths(rows, bitmap);
    if (lengths.length !== groups)
      throw new GribError(`the section says it has ${groups} groups, but ${lengths.length} are marked`);
    const first = readUints(bytes, firstAt * 8, firstOrderBits, groups);
    readGroups(bytes, secondAt * 8, { widths, lengths, first }, packed, 0);
  }
  scaleIntegers(packed, scaling);
  if (bitmap) applyBitmap(out, bitmap, count);
  if (alternating) reverseOddRows(out, rows.lengths);
}

/** A set bit of the secondary bitmap begins a group. */
function groupLengths(bitmap: Uint8Array, count: number): number[] {
  if (bitmap.length * 8 < count) throw new GribError("the secondary bitmap is cut short");
  const lengths: number[] = [];
  for (let i = 0; i < count; i++) {
    if ((bitmap[i >> 3] >> (7 - (i & 7))) & 1) lengths.push(1);
    else if (lengths.length) lengths[lengths.length - 1]++;
    else throw new GribError("the secondary bitmap does not begin with a group");
  }
  return lengths;
}

/** Present points of each row. */
function rowLengths({ lengths }: Rows, bitmap: Uint8Array | undefined): number[] {
  if (!bitmap) return [...lengths];
  let at = 0;
  return lengths.map((length) => {
    let present = 0;
    for (const end = at + length; at < end; at++) present += (bitmap[at >> 3] >> (7 - (at & 7))) & 1;
    return present;
  });
}

/** First-order plus second-order values, from index `skip` on. */
function readGroups(bytes: Uint8Array, bitOffset: number, table: GroupTable, out: Float64Array, skip: number): void {
  const { widths, lengths, first } = table;
  let total = skip;
  for (let g = 0; g < lengths.length; g++) total += lengths[g];
  if (total !== out.length) throw new GribError(`the groups hold ${total} values, but ${out.length} are packed`);
  let next = skip;
  let bit = bitOffset;
  for (let g = 0; g < lengths.length; g++) {
    const values = readUints(bytes, bit, widths[g], lengths[g]);
    bit += widths[g] * lengths[g];
    for (let i = 0; i < values.length; i++) out[next++] = first[g] + values[i];
  }
}

/** The order-th difference of f is what is packed, less a bias. */
function undoDifferences(values: Float64Array, spd: readonly number[], order: number): void {
  if (order === 0) return;
  if (order > 3) throw new GribError(`spatial differencing of order ${order} does not exist`);
  if (values.length < order) throw new GribError(`${values.length} values cannot be differenced ${order} times`);
  const bias = spd[order];
  // state[j] is the j-th difference at the point before: f, f', f''.
  const state = spd.slice(0, order);
  for (let i = 0; i < order; i++) values[i] = spd[i];
  for (let j = 1; j < order; j++) for (let i = 0; i < order - j; i++) state[i] = state[i + 1] - state[i];
  state.reverse();
  for (let i = order; i < values.length; i++) {
    let difference = values[i] + bias;
    for (let j = order - 1; j >= 0; j--) difference = state[j] += difference;
    values[i] = difference;
  }
}

/** Boustrophedonic order: every second row was written backwards. */
export function reverseOddRows(values: Float64Array, lengths: readonly number[]): void {
  let at = 0;
  lengths.forEach((length, row) => {
    if (row % 2 === 1) values.subarray(at, at + length).reverse();
    at += length;
  });
}
