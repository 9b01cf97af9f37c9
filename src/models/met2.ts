/**
 * Every variable with an encoder and a decoder of its own and one translator between them, after Met2Net (Li et al. 2025,
 * arXiv:2507.17189): variables keep latent fields apart instead of being drawn into one, and the translator lets them exchange by
 * turns among variables at a place and among places within a variable. Trained in two stages by freezing parts:
 *
 *     training.freeze: [translator.]              # first: how each variable is written down
 *     training.freeze: [encoder., decoder.]       # then: what they do to each other
 */
import { type Scope, zero } from "../engine/parameters.js";
import type { Tensor } from "../graph/graph.js";
import { add, gelu, reshape, transpose } from "../graph/ops.js";
import { transformerRefusal } from "./checks.js";
import { block, norm } from "./layers.js";
import type { Architecture, ModelInputs } from "./model.js";
import { mapsOf, patchGrid } from "./patches.js";
import { addPosition, type PositionKind } from "./position.js";
import { addCondition } from "./stem.js";
import { addShared, variableDense, variablePatches, variableVectors } from "./tokens.js";

export interface Met2Config {
  /** Latitudes and longitudes of a patch. */
  patch: [number, number];
  width: number;
  /** Pairs of attention among variables and among places. */
  depth: number;
  heads: number;
  ratio: number;
  dropout: number;
  /** `geographic` (any grid) or `learnt` (one grid). */
  position: string;
}

export const met2: Architecture<Met2Config> = {
  name: "met2",
  anyVariables: true,
  defaults: { patch: [2, 2], width: 64, depth: 3, heads: 4, ratio: 4, dropout: 0, position: "geographic" },
  check: transformerRefusal,
  write(p, inputs, config) {
    const { variables, dropout } = inputs;
    const [batch, , height, longitudes] = inputs.fields.shape;
    const grid = patchGrid(height, longitudes, config.patch);
    const [count, tokens] = [variables.length, grid.rows * grid.columns];
    const { width, heads, ratio, dropout: rate } = config;

    const encoder = p.child("encoder");
    const first = gelu(variableDense(encoder.child("in"), variables, variablePatches(inputs, grid), width));
    const latent = variableDense(encoder.child("out"), variables, first, width); // [V, B T, D]

    const t = p.child("translator");
    let x = reshape(add(latent, variableVectors(t, variables, width)), [count, batch, tokens, width]);
    x = add(x, reshape(surroundings(t, inputs, config), [1, batch, tokens, width]));
    for (let i = 0; i < config.depth; i++) {
      const q = t.child(`blocks.${i}`);
      const atPlace = transpose(x, [1, 2, 0, 3]); // [B, T, V, D]
      const exchanged = block(q.child("variables"), atPlace, { heads, ratio, dropout, rate });
      x = block(q.child("places"), transpose(exchanged, [2, 0, 1, 3]), { heads, ratio, dropout, rate }); // [V, B, T, D]
    }
    const translated = reshape(norm(t.child("norm"), x), [count, batch * tokens, width]);

    const decoder = p.child("decoder");
    // What the encoder wrote goes along, so that a variable can be told again without the translator
    const joined = add(translated, latent);
    const hidden = gelu(variableDense(decoder.child("in"), variables, joined, width));
    const out = variableDense(decoder.child("out"), variables, hidden, config.patch[0] * config.patch[1], zero);
    const apart = transpose(reshape(out, [count, batch, tokens, out.shape[2]]), [1, 2, 0, 3]);
    return mapsOf(reshape(apart, [batch, tokens, count * out.shape[2]]), grid, height, longitudes);
  },
};

/** What all variables share at a place [B, T, D]: maps that belong to none, the place, lead time and season. */
function surroundings(p: Scope, inputs: ModelInputs, config: Met2Config): Tensor {
  const [batch, , height, longitudes] = inputs.fields.shape;
  const grid = patchGrid(height, longitudes, config.patch);
  const nothing = p.graph.constant({
    dtype: "float32",
    shape: [batch, grid.rows * grid.columns, config.width],
    data: new Float32Array(batch * grid.rows * grid.columns * config.width),
  });
  const placed = addPosition(p, addShared(p, nothing, inputs, grid), inputs, grid, config.position as PositionKind);
  return addCondition(p, placed, inputs);
}
