/** Derivatives of operators that move elements: the same moves backwards. */
import { sizeOf } from "../../tensor/ndarray.js";
import type { Tensor } from "../graph.js";
import { axisOf, integers, intAttribute, intsAttribute, need, stringAttribute } from "../infer/infer.js";
import { padWidths, type shapeOps, sliceAxes, splitSizes } from "../infer/shape.js";
import {
  add,
  concat,
  emit,
  expand,
  ints,
  pad,
  reduceSum,
  reshape,
  scalar,
  slice,
  transpose,
  zerosLike,
} from "../ops.js";
import { gridSampleVjp } from "./grid-sample.js";
import { resizeVjp } from "./resize.js";
import { noGradient, inversePermutation, unbroadcast, type VjpRule } from "./vjp.js";

const likeInput: VjpRule = (c) => [reshape(c.dy, need(c, 0).shape)];

/** Adds `updates` into zeros at the indices that a gather read. */
const scatterAdd = (
  op: "ScatterElements" | "ScatterND",
  like: Tensor,
  indices: Tensor,
  updates: Tensor,
  axis?: number,
): Tensor =>
  emit(
    op,
    [zerosLike(like), indices, updates],
    axis === undefined ? { reduction: "add" } : { reduction: "add", axis },
  )[0];

const flip = (t: Tensor, axis: number): Tensor => slice(t, [{ axis, start: -1, end: -t.shape[axis] - 1, step: -1 }]);

/** `stride - 1` zeros between neighbours on an axis: n becomes (n - 1) stride + 1. */
function dilate(t: Tensor, axis: number, stride: number): Tensor {
  const { shape } = t;
  const zeros = [...shape.slice(0, axis + 1), 1, ...shape.slice(axis + 1)].map((_, i) =>
    i === axis + 1 ? stride - 1 : 0,
  );
  const apart = pad(
    reshape(t, [...shape.slice(0, axis + 1), 1, ...shape.slice(axis + 1)]),
    zeros.map(() => 0),
    zeros,
  );
  const joined = reshape(apart, [...shape.slice(0, axis), shape[axis] * stride, ...shape.slice(axis + 1)]);
  return slice(joined, [{ axis, start: 0, end: (shape[axis] - 1) * stride + 1 }]);
}

/** Indices of a GatherND with its batch coordinates written out, so that there are no batch dimensions left. */
function withBatchCoordinates(indices: Tensor, batch: number): Tensor {
  if (batch === 0) return indices;
  const positions = indices.shape.slice(0, -1);
  const coordinates = Array.from({ length: batch }, (_, axis) => {
    const along = positions.map((n, i) => (i === axis ? n : 1));
    const counted = ints(
      indices.graph,
      Array.from({ length: positions[axis] }, (_, i) => i),
    );
    return expand(reshape(counted, [...along, 1]), [...positions, 1]);
  });
  return concat([...coordinates, indices], positions.length);
}

export const shapeVjp = {
  Reshape: likeInput,
  Squeeze: likeInput,
  Unsqueeze: likeInput,
  Flatten: likeInput,
  Transpose: (c) => {
    const rank = need(c, 0).shape.length;
    return [
      transpose(
        c.dy,
        inversePermutation(intsAttribute(c, "perm") ?? Array.from({ length: rank }, (_, i) => rank - 1 - i)),
      ),
    ];
  },
  // The gradient laid back where it was cut out, zeros around it and, for steps, between
  Slice: (c) => {
    const x = need(c, 0);
    const axes = sliceAxes(c);
    if (sizeOf(c.dy.shape) === 0) return [zerosLike(x)];
    let dx = c.dy;
    const before = x.shape.map(() => 0);
    const after = x.shape.map(() => 0);
    axes.forEach(({ start, step, count }, axis) => {
      const n = x.shape[axis];
      if (step < 0 && count > 1) dx = flip(dx, axis);
      const stride = Math.abs(step);
      const first = step > 0 ? start : start + (count - 1) * step;
      if (stride > 1 && count > 1) dx = dilate(dx, axis, stride);
      before[axis] = first;
      after[axis] = n - first - dx.shape[axis];
    });
    return [pad(dx, before, after)];
  },
  Concat: (c) => {
    const axis = axisOf(c.op, intAttribute(c, "axis", 0), c.dy.shape.length);
    let start = 0;
    return c.inputs.map((t, i) => {
      const end = start + t!.shape[axis];
      const part = c.wanted[i] ? slice(c.dy, [{ axis, start, end }]) : undefined;
      start = end;
      return part;
    });
  },
  Split: (c) => {
    const { axis } = splitSizes(c);
    return [
      concat(
        c.outputs.map((y, i) => c.gradients[i] ?? zerosLike(y)),
        axis,
      ),
    ];
  },
  // Rows read twice get both gradients
  Gather: (c) => {
    const [x, indices] = [need(c, 0), need(c, 1)];
    const axis = axisOf(c.op, intAttribute(c, "axis", 0), x.shape.length);
    const before = sizeOf(x.shape.slice(0, axis));
    const after = sizeOf(x.shape.slice(axis + 1));
    const count = sizeOf(indices.shape);
    // [before, count, after] -> [count, before, after], added to zeros along the first axis
    const rows = transpose(reshape(c.dy, [before, count, after]), [1, 0, 2]);
    const target = expand(scalar(x.graph, 0, x.dtype), [x.shape[axis], before, after]);
    const scattered = emit("ScatterND", [target, reshape(indices, [count, 1]), rows], { reduction: "add" })[0];
    return [reshape(transpose(scattered, [1, 0, 2]), x.shape)];
  },
  GatherElements: (c) => [scatterAdd("ScatterElements", need(c, 0), need(c, 1), c.dy, intAttribute(c, "axis", 0))],
  GatherND: (c) => [
    scatterAdd("ScatterND", need(c, 0), withBatchCoordinates(need(c, 1), intAttribute(c, "batch_dims", 0)), c.dy),
  ],
  // y = x with updates put (or added) at indices: dx is dy, zero where overwritten; dupdates is dy read at indices
  ScatterElements: (c) => {
    const [indices, updates] = [need(c, 1), need(c, 2)];
    const axis = intAttribute(c, "axis", 0);
    const reduction = stringAttribute(c, "reduction", "none");
    if (reduction !== "none" && reduction !== "add") return c.unsupported(`with reduction '${reduction}'`);
    const dx = reduction === "add" ? c.dy : emit("ScatterElements", [c.dy, indices, zerosLike(updates)], { axis })[0];
    return [dx, undefined, c.wanted[2] ? emit("GatherElements", [c.dy, indices], { axis })[0] : undefined];
  },
  ScatterND: (c) => {
    const [indices, updates] = [need(c, 1), need(c, 2)];
    const reduction = stringAttribute(c, "reduction", "none");
    if (reduction !== "none" && reduction !== "add") return c.unsupported(`with reduction '${reduction}'`);
    const dx = reduction === "add" ? c.dy : emit("ScatterND", [c.dy, indices, zerosLike(updates)])[0];
    return [dx, undefined, c.wanted[2] ? emit("GatherND", [c.dy, indices])[0] : undefined];
  },
  Expand: (c) => [unbroadcast(c.dy, need(c, 0).shape)],
  // Each copy's gradient, summed
  Tile: (c) => {
    const { shape } = need(c, 0);
    const repeats = integers(need(c, 1).value!);
    const split = reshape(
      c.dy,
      shape.flatMap((n, i) => [repeats[i], n]),
    );
    return [reduceSum(split, { axes: shape.map((_, i) => 2 * i) })];
  },
  // Constant: cut the border off. Otherwise each border row's gradient returns to the row it copied, axis by axis
  Pad: (c) => {
    const x = need(c, 0);
    const mode = stringAttribute(c, "mode", "constant");
    const widths = padWidths(c);
    let dx = c.dy;
    widths.forEach(({ before, after }, axis) => {
      if (before === 0 && after === 0) return;
      const n = x.shape[axis];
      const part = (start: number, end: number) => slice(dx, [{ axis, start, end }]);
      if (mode === "constant") {
        // A negative width cut the input: there the gradient is zero
        const lay = (width: number) => dx.shape.map((_, i) => (i === axis ? Math.max(0, -width) : 0));
        const kept = part(Math.max(0, before), dx.shape[axis] - Math.max(0, after));
        dx = pad(kept, lay(before), lay(after));
        return;
      }
      if (before < 0 || after < 0) c.unsupported(`with a negative width in mode '${mode}'`);
      const middle = part(before, before + n);
      if ((mode === "reflect" && Math.max(before, after) >= n) || (mode === "wrap" && Math.max(before, after) > n))
        c.unsupported(`padding ${Math.max(before, after)} beyond the ${n} values of axis ${axis}`);
      const lay = (piece: Tensor, at: number): Tensor => {
        const lead = x.shape.map((_, i) => (i === axis ? at : 0));
        const trail = x.shape.map((_, i) => (i === axis ? n - at - piece.shape[axis] : 0));
        return pad(piece, lead, trail);
      };
      const first = before > 0 ? part(0, before) : undefined;
      const last = after > 0 ? part(before + n, before + n + after) : undefined;
      const total = (t: Tensor) => reduceSum(t, { axes: [axis], keepDims: true });
      const terms = [middle];
      if (mode === "reflect") {
        if (first) terms.push(lay(flip(first, axis), 1));
        if (last) terms.push(lay(flip(last, axis), n - 1 - after));
      } else if (mode === "wrap") {
        if (first) terms.push(lay(first, n - before));
        if (last) terms.push(lay(last, 0));
      } else {
        if (first) terms.push(lay(total(first), 0));
        if (last) terms.push(lay(total(last), n - 1));
      }
      dx = terms.reduce(add);
    });
    return [dx];
  },
  DepthToSpace: (c) => {
    if (stringAttribute(c, "mode", "DCR") === "DCR")
      return [emit("SpaceToDepth", [c.dy], { blocksize: intAttribute(c, "blocksize", 1) })[0]];
    const [n, channels, height, width] = need(c, 0).shape;
    const b = intAttribute(c, "blocksize", 1);
    const split = reshape(c.dy, [n, channels / (b * b), height, b, width, b]);
    return [reshape(transpose(split, [0, 1, 3, 5, 2, 4]), [n, channels, height, width])];
  },
  SpaceToDepth: (c) => [emit("DepthToSpace", [c.dy], { blocksize: intAttribute(c, "blocksize", 1) })[0]],
  Resize: resizeVjp,
  GridSample: gridSampleVjp,
  Shape: noGradient,
  Size: noGradient,
  ConstantOfShape: noGradient,
  Range: noGradient,
  OneHot: noGradient,
  EyeLike: noGradient,
} satisfies Record<keyof typeof shapeOps, VjpRule>;
