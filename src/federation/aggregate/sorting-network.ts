/**
 * Sorts many short columns at once: a sorting network (Batcher's merge exchange; Knuth, The Art of Computer Programming 3,
 * algorithm 5.2.2M) whose comparators work on whole rows, four numbers an instruction. Comparators that cannot reach a wanted
 * rank are left out. A hundred updates of ten million parameters have their medians in about two seconds on one core.
 */
import { get, int, load, loadInt, OP, set, store, wasmInstance, type WasmFunction } from "../../tensor/wasm.js";
import type { Vector } from "./rows.js";

/** Row numbers (low, high) of each comparator, in order, that put ranks `from` to `to - 1` of n rows in place. */
export function comparators(n: number, from = 0, to = n): [number, number][] {
  const network: [number, number][] = [];
  if (n < 2) return network;
  const top = 2 ** (Math.ceil(Math.log2(n)) - 1);
  for (let p = top; p > 0; p >>= 1)
    for (let q = top, r = 0, d = p; ; d = q - p, q >>= 1, r = p) {
      for (let i = 0; i < n - d; i++) if ((i & p) === r) network.push([i, i + d]);
      if (q === p) break;
    }
  const wanted = new Uint8Array(n).fill(1, from, to);
  const kept: [number, number][] = [];
  for (const pair of network.reverse())
    if (wanted[pair[0]] || wanted[pair[1]]) {
      wanted[pair[0]] = wanted[pair[1]] = 1;
      kept.push(pair);
    }
  return kept.reverse();
}

/** Sorts each column of the blocks in place, so that ranks `from` to `to - 1` hold what they should; other rows are left in disorder. */
export function sortColumns(blocks: readonly Vector[], from = 0, to = blocks.length): void {
  const network = cachedNetwork(blocks.length, from, to);
  if (network.length === 0) return;
  if (blocks[0] instanceof Float64Array) sortDoubles(blocks, network);
  else sortFloats(blocks as readonly Float32Array[], network, from, to);
}

const networks = new Map<string, Int32Array>();
function cachedNetwork(n: number, from: number, to: number): Int32Array {
  const key = `${n} ${from} ${to}`;
  let network = networks.get(key);
  if (!network) {
    if (networks.size > 16) networks.clear();
    networks.set(key, (network = Int32Array.from(comparators(n, from, to).flat())));
  }
  return network;
}

function sortDoubles(blocks: readonly Vector[], network: Int32Array): void {
  for (let p = 0; p < network.length; p += 2) {
    const low = blocks[network[p]];
    const high = blocks[network[p + 1]];
    for (let i = 0; i < low.length; i++) {
      const [a, b] = [low[i], high[i]];
      if (b < a) {
        low[i] = b;
        high[i] = a;
      }
    }
  }
}

/** Numbers of a row handled at a time: a hundred rows of them fit the second-level cache, and copying them costs little. */
const STRIP = 256;
const STRIP_BYTES = STRIP * 4;

function sortFloats(blocks: readonly Float32Array[], network: Int32Array, from: number, to: number): void {
  const n = blocks.length;
  const { memory, sort } = kernel(n * STRIP_BYTES + network.length * 4);
  const table = new Int32Array(memory.buffer, 0, network.length);
  const rows = new Float32Array(memory.buffer, network.length * 4, n * STRIP);
  // STRIP_BYTES keeps rows aligned to 16 bytes only where the table does; unaligned vector loads cost little.
  for (let i = 0; i < network.length; i++) table[i] = network.length * 4 + network[i] * STRIP_BYTES;
  const length = blocks[0].length;
  for (let start = 0; start < length; start += STRIP) {
    const end = Math.min(length, start + STRIP);
    for (let j = 0; j < n; j++) rows.set(blocks[j].subarray(start, end), j * STRIP);
    sort(0, network.length * 4);
    for (let j = from; j < to; j++) blocks[j].set(rows.subarray(j * STRIP, j * STRIP + end - start), start);
  }
}

interface Kernel {
  readonly memory: WebAssembly.Memory;
  /** Runs the comparators in the table of row addresses from byte `at` to byte `end`. */
  readonly sort: (at: number, end: number) => void;
}

let instance: Kernel | undefined;
function kernel(bytes: number): Kernel {
  instance ??= wasmInstance([sortFunction()], bytes) as unknown as Kernel;
  const missing = bytes - instance.memory.buffer.byteLength;
  if (missing > 0) instance.memory.grow(Math.ceil(missing / 65536));
  return instance;
}

/**
 *     loop  low = load(at); high = load(at + 4); stop = low + STRIP_BYTES
 *       loop  4 times: store(low, pmin(load low, load high)), store(high, pmax(...)); low, high += 64; while low < stop
 *       at += 8; while at < end
 */
function sortFunction(): WasmFunction {
  const [AT, END, LOW, HIGH, STOP, A, B] = [0, 1, 2, 3, 4, 5, 6];
  const forward = (local: number, bytes: number): number[] => [
    ...get(local),
    ...int(bytes),
    ...OP.addInt,
    ...set(local),
  ];
  const exchange = (offset: number): number[] => [
    ...[...get(LOW), ...load(offset), ...set(A), ...get(HIGH), ...load(offset), ...set(B)],
    ...[...get(LOW), ...get(A), ...get(B), ...OP.f32.min, ...store(offset)],
    ...[...get(HIGH), ...get(A), ...get(B), ...OP.f32.max, ...store(offset)],
  ];
  const body = [
    ...OP.loop,
    ...[...get(AT), ...loadInt(0), ...set(LOW), ...get(AT), ...loadInt(4), ...set(HIGH)],
    ...[...get(LOW), ...int(STRIP_BYTES), ...OP.addInt, ...set(STOP)],
    ...[...OP.loop, ...[0, 16, 32, 48].flatMap(exchange), ...forward(LOW, 64), ...forward(HIGH, 64)],
    ...[...get(LOW), ...get(STOP), ...OP.lessInt, ...OP.again, ...OP.end],
    ...[...forward(AT, 8), ...get(AT), ...get(END), ...OP.lessInt, ...OP.again, ...OP.end],
  ];
  return { name: "sort", params: 2, ints: 3, vectors: 2, body };
}
