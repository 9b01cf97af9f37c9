/**
 * One message of edition 2 to its fields: several may share a message, each section 7 ending one (regulation 92.2).
 * Octets as in the WMO Manual on Codes, FM 92-XIV GRIB, sections 0 to 8.
 */
import type { ByteRange, GribField } from "./field.js";
import type { Grid } from "./grid.js";
import { GribError, octets, type Octets } from "./octets.js";
import { type Product, readProduct } from "./product2.js";
import { readGrid2 } from "./read-grid2.js";
import { readRepresentation, type Representation } from "./representation2.js";
import type { ByteSource } from "../byte-source.js";
import { instant } from "./times.js";

/** Header sections 1 to 5 are read whole; a longer one is damaged (a list of points per row has 4 bytes a row). */
const MAX_HEADER = 1 << 20;
const NAMES = [
  "",
  "identification",
  "local use",
  "grid definition",
  "product definition",
  "data representation",
  "bitmap",
  "data",
];

/** Reads the headers of the message; no value is touched. */
export async function readGrib2(source: ByteSource, message: ByteRange): Promise<GribField[]> {
  const discipline = (await source.read(message.offset + 6, 1))[0];
  const end = message.offset + message.length - 4; // before 7777
  const fields: GribField[] = [];
  let identification: Octets | undefined;
  let grid: Grid | undefined;
  let product: Product | undefined;
  let representation: Representation | undefined;
  let bitmap: ByteRange | undefined;
  for (let at = message.offset + 16; at < end;) {
    const head = octets(await source.read(at, 5), "a section's head");
    const [length, number] = [head.u32(1), head.u8(5)];
    const name = `section ${number} (${NAMES[number] ?? "unknown"})`;
    if (number < 1 || number > 7) throw new GribError(`byte ${at} begins section ${number}, which does not exist`);
    if (length < 5 || at + length > end)
      throw new GribError(`${name} at byte ${at} says it has ${length} octets, more than the message holds`);
    const whole = async () => {
      if (length > MAX_HEADER) throw new GribError(`${name} at byte ${at} says it has ${length} octets; it is damaged`);
      return octets(await source.read(at, length), name);
    };
    if (number > 1 && !identification) throw new GribError(`${name} comes before section 1`);
    if (number === 1) identification = await whole();
    else if (number === 3) grid = readGrid2(await whole());
    else if (number === 4) product = readProduct(await whole(), referenceTime(identification!));
    else if (number === 5) representation = readRepresentation(await whole(), grid);
    else if (number === 6) bitmap = readBitmap((await source.read(at, 6))[5], { offset: at, length }, bitmap);
    else if (number === 7) {
      if (!grid || !product || !representation)
        throw new GribError(`${name} at byte ${at} comes before the sections that describe it`);
      fields.push({
        edition: 2,
        message,
        centre: identification!.u16(6),
        subCentre: identification!.u16(8),
        parameter: {
          edition: 2,
          centre: identification!.u16(6),
          discipline,
          category: product.category,
          number: product.number,
        },
        time: referenceTime(identification!),
        step: product.step,
        level: product.level,
        ensemble: product.ensemble,
        extra: product.extra,
        grid,
        packing: representation.packing,
        packedCount: representation.count,
        bitmap,
        data: { offset: at, length },
      });
    }
    at += length;
  }
  if (!fields.length) throw new GribError("the message holds no data section");
  return fields;
}

const referenceTime = (section: Octets): number =>
  instant(section.u16(13), section.u8(15), section.u8(16), section.u8(17), section.u8(18), section.u8(19));

/** Code table 6.0. */
function readBitmap(indicator: number, range: ByteRange, previous: ByteRange | undefined): ByteRange | undefined {
  if (indicator === 0) return range;
  if (indicator === 255) return undefined;
  if (indicator === 254) {
    if (!previous) throw new GribError("the field uses the bitmap of a field before it, but there is none");
    return previous;
  }
  throw new GribError(`the bitmap is predefined number ${indicator}, not part of the message; it is not read`);
}
