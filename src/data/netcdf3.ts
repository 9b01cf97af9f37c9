/**
 * The NetCDF classic formats CDF-1, CDF-2 (64-bit offset) and CDF-5 (64-bit data), read and written without a library.
 * Source: the NetCDF Users Guide, "File format specifications" (the grammar of the header is quoted by its names below).
 *
 * Numbers are big-endian; the header lists dimensions, attributes and variables with the offset where each begins.
 * Variables along the record dimension are interleaved: record 0 of each, record 1 of each, ...
 */
import { DataError } from "../errors.js";
import { type DType, sizeOf, stridesOf, TYPED_ARRAYS, type TypedArray } from "../tensor/ndarray.js";
import { type Block, product } from "./blocks.js";
import { decoded, type RawVariable } from "./cf.js";
import type { Attributes, AttributeValue, Dataset } from "./dataset.js";
import type { ByteSource } from "./byte-source.js";

type NcType = Exclude<DType, "float16" | "bfloat16" | "bool"> | "char";

/** `nc_type`: code, bytes a value; from 7 on in CDF-5 only. */
export const NC_TYPES: Readonly<Record<number, { type: NcType; bytes: number }>> = {
  1: { type: "int8", bytes: 1 },
  2: { type: "char", bytes: 1 },
  3: { type: "int16", bytes: 2 },
  4: { type: "int32", bytes: 4 },
  5: { type: "float32", bytes: 4 },
  6: { type: "float64", bytes: 8 },
  7: { type: "uint8", bytes: 1 },
  8: { type: "uint16", bytes: 2 },
  9: { type: "uint32", bytes: 4 },
  10: { type: "int64", bytes: 8 },
  11: { type: "uint64", bytes: 8 },
};

export const NC_DIMENSION = 10;
export const NC_VARIABLE = 11;
export const NC_ATTRIBUTE = 12;
/** Headers beyond this are taken for damage rather than read into memory. */
const LARGEST_HEADER = 64 * 2 ** 20;

interface HeaderVariable {
  name: string;
  dims: number[];
  attrs: Attributes;
  type: NcType;
  bytes: number;
  begin: number;
}

interface Header {
  version: 1 | 2 | 5;
  records: number;
  dims: { name: string; length: number }[];
  attrs: Attributes;
  variables: HeaderVariable[];
}

class Truncated extends Error {}

/** Reads the header's grammar from bytes; throws `Truncated` where more are needed. */
function parseHeader(bytes: Uint8Array, source: string): Header {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  const take = (n: number): number => {
    if (at + n > bytes.length) throw new Truncated();
    at += n;
    return at - n;
  };
  const damaged = (what: string): DataError =>
    new DataError(source, `its NetCDF header is damaged at byte ${at}: ${what}; copy the file again`);
  const version = bytes[3] as 1 | 2 | 5;
  take(4);
  const u32 = (): number => view.getUint32(take(4));
  const u64 = (): number => Number(view.getBigUint64(take(8)));
  const nonNegative = version === 5 ? u64 : u32;
  const offset = version === 1 ? u32 : u64;
  const padded = (n: number): number => Math.ceil(n / 4) * 4;
  const text = (n: number): string => {
    const from = take(padded(n));
    return new TextDecoder().decode(bytes.subarray(from, from + n)).replace(/\0+$/, "");
  };
  const name = (): string => text(nonNegative());
  const list = <T>(tag: number, what: string, one: () => T): T[] => {
    const found = u32();
    const count = nonNegative();
    if (found === 0 && count === 0) return [];
    if (found !== tag) throw damaged(`expected the list of ${what}, found tag ${found}`);
    if (count * 8 > LARGEST_HEADER) throw damaged(`${count} ${what}`);
    return Array.from({ length: count }, one);
  };
  const typeOf = (): { type: NcType; bytes: number } => {
    const code = u32();
    const type = NC_TYPES[code];
    if (!type || (code > 6 && version !== 5)) throw damaged(`type ${code} is unknown`);
    return type;
  };
  const attribute = (): [string, AttributeValue] => {
    const key = name();
    const { type, bytes: width } = typeOf();
    const count = nonNegative();
    if (count * width > LARGEST_HEADER) throw damaged(`attribute '${key}' of ${count} values`);
    if (type === "char") return [key, text(count)];
    const from = take(padded(count * width));
    const values = Array.from(bigEndian(bytes.subarray(from, from + count * width), type), Number);
    return [key, values.length === 1 ? values[0] : values];
  };
  const attributes = (): Attributes => Object.fromEntries(list(NC_ATTRIBUTE, "attributes", attribute));
  const streaming = version === 5 ? 2 ** 64 : 2 ** 32 - 1;
  const records = nonNegative();
  const dims = list(NC_DIMENSION, "dimensions", () => ({ name: name(), length: nonNegative() }));
  const attrs = attributes();
  const variables = list(NC_VARIABLE, "variables", (): HeaderVariable => {
    const key = name();
    const rank = nonNegative();
    if (rank > 1024) throw damaged(`variable '${key}' of ${rank} dimensions`);
    const ids = Array.from({ length: rank }, nonNegative);
    if (ids.some((id) => id >= dims.length))
      throw damaged(`variable '${key}' names dimension ${Math.max(...ids)} of ${dims.length}`);
    const own = attributes();
    const { type, bytes: width } = typeOf();
    nonNegative(); // vsize: redundant, and wrong for large variables
    return { name: key, dims: ids, attrs: own, type, bytes: width, begin: offset() };
  });
  return { version, records: records >= streaming ? -1 : records, dims, attrs, variables };
}

/** Big-endian bytes as numbers of this machine. */
function bigEndian(bytes: Uint8Array, type: NcType): TypedArray {
  if (type === "char") return bytes;
  const width = TYPED_ARRAYS[type].BYTES_PER_ELEMENT;
  const out = new Uint8Array(bytes.length);
  if (width === 1) out.set(bytes);
  else swapBytes(bytes, out, width);
  return new TYPED_ARRAYS[type](out.buffer);
}

/** Copies `from` to `to` with the bytes of each value reversed. */
export function swapBytes(from: Uint8Array, to: Uint8Array, width: number): void {
  for (let i = 0; i + width <= from.length; i += width)
    for (let j = 0; j < width; j++) to[i + j] = from[i + width - 1 - j];
}

/** Opens a CDF-1, CDF-2 or CDF-5 file; values are read by hyperslab when asked for. */
export async function openNetcdf3(
  bytes: ByteSource,
  options: { source: string; close?: () => Promise<void> },
): Promise<Dataset> {
  const { source, close = async () => {} } = options;
  const header = await readHeader(bytes, source);
  const { dims, variables } = header;
  const recordDim = dims.findIndex(({ length }) => length === 0);
  const isRecord = (v: HeaderVariable): boolean => v.dims.length > 0 && v.dims[0] === recordDim;
  const valuesOf = (v: HeaderVariable): number =>
    v.dims.slice(isRecord(v) ? 1 : 0).reduce((n, id) => n * dims[id].length, 1);
  const recordVariables = variables.filter(isRecord);
  // one record variable alone is not padded to four bytes
  const recordBytes =
    recordVariables.length === 1
      ? valuesOf(recordVariables[0]) * recordVariables[0].bytes
      : recordVariables.reduce((sum, v) => sum + Math.ceil((valuesOf(v) * v.bytes) / 4) * 4, 0);
  if (recordDim >= 0) dims[recordDim].length = recordCount(header, recordVariables, recordBytes, bytes.size);
  for (const v of variables)
    checkExtent(v, valuesOf(v), isRecord(v) ? { count: dims[recordDim].length, bytes: recordBytes } : undefined);

  function checkExtent(v: HeaderVariable, values: number, records?: { count: number; bytes: number }): void {
    const end = v.begin + values * v.bytes + (records ? (records.count - 1) * records.bytes : 0);
    if (end > bytes.size && values > 0 && records?.count !== 0)
      throw new DataError(
        source,
        `the file is truncated: variable '${v.name}' ends at byte ${end}, but there are only ${bytes.size}; copy the file again`,
      );
  }

  const raws = variables.map((v): RawVariable => {
    const shape = v.dims.map((id) => dims[id].length);
    const isText = v.type === "char";
    const raw = {
      name: v.name,
      dims: v.dims.map((id) => dims[id].name),
      shape,
      attrs: v.attrs,
      defaultFill: true,
      chunks: isRecord(v) ? shape.map((n, axis) => (axis === 0 ? 1 : n)) : undefined,
    };
    const read = (block: Block) => readHyperslab(bytes, v, shape, block, isRecord(v) ? recordBytes : undefined, source);
    if (!isText) return { ...raw, dtype: v.type as DType, readBlock: read };
    // characters along the last dimension are one text
    const length = shape.at(-1) ?? 1;
    return {
      ...raw,
      dims: raw.dims.slice(0, -1),
      shape: shape.slice(0, -1),
      chunks: undefined,
      dtype: "string",
      readBlock: async ({ start, count }) => {
        const whole = shape.length ? { start: [...start, 0], count: [...count, length] } : { start, count };
        return splitText((await read(whole)) as Uint8Array, length);
      },
    };
  });
  const format = `netcdf3 (CDF-${header.version})`;
  return {
    source,
    format,
    dims: Object.fromEntries(dims.map(({ name, length }) => [name, length])),
    variables: new Map(raws.map((raw) => [raw.name, decoded(raw, source)])),
    attrs: header.attrs,
    close,
  };
}

async function readHeader(bytes: ByteSource, source: string): Promise<Header> {
  for (let length = 64 * 1024; ; length *= 8) {
    const head = await bytes.read(0, Math.min(length, bytes.size));
    try {
      return parseHeader(head, source);
    } catch (error) {
      if (!(error instanceof Truncated)) throw error;
      if (head.length >= bytes.size || length > LARGEST_HEADER)
        throw new DataError(source, `the file ends inside its NetCDF header, at byte ${head.length}; copy it again`);
    }
  }
}

/** The number of records; counted from the file's size where the header leaves it open (a streaming writer). */
function recordCount(
  { records }: Header,
  variables: readonly HeaderVariable[],
  recordBytes: number,
  size: number,
): number {
  if (records >= 0 || recordBytes === 0) return Math.max(0, records);
  return Math.max(0, Math.floor((size - Math.min(...variables.map((v) => v.begin))) / recordBytes));
}

/** Bytes read at once at most where rows lie apart. */
const READ_BYTES = 4 * 2 ** 20;

/** Reads a block as runs of bytes that lie together. */
async function readHyperslab(
  bytes: ByteSource,
  v: HeaderVariable,
  shape: readonly number[],
  { start, count }: Block,
  recordBytes: number | undefined,
  source: string,
): Promise<TypedArray> {
  const rank = shape.length;
  const strides = stridesOf(recordBytes === undefined ? shape : [1, ...shape.slice(1)]).map((n) => n * v.bytes);
  if (recordBytes !== undefined) strides[0] = recordBytes;
  // axes from `split` on lie together in the file; those before are walked
  let split = rank;
  let run = 1;
  while (split > 0 && strides[split - 1] === run * v.bytes) {
    split--;
    run *= count[split];
    if (count[split] !== shape[split]) break;
  }
  const out = new Uint8Array(sizeOf(count) * v.bytes);
  const runBytes = run * v.bytes;
  // rows of the innermost walked axis are read together where little lies between them (records, columns of a box)
  const inner = Math.max(0, split - 1);
  const gap = split ? strides[inner] : runBytes;
  const rows = split ? count[inner] : 1;
  const together = runBytes * 8 >= gap ? Math.max(1, Math.min(rows, Math.floor(READ_BYTES / gap))) : 1;
  const outer = count.slice(0, inner).map((n) => Array.from({ length: n }, (_, i) => i));
  const base = start.reduce((sum, at, axis) => sum + at * strides[axis], v.begin);
  let at = 0;
  for (const choice of outer.length ? product(outer) : [[]]) {
    const offset = choice.reduce((sum, i, axis) => sum + i * strides[axis], base);
    for (let row = 0; row < rows; row += together) {
      const n = Math.min(together, rows - row);
      const length = (n - 1) * gap + runBytes;
      const piece = await bytes.read(offset + row * gap, length);
      if (piece.length < length)
        throw new DataError(
          source,
          `the file ends inside variable '${v.name}', at byte ${offset + row * gap + piece.length}; copy it again`,
        );
      for (let k = 0; k < n; k++) {
        out.set(piece.subarray(k * gap, k * gap + runBytes), at);
        at += runBytes;
      }
    }
  }
  return bigEndian(out, v.type);
}

/** Fixed-width texts, blanks and zeros at their ends dropped. */
export function splitText(bytes: Uint8Array, width: number): string[] {
  const decoder = new TextDecoder();
  return Array.from({ length: width ? bytes.length / width : 0 }, (_, i) =>
    decoder.decode(bytes.subarray(i * width, (i + 1) * width)).replace(/[\0 ]+$/, ""),
  );
}
