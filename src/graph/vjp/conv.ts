/**
 * Derivatives of Conv and ConvTranspose, themselves convolutions:
 * the input's is a convolution of dy with the kernel turned round (stride 1) or a transposed one; the weights' is a
 * convolution of the input by dy with batch and channels exchanged, stride and dilation exchanged.
 */
import type { Tensor } from "../graph.js";
import { intAttribute, need } from "../infer/infer.js";
import { transposedWindow, type Window, windowOf } from "../infer/math.js";
import { ndarray, sizeOf } from "../../tensor/ndarray.js";
import { cast, concat, conv, convTranspose, gemm, pad, reduceSum, reshape, slice, transpose } from "../ops.js";
import { suitsWinograd, winogradWeightGradient } from "../winograd.js";
import type { VjpRule } from "./vjp.js";

const spatialOf = (x: Tensor): number[] => x.shape.slice(2);
const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);

/**
 * [M, C / g, K] with every kernel axis reversed and in/out channels exchanged within each group: [C, M / g, K]. The reversal
 * is a product with the exchange matrix: a slice with negative steps takes several times as long.
 */
function turnedRound(w: Tensor, group: number): Tensor {
  const [m, perGroup, ...kernel] = w.shape;
  const elements = sizeOf(kernel);
  const exchanged = transpose(reshape(w, [group, m / group, perGroup, elements]), [0, 2, 1, 3]);
  const turned =
    elements === 1 ? exchanged : gemm(reshape(exchanged, [m * perGroup, elements]), exchangeMatrix(w, elements));
  return reshape(turned, [group * perGroup, m / group, ...kernel]);
}

/** Ones from the upper right to the lower left, of `like`'s type. */
function exchangeMatrix(like: Tensor, n: number): Tensor {
  const ones = Float32Array.from({ length: n * n }, (_, i) => Number((i % n) + Math.floor(i / n) === n - 1));
  return cast(like.graph.constant(ndarray("float32", [n, n], ones)), like.dtype);
}

/** Gradient of a convolution with respect to its input of `spatial` sizes. */
function inputGradient(dy: Tensor, w: Tensor, window: Window, spatial: readonly number[], group: number): Tensor {
  const { kernel, strides, dilations, before, after } = window;
  const reach = kernel.map((k, i) => (k - 1) * dilations[i]);
  const lead = reach.map((r, i) => r - before[i]);
  const trail = reach.map((r, i) => r - after[i]);
  if (strides.every((s) => s === 1) && [...lead, ...trail].every((p) => p >= 0))
    return conv(dy, turnedRound(w, group), undefined, { pads: [...lead, ...trail], dilations, group });
  const natural = spatialOf(dy).map((n, i) => strides[i] * (n - 1) + reach[i] + 1 - before[i] - after[i]);
  return convTranspose(dy, w, undefined, {
    strides,
    dilations,
    group,
    pads: [...before, ...after],
    outputPadding: spatial.map((n, i) => n - natural[i]),
  });
}

/** Kernels of at most this many elements are differentiated element by element. */
const FEW = 49;

/**
 * Gradient of a convolution x [N, C, S] -> y [N, M, O] with respect to its weights [M, C / g, K]. For the usual small kernels
 * one matrix product an element of the kernel, dy [M, N O] by the shifted input [C, N O]: several times as fast as the form
 * below, whose kernel is as large as the image, and than one product by all shifts side by side, which copies more.
 */
function weightGradient(x: Tensor, dy: Tensor, window: Window, group: number): Tensor {
  if (suitsWinograd(x, dy.shape[1], window, group)) return winogradWeightGradient(x, dy, window.before);
  return group === 1 && sizeOf(window.kernel) <= FEW ? byElement(x, dy, window) : byConvolution(x, dy, window, group);
}

/** Channels before samples. */
const channelsFirst = (t: Tensor): Tensor =>
  t.shape[0] === 1 ? reshape(t, [t.shape[1], 1, ...spatialOf(t)]) : transpose(t, [1, 0, ...range(2, t.shape.length)]);

function byElement(x: Tensor, dy: Tensor, { kernel, strides, dilations, before, after }: Window): Tensor {
  const [n, channels] = x.shape;
  const outputs = spatialOf(dy);
  const positions = n * sizeOf(outputs);
  const rows = reshape(channelsFirst(dy), [dy.shape[1], positions]); // [M, N O]
  const padded = channelsFirst(pad(x, [0, 0, ...before], [0, 0, ...after]));
  const elements = range(0, sizeOf(kernel)).map((flat) => {
    let rest = flat;
    const at = new Array<number>(kernel.length);
    for (let i = kernel.length - 1; i >= 0; rest = Math.floor(rest / kernel[i--])) at[i] = rest % kernel[i];
    const ranges = at.flatMap((k, i) => {
      const start = k * dilations[i];
      const end = start + strides[i] * (outputs[i] - 1) + 1;
      return start === 0 && strides[i] === 1 && end === padded.shape[i + 2]
        ? []
        : [{ axis: i + 2, start, end, step: strides[i] }];
    });
    const shifted = reshape(ranges.length > 0 ? slice(padded, ranges) : padded, [channels, positions]); // [C, N O]
    return reshape(gemm(rows, shifted, undefined, { transB: true }), [dy.shape[1], channels, 1]);
  });
  return reshape(concat(elements, 2), [dy.shape[1], channels, ...kernel]);
}

function byConvolution(x: Tensor, dy: Tensor, window: Window, group: number): Tensor {
  const { kernel, strides, dilations, before, after } = window;
  const [n, channels] = x.shape;
  const perGroup = channels / group;
  const axes = range(3, 3 + kernel.length);
  // [N, g, C/g, S] -> [C/g, g N, S]: each group's samples become the channels of one group
  const samples = reshape(transpose(reshape(x, [n, group, perGroup, ...spatialOf(x)]), [2, 1, 0, ...axes]), [
    perGroup,
    group * n,
    ...spatialOf(x),
  ]);
  const kernels = transpose(dy, [1, 0, ...range(2, dy.shape.length)]);
  const full = conv(samples, kernels, undefined, {
    pads: [...before, ...after],
    strides: dilations,
    dilations: strides,
    group,
  });
  // A stride that does not divide the input leaves positions that no kernel element reached
  const extra = kernel.flatMap((k, i) => (full.shape[i + 2] > k ? [{ axis: i + 2, start: 0, end: k }] : []));
  return transpose(extra.length > 0 ? slice(full, extra) : full, [1, 0, ...range(2, full.shape.length)]);
}

/** Summed over each image first: rows of memory, then a few numbers an image. */
const biasGradient = (dy: Tensor): Tensor =>
  reduceSum(reduceSum(reshape(dy, [dy.shape[0], dy.shape[1], sizeOf(spatialOf(dy))]), { axes: [2] }), { axes: [0] });

export const convVjp: VjpRule = (c) => {
  const [x, w] = [need(c, 0), need(c, 1)];
  const group = intAttribute(c, "group", 1);
  const window = windowOf(c, spatialOf(x), spatialOf(w));
  return [
    c.wanted[0] ? inputGradient(c.dy, w, window, spatialOf(x), group) : undefined,
    c.wanted[1] ? weightGradient(x, c.dy, window, group) : undefined,
    c.wanted[2] ? biasGradient(c.dy) : undefined,
  ];
};

export const convTransposeVjp: VjpRule = (c) => {
  const [x, w] = [need(c, 0), need(c, 1)];
  const group = intAttribute(c, "group", 1);
  const window = transposedWindow(c, spatialOf(x), spatialOf(w));
  const { strides, dilations, before, after } = window;
  return [
    c.wanted[0] ? conv(c.dy, w, undefined, { strides, dilations, pads: [...before, ...after], group }) : undefined,
    c.wanted[1] ? weightGradient(c.dy, x, window, group) : undefined,
    c.wanted[2] ? biasGradient(c.dy) : undefined,
  ];
};
