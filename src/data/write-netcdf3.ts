/**
 * Writes the NetCDF classic formats, piece by piece: CDF-2, or CDF-5 where a type or size asks for it. The grammar is that
 * of `netcdf3.ts` (NetCDF Users Guide, "File format specifications"); no dimension is unlimited.
 */
import { DataError } from "../errors.js";
import { type DType, float16ToNumber, type NdArray, sizeOf } from "../tensor/ndarray.js";
import type { Attributes, AttributeValue, Dataset, Variable } from "./dataset.js";
import { NC_ATTRIBUTE, NC_DIMENSION, NC_TYPES, NC_VARIABLE, swapBytes } from "./netcdf3.js";
import { chunkShape, pieces } from "./template.js";

/** Where bytes go, in order of call at any position. */
export interface ByteSink {
  write(offset: number, bytes: Uint8Array): Promise<void>;
}

/** Types the classic formats lack are widened. */
const STORED: Partial<Record<DType, DType>> = { float16: "float32", bfloat16: "float32", bool: "int8" };
const CDF5_ONLY = new Set<DType>(["uint8", "uint16", "uint32", "int64", "uint64"]);
const PIECE_VALUES = 2 ** 21;

interface Laid {
  v: Variable;
  type: DType | "char";
  /** With the length of texts as a last dimension. */
  dims: string[];
  shape: number[];
  texts?: string[];
  bytes: number;
  begin: number;
}

const codeOf = (type: DType | "char"): number =>
  Number(Object.entries(NC_TYPES).find(([, each]) => each.type === type)![0]);
const widthOf = (type: DType | "char"): number => NC_TYPES[codeOf(type)].bytes;
const padded = (n: number): number => Math.ceil(n / 4) * 4;

/** Writes a whole dataset; gives the format's name. */
export async function writeNetcdf3(dataset: Dataset, sink: ByteSink): Promise<"CDF-2" | "CDF-5"> {
  const laid: Laid[] = [];
  const dims: Record<string, number> = { ...dataset.dims };
  for (const v of dataset.variables.values()) laid.push(await layout(v, dims));
  if (Object.values(dims).includes(0))
    throw new DataError(
      dataset.source,
      "a dimension has no values, which NetCDF-3 takes for unlimited; write NetCDF-4 or Zarr",
    );
  const isLarge = laid.some(({ type, bytes }) => CDF5_ONLY.has(type as DType) || bytes > 2 ** 32 - 4);
  const version = isLarge ? 5 : 2;
  const headerBytes = header(dataset, dims, laid, version).length;
  let end = headerBytes;
  for (const each of laid) {
    each.begin = end;
    end += padded(each.bytes);
  }
  await sink.write(0, header(dataset, dims, laid, version));
  for (const each of laid) await writeValues(each, sink);
  // the file ends where its last variable's padding does
  if (laid.length > 0) {
    const last = laid.at(-1)!;
    const padding = padded(last.bytes) - last.bytes;
    if (padding > 0) await sink.write(last.begin + last.bytes, new Uint8Array(padding));
  }
  return isLarge ? "CDF-5" : "CDF-2";
}

async function layout(v: Variable, dims: Record<string, number>): Promise<Laid> {
  const laid: Laid = {
    v,
    type: STORED[v.dtype] ?? v.dtype,
    dims: [...v.dims],
    shape: [...v.shape],
    bytes: 0,
    begin: 0,
  };
  if (v.readStrings) {
    laid.texts = await v.readStrings();
    const length = Math.max(1, ...laid.texts.map((text) => new TextEncoder().encode(text).length));
    const name = `string${length}`;
    dims[name] = length;
    laid.type = "char";
    laid.dims.push(name);
    laid.shape.push(length);
  }
  laid.bytes = sizeOf(laid.shape) * widthOf(laid.type);
  return laid;
}

/** The header: magic, records, dimensions, attributes, variables with their places. */
function header(dataset: Dataset, dims: Record<string, number>, laid: readonly Laid[], version: 2 | 5): Uint8Array {
  const parts: Uint8Array[] = [];
  const view = (n: number): DataView => {
    const bytes = new Uint8Array(n);
    parts.push(bytes);
    return new DataView(bytes.buffer);
  };
  const u32 = (n: number): void => view(4).setUint32(0, n);
  const u64 = (n: number): void => view(8).setBigUint64(0, BigInt(n));
  const nonNegative = version === 5 ? u64 : u32;
  const raw = (bytes: Uint8Array): void => {
    const space = new Uint8Array(padded(bytes.length));
    space.set(bytes);
    parts.push(space);
  };
  const name = (text: string): void => {
    const bytes = new TextEncoder().encode(text);
    nonNegative(bytes.length);
    raw(bytes);
  };
  const list = <T>(tag: number, items: readonly T[], one: (item: T) => void): void => {
    u32(items.length ? tag : 0);
    nonNegative(items.length);
    items.forEach(one);
  };
  const attribute = ([key, value]: [string, AttributeValue]): void => {
    name(key);
    const texts =
      typeof value === "string"
        ? value
        : typeof value === "number"
          ? undefined
          : value.every((x) => typeof x === "string")
            ? value.join(" ")
            : undefined;
    if (texts !== undefined) {
      const bytes = new TextEncoder().encode(texts);
      u32(codeOf("char"));
      nonNegative(bytes.length);
      raw(bytes);
      return;
    }
    const numbers = (typeof value === "number" ? [value] : value) as readonly number[];
    const whole = numbers.every((x) => Number.isInteger(x) && Math.abs(x) < 2 ** 31);
    u32(codeOf(whole ? "int32" : "float64"));
    nonNegative(numbers.length);
    raw(bigEndian(whole ? Int32Array.from(numbers) : Float64Array.from(numbers)));
  };
  const attributes = (attrs: Attributes, fill?: DType | "char"): void => {
    const entries = Object.entries(attrs).filter(([key]) => key !== "_FillValue");
    const hasFill = fill === "float32" || fill === "float64";
    list(NC_ATTRIBUTE, hasFill ? [...entries, undefined] : entries, (entry) => {
      if (entry) return attribute(entry);
      // missing values are NaN: said so, in the variable's own type
      name("_FillValue");
      u32(codeOf(fill!));
      nonNegative(1);
      raw(bigEndian(fill === "float32" ? Float32Array.of(NaN) : Float64Array.of(NaN)));
    });
  };
  const names = Object.keys(dims);
  parts.push(Uint8Array.of(0x43, 0x44, 0x46, version));
  nonNegative(0);
  list(NC_DIMENSION, names, (dim) => {
    name(dim);
    nonNegative(dims[dim]);
  });
  attributes(dataset.attrs);
  list(NC_VARIABLE, laid, ({ v, type, dims: own, bytes, begin }) => {
    name(v.name.replaceAll("/", "_"));
    nonNegative(own.length);
    for (const dim of own) nonNegative(names.indexOf(dim));
    attributes(v.attrs, type);
    u32(codeOf(type));
    const size = padded(bytes);
    nonNegative(version === 2 && size > 2 ** 32 - 4 ? 2 ** 32 - 1 : size);
    u64(begin);
  });
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

function bigEndian(values: NdArray["data"]): Uint8Array {
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  if (values.BYTES_PER_ELEMENT === 1) return bytes;
  const out = new Uint8Array(bytes.length);
  swapBytes(bytes, out, values.BYTES_PER_ELEMENT);
  return out;
}

async function writeValues({ v, type, shape, texts, begin }: Laid, sink: ByteSink): Promise<void> {
  if (texts) {
    const length = shape.at(-1)!;
    const bytes = new Uint8Array(texts.length * length);
    texts.forEach((text, i) => bytes.set(new TextEncoder().encode(text), i * length));
    return sink.write(begin, bytes);
  }
  const lengths = Object.fromEntries(v.dims.map((dim, axis) => [dim, shape[axis]]));
  let offset = begin;
  // pieces of whole rows follow each other in the file
  const rows = v.dims.length ? [Math.min(shape[0], chunkShape(v, lengths)[0]), ...shape.slice(1)] : [];
  for (const selection of pieces(v, rows, PIECE_VALUES)) {
    const array = await v.read(selection);
    const bytes = bigEndian(
      type === "float32" && array.dtype === "float16"
        ? Float32Array.from(array.data as Uint16Array, float16ToNumber)
        : array.data,
    );
    await sink.write(offset, bytes);
    offset += bytes.length;
  }
}
