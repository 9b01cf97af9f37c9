/**
 * Forecasts at any place from gridded tokens, after neural processes and Aardvark (Allen et al. 2025, doi:10.1038/s41586-025-08897-0;
 * transformer neural processes: Nguyen and Grover 2022): a query is a latitude, a longitude and an elevation; it attends to the
 * tokens of the grid around it, the near ones more, and each variable reads its value there. Grid points and stations are queries
 * alike, so both train one model.
 *
 *     const y = pointwise.write(p, inputs, config);                    // at the grid's own points, at sea level
 *     const y = writeAt(p, inputs, config, queries);                   // queries [batch, point, 3]; [batch, point, variable]
 */
import { type Scope, values, zero } from "../engine/parameters.js";
import type { Tensor } from "../graph/graph.js";
import {
  add,
  concat,
  cos,
  gelu,
  linear,
  matmul,
  mul,
  reshape,
  sin,
  slice,
  softplus,
  sub,
  transpose,
} from "../graph/ops.js";
import { attention } from "../graph/layers.js";
import { float32 } from "../tensor/ndarray.js";
import { transformerRefusal } from "./checks.js";
import { block, dense, mlp, norm } from "./layers.js";
import type { Architecture, ModelInputs } from "./model.js";
import { patchGrid } from "./patches.js";
import { patchCentres, WAVES } from "./position.js";
import { addCondition, variableStem } from "./stem.js";

export interface PointwiseConfig {
  /** Latitudes and longitudes of a patch. */
  patch: [number, number];
  width: number;
  /** Layers over the grid's tokens. */
  depth: number;
  /** Layers of attention from the queries to them. */
  queryDepth: number;
  heads: number;
  ratio: number;
  dropout: number;
}

export const pointwise: Architecture<PointwiseConfig> = {
  name: "pointwise",
  anyVariables: true,
  defaults: { patch: [2, 2], width: 128, depth: 4, queryDepth: 1, heads: 4, ratio: 4, dropout: 0 },
  check: (config) =>
    config.queryDepth >= 1
      ? transformerRefusal(config)
      : `queryDepth ${config.queryDepth} leaves the queries without the grid; take at least 1`,
  write(p, inputs, config) {
    const { fields, latitudes, longitudes } = inputs;
    const [batch, , height, width] = fields.shape;
    const points = Array.from({ length: height * width }, (_, i) => [
      latitudes[Math.floor(i / width)],
      longitudes[i % width],
      0,
    ]);
    const places = Array<number[][]>(batch).fill(points).flat(2);
    const queries = fields.graph.constant(float32([batch, points.length, 3], places));
    const y = writeAt(p, inputs, config, queries); // [B, H W, V]
    return reshape(transpose(y, [0, 2, 1]), [batch, inputs.variables.length, height, width]);
  },
};

export interface AtOptions {
  /** Names of what is read at each place; the grid's own variables where left out. */
  readonly targets?: readonly string[];
  /** What is known at the places themselves, [batch, point, number]: present values, say, and whether there are any. */
  readonly observed?: Tensor;
}

/** Values [batch, point, target] at queries [batch, point, 3]: degrees north, degrees east, metres above the sea. */
export function writeAt(
  p: Scope,
  inputs: ModelInputs,
  config: PointwiseConfig,
  queries: Tensor,
  { targets = inputs.variables.map(({ name }) => name), observed }: AtOptions = {},
): Tensor {
  const { width, heads, ratio, dropout: rate } = config;
  const grid = patchGrid(inputs.latitudes.length, inputs.longitudes.length, config.patch);
  const { dropout } = inputs;
  let x = addCondition(p, variableStem(p, inputs, grid, { ...config, position: "geographic" }), inputs);
  for (let i = 0; i < config.depth; i++) x = block(p.child(`blocks.${i}`), x, { heads, ratio, dropout, rate });
  x = norm(p.child("norm"), x);

  const { features, directions } = placeOf(queries);
  let y = dense(p.child("query2"), gelu(dense(p.child("query1"), features, width)), width); // [B, Q, D]
  if (observed) y = add(y, dense(p.child("observed2"), gelu(dense(p.child("observed1"), observed, width)), width));
  const near = nearness(p, directions, patchCentres(inputs, grid), heads);
  for (let i = 0; i < config.queryDepth; i++) {
    const q = p.child(`queries.${i}`);
    y = add(y, crossAttention(q.child("attention"), norm(q.child("norm1"), y), x, heads, near));
    y = add(y, mlp(q.child("mlp"), norm(q.child("norm2"), y), ratio));
  }
  const head = (name: string) => p.child("head").child(name);
  const w = targets.map((name) => head(name).param("w", [width, 1], zero));
  const b = targets.map((name) => head(name).param("b", [1], zero));
  return linear(norm(p.child("last"), y), concat(w, 1), concat(b, 0));
}

/** Sines and cosines of where queries lie, with elevation in kilometres, and their directions from the Earth's centre [B, Q, 3]. */
function placeOf(queries: Tensor): { features: Tensor; directions: Tensor } {
  const part = (i: number) => slice(queries, [{ axis: 2, start: i, end: i + 1 }]);
  const [phi, lambda] = [mul(part(0), Math.PI / 180), mul(part(1), Math.PI / 180)];
  const [near, up] = [cos(phi), sin(phi)];
  const waves = queries.graph.constant(float32([1, WAVES.length], [...WAVES]));
  const [north, east] = [matmul(mul(phi, 2), waves), matmul(lambda, waves)];
  return {
    features: concat([mul(part(2), 1e-3), up, sin(north), cos(north), mul(near, sin(east)), mul(near, cos(east))], 2),
    directions: concat([mul(near, cos(lambda)), mul(near, sin(lambda)), up], 2),
  };
}

/** Scores [B, H, Q, T] that fall with the distance to a token: s_h (cos d - 1), the reach 1 / sqrt(s_h) learnt for each head. */
function nearness(
  p: Scope,
  directions: Tensor,
  centres: readonly (readonly [number, number])[],
  heads: number,
): Tensor {
  const radians = Math.PI / 180;
  const xyz = [
    (lat: number, lon: number) => Math.cos(lat) * Math.cos(lon),
    (lat: number, lon: number) => Math.cos(lat) * Math.sin(lon),
    (lat: number) => Math.sin(lat),
  ];
  const tokens = xyz.flatMap((f) => centres.map(([lat, lon]) => f(lat * radians, lon * radians)));
  const there = directions.graph.constant(float32([3, centres.length], tokens));
  const [batch, points] = directions.shape;
  const closeness = reshape(sub(matmul(directions, there), 1), [batch, 1, points, centres.length]);
  // Reaches from a few degrees to a quarter of the globe to begin with
  const start = Float32Array.from({ length: heads }, (_, h) => 2 * 8 ** ((3 * h) / Math.max(1, heads - 1)));
  return mul(closeness, reshape(softplus(p.param("reach", [heads], values(start))), [1, heads, 1, 1]));
}

function crossAttention(p: Scope, y: Tensor, x: Tensor, heads: number, bias: Tensor): Tensor {
  const [batch, points, width] = y.shape;
  const apart = (name: string, from: Tensor) =>
    transpose(reshape(dense(p.child(name), from, width), [batch, from.shape[1], heads, width / heads]), [0, 2, 1, 3]);
  const mixed = attention(apart("q", y), apart("k", x), apart("v", x), { bias });
  return dense(p.child("o"), reshape(transpose(mixed, [0, 2, 1, 3]), [batch, points, width]), width);
}
