/**
 * From what lies in a file to what it means: CF conventions 1.11, section 2.5.1 (missing data) and 8.1 (packed data), and
 * the NetCDF Users Guide's `_Unsigned` and default fill values.
 *
 * A reader gives **raw variables**: blocks of numbers as they lie in the file. `decoded` makes Variables of them: scaled,
 * missing values as NaN, and rid of the attributes that said so.
 */
import { DataError } from "../errors.js";
import { type DType, float16ToNumber, type NdArray, type TypedArray } from "../tensor/ndarray.js";
import { allocator, asArray, type Block, gather, keptShape } from "./blocks.js";
import { type Attributes, type AttributeValue, resolveSelection, type Selection, type Variable } from "./dataset.js";

export interface RawVariable {
  readonly name: string;
  readonly dims: readonly string[];
  readonly shape: readonly number[];
  readonly dtype: DType | "string";
  readonly attrs: Attributes;
  readonly chunks?: readonly number[];
  /** NetCDF's fill value for never-written floats (9.969e36) counts as missing, said or not. */
  readonly defaultFill?: boolean;
  /** The values of a block, row-major; strings where `dtype` is `string`. */
  readBlock(block: Block): Promise<TypedArray | string[]>;
}

/** Attributes that describe how values are stored; a decoded variable has them no more. */
const STORAGE_ATTRIBUTES = new Set([
  "scale_factor",
  "add_offset",
  "_FillValue",
  "missing_value",
  "valid_min",
  "valid_max",
  "valid_range",
  "_Unsigned",
]);

/** NetCDF's default fill values (netcdf.h): what never-written numbers are. Bytes have none. */
const NC_FILL_FLOAT = 9.969209968386869e36;
const NC_FILL: Partial<Record<DType, number>> = {
  int16: -32767,
  int32: -2147483647,
  uint16: 65535,
  uint32: 4294967295,
};
const INTEGER_BITS: Partial<Record<DType, number>> = {
  int8: 8,
  uint8: 8,
  int16: 16,
  uint16: 16,
  int32: 32,
  uint32: 32,
  int64: 64,
  uint64: 64,
};

/** How to decode one variable. */
interface Decoding {
  dtype: DType;
  scale: number;
  offset: number;
  missing: readonly number[];
  low: number;
  high: number;
  /** Bounds in decoded units rather than packed ones. */
  boundsDecoded: boolean;
  unsigned: boolean;
  identity: boolean;
}

const numbers = (value: AttributeValue | undefined): number[] =>
  value === undefined ? [] : (Array.isArray(value) ? value : [value]).map(Number);

function decodingOf({ dtype, attrs, defaultFill }: RawVariable): Decoding {
  if (dtype === "string") throw new TypeError("text is not decoded");
  const [scale = 1] = numbers(attrs["scale_factor"]);
  const [offset = 0] = numbers(attrs["add_offset"]);
  const packed = scale !== 1 || offset !== 0;
  const isFloat = dtype.startsWith("float") || dtype === "bfloat16";
  const missing = [...numbers(attrs["_FillValue"]), ...numbers(attrs["missing_value"])].filter((n) => !Number.isNaN(n));
  if (dtype === "float32") missing.forEach((n, i) => (missing[i] = Math.fround(n)));
  if (isFloat && defaultFill) missing.push(dtype === "float32" ? Math.fround(NC_FILL_FLOAT) : NC_FILL_FLOAT);
  const [rangeLow, rangeHigh] = numbers(attrs["valid_range"]);
  const low = numbers(attrs["valid_min"])[0] ?? rangeLow ?? -Infinity;
  const high = numbers(attrs["valid_max"])[0] ?? rangeHigh ?? Infinity;
  const bounded = low !== -Infinity || high !== Infinity;
  const bits = INTEGER_BITS[dtype];
  const unsigned = attrs["_Unsigned"] === "true" && dtype.startsWith("int");
  // Integers that lie outside what the packed type holds, or fractions, can only be meant in decoded units.
  const fitsPacked = (n: number): boolean =>
    !Number.isFinite(n) || (Number.isInteger(n) && Math.abs(n) <= 2 ** (bits ?? 0));
  const boundsDecoded = packed && bits !== undefined && !(fitsPacked(low) && fitsPacked(high));
  const floats = packed || missing.length > 0 || bounded;
  // integers that become floats anyway lose the default fill too; others stay integers as they are
  if (defaultFill && floats && NC_FILL[dtype] !== undefined && attrs["_FillValue"] === undefined)
    missing.push(NC_FILL[dtype]);
  let out: DType = dtype;
  if (dtype === "float16" || dtype === "bfloat16") out = "float32";
  else if (bits !== undefined && floats)
    // float32 keeps 16 packed bits exactly enough unless the offset dwarfs the step: 2^-24 |offset| against the step
    out = bits <= 16 && Math.abs(offset) * 2 ** -24 < Math.abs(scale) / 8 ? "float32" : "float64";
  const identity = out === dtype && !floats && !unsigned;
  return { dtype: out, scale, offset, missing, low, high, boundsDecoded, unsigned, identity };
}

function decodeBlock(raw: TypedArray, from: DType, how: Decoding): TypedArray {
  const { scale, offset, missing, low, high, boundsDecoded, unsigned, identity } = how;
  if (identity) return raw;
  const plain = missing.length <= 1 && low === -Infinity && high === Infinity && !unsigned;
  // the two ways in which most files are packed have loops of their own, which take a tenth of the time
  if (plain && scale === 1 && offset === 0 && raw instanceof Float32Array) return withoutFill(raw, missing[0]);
  const out = allocator(how.dtype)(raw.length) as Float64Array;
  if (plain && raw instanceof Int16Array && (out as TypedArray) instanceof Float32Array) {
    unpackShorts(raw, how, out as unknown as Float32Array);
    return out;
  }
  const wrap = unsigned ? 2 ** INTEGER_BITS[from]! : 0;
  const single = missing.length === 1 ? missing[0] : NaN;
  for (let i = 0; i < raw.length; i++) {
    let value = from === "float16" ? float16ToNumber(raw[i] as number) : Number(raw[i]);
    const isMissing = missing.length > 1 ? missing.includes(value) : value === single;
    if (value < 0 && wrap) value += wrap;
    const decoded = value * scale + offset;
    const bounded = boundsDecoded ? decoded : value;
    out[i] = isMissing || bounded < low || bounded > high ? NaN : decoded;
  }
  return out;
}

/** Float32 with one number for what is missing: the same array where none is. */
function withoutFill(raw: Float32Array, fill: number): Float32Array {
  let first = 0;
  while (first < raw.length && raw[first] !== fill) first++;
  if (first === raw.length) return raw;
  const out = raw.slice();
  for (let i = first; i < out.length; i++) if (out[i] === fill) out[i] = NaN;
  return out;
}

/** Shorts by scale and offset, with one number at most for what is missing. */
function unpackShorts(raw: Int16Array, { scale, offset, missing }: Decoding, out: Float32Array): void {
  const fill = missing.length ? missing[0] : NaN;
  for (let i = 0; i < raw.length; i++) out[i] = raw[i] === fill ? NaN : raw[i] * scale + offset;
}

/** A raw variable as its users see it. */
export function decoded(raw: RawVariable, source: string): Variable {
  const { name, dims, shape, chunks } = raw;
  if (raw.dtype === "string") return textVariable(raw, source);
  const from = raw.dtype;
  const how = decodingOf(raw);
  const attrs = how.identity && !how.missing.length ? raw.attrs : withoutStorage(raw.attrs);
  return {
    name,
    dims,
    shape,
    chunks,
    attrs,
    dtype: how.dtype,
    async read(selection: Selection = {}): Promise<NdArray> {
      const axes = resolveSelection(raw, selection, source);
      const values = await gather(
        axes,
        chunks,
        async (block) => decodeBlock((await raw.readBlock(block)) as TypedArray, from, how),
        (size) => allocator(how.dtype)(size) as TypedArray,
      );
      return asArray(how.dtype, keptShape(axes), values);
    },
  };
}

const withoutStorage = (attrs: Attributes): Attributes =>
  Object.fromEntries(Object.entries(attrs).filter(([key]) => !STORAGE_ATTRIBUTES.has(key)));

function textVariable(raw: RawVariable, source: string): Variable {
  const { name, dims, shape, chunks } = raw;
  return {
    name,
    dims,
    shape,
    chunks,
    attrs: withoutStorage(raw.attrs),
    dtype: "uint8",
    async read(): Promise<NdArray> {
      throw new DataError(source, `variable '${name}' holds text, not numbers; leave it out of what is computed with`);
    },
    async readStrings(selection: Selection = {}): Promise<string[]> {
      const axes = resolveSelection(raw, selection, source);
      return gather(
        axes,
        chunks,
        async (block) => (await raw.readBlock(block)) as string[],
        (size) => new Array<string>(size).fill(""),
      );
    },
  };
}

/** True of a text variable: it can be read as strings only. */
export const isText = (variable: Variable): boolean => variable.readStrings !== undefined;
