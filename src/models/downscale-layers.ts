/** What downscaling architectures share: convolutions at a fixed size, and residual blocks without normalisation. */
import { type Initialiser, lecun, type Scope, zero } from "../engine/parameters.js";
import type { Tensor } from "../graph/graph.js";
import { add, conv, gelu, mul, reshape, split } from "../graph/ops.js";
import { dense } from "./layers.js";
import type { Dropout } from "./model.js";

/** 3 x 3, zeros around. */
export const conv3 = (p: Scope, x: Tensor, width: number, init: Initialiser = lecun): Tensor =>
  conv(x, p.param("w", [width, x.shape[1], 3, 3], init), p.param("b", [width], zero), { pads: [1, 1, 1, 1] });

export const conv1 = (p: Scope, x: Tensor, width: number, init: Initialiser = lecun): Tensor =>
  conv(x, p.param("w", [width, x.shape[1], 1, 1], init), p.param("b", [width], zero));

export interface Modulation {
  /** Embedded season and hour [batch, width]. */
  readonly when: Tensor;
  readonly dropout?: Dropout;
  readonly rate: number;
}

/** Season and hour through two layers, [batch, width]. */
export const embedded = (p: Scope, condition: Tensor, width: number): Tensor =>
  gelu(dense(p.child("when2"), gelu(dense(p.child("when1"), condition, width)), width));

/**
 * x + conv(gelu((1 + scale) conv(gelu x) + shift)) without normalisation (Lim et al. 2017, EDSR), scale and shift from the
 * calendar (Perez et al. 2018). The second convolution starts at zero, so a deep stack starts as the identity (Zhang et al.
 * 2019, Fixup).
 */
export function residual(p: Scope, x: Tensor, { when, dropout, rate }: Modulation): Tensor {
  const [batch, width] = x.shape;
  const [scale, shift] = split(dense(p.child("modulate"), when, 2 * width, { deviation: 0 }), [width, width], 1).map(
    (t) => reshape(t, [batch, width, 1, 1]),
  );
  let h = conv3(p.child("conv1"), gelu(x), width);
  h = gelu(add(mul(h, add(scale, 1)), shift));
  if (dropout) h = dropout.apply(h, { rate, axes: [0, 1] });
  return add(x, conv3(p.child("conv2"), h, width, zero));
}
