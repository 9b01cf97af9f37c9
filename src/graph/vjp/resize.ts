/**
 * Resize is linear in its input: along each axis it is a product with a small matrix of weights that depends only on sizes.
 * The derivative is the product with that matrix transposed, axis by axis.
 */
import { ndarray } from "../../tensor/ndarray.js";
import type { Tensor } from "../graph.js";
import { axisOf, intsAttribute, need, stringAttribute } from "../infer/infer.js";
import { cast, matmul, transpose } from "../ops.js";
import { inversePermutation, type VjpContext, type VjpRule } from "./vjp.js";

/** Where an output position lies on the input axis (ONNX Resize-19, `coordinate_transformation_mode`). */
function sourcePosition(mode: string, i: number, scale: number, from: number, to: number): number {
  switch (mode) {
    case "asymmetric":
      return i / scale;
    case "align_corners":
      return to === 1 ? 0 : (i * (from - 1)) / (to - 1);
    case "pytorch_half_pixel":
      return to === 1 ? 0 : (i + 0.5) / scale - 0.5;
    default:
      return (i + 0.5) / scale - 0.5; // half_pixel
  }
}

function nearestIndex(rounding: string, x: number): number {
  switch (rounding) {
    case "floor":
      return Math.floor(x);
    case "ceil":
      return Math.ceil(x);
    case "round_prefer_ceil":
      return Math.floor(x + 0.5);
    default:
      return Math.ceil(x - 0.5); // round_prefer_floor
  }
}

/** The [to, from] matrix of one axis. */
export function resizeMatrix(c: VjpContext, from: number, to: number, scale: number): Float32Array {
  const mode = stringAttribute(c, "mode", "nearest");
  const coordinates = stringAttribute(c, "coordinate_transformation_mode", "half_pixel");
  const rounding = stringAttribute(c, "nearest_mode", "round_prefer_floor");
  const weights = new Float32Array(to * from);
  const clamp = (k: number) => Math.min(Math.max(k, 0), from - 1);
  for (let i = 0; i < to; i++) {
    const x = sourcePosition(coordinates, i, scale, from, to);
    if (mode === "nearest") {
      weights[i * from + clamp(nearestIndex(rounding, x))] = 1;
    } else {
      const at = clamp(x);
      const low = Math.min(Math.floor(at), from - 1);
      const high = clamp(low + 1);
      weights[i * from + low] += 1 - (at - low);
      weights[i * from + high] += at - low;
    }
  }
  return weights;
}

export const resizeVjp: VjpRule = (c) => {
  const x = need(c, 0);
  const mode = stringAttribute(c, "mode", "nearest");
  const coordinates = stringAttribute(c, "coordinate_transformation_mode", "half_pixel");
  if (
    !["nearest", "linear"].includes(mode) ||
    !["half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel"].includes(coordinates)
  )
    return c.unsupported(`in mode '${mode}' with '${coordinates}' coordinates`);
  const axes = intsAttribute(c, "axes")?.map((a) => axisOf(c.op, a, x.shape.length)) ?? x.shape.map((_, i) => i);
  const given = c.inputs[2]?.value;
  let dx: Tensor = c.dy;
  axes.forEach((axis, i) => {
    const [from, to] = [x.shape[axis], c.dy.shape[axis]];
    if (from === to) return;
    const scale = given && given.data.length > 0 ? Number(given.data[i]) : to / from;
    const weights = cast(x.graph.constant(ndarray("float32", [to, from], resizeMatrix(c, from, to, scale))), x.dtype);
    const perm = dx.shape
      .map((_, k) => k)
      .filter((k) => k !== axis)
      .concat(axis); // the axis last, for a product from the right
    dx = transpose(matmul(transpose(dx, perm), weights), inversePermutation(perm));
  });
  return [dx];
};
