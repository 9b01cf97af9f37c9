/** Layers that several architectures share: functions from tensors to tensors. B batch, T tokens, D width, H heads. */
import { one, type Scope, truncatedNormal, zero } from "../engine/parameters.js";
import type { Tensor } from "../graph/graph.js";
import { add, gelu, layerNorm, linear, matmul, mul, reshape, softmax, transpose } from "../graph/ops.js";
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

/** Multi-head self-attention (Vaswani et al. 2017): softmax(q k^T / sqrt(d)) v. x [B, T, D]. */
export function selfAttention(p: Scope, x: Tensor, heads: number): Tensor {
  const [batch, tokens, width] = x.shape;
  const d = width / heads;
  const perHead = (t: Tensor, perm: readonly number[]) => transpose(reshape(t, [batch, tokens, heads, d]), perm);
  // The scale goes onto q, the smallest of the three products
  const q = perHead(mul(dense(p.child("q"), x, width), 1 / Math.sqrt(d)), [0, 2, 1, 3]); // [B, H, T, d]
  const k = perHead(dense(p.child("k"), x, width), [0, 2, 3, 1]); // [B, H, d, T]
  const v = perHead(dense(p.child("v"), x, width), [0, 2, 1, 3]); // [B, H, T, d]
  const mixed = matmul(softmax(matmul(q, k)), v); // [B, H, T, d]
  return dense(p.child("o"), reshape(transpose(mixed, [0, 2, 1, 3]), [batch, tokens, width]), width);
}

/** D -> ratio D -> D with GELU between. */
export const mlp = (p: Scope, x: Tensor, ratio = 4): Tensor => {
  const width = x.shape[x.shape.length - 1];
  return dense(p.child("down"), gelu(dense(p.child("up"), x, width * ratio)), width);
};

export interface BlockOptions {
  heads: number;
  ratio?: number;
  dropout?: Dropout;
  rate?: number;
}

/** Pre-norm transformer block (Xiong et al. 2020): x + attention(norm x), then x + mlp(norm x). */
export function block(p: Scope, x: Tensor, { heads, ratio, dropout, rate = 0 }: BlockOptions): Tensor {
  const drop = (t: Tensor) => dropout?.apply(t, { rate, axes: [0, 2] }) ?? t;
  const mixed = add(x, drop(selfAttention(p.child("attention"), norm(p.child("norm1"), x), heads)));
  return add(mixed, drop(mlp(p.child("mlp"), norm(p.child("norm2"), mixed), ratio)));
}
