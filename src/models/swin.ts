/**
 * A three-dimensional Earth transformer after Pangu-Weather (Bi et al. 2023, doi:10.1038/s41586-023-06185-3): variables of one level
 * make the tokens of a slab, those at the surface the lowest; attention within windows of slabs, rows and columns, shifted by half
 * at every second layer (windows.ts); half the layers on a grid of twice the spacing, whose tokens are twice as wide.
 */
import type { Scope } from "../engine/parameters.js";
import type { Tensor } from "../graph/graph.js";
import { add, concat, gather, ints, pad, reshape, slice, transpose } from "../graph/ops.js";
import { transformerRefusal } from "./checks.js";
import { block, dense, norm } from "./layers.js";
import type { Architecture, ModelInputs, ModelVariable } from "./model.js";
import { patchGrid } from "./patches.js";
import { addCondition, variableStem } from "./stem.js";
import { variableHeads } from "./tokens.js";
import { fromWindows, intoWindows, windowBias, windowsOf } from "./windows.js";

export interface SwinConfig {
  /** Latitudes and longitudes of a patch. */
  patch: [number, number];
  /** Slabs, rows and columns of tokens in a window. */
  window: [number, number, number];
  width: number;
  /** Layers before and after the coarse ones. */
  depth: number;
  coarseDepth: number;
  /** Of the fine layers; the coarse ones have twice as many. */
  heads: number;
  ratio: number;
  dropout: number;
  /** `geographic` (any grid) or `learnt` (one grid). */
  position: string;
}

export const swin: Architecture<SwinConfig> = {
  name: "swin",
  defaults: {
    patch: [2, 2],
    window: [2, 4, 8],
    width: 96,
    depth: 2,
    coarseDepth: 4,
    heads: 4,
    ratio: 4,
    dropout: 0,
    position: "geographic",
  },
  check: transformerRefusal,
  write(p, inputs, config) {
    const grid = patchGrid(inputs.latitudes.length, inputs.longitudes.length, config.patch);
    const { rows, columns } = grid;
    const { width } = config;
    const batch = inputs.fields.shape[0];
    const slabs = slabsOf(inputs.variables);
    // One more axis for the slabs; what is learnt of a patch as a whole is shared among them
    const tokens = slabs.map((variables) => {
      const stem = variableStem(p, { ...inputs, variables }, grid, config);
      return reshape(addCondition(p, stem, inputs), [batch, 1, rows, columns, width]);
    });
    const { depth, coarseDepth, heads } = config;
    const first = layers(p, concat(tokens, 1), { from: 0, count: depth, heads }, inputs, config);
    const down = coarser(p.child("coarser"), first, inputs.global);
    const deep = layers(p, down, { from: depth, count: coarseDepth, heads: 2 * heads }, inputs, config);
    const up = finer(p.child("finer"), deep, rows, columns);
    const joined = dense(p.child("join"), concat([up, first], 4), width);
    const last = layers(p, joined, { from: depth + coarseDepth, count: depth, heads }, inputs, config);

    const out = norm(p.child("norm"), last);
    const maps = slabs.map((variables, i) => {
      const slab = reshape(slice(out, [{ axis: 1, start: i, end: i + 1 }]), [batch, rows * columns, width]);
      return variableHeads(p, slab, { ...inputs, variables }, grid);
    });
    const order = slabs.flat();
    const places = inputs.variables.map((v) => order.indexOf(v));
    const all = concat(maps, 1);
    return places.every((at, i) => at === i) ? all : gather(all, ints(all.graph, places), 1);
  },
};

/** Variables by level from the top down (`geopotential@500`), those without one last. */
function slabsOf(variables: readonly ModelVariable[]): ModelVariable[][] {
  const levelOf = ({ name }: ModelVariable) => (name.includes("@") ? Number(name.split("@")[1]) : Infinity);
  const levels = [...new Set(variables.map(levelOf))].sort((a, b) => a - b);
  return levels.map((level) => variables.filter((v) => levelOf(v) === level));
}

/** `count` blocks, numbered on from `from`, of attention within windows of x [B, Z, R, C, D], every second one shifted. */
function layers(
  p: Scope,
  x: Tensor,
  { from, count, heads }: { from: number; count: number; heads: number },
  { global, dropout }: ModelInputs,
  { window, ratio, dropout: rate }: SwinConfig,
): Tensor {
  const [, z, r, c] = x.shape;
  let y = x;
  for (let i = 0; i < count; i++) {
    const q = p.child(`blocks.${from + i}`);
    const at = windowsOf([z, r, c], window, { global, shifted: i % 2 === 1 });
    const inside = intoWindows(y, at);
    y = fromWindows(block(q, inside, { heads, bias: windowBias(q, at, heads), ratio, dropout, rate }), at);
  }
  return y;
}

/** Four neighbouring tokens of a slab as one of twice the width; an odd row or column is filled up. */
function coarser(p: Scope, x: Tensor, global: boolean): Tensor {
  const [batch, z, r, c, width] = x.shape;
  const tall = pad(x, [0, 0, 0, 0, 0], [0, 0, r % 2, 0, 0], "edge");
  const even = pad(tall, [0, 0, 0, 0, 0], [0, 0, 0, c % 2, 0], global ? "wrap" : "edge");
  const [rows, columns] = [Math.ceil(r / 2), Math.ceil(c / 2)];
  const apart = transpose(reshape(even, [batch, z, rows, 2, columns, 2, width]), [0, 1, 2, 4, 3, 5, 6]);
  return dense(p.child("out"), norm(p.child("norm"), reshape(apart, [batch, z, rows, columns, 4 * width])), 2 * width);
}

/** Each token as four of half its width, cropped to `rows` and `columns`. */
function finer(p: Scope, x: Tensor, rows: number, columns: number): Tensor {
  const [batch, z, r, c, width] = x.shape;
  const wide = reshape(dense(p.child("out"), x, 2 * width), [batch, z, r, c, 2, 2, width / 2]);
  const apart = reshape(transpose(wide, [0, 1, 2, 4, 3, 5, 6]), [batch, z, 2 * r, 2 * c, width / 2]);
  const fine = slice(apart, [
    { axis: 2, start: 0, end: rows },
    { axis: 3, start: 0, end: columns },
  ]);
  return add(fine, dense(p.child("mix"), norm(p.child("norm"), fine), width / 2));
}
