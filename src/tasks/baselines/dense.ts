/**
 * The few dense products that baselines live on: dots of long vectors with one another, and sums of them. Of many vectors at once
 * they are WebAssembly over tiles of the vectors, so that memory is read once and four numbers are done an instruction.
 */
import { get, int, load, loadSplat32, OP, set, store, wasmInstance, type WasmFunction } from "../../tensor/wasm.js";

export type Numbers = Float32Array | Float64Array;

export function dot(a: Numbers, b: Numbers): number {
  // Four sums, so that an addition need not wait for the one before.
  let s0 = 0;
  let s1 = 0;
  let s2 = 0;
  let s3 = 0;
  const whole = a.length - (a.length % 4);
  for (let i = 0; i < whole; i += 4) {
    s0 += a[i] * b[i];
    s1 += a[i + 1] * b[i + 1];
    s2 += a[i + 2] * b[i + 2];
    s3 += a[i + 3] * b[i + 3];
  }
  for (let i = whole; i < a.length; i++) s0 += a[i] * b[i];
  return s0 + s1 + (s2 + s3);
}

/**
 * The dots of every vector of `a` with every one of `b`, [a.length, b.length]. Single precision within a tile, double precision
 * beyond: to about 1e-7 of |a| |b|.
 */
export function dots(a: readonly Float32Array[], b: readonly Float32Array[]): Float64Array {
  const out = new Float64Array(a.length * b.length);
  const [left, right] = [padded(a.length, 4), padded(b.length, 2)];
  const { floats, dots8 } = memoryOf((left + right) * TILE + 32);
  const sums = (left + right) * TILE; // of a block, as numbers from here
  for (let from = 0; from < (a[0]?.length ?? 0); from += TILE) {
    const size = fill(floats, 0, a, from);
    fill(floats, left, b, from);
    for (let i = 0; i < a.length; i += 4)
      for (let j = 0; j < b.length; j += 2) {
        dots8(4 * i * TILE, 4 * (left + j) * TILE, 4 * sums, 4 * (i * TILE + size));
        for (let k = i; k < Math.min(i + 4, a.length); k++)
          for (let l = j; l < Math.min(j + 2, b.length); l++) {
            const at = sums + 8 * (k - i) + 4 * (l - j);
            out[k * b.length + l] += floats[at] + floats[at + 1] + (floats[at + 2] + floats[at + 3]);
          }
      }
  }
  return out;
}

/** out[i] += Σ_k factors[i, k] vectors[k], in single precision. */
export function combine(
  out: readonly Float32Array[],
  vectors: readonly Float32Array[],
  factors: ArrayLike<number>,
): void {
  if (vectors.length === 0) return;
  const rows = padded(out.length, 4);
  const table = (rows + vectors.length) * TILE; // factors by fours of rows: [row / 4][vector][4]
  const { floats, mix4 } = memoryOf(table + rows * vectors.length);
  for (let i = 0; i < rows; i++)
    for (let k = 0; k < vectors.length; k++)
      floats[table + ((i >> 2) * vectors.length + k) * 4 + (i & 3)] =
        i < out.length ? factors[i * vectors.length + k] : 0;
  for (let from = 0; from < (out[0]?.length ?? 0); from += TILE) {
    const size = fill(floats, 0, out, from);
    fill(floats, rows, vectors, from);
    for (let i = 0; i < rows; i += 4) {
      const factor = 4 * (table + i * vectors.length);
      mix4(4 * i * TILE, 4 * rows * TILE, factor, 4 * (i * TILE + size), factor + 16 * vectors.length);
    }
    const there = Math.min(TILE, out[0].length - from);
    out.forEach((row, i) => row.set(floats.subarray(i * TILE, i * TILE + there), from));
  }
}

/** Numbers of a vector in memory at a time: a hundred vectors of them nearly fit the second-level cache. */
const TILE = 1024;
const TILE_BYTES = 4 * TILE;

const padded = (count: number, by: number): number => Math.ceil(count / by) * by;

/** Puts a tile of vectors at rows `first`... of the memory; what is left of a last group of eight numbers is 0. Gives the size. */
function fill(floats: Float32Array, first: number, vectors: readonly Float32Array[], from: number): number {
  const there = Math.min(TILE, (vectors[0]?.length ?? from) - from);
  const size = padded(there, 8);
  vectors.forEach((vector, k) => {
    const at = (first + k) * TILE;
    floats.set(vector.subarray(from, from + there), at);
    floats.fill(0, at + there, at + size);
  });
  return size;
}

interface Kernel {
  readonly floats: Float32Array;
  /** Sums of eight pairs of rows, four and two of them, each as four part sums: (a, b, sums, end of a) in bytes. */
  readonly dots8: (a: number, b: number, sums: number, end: number) => void;
  /** Adds factors times vectors to four rows: (rows, vectors, factors, end of rows, end of factors) in bytes. */
  readonly mix4: (rows: number, vectors: number, factors: number, end: number, last: number) => void;
}

let instance: ReturnType<typeof wasmInstance> | undefined;

/** The kernels with memory for so many numbers at least. */
function memoryOf(numbers: number): Kernel {
  instance ??= wasmInstance([dotsFunction(), mixFunction()], 4 * numbers);
  const { memory, dots8, mix4 } = instance;
  const missing = 4 * numbers - memory.buffer.byteLength;
  if (missing > 0) memory.grow(Math.ceil(missing / 65536));
  return { floats: new Float32Array(memory.buffer), dots8, mix4 };
}

const step = (local: number, bytes: number): number[] => [...get(local), ...int(bytes), ...OP.addInt, ...set(local)];
const untilAt = (local: number, end: number): number[] => [...get(local), ...get(end), ...OP.lessInt, ...OP.again];

function dotsFunction(): WasmFunction {
  const [a, b, sums, end, first, second] = [0, 1, 2, 3, 4, 5];
  const sum = (row: number, column: number) => 6 + 2 * row + column;
  const { add, multiply } = OP.f32;
  const rows = [0, 1, 2, 3];
  const addProduct = (row: number, column: number, of: number) => [
    ...[...get(sum(row, column)), ...get(a), ...load(row * TILE_BYTES), ...get(of), ...multiply],
    ...[...add, ...set(sum(row, column))],
  ];
  return {
    name: "dots8",
    params: 4,
    ints: 0,
    vectors: 10,
    body: [
      ...OP.loop,
      ...[...get(b), ...load(0), ...set(first), ...get(b), ...load(TILE_BYTES), ...set(second)],
      ...rows.flatMap((row) => [...addProduct(row, 0, first), ...addProduct(row, 1, second)]),
      ...[...step(a, 16), ...step(b, 16), ...untilAt(a, end), ...OP.end],
      ...rows.flatMap((row) =>
        [0, 1].flatMap((column) => [...get(sums), ...get(sum(row, column)), ...store(32 * row + 16 * column)]),
      ),
    ],
  };
}

function mixFunction(): WasmFunction {
  const [rows, vectors, factors, end, last, vector, factor] = [0, 1, 2, 3, 4, 5, 6];
  const [low, high, times] = [7, 8, 9];
  const total = (row: number, half: number) => 10 + 2 * row + half;
  const { add, multiply } = OP.f32;
  const each = (of: (row: number, half: number) => number[]) =>
    [0, 1, 2, 3].flatMap((row) => [...of(row, 0), ...of(row, 1)]);
  const addTo = (row: number, half: number, value: number) => [
    ...[...get(total(row, half)), ...get(value), ...get(times), ...multiply, ...add, ...set(total(row, half))],
  ];
  return {
    name: "mix4",
    params: 5,
    ints: 2,
    vectors: 11,
    body: [
      ...OP.loop, // over numbers, eight at a time
      ...each((row, half) => [...get(rows), ...load(row * TILE_BYTES + 16 * half), ...set(total(row, half))]),
      ...[...get(vectors), ...set(vector), ...get(factors), ...set(factor)],
      ...OP.loop, // over vectors
      ...[...get(vector), ...load(0), ...set(low), ...get(vector), ...load(16), ...set(high)],
      ...[0, 1, 2, 3].flatMap((row) => [
        ...[...get(factor), ...loadSplat32(4 * row), ...set(times)],
        ...[...addTo(row, 0, low), ...addTo(row, 1, high)],
      ]),
      ...[...step(vector, TILE_BYTES), ...step(factor, 16), ...untilAt(factor, last), ...OP.end],
      ...each((row, half) => [...get(rows), ...get(total(row, half)), ...store(row * TILE_BYTES + 16 * half)]),
      ...[...step(rows, 32), ...step(vectors, 32), ...untilAt(rows, end), ...OP.end],
    ],
  };
}
