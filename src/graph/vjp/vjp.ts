/** What a derivative rule sees, and the helpers rules share. */
import { sizeOf } from "../../tensor/ndarray.js";
import type { GraphNode, Tensor } from "../graph.js";
import { expand, reduceSum, reshape } from "../ops.js";
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
  /** Refuses a form of the operator whose derivative is not written: "Resize in mode 'cubic' ...". */
  unsupported(form: string): never;
}

/** Vector-Jacobian product: from the gradients of the outputs, those of the inputs. */
export type VjpRule = (context: VjpContext) => readonly (Tensor | undefined)[];

/** The rule of operators whose results do not change with small changes of their inputs: no gradient flows. */
export const noGradient: VjpRule = () => [];

/** Sums a gradient back to the shape its tensor had before broadcasting. */
export function unbroadcast(gradient: Tensor, shape: readonly number[]): Tensor {
  if (gradient.shape.join() === shape.join()) return gradient;
  const lead = gradient.shape.length - shape.length;
  const axes = gradient.shape.flatMap((n, i) => (i < lead || (shape[i - lead] === 1 && n !== 1) ? [i] : []));
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
