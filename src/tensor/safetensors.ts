/**
 * safetensors: named arrays in one file (https://github.com/huggingface/safetensors, format section of its README).
 * Eight bytes of header length, a JSON header, the raw little-endian bytes. Reading copies nothing; a hostile header is refused.
 */
import { FoehnError } from "../errors.js";
import { type DType, type NdArray, sizeOf, TYPED_ARRAYS } from "./ndarray.js";

const CODES = {
  float64: "F64",
  float32: "F32",
  float16: "F16",
  bfloat16: "BF16",
  int64: "I64",
  int32: "I32",
  int16: "I16",
  int8: "I8",
  uint64: "U64",
  uint32: "U32",
  uint16: "U16",
  uint8: "U8",
  bool: "BOOL",
} as const satisfies Record<DType, string>;
const DTYPES = Object.fromEntries(Object.entries(CODES).map(([dtype, code]) => [code, dtype])) as Record<string, DType>;

/** The format's own bound on the header, 100 MB. */
const MAX_HEADER = 100_000_000;

export interface Safetensors {
  readonly tensors: ReadonlyMap<string, NdArray>;
  readonly metadata: Readonly<Record<string, string>>;
}

/** Named arrays and optional string metadata to the bytes of a file. */
export function encodeSafetensors(
  tensors: Iterable<readonly [string, NdArray]>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  // Widest elements first: every array then starts on a multiple of its element size, so that reading need not copy.
  const entries = [...tensors].sort(
    (a, b) => TYPED_ARRAYS[b[1].dtype].BYTES_PER_ELEMENT - TYPED_ARRAYS[a[1].dtype].BYTES_PER_ELEMENT,
  );
  const header: Record<string, unknown> = {};
  if (Object.keys(metadata).length > 0) header["__metadata__"] = metadata;
  let end = 0;
  for (const [name, { dtype, shape, data }] of entries) {
    header[name] = { dtype: CODES[dtype], shape, data_offsets: [end, end + data.byteLength] };
    end += data.byteLength;
  }
  const text = new TextEncoder().encode(JSON.stringify(header));
  const headerLength = Math.ceil(text.length / 8) * 8; // padded with spaces, as the format recommends
  const bytes = new Uint8Array(8 + headerLength + end).fill(0x20, 8, 8 + headerLength);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(headerLength), true);
  bytes.set(text, 8);
  let offset = 8 + headerLength;
  for (const [, { data }] of entries) {
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), offset);
    offset += data.byteLength;
  }
  return bytes;
}

/** The bytes of a file to named arrays that look into those bytes. `source` names the file in errors. */
export function decodeSafetensors(bytes: Uint8Array, source = "safetensors"): Safetensors {
  const fail = (why: string, cause?: unknown): never => {
    throw new FoehnError(`${source}: not a whole safetensors file: ${why}; copy or write it again`, { cause });
  };
  if (bytes.length < 8) fail(`it has ${bytes.length} bytes`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const headerLength = Number(view.getBigUint64(0, true));
  if (headerLength > MAX_HEADER || headerLength > bytes.length - 8)
    fail(`its header claims ${headerLength} bytes of ${bytes.length}`);
  let header: Record<string, unknown> = {};
  try {
    header = JSON.parse(
      new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(8, 8 + headerLength)),
    ) as typeof header;
  } catch (cause) {
    fail("its header is not JSON", cause);
  }
  const body = bytes.subarray(8 + headerLength);
  const { __metadata__: metadata = {}, ...entries } = header;
  const tensors = new Map<string, NdArray>();
  for (const [name, entry] of Object.entries(entries)) {
    const {
      dtype: code,
      shape,
      data_offsets,
    } = entry as { dtype: string; shape: number[]; data_offsets: [number, number] };
    const dtype = DTYPES[code] ?? fail(`tensor '${name}' has the unknown type '${code}'`);
    const isCount = (n: unknown) => Number.isSafeInteger(n) && (n as number) >= 0;
    if (!Array.isArray(shape) || !shape.every(isCount) || !Array.isArray(data_offsets) || !data_offsets.every(isCount))
      fail(`tensor '${name}' has a malformed entry`);
    const [start, end] = data_offsets;
    const Type = TYPED_ARRAYS[dtype];
    const size = sizeOf(shape);
    if (end > body.length || end - start !== size * Type.BYTES_PER_ELEMENT)
      fail(`tensor '${name}' of shape [${shape.join(", ")}] lies at bytes ${start} to ${end} of ${body.length}`);
    const at = body.byteOffset + start;
    const data =
      at % Type.BYTES_PER_ELEMENT === 0
        ? new Type(body.buffer as ArrayBuffer, at, size)
        : new Type(body.slice(start, end).buffer, 0, size);
    tensors.set(name, { dtype, shape, data });
  }
  return { tensors, metadata: metadata as Record<string, string> };
}
