/**
 * GridSample-20 of images [N, C, H, W] at positions [N, ..., 2] (x then y, -1 to 1 across the image): written as a weighted sum
 * of gathered corners and differentiated so, by the image and by the positions.
 */
import { sizeOf } from "../../tensor/ndarray.js";
import type { Tensor } from "../graph.js";
import { intAttribute, need, stringAttribute } from "../infer/infer.js";
import { add, cast, clip, emit, expand, lessOrEqual, mul, reshape, slice, sub } from "../ops.js";
import type { VjpContext, VjpRule } from "./vjp.js";

interface Options {
  readonly nearest: boolean;
  readonly border: boolean;
  readonly aligned: boolean;
}

/** Both corners along an axis of `n` points: their index and what each weighs. */
function corners(at: Tensor, n: number, { nearest, border, aligned }: Options): { index: Tensor; weight: Tensor }[] {
  // -1 and 1 are the centres of the outermost points, or their outer edges
  const position = aligned ? mul(add(at, 1), (n - 1) / 2) : sub(mul(add(at, 1), n / 2), 0.5);
  const kept = border ? clip(position, 0, n - 1) : position;
  const low = emit(nearest ? "Round" : "Floor", [kept])[0];
  const part = sub(kept, low);
  const both = nearest
    ? [{ k: low, w: undefined }]
    : [0, 1].map((i) => ({ k: add(low, i), w: i ? part : sub(1, part) }));
  return both.map(({ k, w }) => {
    const index = clip(k, 0, n - 1);
    const inside = cast(lessOrEqual(emit("Abs", [sub(k, index)])[0], 0), at.dtype); // points outside are zero
    return { index, weight: w ? mul(w, inside) : inside };
  });
}

function sampled(x: Tensor, grid: Tensor, options: Options): Tensor {
  const [n, channels, height, width] = x.shape;
  const points = sizeOf(grid.shape.slice(1, -1));
  const flat = reshape(grid, [n, points, 2]);
  const along = (i: number, size: number) =>
    corners(reshape(slice(flat, [{ axis: 2, start: i, end: i + 1 }]), [n, 1, points]), size, options);
  const image = reshape(x, [n, channels, height * width]);
  const columns = along(0, width);
  const terms = along(1, height).flatMap((row) =>
    columns.map((column) => {
      const index = cast(add(mul(row.index, width), column.index), "int64");
      const [values] = emit("GatherElements", [image, expand(index, [n, channels, points])], { axis: 2 });
      return mul(values, mul(row.weight, column.weight));
    }),
  );
  return reshape(terms.reduce(add), [n, channels, ...grid.shape.slice(1, -1)]);
}

export const gridSampleVjp: VjpRule = (c: VjpContext) => {
  const [x, grid] = [need(c, 0), need(c, 1)];
  const mode = stringAttribute(c, "mode", "linear");
  const padding = stringAttribute(c, "padding_mode", "zeros");
  if (x.shape.length !== 4) return c.unsupported("of volumes");
  if (!["linear", "nearest"].includes(mode)) return c.unsupported(`in mode '${mode}'`);
  if (!["zeros", "border"].includes(padding)) return c.unsupported(`with padding_mode '${padding}'`);
  const options = {
    nearest: mode === "nearest",
    border: padding === "border",
    aligned: intAttribute(c, "align_corners", 0) !== 0,
  };
  return c.pullback([sampled(x, grid, options)], [c.dy], c.inputs);
};
