/** Derivatives of operators that move elements: the same moves backwards. */
import { sizeOf } from "../../tensor/ndarray.js";
import type { Tensor } from "../graph.js";
import { axisOf, integers, intAttribute, intsAttribute, need, stringAttribute } from "../infer/infer.js";
import { padWidths, type shapeOps, sliceAxes, splitSizes } from "../infer/shape.js";
import { add, concat, emit, ints, pad, reduceSum, reshape, slice, transpose, zerosLike } from "../ops.js";
import { resizeVjp } from "./resize.js";
import { inversePermutation, unbroadcast, type VjpRule } from "./vjp.js";

const likeInput: VjpRule = (c) => [reshape(c.dy, need(c, 0).shape)];
const flat: VjpRule = () => [];

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
  // The gradient laid back where it was cut out, zeros around it (and between, for steps)
  Slice: (c) => {
    const x = need(c, 0);
    const axes = sliceAxes(c);
    if (axes.every(({ step }) => step === 1))
      return [
        pad(
          c.dy,
          axes.map((a) => a.start),
          axes.map((a, i) => x.shape[i] - a.start - a.count),
        ),
      ];
    const g = x.graph;
    let dx = c.dy;
    axes.forEach(({ start, step, count }, axis) => {
      if (count === x.shape[axis] && step === 1) return;
      const target = dx.shape.map((n, i) => (i === axis ? x.shape[axis] : n));
      const indexShape = dx.shape.map((n, i) => (i === axis ? n : 1));
      const positions = reshape(
        ints(
          g,
          Array.from({ length: count }, (_, i) => start + i * step),
        ),
        indexShape,
      );
      const indices = emit("Expand", [positions, ints(g, dx.shape)])[0];
      const zero = emit("ConstantOfShape", [ints(g, target)], {
        value: { dtype: x.dtype, shape: [1], data: new Float32Array(1) as never },
      })[0];
      dx = emit(
        "ScatterElements",
        [x.dtype === "float32" ? zero : emit("Cast", [zero], { to: x.dtype })[0], indices, dx],
        { axis },
      )[0];
    });
    return [dx];
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
    // [before, count, after] -> [count, before, after], scattered along its first axis
    const rows = transpose(reshape(c.dy, [before, count, after]), [1, 0, 2]);
    const moved = emit("Expand", [
      reshape(zerosLike(x), [before, x.shape[axis], after]),
      ints(x.graph, [before, x.shape[axis], after]),
    ])[0];
    const target = transpose(moved, [1, 0, 2]);
    const scattered = emit("ScatterND", [target, reshape(indices, [count, 1]), rows], { reduction: "add" })[0];
    return [reshape(transpose(scattered, [1, 0, 2]), x.shape)];
  },
  GatherElements: (c) => [scatterAdd("ScatterElements", need(c, 0), need(c, 1), c.dy, intAttribute(c, "axis", 0))],
  GatherND: (c) => {
    if (intAttribute(c, "batch_dims", 0) !== 0) return c.unsupported("with batch_dims");
    return [scatterAdd("ScatterND", need(c, 0), need(c, 1), c.dy)];
  },
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
      const part = (start: number, end: number, step = 1) => slice(dx, [{ axis, start, end, step }]);
      const middle = part(before, before + n);
      if (mode === "constant") {
        dx = middle;
        return;
      }
      if ((mode === "reflect" && Math.max(before, after) >= n) || (mode === "wrap" && Math.max(before, after) > n))
        c.unsupported(`padding ${Math.max(before, after)} beyond the ${n} values of axis ${axis}`);
      const lay = (piece: Tensor, at: number): Tensor => {
        const lead = x.shape.map((_, i) => (i === axis ? at : 0));
        const trail = x.shape.map((_, i) => (i === axis ? n - at - piece.shape[axis] : 0));
        return pad(piece, lead, trail);
      };
      const first = before > 0 ? part(0, before) : undefined;
      const last = after > 0 ? part(before + n, before + n + after) : undefined;
      const flip = (t: Tensor) => slice(t, [{ axis, start: -1, end: -t.shape[axis] - 1, step: -1 }]);
      const total = (t: Tensor) => reduceSum(t, { axes: [axis], keepDims: true });
      const terms = [middle];
      if (mode === "reflect") {
        if (first) terms.push(lay(flip(first), 1));
        if (last) terms.push(lay(flip(last), n - 1 - after));
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
  Shape: flat,
  Size: flat,
  ConstantOfShape: flat,
  Range: flat,
  OneHot: flat,
  EyeLike: flat,
} satisfies Record<keyof typeof shapeOps, VjpRule>;
