/**
 * The values of one field: reads its data section and bitmap and undoes the packing. What comes out is as long as the
 * grid and in the file's order of points; `gridOrder` brings it into rows.
 */
import { applyBitmap, countBits, unpackScaled, viewOf } from "./bits.js";
import type { GribField, Packing } from "./field.js";
import { type Grid, gridShape } from "./grid.js";
import { GribError } from "./octets.js";
import { unpackCcsds } from "./packing/ccsds.js";
import { unpackComplex } from "./packing/complex.js";
import { unpackJpeg2000, unpackPng } from "./packing/image.js";
import { unpackRunLength } from "./packing/run-length.js";
import { reverseOddRows, type Rows, unpackSecondOrder1, unpackSecondOrder2 } from "./packing/second-order.js";
import { unpackSpectralComplex, unpackSpectralSimple } from "./packing/spectral.js";
import type { ByteSource } from "../byte-source.js";

/** Above this a field is taken for damaged: 2^28 points, a reduced Gaussian grid O8000, are 2 GB of float64. */
export const MAX_POINTS = 2 ** 28;

/**
 * Decodes a field to float64 [points], NaN where missing, in the order of the file. `into` is filled and given back where
 * it has room for the points: a reader of many fields need not allocate for each.
 * Throws GribError where the field is damaged, larger than `maxPoints`, or packed in a way that is not read.
 */
export async function decodeField(
  source: ByteSource,
  field: GribField,
  options: { maxPoints?: number; into?: Float64Array } = {},
): Promise<Float64Array> {
  const { maxPoints = MAX_POINTS, into } = options;
  const { packing, grid, data, bitmap: bitmapRange, packedCount } = field;
  const { points } = grid;
  if (packing.kind === "refused") throw new GribError(packing.reason);
  if (points > maxPoints) throw new GribError(`the field has ${points} points, more than the limit of ${maxPoints}`);
  const section = await readRange(source, data.offset, data.length);
  const bitmap = bitmapRange && (await readRange(source, bitmapRange.offset + 6, bitmapRange.length - 6));
  if (bitmap && bitmap.length * 8 < points)
    throw new GribError(`the bitmap has ${bitmap.length} bytes, too few for ${points} points`);
  const present = bitmap ? countBits(bitmap, points) : points;
  const constant = "bits" in packing && packing.bits === 0;
  if (packedCount !== undefined && packedCount !== present && grid.kind !== "spectral" && !constant)
    throw new GribError(`${packedCount} values are packed for ${present} points that are present`);
  const body = section.subarray(headOctets(field));
  if (present > mostValues(packing, body.length))
    throw new GribError(`${body.length} bytes cannot hold ${present} values`);

  const out = into && into.length >= points ? into.subarray(0, points) : new Float64Array(points);
  try {
    if (packing.kind === "second-order-1") unpackSecondOrder1(section, packing.decimalScale, rowsOf(grid), bitmap, out);
    else {
      await unpack(body, packing, out.subarray(0, present), grid);
      if (bitmap) applyBitmap(out, bitmap, present);
    }
  } catch (cause) {
    // The loops that matter for speed leave the check of their reads to the platform's views.
    if (cause instanceof RangeError) throw new GribError("the packed data end before the last value", { cause });
    throw cause;
  }
  return out;
}

async function readRange(source: ByteSource, offset: number, length: number): Promise<Uint8Array> {
  const bytes = await source.read(offset, length);
  if (bytes.length < length) throw new GribError(`the file ends at byte ${offset + bytes.length}, inside the message`);
  return bytes;
}

/** Octets of the data section before what is packed. */
function headOctets({ edition, packing }: GribField): number {
  if (edition === 2) return 5;
  if (packing.kind === "ieee") return 12;
  if (packing.kind === "spectral-simple") return 15;
  if (packing.kind === "spectral-complex") return 18;
  return 11;
}

/** The most values that so many bytes can hold, so that a short message cannot ask for a large array. */
function mostValues(packing: Packing, bytes: number): number {
  if ("bits" in packing && packing.bits === 0) return Infinity; // a constant field, limited by maxPoints alone
  switch (packing.kind) {
    case "simple":
    case "log":
    case "ieee":
      return (bytes * 8) / packing.bits;
    case "ccsds":
      return bytes * 8 * 64 * packing.blockSize; // at best a bit and more for a segment of 64 blocks
    case "png":
      return bytes * 8 * 1032; // the best of deflate
    default:
      return Infinity;
  }
}

/** Fills `out`. */
async function unpack(bytes: Uint8Array, packing: Packing, out: Float64Array, grid: Grid): Promise<void> {
  switch (packing.kind) {
    case "simple":
      return unpackScaled(bytes, packing.bits, out, packing.scaling);
    case "log":
      // Y = ln(x + B) was packed.
      unpackScaled(bytes, packing.bits, out, packing.scaling);
      for (let i = 0; i < out.length; i++) out[i] = Math.exp(out[i]) - packing.bias;
      return;
    case "ieee":
      return unpackIeee(bytes, packing.bits, out);
    case "complex":
      return unpackComplex(bytes, packing, out);
    case "second-order-2":
      return unpackSecondOrder2(bytes, packing, out);
    case "jpeg2000":
      return unpackJpeg2000(bytes, packing, out);
    case "png":
      return unpackPng(bytes, packing, out);
    case "ccsds":
      return unpackCcsds(bytes, packing, out);
    case "run-length":
      return unpackRunLength(bytes, packing, out);
    case "spectral-simple":
      return unpackSpectralSimple(bytes, packing, out);
    case "spectral-complex":
      if (grid.kind !== "spectral") throw new GribError("a spectral packing needs a spectral grid");
      return unpackSpectralComplex(bytes, packing, grid.j, out);
    case "second-order-1":
    case "refused":
      throw new GribError(`packing '${packing.kind}' is not unpacked here`);
  }
}

function unpackIeee(bytes: Uint8Array, bits: 32 | 64, out: Float64Array): void {
  if (bytes.length * 8 < out.length * bits)
    throw new GribError(`${out.length} IEEE floats of ${bits} bits are cut short`);
  const view = viewOf(bytes);
  if (bits === 32) for (let i = 0; i < out.length; i++) out[i] = view.getFloat32(4 * i);
  else for (let i = 0; i < out.length; i++) out[i] = view.getFloat64(8 * i);
}

/** The lengths of the rows as they follow each other in the file. */
function rowsOf(grid: Grid): Rows {
  const { points } = grid;
  if (grid.kind === "reduced") return { points, lengths: grid.pl };
  const shape = gridShape(grid);
  if (!shape) return { points, lengths: [points] };
  const [count, length] = grid.scanning.jConsecutive ? [shape[1], shape[0]] : shape;
  return { points, lengths: new Array<number>(count).fill(length) };
}

/**
 * Values [points] in the file's order to rows [nj, ni], in the directions in which the grid scans: columns stored one
 * after another are turned into rows, and rows that alternate in direction are set right. May work in place.
 */
export function gridOrder(values: Float64Array, grid: Grid): Float64Array {
  const shape = gridShape(grid);
  if (!shape) return values;
  const [nj, ni] = shape;
  const { jConsecutive, alternating } = grid.scanning;
  if (alternating) reverseOddRows(values, rowsOf(grid).lengths);
  if (!jConsecutive) return values;
  const out = new Float64Array(values.length);
  for (let j = 0; j < nj; j++) for (let i = 0; i < ni; i++) out[j * ni + i] = values[i * nj + j];
  return out;
}
