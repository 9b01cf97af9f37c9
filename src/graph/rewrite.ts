/** Rewrites: each makes a new graph and leaves the old one as it was. */
import { GraphError } from "../errors.js";
import type { NdArray } from "../tensor/ndarray.js";
import { liveNodes } from "./export.js";
import { folded } from "./fold.js";
import { Graph, type GraphNode, type Tensor } from "./graph.js";

/** What a copy does instead of copying. */
export interface CopyRules {
  name?: string;
  /** What the copy gives back, where not the graph's own outputs. */
  outputs?: ReadonlyMap<string, Tensor>;
  /** Gives other tensors for a node's results, written into the new graph; undefined copies the node. */
  node?: (node: GraphNode, inputs: readonly (Tensor | undefined)[], graph: Graph) => readonly Tensor[] | undefined;
  /** A new tensor in a parameter's place; undefined keeps it. */
  parameter?: (parameter: Tensor, graph: Graph) => Tensor | undefined;
}

/** The graph again, with what `rules` put in place of nodes or parameters. Only what leads to an output is copied. */
export function copyGraph(source: Graph, rules: CopyRules = {}): Graph {
  const graph = new Graph(rules.name ?? source.name);
  const { outputs: results = source.outputs } = rules;
  const nodes = liveNodes(source, results);
  graph.reserve(nodes.flatMap((n) => n.outputs.map((t) => t.name)));
  const used = new Set([...nodes.flatMap((n) => n.inputs), ...results.values()].map((t) => t?.name));
  const now = new Map<string, Tensor>();
  const of = (t: Tensor): Tensor => now.get(t.name)!;
  for (const t of source.inputs) now.set(t.name, graph.input(t.name, t.dtype, t.shape));
  for (const t of source.parameters)
    now.set(t.name, rules.parameter?.(t, graph) ?? graph.parameter(t.name, t.shape, t.dtype));
  for (const t of source.constants) if (used.has(t.name)) now.set(t.name, graph.constant(t.value!, t.name));
  for (const node of nodes) {
    const inputs = node.inputs.map((t) => t && of(t));
    const instead = rules.node?.(node, inputs, graph);
    const names = node.outputs.map((t) => t.name);
    const outputs =
      instead ?? graph.append(node.op, inputs, node.attributes, node.outputs, { domain: node.domain, names }).outputs;
    node.outputs.forEach((t, i) => outputs[i] && now.set(t.name, outputs[i]));
    const custom = instead ? undefined : source.customGradients.get(node.outputs[0].name);
    if (custom && custom.inputs.every((t) => now.has(t.name)))
      graph.customGradients.set(outputs[0].name, { inputs: custom.inputs.map(of), vjp: custom.vjp });
  }
  for (const [name, t] of results) graph.output(name, of(t));
  return graph;
}

/** Other nodes in place of those that `choose` picks: it gives the new results, or undefined to leave a node alone. */
export const replaceNodes = (graph: Graph, choose: NonNullable<CopyRules["node"]>): Graph =>
  copyGraph(graph, { node: choose });

/** Without what leads to no output. */
export const prune = (graph: Graph): Graph => copyGraph(graph);

/** Parameters as constants of the numbers given: they no longer train and are stored in the file. */
export function freeze(graph: Graph, parameters: ReadonlyMap<string, NdArray>): Graph {
  const unknown = [...parameters.keys()].find((name) => graph.parameters.every((p) => p.name !== name));
  if (unknown !== undefined) throw new GraphError(`graph '${graph.name}' has no parameter '${unknown}' to freeze`);
  return copyGraph(graph, {
    parameter: (p, g) => {
      const value = parameters.get(p.name);
      return value && g.constant(value, p.name);
    },
  });
}

/** Nodes whose results are known now as constants. */
export const foldConstants = (graph: Graph): Graph =>
  copyGraph(graph, {
    node: ({ op, domain, attributes, outputs }, inputs, g) =>
      folded({ op, domain, inputs, attributes, outputs: outputs.map((t) => t.name) })?.map((v) => g.constant(v)),
  });

/** One node for several equal ones: same operator, inputs and attributes. */
export function share(graph: Graph): Graph {
  const seen = new Map<string, readonly Tensor[]>();
  const shared = copyGraph(graph, {
    node: (node, inputs, g) => {
      if (graph.customGradients.has(node.outputs[0].name) || RANDOM.has(node.op)) return undefined;
      const key = JSON.stringify(
        [node.domain, node.op, inputs.map((t) => t?.name ?? ""), node.attributes, node.outputs.length],
        plain,
      );
      const known = seen.get(key);
      if (known) return known;
      const { outputs } = g.append(node.op, inputs, node.attributes, node.outputs, {
        domain: node.domain,
        names: node.outputs.map((t) => t.name),
      });
      seen.set(key, outputs);
      return outputs;
    },
  });
  return shared;
}

const RANDOM = new Set(["Dropout"]);
const plain = (_key: string, value: unknown): unknown =>
  typeof value === "bigint" ? `${value}n` : ArrayBuffer.isView(value) ? Array.from(value as Float32Array) : value;
