/**
 * A masked transformer after Prithvi WxC (Schmude et al. 2024, arXiv:2409.13598): while it trains, a part of the tokens is hidden,
 * and it forecasts the whole field from the rest; asked to (`training.reconstruction`), it also says what stands at the hidden
 * places of the present state: their mixed objective. A hidden token knows its place and the fixed maps, as theirs do. Attention by
 * turns is local, within windows, and global, among the tokens at the same place of all windows.
 */
import { type Scope, truncatedNormal } from "../engine/parameters.js";
import type { Tensor } from "../graph/graph.js";
import { add, expand, mul, reshape, sub, transpose } from "../graph/ops.js";
import { float32 } from "../tensor/ndarray.js";
import { transformerRefusal } from "./checks.js";
import { block, norm } from "./layers.js";
import type { Architecture, Dropout, ModelInputs } from "./model.js";
import { mapsOf, type PatchGrid, patchGrid } from "./patches.js";
import { addCondition, variableStem } from "./stem.js";
import { variableHeads } from "./tokens.js";
import { fromWindows, intoWindows, windowsOf } from "./windows.js";

export interface MaskedConfig {
  /** Latitudes and longitudes of a patch. */
  patch: [number, number];
  /** Rows and columns of tokens in a window; made smaller where they do not divide the grid. */
  window: [number, number];
  width: number;
  /** Pairs of local and global attention; one more local layer ends them. */
  depth: number;
  heads: number;
  ratio: number;
  /** Part of the tokens hidden while training. */
  hidden: number;
  dropout: number;
  /** `geographic` (any grid) or `learnt` (one grid). */
  position: string;
}

export const masked: Architecture<MaskedConfig> = {
  name: "masked",
  anyVariables: true,
  defaults: {
    patch: [2, 2],
    window: [4, 4],
    width: 128,
    depth: 3,
    heads: 4,
    ratio: 4,
    hidden: 0.5,
    dropout: 0,
    position: "geographic",
  },
  check: (config) =>
    config.hidden >= 0 && config.hidden < 1
      ? transformerRefusal(config)
      : `hidden ${config.hidden} is not a part of the tokens; take a number from 0 to below 1`,
  write(p, inputs, config) {
    const grid = patchGrid(inputs.latitudes.length, inputs.longitudes.length, config.patch);
    const { rows, columns } = grid;
    const { width, heads, ratio, depth, dropout: rate } = config;
    const batch = inputs.fields.shape[0];
    const { dropout } = inputs;
    const kept = dropout && config.hidden > 0 ? keptTokens(inputs, rows * columns, config.hidden, dropout) : undefined;
    const seen = (tokens: Tensor) => (kept ? hide(p, tokens, kept) : tokens);
    let x = addCondition(p, variableStem(p, inputs, grid, config, seen), inputs);

    const [wr, wc] = [divisor(rows, config.window[0]), divisor(columns, config.window[1])];
    const at = windowsOf([1, rows, columns], [1, wr, wc], { global: inputs.global, shifted: false });
    const apart = intoWindows(reshape(x, [batch, 1, rows, columns, width]), at); // [B, nc, nr, T, D]
    x = reshape(apart, [batch, (rows * columns) / (wr * wc), wr * wc, width]);
    for (let i = 0; i <= 2 * depth; i++) {
      const q = p.child(`blocks.${i}`);
      const turned = i % 2 === 0 ? x : transpose(x, [0, 2, 1, 3]);
      const mixed = block(q, turned, { heads, ratio, dropout, rate });
      x = i % 2 === 0 ? mixed : transpose(mixed, [0, 2, 1, 3]);
    }
    const whole = reshape(fromWindows(reshape(x, apart.shape), at), [batch, rows * columns, width]);
    const last = norm(p.child("norm"), whole);
    if (kept)
      inputs.fillIn?.({
        maps: variableHeads(p.child("reconstruct"), last, inputs, grid),
        hidden: mapOf(sub(1, kept), inputs, grid),
      });
    return variableHeads(p, last, inputs, grid);
  },
};

/** 1 for the tokens that the fed mask leaves, 0 for those it hides, [B, T, 1]. */
function keptTokens({ fields }: ModelInputs, tokens: number, part: number, dropout: Dropout): Tensor {
  const [batch] = fields.shape;
  const ones = fields.graph.constant(float32([batch, tokens, 1], new Float32Array(batch * tokens).fill(1)));
  return mul(dropout.apply(ones, { rate: part, axes: [0, 1] }), 1 - part);
}

/** x [B, T, D] with the tokens that are not kept replaced by a learnt one. */
const hide = (p: Scope, x: Tensor, kept: Tensor): Tensor =>
  add(mul(x, kept), mul(sub(1, kept), p.param("hidden", [x.shape[2]], truncatedNormal(0.02))));

/** One number a token [B, T, 1] as a map [B, 1, H, W]. */
function mapOf(x: Tensor, { fields }: ModelInputs, grid: PatchGrid): Tensor {
  const [batch, tokens] = x.shape;
  const [, , height, width] = fields.shape;
  return mapsOf(expand(x, [batch, tokens, grid.patch[0] * grid.patch[1]]), grid, height, width);
}

/** The largest divisor of n that is no more than asked. */
function divisor(n: number, asked: number): number {
  let d = Math.min(n, asked);
  while (n % d !== 0) d--;
  return d;
}
