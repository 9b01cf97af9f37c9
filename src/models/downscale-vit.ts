/**
 * A vision transformer for downscaling: patches of fine cells attend within square windows, every second block's windows lie
 * half a window over (Liu et al. 2021, Swin), so that it sees far but not everywhere and can be tiled. A token knows its place
 * in its window, not on the globe.
 */
import { truncatedNormal, zero, type Scope } from "../engine/parameters.js";
import type { Tensor } from "../graph/graph.js";
import { add, gelu, pad, reshape, slice, transpose } from "../graph/ops.js";
import type { DownscaleArchitecture } from "./downscale.js";
import { conv3, embedded } from "./downscale-layers.js";
import { block, dense, norm } from "./layers.js";
import { cropTo, padTo } from "./patches.js";

export interface WindowVitConfig {
  /** Fine cells along a patch. */
  patch: number;
  /** Patches along a window. */
  window: number;
  width: number;
  depth: number;
  heads: number;
  ratio: number;
  dropout: number;
}

export const windowVit: DownscaleArchitecture<WindowVitConfig> = {
  name: "vit",
  defaults: { patch: 2, window: 8, width: 64, depth: 4, heads: 4, ratio: 2, dropout: 0.05 },
  check: ({ width, heads, window }) =>
    width % heads !== 0
      ? `width ${width} is not a multiple of its ${heads} heads`
      : window % 2 !== 0
        ? `a window of ${window} patches cannot be moved by half; make it even`
        : undefined,
  // Each block sees at most a window less one patch further; the last convolution one cell
  reach: ({ patch, window, depth }) => patch * (window - 1) * depth + patch + 1,
  stride: ({ patch, window }) => patch * window,
  write(p, { fields, condition, channels, dropout }, config) {
    const [batch, maps, height, longitudes] = fields.shape;
    const { patch, window, width } = config;
    const unit = patch * window;
    const [rows, columns] = [height, longitudes].map((n) => (Math.ceil(n / unit) * unit) / patch);
    const padded = padTo(fields, rows * patch, columns * patch, false);
    const patches = reshape(
      transpose(reshape(padded, [batch, maps, rows, patch, columns, patch]), [0, 2, 4, 1, 3, 5]),
      [batch, rows, columns, maps * patch * patch],
    );
    const when = dense(p.child("when"), embedded(p, condition, 32), width);
    let x = add(dense(p.child("embed"), patches, width), reshape(when, [batch, 1, 1, width])); // [B, R, C, D]
    const position = p.param("position", [window * window, width], truncatedNormal(0.02));
    for (let i = 0; i < config.depth; i++) {
      const half = i % 2 === 0 ? 0 : window / 2;
      const attend = (t: Tensor) =>
        block(p.child(`blocks.${i}`), i < 2 ? add(t, position) : t, {
          heads: config.heads,
          ratio: config.ratio,
          dropout,
          rate: config.dropout,
        });
      x = inWindows(x, window, half, attend);
    }
    const out = dense(p.child("head"), gelu(norm(p.child("norm"), x)), width);
    const cells = depthToSpace(p, out, patch); // [B, D / 4, rows patch, columns patch]
    return cropTo(conv3(p.child("out"), gelu(cells), channels, zero), height, longitudes);
  },
};

/** Tokens [B, R, C, D] cut into windows that begin `half` tokens before the first; edge tokens repeat outside. */
function inWindows(x: Tensor, window: number, half: number, attend: (t: Tensor) => Tensor): Tensor {
  const [batch, rows, columns, width] = x.shape;
  const around = half === 0 ? x : pad(x, [0, half, half, 0], [0, half, half, 0], "edge");
  const [high, wide] = [(rows + 2 * half) / window, (columns + 2 * half) / window];
  const windows = reshape(transpose(reshape(around, [batch, high, window, wide, window, width]), [0, 1, 3, 2, 4, 5]), [
    batch * high * wide,
    window * window,
    width,
  ]);
  const back = reshape(
    transpose(reshape(attend(windows), [batch, high, wide, window, window, width]), [0, 1, 3, 2, 4, 5]),
    [batch, rows + 2 * half, columns + 2 * half, width],
  );
  if (half === 0) return back;
  return slice(back, [
    { axis: 1, start: half, end: half + rows },
    { axis: 2, start: half, end: half + columns },
  ]);
}

/** Each token's numbers spread over its patch: [B, R, C, D] to [B, D', R patch, C patch]. */
function depthToSpace(p: Scope, x: Tensor, patch: number): Tensor {
  const [batch, rows, columns, width] = x.shape;
  const each = Math.ceil(width / 4);
  const spread = dense(p.child("spread"), x, each * patch * patch);
  return reshape(transpose(reshape(spread, [batch, rows, columns, each, patch, patch]), [0, 3, 1, 4, 2, 5]), [
    batch,
    each,
    rows * patch,
    columns * patch,
  ]);
}
