/**
 * Perfect prognosis: a few convolutions over the whole coarse domain, then a dense layer to every fine cell, so that each cell
 * learns its own relation to the weather of the region (DeepESD: Baño-Medina et al. 2020, 2022). For fine domains smaller than
 * a few coarse cells. Its last layer belongs to one fine grid and cannot be tiled.
 */
import { truncatedNormal, zero } from "../engine/parameters.js";
import { add, concat, gelu, matmul, reshape } from "../graph/ops.js";
import type { DownscaleArchitecture } from "./downscale.js";
import { conv3 } from "./downscale-layers.js";
import { dense } from "./layers.js";
import { sizeOf } from "../tensor/ndarray.js";

export interface PatternsConfig {
  /** Channels of the convolutions over the coarse domain. */
  filters: number[];
  /** Width of the layer between: as many patterns are learnt. */
  hidden: number;
  dropout: number;
}

export const patterns: DownscaleArchitecture<PatternsConfig> = {
  name: "patterns",
  defaults: { filters: [32, 16], hidden: 64, dropout: 0.2 },
  check: ({ hidden }) => (hidden >= 1 ? undefined : `hidden is ${hidden}; at least 1`),
  reach: () => Infinity,
  stride: () => 1,
  write(p, { fields, condition, context, channels, dropout }, config) {
    const [batch, , rows, columns] = fields.shape;
    let h = context();
    config.filters.forEach((width, i) => (h = gelu(conv3(p.child(`conv.${i}`), h, width))));
    const flat = reshape(h, [batch, sizeOf(h.shape.slice(1))]);
    const drop = (t: typeof flat) => dropout?.apply(t, { rate: config.dropout, axes: [0, 1] }) ?? t;
    // He-like start: as many inputs as the flattened domain has
    const deviation = Math.min(0.1, (flat.shape[1] + condition.shape[1]) ** -0.5);
    const hidden = drop(
      gelu(dense(p.child("hidden"), concat([drop(flat), condition], 1), config.hidden, { deviation })),
    );
    const size = channels * rows * columns;
    const patterns = p.param("patterns", [config.hidden, size], truncatedNormal(1e-3));
    const cells = add(matmul(hidden, patterns), p.param("bias", [size], zero));
    return reshape(cells, [batch, channels, rows, columns]);
  },
};
