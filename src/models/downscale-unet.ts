/**
 * A residual U-Net for downscaling (Ronneberger et al. 2015): maps are halved twice and brought back with what each level
 * remembers. Like the forecasting U-Net, but without normalisation over the map and without learnt positions, so that it
 * fits any grid and any tile of it.
 */
import { lecun, type Scope, zero } from "../engine/parameters.js";
import type { Tensor } from "../graph/graph.js";
import { concat, conv, expand, gelu, reshape } from "../graph/ops.js";
import type { DownscaleArchitecture } from "./downscale.js";
import { conv1, conv3, embedded, residual } from "./downscale-layers.js";
import { cropTo, padTo } from "./patches.js";

export interface UnetDownConfig {
  /** Channels of the finest level; coarser ones have twice and three times as many. */
  width: number;
  /** Residual blocks at the coarsest level. */
  depth: number;
  dropout: number;
}

export const unetDown: DownscaleArchitecture<UnetDownConfig> = {
  name: "unet",
  defaults: { width: 16, depth: 2, dropout: 0.05 },
  check: ({ width }) => (width >= 4 ? undefined : `width ${width} is too small; at least 4`),
  // Convolutions at each level, and what halving and doubling see of a neighbour: checked by a test
  reach: ({ depth }) => 1 + 2 + 2 * 2 + 4 * 2 * depth + 2 * 2 + 2 + 1 + 8,
  stride: () => 4,
  write(p, { fields, condition, channels, dropout }, { width: w, depth, dropout: rate }) {
    const [, , rows, columns] = fields.shape;
    const modulation = { when: embedded(p, condition, 32), dropout, rate };
    const x = padTo(fields, 4 * Math.ceil(rows / 4), 4 * Math.ceil(columns / 4), false);
    const fine = residual(p.child("down1"), conv3(p.child("in"), x, w), modulation); // [B, w, H, W]
    const middle = residual(p.child("down2"), halve(p.child("halve1"), fine, 2 * w), modulation); // [B, 2w, H/2, W/2]
    let coarse = halve(p.child("halve2"), middle, 3 * w); // [B, 3w, H/4, W/4]
    for (let i = 0; i < depth; i++) coarse = residual(p.child(`coarse.${i}`), coarse, modulation);
    const up2 = residual(
      p.child("up2"),
      conv1(p.child("join2"), concat([doubled(coarse), middle], 1), 2 * w),
      modulation,
    );
    const up1 = residual(p.child("up1"), conv1(p.child("join1"), concat([doubled(up2), fine], 1), w), modulation);
    return cropTo(conv3(p.child("out"), gelu(up1), channels, zero), rows, columns);
  },
};

const halve = (p: Scope, x: Tensor, width: number): Tensor =>
  conv(x, p.param("w", [width, x.shape[1], 2, 2], lecun), p.param("b", [width], zero), { strides: [2, 2] });

/** Each cell four times (nearest neighbour). */
function doubled(x: Tensor): Tensor {
  const [batch, channels, rows, columns] = x.shape;
  const spread = expand(reshape(x, [batch, channels, rows, 1, columns, 1]), [batch, channels, rows, 2, columns, 2]);
  return reshape(spread, [batch, channels, 2 * rows, 2 * columns]);
}
