/**
 * The part of ONNX's protobuf that Foehn reads and writes (onnx.proto3), as one table and a wire coder over it.
 *
 * Own code rather than a library because files may be hostile: every length is checked against the bytes that are there
 * before anything is allocated, nesting is bounded, and bytes are viewed, never copied.
 * Wire format: https://protobuf.dev/programming-guides/encoding/
 */
import { FoehnError } from "../errors.js";

type Scalar = "int64" | "float" | "double" | "string" | "bytes";
type Field = readonly [name: string, type: Scalar | keyof typeof MESSAGES, repeated?: "repeated"];

/** Messages by name: field number to name and type. Field numbers are the standard's. */
const MESSAGES = {
  Model: {
    1: ["irVersion", "int64"],
    2: ["producerName", "string"],
    3: ["producerVersion", "string"],
    6: ["docString", "string"],
    7: ["graph", "Graph"],
    8: ["opsetImport", "OperatorSetId", "repeated"],
    14: ["metadata", "StringEntry", "repeated"],
    25: ["functions", "bytes", "repeated"],
  },
  OperatorSetId: { 1: ["domain", "string"], 2: ["version", "int64"] },
  StringEntry: { 1: ["key", "string"], 2: ["value", "string"] },
  Graph: {
    1: ["node", "Node", "repeated"],
    2: ["name", "string"],
    5: ["initializer", "Tensor", "repeated"],
    11: ["input", "ValueInfo", "repeated"],
    12: ["output", "ValueInfo", "repeated"],
    15: ["sparseInitializer", "bytes", "repeated"],
  },
  Node: {
    1: ["input", "string", "repeated"],
    2: ["output", "string", "repeated"],
    3: ["name", "string"],
    4: ["opType", "string"],
    5: ["attribute", "Attribute", "repeated"],
    7: ["domain", "string"],
  },
  Attribute: {
    1: ["name", "string"],
    2: ["f", "float"],
    3: ["i", "int64"],
    4: ["s", "bytes"],
    5: ["t", "Tensor"],
    6: ["g", "bytes"],
    7: ["floats", "float", "repeated"],
    8: ["ints", "int64", "repeated"],
    9: ["strings", "bytes", "repeated"],
    11: ["graphs", "bytes", "repeated"],
    20: ["type", "int64"],
    21: ["refAttrName", "string"],
  },
  Tensor: {
    1: ["dims", "int64", "repeated"],
    2: ["dataType", "int64"],
    4: ["floatData", "float", "repeated"],
    5: ["int32Data", "int64", "repeated"],
    7: ["int64Data", "int64", "repeated"],
    8: ["name", "string"],
    9: ["rawData", "bytes"],
    10: ["doubleData", "double", "repeated"],
    11: ["uint64Data", "int64", "repeated"],
    12: ["docString", "string"],
    13: ["externalData", "StringEntry", "repeated"],
    14: ["dataLocation", "int64"],
  },
  ValueInfo: { 1: ["name", "string"], 2: ["type", "Type"] },
  Type: { 1: ["tensorType", "TensorType"] },
  TensorType: { 1: ["elemType", "int64"], 2: ["shape", "TensorShape"] },
  TensorShape: { 1: ["dim", "Dimension", "repeated"] },
  Dimension: { 1: ["dimValue", "int64"], 2: ["dimParam", "string"] },
} as const satisfies Record<string, Record<number, readonly [string, string, "repeated"?]>>;

type MessageName = keyof typeof MESSAGES;
type ValueOf<T> = T extends "int64"
  ? bigint
  : T extends "float" | "double"
    ? number
    : T extends "string"
      ? string
      : T extends "bytes"
        ? Uint8Array
        : T extends MessageName
          ? Message<T>
          : never;
/** A message as an object: repeated fields are lists (left out when empty), others optional. */
export type Message<M extends MessageName> = {
  [
    F in (typeof MESSAGES)[M][keyof (typeof MESSAGES)[M]] as F extends readonly [
      infer Name extends string,
      ...unknown[],
    ]
      ? Name
      : never
  ]?: F extends readonly [string, infer T, "repeated"]
    ? ValueOf<T>[]
    : F extends readonly [string, infer T]
      ? ValueOf<T>
      : never;
};

const WIRE = { varint: 0, fixed64: 1, length: 2, fixed32: 5 } as const;
const MAX_DEPTH = 16; // a model nests seven deep

/** Reads a message. `source` names the file in errors; errors name the byte. */
export function decodeMessage<M extends MessageName>(name: M, bytes: Uint8Array, source: string): Message<M> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const text = new TextDecoder();
  let at = 0;
  const fail = (why: string): never => {
    throw new FoehnError(`${source}: not a whole ONNX file: ${why} at byte ${at}; export or copy it again`);
  };
  const varint = (end: number): bigint => {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      if (at >= end) fail("it ends within a number");
      const byte = bytes[at++];
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asIntN(64, value);
    }
    return fail("a number has more than ten bytes");
  };
  const length = (end: number): number => {
    const n = varint(end);
    if (n < 0n || n > BigInt(end - at)) fail(`a field claims ${n} bytes where ${end - at} are left`);
    return Number(n);
  };
  const fixed = (size: number, end: number): number => {
    if (at + size > end) fail("it ends within a number");
    at += size;
    return at - size;
  };
  const scalar = (type: Scalar, end: number): unknown => {
    if (type === "int64") return varint(end);
    if (type === "float") return view.getFloat32(fixed(4, end), true);
    if (type === "double") return view.getFloat64(fixed(8, end), true);
    const n = length(end);
    at += n;
    const slice = bytes.subarray(at - n, at);
    return type === "string" ? text.decode(slice) : slice;
  };
  const message = (of: MessageName, end: number, depth: number): Record<string, unknown> => {
    if (depth > MAX_DEPTH) fail("messages nest too deep");
    const out: Record<string, unknown> = {};
    const fields: Record<number, Field | undefined> = MESSAGES[of];
    while (at < end) {
      const tag = Number(varint(end));
      const wire = tag & 7;
      const field = fields[Math.floor(tag / 8)];
      if (!field) {
        if (wire === WIRE.varint) varint(end);
        else if (wire === WIRE.length) at += length(end);
        else if (wire === WIRE.fixed32) fixed(4, end);
        else if (wire === WIRE.fixed64) fixed(8, end);
        else fail(`unknown wire type ${wire}`);
        continue;
      }
      const [key, type, repeated] = field;
      const expected =
        type === "int64"
          ? WIRE.varint
          : type === "float"
            ? WIRE.fixed32
            : type === "double"
              ? WIRE.fixed64
              : WIRE.length;
      const list = repeated ? ((out[key] ??= []) as unknown[]) : undefined;
      if (type in MESSAGES) {
        if (wire !== WIRE.length) fail(`field '${key}' has wire type ${wire}`);
        const size = length(end); // moves `at` past the length before the end is computed
        const value = message(type as MessageName, at + size, depth + 1);
        if (list) list.push(value);
        else out[key] = value;
      } else if (list && wire === WIRE.length && expected !== WIRE.length) {
        const size = length(end); // packed numbers
        const stop = at + size;
        while (at < stop) list.push(scalar(type as Scalar, stop));
      } else {
        if (wire !== expected) fail(`field '${key}' has wire type ${wire}`);
        const value = scalar(type as Scalar, end);
        if (list) list.push(value);
        else out[key] = value;
      }
    }
    if (at !== end) fail("a message runs past its end");
    return out;
  };
  return message(name, bytes.length, 0) as Message<M>;
}

/** Writes a message. Long byte fields are gathered, not copied twice. */
export function encodeMessage<M extends MessageName>(name: M, value: Message<M>): Uint8Array {
  const parts: Uint8Array[] = [];
  const total = encodeParts(name, value, parts);
  const out = new Uint8Array(total);
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

const utf8 = new TextEncoder();

function encodeParts(name: MessageName, value: Record<string, unknown>, parts: Uint8Array[]): number {
  let total = 0;
  const put = (bytes: Uint8Array): void => {
    parts.push(bytes);
    total += bytes.length;
  };
  const putVarint = (n: bigint): void => {
    const bytes: number[] = [];
    let rest = BigInt.asUintN(64, n);
    do {
      bytes.push(Number(rest & 0x7fn) | (rest > 0x7fn ? 0x80 : 0));
      rest >>= 7n;
    } while (rest > 0n);
    put(Uint8Array.from(bytes));
  };
  for (const [number, [key, type, repeated]] of Object.entries(MESSAGES[name] as Record<string, Field>)) {
    const given = value[key];
    if (given === undefined) continue;
    const tag = (wire: number) => putVarint(BigInt(Number(number) * 8 + wire));
    const lengthPrefixed = (bytes: Uint8Array) => {
      tag(WIRE.length);
      putVarint(BigInt(bytes.length));
      put(bytes);
    };
    if (repeated && (type === "int64" || type === "float" || type === "double")) {
      lengthPrefixed(packed(type, given as (number | bigint)[]));
      continue;
    }
    for (const item of repeated ? (given as unknown[]) : [given]) {
      if (type === "int64") {
        tag(WIRE.varint);
        putVarint(item as bigint);
      } else if (type === "float") {
        tag(WIRE.fixed32);
        put(new Uint8Array(Float32Array.of(item as number).buffer));
      } else if (type === "double") {
        tag(WIRE.fixed64);
        put(new Uint8Array(Float64Array.of(item as number).buffer));
      } else if (type === "string") lengthPrefixed(utf8.encode(item as string));
      else if (type === "bytes") lengthPrefixed(item as Uint8Array);
      else {
        const inner: Uint8Array[] = [];
        const size = encodeParts(type, item as Record<string, unknown>, inner);
        tag(WIRE.length);
        putVarint(BigInt(size));
        for (const part of inner) put(part);
      }
    }
  }
  return total;
}

function packed(type: "int64" | "float" | "double", values: readonly (number | bigint)[]): Uint8Array {
  if (type === "float") return new Uint8Array(Float32Array.from(values as number[]).buffer);
  if (type === "double") return new Uint8Array(Float64Array.from(values as number[]).buffer);
  const bytes: number[] = [];
  for (const value of values as bigint[]) {
    let rest = BigInt.asUintN(64, value);
    for (; rest > 0x7fn; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
    bytes.push(Number(rest));
  }
  return Uint8Array.from(bytes);
}
