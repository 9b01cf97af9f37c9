/** A trained downscaling run scored on its test period: every target, every coarse grid it was trained from. */
import type { Runtime } from "../engine/runtime.js";
import type { CardTable } from "../tasks/card.js";
import { levelsOf } from "../tasks/downscale/config.js";
import { type DownscaleBaseline, fitDownscaleBaselines, type Guess } from "../tasks/downscale/baselines.js";
import { cellWeights } from "../tasks/downscale/fitted.js";
import { cellsOf, coarseAt, fineAt, learntTimes, type Pairs, splitOf } from "../tasks/downscale/pairs.js";
import { createPredictor, type DownscaleModel, type FineFields } from "../tasks/downscale/predict.js";
import { type DownscaleScores, scoreDownscaling } from "./downscaling.js";
import { choosePicks, type DownscaleView } from "./downscale-views.js";
import type { ScoreRow } from "./rows.js";
import type { SeepsClimate } from "./scores/seeps.js";
import { digits } from "./table.js";

export interface DownscaleVerification {
  readonly scores: readonly ScoreRow[];
  readonly comparisons: readonly ScoreRow[];
  readonly baselines: readonly Pick<DownscaleBaseline, "name" | "description">[];
  /** What a report draws, one a variable and coarse grid. */
  readonly views: readonly DownscaleView[];
}

export interface VerifyDownscalingOptions {
  readonly model: DownscaleModel;
  readonly runtime: Runtime;
  readonly pairs: Pairs;
  readonly onProgress?: (done: number, total: number) => void;
}

/** Scores of the run's test period, intervals by block bootstrap. */
export async function verifyDownscaling(options: VerifyDownscalingOptions): Promise<DownscaleVerification> {
  const { model, runtime, pairs, onProgress } = options;
  const { config, fitted } = model;
  const split = splitOf(pairs, config);
  const cells = cellsOf(pairs);
  const parts: DownscaleScores[] = [];
  const views: DownscaleView[] = [];
  const baselines = new Map<string, DownscaleBaseline>();
  const total = pairs.coarse.length * split.test.length * (1 + pairs.targets.length);
  let done = 0;
  for (const [k, set] of pairs.coarse.entries()) {
    const predictor = await createPredictor(runtime, model, {
      coarse: set.grid,
      fine: pairs.grid,
      mapValues: pairs.mapValues,
    });
    const made: FineFields[] = [];
    const given: Float32Array[] = [];
    try {
      const [tile] = predictor.tiles();
      for (const t of split.test) {
        given.push((await predictor.shrink?.(fineAt(pairs, t))) ?? coarseAt(pairs, set, t));
        made.push(...(await predictor.predict(tile, given.slice(-1), [pairs.times[t]])));
        onProgress?.(++done, total);
      }
    } finally {
      await predictor.close();
    }
    for (const [v, variable] of pairs.targets.entries()) {
      const part = (field: Float32Array) => field.subarray(v * cells, (v + 1) * cells);
      const learnt = { ...split, train: learntTimes(split, config) };
      const rivals = fitDownscaleBaselines(pairs, fitted, set, learnt, v, levelsOf(config));
      for (const rival of rivals) baselines.set(rival.name, rival);
      const truth = (time: number) => part(fineAt(pairs, time));
      const isRain = fitted.positive[v];
      const units = pairs.targetUnits[v];
      const region = pairs.coarse.length === 1 ? "all" : config.data.factors[k].join("x");
      const threshold = topValue(split.train.map(truth));
      const own = (i: number): Guess => {
        const { mean, quantiles } = made[i];
        return { mean: part(mean), members: quantiles.length > 0 ? quantiles.map(part) : [part(mean)] };
      };
      const others = rivals.map((rival) => ({ ...rival, at: (i: number) => rival.at(split.test[i]) }));
      const scored = scoreDownscaling({
        variable,
        region,
        times: split.test.length,
        truth: (i) => truth(split.test[i]),
        model: own,
        baselines: others,
        weights: cellWeights(pairs.grid),
        columns: pairs.grid.columns,
        ...(isRain && { seeps: rainClimate(split.train.map(truth), config.downscale.dryUpTo) }),
        fss: { threshold, windows: [1, 3, 5] },
        onProgress: () => onProgress?.(++done, total),
      });
      parts.push(scored);
      const base = Math.max(0, fitted.base[v]);
      const size = set.grid.latitudes.length * set.grid.longitudes.length;
      views.push({
        variable,
        units,
        region,
        positive: isRain,
        grid: pairs.grid,
        coarse: {
          name: pairs.predictors[base],
          units: pairs.predictorUnits[base],
          sameField: fitted.base[v] >= 0,
          latitudes: set.grid.latitudes,
          longitudes: set.grid.longitudes,
        },
        threshold,
        shapes: scored.shapes,
        truthQuantiles: scored.truthQuantiles,
        picks: choosePicks(
          scored.shapes,
          bestRival(scored.rows),
          (i) => ({
            time: pairs.times[split.test[i]],
            calendar: pairs.calendar,
            coarse: given[i].subarray(base * size, (base + 1) * size),
            truth: truth(split.test[i]),
          }),
          [{ name: null, at: own }, ...others],
        ),
      });
    }
  }
  return {
    scores: parts.flatMap((p) => p.rows),
    comparisons: parts.flatMap((p) => p.comparisons),
    baselines: [...baselines.values()].map(({ name, description }) => ({ name, description })),
    views,
  };
}

/** The baseline with the least RMSE. */
const bestRival = (rows: readonly ScoreRow[]): string =>
  rows.filter((r) => r.metric === "rmse" && r.baseline !== null).reduce((a, b) => (b.value < a.value ? b : a))
    .baseline!;

/** Each cell's share of dry times, and the amount two thirds of the wet ones stay below. */
function rainClimate(fields: readonly Float32Array[], dryUpTo: number): SeepsClimate & { dryUpTo: number } {
  const cells = fields[0].length;
  const dryFraction = new Float64Array(cells);
  const heavyFrom = new Float64Array(cells);
  for (let i = 0; i < cells; i++) {
    const wet = fields
      .map((f) => f[i])
      .filter((x) => x > dryUpTo)
      .sort((a, b) => a - b);
    dryFraction[i] = fields.filter((f) => f[i] <= dryUpTo).length / fields.length;
    heavyFrom[i] = wet[Math.floor((2 / 3) * wet.length)] ?? Infinity;
  }
  return { dryFraction, heavyFrom, dryUpTo };
}

/** What 5 % of all values exceed. */
function topValue(fields: readonly Float32Array[]): number {
  const stride = Math.max(1, Math.floor((fields.length * fields[0].length) / 1_000_000));
  const some: number[] = [];
  let counter = 0;
  for (const f of fields) for (const x of f) if (x === x && counter++ % stride === 0) some.push(x);
  const sorted = Float32Array.from(some).sort();
  return sorted[Math.floor(0.95 * sorted.length)];
}

/** One table a variable and grid: scores down, model and baselines across; `*` the best, `!` a difference that may be chance. */
export function formatDownscaleScores({
  scores,
  comparisons,
}: Pick<DownscaleVerification, "scores" | "comparisons">): string {
  const groups = new Map<string, ScoreRow[]>();
  for (const row of scores) {
    const key = `${row.variable}, ${row.region === "all" ? "whole grid" : `from ${row.region}`}, ${row.n} times`;
    groups.set(key, [...(groups.get(key) ?? []), row]);
  }
  return [...groups]
    .map(([title, rows]) => {
      const names = [...new Set(rows.map((r) => r.baseline))];
      const body = [...new Set(rows.map((r) => r.metric))].map((metric) => {
        const at = rows.filter((r) => r.metric === metric);
        const best = at.reduce((a, b) => (cost(metric, b.value) < cost(metric, a.value) ? b : a));
        const cells = names.map((name) => {
          const row = at.find((r) => r.baseline === name)!;
          if (name === null)
            return `${digits(row.value)}${row === best ? "*" : ""}${row.low === null ? "" : ` [${digits(row.low)}, ${digits(row.high!)}]`}`;
          const difference = comparisons.find(
            (c) => c.metric === metric && c.baseline === name && c.variable === row.variable && c.region === row.region,
          );
          const unsure = difference && (difference.low === null || (difference.low <= 0 && difference.high! >= 0));
          return `${digits(row.value)}${row === best ? "*" : ""}${unsure ? "!" : ""}`;
        });
        return [metric, ...cells];
      });
      const head = ["", ...names.map((name) => name ?? "model")];
      const widths = head.map((_, c) => Math.max(...[head, ...body].map((l) => l[c].length)));
      const line = (l: readonly string[]) =>
        l.map((cell, c) => (c === 0 ? cell.padEnd(widths[c]) : cell.padStart(widths[c]))).join("  ");
      return [title, line(head), ...body.map(line)].join("\n");
    })
    .join("\n\n");
}

/** The scores for a model card. */
export function downscaleTable({ scores }: Pick<DownscaleVerification, "scores">, period: string): CardTable {
  const names = [...new Set(scores.map((r) => r.baseline))];
  const same = (a: ScoreRow, b: ScoreRow) =>
    a.metric === b.metric && a.variable === b.variable && a.region === b.region;
  return {
    note: `Scores over the test period (${period}), which nothing was chosen on; the baselines were fitted to the training period.`,
    columns: ["variable", "from", "score", ...names.map((name) => name ?? "this model")],
    rows: scores
      .filter(({ baseline }) => baseline === null)
      .map((own) => [
        own.variable,
        own.region,
        own.metric.replace("|", "/"),
        ...names.map((name) => scores.find((r) => r.baseline === name && same(r, own))?.value ?? "-"),
      ]),
  };
}

/** Something to keep small. */
export const cost = (metric: string, value: number): number =>
  metric.startsWith("fss") ? -value : /bias$/.test(metric) ? Math.abs(value) : value;
