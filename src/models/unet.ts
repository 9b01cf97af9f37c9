/**
 * A small residual U-Net (Ronneberger et al. 2015; residual blocks of He et al. 2016): maps are halved twice, worked on where
 * they are coarse, and brought back with what each level remembers. Lead time and season scale and shift every block
 * (feature-wise modulation, Perez et al. 2018).
 */
import { type Scope, truncatedNormal } from "../engine/parameters.js";
import type { Tensor } from "../graph/graph.js";
import { add, concat, gelu, mul, reshape, split } from "../graph/ops.js";
import { convolutionalRefusal } from "./checks.js";
import { convolution, double, groupNorm, halve, pointwiseConvolution } from "./convolutions.js";
import { dense } from "./layers.js";
import type { Architecture, Dropout } from "./model.js";
import { cropTo, padTo } from "./patches.js";

export interface UnetConfig {
  /** Channels of the finest level; coarser ones have twice and three times as many. */
  width: number;
  /** Residual blocks at the coarsest level. */
  depth: number;
  /** Part of the channels dropped within each block while training. */
  dropout: number;
}

const CONDITION_WIDTH = 64;

export const unet: Architecture<UnetConfig> = {
  name: "unet",
  defaults: { width: 32, depth: 4, dropout: 0.1 },
  check: convolutionalRefusal,
  write(p, { fields, condition, channels, global, dropout }, config) {
    const [, , height, longitudes] = fields.shape;
    const { width: w, depth } = config;
    const when = gelu(
      dense(p.child("lead2"), gelu(dense(p.child("lead1"), condition, CONDITION_WIDTH)), CONDITION_WIDTH),
    ); // [B, 64]
    const layer: Layer = { when, global, dropout, rate: config.dropout };

    const x = padTo(fields, 4 * Math.ceil(height / 4), 4 * Math.ceil(longitudes / 4), global);
    const fine = residual(p.child("down1"), conv3(p.child("in"), x, w, global), layer); // [B, w, H, W]
    const middle = residual(p.child("down2"), halve(p.child("halve1"), fine, 2 * w), layer); // [B, 2w, H/2, W/2]
    let coarse = halve(p.child("halve2"), middle, 3 * w); // [B, 3w, H/4, W/4]
    coarse = add(coarse, p.param("position", coarse.shape.slice(1), truncatedNormal(0.02)));
    for (let i = 0; i < depth; i++) coarse = residual(p.child(`coarse.${i}`), coarse, layer);
    const up2 = residual(
      p.child("up2"),
      pointwiseConvolution(p.child("join2"), concat([double(coarse), middle], 1), 2 * w),
      layer,
    );
    const up1 = residual(
      p.child("up1"),
      pointwiseConvolution(p.child("join1"), concat([double(up2), fine], 1), w),
      layer,
    );
    return cropTo(conv3(p.child("out"), gelu(up1), channels, global, "zero"), height, longitudes);
  },
};

interface Layer {
  /** [batch, condition]. */
  readonly when: Tensor;
  readonly global: boolean;
  readonly dropout?: Dropout;
  readonly rate: number;
}

/** x + conv(gelu((1 + scale) conv(gelu(norm x)) + shift)), scale and shift from the condition. */
function residual(p: Scope, x: Tensor, { when, global, dropout, rate }: Layer): Tensor {
  const [batch, width] = x.shape;
  const [scale, shift] = split(dense(p.child("modulate"), when, 2 * width, { deviation: 0 }), [width, width], 1).map(
    (t) => reshape(t, [batch, width, 1, 1]),
  );
  let h = conv3(p.child("conv1"), gelu(groupNorm(p.child("norm"), x)), width, global);
  h = gelu(add(mul(h, add(scale, 1)), shift));
  if (dropout) h = dropout.apply(h, { rate, axes: [0, 1] });
  return add(x, conv3(p.child("conv2"), h, width, global));
}

/** 3 x 3, the map's size kept. */
const conv3 = (p: Scope, x: Tensor, width: number, global: boolean, start: "lecun" | "zero" = "lecun"): Tensor =>
  convolution(p, x, { width, size: 3, global, start });
