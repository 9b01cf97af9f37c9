/**
 * An array of numbers: a flat typed array and its shape, row-major. Everything in Foehn that holds numbers is one of these;
 * a `Tensor` (graph/) only stands for one.
 */
import { FoehnError } from "../errors.js";

/** Element types and the typed array each lives in; `float16` and `bfloat16` as their bits, `bool` as 0 and 1. */
export interface TypedArrays {
  float64: Float64Array;
  float32: Float32Array;
  float16: Uint16Array;
  bfloat16: Uint16Array;
  int64: BigInt64Array;
  int32: Int32Array;
  int16: Int16Array;
  int8: Int8Array;
  uint64: BigUint64Array;
  uint32: Uint32Array;
  uint16: Uint16Array;
  uint8: Uint8Array;
  bool: Uint8Array;
}
export type DType = keyof TypedArrays;
export type TypedArray = TypedArrays[DType];
/** Element types whose values are plain JavaScript numbers. */
export type NumericDType = Exclude<DType, "int64" | "uint64" | "float16" | "bfloat16">;

export const TYPED_ARRAYS = {
  float64: Float64Array,
  float32: Float32Array,
  float16: Uint16Array,
  bfloat16: Uint16Array,
  int64: BigInt64Array,
  int32: Int32Array,
  int16: Int16Array,
  int8: Int8Array,
  uint64: BigUint64Array,
  uint32: Uint32Array,
  uint16: Uint16Array,
  uint8: Uint8Array,
  bool: Uint8Array,
} as const;

export type Shape = readonly number[];

export interface NdArray<T extends DType = DType> {
  readonly dtype: T;
  readonly shape: Shape;
  readonly data: TypedArrays[T];
}

/** The number of elements of a shape; 1 for a scalar `[]`. */
export const sizeOf = (shape: Shape): number => shape.reduce((product, n) => product * n, 1);

/** Row-major strides in elements. */
export function stridesOf(shape: Shape): number[] {
  const strides = new Array<number>(shape.length);
  for (let i = shape.length - 1, step = 1; i >= 0; step *= shape[i--]) strides[i] = step;
  return strides;
}

/** Wraps `data` in a shape; throws where the sizes differ. No copy. */
export function ndarray<T extends DType>(dtype: T, shape: Shape, data: TypedArrays[T]): NdArray<T> {
  if (data.length !== sizeOf(shape))
    throw new FoehnError(
      `an array of shape [${shape.join(", ")}] has ${sizeOf(shape)} elements, but ${data.length} were given`,
    );
  return { dtype, shape, data };
}

export function zeros<T extends DType>(dtype: T, shape: Shape): NdArray<T> {
  return { dtype, shape, data: new TYPED_ARRAYS[dtype](sizeOf(shape)) as TypedArrays[T] };
}

/** A float32 array from numbers. */
export const float32 = (shape: Shape, values: ArrayLike<number>): NdArray<"float32"> =>
  ndarray("float32", shape, new Float32Array(values));

/** An int64 array from plain integers. */
export const int64 = (shape: Shape, values: readonly number[]): NdArray<"int64"> =>
  ndarray("int64", shape, BigInt64Array.from(values, BigInt));

/** The elements as plain numbers, whatever the type (int64 beyond 2^53 loses digits; half floats are widened). */
export function toNumbers(array: NdArray): ArrayLike<number> {
  switch (array.dtype) {
    case "int64":
    case "uint64":
      return Float64Array.from(array.data as BigInt64Array, Number);
    case "float16":
      return Float32Array.from(array.data as Uint16Array, float16ToNumber);
    case "bfloat16":
      return Float32Array.from(array.data as Uint16Array, (bits) => bfloat16ToNumber(bits));
    default:
      return array.data as Float64Array;
  }
}

/** IEEE 754 binary16 bits to a number. */
export function float16ToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

const scratch = new DataView(new ArrayBuffer(4));

/** The upper half of an IEEE 754 binary32. */
export function bfloat16ToNumber(bits: number): number {
  scratch.setUint32(0, bits << 16);
  return scratch.getFloat32(0);
}
