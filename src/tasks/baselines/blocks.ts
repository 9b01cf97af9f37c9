/**
 * Blocks of cells taken together, so that components of a very large grid can be found at all. A block's value is the sum of its
 * scaled cells over the root of their number: gathering and scattering are then each other's transposes, and what is orthonormal
 * in blocks stays so in cells.
 */
import { cellCount, type States } from "../series.js";

export interface Blocks {
  readonly count: number;
  /** For the description of what is built on them: empty where a block is a cell. */
  readonly words: string;
  /** Scaled values of a state [channel, cell], missing ones as 0, by block. */
  gather(state: Float32Array): Float32Array;
  /** The inverse: each cell's share of its block, scaled back. */
  scatter(blocks: Float32Array, state: Float32Array): void;
}

export function blocksOf(series: States, scale: Float64Array, most: number): Blocks {
  const cells = cellCount(series);
  const columns = series.scattered ? cells : series.longitudes.length;
  const rows = cells / columns;
  const size = scale.length;
  let side = 1;
  const countWith = (n: number) => (size / cells) * Math.ceil(rows / n) * Math.ceil(columns / n);
  while (countWith(side) > most) side++;
  const count = countWith(side);
  const across = Math.ceil(columns / side);
  const perChannel = count / (size / cells);
  const blockOf = Uint32Array.from({ length: size }, (_, i) => {
    const [channel, cell] = [Math.floor(i / cells), i % cells];
    return (
      channel * perChannel +
      Math.floor(Math.floor(cell / columns) / side) * across +
      Math.floor((cell % columns) / side)
    );
  });
  const members = new Float64Array(count);
  for (const block of blockOf) members[block]++;
  const into = scale.map((s, i) => s / Math.sqrt(members[blockOf[i]]));
  const back = scale.map((s, i) => 1 / (s * Math.sqrt(members[blockOf[i]])));
  return {
    count,
    words: side > 1 ? ` (means over blocks of ${side} x ${side} cells)` : "",
    gather(state) {
      const out = new Float32Array(count);
      for (let i = 0; i < size; i++) {
        const x = state[i];
        if (x === x) out[blockOf[i]] += into[i] * x;
      }
      return out;
    },
    scatter(blocks, state) {
      for (let i = 0; i < size; i++) state[i] = blocks[blockOf[i]] * back[i];
    },
  };
}
