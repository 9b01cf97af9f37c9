/**
 * One message of edition 1 to a `GribField`: sections 1 (product), 2 (grid) and the heads of 3 (bitmap) and 4 (data).
 * Octets as in the WMO Manual on Codes, FM 92-IX Ext., and ECMWF's
 * local extensions of section 1 that number the members of an ensemble.
 */
import { scalingOf } from "./bits.js";
import type { ByteRange, Ensemble, GribField, Packing, Step } from "./field.js";
import type { Grid } from "./grid.js";
import { level1 } from "./levels.js";
import { GribError, octets, type Octets } from "./octets.js";
import { readGrid1 } from "./read-grid1.js";
import type { ByteSource } from "../byte-source.js";
import { duration, instant } from "./times.js";

/** No header section has a reason to be longer; a longer one is damaged. */
const MAX_HEADER = 1 << 20;
/** Code table C-1. */
const ECMWF = 98;

/** Reads the headers of the message; no value is touched. */
export async function readGrib1(source: ByteSource, message: ByteRange): Promise<GribField> {
  const end = message.offset + message.length - 4; // before 7777
  let at = message.offset + 8;
  const section = async (name: string): Promise<Octets> => {
    const length = octets(await source.read(at, 3), name).u24(1);
    if (length < 4 || length > MAX_HEADER || at + length > end)
      throw new GribError(`${name} at byte ${at} says it has ${length} octets, more than the message holds`);
    const bytes = await source.read(at, length);
    at += length;
    return octets(bytes, name);
  };
  const product = await section("section 1 (product definition)");
  const flags = product.u8(8);
  if (!(flags & 0x80))
    throw new GribError(`the grid is predefined number ${product.u8(7)}, not described in the message; it is not read`);
  const grid = readGrid1(await section("section 2 (grid description)"));
  const bitmap = flags & 0x40 ? await readBitmap(source, at, end) : undefined;
  if (bitmap) at = bitmap.offset + bitmap.length;
  const data: ByteRange = { offset: at, length: end - at };
  const head = octets(await source.read(at, Math.min(24, data.length)), "section 4 (binary data)");
  const time = referenceTime(product);
  return {
    edition: 1,
    message,
    centre: product.u8(5),
    subCentre: product.u8(26),
    parameter: { edition: 1, centre: tableOwner(product), table: product.u8(4), number: product.u8(9) },
    time,
    step: readStep(product, time),
    level: level1(product.u8(10), product.u8(11), product.u8(12)),
    ...readLocal(product),
    grid,
    packing: readPacking(head, grid, product.s16(27)),
    bitmap,
    data,
  };
}

/** Tables from 128 on belong to a centre: to ECMWF where it is named as the sub-centre. */
const tableOwner = (product: Octets): number =>
  product.u8(4) >= 128 && product.u8(26) === ECMWF ? ECMWF : product.u8(5);

function referenceTime(product: Octets): number {
  const yearOfCentury = product.u8(13);
  const year = (product.u8(25) - 1) * 100 + yearOfCentury;
  if (yearOfCentury > 100) return NaN;
  return instant(year, product.u8(14), product.u8(15), product.u8(16), product.u8(17), 0);
}

/** Section 3: its head says how long the bitmap is. */
async function readBitmap(source: ByteSource, at: number, end: number): Promise<ByteRange> {
  const head = octets(await source.read(at, 6), "section 3 (bitmap)");
  const length = head.u24(1);
  if (length < 6 || at + length > end)
    throw new GribError(`section 3 (bitmap) at byte ${at} says it has ${length} octets, more than the message holds`);
  if (head.u16(5) !== 0)
    throw new GribError(`the bitmap is predefined number ${head.u16(5)}, not part of the message; it is not read`);
  return { offset: at, length };
}

/** Octets 18 to 24: unit, P1, P2 and the time range indicator (code table 5). */
function readStep(product: Octets, time: number): Step {
  const unit = product.u8(18);
  const [p1, p2, indicator] = [product.u8(19), product.u8(20), product.u8(21)];
  const after = (count: number) => duration(1, unit, count, time);
  const interval = (type: string): Step => ({ start: after(p1), end: after(p2), type });
  const point = (count: number, type = "instant"): Step => ({ start: after(count), end: after(count), type });
  switch (indicator) {
    case 0:
      return point(p1);
    case 1:
      return point(0);
    case 10:
      return point(product.u16(19));
    case 2:
      // "valid between P1 and P2": ECMWF writes maxima and minima of its own so, others accumulations.
      return interval(product.u8(5) === ECMWF ? "max" : "accum");
    case 3:
      return interval("avg");
    case 4:
      return interval("accum");
    case 5:
      return interval("diff");
    case 6:
      return { start: after(-p1), end: after(-p2), type: "avg" };
    case 7:
      return { start: after(-p1), end: after(p2), type: "avg" };
    case 51:
      return point(p1, "climatology");
    // N forecasts or analyses combined: P1 is the forecast period of each, not the end of an interval.
    case 113:
      return point(p1, "avgfc");
    case 114:
      return point(p1, "accumfc");
    case 115:
    case 117:
      return point(p1, "avgd");
    case 116:
      return point(p1, "accumd");
    case 118:
      return point(p1, "cov");
    case 119:
    case 125:
      return point(p1, "sd");
    case 123:
      return point(0, "avgua");
    case 124:
      return point(0, "accumua");
    default:
      throw new GribError(`time range indicator ${indicator} (code table 5) is not read`);
  }
}

/** Section 1 from octet 41 on, where ECMWF (and those who write its form) put member numbers and the like. */
function readLocal(product: Octets): { ensemble?: Ensemble; extra: Record<string, number> } {
  const ecmwf = product.u8(5) === ECMWF || product.u8(26) === ECMWF;
  if (!ecmwf || product.length < 52) return { extra: {} };
  const small = () => ensembleOf(product.u8(50), product.u8(51));
  switch (product.u8(41)) {
    case 1:
    case 18:
    case 26:
    case 27:
    case 28:
    case 30:
    case 36:
    case 40:
      return { ensemble: small(), extra: {} };
    case 13:
      return {
        ensemble: small(),
        extra: {
          ...(product.u8(52) && { direction: product.u8(52) }),
          ...(product.u8(53) && { frequency: product.u8(53) }),
        },
      };
    case 12:
      return { ensemble: ensembleOf(product.u16(50), product.u16(63)), extra: {} };
    case 15:
    case 16:
    case 23:
      return { ensemble: ensembleOf(product.u16(50), 0), extra: {} };
    default:
      return { extra: {} };
  }
}

/** A field of no ensemble has member 0 of 0. */
const ensembleOf = (member: number, size: number): Ensemble | undefined =>
  member === 0 && size === 0 ? undefined : { member, size };

/** Octets 4 to 11 of section 4 and, for spectral fields, on to 18. */
function readPacking(head: Octets, grid: Grid, decimalScale: number): Packing {
  const flags = head.u8(4);
  const scaling = scalingOf(head.ibm32(7), head.s16(5), decimalScale);
  const bits = head.u8(11);
  const spectral = (flags & 0x80) !== 0;
  const complex = (flags & 0x40) !== 0;
  if (spectral !== (grid.kind === "spectral"))
    throw new GribError(`the data section and the grid disagree on whether the field is spectral`);
  if (spectral && complex) {
    const [j, k, m] = [head.u8(16), head.u8(17), head.u8(18)];
    if (j !== k || j !== m)
      return { kind: "refused", reason: `an unpacked spectral subset J=${j}, K=${k}, M=${m} is not triangular` };
    return { kind: "spectral-complex", bits, scaling, laplacian: head.s16(14) / 1000, subset: j, floats: "ibm32" };
  }
  // The mean, coefficient (0,0), stands unpacked in octets 12 to 15.
  if (spectral) return { kind: "spectral-simple", bits, scaling, mean: head.ibm32(12) };
  if (complex) return { kind: "second-order-1", decimalScale };
  if (flags & 0x10) {
    // ECMWF writes IEEE floats with both the integer and the additional flag set; otherwise it is a matrix per point.
    if (flags & 0x20) return { kind: "ieee", bits: head.u8(12) === 2 ? 64 : 32 };
    return { kind: "refused", reason: "a matrix of values at each grid point (octet 14 of section 4) is not read" };
  }
  return { kind: "simple", bits, scaling };
}
