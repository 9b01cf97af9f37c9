/**
 * EDSR-like (Lim et al. 2017): a stack of residual blocks at the fine resolution between two convolutions, one long skip
 * around them. Sharp and simple; sees 2 depth + 2 cells in each direction.
 */
import { zero } from "../engine/parameters.js";
import { add, gelu } from "../graph/ops.js";
import type { DownscaleArchitecture } from "./downscale.js";
import { conv3, embedded, residual } from "./downscale-layers.js";

export interface EdsrConfig {
  width: number;
  /** Residual blocks. */
  depth: number;
  dropout: number;
}

export const edsr: DownscaleArchitecture<EdsrConfig> = {
  name: "edsr",
  defaults: { width: 32, depth: 6, dropout: 0 },
  check: ({ width, depth }) =>
    width >= 4 && depth >= 1 ? undefined : `width ${width} and depth ${depth} are too small; at least 4 and 1`,
  reach: ({ depth }) => 2 * depth + 2,
  stride: () => 1,
  write(p, { fields, condition, channels, dropout }, { width, depth, dropout: rate }) {
    const modulation = { when: embedded(p, condition, 32), dropout, rate };
    const head = conv3(p.child("in"), fields, width);
    let h = head;
    for (let i = 0; i < depth; i++) h = residual(p.child(`blocks.${i}`), h, modulation);
    return conv3(p.child("out"), gelu(add(head, h)), channels, zero);
  },
};
