/**
 * WebAssembly modules written byte by byte (WebAssembly 2.0, binary format): loops over numbers in memory, four single or two double
 * precision ones an instruction. The few words that the kernels are written in.
 */

const vector = (code: number): number[] => [0xfd, ...unsigned(code)];

/** Instructions without operands of their own. */
export const OP = {
  loop: [0x03, 0x40],
  end: [0x0b],
  /** Back to the loop's beginning if the number on the stack is not 0. */
  again: [0x0d, 0],
  addInt: [0x6a],
  multiplyInt: [0x6c],
  lessInt: [0x49],
  // pmin and pmax, of either precision: one machine instruction
  f32: { add: vector(0xe4), multiply: vector(0xe6), min: vector(0xea), max: vector(0xeb) },
  f64: {
    less: vector(0x49),
    abs: vector(0xec),
    add: vector(0xf0),
    subtract: vector(0xf1),
    multiply: vector(0xf2),
    min: vector(0xf6),
    max: vector(0xf7),
  },
  and: vector(0x4e),
} as const;

export const get = (local: number): number[] => [0x20, ...unsigned(local)];
export const set = (local: number): number[] => [0x21, ...unsigned(local)];
export const int = (value: number): number[] => [0x41, ...signed(value)];
/** The whole number at the address on the stack plus `offset`. */
export const loadInt = (offset: number): number[] => [0x28, 2, ...unsigned(offset)];
/** Sixteen bytes at the address on the stack plus `offset`. */
export const load = (offset: number): number[] => [...vector(0x00), 2, ...unsigned(offset)];
/** One single-precision number at the address on the stack plus `offset`, four times. */
export const loadSplat32 = (offset: number): number[] => [...vector(0x09), 2, ...unsigned(offset)];
export const store = (offset: number): number[] => [...vector(0x0b), 2, ...unsigned(offset)];
/** The same double-precision number twice. */
export const both = (value: number): number[] => {
  const bytes = new Uint8Array(new Float64Array([value, value]).buffer);
  return [...vector(0x0c), ...bytes];
};

export interface WasmFunction {
  readonly name: string;
  /** Whole numbers; the first locals. */
  readonly params: number;
  /** More locals: whole numbers, then vectors. */
  readonly ints: number;
  readonly vectors: number;
  readonly body: readonly number[];
}

/** An instance that exports `memory`, of so many bytes at first, and the functions by name. */
export function wasmInstance(
  functions: readonly WasmFunction[],
  bytes: number,
): { memory: WebAssembly.Memory } & Readonly<Record<string, (...of: number[]) => void>> {
  const section = (id: number, parts: readonly (readonly number[])[]): number[] => {
    const content = [...unsigned(parts.length), ...parts.flat()];
    return [id, ...unsigned(content.length), ...content];
  };
  const name = (text: string): number[] => [text.length, ...new TextEncoder().encode(text)];
  const code = ({ ints, vectors, body }: WasmFunction): number[] => {
    const all = [2, ...unsigned(ints), 0x7f, ...unsigned(vectors), 0x7b, ...body, ...OP.end];
    return [...unsigned(all.length), ...all];
  };
  const module = Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(
      1,
      functions.map(({ params }) => [0x60, params, ...new Array<number>(params).fill(0x7f), 0]),
    ),
    ...section(
      3,
      functions.map((_, k) => [k]),
    ),
    ...section(5, [[0, ...unsigned(Math.ceil(bytes / 65536))]]),
    ...section(7, [[...name("memory"), 2, 0], ...functions.map((f, k) => [...name(f.name), 0, k])]),
    ...section(10, functions.map(code)),
  ]);
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(module));
  return exports as ReturnType<typeof wasmInstance>;
}

/** Unsigned LEB128. */
function unsigned(value: number): number[] {
  const bytes: number[] = [];
  do {
    const low = value & 0x7f;
    value >>>= 7;
    bytes.push(value ? low | 0x80 : low);
  } while (value);
  return bytes;
}

/** Signed LEB128 of a number from 0 on. */
function signed(value: number): number[] {
  return value < 64 ? [value] : [(value & 0x7f) | 0x80, ...signed(value >>> 7)];
}
