/** Derivatives of pooling: each window's gradient goes back to its greatest element, or to all of them in equal parts. */
import { ndarray, sizeOf } from "../../tensor/ndarray.js";
import { intAttribute, need } from "../infer/infer.js";
import { windowOf } from "../infer/math.js";
import { cast, convTranspose, div, emit, expand, mul, reshape, upsample, zerosLike } from "../ops.js";
import type { VjpRule } from "./vjp.js";

export const maxPoolVjp: VjpRule = (c) => {
  const x = need(c, 0);
  // ORT's indices count through the whole flattened input
  const indices = c.outputs[1] ?? emit("MaxPool", [x], c.attributes, { outputs: 2 })[1];
  const flat = [sizeOf(x.shape)];
  const zeros = reshape(zerosLike(x), flat);
  const count = [sizeOf(c.dy.shape)];
  const dx = emit("ScatterElements", [zeros, reshape(indices, count), reshape(c.dy, count)], {
    axis: 0,
    reduction: "add",
  })[0];
  return [reshape(dx, x.shape)];
};

export const averagePoolVjp: VjpRule = (c) => {
  const x = need(c, 0);
  const spatial = x.shape.slice(2);
  const window = windowOf(c, spatial);
  const { kernel, strides, dilations, before, after, output } = window;
  // Windows that tile the image: each element's share is repeated over its window
  const tiles = spatial.every((n, i) => kernel[i] === strides[i] && dilations[i] === 1 && n === output[i] * kernel[i]);
  if (tiles && [...before, ...after].every((p) => p === 0)) {
    const shares = mul(c.dy, 1 / sizeOf(kernel));
    // Ten times as fast as the reshaped Expand below, whose inner loop is one block wide
    if (x.dtype === "float32" && spatial.length === 2) return [upsample(shares, [kernel[0], kernel[1]])];
    const apart = [...x.shape.slice(0, 2), ...output.flatMap((n) => [n, 1])];
    const repeated = [...x.shape.slice(0, 2), ...output.flatMap((n, i) => [n, kernel[i]])];
    return [reshape(expand(reshape(shares, apart), repeated), x.shape)];
  }
  const includePad = intAttribute(c, "count_include_pad", 0) !== 0;
  // How many elements each output averaged: the product over axes of those inside the image (or the padded image)
  const counts = output.map((n, i) =>
    Array.from({ length: n }, (_, o) => {
      let inside = 0;
      for (let k = 0; k < kernel[i]; k++) {
        const at = o * strides[i] + k * dilations[i] - before[i];
        if (includePad ? at < spatial[i] + after[i] : at >= 0 && at < spatial[i]) inside++;
      }
      return inside;
    }),
  );
  const grid = new Float32Array(sizeOf(output)).map((_, flat) => {
    let product = 1;
    for (let i = output.length - 1, rest = flat; i >= 0; rest = Math.floor(rest / output[i--]))
      product *= counts[i][rest % output[i]];
    return product;
  });
  const share = div(c.dy, cast(x.graph.constant(ndarray("float32", [1, 1, ...output], grid)), x.dtype));
  const ones = x.graph.constant(ndarray("float32", [1, 1, ...kernel], new Float32Array(sizeOf(kernel)).fill(1)));
  const images = [x.shape[0] * x.shape[1], 1];
  const natural = output.map(
    (n, i) => strides[i] * (n - 1) + (kernel[i] - 1) * dilations[i] + 1 - before[i] - after[i],
  );
  const extra = spatial.map((n, i) => n - natural[i]);
  // ceil_mode may read past the padded image: those rows are cut off by a larger end padding
  const pads = [...before, ...after.map((a, i) => a + Math.max(0, -extra[i]))];
  const dx = convTranspose(reshape(share, [...images, ...output]), cast(ones, x.dtype), undefined, {
    strides,
    dilations,
    pads,
    outputPadding: extra.map((e) => Math.max(0, e)),
  });
  return [reshape(dx, x.shape)];
};
