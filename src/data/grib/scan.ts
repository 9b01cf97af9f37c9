/**
 * Finds the messages of a source and reads their headers, without decoding a value. A message is `GRIB`, its edition and
 * length, and `7777` at its end; what lies between messages (telex headings, padding) is skipped. A damaged message is
 * reported and the search goes on behind its first octets, so that one broken field does not hide the rest of a file.
 */
import { DataError } from "../../errors.js";
import type { ByteRange, GribField } from "./field.js";
import type { Grid } from "./grid.js";
import { GribError, octets } from "./octets.js";
import { readGrib1 } from "./read-grib1.js";
import { readGrib2 } from "./read-grib2.js";
import { type ByteSource, windowed } from "../byte-source.js";

/** A message that could not be read: where it begins, and why. */
export interface GribProblem {
  readonly offset: number;
  readonly message: string;
}

export interface GribIndex {
  readonly fields: readonly GribField[];
  readonly problems: readonly GribProblem[];
}

const SEARCH_BLOCK = 64 * 1024;

/** The index of a source. `path` is for messages; `limit` is how many problems are kept before the scan gives up. */
export async function indexGrib(
  source: ByteSource,
  path: string,
  options: { limit?: number } = {},
): Promise<GribIndex> {
  const { limit = 100 } = options;
  const headers = windowed(source);
  const fields: GribField[] = [];
  const grids = new Map<string, Grid>();
  /** Fields on the same grid share one description: a list of points per row is long. */
  const add = (field: GribField): void => {
    const { key } = field.grid;
    if (!grids.has(key)) grids.set(key, field.grid);
    fields.push({ ...field, grid: grids.get(key)! });
  };
  const problems: GribProblem[] = [];
  for (let at = await findMessage(headers, 0); at >= 0;) {
    let next = at + 4;
    try {
      const { range, edition } = await readIndicator(headers, at);
      next = range.offset + range.length;
      if (edition === 1) add(await readGrib1(headers, range));
      else (await readGrib2(headers, range)).forEach(add);
    } catch (error) {
      problems.push({ offset: at, message: `GRIB message at byte ${at}: ${describe(error)}` });
      if (problems.length > limit)
        throw new DataError(path, `more than ${limit} GRIB messages are damaged; the first: ${problems[0].message}`);
    }
    at = await findMessage(headers, next);
  }
  return { fields, problems };
}

/** What a person is told of an error; a section cut short ends in a RangeError of the platform. */
export const describe = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** The first `GRIB` at or after `from`, or -1. */
async function findMessage(source: ByteSource, from: number): Promise<number> {
  for (let at = from; at + 8 <= source.size; at += SEARCH_BLOCK) {
    const near = at === from ? 4 : SEARCH_BLOCK + 3; // mostly it is right here
    for (const length of new Set([near, SEARCH_BLOCK + 3])) {
      const bytes = await source.read(at, length);
      for (let i = 0; i + 4 <= bytes.length; i++)
        if (bytes[i] === 0x47 && bytes[i + 1] === 0x52 && bytes[i + 2] === 0x49 && bytes[i + 3] === 0x42) return at + i;
    }
  }
  return -1;
}

/** Section 0: edition and length, checked against the `7777` that must stand at the end. */
async function readIndicator(source: ByteSource, offset: number): Promise<{ range: ByteRange; edition: 1 | 2 }> {
  const head = octets(await source.read(offset, 16), "section 0 (indicator)");
  const edition = head.u8(8);
  let length: number;
  if (edition === 1) length = await length1(source, offset, head.u24(5));
  else if (edition === 2) length = head.u32(9) * 2 ** 32 + head.u32(13);
  else throw new GribError(`GRIB edition ${edition} does not exist here; 1 and 2 are read`);
  if (length < 12 || offset + length > source.size)
    throw new GribError(
      `it says it has ${length} bytes, but ${source.size - offset} are left; the file is cut short or damaged`,
    );
  const tail = await source.read(offset + length - 4, 4);
  if (!(tail.length === 4 && tail.every((byte) => byte === 0x37)))
    throw new GribError(`it says it has ${length} bytes, but does not end in 7777 there; its length is wrong`);
  return { range: { offset, length }, edition };
}

/**
 * Edition 1 has 24 bits for the length. ECMWF writes longer messages with the highest bit set: the rest counts units of
 * 120 bytes, and the data section's own length field says how many bytes too many that is.
 */
async function length1(source: ByteSource, offset: number, coded: number): Promise<number> {
  if (coded < 0x800000) return coded;
  let at = offset + 8;
  const sectionLength = async () => octets(await source.read(at, 3), "a section's head").u24(1);
  const flags = (await source.read(at + 7, 1))[0] ?? 0;
  at += await sectionLength();
  if (flags & 0x80) at += await sectionLength();
  if (flags & 0x40) at += await sectionLength();
  const excess = await sectionLength();
  return excess < 120 ? (coded & 0x7fffff) * 120 - excess + 4 : coded;
}
