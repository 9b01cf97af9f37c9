/**
 * Robust aggregation coordinate by coordinate: from blocks of the updates (one array an update, equal lengths) to one block.
 * Numbers must be finite: updates are checked when they arrive.
 */
import { UsageError } from "../../errors.js";
import { sortColumns } from "./sorting-network.js";
import type { Vector } from "./rows.js";

/** Fills `out` from the updates' blocks; may overwrite the blocks. */
export type Columns = (blocks: readonly Vector[], out: Vector) => void;

export const columnMean: Columns = (blocks, out) => averageOf(blocks, out, 0, blocks.length);

/** The middle value, or the mean of the two middle ones. */
export const columnMedian: Columns = (blocks, out) => {
  const n = blocks.length;
  const [low, high] = [(n - 1) >> 1, (n >> 1) + 1];
  sortColumns(blocks, low, high);
  averageOf(blocks, out, low, high);
};

/** The mean without the `f` largest and `f` smallest values (Yin et al. 2018). */
export function trimmedMean(f: number): Columns {
  return (blocks, out) => {
    if (blocks.length <= 2 * f)
      throw new UsageError(
        `a mean trimmed by ${f} at both ends needs more than ${2 * f} updates, but there are ${blocks.length}`,
      );
    sortColumns(blocks, f, blocks.length - f);
    averageOf(blocks, out, f, blocks.length - f);
  };
}

/** The mean of the `k` values nearest to the median: MeaMed with k = n - f (Xie et al. 2018), Bulyan's last stage. */
export function closestToMedian(k: number | ((count: number) => number)): Columns {
  return (blocks, out) => {
    const n = blocks.length;
    const keep = typeof k === "number" ? k : k(n);
    sortColumns(blocks, 0, n);
    for (let i = 0; i < out.length; i++) {
      const median = (blocks[(n - 1) >> 1][i] + blocks[n >> 1][i]) / 2;
      // In sorted order the nearest values are neighbours: drop the farther end until `keep` are left.
      let [low, high] = [0, n - 1];
      while (high - low + 1 > keep) {
        if (median - blocks[low][i] > blocks[high][i] - median) low++;
        else high--;
      }
      let total = 0;
      for (let j = low; j <= high; j++) total += blocks[j][i];
      out[i] = total / keep;
    }
  };
}

/** The mean of blocks low..high-1. */
function averageOf(blocks: readonly Vector[], out: Vector, low: number, high: number): void {
  const count = high - low;
  if (count === 1) {
    out.set(blocks[low]);
    return;
  }
  const total = new Float64Array(out.length);
  for (let j = low; j < high; j++) {
    const block = blocks[j];
    for (let i = 0; i < total.length; i++) total[i] += block[i];
  }
  for (let i = 0; i < total.length; i++) out[i] = total[i] / count;
}
