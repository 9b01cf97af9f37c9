/**
 * What ensemble scores need of each cell, for all members at once: a WebAssembly function written for a given ensemble size.
 * Two cells are done side by side in double precision; members are sorted by Batcher's odd-even merge network (Knuth, The Art of
 * Computer Programming 3, 5.3.4), which has no branches to guess wrong. Sorting is what makes the CRPS exact in M log² M steps.
 */
import { both, get, int, load, OP, set, store, wasmInstance, type WasmFunction } from "../../tensor/wasm.js";

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
  const { memory, tile } = wasmInstance([tileFunction(members)], arrays * TILE * 8);
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

/** `tile(cells)`: members, truth and outputs lie in memory one after the other, TILE numbers each. */
function tileFunction(members: number): WasmFunction {
  const M = members;
  // Locals: 0 cells, 1 byte offset; then two-lane numbers.
  const x = (m: number) => 2 + m;
  const [truth, sum, total, kept] = [2 + M, 3 + M, 4 + M, 5 + M];
  const { add, subtract, multiply, abs, less, min, max } = OP.f64;
  const at = (slot: number) => [...get(1), ...load(slot * TILE * 8)];
  const put = (slot: number, value: readonly number[]) => [...get(1), ...value, ...store((M + 1 + slot) * TILE * 8)];
  const each = (code: (m: number) => number[]) => Array.from({ length: M }, (_, m) => code(m)).flat();
  const addTo = (local: number, value: readonly number[]) => [...get(local), ...value, ...add, ...set(local)];
  const clear = (local: number) => [...both(0), ...set(local)];
  const scaled = (local: number, factor: number) => [...get(local), ...both(factor), ...multiply];

  const body = [
    ...at(M),
    ...set(truth),
    // Departures from the truth: small numbers, whose sums keep their digits.
    ...clear(sum),
    ...each((m) => [...at(m), ...get(truth), ...subtract, ...set(x(m)), ...addTo(sum, get(x(m)))]),
    ...put(0, scaled(sum, 1 / M)),
    ...scaled(sum, 1 / M),
    ...set(sum),
    ...clear(total),
    ...each((m) => [
      ...[...get(x(m)), ...get(sum), ...subtract, ...set(kept)],
      ...addTo(total, [...get(kept), ...get(kept), ...multiply]),
    ]),
    ...put(1, scaled(total, M > 1 ? 1 / (M - 1) : 0)),
    ...clear(total),
    ...each((m) => addTo(total, [...get(x(m)), ...abs])),
    ...put(2, scaled(total, 1 / M)),
    ...clear(total),
    ...each((m) => addTo(total, [...get(x(m)), ...both(0), ...less, ...both(1), ...OP.and])),
    ...put(4, get(total)),
    // Missing values are found by the sum: min and max need not care.
    ...sortingNetwork(M).flatMap(([a, b]) => [
      ...[...get(x(a)), ...get(x(b)), ...min, ...set(kept)],
      ...[...get(x(b)), ...get(x(a)), ...max, ...set(x(b))],
      ...[...get(kept), ...set(x(a))],
    ]),
    // Σ over i < j of x_(j) - x_(i) = Σ_m (2 m + 1 - M) x_(m), m from 0
    ...clear(total),
    ...each((m) => addTo(total, scaled(x(m), 2 * m + 1 - M))),
    ...put(3, scaled(total, M > 1 ? 2 / (M * (M - 1)) : 0)),
  ];
  const next = [...get(1), ...int(16), ...OP.addInt, ...set(1)];
  const more = [...get(1), ...get(0), ...int(8), ...OP.multiplyInt, ...OP.lessInt, ...OP.again];
  return {
    name: "tile",
    params: 1,
    ints: 1,
    vectors: M + 4,
    body: [...OP.loop, ...body, ...next, ...more, ...OP.end],
  };
}
