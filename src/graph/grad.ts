/**
 * Reverse-mode differentiation: one walk back over the nodes, each rule (vjp/) writing the nodes of its vector-Jacobian
 * product into the same graph. What it writes are ordinary nodes, so gradients can be differentiated again.
 *
 *     const [dw] = gradients(loss, [w]);
 */
import { GraphError } from "../errors.js";
import { customVjp } from "./custom.js";
import type { Graph, GraphNode, Tensor } from "./graph.js";
import type { OpType } from "./infer/index.js";
import { add, scalar, zerosLike } from "./ops.js";
import { vjpRules } from "./vjp/index.js";
import type { VjpContext, VjpRule } from "./vjp/vjp.js";

export interface GradientOptions {
  /** What flows into `y`; ones where `y` is a scalar. */
  seed?: Tensor;
}

/** d y / d x for each of `xs`, of the shape of that x; zeros where y does not depend on it. `y` is a scalar unless a seed is given. */
export function gradients(y: Tensor, xs: readonly Tensor[], options: GradientOptions = {}): Tensor[] {
  if (!options.seed && y.shape.some((n) => n !== 1))
    throw new GraphError(
      `the gradient of '${y.name}' of shape [${y.shape.join(", ")}] needs a scalar or a seed: reduce it first`,
    );
  const seed = options.seed ?? (y.shape.length === 0 ? scalar(y.graph, 1, y.dtype) : add(zerosLike(y), 1));
  return pullback([y], [seed], xs).map((g, i) => g ?? zerosLike(xs[i]));
}

/**
 * The gradients that flow from `ys` (with `seeds`) into `xs`, undefined where nothing flows. Only nodes from `start` on are
 * walked: a rule that decomposed its operator stops at the operator's inputs.
 */
export function pullback(
  ys: readonly Tensor[],
  seeds: readonly (Tensor | undefined)[],
  xs: readonly (Tensor | undefined)[],
  start = 0,
): (Tensor | undefined)[] {
  const { graph } = ys[0];
  const needed = reaching(graph, xs, start);
  const flows = new Map<string, Tensor>();
  const flow = (tensor: Tensor | undefined, gradient: Tensor | undefined): void => {
    if (!tensor || !gradient || !needed.has(tensor.name)) return;
    if (gradient.shape.join() !== tensor.shape.join())
      throw new GraphError(
        `a derivative rule gave '${tensor.name}' [${tensor.shape.join(", ")}] a gradient of shape [${gradient.shape.join(", ")}]`,
      );
    const known = flows.get(tensor.name);
    flows.set(tensor.name, known ? add(known, gradient) : gradient);
  };
  ys.forEach((y, i) => flow(y, seeds[i]));
  const count = graph.nodes.length; // nodes written from here on are the derivative itself
  for (let i = count - 1; i >= start; i--) {
    const node = graph.nodes[i];
    const arrived = node.outputs.map((t) => flows.get(t.name));
    if (arrived.every((g) => !g)) continue;
    const custom = graph.customGradients.get(node.outputs[0].name);
    const inputs = custom?.inputs ?? node.inputs;
    if (!inputs.some((t) => t && needed.has(t.name))) continue; // one of the xs: what gave it is not asked for
    const gave = custom ? custom.vjp(arrived[0]!, custom.inputs) : ruleOf(node)(contextOf(node, arrived, needed));
    inputs.forEach((input, k) => flow(input, gave[k]));
  }
  return xs.map((x) => x && flows.get(x.name));
}

function ruleOf(node: GraphNode): VjpRule {
  const rule =
    node.domain === "" && Object.hasOwn(vjpRules, node.op)
      ? vjpRules[node.op as OpType]
      : customVjp(node.domain, node.op);
  if (rule) return rule;
  throw new GraphError(
    `the operator '${node.op}' (output '${node.outputs[0].name}') has no derivative; freeze what lies before it or define one with defineOperator`,
  );
}

function contextOf(node: GraphNode, arrived: readonly (Tensor | undefined)[], needed: ReadonlySet<string>): VjpContext {
  const start = node.outputs[0].graph.nodes.length;
  return {
    node,
    op: node.op,
    inputs: node.inputs,
    attributes: node.attributes,
    outputs: node.outputs,
    outputCount: node.outputs.length,
    gradients: arrived,
    dy: arrived[0] ?? zerosLike(node.outputs[0]),
    wanted: node.inputs.map((t) => t !== undefined && needed.has(t.name)),
    pullback: (ys, dys, inputs) => pullback(ys, dys, inputs, start),
    unsupported: (form) => {
      throw new GraphError(
        `the derivative of ${node.op} ${form} is not written; the node gives '${node.outputs[0].name}'`,
      );
    },
  };
}

const FLOATS = new Set(["float32", "float64", "float16", "bfloat16"]);

/** Names of the tensors that depend on one of `xs` through differentiable values, the xs included. */
function reaching(graph: Graph, xs: readonly (Tensor | undefined)[], start: number): Set<string> {
  const needed = new Set(xs.flatMap((x) => (x ? [x.name] : [])));
  for (let i = start; i < graph.nodes.length; i++) {
    const node = graph.nodes[i];
    const custom = graph.customGradients.get(node.outputs[0].name);
    const inputs = custom ? custom.inputs : node.inputs;
    if (!inputs.some((t) => t && needed.has(t.name))) continue;
    for (const output of node.outputs) if (FLOATS.has(output.dtype)) needed.add(output.name);
  }
  return needed;
}
