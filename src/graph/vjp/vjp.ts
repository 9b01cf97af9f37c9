/** What a derivative rule sees, and the helpers rules share. */
import { ndarray, sizeOf } from "../../tensor/ndarray.js";
import type { GraphNode, Tensor } from "../graph.js";
import { expand, gemm, reduceSum, reshape, transpose } from "../ops.js";
import type { InferContext } from "../infer/infer.js";

export interface VjpContext extends InferContext {
  readonly node: GraphNode;
  readonly outputs: readonly Tensor[];
  /** What flows into each output; undefined where nothing does. */
  readonly gradients: readonly (Tensor | undefined)[];
  /** What flows into the first output, which is there in all rules but those of several outputs. */
  readonly dy: Tensor;
  /** Which inputs lead to something that a derivative was asked for; the others may be left undefined. */
  readonly wanted: readonly boolean[];
  /** Gradients of the inputs through tensors that the rule wrote itself in simpler operators. */
  pullback(
    ys: readonly Tensor[],
    dys: readonly (Tensor | undefined)[],
    inputs: readonly (Tensor | undefined)[],
  ): (Tensor | undefined)[];
  /** Refuses a form of the operator whose derivative is not written: "Resize with antialias ...". */
  unsupported(form: string): never;
}

/** Vector-Jacobian product: from the gradients of the outputs, those of the inputs. */
export type VjpRule = (context: VjpContext) => readonly (Tensor | undefined)[];

/** The rule of operators whose results do not change with small changes of their inputs: no gradient flows. */
export const noGradient: VjpRule = () => [];

/** Rows from which on a column sum is written as a product. */
const MANY_ROWS = 16;

/** Sums a gradient back to the shape its tensor had before broadcasting. */
export function unbroadcast(gradient: Tensor, shape: readonly number[]): Tensor {
  if (gradient.shape.join() === shape.join()) return gradient;
  const lead = gradient.shape.length - shape.length;
  const axes = gradient.shape.flatMap((n, i) => (i < lead || (shape[i - lead] === 1 && n !== 1) ? [i] : []));
  const rows = sizeOf(axes.map((a) => gradient.shape[a]));
  // Sums over leading axes (biases): a row of ones times the matrix runs several times as fast as ReduceSum does
  if (axes.every((axis, i) => axis === i) && rows >= MANY_ROWS && gradient.dtype === "float32") {
    const columns = sizeOf(shape);
    const ones = gradient.graph.constant(ndarray("float32", [1, rows], new Float32Array(rows).fill(1)));
    return reshape(gemm(ones, reshape(gradient, [rows, columns])), shape);
  }
  return reshape(axes.length > 0 ? reduceSum(gradient, { axes, keepDims: true }) : gradient, shape);
}

/** A reduced gradient spread back over the axes that were summed. */
export function spread(gradient: Tensor, shape: readonly number[], axes: readonly number[]): Tensor {
  const kept = shape.map((n, i) => (axes.includes(i) ? 1 : n));
  return expand(reshape(gradient, kept), shape);
}

/** How many elements a reduction over `axes` runs over. */
export const countOver = (shape: readonly number[], axes: readonly number[]): number =>
  sizeOf(axes.map((a) => shape[a]));

/** The inverse of a permutation. */
export function inversePermutation(perm: readonly number[]): number[] {
  const inverse = new Array<number>(perm.length);
  perm.forEach((p, i) => {
    inverse[p] = i;
  });
  return inverse;
}

/** Each matrix of a stack turned round. */
export function lastTwoSwapped(t: Tensor): Tensor {
  const rank = t.shape.length;
  return transpose(t, [...Array.from({ length: rank - 2 }, (_, i) => i), rank - 1, rank - 2]);
}
