/**
 * Large-kernel attention (VAN: Guo et al. 2023; for weather PuYun: Zhu et al. 2024, arXiv:2409.02123): each map is weighted by
 * what a wide neighbourhood says, u = x * conv1x1(dilated depthwise(depthwise x)): a kernel of 21 x 21 tokens for the price of two
 * small ones. All convolutions: columns go around the globe, cost grows with the map alone.
 */
import { type Scope, values } from "../engine/parameters.js";
import type { Tensor } from "../graph/graph.js";
import { add, gelu, mul, reshape, transpose } from "../graph/ops.js";
import { convolutionalRefusal } from "./checks.js";
import { convolution, groupNorm, pointwiseConvolution } from "./convolutions.js";
import { dense } from "./layers.js";
import type { Architecture, Dropout } from "./model.js";
import { mapsOf, patchGrid, patchTokens } from "./patches.js";

export interface LkaConfig {
  /** Latitudes and longitudes of a patch. */
  patch: [number, number];
  width: number;
  depth: number;
  /** Width of the hidden layer of each MLP, as a multiple. */
  ratio: number;
  dropout: number;
}

export const lka: Architecture<LkaConfig> = {
  name: "lka",
  defaults: { patch: [2, 2], width: 64, depth: 6, ratio: 4, dropout: 0 },
  check: convolutionalRefusal,
  write(p, { fields, condition, channels, global, dropout }, config) {
    const [batch, , height, longitudes] = fields.shape;
    const { width, patch } = config;
    const grid = patchGrid(height, longitudes, patch);
    const { rows, columns } = grid;
    // The globe closes only where patches divide its circle
    const around = global && columns * patch[1] === longitudes;
    const tokens = dense(p.child("embed"), patchTokens(fields, grid, global), width);
    let x = reshape(transpose(tokens, [0, 2, 1]), [batch, width, rows, columns]);
    x = add(x, reshape(dense(p.child("condition"), condition, width), [batch, width, 1, 1]));
    for (let i = 0; i < config.depth; i++) x = layer(p.child(`blocks.${i}`), x, config, around, dropout);
    const last = transpose(reshape(groupNorm(p.child("norm"), x), [batch, width, rows * columns]), [0, 2, 1]);
    return mapsOf(
      dense(p.child("out"), last, channels * patch[0] * patch[1], { deviation: 0 }),
      grid,
      height,
      longitudes,
    );
  },
};

/** x + s1 attention(norm x), then x + s2 mlp(norm x) with a depthwise kernel between the MLP's layers. */
function layer(p: Scope, x: Tensor, { ratio, dropout: rate }: LkaConfig, global: boolean, dropout?: Dropout): Tensor {
  const width = x.shape[1];
  const drop = (t: Tensor) => dropout?.apply(t, { rate, axes: [0, 1] }) ?? t;
  const scaled = (name: string, t: Tensor) =>
    mul(t, reshape(p.param(name, [width], values(new Float32Array(width).fill(0.1))), [width, 1, 1]));
  const depthwise = (q: Scope, t: Tensor, size: number, dilation = 1) =>
    convolution(q, t, { width: t.shape[1], size, dilation, group: t.shape[1], global });

  const u = gelu(pointwiseConvolution(p.child("in"), groupNorm(p.child("norm1"), x), width));
  const wide = depthwise(p.child("wide"), depthwise(p.child("near"), u, 5), 7, 3);
  const weighted = mul(u, pointwiseConvolution(p.child("weights"), wide, width));
  const mixed = add(x, scaled("scale1", drop(pointwiseConvolution(p.child("out"), weighted, width))));

  const hidden = pointwiseConvolution(p.child("up"), groupNorm(p.child("norm2"), mixed), width * ratio);
  const down = pointwiseConvolution(p.child("down"), gelu(depthwise(p.child("between"), hidden, 3)), width);
  return add(mixed, scaled("scale2", drop(down)));
}
