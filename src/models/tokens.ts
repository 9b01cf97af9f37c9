/**
 * Tokens of single variables (ClimaX: Nguyen et al. 2023, arXiv:2301.10343): every variable's patch is embedded by weights of its
 * own, a learnt query draws one token a patch from however many variables there are, and every variable has a head of its own.
 * Parameters carry their variable's name (`embed.2m_temperature.w`), so the graph of any set of variables holds that part of the
 * parameters, and sites with different variables share one model.
 */
import { GraphError } from "../errors.js";
import { type Initialiser, type Scope, truncatedNormal, zero } from "../engine/parameters.js";
import type { Tensor } from "../graph/graph.js";
import { add, concat, gather, ints, linear, matmul, mul, reshape, softmax, transpose } from "../graph/ops.js";
import { dense } from "./layers.js";
import type { ModelInputs, ModelVariable } from "./model.js";
import { cut, mapsOf, type PatchGrid, patchTokens } from "./patches.js";

/** Each variable's patches [variable, batch x patch, map x cell of the patch]. */
export function variablePatches({ fields, variables, global }: ModelInputs, grid: PatchGrid): Tensor {
  const [batch] = fields.shape;
  const { rows, columns, patch } = grid;
  const count = variables.length;
  const each = variables[0].maps.length;
  const other = variables.find((v) => v.maps.length !== each);
  if (other)
    throw new GraphError(
      `variable '${other.name}' comes with ${other.maps.length} maps, but '${variables[0].name}' with ${each}: give every variable the same`,
    );
  const own = pickMaps(
    fields,
    variables.flatMap((v) => v.maps),
  );
  const apart = reshape(cut(own, grid, global), [batch, count, each, rows, patch[0], columns, patch[1]]);
  return reshape(transpose(apart, [1, 0, 3, 5, 2, 4, 6]), [count, batch * rows * columns, each * patch[0] * patch[1]]);
}

/** W_v x_v + b_v for every variable at once: x [variable, N, in] gives [variable, N, width]; parameters `<variable>.w` and `.b`. */
export function variableDense(
  p: Scope,
  variables: readonly ModelVariable[],
  x: Tensor,
  width: number,
  init: Initialiser = truncatedNormal(0.02),
): Tensor {
  const length = x.shape[2];
  const w = variables.map(({ name }) => p.child(name).param("w", [length, width], init));
  const b = variables.map(({ name }) => p.child(name).param("b", [width], zero));
  return add(matmul(x, stacked(w, [length, width])), stacked(b, [1, width]));
}

/** A learnt vector [variable, 1, width] that tells each variable from the others. */
export const variableVectors = (p: Scope, variables: readonly ModelVariable[], width: number): Tensor =>
  stacked(
    variables.map(({ name }) => p.child("variable").param(name, [width], truncatedNormal(0.02))),
    [1, width],
  );

const stacked = (parts: readonly Tensor[], shape: readonly [number, number]): Tensor =>
  concat(
    parts.map((t) => reshape(t, [1, ...shape])),
    0,
  );

/** Tokens [variable, batch x patch, width]: W_v patch + b_v + e_v, with a learnt e_v that tells variables apart. */
export const embedVariables = (p: Scope, inputs: ModelInputs, grid: PatchGrid, width: number): Tensor =>
  add(
    variableDense(p.child("embed"), inputs.variables, variablePatches(inputs, grid), width),
    variableVectors(p, inputs.variables, width),
  );

/**
 * Cross-attention from one learnt query q to the tokens of all variables, for each patch and head:
 * tokens x_v [variable, N, width] give sum_v a_v (W_V x_v + b_V) through an output layer, a = softmax_v(q W_K x_v / sqrt d).
 *
 * The query is the same everywhere, so W_K acts on it instead of on the tokens, and W_V after the sum: the work of a layer on one
 * token a patch instead of on all variables. The key's bias shifts all scores alike and is left out. Gives [N, width].
 */
export function aggregateVariables(p: Scope, tokens: Tensor, heads: number): Tensor {
  const [count, n, width] = tokens.shape;
  const d = width / heads;
  const init = truncatedNormal(0.02);
  const query = dense(p.child("q"), p.param("query", [1, width], init), width);
  const byHead = (w: Tensor) => transpose(reshape(w, [width, heads, d]), [1, 0, 2]); // [H, D, d]
  const keys = byHead(p.child("k").param("w", [width, width], init));
  const asked = matmul(keys, reshape(mul(query, 1 / Math.sqrt(d)), [heads, d, 1])); // [H, D, 1]
  const scores = linear(tokens, transpose(reshape(asked, [heads, width]), [1, 0])); // [V, N, H]
  const weights = softmax(transpose(scores, [1, 2, 0])); // [N, H, V]
  const mixed = matmul(weights, count === 1 ? reshape(tokens, [n, 1, width]) : transpose(tokens, [1, 0, 2])); // [N, H, D]
  const values = matmul(transpose(mixed, [1, 0, 2]), byHead(p.child("v").param("w", [width, width], init))); // [H, N, d]
  const joined = reshape(transpose(values, [1, 0, 2]), [n, width]);
  return dense(p.child("o"), add(joined, p.child("v").param("b", [width], zero)), width);
}

/** x [batch, patch, width] with the maps that belong to no variable embedded and added, each kind by weights of its own. */
export function addShared(p: Scope, x: Tensor, inputs: ModelInputs, grid: PatchGrid): Tensor {
  const { fields, shared, global } = inputs;
  return shared.reduce((sum, { name, maps }) => {
    const tokens = patchTokens(pickMaps(fields, maps), grid, global);
    return add(sum, dense(p.child("shared").child(name), tokens, x.shape[2]));
  }, x);
}

/** Tokens [batch, patch, width] to maps [batch, variable, latitude, longitude] through each variable's own head, started at zero. */
export function variableHeads(p: Scope, x: Tensor, inputs: ModelInputs, grid: PatchGrid): Tensor {
  const [, , height, longitudes] = inputs.fields.shape;
  const width = x.shape[x.shape.length - 1];
  const cells = grid.patch[0] * grid.patch[1];
  const head = ({ name }: { name: string }) => p.child("head").child(name);
  const w = inputs.variables.map((v) => head(v).param("w", [width, cells], zero));
  const b = inputs.variables.map((v) => head(v).param("b", [cells], zero));
  return mapsOf(linear(x, concat(w, 1), concat(b, 0)), grid, height, longitudes);
}

const pickMaps = (fields: Tensor, maps: readonly number[]): Tensor =>
  maps.length === fields.shape[1] && maps.every((m, i) => m === i)
    ? fields
    : gather(fields, ints(fields.graph, maps), 1);
