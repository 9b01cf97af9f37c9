/** Layers that several architectures share: functions from tensors to tensors. B batch, T tokens, D width, H heads. */
import { one, type Scope, truncatedNormal, zero } from "../engine/parameters.js";
import type { Tensor } from "../graph/graph.js";
import { attention } from "../graph/layers.js";
import { add, gelu, layerNorm, linear, reshape, transpose } from "../graph/ops.js";
import type { Dropout } from "./model.js";

/** x W + b over the last axis, weights started at a truncated normal of 0.02. */
export function dense(p: Scope, x: Tensor, width: number, options: { deviation?: number } = {}): Tensor {
  const { deviation = 0.02 } = options;
  const init = deviation === 0 ? zero : truncatedNormal(deviation);
  return linear(x, p.param("w", [x.shape[x.shape.length - 1], width], init), p.param("b", [width], zero));
}

export const norm = (p: Scope, x: Tensor): Tensor => {
  const width = x.shape[x.shape.length - 1];
  return layerNorm(x, p.param("scale", [width], one), p.param("bias", [width], zero));
};

/**
 * Multi-head self-attention (Vaswani et al. 2017): softmax(q k^T / sqrt(d) + bias) v. x [..., T, D]; tokens see each other within
 * the last two axes, and a bias broadcasts to [..., H, T, T].
 */
export function selfAttention(p: Scope, x: Tensor, heads: number, bias?: Tensor): Tensor {
  const [tokens, width] = x.shape.slice(-2);
  const lead = x.shape.slice(0, -2);
  const n = lead.length;
  const d = width / heads;
  const outer = lead.map((_, i) => i);
  const perHead = (name: string) =>
    transpose(reshape(dense(p.child(name), x, width), [...lead, tokens, heads, d]), [...outer, n + 1, n, n + 2]);
  const mixed = attention(perHead("q"), perHead("k"), perHead("v"), { bias }); // [..., H, T, d]
  const joined = reshape(transpose(mixed, [...outer, n + 1, n, n + 2]), x.shape);
  return dense(p.child("o"), joined, width);
}

/** D -> ratio D -> D with GELU between. */
export const mlp = (p: Scope, x: Tensor, ratio = 4): Tensor => {
  const width = x.shape[x.shape.length - 1];
  return dense(p.child("down"), gelu(dense(p.child("up"), x, width * ratio)), width);
};

export interface BlockOptions {
  heads: number;
  /** Of the attention's scores. */
  bias?: Tensor;
  ratio?: number;
  dropout?: Dropout;
  rate?: number;
}

/** Pre-norm transformer block (Xiong et al. 2020): x + attention(norm x), then x + mlp(norm x). */
export function block(p: Scope, x: Tensor, { heads, bias, ratio, dropout, rate = 0 }: BlockOptions): Tensor {
  const drop = (t: Tensor) => dropout?.apply(t, { rate, axes: [0, t.shape.length - 1] }) ?? t;
  const mixed = add(x, drop(selfAttention(p.child("attention"), norm(p.child("norm1"), x), heads, bias)));
  return add(mixed, drop(mlp(p.child("mlp"), norm(p.child("norm2"), mixed), ratio)));
}
