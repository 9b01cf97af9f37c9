/**
 * Block arithmetic by ONNX Runtime: products of the weights or of the updates with themselves, as graphs. A hundred updates of ten
 * million parameters have their Gram matrix in a few seconds. Products are summed in single precision within a block, in double
 * across blocks.
 */
import * as ort from "onnxruntime-node";
import { ortRuntime, type Session } from "../../engine/runtime.js";
import { exportOnnx } from "../../graph/export.js";
import { Graph } from "../../graph/graph.js";
import { gemm } from "../../graph/ops.js";
import { float32, ndarray } from "../../tensor/ndarray.js";
import type { BlockKernels } from "./aggregate.js";

/** Rows of a block multiplied with one another at a time: of a symmetric product only one triangle of such tiles is needed. */
const TILE = 50;

/** Kernels on ONNX Runtime's CPU provider; for float32 rows. */
export async function onnxKernels({ threads = 2 }: { threads?: number } = {}): Promise<BlockKernels> {
  const runtime = ortRuntime(ort, { device: "cpu", threads });
  const sessions = new Map<string, Promise<Session>>();
  /** a b, or a b^T, of the given sizes; a graph's shapes are fixed, and there are few: whole blocks, and the last. */
  const product = (a: readonly [number, number], b: readonly [number, number], transB: boolean): Promise<Session> => {
    const key = `${a.join()} ${b.join()} ${transB}`;
    let session = sessions.get(key);
    if (!session) {
      const graph = new Graph("product");
      graph.output("y", gemm(graph.input("a", "float32", a), graph.input("b", "float32", b), undefined, { transB }));
      sessions.set(key, (session = runtime.load(exportOnnx(graph))));
    }
    return session;
  };
  return {
    async combine(weights, block, out) {
      const width = block.length / weights.cols;
      const [a, b] = [[weights.rows, weights.cols] as const, [weights.cols, width] as const];
      const session = await product(a, b, false);
      const { y } = await session.run({
        a: float32(a, weights.data),
        b: ndarray("float32", b, block as Float32Array), // not copied
      });
      out.set(y.data as Float32Array);
    },
    async gram(block, gram) {
      const n = gram.rows;
      const width = block.length / n;
      const rows = (from: number): Float32Array =>
        (block as Float32Array).subarray(from * width, Math.min(n, from + TILE) * width);
      for (let i = 0; i < n; i += TILE)
        for (let j = i; j < n; j += TILE) {
          const [left, right] = [rows(i), rows(j)];
          const [a, b] = [[left.length / width, width] as const, [right.length / width, width] as const];
          const session = await product(a, b, true);
          const { y } = await session.run({ a: ndarray("float32", a, left), b: ndarray("float32", b, right) });
          addTile(gram, y.data as Float32Array, i, j, b[0]);
        }
    },
  };
}

/** Adds a tile at (top, left) of a symmetric matrix, and its mirror image. */
function addTile(
  gram: Parameters<BlockKernels["gram"]>[1],
  tile: Float32Array,
  top: number,
  left: number,
  width: number,
): void {
  for (let k = 0; k < tile.length; k++) {
    const [i, j] = [top + Math.floor(k / width), left + (k % width)];
    gram.data[i * gram.cols + j] += tile[k];
    if (top !== left) gram.data[j * gram.cols + i] += tile[k];
  }
}
