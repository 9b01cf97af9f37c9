/** A graph as the bytes of an ONNX file that ONNX Runtime and other tools read. */
import { GraphError } from "../errors.js";
import type { DType, NdArray } from "../tensor/ndarray.js";
import { type AttributeValue, type Graph, type GraphNode, OPSET, type Tensor, type TensorType } from "./graph.js";
import { encodeMessage, type Message } from "./proto.js";

/** ONNX's element type numbers (TensorProto.DataType). */
export const ELEMENT_TYPES = {
  float32: 1,
  uint8: 2,
  int8: 3,
  uint16: 4,
  int16: 5,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  float64: 11,
  uint32: 12,
  uint64: 13,
  bfloat16: 16,
} as const satisfies Record<DType, number>;

/** AttributeProto.AttributeType. */
export const ATTRIBUTE_TYPES = {
  float: 1n,
  int: 2n,
  string: 3n,
  tensor: 4n,
  floats: 6n,
  ints: 7n,
  strings: 8n,
} as const;

/** The file format's version that belongs to opset 21. */
const IR_VERSION = 10n;

export interface ExportOptions {
  /** What the file gives back, where not all of the graph's own outputs. */
  outputs?: ReadonlyMap<string, Tensor>;
  /** Numbers for parameters: these are written into the file; the others become inputs. */
  parameters?: ReadonlyMap<string, NdArray>;
  /** Key and value pairs kept in the file (normalisation, card). */
  metadata?: Readonly<Record<string, string>>;
}

/** Nodes that lead to an output, in order: what a derivative wrote in vain is left out. */
export function liveNodes(graph: Graph, outputs: ReadonlyMap<string, Tensor> = graph.outputs): GraphNode[] {
  const needed = new Set([...outputs.values()].map((t) => t.name));
  const live: GraphNode[] = [];
  for (let i = graph.nodes.length - 1; i >= 0; i--) {
    const node = graph.nodes[i];
    if (!node.outputs.some((t) => needed.has(t.name))) continue;
    for (const input of node.inputs) if (input) needed.add(input.name);
    live.push(node);
  }
  return live.reverse();
}

/**
 * The same nodes, those whose results no other node uses moved to the end, the latest first. ONNX Runtime walks back from
 * such nodes, the last in the file first, and runs what each needs when it comes to it. So the forward pass and the last
 * layers' gradients run first and their memory is free again before earlier layers' turn; in the order they were written it
 * would keep every activation, recomputed ones too, until the whole chain of gradients is through.
 */
function lastUsesFirst(nodes: readonly GraphNode[]): GraphNode[] {
  const read = new Set(nodes.flatMap((n) => n.inputs.map((t) => t?.name)));
  const isLast = (n: GraphNode) => !n.outputs.some((t) => read.has(t.name));
  const inner = nodes.filter((n) => !isLast(n));
  const place = new Map(inner.flatMap((n, i) => n.outputs.map((t) => [t.name, i])));
  const latest = (n: GraphNode) => Math.max(-1, ...n.inputs.map((t) => (t && place.get(t.name)) ?? -1));
  const ends = nodes.filter(isLast).map((node) => ({ node, key: latest(node) }));
  return [...inner, ...ends.sort((a, b) => b.key - a.key).map(({ node }) => node)];
}

/** What each tensor is called in the file: a node's result takes the name of the output it is, where that name is free. */
function outputNames(nodes: readonly GraphNode[], outputs: ReadonlyMap<string, Tensor>): (t: Tensor) => string {
  const taken = new Set(nodes.flatMap((n) => [...n.inputs, ...n.outputs].flatMap((t) => (t ? [t.name] : []))));
  const renamed = new Map<string, string>();
  for (const [name, tensor] of outputs)
    if (tensor.producer && !renamed.has(tensor.name) && !outputs.has(tensor.name) && !taken.has(name))
      renamed.set(tensor.name, name);
  return (t) => renamed.get(t.name) ?? t.name;
}

/** Writes the graph; only what leads to an output is kept. */
export function exportOnnx(graph: Graph, options: ExportOptions = {}): Uint8Array {
  const { outputs = graph.outputs, parameters = new Map<string, NdArray>(), metadata = {} } = options;
  if (outputs.size === 0) throw new GraphError(`graph '${graph.name}' has no outputs; name one with graph.output()`);
  const computed = liveNodes(graph, outputs);
  const names = outputNames(computed, outputs);
  const copies = [...outputs]
    .filter(([name, tensor]) => name !== names(tensor))
    .map(([name, tensor]): GraphNode => ({
      op: "Identity",
      domain: "",
      inputs: [tensor],
      outputs: [{ ...tensor, name }],
      attributes: {},
    }));
  const nodes = lastUsesFirst([...computed, ...copies]);
  const used = new Set(nodes.flatMap((n) => n.inputs.flatMap((t) => (t ? [t.name] : []))));
  const live = (t: Tensor) => used.has(t.name);
  const fed = graph.parameters.filter((p) => live(p) && !parameters.has(p.name));
  const stored = graph.parameters.filter((p) => live(p) && parameters.has(p.name));
  const domains = new Set(nodes.map((n) => n.domain).filter((d) => d !== ""));
  return encodeMessage("Model", {
    irVersion: IR_VERSION,
    producerName: "foehn",
    opsetImport: [{ domain: "", version: BigInt(OPSET) }, ...[...domains].map((domain) => ({ domain, version: 1n }))],
    metadata: Object.entries(metadata).map(([key, value]) => ({ key, value })),
    graph: {
      name: graph.name,
      node: nodes.map((node) => nodeMessage(node, names)),
      input: [...graph.inputs.filter(live), ...fed].map((t) => valueInfo(t.name, t)),
      output: [...outputs].map(([name, t]) => valueInfo(name, t)),
      initializer: [
        ...stored.map((p) => tensorMessage(checked(p, parameters.get(p.name)!), p.name)),
        ...graph.constants.filter(live).map((c) => constantMessage(c.value!, c.name)),
      ],
    },
  });
}

function checked(parameter: Tensor, array: NdArray): NdArray {
  if (array.shape.join() !== parameter.shape.join() || array.dtype !== parameter.dtype)
    throw new GraphError(
      `parameter '${parameter.name}' is ${parameter.dtype} [${parameter.shape.join(", ")}], but the numbers given are ${array.dtype} [${array.shape.join(", ")}]`,
    );
  return array;
}

const valueInfo = (name: string, { dtype, shape }: TensorType): Message<"ValueInfo"> => ({
  name,
  type: {
    tensorType: { elemType: BigInt(ELEMENT_TYPES[dtype]), shape: { dim: shape.map((n) => ({ dimValue: BigInt(n) })) } },
  },
});

const nodeMessage = (node: GraphNode, nameOf: (t: Tensor) => string): Message<"Node"> => ({
  // Trailing inputs left out are not written: ONNX Runtime's Squeeze takes an empty name for a wrong one
  input: node.inputs.slice(0, node.inputs.findLastIndex((t) => t !== undefined) + 1).map((t) => (t ? nameOf(t) : "")),
  output: node.outputs.map(nameOf),
  opType: node.op,
  ...(node.domain ? { domain: node.domain } : {}),
  attribute: Object.entries(node.attributes).flatMap(([name, value]) =>
    value === undefined ? [] : [attributeMessage(node.op, name, value)],
  ),
});

const utf8 = new TextEncoder();

/** Attributes that name an element type: a word here, a number in the file. */
export const isElementType = (op: string, name: string): boolean =>
  (op === "Cast" && name === "to") || (op === "EyeLike" && name === "dtype");

function attributeMessage(op: string, name: string, value: AttributeValue): Message<"Attribute"> {
  if (typeof value === "string" && isElementType(op, name))
    return { name, i: BigInt(ELEMENT_TYPES[value as DType]), type: ATTRIBUTE_TYPES.int };
  if (typeof value === "number") return { name, i: BigInt(value), type: ATTRIBUTE_TYPES.int };
  if (typeof value === "string") return { name, s: utf8.encode(value), type: ATTRIBUTE_TYPES.string };
  if ("float" in value) return { name, f: value.float, type: ATTRIBUTE_TYPES.float };
  if ("floats" in value) return { name, floats: [...value.floats], type: ATTRIBUTE_TYPES.floats };
  if ("dtype" in value) return { name, t: tensorMessage(value), type: ATTRIBUTE_TYPES.tensor };
  if (typeof value[0] === "string")
    return { name, strings: (value as readonly string[]).map((s) => utf8.encode(s)), type: ATTRIBUTE_TYPES.strings };
  return { name, ints: (value as readonly number[]).map(BigInt), type: ATTRIBUTE_TYPES.ints };
}

/** Told apart from a parameter when the file is read again: both are initialisers. */
export const CONSTANT_MARK = "constant";
const constantMessage = (value: NdArray, name: string): Message<"Tensor"> => ({
  ...tensorMessage(value, name),
  ...(looksTrainable(value) ? { docString: CONSTANT_MARK } : {}),
});

/** Whether an initialiser of that type may be a weight: floating point, and not a single number. */
export const looksTrainable = ({ dtype, shape }: TensorType): boolean =>
  shape.length > 0 && (dtype === "float32" || dtype === "float64" || dtype === "float16" || dtype === "bfloat16");

const tensorMessage = ({ dtype, shape, data }: NdArray, name?: string): Message<"Tensor"> => ({
  dims: shape.map(BigInt),
  dataType: BigInt(ELEMENT_TYPES[dtype]),
  ...(name === undefined ? {} : { name }),
  rawData: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
});
