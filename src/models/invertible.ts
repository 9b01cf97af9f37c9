/**
 * Invertible rescaling (Xiao et al. 2020, arXiv 2005.05650): a fine field is split into its means over blocks of cells and details
 * that the means do not tell (Haar's wavelets for blocks of 2 x 2, a discrete cosine transform for any other), and affine coupling
 * (Dinh et al. 2017) moves what can be told of one by the other:
 *
 *     c <- c + phi(d)                    so that the coarse field tells more of the details; left out where it is to be the mean
 *     d <- d exp(s(c)) + t(c)            so that what is left of the details is small
 *
 * Each step is undone exactly, whatever phi, s and t are: down and up are one function. Thrown away and taken as 0 are the details
 * alone. Everything starts at zero: then the coarse field is the mean and the fine one has the coarse value in each of its cells.
 */
import { type Scope, zero } from "../engine/parameters.js";
import type { Tensor } from "../graph/graph.js";
import { add, conv, exp, gelu, mul, neg, reduceSum, reshape, sub, tanh, transpose } from "../graph/ops.js";
import { float32 } from "../tensor/ndarray.js";
import { conv3 } from "./downscale-layers.js";

export interface InvertibleConfig {
  width: number;
  blocks: number;
  /** Whether the coarse field is the mean exactly. */
  exact: boolean;
  /** What the coarse field is rounded to, in its units: details must not hide behind the last digit. */
  precision: number;
}

export const invertibleDefaults: InvertibleConfig = { width: 32, blocks: 3, exact: false, precision: 0.01 };

/** How blocks of `rows` x `columns` cells lie on a grid of blocks. */
export interface Blocks {
  readonly rows: number;
  readonly columns: number;
  /** Share of each of a block's cells in its mean, [cell of the block, row of blocks]; sums of 1. */
  readonly shares: Float32Array;
}

export interface Parts {
  /** [batch, 1, row of blocks, column of blocks] */
  readonly coarse: Tensor;
  /** [batch, cells of a block - 1, row of blocks, column of blocks] */
  readonly details: Tensor;
}

/** [batch, 1, row, column] to coarse field and what is left of the details. */
export function rescaleDown(p: Scope, fine: Tensor, blocks: Blocks, config: InvertibleConfig): Parts {
  let { coarse, details } = splitBlocks(fine, blocks);
  for (let k = 0; k < config.blocks; k++) {
    const couple = coupling(p.child(`blocks.${k}`), details.shape[1], config);
    if (!config.exact) coarse = add(coarse, couple.phi(details));
    const { s, t } = couple.affine(coarse);
    details = add(mul(details, exp(s)), t);
  }
  return { coarse, details };
}

/** The inverse of `rescaleDown`. */
export function rescaleUp(p: Scope, parts: Parts, blocks: Blocks, config: InvertibleConfig): Tensor {
  let { coarse, details } = parts;
  for (let k = config.blocks - 1; k >= 0; k--) {
    const couple = coupling(p.child(`blocks.${k}`), details.shape[1], config);
    const { s, t } = couple.affine(coarse);
    details = mul(sub(details, t), exp(neg(s)));
    if (!config.exact) coarse = sub(coarse, couple.phi(details));
  }
  return joinBlocks({ coarse, details }, blocks);
}

function coupling(p: Scope, count: number, { width }: InvertibleConfig) {
  const net = (name: string, x: Tensor, out: number): Tensor => {
    const q = p.child(name);
    const h = gelu(conv3(q.child("in"), x, width));
    return conv3(q.child("out"), gelu(add(h, conv3(q.child("middle"), h, width, zero))), out, zero);
  };
  return {
    phi: (details: Tensor): Tensor => net("phi", details, 1),
    affine: (coarse: Tensor) => ({ s: tanh(net("s", coarse, count)), t: net("t", coarse, count) }),
  };
}

/** Means of blocks, and the coefficients of their other cosines. */
export function splitBlocks(fine: Tensor, blocks: Blocks): Parts {
  const { rows, columns } = blocks;
  const [batch, , height, width] = fine.shape;
  const [high, wide] = [height / rows, width / columns];
  const cells = reshape(transpose(reshape(fine, [batch, high, rows, wide, columns]), [0, 2, 4, 1, 3]), [
    batch,
    rows * columns,
    high,
    wide,
  ]);
  return {
    coarse: meanOf(cells, blocks),
    details: conv(cells, fine.graph.constant(float32([rows * columns - 1, rows * columns, 1, 1], cosines(blocks)))),
  };
}

export function joinBlocks({ coarse, details }: Parts, blocks: Blocks): Tensor {
  const { rows, columns } = blocks;
  const [batch, , high, wide] = coarse.shape;
  const n = rows * columns;
  const basis = cosines(blocks);
  const turned = Float32Array.from(
    { length: basis.length },
    (_, k) => basis[(k % (n - 1)) * n + Math.floor(k / (n - 1))],
  );
  const around = conv(details, coarse.graph.constant(float32([n, n - 1, 1, 1], turned)));
  // The cosines sum to 0 over a block, but by the cells' areas not quite
  const cells = add(sub(around, meanOf(around, blocks)), coarse);
  return reshape(transpose(reshape(cells, [batch, rows, columns, high, wide]), [0, 3, 1, 4, 2]), [
    batch,
    1,
    high * rows,
    wide * columns,
  ]);
}

const meanOf = (cells: Tensor, { shares }: Blocks): Tensor => {
  const [, n, high] = cells.shape;
  return reduceSum(mul(cells, cells.graph.constant(float32([1, n, high, 1], shares))), { axes: [1], keepDims: true });
};

/** Orthonormal two-dimensional cosines (DCT-II) of a block but the constant one, [cosine, cell]. */
function cosines({ rows, columns }: Blocks): Float32Array {
  const along = (n: number, k: number, i: number) =>
    Math.sqrt((k === 0 ? 1 : 2) / n) * Math.cos((Math.PI * k * (i + 0.5)) / n);
  const n = rows * columns;
  return Float32Array.from({ length: (n - 1) * n }, (_, at) => {
    const [k, i] = [Math.floor(at / n) + 1, at % n];
    return along(rows, Math.floor(k / columns), Math.floor(i / columns)) * along(columns, k % columns, i % columns);
  });
}
