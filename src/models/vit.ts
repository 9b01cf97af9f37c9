/**
 * A plain pre-norm vision transformer on latitude-longitude patches (Dosovitskiy et al. 2021; ClimateLearn's ViT): each patch
 * of all maps is a token, a learnt position and the embedded lead time are added, and each token writes its patch of the answer.
 */
import { truncatedNormal } from "../engine/parameters.js";
import type { Tensor } from "../graph/graph.js";
import { add, gelu, pad, reshape, slice, transpose } from "../graph/ops.js";
import { block, dense, norm } from "./layers.js";
import type { Architecture } from "./model.js";

export interface VitConfig {
  /** Latitudes and longitudes of a patch. */
  patch: [number, number];
  width: number;
  depth: number;
  heads: number;
  /** Width of the hidden layer of each MLP, as a multiple. */
  ratio: number;
  /** Hidden layers of the head, each as wide as the model. */
  headDepth: number;
  /** Part of the entries dropped after attention and MLP while training. */
  dropout: number;
}

export const vit: Architecture<VitConfig> = {
  name: "vit",
  // ClimateLearn's ViT (1.76 M parameters on 5.625 degrees): width 128, depth 8, heads 4, patch 2, head of two hidden layers
  defaults: { patch: [2, 2], width: 128, depth: 8, heads: 4, ratio: 4, headDepth: 2, dropout: 0.1 },
  check: ({ width, heads }) =>
    width % heads === 0 ? undefined : `width ${width} is not a multiple of its ${heads} heads`,
  write(p, { fields, condition, channels, global, dropout }, config) {
    const [batch, maps, height, longitudes] = fields.shape;
    const [ph, pw] = config.patch;
    const rows = Math.ceil(height / ph);
    const columns = Math.ceil(longitudes / pw);
    const tokens = rows * columns;
    const { width } = config;

    const padded = padTo(fields, rows * ph, columns * pw, global); // [B, C, rows ph, columns pw]
    const patches = reshape(transpose(reshape(padded, [batch, maps, rows, ph, columns, pw]), [0, 2, 4, 1, 3, 5]), [
      batch,
      tokens,
      maps * ph * pw,
    ]);
    const embedded = dense(p.child("embed"), patches, width); // [B, T, D]
    const when = dense(p.child("lead2"), gelu(dense(p.child("lead1"), condition, width)), width); // [B, D]
    let x = add(
      add(embedded, p.param("position", [tokens, width], truncatedNormal(0.02))),
      reshape(when, [batch, 1, width]),
    );
    for (let i = 0; i < config.depth; i++)
      x = block(p.child(`blocks.${i}`), x, { heads: config.heads, ratio: config.ratio, dropout, rate: config.dropout });
    x = norm(p.child("norm"), x);
    for (let i = 0; i < config.headDepth; i++) x = gelu(dense(p.child(`head.${i}`), x, width));
    // Started at zero: an untrained model gives the first guess
    const out = dense(p.child("out"), x, channels * ph * pw, { deviation: 0 }); // [B, T, C ph pw]
    const image = reshape(transpose(reshape(out, [batch, rows, columns, channels, ph, pw]), [0, 3, 1, 4, 2, 5]), [
      batch,
      channels,
      rows * ph,
      columns * pw,
    ]);
    return cropTo(image, height, longitudes);
  },
};

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
