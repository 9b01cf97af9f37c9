/** Maps cut into patches, and back. A patch is `ph` rows by `pw` columns; maps that patches do not divide are padded at the end. */
import type { Tensor } from "../graph/graph.js";
import { pad, reshape, slice, transpose } from "../graph/ops.js";

/** How the patches of a grid lie. */
export interface PatchGrid {
  readonly rows: number;
  readonly columns: number;
  readonly patch: readonly [number, number];
}

export function patchGrid(height: number, width: number, patch: readonly [number, number]): PatchGrid {
  return { rows: Math.ceil(height / patch[0]), columns: Math.ceil(width / patch[1]), patch };
}

/** Maps [B, C, H, W] as [B, C, rows, ph, columns, pw], padded where needed. */
export function cut(x: Tensor, { rows, columns, patch: [ph, pw] }: PatchGrid, global: boolean): Tensor {
  const [batch, maps] = x.shape;
  return reshape(padTo(x, rows * ph, columns * pw, global), [batch, maps, rows, ph, columns, pw]);
}

/** Maps [B, C, H, W] as one token a patch [B, rows columns, C ph pw]. */
export function patchTokens(x: Tensor, grid: PatchGrid, global: boolean): Tensor {
  const { rows, columns, patch } = grid;
  const [batch, maps] = x.shape;
  return reshape(transpose(cut(x, grid, global), [0, 2, 4, 1, 3, 5]), [
    batch,
    rows * columns,
    maps * patch[0] * patch[1],
  ]);
}

/** Tokens [B, rows columns, C ph pw] as maps [B, C, H, W], what was padded cut off. */
export function mapsOf(tokens: Tensor, grid: PatchGrid, height: number, width: number): Tensor {
  const { rows, columns, patch } = grid;
  const [ph, pw] = patch;
  const [batch, , length] = tokens.shape;
  const channels = length / (ph * pw);
  const apart = transpose(reshape(tokens, [batch, rows, columns, channels, ph, pw]), [0, 3, 1, 4, 2, 5]);
  return cropTo(reshape(apart, [batch, channels, rows * ph, columns * pw]), height, width);
}

/** Rows and columns added at the end: the edge repeated, or around the globe. */
export function padTo(x: Tensor, height: number, width: number, global: boolean): Tensor {
  const [, , h, w] = x.shape;
  const tall = pad(x, [0, 0, 0, 0], [0, 0, height - h, 0], "edge");
  return pad(tall, [0, 0, 0, 0], [0, 0, 0, width - w], global ? "wrap" : "edge");
}

export function cropTo(x: Tensor, height: number, width: number): Tensor {
  if (x.shape[2] === height && x.shape[3] === width) return x;
  return slice(x, [
    { axis: 2, start: 0, end: height },
    { axis: 3, start: 0, end: width },
  ]);
}
