/**
 * What ensemble scores need of each cell, for all members at once: a WebAssembly function written for a given ensemble size.
 * Two cells are done side by side in double precision; members are sorted by Batcher's odd-even merge network (Knuth, The Art of
 * Computer Programming 3, 5.3.4), which has no branches to guess wrong. Sorting is what makes the CRPS exact in M log² M steps.
 */

/** Each [cells]. Cells where a member or the truth is missing are NaN in `mean`. */
export interface EnsembleFields {
  readonly members: number;
  readonly mean: Float64Array;
  /** Unbiased (divided by members - 1); 0 for one member. */
  readonly variance: Float64Array;
  /** Mean over members of |x_m - o|. */
  readonly absolute: Float64Array;
  /** Mean over pairs of different members of |x_i - x_j|; 0 for one member. */
  readonly pairs: Float64Array;
  /** How many members are below the truth. */
  readonly below: Float64Array;
}

/** Cells in memory at a time. */
const TILE = 512;
const OUTPUTS = ["mean", "variance", "absolute", "pairs", "below"] as const;

export interface EnsembleKernel {
  /** @param members fields of all members, each [cells] */
  run(members: readonly ArrayLike<number>[], truth: ArrayLike<number>): EnsembleFields;
}

const kernels = new Map<number, EnsembleKernel>();

/** The function for ensembles of `members`, made once. */
export function ensembleKernel(members: number): EnsembleKernel {
  let kernel = kernels.get(members);
  if (!kernel) kernels.set(members, (kernel = makeKernel(members)));
  return kernel;
}

function makeKernel(members: number): EnsembleKernel {
  const arrays = members + 1 + OUTPUTS.length;
  const module = new WebAssembly.Module(assemble(members) as Uint8Array<ArrayBuffer>);
  const { memory, tile } = new WebAssembly.Instance(module).exports as {
    memory: WebAssembly.Memory;
    tile: (cells: number) => void;
  };
  const slots = Array.from({ length: arrays }, (_, k) => new Float64Array(memory.buffer, k * TILE * 8, TILE));
  return {
    run(fields, truth) {
      const cells = truth.length;
      const out = OUTPUTS.map(() => new Float64Array(cells));
      for (let from = 0; from < cells; from += TILE) {
        const count = Math.min(TILE, cells - from);
        for (let m = 0; m < members; m++) slots[m].set(part(fields[m], from, count));
        slots[members].set(part(truth, from, count));
        tile(count);
        out.forEach((field, k) => field.set(slots[members + 1 + k].subarray(0, count), from));
      }
      const [mean, variance, absolute, pairs, below] = out;
      for (let i = 0; i < cells; i++) mean[i] += truth[i];
      return { members, mean, variance, absolute, pairs, below };
    },
  };
}

const part = (field: ArrayLike<number>, from: number, count: number): ArrayLike<number> =>
  ArrayBuffer.isView(field)
    ? (field as Float32Array).subarray(from, from + count)
    : Array.prototype.slice.call(field, from, from + count);

/** Pairs to compare and exchange, in order, that sort n values. */
export function sortingNetwork(n: number): [number, number][] {
  const pairs: [number, number][] = [];
  let size = 1;
  while (size < n) size *= 2;
  for (let p = 1; p < size; p *= 2)
    for (let k = p; k >= 1; k /= 2)
      for (let j = k % p; j <= size - 1 - k; j += 2 * k)
        for (let i = 0; i < k; i++)
          if (Math.floor((i + j) / (2 * p)) === Math.floor((i + j + k) / (2 * p)) && i + j + k < n)
            pairs.push([i + j, i + j + k]);
  return pairs;
}

// --- The module, byte by byte (WebAssembly 2.0, binary format) ---

const GET = 0x20;
const SET = 0x21;
const simd = (code: number) => [0xfd, ...unsigned(code)];
const LOAD = simd(0x00);
const STORE = simd(0x0b);
const LESS = simd(0x49);
const AND = simd(0x4e);
const ABS = simd(0xec);
const ADD = simd(0xf0);
const SUB = simd(0xf1);
const MUL = simd(0xf2);
const MIN = simd(0xf6); // pmin and pmax: one machine instruction; missing values are found by the sum
const MAX = simd(0xf7);
const both = (value: number): number[] => {
  const bytes = new Uint8Array(new Float64Array([value, value]).buffer);
  return [...simd(0x0c), ...bytes];
};

/** Exports `memory` and `tile(cells)`: members, truth and outputs lie in memory one after the other, TILE numbers each. */
function assemble(members: number): Uint8Array {
  const M = members;
  // Locals: 0 cells, 1 byte offset; then two-lane numbers.
  const x = (m: number) => 2 + m;
  const [truth, sum, total, kept] = [2 + M, 3 + M, 4 + M, 5 + M];
  const get = (local: number) => [GET, ...unsigned(local)];
  const set = (local: number) => [SET, ...unsigned(local)];
  const load = (slot: number) => [...get(1), ...LOAD, 3, ...unsigned(slot * TILE * 8)];
  const store = (slot: number, value: readonly number[]) => [
    ...get(1),
    ...value,
    ...STORE,
    3,
    ...unsigned((M + 1 + slot) * TILE * 8),
  ];
  const each = (code: (m: number) => number[]) => Array.from({ length: M }, (_, m) => code(m)).flat();
  const add = (local: number, value: readonly number[]) => [...get(local), ...value, ...ADD, ...set(local)];
  const clear = (local: number) => [...both(0), ...set(local)];
  const scaled = (local: number, factor: number) => [...get(local), ...both(factor), ...MUL];

  const body = [
    ...load(M),
    ...set(truth),
    // Departures from the truth: small numbers, whose sums keep their digits.
    ...clear(sum),
    ...each((m) => [...load(m), ...get(truth), ...SUB, ...set(x(m)), ...add(sum, get(x(m)))]),
    ...store(0, scaled(sum, 1 / M)),
    ...scaled(sum, 1 / M),
    ...set(sum),
    ...clear(total),
    ...each((m) => [
      ...[...get(x(m)), ...get(sum), ...SUB, ...set(kept)],
      ...add(total, [...get(kept), ...get(kept), ...MUL]),
    ]),
    ...store(1, scaled(total, M > 1 ? 1 / (M - 1) : 0)),
    ...clear(total),
    ...each((m) => add(total, [...get(x(m)), ...ABS])),
    ...store(2, scaled(total, 1 / M)),
    ...clear(total),
    ...each((m) => add(total, [...get(x(m)), ...both(0), ...LESS, ...both(1), ...AND])),
    ...store(4, get(total)),
    ...sortingNetwork(M).flatMap(([a, b]) => [
      ...[...get(x(a)), ...get(x(b)), ...MIN, ...set(kept)],
      ...[...get(x(b)), ...get(x(a)), ...MAX, ...set(x(b))],
      ...[...get(kept), ...set(x(a))],
    ]),
    // Σ over i < j of x_(j) - x_(i) = Σ_m (2 m + 1 - M) x_(m), m from 0
    ...clear(total),
    ...each((m) => add(total, scaled(x(m), 2 * m + 1 - M))),
    ...store(3, scaled(total, M > 1 ? 2 / (M * (M - 1)) : 0)),
  ];
  const loop = [
    ...[0x03, 0x40], // loop
    ...body,
    ...[...get(1), 0x41, 16, 0x6a, 0x22, 1], // offset += 16
    ...[...get(0), 0x41, 8, 0x6c, 0x49, 0x0d, 0], // if offset < 8 cells, again
    0x0b,
  ];
  const code = [...[2, 1, 0x7f, ...unsigned(M + 4), 0x7b], ...loop, 0x0b]; // one i32 and M + 4 vectors
  const pages = Math.ceil(((M + 1 + OUTPUTS.length) * TILE * 8) / 65536);
  const section = (id: number, content: readonly number[]) => [id, ...unsigned(content.length), ...content];
  const name = (text: string) => [text.length, ...new TextEncoder().encode(text)];
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [1, 0x60, 1, 0x7f, 0]), // type: (i32) -> ()
    ...section(3, [1, 0]),
    ...section(5, [1, 0, ...unsigned(pages)]),
    ...section(7, [2, ...name("memory"), 2, 0, ...name("tile"), 0, 0]),
    ...section(10, [1, ...unsigned(code.length), ...code]),
  ]);
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
