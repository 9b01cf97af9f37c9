/**
 * Activation recomputation (Chen et al. 2016, "Training deep nets with sublinear memory cost"): what `fn` computed on the
 * way is not kept for the derivative but computed again when the gradient arrives.
 *
 *     for (const block of blocks) x = checkpoint((t) => block(t), [x]);
 */
import { GraphError } from "../errors.js";
import { pullback } from "./grad.js";
import type { Graph, GraphNode, Tensor } from "./graph.js";
import { sizeOf } from "../tensor/ndarray.js";
import { add, cast, customGradient, emit, identity, mul, reshape, slice } from "./ops.js";

/**
 * `fn(...inputs)`, whose inner values are recomputed in the backward pass. Parameters and other tensors that `fn` uses get
 * their gradients too; only those in `inputs` are sure not to keep inner values alive.
 */
export function checkpoint(fn: (...inputs: Tensor[]) => Tensor, inputs: readonly Tensor[]): Tensor {
  if (inputs.length === 0) throw new GraphError("checkpoint needs the tensors that its function computes from");
  const { graph } = inputs[0];
  const start = graph.nodes.length;
  const last = fn(...inputs);
  // The rule below belongs to a node of its own, with no rule before it
  const fresh = graph.nodes.indexOf(last.producer!, start) >= 0 && last.producer!.outputs[0] === last;
  const y = fresh && !graph.customGradients.has(last.name) ? last : identity(last);
  const end = graph.nodes.length;
  const inner = new Set<string>();
  const outer = new Map(inputs.map((t) => [t.name, t]));
  for (const node of graph.nodes.slice(start, end)) {
    const used = graph.customGradients.get(node.outputs[0].name)?.inputs ?? [];
    for (const t of [...node.inputs, ...used]) if (t && !t.value && !inner.has(t.name)) outer.set(t.name, t);
    for (const t of node.outputs) inner.add(t.name);
  }
  const sources = [...outer.values()];
  return customGradient(y, sources, (gradient) => {
    const from = graph.nodes.length;
    const again = new Map(inputs.map((t) => [t.name, after(t, gradient)]));
    const recomputed = replay(graph, start, y.producer!, again).get(y.name)!;
    return pullback(
      [recomputed],
      [gradient],
      sources.map((t) => again.get(t.name) ?? t),
      from,
    );
  });
}

/**
 * `x` again, but only once `signal` is there. Recomputed nodes hang on it, for otherwise ONNX Runtime would see that they
 * equal the first ones, merge them and keep the first ones' results: the very memory that is to be saved. What is added is a
 * zero that comes of the signal's data, which no optimiser can foresee.
 */
function after(x: Tensor, signal: Tensor): Tensor {
  const first = slice(reshape(signal, [sizeOf(signal.shape)]), [{ axis: 0, start: 0, end: 1 }]);
  const nothing = mul(cast(emit("IsNaN", [first])[0], "int32"), 0);
  return x.dtype === "bool" ? x : add(x, cast(reshape(nothing, []), x.dtype));
}

/** Writes the nodes from `start` to `last` again with some tensors replaced; gives the new tensors by the old names. */
function replay(
  graph: Graph,
  start: number,
  last: GraphNode,
  replaced: ReadonlyMap<string, Tensor>,
): Map<string, Tensor> {
  const end = graph.nodes.indexOf(last, start) + 1;
  const now = new Map(replaced);
  const of = (t: Tensor): Tensor => now.get(t.name) ?? t;
  for (const node of graph.nodes.slice(start, end)) {
    const copy = graph.append(
      node.op,
      node.inputs.map((t) => t && of(t)),
      node.attributes,
      node.outputs,
      { domain: node.domain },
    );
    node.outputs.forEach((t, i) => now.set(t.name, copy.outputs[i]));
    const custom = node === last ? undefined : graph.customGradients.get(node.outputs[0].name);
    if (custom) graph.customGradients.set(copy.outputs[0].name, { inputs: custom.inputs.map(of), vjp: custom.vjp });
  }
  return now;
}
