/** Shapes of products, convolutions, normalisations, reductions and recurrent layers. */
import { GraphError } from "../../errors.js";
import type { TensorType } from "../graph.js";
import {
  axisOf,
  broadcastShapes,
  constantInts,
  type InferContext,
  type InferRule,
  intAttribute,
  intsAttribute,
  need,
  sameAsInput,
  sameDtype,
  stringAttribute,
} from "./infer.js";

/** The axes a reduction goes over; all where none are named (unless `noop_with_empty_axes`). */
export function reducedAxes(c: InferContext): number[] {
  const rank = need(c, 0).shape.length;
  const axes = constantInts(c, 1);
  if (axes && axes.length > 0) return axes.map((a) => axisOf(c.op, a, rank)).sort((a, b) => a - b);
  return intAttribute(c, "noop_with_empty_axes", 0) ? [] : Array.from({ length: rank }, (_, i) => i);
}

const dropAxes = (shape: readonly number[], axes: readonly number[], keep: boolean) =>
  shape.flatMap((n, i) => (axes.includes(i) ? (keep ? [1] : []) : [n]));

const reduce: InferRule = (c) => {
  const x = need(c, 0);
  return [{ dtype: x.dtype, shape: dropAxes(x.shape, reducedAxes(c), intAttribute(c, "keepdims", 1) !== 0) }];
};

const argReduce: InferRule = (c) => {
  const x = need(c, 0);
  const axis = axisOf(c.op, intAttribute(c, "axis", 0), x.shape.length);
  return [{ dtype: "int64", shape: dropAxes(x.shape, [axis], intAttribute(c, "keepdims", 1) !== 0) }];
};

/** The subscripts of an Einsum equation, one list a term, and those of its output. */
export function einsumTerms(c: InferContext): { terms: string[]; output: string } {
  const equation = stringAttribute(c, "equation", "").replaceAll(" ", "");
  const [left, right] = equation.split("->");
  const terms = left.split(",");
  if (equation.includes("."))
    throw new GraphError(`Einsum: '${equation}': ellipses are not supported; write the axes out`);
  const letters = [...terms.join("")];
  const once = [...new Set(letters)].filter((l) => letters.indexOf(l) === letters.lastIndexOf(l)).sort();
  return { terms, output: right ?? once.join("") };
}

/** Kernel geometry of a convolution or pooling window, with `auto_pad` resolved. */
export interface Window {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly before: readonly number[];
  readonly after: readonly number[];
  readonly output: readonly number[];
}

/** The window of a convolution (kernel from its weights) or pooling (kernel from `kernel_shape`) over spatial sizes. */
export function windowOf(
  c: Pick<InferContext, "op" | "attributes">,
  spatial: readonly number[],
  kernelShape?: readonly number[],
): Window {
  const kernel = kernelShape ?? intsAttribute(c, "kernel_shape")!;
  const ones = spatial.map(() => 1);
  const strides = intsAttribute(c, "strides") ?? ones;
  const dilations = intsAttribute(c, "dilations") ?? ones;
  const reach = kernel.map((k, i) => (k - 1) * dilations[i] + 1);
  const auto = stringAttribute(c, "auto_pad", "NOTSET");
  const rank = spatial.length;
  let pads = intsAttribute(c, "pads") ?? new Array<number>(2 * rank).fill(0);
  if (auto === "VALID") pads = new Array<number>(2 * rank).fill(0);
  if (auto.startsWith("SAME")) {
    const total = spatial.map((n, i) => Math.max(0, (Math.ceil(n / strides[i]) - 1) * strides[i] + reach[i] - n));
    const small = total.map((t) => Math.floor(t / 2));
    const large = total.map((t, i) => t - small[i]);
    pads = auto === "SAME_UPPER" ? [...small, ...large] : [...large, ...small];
  }
  const before = pads.slice(0, rank);
  const after = pads.slice(rank);
  const ceil = intAttribute(c, "ceil_mode", 0) !== 0;
  const output = spatial.map((n, i) => {
    const steps = (n + before[i] + after[i] - reach[i]) / strides[i];
    let count = (ceil ? Math.ceil(steps) : Math.floor(steps)) + 1;
    if (ceil && (count - 1) * strides[i] >= n + before[i]) count--; // a window that starts in the padding is dropped
    if (count < 1) throw new GraphError(`${c.op}: a window of ${kernel.join("x")} does not fit ${spatial.join("x")}`);
    return count;
  });
  return { kernel, strides, dilations, before, after, output };
}

const conv: InferRule = (c) => {
  const [x, w] = [need(c, 0), need(c, 1)];
  sameDtype(c, x, w);
  const groups = intAttribute(c, "group", 1);
  if (x.shape[1] !== w.shape[1] * groups)
    throw new GraphError(
      `Conv: input [${x.shape.join(", ")}] has ${x.shape[1]} channels, weights [${w.shape.join(", ")}] with ${groups} group(s) take ${w.shape[1] * groups}`,
    );
  return [
    { dtype: x.dtype, shape: [x.shape[0], w.shape[0], ...windowOf(c, x.shape.slice(2), w.shape.slice(2)).output] },
  ];
};

/** Geometry of a ConvTranspose: its output size and the paddings in force (ONNX ConvTranspose-11). */
export function transposedWindow(
  c: Pick<InferContext, "op" | "attributes">,
  spatial: readonly number[],
  kernel: readonly number[],
): Window {
  const rank = spatial.length;
  const strides = intsAttribute(c, "strides") ?? spatial.map(() => 1);
  const dilations = intsAttribute(c, "dilations") ?? spatial.map(() => 1);
  const extra = intsAttribute(c, "output_padding") ?? spatial.map(() => 0);
  const pads = intsAttribute(c, "pads") ?? new Array<number>(2 * rank).fill(0);
  const full = spatial.map((n, i) => strides[i] * (n - 1) + extra[i] + (kernel[i] - 1) * dilations[i] + 1);
  const wanted = intsAttribute(c, "output_shape");
  const auto = stringAttribute(c, "auto_pad", "NOTSET");
  const same = auto.startsWith("SAME") ? spatial.map((n, i) => n * strides[i]) : undefined;
  const target = wanted ?? same;
  const total = target ? full.map((n, i) => Math.max(0, n - target[i])) : undefined;
  const half = total?.map((t) => Math.floor(t / 2));
  const before = total ? (auto === "SAME_UPPER" ? half! : total.map((t, i) => t - half![i])) : pads.slice(0, rank);
  const after = total ? total.map((t, i) => t - before[i]) : pads.slice(rank);
  return { kernel, strides, dilations, before, after, output: full.map((n, i) => n - before[i] - after[i]) };
}

const pool: InferRule = (c) => {
  const x = need(c, 0);
  const shape = [x.shape[0], x.shape[1], ...windowOf(c, x.shape.slice(2)).output];
  const types: TensorType[] = [
    { dtype: x.dtype, shape },
    { dtype: "int64", shape },
  ];
  return types.slice(0, c.outputCount);
};

const globalPool: InferRule = (c) => {
  const x = need(c, 0);
  return [{ dtype: x.dtype, shape: x.shape.map((n, i) => (i < 2 ? n : 1)) }];
};

/** LayerNormalization gives y, and on request the mean and the inverse deviation that its derivative reuses. */
const layerNorm: InferRule = (c) => {
  const x = need(c, 0);
  const axis = axisOf(c.op, intAttribute(c, "axis", -1), x.shape.length);
  // Statistics are float32 whatever x is (stash_type 1, the only one ONNX Runtime has)
  const stats = { dtype: "float32" as const, shape: x.shape.map((n, i) => (i < axis ? n : 1)) };
  return [{ dtype: x.dtype, shape: x.shape }, stats, stats].slice(0, c.outputCount);
};

export const mathOps = {
  MatMul: ((c) => {
    const [a, b] = [need(c, 0), need(c, 1)];
    sameDtype(c, a, b);
    const left = a.shape.length === 1 ? [1, ...a.shape] : a.shape;
    const right = b.shape.length === 1 ? [...b.shape, 1] : b.shape;
    const k = left[left.length - 1];
    if (k !== right[right.length - 2])
      throw new GraphError(`MatMul: [${a.shape.join(", ")}] by [${b.shape.join(", ")}]: the inner sizes differ`);
    const shape = broadcastShapes(c.op, left.slice(0, -2), right.slice(0, -2));
    if (a.shape.length > 1) shape.push(left[left.length - 2]);
    if (b.shape.length > 1) shape.push(right[right.length - 1]);
    return [{ dtype: a.dtype, shape }];
  }) as InferRule,
  Gemm: ((c) => {
    const [a, b] = [need(c, 0), need(c, 1)];
    sameDtype(c, a, b);
    if (a.shape.length !== 2 || b.shape.length !== 2)
      throw new GraphError(`Gemm takes matrices, not [${a.shape.join(", ")}] and [${b.shape.join(", ")}]`);
    const [m, k] = intAttribute(c, "transA", 0) ? [a.shape[1], a.shape[0]] : a.shape;
    const [k2, n] = intAttribute(c, "transB", 0) ? [b.shape[1], b.shape[0]] : b.shape;
    if (k !== k2)
      throw new GraphError(
        `Gemm: [${a.shape.join(", ")}] by [${b.shape.join(", ")}]: the inner sizes ${k} and ${k2} differ`,
      );
    const bias = c.inputs[2];
    if (bias && broadcastShapes(c.op, bias.shape, [m, n]).join() !== `${m},${n}`)
      throw new GraphError(`Gemm: C of shape [${bias.shape.join(", ")}] does not broadcast to [${m}, ${n}]`);
    return [{ dtype: a.dtype, shape: [m, n] }];
  }) as InferRule,
  Einsum: ((c) => {
    const { terms, output } = einsumTerms(c);
    const sizes = new Map<string, number>();
    terms.forEach((term, i) => {
      const t = need(c, i);
      if (term.length !== t.shape.length)
        throw new GraphError(`Einsum: term '${term}' does not fit a tensor of shape [${t.shape.join(", ")}]`);
      [...term].forEach((letter, axis) => {
        if ((sizes.get(letter) ?? t.shape[axis]) !== t.shape[axis])
          throw new GraphError(`Einsum: '${letter}' is both ${sizes.get(letter)} and ${t.shape[axis]}`);
        sizes.set(letter, t.shape[axis]);
      });
    });
    return [{ dtype: need(c, 0).dtype, shape: [...output].map((l) => sizes.get(l)!) }];
  }) as InferRule,
  Conv: conv,
  ConvTranspose: ((c) => {
    const [x, w] = [need(c, 0), need(c, 1)];
    sameDtype(c, x, w);
    if (x.shape[1] !== w.shape[0])
      throw new GraphError(
        `ConvTranspose: input [${x.shape.join(", ")}] has ${x.shape[1]} channels, weights [${w.shape.join(", ")}] take ${w.shape[0]}`,
      );
    const channels = w.shape[1] * intAttribute(c, "group", 1);
    return [
      {
        dtype: x.dtype,
        shape: [x.shape[0], channels, ...transposedWindow(c, x.shape.slice(2), w.shape.slice(2)).output],
      },
    ];
  }) as InferRule,
  MaxPool: pool,
  AveragePool: pool,
  GlobalAveragePool: globalPool,
  GlobalMaxPool: globalPool,
  LayerNormalization: layerNorm,
  InstanceNormalization: sameAsInput,
  GroupNormalization: sameAsInput,
  BatchNormalization: ((c) => {
    const x = need(c, 0);
    if (intAttribute(c, "training_mode", 0))
      throw new GraphError("BatchNormalization in training mode is not supported; export the model in evaluation mode");
    return [x];
  }) as InferRule,
  LpNormalization: sameAsInput,
  MeanVarianceNormalization: sameAsInput,
  Softmax: sameAsInput,
  LogSoftmax: sameAsInput,
  Hardmax: sameAsInput,
  ReduceSum: reduce,
  ReduceMean: reduce,
  ReduceMax: reduce,
  ReduceMin: reduce,
  ReduceProd: reduce,
  ReduceL1: reduce,
  ReduceL2: reduce,
  ReduceLogSum: reduce,
  ReduceLogSumExp: reduce,
  ReduceSumSquare: reduce,
  ArgMax: argReduce,
  ArgMin: argReduce,
  TopK: ((c) => {
    const x = need(c, 0);
    const axis = axisOf(c.op, intAttribute(c, "axis", -1), x.shape.length);
    const shape = x.shape.map((n, i) => (i === axis ? constantInts(c, 1)![0] : n));
    return [
      { dtype: x.dtype, shape },
      { dtype: "int64", shape },
    ];
  }) as InferRule,
} as const;
