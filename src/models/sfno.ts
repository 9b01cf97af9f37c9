/**
 * A spherical Fourier operator (SFNO: Bonev et al. 2023, arXiv:2306.03838) on the spherical harmonics of our own atmosphere
 * (harmonics.ts). Each layer mixes channels in spectral space by a complex matrix that depends on the total wavenumber alone; a
 * pointwise MLP follows on the grid. Its imaginary part turns every wave by a quarter of its length along the parallels, so that east
 * and west are told apart: what the wind carries along needs that. Without it (`filters: real`) a layer treats all directions alike,
 * and a rotation of the globe rotates its answer. Where a point lies is told by the maps of coordinates. For global grids.
 */
import { UsageError } from "../errors.js";
import { type Initialiser, type Scope } from "../engine/parameters.js";
import type { Tensor } from "../graph/graph.js";
import { add, concat, gelu, matmul, neg, reshape, split, transpose } from "../graph/ops.js";
import { sizeOf } from "../tensor/ndarray.js";
import { convolution, groupNorm, pointwiseConvolution } from "./convolutions.js";
import { type Harmonics, harmonics, mostWavenumbers, toGrid, toSpectrum } from "./harmonics.js";
import { dense } from "./layers.js";
import type { Architecture, ModelInputs } from "./model.js";

export interface SfnoConfig {
  width: number;
  depth: number;
  /** Largest total wavenumber; 0 for as many as the grid bears. */
  truncation: number;
  /** `complex`, as published, or `real`: the same in every direction. */
  filters: string;
  /** Width of the hidden layer of each MLP, as a multiple. */
  ratio: number;
  dropout: number;
}

export const sfno: Architecture<SfnoConfig> = {
  name: "sfno",
  defaults: { width: 32, depth: 4, truncation: 0, filters: "complex", ratio: 2, dropout: 0 },
  check: ({ truncation, filters }) =>
    !(truncation >= 0 && Number.isInteger(truncation))
      ? `truncation ${truncation} is not possible; take a whole number, or 0 for as many as the grid bears`
      : filters !== "complex" && filters !== "real"
        ? `filters '${filters}' is not one of complex and real`
        : undefined,
  write(p, inputs, config) {
    const { fields, condition, channels, dropout } = inputs;
    const { width, depth, ratio, dropout: rate } = config;
    const batch = fields.shape[0];
    const sphere = harmonicsOf(inputs, config.truncation);
    const drop = (t: Tensor) => dropout?.apply(t, { rate, axes: [0, 1] }) ?? t;
    const when = reshape(dense(p.child("condition"), condition, width), [batch, width, 1, 1]);
    let x = add(pointwiseConvolution(p.child("in"), fields, width), when);
    for (let i = 0; i < depth; i++) {
      const q = p.child(`blocks.${i}`);
      const mixed = spectralLayer(
        q.child("filter"),
        groupNorm(q.child("norm1"), x),
        sphere,
        config.filters === "complex",
      );
      x = add(x, add(mixed, pointwiseConvolution(q.child("local"), x, width)));
      const hidden = gelu(pointwiseConvolution(q.child("up"), groupNorm(q.child("norm2"), x), width * ratio));
      x = add(x, drop(pointwiseConvolution(q.child("down"), hidden, width)));
    }
    const last = gelu(groupNorm(p.child("norm"), x));
    return convolution(p.child("out"), last, { width: channels, size: 1, global: true, start: "zero" });
  },
};

function harmonicsOf(inputs: ModelInputs, truncation: number): Harmonics {
  if (!inputs.global)
    throw new UsageError(
      "model sfno: it needs longitudes all around the globe; take 'swin', 'lka' or 'unet' for a region",
    );
  const [h, w] = [inputs.latitudes.length, inputs.longitudes.length];
  const most = mostWavenumbers(h, w);
  if (truncation > most)
    throw new UsageError(
      `model.truncation ${truncation} is more than a grid of ${h} x ${w} points bears; take ${most} or less`,
    );
  return harmonics(inputs, truncation);
}

/** x [B, D, H, W] to spectral space, each total wavenumber through its own matrix (complex or real), and back. */
export function spectralLayer(p: Scope, x: Tensor, s: Harmonics, complex: boolean): Tensor {
  const [batch, width] = x.shape;
  const orders = s.analyseColumns.shape[1];
  const byWave = (spectrum: Tensor): Tensor => {
    const first = transpose(reshape(spectrum, [orders, s.count, batch, width]), [1, 0, 2, 3]); // [L, K, B, D]
    return reshape(first, [s.count, orders * batch, width]);
  };
  const spectrum = toSpectrum(x, s);
  // (a + ib)(x + iy): the real part's matrix on the wave, the imaginary part's on the wave turned
  const seen = complex ? concat([byWave(spectrum), byWave(turned(spectrum))], 2) : byWave(spectrum);
  const filter = p.param("w", [s.count, seen.shape[2], width], spectralStart);
  const mixed = matmul(seen, filter);
  const again = transpose(reshape(mixed, [s.count, orders, batch, width]), [1, 0, 2, 3]); // [K, L, B, D]
  return toGrid(reshape(again, [orders, s.count, batch * width]), s, x.shape);
}

/** Coefficients [order, n, column], of cosine and sine by turns, of the waves a quarter of their length on: i (x + iy) = -y + ix. */
function turned(spectrum: Tensor): Tensor {
  const [orders, ...rest] = spectrum.shape;
  const [cosine, sine] = split(reshape(spectrum, [orders / 2, 2, ...rest]), [1, 1], 1);
  return reshape(concat([neg(sine), cosine], 1), spectrum.shape);
}

/** Uniform, of variance 1 / (3 inputs) like the other layers', for each wavenumber. */
const spectralStart: Initialiser = (shape, rng) =>
  new Float32Array(sizeOf(shape)).map(() => (2 * rng.uniform() - 1) / Math.sqrt(shape[1]));
