/** Spherical harmonics in a graph: a global grid to spectral space and back, as products with constant matrices. */
import { UsageError } from "../errors.js";
import { latitudeWeights } from "../earth/weights.js";
import type { Tensor } from "../graph/graph.js";
import { matmul, reshape, transpose } from "../graph/ops.js";
import { gaussianNodes, legendreColumn } from "../simulator/gaussian.js";
import { float32 } from "../tensor/ndarray.js";
import type { ModelInputs } from "./model.js";

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

/** The largest total wavenumber that a global grid of h x w points bears. */
export const mostWavenumbers = (h: number, w: number): number => Math.min(h - 1, Math.floor((w - 1) / 2));

/** The spherical harmonics up to the truncation (0 for as many as the grid bears) on a global grid, Gaussian (exact) or any other (weighted by area). */
export function harmonics(
  inputs: Pick<ModelInputs, "latitudes" | "longitudes" | "fields">,
  truncation: number,
): Harmonics {
  const [h, w] = [inputs.latitudes.length, inputs.longitudes.length];
  const most = mostWavenumbers(h, w);
  if (truncation > most)
    throw new UsageError(`a grid of ${h} x ${w} points bears total wavenumbers up to ${most}, not ${truncation}`);
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

/** x [B, D, H, W] as coefficients [order, n, B D]: of cos and sin, a wave of amplitude one having one. */
export function toSpectrum(x: Tensor, { analyseColumns, analyseRows }: Harmonics): Tensor {
  const [batch, width, h] = x.shape;
  const waves = transpose(matmul(x, analyseColumns), [3, 2, 0, 1]); // [K, H, B, D]
  return matmul(analyseRows, reshape(waves, [analyseColumns.shape[1], h, batch * width]));
}

/** Coefficients [order, n, B D] as a map of the shape [B, D, H, W]. */
export function toGrid(
  spectrum: Tensor,
  { synthesiseColumns, synthesiseRows }: Harmonics,
  shape: readonly number[],
): Tensor {
  const [batch, width, h] = shape;
  const rows = reshape(matmul(synthesiseRows, spectrum), [synthesiseColumns.shape[0], h, batch, width]);
  return reshape(matmul(transpose(rows, [2, 3, 1, 0]), synthesiseColumns), [...shape]);
}
