/**
 * A small residual U-Net (Ronneberger et al. 2015; residual blocks of He et al. 2016): maps are halved twice, worked on where
 * they are coarse, and brought back with what each level remembers. Lead time and season scale and shift every block
 * (feature-wise modulation, Perez et al. 2018).
 */
import { type Initialiser, lecun, one, type Scope, truncatedNormal, zero } from "../engine/parameters.js";
import type { Tensor } from "../graph/graph.js";
import { add, concat, conv, emit, gelu, layerNorm, mul, pad, reshape, split } from "../graph/ops.js";
import { float32, sizeOf } from "../tensor/ndarray.js";
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
  check: ({ width }) => (width >= 4 ? undefined : `width ${width} is too small; at least 4`),
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
    const up2 = residual(p.child("up2"), conv1(p.child("join2"), concat([double(coarse), middle], 1), 2 * w), layer);
    const up1 = residual(p.child("up1"), conv1(p.child("join1"), concat([double(up2), fine], 1), w), layer);
    return cropTo(conv3(p.child("out"), gelu(up1), channels, global, zero), height, longitudes);
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

/** 3 x 3, the map's size kept; columns go around the globe where it is global. */
function conv3(p: Scope, x: Tensor, width: number, global: boolean, init: Initialiser = lecun): Tensor {
  const [w, b] = [p.param("w", [width, x.shape[1], 3, 3], init), p.param("b", [width], zero)];
  if (!global) return conv(x, w, b, { pads: [1, 1, 1, 1] });
  return conv(pad(x, [0, 0, 0, 1], [0, 0, 0, 1], "wrap"), w, b, { pads: [1, 0, 1, 0] });
}

const conv1 = (p: Scope, x: Tensor, width: number): Tensor =>
  conv(x, p.param("w", [width, x.shape[1], 1, 1], lecun), p.param("b", [width], zero));
const halve = (p: Scope, x: Tensor, width: number): Tensor =>
  conv(x, p.param("w", [width, x.shape[1], 2, 2], lecun), p.param("b", [width], zero), { strides: [2, 2] });

/** Each cell four times (nearest neighbour). */
function double(x: Tensor): Tensor {
  const [batch, channels, height, width] = x.shape;
  const spread = emit("Expand", [
    reshape(x, [batch, channels, height, 1, width, 1]),
    x.graph.constant({
      dtype: "int64",
      shape: [6],
      data: BigInt64Array.from([batch, channels, height, 2, width, 2], BigInt),
    }),
  ])[0];
  return reshape(spread, [batch, channels, 2 * height, 2 * width]);
}

/** Normalised over all channels of a map (one group), then scaled and shifted per channel (Wu and He 2018). */
function groupNorm(p: Scope, x: Tensor): Tensor {
  const [batch, width] = x.shape;
  const size = sizeOf(x.shape.slice(1));
  const unscaled = x.graph.constant(float32([size], new Float32Array(size).fill(1)));
  const h = reshape(layerNorm(reshape(x, [batch, size]), unscaled), x.shape);
  const perChannel = (name: string, init: Initialiser) => reshape(p.param(name, [width], init), [width, 1, 1]);
  return add(mul(h, perChannel("scale", one)), perChannel("bias", zero));
}
