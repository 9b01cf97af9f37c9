/**
 * Functions that write nodes. Each takes tensors and gives tensors, so a model reads like its equations:
 *
 *     const g = new Graph("mlp");
 *     const x = g.input("x", "float32", [8, 4]);
 *     const h = relu(gemm(x, g.parameter("w1", [4, 16]), g.parameter("b1", [16])));
 *     g.output("loss", reduceMean(square(h)));
 *
 * Where an argument may be a number it becomes a constant of the other argument's type. Names and meanings are ONNX's
 * (https://onnx.ai/onnx/operators/), opset 21.
 */
import { GraphError } from "../errors.js";
import { type DType, ndarray, type Shape, sizeOf, TYPED_ARRAYS } from "../tensor/ndarray.js";
import { customInfer } from "./custom.js";
import { type CustomGradient, describeType, type Graph, graphOf, type NodeAttributes, type Tensor } from "./graph.js";
import type { InferRule } from "./infer/infer.js";
import { inferRules, type OpType } from "./infer/index.js";

export type Operand = Tensor | number;

export interface EmitOptions {
  /** How many outputs, for operators with optional ones. */
  outputs?: number;
  /** Names for the outputs (import keeps a file's names). */
  names?: readonly string[];
  domain?: string;
}

/** Writes one node after checking its shapes; the error names the operator, the shapes and the line that asked for it. */
export function emit(
  op: OpType | (string & {}),
  inputs: readonly (Tensor | undefined)[],
  attributes: NodeAttributes = {},
  options: EmitOptions = {},
): Tensor[] {
  const { outputs = 1, domain = "", names } = options;
  const rule: InferRule | undefined =
    domain === "" && Object.hasOwn(inferRules, op) ? inferRules[op as OpType] : customInfer(domain, op);
  if (!rule)
    throw new GraphError(
      `no rule for the operator '${domain ? `${domain}.` : ""}${op}'; define it with defineOperator`,
    );
  const graph = graphOf(inputs);
  try {
    const types = rule({ op, inputs, attributes, outputCount: outputs });
    const odd = types.find(({ shape }) => !shape.every((n) => Number.isSafeInteger(n) && n >= 0));
    if (odd) throw new GraphError(`${op}: the shapes do not fit, they would give [${odd.shape.join(", ")}]`);
    return [...graph.append(op, inputs, attributes, types, { domain, names }).outputs];
  } catch (cause) {
    if (!(cause instanceof GraphError)) throw cause;
    const given = inputs.map((t) => (t ? `${t.name}: ${describeType(t)}` : "none")).join("; ");
    throw new GraphError(`${cause.message} (${op} of ${given}${builtAt()})`, { cause });
  }
}

/** `, written at model.ts:12`: the first line of the stack outside this folder. */
function builtAt(): string {
  const lines = (new Error().stack ?? "").split("\n").slice(2);
  const outside = lines.find((l) => !/[\\/]graph[\\/](?!.*\.test\.)/.test(l));
  const place = outside && /([^\\/(]+:\d+):\d+\)?$/.exec(outside)?.[1];
  return place ? `, written at ${place}` : "";
}

const one = (op: OpType, inputs: readonly (Tensor | undefined)[], attributes: NodeAttributes = {}): Tensor =>
  emit(op, inputs, attributes)[0];

/** A constant of one element. */
export function scalar(graph: Graph, value: number, dtype: DType = "float32"): Tensor {
  const data = new TYPED_ARRAYS[dtype](1);
  data[0] = dtype === "int64" || dtype === "uint64" ? BigInt(value) : value;
  return graph.constant({ dtype, shape: [], data });
}

/** A constant list of int64: shapes, axes, starts. */
export const ints = (graph: Graph, values: readonly number[]): Tensor =>
  graph.constant(ndarray("int64", [values.length], BigInt64Array.from(values, BigInt)));

/** Attribute values that are floating point even when whole. */
export const float = (value: number): { float: number } => ({ float: value });

function pair(a: Operand, b: Operand): [Tensor, Tensor] {
  if (typeof a === "number") {
    if (typeof b === "number")
      throw new GraphError("an operator between two plain numbers has no graph to be written in");
    return [scalar(b.graph, a, b.dtype), b];
  }
  return [a, typeof b === "number" ? scalar(a.graph, b, a.dtype) : b];
}

// Arithmetic with broadcasting
export const add = (a: Operand, b: Operand): Tensor => one("Add", pair(a, b));
export const sub = (a: Operand, b: Operand): Tensor => one("Sub", pair(a, b));
export const mul = (a: Operand, b: Operand): Tensor => one("Mul", pair(a, b));
export const div = (a: Operand, b: Operand): Tensor => one("Div", pair(a, b));
export const pow = (a: Operand, b: Operand): Tensor => one("Pow", pair(a, b));
export const maximum = (a: Operand, b: Operand): Tensor => one("Max", pair(a, b));
export const minimum = (a: Operand, b: Operand): Tensor => one("Min", pair(a, b));
export const square = (x: Tensor): Tensor => mul(x, x);
export const equal = (a: Operand, b: Operand): Tensor => one("Equal", pair(a, b));
export const greater = (a: Operand, b: Operand): Tensor => one("Greater", pair(a, b));
export const greaterOrEqual = (a: Operand, b: Operand): Tensor => one("GreaterOrEqual", pair(a, b));
export const less = (a: Operand, b: Operand): Tensor => one("Less", pair(a, b));
export const lessOrEqual = (a: Operand, b: Operand): Tensor => one("LessOrEqual", pair(a, b));
export const not = (x: Tensor): Tensor => one("Not", [x]);
export const where = (condition: Tensor, a: Operand, b: Operand): Tensor => one("Where", [condition, ...pair(a, b)]);

// One argument
export const neg = (x: Tensor): Tensor => one("Neg", [x]);
export const abs = (x: Tensor): Tensor => one("Abs", [x]);
export const sign = (x: Tensor): Tensor => one("Sign", [x]);
export const exp = (x: Tensor): Tensor => one("Exp", [x]);
export const log = (x: Tensor): Tensor => one("Log", [x]);
export const sqrt = (x: Tensor): Tensor => one("Sqrt", [x]);
export const reciprocal = (x: Tensor): Tensor => one("Reciprocal", [x]);
export const sin = (x: Tensor): Tensor => one("Sin", [x]);
export const cos = (x: Tensor): Tensor => one("Cos", [x]);
export const sinh = (x: Tensor): Tensor => one("Sinh", [x]);
export const cosh = (x: Tensor): Tensor => one("Cosh", [x]);
export const tanh = (x: Tensor): Tensor => one("Tanh", [x]);
export const sigmoid = (x: Tensor): Tensor => one("Sigmoid", [x]);
export const relu = (x: Tensor): Tensor => one("Relu", [x]);
export const softplus = (x: Tensor): Tensor => one("Softplus", [x]);
export const erf = (x: Tensor): Tensor => one("Erf", [x]);
/** x Phi(x), or its tanh approximation (Hendrycks and Gimpel 2016). */
export const gelu = (x: Tensor, options: { approximate?: "none" | "tanh" } = {}): Tensor =>
  one("Gelu", [x], options.approximate === "tanh" ? { approximate: "tanh" } : {});
/** x sigmoid(x). */
export const silu = (x: Tensor): Tensor => mul(x, sigmoid(x));
export const identity = (x: Tensor): Tensor => one("Identity", [x]);
export const cast = (x: Tensor, to: DType): Tensor => (x.dtype === to ? x : one("Cast", [x], { to }));
export const clip = (x: Tensor, low: number, high: number): Tensor =>
  one("Clip", [x, scalar(x.graph, low, x.dtype), scalar(x.graph, high, x.dtype)]);
export const cumSum = (x: Tensor, axis: number, options: { exclusive?: boolean; reverse?: boolean } = {}): Tensor =>
  one("CumSum", [x, scalar(x.graph, axis, "int64")], {
    exclusive: Number(options.exclusive ?? false),
    reverse: Number(options.reverse ?? false),
  });

// Products
export const matmul = (a: Tensor, b: Tensor): Tensor => one("MatMul", [a, b]);
/** a b + c for matrices, either one transposed at no cost. */
export const gemm = (a: Tensor, b: Tensor, c?: Tensor, options: { transA?: boolean; transB?: boolean } = {}): Tensor =>
  one("Gemm", c ? [a, b, c] : [a, b], {
    ...(options.transA ? { transA: 1 } : {}),
    ...(options.transB ? { transB: 1 } : {}),
  });
export const einsum = (equation: string, ...terms: Tensor[]): Tensor => one("Einsum", terms, { equation });

// Shapes
export const reshape = (x: Tensor, shape: Shape): Tensor =>
  shape.join() === x.shape.join() ? x : one("Reshape", [x, ints(x.graph, shape)]);
export const transpose = (x: Tensor, perm: readonly number[]): Tensor =>
  perm.every((p, i) => p === i) ? x : one("Transpose", [x], { perm });
export const expand = (x: Tensor, shape: Shape): Tensor =>
  shape.join() === x.shape.join() ? x : one("Expand", [x, ints(x.graph, shape)]);
export const concat = (parts: readonly Tensor[], axis: number): Tensor =>
  parts.length === 1 ? parts[0] : one("Concat", parts, { axis });
export const split = (x: Tensor, sizes: readonly number[], axis: number): Tensor[] =>
  emit("Split", [x, ints(x.graph, sizes)], { axis }, { outputs: sizes.length });
export const gather = (x: Tensor, indices: Tensor, axis = 0): Tensor => one("Gather", [x, indices], { axis });
/** One range an axis; axes not named stay whole. */
export const slice = (
  x: Tensor,
  ranges: readonly { axis: number; start: number; end: number; step?: number }[],
): Tensor =>
  one("Slice", [
    x,
    ...(["start", "end", "axis"] as const).map((key) =>
      ints(
        x.graph,
        ranges.map((r) => r[key]),
      ),
    ),
    ints(
      x.graph,
      ranges.map((r) => r.step ?? 1),
    ),
  ]);
export type PadMode = "constant" | "reflect" | "edge" | "wrap";
/** `before` and `after` per axis. */
export const pad = (
  x: Tensor,
  before: readonly number[],
  after: readonly number[],
  mode: PadMode = "constant",
): Tensor =>
  [...before, ...after].every((n) => n === 0) ? x : one("Pad", [x, ints(x.graph, [...before, ...after])], { mode });
export const unsqueeze = (x: Tensor, axes: readonly number[]): Tensor => one("Unsqueeze", [x, ints(x.graph, axes)]);
export const squeeze = (x: Tensor, axes: readonly number[]): Tensor => one("Squeeze", [x, ints(x.graph, axes)]);

// Reductions
export interface ReduceOptions {
  /** All where left out. */
  axes?: readonly number[];
  keepDims?: boolean;
}
type Reduction = Extract<OpType, `Reduce${string}`>;
const reduction =
  (op: Reduction) =>
  (x: Tensor, options: ReduceOptions = {}): Tensor =>
    one(op, options.axes ? [x, ints(x.graph, options.axes)] : [x], { keepdims: Number(options.keepDims ?? false) });
export const reduceSum = reduction("ReduceSum");
export const reduceMean = reduction("ReduceMean");
export const reduceMax = reduction("ReduceMax");
export const reduceMin = reduction("ReduceMin");

// Layers
export const softmax = (x: Tensor, axis = -1): Tensor => one("Softmax", [x], { axis });
/** (x - mean) / sqrt(variance + epsilon) * scale + bias over the axes from `axis` on. */
export function layerNorm(
  x: Tensor,
  scale: Tensor,
  bias?: Tensor,
  options: { axis?: number; epsilon?: number } = {},
): Tensor {
  const { axis = -1, epsilon = 1e-5 } = options;
  // The mean and inverse deviation are asked for because the derivative uses them.
  return emit("LayerNormalization", [x, scale, bias], { axis, epsilon: float(epsilon) }, { outputs: 3 })[0];
}
export interface ConvOptions {
  strides?: readonly number[];
  /** Before every axis, then after every axis. */
  pads?: readonly number[];
  dilations?: readonly number[];
  group?: number;
}
/** x [N, C, ...], w [M, C / group, ...], bias [M]. */
export const conv = (x: Tensor, w: Tensor, bias?: Tensor, options: ConvOptions = {}): Tensor =>
  one("Conv", [x, w, bias], { ...options });
/** x [N, C, ...], w [C, M / group, ...], bias [M]. */
export const convTranspose = (
  x: Tensor,
  w: Tensor,
  bias?: Tensor,
  options: ConvOptions & { outputPadding?: readonly number[] } = {},
): Tensor => {
  const { outputPadding, ...rest } = options;
  return one("ConvTranspose", [x, w, bias], { ...rest, output_padding: outputPadding });
};

/** Each cell of maps [N, C, H, W] as a block of that many rows and columns (nearest neighbour); float32. */
export const upsample = (x: Tensor, block: readonly [number, number]): Tensor =>
  one("Resize", [x, undefined, x.graph.constant(ndarray("float32", [4], Float32Array.of(1, 1, ...block)))], {
    mode: "nearest",
    coordinate_transformation_mode: "asymmetric",
    nearest_mode: "floor",
  });

/** Zeros of a tensor's type and shape. */
export const zerosLike = (x: Tensor): Tensor => expand(scalar(x.graph, 0, x.dtype), x.shape);

/** x as a tensor of two axes, the last one kept: what Gemm takes. No data moves. */
export const asMatrix = (x: Tensor): Tensor => {
  const columns = x.shape[x.shape.length - 1];
  return reshape(x, [sizeOf(x.shape) / columns, columns]);
};

/** x w + b over the last axis: x [..., in], w [in, out], b [out]. */
export const linear = (x: Tensor, w: Tensor, b?: Tensor): Tensor =>
  reshape(gemm(asMatrix(x), w, b), [...x.shape.slice(0, -1), w.shape[1]]);

/** The same value, but no gradient flows back through it. */
export function stopGradient(x: Tensor): Tensor {
  return customGradient(identity(x), [], () => []);
}

/** Replaces the derivative of `y` with respect to `inputs` by the user's own rule; nothing flows behind `y` otherwise. */
export function customGradient(y: Tensor, inputs: readonly Tensor[], vjp: CustomGradient["vjp"]): Tensor {
  y.graph.customGradients.set(y.name, { inputs, vjp });
  return y;
}
