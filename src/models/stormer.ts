/**
 * Stormer (Nguyen et al. 2024, arXiv:2312.03876): ClimaX's tokens, and a transformer in which lead time and season shift, scale
 * and gate every layer (adaLN-zero, Peebles and Xie 2023). Every block starts as the identity. Its gain comes with its training:
 * jumps of several intervals, levels weighted by pressure, roll-outs trained through, forecasts averaged over ways to the lead.
 */
import type { Scope } from "../engine/parameters.js";
import type { Tensor } from "../graph/graph.js";
import { add, gelu, layerNorm, mul, reshape, silu, split } from "../graph/ops.js";
import { float32 } from "../tensor/ndarray.js";
import { transformerRefusal } from "./checks.js";
import { dense, norm, selfAttention } from "./layers.js";
import type { Architecture, Dropout } from "./model.js";
import { patchGrid } from "./patches.js";
import { variableStem } from "./stem.js";
import { variableHeads } from "./tokens.js";

export interface StormerConfig {
  /** Latitudes and longitudes of a patch. */
  patch: [number, number];
  width: number;
  depth: number;
  heads: number;
  /** Width of the hidden layer of each MLP, as a multiple. */
  ratio: number;
  /** Part of the entries dropped after attention and MLP while training. */
  dropout: number;
  /** `geographic` (any grid) or `learnt` (one grid). */
  position: string;
}

export const stormer: Architecture<StormerConfig> = {
  name: "stormer",
  anyVariables: true,
  defaults: { patch: [2, 2], width: 128, depth: 6, heads: 4, ratio: 4, dropout: 0, position: "geographic" },
  check: transformerRefusal,
  write(p, inputs, config) {
    const { condition, dropout } = inputs;
    const { width } = config;
    const grid = patchGrid(inputs.latitudes.length, inputs.longitudes.length, config.patch);
    let x = norm(p.child("norm"), variableStem(p, inputs, grid, config)); // [B, T, D]
    const when = silu(dense(p.child("condition"), condition, width)); // [B, D]
    for (let i = 0; i < config.depth; i++) x = adaptiveBlock(p.child(`blocks.${i}`), x, when, config, dropout);
    const [shift, scale] = modulation(p.child("modulate"), when, 2, width);
    return variableHeads(p, modulated(x, shift, scale), inputs, grid);
  },
};

/** x + gate attention(norm x scaled and shifted), then the same with the MLP; all six from the condition, started at zero. */
export function adaptiveBlock(
  p: Scope,
  x: Tensor,
  when: Tensor,
  { heads, ratio, dropout: rate }: Pick<StormerConfig, "heads" | "ratio" | "dropout">,
  dropout?: Dropout,
): Tensor {
  const width = x.shape[2];
  const drop = (t: Tensor) => dropout?.apply(t, { rate, axes: [0, 2] }) ?? t;
  const [shift1, scale1, gate1, shift2, scale2, gate2] = modulation(p.child("modulate"), when, 6, width);
  const mixed = add(x, mul(gate1, drop(selfAttention(p.child("attention"), modulated(x, shift1, scale1), heads))));
  const hidden = gelu(dense(p.child("mlp.up"), modulated(mixed, shift2, scale2), width * ratio), {
    approximate: "tanh",
  });
  return add(mixed, mul(gate2, drop(dense(p.child("mlp.down"), hidden, width))));
}

/** `count` vectors [batch, 1, width] of the condition. */
function modulation(p: Scope, when: Tensor, count: number, width: number): Tensor[] {
  const all = dense(p, when, count * width, { deviation: 0 });
  return split(reshape(all, [when.shape[0], 1, count * width]), Array<number>(count).fill(width), 2);
}

/** The norm of x (without weights of its own), scaled and shifted. */
function modulated(x: Tensor, shift: Tensor, scale: Tensor): Tensor {
  const width = x.shape[2];
  const ones = x.graph.constant(float32([width], new Float32Array(width).fill(1)));
  return add(mul(layerNorm(x, ones, undefined, { epsilon: 1e-6 }), add(scale, 1)), shift);
}
