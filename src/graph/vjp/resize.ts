/**
 * Resize is linear in its input: along each axis it is a product with a small matrix of weights that depends only on sizes.
 * The derivative is the product with that matrix transposed, axis by axis.
 */
import { ndarray, sizeOf } from "../../tensor/ndarray.js";
import type { Tensor } from "../graph.js";
import { axisOf, floatAttribute, intAttribute, intsAttribute, need, stringAttribute } from "../infer/infer.js";
import { cast, emit, matmul, mul, reduceSum, reshape, transpose } from "../ops.js";
import { inversePermutation, type VjpContext, type VjpRule } from "./vjp.js";

const f32 = Math.fround;

/** Where an output position lies on the input axis (ONNX Resize-19, `coordinate_transformation_mode`), rounded as the kernel does. */
function sourcePosition(mode: string, i: number, scale: number, from: number, to: number): number {
  switch (mode) {
    case "asymmetric":
      return f32(i / f32(scale));
    case "align_corners":
      return to === 1 ? 0 : f32((i * (from - 1)) / (to - 1));
    case "pytorch_half_pixel":
      return to === 1 ? 0 : f32(f32((i + 0.5) / f32(scale)) - 0.5);
    default:
      return f32(f32((i + 0.5) / f32(scale)) - 0.5); // half_pixel
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

/** Weights of the four points around a position that lies `s` beyond the second (Keys 1981); `a` is -0.75 in ONNX unless said. */
function cubicWeights(s: number, a: number): number[] {
  const near = (d: number) => ((a + 2) * d - (a + 3)) * d * d + 1;
  const far = (d: number) => ((a * d - 5 * a) * d + 8 * a) * d - 4 * a;
  return [far(1 + s), near(s), near(1 - s), far(2 - s)];
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
    } else if (mode === "cubic") {
      const low = Math.floor(x);
      const four = cubicWeights(x - low, floatAttribute(c, "cubic_coeff_a", -0.75));
      // Points beyond the edge: the edge's value, or none, the others' weights scaled to make up for it
      const outside = (k: number) => low - 1 + k < 0 || low - 1 + k >= from;
      const kept = intAttribute(c, "exclude_outside", 0) ? four.map((w, k) => (outside(k) ? 0 : w)) : four;
      const total = kept === four ? 1 : kept.reduce((p, q) => p + q, 0);
      kept.forEach((w, k) => (weights[i * from + clamp(low - 1 + k)] += w / total));
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

/** Whether every input is repeated the same whole number of times, the commonest upsampling. */
function repeats(matrix: Float32Array, from: number, to: number): boolean {
  const times = to / from;
  return (
    Number.isInteger(times) &&
    matrix.every((w, k) => w === Number(k % from === Math.floor(Math.floor(k / from) / times)))
  );
}

/** [..., n * times, ...] -> [..., n, ...], each run of `times` summed. */
function blockSums(t: Tensor, axis: number, n: number): Tensor {
  const split = [...t.shape.slice(0, axis), n, t.shape[axis] / n, ...t.shape.slice(axis + 1)];
  return reduceSum(reshape(t, split), { axes: [axis + 1] });
}

export const resizeVjp: VjpRule = (c) => {
  const x = need(c, 0);
  const mode = stringAttribute(c, "mode", "nearest");
  const coordinates = stringAttribute(c, "coordinate_transformation_mode", "half_pixel");
  if (
    !["nearest", "linear", "cubic"].includes(mode) ||
    !["half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel"].includes(coordinates)
  )
    return c.unsupported(`in mode '${mode}' with '${coordinates}' coordinates`);
  if (intAttribute(c, "antialias", 0)) return c.unsupported("with antialias");
  const axes = intsAttribute(c, "axes")?.map((a) => axisOf(c.op, a, x.shape.length)) ?? x.shape.map((_, i) => i);
  const given = c.inputs[2]?.value;
  const scaleOf = (axis: number): number => {
    const i = axes.indexOf(axis);
    return given && given.data.length > 0 ? Number(given.data[i]) : c.dy.shape[axis] / x.shape[axis];
  };
  const resized = axes.filter((axis) => x.shape[axis] !== c.dy.shape[axis]);
  const matrices = new Map(
    resized.map((axis) => [axis, resizeMatrix(c, x.shape[axis], c.dy.shape[axis], scaleOf(axis))]),
  );
  const whole = resized.filter((axis) => repeats(matrices.get(axis)!, x.shape[axis], c.dy.shape[axis]));
  // Images whose cells were repeated: the pooling kernel adds blocks ten times as fast as two reductions do
  if (x.dtype === "float32" && x.shape.length === 4 && whole.join() === "2,3" && resized.length === 2) {
    const block = [2, 3].map((axis) => c.dy.shape[axis] / x.shape[axis]);
    const [means] = emit("AveragePool", [c.dy], { kernel_shape: block, strides: block });
    return [mul(means, sizeOf(block))];
  }
  let dx: Tensor = c.dy;
  for (const axis of resized) {
    if (whole.includes(axis)) {
      dx = blockSums(dx, axis, x.shape[axis]);
      continue;
    }
    const [from, to] = [x.shape[axis], c.dy.shape[axis]];
    const weights = cast(x.graph.constant(ndarray("float32", [to, from], matrices.get(axis)!)), x.dtype);
    const perm = dx.shape
      .map((_, k) => k)
      .filter((k) => k !== axis)
      .concat(axis); // the axis last, for a product from the right
    dx = transpose(matmul(transpose(dx, perm), weights), inversePermutation(perm));
  }
  return [dx];
};
