/**
 * One vector from many updates, in streaming blocks: first the Gram matrix (where a rule asks for distances), then the weights
 * of its mixes, then the columns.
 *
 *   await aggregate(memoryRows(updates), robustRule("nnm+trimmed-mean", { f: 3 }))
 */
import { nearest, UsageError } from "../../errors.js";
import { type Columns, closestToMedian, columnMean, columnMedian, trimmedMean } from "./columns.js";
import { compose, type Matrix, type Mix, matrix, row } from "./geometry.js";
import * as mixes from "./mixes.js";
import { type Rows, type Vector, zeroVector } from "./rows.js";

/** What the hub does with the updates of a round: mixes by distance, then columns. */
export interface Rule {
  readonly name: string;
  readonly mix?: Mix;
  readonly columns?: Columns;
  /** Weights known beforehand, one an update, in place of a mix. */
  readonly weights?: readonly number[];
  /** Meant for each layer apart (`segments`). */
  readonly byLayer?: boolean;
  /** Needs a trusted direction as its first reference. */
  readonly trusts?: boolean;
}

/** Arithmetic on blocks; `kernels-onnx.node.ts` gives a faster one for large models. */
export interface BlockKernels {
  /** a (m x k) times b (k x width), into out (m x width). */
  combine(weights: Matrix, block: Vector, out: Vector): void | Promise<void>;
  /** X X^T of the block X (n x width), added to `gram`. */
  gram(block: Vector, gram: Matrix): void | Promise<void>;
}

export interface AggregateOptions {
  /** Rows that are no updates but that a rule measures by: a trusted direction, the last aggregate. */
  readonly references?: Rows;
  /** Aggregated apart from one another, as [from, to): the layers, for rules that work layer by layer. */
  readonly segments?: readonly (readonly [number, number])[];
  /** Numbers of an update held at a time. */
  readonly blockSize?: number;
  readonly kernels?: BlockKernels;
}

/** The aggregate of the updates; a vector of their length. */
export async function aggregate(rows: Rows, rule: Rule, options: AggregateOptions = {}): Promise<Vector> {
  if (rows.count === 0) throw new UsageError(`${rule.name}: there are no updates to aggregate`);
  const { references, segments = [[0, rows.length] as const], kernels = plainKernels } = options;
  const { blockSize = 2 ** 15 } = options;
  const all = references ? stack(rows, references) : rows;
  const out = zeroVector(rows.length, rows.precision);
  for (const [from, to] of segments) {
    const weights =
      rule.weights || !rule.mix
        ? (fixedWeights(rule.weights, rows.count) ?? (rule.columns ? undefined : equalWeights(rows.count)))
        : rule.mix({
            n: rows.count,
            references: references?.count ?? 0,
            gram: await gramMatrix(all, from, to, blockSize, kernels),
          });
    const chosen = weights && usedColumns(weights);
    if (chosen?.columns.length === 0) continue; // every weight is zero
    const used = chosen ? only(all, chosen.columns) : rows;
    await eachBlock(used, from, to, blockSize, async (block, start, width) => {
      const into = out.subarray(start, start + width);
      if (!chosen) {
        rule.columns!(split(block, rows.count, width), into);
        return;
      }
      const made = chosen.weights.rows === 1 ? into : zeroVector(chosen.weights.rows * width, rows.precision);
      await kernels.combine(chosen.weights, block, made);
      if (chosen.weights.rows > 1) (rule.columns ?? columnMean)(split(made, chosen.weights.rows, width), into);
    });
  }
  return out;
}

/** The weights without the columns that are zero throughout: those rows need not be read again. */
function usedColumns(weights: Matrix): { weights: Matrix; columns: number[] } {
  const columns = Array.from({ length: weights.cols }, (_, j) => j).filter((j) =>
    Array.from({ length: weights.rows }, (_, i) => weights.data[i * weights.cols + j]).some((w) => w !== 0),
  );
  const kept = matrix(weights.rows, columns.length);
  for (let i = 0; i < weights.rows; i++) columns.forEach((j, k) => (row(kept, i)[k] = row(weights, i)[j]));
  return { weights: kept, columns };
}

/** The rows at `chosen`. */
const only = (rows: Rows, chosen: readonly number[]): Rows => ({
  ...rows,
  count: chosen.length,
  read: (i, from, into) => rows.read(chosen[i], from, into),
});

/** The weights as a one-row matrix, or undefined where there are none. */
function fixedWeights(weights: readonly number[] | undefined, count: number): Matrix | undefined {
  if (weights && weights.length !== count)
    throw new UsageError(`${weights.length} weights were given for ${count} updates; give one each`);
  return weights && matrix(1, count, Float64Array.from(weights));
}

const equalWeights = (count: number): Matrix => matrix(1, count, new Float64Array(count).fill(1 / count));

/** Inner products of all rows over positions [from, to), in double precision. */
export async function gramMatrix(
  rows: Rows,
  from = 0,
  to = rows.length,
  blockSize = 2 ** 15,
  kernels: BlockKernels = plainKernels,
): Promise<Matrix> {
  const gram = matrix(rows.count, rows.count);
  await eachBlock(rows, from, to, blockSize, (block) => kernels.gram(block, gram));
  return gram;
}

/** Calls `use` with each block of all rows (count x width, row-major); the next block is read meanwhile. */
async function eachBlock(
  rows: Rows,
  from: number,
  to: number,
  blockSize: number,
  use: (block: Vector, start: number, width: number) => void | Promise<void>,
): Promise<void> {
  const buffers = [0, 1].map(() => zeroVector(rows.count * Math.min(blockSize, to - from), rows.precision));
  const read = async (start: number, buffer: Vector): Promise<Vector> => {
    const width = Math.min(blockSize, to - start);
    const block = buffer.subarray(0, rows.count * width);
    const pending: Promise<void>[] = [];
    for (let i = 0; i < rows.count; i++) {
      const done = rows.read(i, start, block.subarray(i * width, (i + 1) * width));
      if (done) pending.push(done);
    }
    await Promise.all(pending);
    return block;
  };
  let next = from < to ? read(from, buffers[0]) : undefined;
  for (let start = from, turn = 1; next; start += blockSize, turn ^= 1) {
    const block = await next;
    next = start + blockSize < to ? read(start + blockSize, buffers[turn]) : undefined;
    try {
      await use(block, start, Math.min(blockSize, to - start));
    } catch (error) {
      await next?.catch(() => undefined); // nothing may read into a buffer that is given up
      throw error;
    }
  }
}

const split = (block: Vector, count: number, width: number): Vector[] =>
  Array.from({ length: count }, (_, i) => block.subarray(i * width, (i + 1) * width));

/** `b`'s rows under `a`'s. */
function stack(a: Rows, b: Rows): Rows {
  if (a.length !== b.length)
    throw new UsageError(`references have ${b.length} numbers, but updates have ${a.length}; give equal lengths`);
  return {
    ...a,
    count: a.count + b.count,
    read: (i, from, into) => (i < a.count ? a.read(i, from, into) : b.read(i - a.count, from, into)),
  };
}

export const plainKernels: BlockKernels = {
  combine(weights, block, out) {
    const width = block.length / weights.cols;
    const total = new Float64Array(width);
    for (let i = 0; i < weights.rows; i++) {
      total.fill(0);
      row(weights, i).forEach((factor, k) => {
        if (factor === 0) return;
        const from = block.subarray(k * width, (k + 1) * width);
        for (let j = 0; j < width; j++) total[j] += factor * from[j];
      });
      out.set(total, i * width);
    }
  },
  gram(block, gram) {
    const n = gram.rows;
    const width = block.length / n;
    const rows = split(block, n, width);
    for (let i = 0; i < n; i++)
      for (let j = i; j < n; j++) {
        const [a, b] = [rows[i], rows[j]];
        let total = 0;
        for (let k = 0; k < width; k++) total += a[k] * b[k];
        gram.data[i * n + j] += total;
        if (i !== j) gram.data[j * n + i] += total;
      }
  },
};

/** What a robust rule is told: how many hostile updates to withstand, and its own settings. */
export interface RuleOptions {
  readonly f: number;
  readonly radius?: number;
  readonly steps?: number;
  readonly rank?: number;
  readonly seed?: number;
}

/** Every rule by its name in a run's configuration; `+` chains mixes before one of them: `clip+nnm+geometric-median`. */
const RULES: Record<string, (options: RuleOptions) => Omit<Rule, "name">> = {
  mean: () => ({}),
  median: () => ({ columns: columnMedian }),
  "trimmed-mean": ({ f }) => ({ columns: trimmedMean(f) }),
  meamed: ({ f }) => ({ columns: closestToMedian((n) => n - f) }),
  "geometric-median": ({ steps }) => ({ mix: mixes.geometricMedian({ steps }) }),
  krum: ({ f }) => ({ mix: mixes.multiKrum(f, { m: 1 }) }),
  "multi-krum": ({ f }) => ({ mix: mixes.multiKrum(f) }),
  bulyan: ({ f }) => ({ mix: mixes.bulyanSelection(f), columns: closestToMedian((n) => n - 2 * f) }),
  "minimum-diameter": ({ f }) => ({ mix: mixes.minimumDiameter(f) }),
  monna: ({ f }) => ({ mix: mixes.monna(f) }),
  "centred-clipping": ({ radius = 1, steps = 3 }) => ({ mix: mixes.centredClipping({ radius, steps }) }),
  flag: ({ rank = 7 }) => ({ mix: mixes.flag({ rank, keepLength: true }) }),
  "principal-directions": () => ({ mix: mixes.principalDirections(), byLayer: true }),
  fltrust: () => ({ mix: mixes.trustedDirection(), trusts: true }),
};
const MIXES: Record<string, (options: RuleOptions) => Mix> = {
  clip: ({ radius = 2 }) => mixes.clipping(radius),
  arc: ({ f }) => mixes.adaptiveClipping(f),
  nnm: ({ f }) => mixes.nearestNeighbourMixing(f),
  bucketing: ({ f, seed = 0 }) => mixes.bucketing(Math.max(2, f), { seed }),
};

export const ruleNames = (): string[] => Object.keys(RULES);

/** A rule by name, e.g. `median` or `clip+nnm+trimmed-mean`; UsageError names the nearest known one. */
export function robustRule(name: string, options: RuleOptions): Rule {
  const parts = name.split("+");
  const last = lookUp(RULES, parts.pop()!, "aggregation rule")(options);
  const before = parts.map((part) => lookUp(MIXES, part, "step before an aggregation rule")(options));
  if (before.length === 0) return { name, ...last };
  return { name, ...last, mix: compose(...before, ...(last.mix ? [last.mix] : [])) };
}

function lookUp<T>(table: Record<string, T>, name: string, what: string): T {
  if (Object.hasOwn(table, name)) return table[name];
  const known = Object.keys(table);
  const near = nearest(name, known);
  throw new UsageError(
    `there is no ${what} '${name}'; ${near ? `did you mean '${near}'?` : `known: ${known.join(", ")}`}`,
  );
}
