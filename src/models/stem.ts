/** What the transformers over variables' tokens share at their two ends. */
import type { Scope } from "../engine/parameters.js";
import type { Tensor } from "../graph/graph.js";
import { add, reshape } from "../graph/ops.js";
import { dense } from "./layers.js";
import type { ModelInputs } from "./model.js";
import type { PatchGrid } from "./patches.js";
import { addPosition, type PositionKind } from "./position.js";
import { addShared, aggregateVariables, embedVariables } from "./tokens.js";

/**
 * One token a patch [batch, patch, width] from all variables, the maps that belong to none, and where the patch lies. `seen` may
 * change what comes from the variables: a token that is hidden still knows its place and its orography.
 */
export function variableStem(
  p: Scope,
  inputs: ModelInputs,
  grid: PatchGrid,
  config: { width: number; heads: number; position: string },
  seen: (tokens: Tensor) => Tensor = (tokens) => tokens,
): Tensor {
  const { width, heads, position } = config;
  const drawn = aggregateVariables(p.child("aggregate"), embedVariables(p, inputs, grid, width), heads);
  const tokens = seen(reshape(drawn, [inputs.fields.shape[0], grid.rows * grid.columns, width]));
  return addPosition(p, addShared(p, tokens, inputs, grid), inputs, grid, position as PositionKind);
}

/** x [batch, patch, width] with lead time and season added to every token. */
export function addCondition(p: Scope, x: Tensor, { condition }: ModelInputs): Tensor {
  const [batch, , width] = x.shape;
  return add(x, reshape(dense(p.child("condition"), condition, width), [batch, 1, width]));
}
