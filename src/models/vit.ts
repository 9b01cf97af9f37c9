/**
 * A plain pre-norm vision transformer on latitude-longitude patches (Dosovitskiy et al. 2021; ClimateLearn's ViT): each patch
 * of all maps is a token, a learnt position and the embedded lead time are added, and each token writes its patch of the answer.
 */
import { truncatedNormal } from "../engine/parameters.js";
import { add, gelu, reshape } from "../graph/ops.js";
import { transformerRefusal } from "./checks.js";
import { block, dense, norm } from "./layers.js";
import type { Architecture } from "./model.js";
import { mapsOf, patchGrid, patchTokens } from "./patches.js";

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
  check: transformerRefusal,
  write(p, { fields, condition, channels, global, dropout }, config) {
    const [batch, , height, longitudes] = fields.shape;
    const { width, patch } = config;
    const grid = patchGrid(height, longitudes, patch);
    const tokens = grid.rows * grid.columns;

    const embedded = dense(p.child("embed"), patchTokens(fields, grid, global), width); // [B, T, D]
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
    const out = dense(p.child("out"), x, channels * patch[0] * patch[1], { deviation: 0 }); // [B, T, C ph pw]
    return mapsOf(out, grid, height, longitudes);
  },
};
