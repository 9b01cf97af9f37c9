/** What a shape rule sees, and the helpers shape rules share. A rule gives the type of each output, or throws a sentence. */
import { GraphError } from "../../errors.js";
import type { NdArray, Shape } from "../../tensor/ndarray.js";
import type { NodeAttributes, Tensor, TensorType } from "../graph.js";

export interface InferContext {
  readonly op: string;
  readonly inputs: readonly (Tensor | undefined)[];
  readonly attributes: NodeAttributes;
  /** How many outputs are asked for, where an operator has optional ones. */
  readonly outputCount: number;
}
export type InferRule = (context: InferContext) => TensorType[];

/** Input `i`, which must be there. */
export function need({ op, inputs }: InferContext, i: number): Tensor {
  const tensor = inputs[i];
  if (!tensor) throw new GraphError(`${op} needs input ${i}`);
  return tensor;
}

/** A constant integer input as numbers; undefined where the input is left out. */
export function constantInts(context: InferContext, i: number): number[] | undefined {
  const tensor = context.inputs[i];
  if (!tensor) return undefined;
  if (!tensor.value)
    throw new GraphError(
      `${context.op}: input ${i} ('${tensor.name}') must be known when the graph is built; make it a constant`,
    );
  return integers(tensor.value);
}

/** An integer array as plain numbers. */
export const integers = (array: NdArray): number[] => Array.from(array.data as ArrayLike<number | bigint>, Number);

export function intAttribute(context: Pick<InferContext, "attributes">, name: string, fallback: number): number {
  const value = context.attributes[name];
  return typeof value === "number" ? value : fallback;
}

export function intsAttribute(context: Pick<InferContext, "attributes">, name: string): number[] | undefined {
  const value = context.attributes[name];
  return Array.isArray(value) ? (value as number[]) : undefined;
}

export function floatAttribute(context: Pick<InferContext, "attributes">, name: string, fallback: number): number {
  const value = context.attributes[name];
  if (typeof value === "number") return value;
  return value && typeof value === "object" && "float" in value ? value.float : fallback;
}

export function stringAttribute(context: Pick<InferContext, "attributes">, name: string, fallback: string): string {
  const value = context.attributes[name];
  return typeof value === "string" ? value : fallback;
}

/** An axis in [0, rank), from one that may count from the end. */
export function axisOf(op: string, axis: number, rank: number): number {
  const resolved = axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(resolved) || resolved < 0 || resolved >= rank)
    throw new GraphError(`${op}: axis ${axis} is outside a tensor of rank ${rank}`);
  return resolved;
}

/** ONNX's multidirectional broadcasting (as NumPy's). */
export function broadcastShapes(op: string, ...shapes: Shape[]): number[] {
  const rank = Math.max(...shapes.map((s) => s.length));
  return Array.from({ length: rank }, (_, i) => {
    let out = 1;
    for (const shape of shapes) {
      const n = shape[i - rank + shape.length] ?? 1;
      if (n !== 1 && out !== 1 && n !== out)
        throw new GraphError(`${op}: shapes ${shapes.map((s) => `[${s.join(", ")}]`).join(" and ")} do not broadcast`);
      if (n !== 1) out = n;
    }
    return out;
  });
}

/** Same type as the first input: the rule of elementwise operators of one argument. */
export const sameAsInput: InferRule = (c) => [need(c, 0)];

/** Both inputs must agree in element type. */
export function sameDtype({ op }: InferContext, a: Tensor, b: Tensor): void {
  if (a.dtype !== b.dtype)
    throw new GraphError(
      `${op}: element types ${a.dtype} ('${a.name}') and ${b.dtype} ('${b.name}') differ; insert a Cast`,
    );
}
