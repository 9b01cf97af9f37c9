/**
 * ClimaX (Nguyen et al. 2023, arXiv:2301.10343): tokens of single variables, drawn into one a patch by a learnt query, a plain
 * transformer, and a head for each variable. Takes and gives any variables, on any grid, region or station, at each call.
 * Positions are added after the variables are drawn together instead of before: the query's weights do not see them either way.
 */
import { gelu } from "../graph/ops.js";
import { transformerRefusal } from "./checks.js";
import { block, dense, norm } from "./layers.js";
import type { Architecture } from "./model.js";
import { patchGrid } from "./patches.js";
import { addCondition, variableStem } from "./stem.js";
import { variableHeads } from "./tokens.js";

export interface ClimaxConfig {
  /** Latitudes and longitudes of a patch. */
  patch: [number, number];
  width: number;
  depth: number;
  heads: number;
  /** Width of the hidden layer of each MLP, as a multiple. */
  ratio: number;
  /** Hidden layers before the variables' heads, each as wide as the model. */
  headDepth: number;
  /** Part of the entries dropped after attention and MLP while training. */
  dropout: number;
  /** `geographic` (any grid) or `learnt` (one grid). */
  position: string;
}

export const climax: Architecture<ClimaxConfig> = {
  name: "climax",
  anyVariables: true,
  defaults: {
    patch: [2, 2],
    width: 128,
    depth: 4,
    heads: 4,
    ratio: 4,
    headDepth: 1,
    dropout: 0.1,
    position: "geographic",
  },
  check: transformerRefusal,
  write(p, inputs, config) {
    const { dropout } = inputs;
    const { width } = config;
    const grid = patchGrid(inputs.latitudes.length, inputs.longitudes.length, config.patch);
    let x = addCondition(p, variableStem(p, inputs, grid, config), inputs); // [B, T, D]
    for (let i = 0; i < config.depth; i++)
      x = block(p.child(`blocks.${i}`), x, { heads: config.heads, ratio: config.ratio, dropout, rate: config.dropout });
    x = norm(p.child("norm"), x);
    for (let i = 0; i < config.headDepth; i++) x = gelu(dense(p.child(`trunk.${i}`), x, width));
    return variableHeads(p, x, inputs, grid);
  },
};
