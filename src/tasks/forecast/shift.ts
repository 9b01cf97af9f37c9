/**
 * Random shifts of the grid while training: the network sees every pattern at several places, and learns the atmosphere rather
 * than the map. Its answer is shifted back before it is scored. On a globe columns go around; at edges the last value repeats.
 */
import type { Feeds } from "../../engine/runtime.js";
import { float32, type NdArray } from "../../tensor/ndarray.js";
import type { Random } from "../../tensor/random.js";

/** The matrix that takes row i from row i + by. */
function shiftMatrix(n: number, by: number, global: boolean): Float32Array {
  const m = new Float32Array(n * n);
  for (let i = 0; i < n; i++) m[i * n + (global ? (i + by + n) % n : Math.min(Math.max(i + by, 0), n - 1))] = 1;
  return m;
}

const transposed = (m: Float32Array, n: number): Float32Array => m.map((_, i) => m[(i % n) * n + Math.floor(i / n)]);

/** The four matrices of one shift of up to `most` cells. Rows multiply from the left, columns from the right. */
export function drawShift(rng: Random, grid: { height: number; width: number; global: boolean }, most: number): Feeds {
  const { height, width, global } = grid;
  const draw = () => rng.integer(2 * most + 1) - most;
  const [dy, dx] = [draw(), draw()];
  const square = (n: number, data: Float32Array): NdArray => float32([n, n], data);
  return {
    "shift.rows": square(height, shiftMatrix(height, dy, false)),
    "shift.rowsBack": square(height, shiftMatrix(height, -dy, false)),
    "shift.columns": square(width, transposed(shiftMatrix(width, dx, global), width)),
    "shift.columnsBack": square(width, transposed(shiftMatrix(width, -dx, global), width)),
  };
}
