/**
 * Node forms of older (and a few newer) opsets brought to opset 21, so that every rule knows one form. A form is told by what
 * the node has (an `axes` attribute) rather than by the opset, where that is enough.
 */
import { GraphError } from "../errors.js";
import { type NdArray, ndarray, sizeOf } from "../tensor/ndarray.js";
import type { Graph, NodeAttributes, Tensor } from "./graph.js";
import { axisOf, floatAttribute, intAttribute, intsAttribute, stringAttribute } from "./infer/infer.js";
import { rmsNorm } from "./layers.js";
import {
  add,
  emit,
  expand,
  ints,
  matmul,
  mul,
  reshape,
  scalar,
  sigmoid,
  softmax,
  tanh,
  transpose,
  where,
} from "./ops.js";

/** A node as a file has it. */
export interface FileNode {
  readonly op: string;
  readonly domain: string;
  readonly inputs: readonly (Tensor | undefined)[];
  /** Names; `""` where an output is not wanted. */
  readonly outputs: readonly string[];
  readonly attributes: NodeAttributes;
}
interface FileContext {
  readonly graph: Graph;
  readonly opset: number;
}
/** Gives the node in today's form, or the tensors of the nodes it wrote instead. */
type Upgrade = (node: FileNode, context: FileContext) => FileNode | Tensor[];

const first = (node: FileNode): Tensor => {
  const [x] = node.inputs;
  if (!x) throw new GraphError(`${node.op} needs input 0`);
  return x;
};
const without = (attributes: NodeAttributes, ...names: string[]): NodeAttributes =>
  Object.fromEntries(Object.entries(attributes).filter(([name]) => !names.includes(name)));

/** An attribute that became input `at`. */
const toInput =
  (name: string, at = 1): Upgrade =>
  (node, { graph }) => {
    const given = intsAttribute(node, name);
    if (!given) return node;
    const inputs = [...node.inputs];
    while (inputs.length < at) inputs.push(undefined);
    inputs[at] = ints(graph, given);
    return { ...node, inputs, attributes: without(node.attributes, name) };
  };

/** Before opset 13 the input was seen as a matrix cut before `axis` (1 where left out), each row normalised. */
const rowwise: Upgrade = (node, { opset }) => {
  if (opset >= 13) return node;
  const x = first(node);
  const axis = axisOf(node.op, intAttribute(node, "axis", 1), Math.max(1, x.shape.length));
  if (axis === x.shape.length - 1) return { ...node, attributes: { axis } };
  const rows = sizeOf(x.shape.slice(0, axis));
  const flat = reshape(x, [rows, sizeOf(x.shape) / Math.max(1, rows)]);
  return [reshape(emit(node.op, [flat], { axis: -1 })[0], x.shape)];
};

const resizeFrom10: Upgrade = (node, { opset }) => {
  if (node.op === "Resize" && opset >= 11) return node;
  const attribute = node.attributes["scales"];
  const scales =
    attribute && typeof attribute === "object" && "floats" in attribute
      ? first(node).graph.constant(ndarray("float32", [attribute.floats.length], Float32Array.from(attribute.floats)))
      : node.inputs[1];
  // Opset 10 scaled by x_out / scale and took the element at or below it
  const attributes = {
    mode: stringAttribute(node, "mode", "nearest"),
    coordinate_transformation_mode: "asymmetric",
    nearest_mode: "floor",
  };
  return { ...node, op: "Resize", inputs: [first(node), undefined, scales], attributes };
};

const constant: Upgrade = (node, { graph }) => {
  const name = node.outputs[0];
  const { value, value_float, value_int, value_floats, value_ints } = node.attributes;
  const array = (): NdArray => {
    if (value && typeof value === "object" && "dtype" in value) return value;
    if (value_int !== undefined) return ndarray("int64", [], BigInt64Array.of(BigInt(value_int as number)));
    if (Array.isArray(value_ints))
      return ndarray("int64", [value_ints.length], BigInt64Array.from(value_ints as number[], BigInt));
    if (value_float && typeof value_float === "object" && "float" in value_float)
      return ndarray("float32", [], Float32Array.of(value_float.float));
    if (value_floats && typeof value_floats === "object" && "floats" in value_floats)
      return ndarray("float32", [value_floats.floats.length], Float32Array.from(value_floats.floats));
    throw new GraphError("Constant holds no numbers (strings and sparse arrays are not supported)");
  };
  return [graph.constant(array(), name || undefined)];
};

/** Outside training it passes its input on. */
const dropout: Upgrade = (node) => {
  if ((node.inputs[2] && node.inputs[2].value?.data[0] !== 0) || (node.outputs[1] ?? "") !== "") return node;
  return { ...node, op: "Identity", inputs: [first(node)], outputs: node.outputs.slice(0, 1), attributes: {} };
};

const batchNormalization: Upgrade = (node) => {
  if (node.outputs.slice(1).some((o) => o !== "") || intAttribute(node, "training_mode", 0) !== 0)
    throw new GraphError("BatchNormalization in training mode is not supported; export the model in evaluation mode");
  return { ...node, outputs: node.outputs.slice(0, 1), attributes: { epsilon: node.attributes["epsilon"] } };
};

/** Before opset 21 scale and bias were given per group; from then on per channel. */
const groupNormalization: Upgrade = (node, { opset }) => {
  if (opset >= 21) return node;
  const x = first(node);
  const groups = intAttribute(node, "num_groups", 1);
  const perChannel = (t: Tensor | undefined) =>
    t && reshape(expand(reshape(t, [groups, 1]), [groups, x.shape[1] / groups]), [x.shape[1]]);
  return { ...node, inputs: [x, perChannel(node.inputs[1]), perChannel(node.inputs[2])] };
};

/** `...` written out as letters that the equation does not use. */
const einsum: Upgrade = (node) => {
  const equation = stringAttribute(node, "equation", "").replaceAll(" ", "");
  if (!equation.includes("...")) return node;
  const free = [..."ABCDEFGHIJKLMNOPQRSTUVWXYZ"].filter((l) => !equation.includes(l));
  const [left, right] = equation.split("->");
  const terms = left.split(",");
  const widths = terms.map((t, i) => (t.includes("...") ? (node.inputs[i]?.shape.length ?? 0) - (t.length - 3) : 0));
  const width = Math.max(...widths);
  if (widths.some((w, i) => w < 0 || (terms[i].includes("...") && w !== width)))
    throw new GraphError(`Einsum: '${equation}': the terms' ellipses stand for different numbers of axes`);
  const letters = free.slice(0, width).join("");
  const once = [...new Set(left.replace(/[.,]/g, ""))]
    .filter((l) => left.split(l).length === 2)
    .sort()
    .join("");
  const full = `${terms.map((t) => t.replace("...", letters)).join()}->${(right ?? `...${once}`).replace("...", letters)}`;
  return { ...node, attributes: { equation: full } };
};

const clip: Upgrade = (node, { graph }) => {
  const bound = (name: string) =>
    node.attributes[name] === undefined ? undefined : scalar(graph, floatAttribute(node, name, 0), first(node).dtype);
  if (node.inputs.length > 1) return node;
  return { ...node, inputs: [first(node), bound("min"), bound("max")], attributes: {} };
};

const pad: Upgrade = (node, { graph }) => {
  const given = intsAttribute(node, "pads");
  if (!given) return node;
  const value = scalar(graph, floatAttribute(node, "value", 0), first(node).dtype);
  return {
    ...node,
    inputs: [first(node), ints(graph, given), value],
    attributes: without(node.attributes, "pads", "value"),
  };
};

const sliceFrom9: Upgrade = (node, { graph }) => {
  const [starts, ends, axes] = ["starts", "ends", "axes"].map((name) => intsAttribute(node, name));
  if (!starts || !ends) return node;
  return {
    ...node,
    inputs: [first(node), ints(graph, starts), ints(graph, ends), axes && ints(graph, axes)],
    attributes: {},
  };
};

const splitSizes: Upgrade = (node, context) => {
  const now = toInput("split")(node, context) as FileNode;
  return now.inputs[1] ? now : { ...now, attributes: { ...now.attributes, num_outputs: node.outputs.length } };
};

/** x sigmoid(alpha x) (opset 24). */
const swish: Upgrade = (node) => {
  const x = first(node);
  const alpha = floatAttribute(node, "alpha", 1);
  return [mul(x, sigmoid(alpha === 1 ? x : mul(x, alpha)))];
};

/** Attention-23 in primitives: 3-D inputs are split into heads; a mask is added, or where Boolean hides the false. */
const attention: Upgrade = (node, { graph }) => {
  if (node.inputs.slice(4).some((t) => t) || node.outputs.slice(1).some((o) => o !== ""))
    throw new GraphError("Attention with a cache of past keys is not supported; export the model without it");
  if (intAttribute(node, "qk_matmul_output_mode", 0) !== 0)
    throw new GraphError("Attention: qk_matmul_output_mode is not supported");
  const packed = first(node).shape.length === 3;
  const headsOf = (t: Tensor | undefined, name: string): Tensor => {
    if (!t) throw new GraphError("Attention needs queries, keys and values");
    if (!packed) return t;
    const heads = intAttribute(node, name, 0);
    const [n, length, width] = t.shape;
    return transpose(reshape(t, [n, length, heads, width / heads]), [0, 2, 1, 3]);
  };
  const q = headsOf(node.inputs[0], "q_num_heads");
  let k = headsOf(node.inputs[1], "kv_num_heads");
  let v = headsOf(node.inputs[2], "kv_num_heads");
  const shared = q.shape[1] / k.shape[1]; // grouped queries: each key head serves several
  const repeatHeads = (t: Tensor): Tensor => {
    const [n, heads, length, width] = t.shape;
    return reshape(expand(reshape(t, [n, heads, 1, length, width]), [n, heads, shared, length, width]), [
      n,
      heads * shared,
      length,
      width,
    ]);
  };
  if (shared > 1) [k, v] = [repeatHeads(k), repeatHeads(v)];
  const scale = floatAttribute(node, "scale", 0) || 1 / Math.sqrt(q.shape[3]);
  let scores = matmul(mul(q, scale), transpose(k, [0, 1, 3, 2])); // [N, heads, L, S]
  const cap = floatAttribute(node, "softcap", 0);
  if (cap > 0) scores = mul(tanh(mul(scores, 1 / cap)), cap);
  const mask = node.inputs[3];
  const hide = (visible: Tensor, s: Tensor) => where(visible, s, -1e30);
  if (mask) scores = mask.dtype === "bool" ? hide(mask, scores) : add(scores, mask);
  if (intAttribute(node, "is_causal", 0) !== 0) {
    const [rows, columns] = scores.shape.slice(-2);
    const visible = Uint8Array.from({ length: rows * columns }, (_, i) =>
      Number(i % columns <= Math.floor(i / columns)),
    );
    scores = hide(graph.constant(ndarray("bool", [rows, columns], visible)), scores);
  }
  const y = matmul(softmax(scores), v);
  if (!packed) return [y];
  const [n, heads, length, width] = y.shape;
  return [reshape(transpose(y, [0, 2, 1, 3]), [n, length, heads * width])];
};

const reductions = ["Sum", "Mean", "Max", "Min", "Prod", "L1", "L2", "LogSum", "LogSumExp", "SumSquare"].map(
  (kind): [string, Upgrade] => [`Reduce${kind}`, toInput("axes")],
);

export const upgrades: Readonly<Record<string, Upgrade>> = {
  ...Object.fromEntries(reductions),
  Squeeze: toInput("axes"),
  Unsqueeze: toInput("axes"),
  Split: splitSizes,
  Slice: sliceFrom9,
  Softmax: rowwise,
  LogSoftmax: rowwise,
  Hardmax: rowwise,
  Upsample: resizeFrom10,
  Resize: resizeFrom10,
  Clip: clip,
  Pad: pad,
  Constant: constant,
  Dropout: dropout,
  BatchNormalization: batchNormalization,
  GroupNormalization: groupNormalization,
  Einsum: einsum,
  Swish: swish,
  Attention: attention,
  RMSNormalization: (node) => {
    const scale = node.inputs[1];
    if (!scale) throw new GraphError("RMSNormalization needs its scale");
    return [
      rmsNorm(first(node), scale, {
        axis: intAttribute(node, "axis", -1),
        epsilon: floatAttribute(node, "epsilon", 1e-5),
      }),
    ];
  },
  // GridSample-16 called its modes after images
  GridSample: (node) => {
    const mode = stringAttribute(node, "mode", "linear");
    const now = { bilinear: "linear", bicubic: "cubic" }[mode] ?? mode;
    return { ...node, attributes: { ...node.attributes, mode: now } };
  },
  Scatter: (node) => ({ ...node, op: "ScatterElements" }),
  // Before opset 20 the axis was an attribute, 1 where left out
  DFT: (node, { graph, opset }) =>
    opset >= 20
      ? node
      : {
          ...node,
          inputs: [first(node), node.inputs[1], scalar(graph, intAttribute(node, "axis", 1), "int64")],
          attributes: without(node.attributes, "axis"),
        },
};
