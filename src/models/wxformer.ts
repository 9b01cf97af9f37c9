/**
 * A cross-scale transformer after WXFormer (Schreck et al. 2024, arXiv:2411.07814) and CrossFormer (Wang et al. 2022): each stage
 * halves the map by kernels of several sizes side by side, then attends by turns to near tokens (windows) and to far ones (evenly
 * spaced over the map); a convolutional decoder goes back up with what each stage remembers. The map is continued across the poles
 * and around the globe; relative positions alone enter attention, so where a point lies is told by the maps of coordinates.
 */
import { lecun, type Scope, zero } from "../engine/parameters.js";
import type { Tensor } from "../graph/graph.js";
import { add, concat, conv, gather, gelu, ints, reshape, slice, transpose } from "../graph/ops.js";
import { float32 } from "../tensor/ndarray.js";
import { double, groupNorm } from "./convolutions.js";
import { block, dense } from "./layers.js";
import type { Architecture, ModelInputs } from "./model.js";
import { padSphere } from "./sphere.js";
import { spectralScope } from "./spectral-norm.js";

export interface WxformerConfig {
  /** Channels of the first stage; each further one has twice as many. */
  width: number;
  /** How often the map is halved. */
  stages: number;
  /** Pairs of near and far attention in each stage. */
  depth: number;
  heads: number;
  /** Rows and columns of tokens that attend to each other. */
  window: number;
  ratio: number;
  dropout: number;
  /** Whether every matrix is divided by its largest singular value. */
  spectral: boolean;
}

export const wxformer: Architecture<WxformerConfig> = {
  name: "wxformer",
  defaults: { width: 32, stages: 3, depth: 1, heads: 4, window: 4, ratio: 4, dropout: 0, spectral: true },
  check: ({ width, heads, stages, window }) =>
    width % heads !== 0 || width % 8 !== 0
      ? `width ${width} is not a multiple of its ${heads} heads and of 8`
      : stages < 1 || window < 1
        ? `stages ${stages} and window ${window} must be at least 1`
        : undefined,
  write(p, inputs, config) {
    const { fields, channels, condition, dropout } = inputs;
    const [batch, , height, columns] = fields.shape;
    const { width, stages, window } = config;
    const q = config.spectral ? spectralScope(p) : p;
    // Rows and columns that every stage's windows divide
    const unit = 2 ** stages * window;
    const [tall, wide] = [height, columns].map((n) => Math.ceil(n / unit) * unit);
    const [north, west] = [Math.floor((tall - height) / 2), Math.floor((wide - columns) / 2)];
    const margins = { north, south: tall - height - north, west, east: wide - columns - west };
    // Padded, the columns of a globe no longer close by themselves
    const whole = { ...inputs, global: inputs.global && wide === columns };
    let x = padSphere(fields, margins, inputs);

    const kept: Tensor[] = [kernel(q.child("in"), x, width, 3, 1, whole)];
    for (let s = 0; s < stages; s++) {
      const r = q.child(`stage.${s}`);
      const size = width * 2 ** s;
      x = crossEmbed(r.child("embed"), x, size, s === 0 ? [2, 4, 8] : [2, 4], whole);
      x = add(x, reshape(dense(r.child("condition"), condition, size), [batch, size, 1, 1]));
      for (let i = 0; i < config.depth; i++)
        for (const reach of ["near", "far"] as const) {
          const b = q.child(`blocks.${s * config.depth + i}.${reach}`);
          const tokens = intoGroups(x, window, reach);
          const bias = relativeBias(b.child("bias"), window, config.heads, reach === "far" && whole.global);
          const { heads, ratio } = config;
          x = fromGroups(block(b, tokens, { heads, ratio, bias, dropout, rate: config.dropout }), x, window, reach);
        }
      kept.push(x);
    }
    for (let s = stages - 1; s >= 0; s--) {
      const r = q.child(`up.${s}`);
      const joined = concat([double(x), kept[s]], 1);
      x = gelu(
        groupNorm(r.child("norm"), kernel(r.child("conv"), joined, width * 2 ** Math.max(s - 1, 0), 3, 1, whole)),
      );
    }
    const w = p.child("out").param("w", [channels, width, 1, 1], zero);
    const out = conv(x, w, p.child("out").param("b", [channels], zero));
    return slice(out, [
      { axis: 2, start: north, end: north + height },
      { axis: 3, start: west, end: west + columns },
    ]);
  },
};

/** A convolution of a map that goes on beyond its edges as the sphere does. */
function kernel(p: Scope, x: Tensor, width: number, size: number, stride: number, inputs: ModelInputs): Tensor {
  const before = Math.floor((size - stride + 1) / 2);
  const after = size - stride - before;
  const around = padSphere(x, { north: before, south: after, west: before, east: after }, inputs);
  const w = p.param("w", [width, x.shape[1], size, size], lecun);
  return conv(around, w, p.param("b", [width], zero), { strides: [stride, stride] });
}

/** Half the rows and columns by kernels of several sizes: the smallest gives half of the channels, the largest the least. */
function crossEmbed(p: Scope, x: Tensor, width: number, sizes: readonly number[], inputs: ModelInputs): Tensor {
  const widths = sizes.map((_, i) => width / 2 ** Math.min(i + 1, sizes.length - 1));
  return concat(
    sizes.map((size, i) => kernel(p.child(`size${size}`), x, widths[i], size, 2, inputs)),
    1,
  );
}

/** Maps [B, D, R, C] as [B, groups, window^2, D]: neighbours together, or tokens spread evenly over the map. */
function intoGroups(x: Tensor, w: number, reach: "near" | "far"): Tensor {
  const [batch, d, r, c] = x.shape;
  const apart =
    reach === "near"
      ? transpose(reshape(x, [batch, d, r / w, w, c / w, w]), [0, 2, 4, 3, 5, 1])
      : transpose(reshape(x, [batch, d, w, r / w, w, c / w]), [0, 3, 5, 2, 4, 1]);
  return reshape(apart, [batch, (r * c) / w ** 2, w * w, d]);
}

function fromGroups(tokens: Tensor, like: Tensor, w: number, reach: "near" | "far"): Tensor {
  const [batch, d, r, c] = like.shape;
  const apart = reshape(tokens, [batch, r / w, c / w, w, w, d]);
  return reshape(transpose(apart, reach === "near" ? [0, 5, 1, 3, 2, 4] : [0, 5, 3, 1, 4, 2]), [batch, d, r, c]);
}

/** Scores [H, T, T] added for how far apart two tokens of a group lie: a small network of their distance (CrossFormer's). */
function relativeBias(p: Scope, w: number, heads: number, around: boolean): Tensor {
  const span = Array.from({ length: 2 * w - 1 }, (_, i) => i - w + 1);
  // Around a globe the distance of columns is an angle
  const features = span.flatMap((dr) =>
    span.flatMap((dc) => {
      const turn = around ? (2 * Math.PI * dc) / w : dc / w;
      return [dr / w, Math.sin(turn), Math.cos(turn)];
    }),
  );
  const known = p.graph.constant(float32([span.length ** 2, 3], features));
  const all = dense(p.child("out"), gelu(dense(p.child("hidden"), known, 16, { deviation: 0.5 })), heads);
  const places = Array.from({ length: w * w }, (_, i) => [Math.floor(i / w), i % w]);
  const index = places.flatMap(([r, c]) => places.map(([r2, c2]) => (r - r2 + w - 1) * span.length + (c - c2 + w - 1)));
  return transpose(reshape(gather(all, ints(p.graph, index)), [w * w, w * w, heads]), [2, 0, 1]);
}
