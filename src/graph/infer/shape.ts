/** Shapes of operators that move elements about without computing on them. */
import { GraphError } from "../../errors.js";
import { sizeOf } from "../../tensor/ndarray.js";
import {
  axisOf,
  broadcastShapes,
  constantInts,
  type InferContext,
  type InferRule,
  intAttribute,
  intsAttribute,
  need,
  sameDtype,
  stringAttribute,
} from "./infer.js";

/** The range a Slice takes on one axis, in the operator's own clamping (ONNX Slice-13). */
export function sliceRange(start: number, end: number, step: number, length: number): { start: number; count: number } {
  const clamp = (v: number, low: number, high: number) => Math.min(Math.max(v, low), high);
  const from = clamp(start < 0 ? start + length : start, 0, step > 0 ? length : length - 1);
  const to = clamp(end < 0 ? end + length : end, step > 0 ? 0 : -1, length);
  return { start: from, count: Math.max(0, Math.ceil((to - from) / step)) };
}

/** Starts, steps and counts of a Slice on every axis. */
export function sliceAxes(c: InferContext): { start: number; step: number; count: number }[] {
  const { shape } = need(c, 0);
  const starts = constantInts(c, 1)!;
  const ends = constantInts(c, 2)!;
  const axes = (constantInts(c, 3) ?? starts.map((_, i) => i)).map((a) => axisOf(c.op, a, shape.length));
  const steps = constantInts(c, 4) ?? starts.map(() => 1);
  const all = shape.map((n) => ({ start: 0, step: 1, count: n }));
  axes.forEach((axis, i) => {
    if (steps[i] === 0) throw new GraphError("Slice: a step of 0");
    all[axis] = { ...sliceRange(starts[i], ends[i], steps[i], shape[axis]), step: steps[i] };
  });
  return all;
}

/** The output sizes of a Split. */
export function splitSizes(c: InferContext): { axis: number; sizes: number[] } {
  const { shape } = need(c, 0);
  const axis = axisOf(c.op, intAttribute(c, "axis", 0), shape.length);
  const given = constantInts(c, 1);
  const count = intAttribute(c, "num_outputs", c.outputCount);
  if (!given && count !== c.outputCount)
    throw new GraphError(`Split: num_outputs is ${count}, but ${c.outputCount} outputs are named`);
  const each = Math.ceil(shape[axis] / count);
  const sizes = given ?? Array.from({ length: count }, (_, i) => Math.min(each, shape[axis] - i * each));
  if (sizes.reduce((a, b) => a + b, 0) !== shape[axis])
    throw new GraphError(`Split: sizes ${sizes.join(" + ")} do not add up to ${shape[axis]} on axis ${axis}`);
  return { axis, sizes };
}

/** Paddings of a Pad per axis, from its (begin..., end...) input and optional axes. */
export function padWidths(c: InferContext): { before: number; after: number }[] {
  const { shape } = need(c, 0);
  const pads = constantInts(c, 1)!;
  const axes = (constantInts(c, 3) ?? shape.map((_, i) => i)).map((a) => axisOf(c.op, a, shape.length));
  const all = shape.map(() => ({ before: 0, after: 0 }));
  axes.forEach((axis, i) => {
    all[axis] = { before: pads[i], after: pads[i + axes.length] };
  });
  return all;
}

const squeezeAxes = (c: InferContext, rank: number) => constantInts(c, 1)?.map((a) => axisOf(c.op, a, rank));

export const shapeOps = {
  Reshape: ((c) => {
    const x = need(c, 0);
    const wanted = constantInts(c, 1)!;
    const keepZero = intAttribute(c, "allowzero", 0) === 0;
    const shape = wanted.map((n, i) => (n === 0 && keepZero ? x.shape[i] : n));
    const unknown = shape.indexOf(-1);
    const known = sizeOf(shape.filter((n) => n !== -1));
    if (unknown >= 0) shape[unknown] = known === 0 ? 0 : sizeOf(x.shape) / known;
    if (sizeOf(shape) !== sizeOf(x.shape) || !shape.every(Number.isInteger))
      throw new GraphError(`Reshape: [${x.shape.join(", ")}] does not fit [${wanted.join(", ")}]`);
    return [{ dtype: x.dtype, shape }];
  }) as InferRule,
  Transpose: ((c) => {
    const x = need(c, 0);
    const perm = intsAttribute(c, "perm") ?? x.shape.map((_, i) => x.shape.length - 1 - i);
    if (perm.length !== x.shape.length || new Set(perm).size !== perm.length)
      throw new GraphError(
        `Transpose: perm [${perm.join(", ")}] does not fit a tensor of shape [${x.shape.join(", ")}]`,
      );
    return [{ dtype: x.dtype, shape: perm.map((p) => x.shape[axisOf(c.op, p, x.shape.length)]) }];
  }) as InferRule,
  Squeeze: ((c) => {
    const x = need(c, 0);
    const axes = squeezeAxes(c, x.shape.length) ?? x.shape.flatMap((n, i) => (n === 1 ? [i] : []));
    const wide = axes.find((a) => x.shape[a] !== 1);
    if (wide !== undefined) throw new GraphError(`Squeeze: axis ${wide} of [${x.shape.join(", ")}] is not 1`);
    return [{ dtype: x.dtype, shape: x.shape.filter((_, i) => !axes.includes(i)) }];
  }) as InferRule,
  Unsqueeze: ((c) => {
    const x = need(c, 0);
    const given = constantInts(c, 1)!;
    const rank = x.shape.length + given.length;
    const axes = given.map((a) => axisOf(c.op, a, rank));
    const rest = [...x.shape];
    return [{ dtype: x.dtype, shape: Array.from({ length: rank }, (_, i) => (axes.includes(i) ? 1 : rest.shift()!)) }];
  }) as InferRule,
  Flatten: ((c) => {
    const x = need(c, 0);
    const given = intAttribute(c, "axis", 1);
    const axis = given < 0 ? given + x.shape.length : given;
    return [{ dtype: x.dtype, shape: [sizeOf(x.shape.slice(0, axis)), sizeOf(x.shape.slice(axis))] }];
  }) as InferRule,
  Slice: ((c) => [{ dtype: need(c, 0).dtype, shape: sliceAxes(c).map((a) => a.count) }]) as InferRule,
  Concat: ((c) => {
    const parts = c.inputs.map((_, i) => need(c, i));
    const [first] = parts;
    const axis = axisOf(c.op, intAttribute(c, "axis", 0), first.shape.length);
    for (const p of parts) {
      sameDtype(c, first, p);
      if (p.shape.length !== first.shape.length || p.shape.some((n, i) => i !== axis && n !== first.shape[i]))
        throw new GraphError(
          `Concat: [${p.shape.join(", ")}] does not join [${first.shape.join(", ")}] on axis ${axis}`,
        );
    }
    const total = parts.reduce((sum, p) => sum + p.shape[axis], 0);
    return [{ dtype: first.dtype, shape: first.shape.map((n, i) => (i === axis ? total : n)) }];
  }) as InferRule,
  Split: ((c) => {
    const x = need(c, 0);
    const { axis, sizes } = splitSizes(c);
    return sizes.map((size) => ({ dtype: x.dtype, shape: x.shape.map((n, i) => (i === axis ? size : n)) }));
  }) as InferRule,
  Gather: ((c) => {
    const [x, indices] = [need(c, 0), need(c, 1)];
    const axis = axisOf(c.op, intAttribute(c, "axis", 0), x.shape.length);
    return [{ dtype: x.dtype, shape: [...x.shape.slice(0, axis), ...indices.shape, ...x.shape.slice(axis + 1)] }];
  }) as InferRule,
  GatherElements: ((c) => [{ dtype: need(c, 0).dtype, shape: need(c, 1).shape }]) as InferRule,
  GatherND: ((c) => {
    const [x, indices] = [need(c, 0), need(c, 1)];
    const batch = intAttribute(c, "batch_dims", 0);
    const depth = indices.shape[indices.shape.length - 1];
    return [{ dtype: x.dtype, shape: [...indices.shape.slice(0, -1), ...x.shape.slice(batch + depth)] }];
  }) as InferRule,
  ScatterElements: ((c) => [need(c, 0)]) as InferRule,
  ScatterND: ((c) => [need(c, 0)]) as InferRule,
  Expand: ((c) => {
    const x = need(c, 0);
    return [{ dtype: x.dtype, shape: broadcastShapes(c.op, x.shape, constantInts(c, 1)!) }];
  }) as InferRule,
  Tile: ((c) => {
    const x = need(c, 0);
    const repeats = constantInts(c, 1)!;
    return [{ dtype: x.dtype, shape: x.shape.map((n, i) => n * repeats[i]) }];
  }) as InferRule,
  Pad: ((c) => {
    const x = need(c, 0);
    return [{ dtype: x.dtype, shape: padWidths(c).map(({ before, after }, i) => before + x.shape[i] + after) }];
  }) as InferRule,
  Shape: ((c) => {
    const rank = need(c, 0).shape.length;
    const at = (v: number) => Math.min(Math.max(v < 0 ? v + rank : v, 0), rank);
    const length = Math.max(0, at(intAttribute(c, "end", rank)) - at(intAttribute(c, "start", 0)));
    return [{ dtype: "int64", shape: [length] }];
  }) as InferRule,
  Size: (() => [{ dtype: "int64", shape: [] }]) as InferRule,
  ConstantOfShape: ((c) => {
    const value = c.attributes["value"];
    const dtype = value && typeof value === "object" && "dtype" in value ? value.dtype : "float32";
    return [{ dtype, shape: constantInts(c, 0)! }];
  }) as InferRule,
  Range: ((c) => {
    const [start, limit, delta] = [0, 1, 2].map((i) => constantInts(c, i)![0]);
    return [{ dtype: need(c, 0).dtype, shape: [Math.max(0, Math.ceil((limit - start) / delta))] }];
  }) as InferRule,
  OneHot: ((c) => {
    const [indices, values] = [need(c, 0), need(c, 2)];
    const axis = intAttribute(c, "axis", -1);
    const shape = [...indices.shape];
    shape.splice(axis < 0 ? axis + shape.length + 1 : axis, 0, constantInts(c, 1)![0]);
    return [{ dtype: values.dtype, shape }];
  }) as InferRule,
  EyeLike: ((c) => [
    { dtype: stringAttribute(c, "dtype", need(c, 0).dtype) as "float32", shape: need(c, 0).shape },
  ]) as InferRule,
  DepthToSpace: ((c) => {
    const { dtype, shape } = need(c, 0);
    const [n, channels, height, width] = shape;
    const b = intAttribute(c, "blocksize", 1);
    return [{ dtype, shape: [n, channels / (b * b), height * b, width * b] }];
  }) as InferRule,
  SpaceToDepth: ((c) => {
    const { dtype, shape } = need(c, 0);
    const [n, channels, height, width] = shape;
    const b = intAttribute(c, "blocksize", 1);
    return [{ dtype, shape: [n, channels * b * b, height / b, width / b] }];
  }) as InferRule,
  Resize: ((c) => {
    const x = need(c, 0);
    const sizes = constantInts(c, 3);
    const scales = c.inputs[2]?.value;
    const axes = intsAttribute(c, "axes")?.map((a) => axisOf(c.op, a, x.shape.length)) ?? x.shape.map((_, i) => i);
    if (!sizes && !scales) throw new GraphError("Resize needs constant scales or sizes");
    const shape = [...x.shape];
    axes.forEach((axis, i) => {
      shape[axis] = sizes ? sizes[i] : Math.floor(Math.fround(x.shape[axis] * Number(scales!.data[i])));
    });
    return [{ dtype: x.dtype, shape }];
  }) as InferRule,
  GridSample: ((c) => {
    const [x, grid] = [need(c, 0), need(c, 1)];
    if (
      x.shape.length !== grid.shape.length ||
      grid.shape[0] !== x.shape[0] ||
      grid.shape.at(-1) !== x.shape.length - 2
    )
      throw new GraphError(
        `GridSample: a grid [${grid.shape.join(", ")}] does not fit [${x.shape.join(", ")}]: it is [N, ..., spatial axes]`,
      );
    return [{ dtype: x.dtype, shape: [...x.shape.slice(0, 2), ...grid.shape.slice(1, -1)] }];
  }) as InferRule,
} as const;
