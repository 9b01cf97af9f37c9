/** Convolutions on maps [batch, channel, latitude, longitude] that several architectures share. */
import { type Initialiser, lecun, one, type Scope, zero } from "../engine/parameters.js";
import type { Tensor } from "../graph/graph.js";
import { add, conv, layerNorm, mul, pad, reshape, upsample } from "../graph/ops.js";
import { float32, sizeOf } from "../tensor/ndarray.js";

export interface ConvolutionOptions {
  /** Channels out. */
  width: number;
  /** Rows and columns of the kernel: odd. */
  size: number;
  /** Columns go around the globe. */
  global: boolean;
  dilation?: number;
  /** Groups of channels that do not mix; as many as channels for a depthwise convolution. */
  group?: number;
  start?: "zero" | "lecun";
}

/** A convolution that keeps the map's size: zeros beyond the first and last row, columns around the globe where it is global. */
export function convolution(p: Scope, x: Tensor, options: ConvolutionOptions): Tensor {
  const { width, size, global, dilation = 1, group = 1, start = "lecun" } = options;
  const w = p.param("w", [width, x.shape[1] / group, size, size], start === "zero" ? zero : lecun);
  const b = p.param("b", [width], zero);
  const reach = ((size - 1) / 2) * dilation;
  const around = global ? wrapColumns(x, reach) : x;
  const side = global ? 0 : reach;
  return conv(around, w, b, { pads: [reach, side, reach, side], dilations: [dilation, dilation], group });
}

/** Columns added on both sides as they follow around the globe, as often as `reach` asks for. */
export function wrapColumns(x: Tensor, reach: number): Tensor {
  const step = Math.min(reach, x.shape[3]);
  if (step === 0) return x;
  return wrapColumns(pad(x, [0, 0, 0, step], [0, 0, 0, step], "wrap"), reach - step);
}

/** 1 x 1. */
export const pointwiseConvolution = (p: Scope, x: Tensor, width: number): Tensor =>
  conv(x, p.param("w", [width, x.shape[1], 1, 1], lecun), p.param("b", [width], zero));

/** Half the rows and columns, by a 2 x 2 kernel of stride 2. */
export const halve = (p: Scope, x: Tensor, width: number): Tensor =>
  conv(x, p.param("w", [width, x.shape[1], 2, 2], lecun), p.param("b", [width], zero), { strides: [2, 2] });

/** Each cell four times (nearest neighbour). */
export const double = (x: Tensor): Tensor => upsample(x, [2, 2]);

/** Normalised over all channels of a map (one group), then scaled and shifted per channel (Wu and He 2018). */
export function groupNorm(p: Scope, x: Tensor): Tensor {
  const [batch, width] = x.shape;
  const size = sizeOf(x.shape.slice(1));
  const unscaled = x.graph.constant(float32([size], new Float32Array(size).fill(1)));
  const h = reshape(layerNorm(reshape(x, [batch, size]), unscaled), x.shape);
  const perChannel = (name: string, init: Initialiser) => reshape(p.param(name, [width], init), [width, 1, 1]);
  return add(mul(h, perChannel("scale", one)), perChannel("bias", zero));
}
