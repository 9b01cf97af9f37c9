/** NumPy's array files, `.npy` (NEP 1): a magic word, a header in Python's spelling, raw values. */
import { DataError } from "../errors.js";
import { type DType, type NdArray, sizeOf, TYPED_ARRAYS, type TypedArray } from "../tensor/ndarray.js";
import { swapBytes } from "./netcdf3.js";

const TYPES: Readonly<Record<string, DType>> = {
  f8: "float64",
  f4: "float32",
  f2: "float16",
  i8: "int64",
  i4: "int32",
  i2: "int16",
  i1: "int8",
  u8: "uint64",
  u4: "uint32",
  u2: "uint16",
  u1: "uint8",
  b1: "bool",
};

/** An array of numbers from the bytes of an `.npy` file. Objects (pickles) are refused. */
export function parseNpy(bytes: Uint8Array, source: string): NdArray {
  const damaged = (what: string): DataError =>
    new DataError(source, `it is not a whole .npy file: ${what}; copy it again`);
  if (bytes.length < 12 || String.fromCharCode(...bytes.subarray(1, 6)) !== "NUMPY")
    throw damaged("the magic word is missing");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const long = bytes[6] >= 2;
  const headerLength = long ? view.getUint32(8, true) : view.getUint16(8, true);
  const start = (long ? 12 : 10) + headerLength;
  if (start > bytes.length) throw damaged("the header is cut off");
  const header = new TextDecoder("latin1").decode(bytes.subarray(long ? 12 : 10, start));
  const descr = /'descr':\s*'([<>|=])(\w+)'/.exec(header);
  const order = /'fortran_order':\s*(True|False)/.exec(header);
  const shapeText = /'shape':\s*\(([^)]*)\)/.exec(header);
  if (!order || !shapeText) throw damaged("the header cannot be read");
  if (!descr || !TYPES[descr[2]])
    throw new DataError(
      source,
      `it holds ${descr ? `'${descr[2]}'` : "Python objects or records"}, not numbers; save it as numbers (numpy.save of a numeric array)`,
    );
  const shape = (shapeText[1].match(/\d+/g) ?? []).map(Number);
  const dtype = TYPES[descr[2]];
  const width = TYPED_ARRAYS[dtype].BYTES_PER_ELEMENT;
  const size = sizeOf(shape) * width;
  if (start + size > bytes.length)
    throw damaged(`${size} bytes of values were expected, ${bytes.length - start} are there`);
  const raw = new Uint8Array(size);
  if (descr[1] === ">" && width > 1) swapBytes(bytes.subarray(start, start + size), raw, width);
  else raw.set(bytes.subarray(start, start + size));
  const data = new TYPED_ARRAYS[dtype](raw.buffer) as TypedArray;
  const array = { dtype, shape, data } as NdArray;
  return order[1] === "True" && shape.length > 1 ? fromFortran(array) : array;
}

/** Column-major values in row-major order. */
function fromFortran({ dtype, shape, data }: NdArray): NdArray {
  const out = new TYPED_ARRAYS[dtype](data.length) as TypedArray;
  const at = shape.map(() => 0);
  const strides = shape.map((_, axis) => sizeOf(shape.slice(0, axis)));
  for (let i = 0; i < out.length; i++) {
    out[i] = data[at.reduce((sum, index, axis) => sum + index * strides[axis], 0)];
    for (let axis = shape.length - 1; axis >= 0 && ++at[axis] === shape[axis]; axis--) at[axis] = 0;
  }
  return { dtype, shape, data: out };
}

/** What stands before the values of an `.npy` file (version 1.0, little-endian, row-major). */
export function npyHeader(dtype: DType, shape: readonly number[]): Uint8Array {
  const code = Object.entries(TYPES).find(([, each]) => each === dtype)?.[0] ?? "u2";
  const shapeText = shape.length === 1 ? `${shape[0]},` : shape.join(", ");
  const order = code.endsWith("1") ? "|" : "<";
  const text = `{'descr': '${order}${code}', 'fortran_order': False, 'shape': (${shapeText}), }`;
  const padded = `${text.padEnd(Math.ceil((text.length + 11) / 64) * 64 - 11)}\n`;
  const out = new Uint8Array(10 + padded.length);
  out.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0]);
  new DataView(out.buffer).setUint16(8, padded.length, true);
  out.set(new TextEncoder().encode(padded), 10);
  return out;
}

/** The bytes of an `.npy` file. */
export function formatNpy({ dtype, shape, data }: NdArray): Uint8Array {
  const header = npyHeader(dtype, shape);
  const out = new Uint8Array(header.length + data.byteLength);
  out.set(header);
  out.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), header.length);
  return out;
}
