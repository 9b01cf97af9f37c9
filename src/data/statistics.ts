/**
 * Mean, deviation and range of variables in one streaming pass, level by level: what normalisation is made of.
 *
 * Each piece's mean and sum of squares are merged into the running ones (Chan, Golub & LeVeque 1979), in float64, so that
 * a field of 101 325 Pa loses no digits; missing values are left out and counted.
 */
import { DataError } from "../errors.js";
import { toNumbers } from "../tensor/ndarray.js";
import { type Dataset, resolveSelection, type Selection, type Variable, variable } from "./dataset.js";
import { chunkShape, pieces } from "./template.js";
import { taken } from "./views.js";

/** One number a level; a variable without levels has one. */
export interface VariableStatistics {
  readonly name: string;
  readonly mean: Float64Array;
  /** Of the population (divided by n). */
  readonly std: Float64Array;
  readonly min: Float64Array;
  readonly max: Float64Array;
  /** How many values there were, and how many were missing. */
  readonly count: Float64Array;
  readonly missing: Float64Array;
}

/** Values read at a time. */
const PIECE_VALUES = 2 ** 22;

/**
 * Statistics of the named variables over a selection (training times, say).
 *
 * @param selection as of `Variable.read`; dimensions a variable has not are ignored for it.
 */
export async function statistics(
  dataset: Dataset,
  names: readonly string[],
  selection: Selection = {},
): Promise<Record<string, VariableStatistics>> {
  const result: Record<string, VariableStatistics> = {};
  for (const name of names) result[name] = await statisticsOf(dataset, variable(dataset, name), selection);
  return result;
}

async function statisticsOf(dataset: Dataset, v: Variable, selection: Selection): Promise<VariableStatistics> {
  const own = Object.fromEntries(Object.entries(selection).filter(([dim]) => v.dims.includes(dim)));
  const axes = resolveSelection(v, own, dataset.source);
  const part = variable(taken(dataset, Object.fromEntries(v.dims.map((dim, i) => [dim, axes[i].indices]))), v.name);
  const levelAxis = v.dims.indexOf("level");
  const levels = levelAxis < 0 ? 1 : part.shape[levelAxis];
  const make = (fill: number): Float64Array => new Float64Array(levels).fill(fill);
  const stats = {
    mean: make(0),
    squares: make(0),
    min: make(Infinity),
    max: make(-Infinity),
    count: make(0),
    missing: make(0),
  };
  const lengths = Object.fromEntries(part.dims.map((dim, axis) => [dim, part.shape[axis]]));
  for (const piece of pieces(part, v.chunks ?? chunkShape(part, lengths), PIECE_VALUES)) {
    const array = await part.read(piece);
    const values = toNumbers(array);
    const inner = levelAxis < 0 ? values.length : array.shape.slice(levelAxis + 1).reduce((a, b) => a * b, 1);
    const span = levelAxis < 0 ? 1 : array.shape[levelAxis];
    const from = levelAxis < 0 ? 0 : ((piece["level"] as { start?: number }).start ?? 0);
    for (let start = 0, row = 0; start < values.length; start += inner, row++)
      merge(stats, from + (row % span), values, start, start + inner);
  }
  for (let level = 0; level < levels; level++)
    if (stats.count[level] === 0)
      throw new DataError(
        dataset.source,
        `every value of '${v.name}'${levels > 1 ? ` on level ${level}` : ""} is missing in the part asked for; choose other times or variables`,
      );
  const std = stats.squares.map((m2, level) => Math.sqrt(m2 / stats.count[level]));
  const { mean, min, max, count, missing } = stats;
  return { name: v.name, mean, std, min, max, count, missing };
}

/** Merges values[start..end) into the statistics of one level. */
function merge(
  stats: Record<"mean" | "squares" | "min" | "max" | "count" | "missing", Float64Array>,
  level: number,
  values: ArrayLike<number>,
  start: number,
  end: number,
): void {
  let n = 0;
  let sum = 0;
  let low = stats.min[level];
  let high = stats.max[level];
  for (let i = start; i < end; i++) {
    const x = values[i];
    if (x !== x) continue;
    n++;
    sum += x;
    if (x < low) low = x;
    if (x > high) high = x;
  }
  stats.missing[level] += end - start - n;
  if (n === 0) return;
  const mean = sum / n;
  let squares = 0;
  for (let i = start; i < end; i++) {
    const d = values[i] - mean;
    if (d === d) squares += d * d;
  }
  // M2 = M2a + M2b + delta^2 na nb / (na + nb)
  const before = stats.count[level];
  const total = before + n;
  const delta = mean - stats.mean[level];
  stats.squares[level] += squares + (delta * delta * before * n) / total;
  stats.mean[level] += (delta * n) / total;
  stats.count[level] = total;
  stats.min[level] = low;
  stats.max[level] = high;
}
