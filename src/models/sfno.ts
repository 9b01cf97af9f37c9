/**
 * A spherical Fourier operator (SFNO: Bonev et al. 2023, arXiv:2306.03838) on the spherical harmonics of our own atmosphere
 * (simulator/gaussian.ts). Each layer mixes channels in spectral space by a matrix that depends on the total wavenumber alone, so it
 * treats all places and directions alike (a rotation of the globe rotates its answer); a pointwise MLP follows on the grid.
 * Where a point lies and what differs there is told by the maps of coordinates. For global grids.
 */
import { UsageError } from "../errors.js";
import { latitudeWeights } from "../earth/weights.js";
import { type Initialiser, type Scope } from "../engine/parameters.js";
import type { Tensor } from "../graph/graph.js";
import { add, gelu, matmul, reshape, transpose } from "../graph/ops.js";
import { gaussianNodes, legendreColumn } from "../simulator/gaussian.js";
import { float32, sizeOf } from "../tensor/ndarray.js";
import { convolution, groupNorm, pointwiseConvolution } from "./convolutions.js";
import { dense } from "./layers.js";
import type { Architecture, ModelInputs } from "./model.js";

export interface SfnoConfig {
  width: number;
  depth: number;
  /** Largest total wavenumber; 0 for as many as the grid bears. */
  truncation: number;
  /** Width of the hidden layer of each MLP, as a multiple. */
  ratio: number;
  dropout: number;
}

export const sfno: Architecture<SfnoConfig> = {
  name: "sfno",
  defaults: { width: 32, depth: 4, truncation: 0, ratio: 2, dropout: 0 },
  check: ({ truncation }) =>
    truncation >= 0 && Number.isInteger(truncation)
      ? undefined
      : `truncation ${truncation} is not possible; take a whole number, or 0 for as many as the grid bears`,
  write(p, inputs, config) {
    const { fields, condition, channels, dropout } = inputs;
    const { width, depth, ratio, dropout: rate } = config;
    const batch = fields.shape[0];
    const sphere = harmonics(inputs, config.truncation);
    const drop = (t: Tensor) => dropout?.apply(t, { rate, axes: [0, 1] }) ?? t;
    const when = reshape(dense(p.child("condition"), condition, width), [batch, width, 1, 1]);
    let x = add(pointwiseConvolution(p.child("in"), fields, width), when);
    for (let i = 0; i < depth; i++) {
      const q = p.child(`blocks.${i}`);
      const mixed = spectralLayer(q.child("filter"), groupNorm(q.child("norm1"), x), sphere);
      x = add(x, add(mixed, pointwiseConvolution(q.child("local"), x, width)));
      const hidden = gelu(pointwiseConvolution(q.child("up"), groupNorm(q.child("norm2"), x), width * ratio));
      x = add(x, drop(pointwiseConvolution(q.child("down"), hidden, width)));
    }
    const last = gelu(groupNorm(p.child("norm"), x));
    return convolution(p.child("out"), last, { width: channels, size: 1, global: true, start: "zero" });
  },
};

/** The transform of a grid as four matrices. Orders m come twice, for cosine and sine. */
export interface Harmonics {
  /** Total wavenumbers n = 0 .. L - 1. */
  readonly count: number;
  /** [longitude, order] and [order, longitude]. */
  readonly analyseColumns: Tensor;
  readonly synthesiseColumns: Tensor;
  /** [order, n, latitude] and [order, latitude, n]. */
  readonly analyseRows: Tensor;
  readonly synthesiseRows: Tensor;
}

/** The spherical harmonics up to the truncation on a global grid, Gaussian (exact) or any other (weighted by area). */
export function harmonics(
  inputs: Pick<ModelInputs, "latitudes" | "longitudes" | "global" | "fields">,
  truncation: number,
): Harmonics {
  const [h, w] = [inputs.latitudes.length, inputs.longitudes.length];
  if (!inputs.global)
    throw new UsageError(
      "model sfno: it needs longitudes all around the globe; take 'swin', 'lka' or 'unet' for a region",
    );
  const most = Math.min(h - 1, Math.floor((w - 1) / 2));
  if (truncation > most)
    throw new UsageError(
      `model.truncation ${truncation} is more than a grid of ${h} x ${w} points bears; take ${most} or less`,
    );
  const count = (truncation || most) + 1;
  const mu = Array.from(inputs.latitudes, (v) => Math.min(1, Math.max(-1, Math.sin((v * Math.PI) / 180))));
  const nodes = gaussianNodes(h);
  const gaussian = mu.every((x, j) => Math.abs(Math.abs(x) - Math.abs(nodes.mu[j])) < 1e-5);
  const areas = gaussian ? nodes.weights : latitudeWeights(inputs.latitudes).map((a) => (2 * a) / h);

  const orders = 2 * count;
  const [there, back] = [new Float32Array(w * orders), new Float32Array(orders * w)];
  const [analyse, synthesise] = [new Float32Array(orders * count * h), new Float32Array(orders * h * count)];
  const column = new Float64Array(count);
  for (let k = 0; k < orders; k++) {
    const m = Math.floor(k / 2);
    for (let i = 0; i < w; i++) {
      const angle = (m * inputs.longitudes[i] * Math.PI) / 180;
      const wave = k % 2 === 0 ? Math.cos(angle) : Math.sin(angle);
      there[i * orders + k] = ((m === 0 ? 1 : 2) * wave) / w;
      back[k * w + i] = wave;
    }
    for (let j = 0; j < h; j++) {
      legendreColumn(m, count - 1, mu[j], column);
      for (let n = m; n < count; n++) {
        analyse[(k * count + n) * h + j] = 0.5 * areas[j] * column[n - m];
        synthesise[(k * h + j) * count + n] = column[n - m];
      }
    }
  }
  const constant = (shape: number[], data: Float32Array) => inputs.fields.graph.constant(float32(shape, data));
  return {
    count,
    analyseColumns: constant([w, orders], there),
    synthesiseColumns: constant([orders, w], back),
    analyseRows: constant([orders, count, h], analyse),
    synthesiseRows: constant([orders, h, count], synthesise),
  };
}

/** x [B, D, H, W] to spectral space, each total wavenumber through its own matrix, and back. */
export function spectralLayer(p: Scope, x: Tensor, s: Harmonics): Tensor {
  const [batch, width, h, w] = x.shape;
  const orders = s.analyseColumns.shape[1];
  const waves = transpose(matmul(x, s.analyseColumns), [3, 2, 0, 1]); // [K, H, B, D]
  const spectrum = matmul(s.analyseRows, reshape(waves, [orders, h, batch * width])); // [K, L, B D]
  const byWave = transpose(reshape(spectrum, [orders, s.count, batch, width]), [1, 0, 2, 3]); // [L, K, B, D]
  const filter = p.param("w", [s.count, width, width], spectralStart);
  const mixed = matmul(reshape(byWave, [s.count, orders * batch, width]), filter);
  const again = transpose(reshape(mixed, [s.count, orders, batch, width]), [1, 0, 2, 3]); // [K, L, B, D]
  const rows = matmul(s.synthesiseRows, reshape(again, [orders, s.count, batch * width])); // [K, H, B D]
  const grid = transpose(reshape(rows, [orders, h, batch, width]), [2, 3, 1, 0]); // [B, D, H, K]
  return reshape(matmul(grid, s.synthesiseColumns), [batch, width, h, w]);
}

/** Uniform, of variance 1 / (3 width) like the other layers', for each wavenumber. */
const spectralStart: Initialiser = (shape, rng) =>
  new Float32Array(sizeOf(shape)).map(() => (2 * rng.uniform() - 1) / Math.sqrt(shape[2]));
