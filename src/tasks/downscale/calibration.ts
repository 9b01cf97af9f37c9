/**
 * Calibration on the validation period. A network that has seen little corrects its first guess too boldly, and may then be worse
 * than the guess itself. So its corrections r are multiplied by a weight before the head makes fields of them,
 *
 *     field = head(first guess, w r),     0 <= w <= 1,
 *
 * one weight a target for the mean, chosen by squared error, and one for the distribution, chosen by the CRPS. At w = 1 the network
 * is as trained, at w = 0 it is its first guess. Since a weight from few times is itself uncertain, it is drawn towards 0 by as much
 * (the positive part of James and Stein 1961, with the variance of w by a jackknife over blocks of times, Künsch 1989):
 *
 *     w <- max(0, w - Var(w) / w)
 */
import type { Runtime } from "../../engine/runtime.js";
import { levelsOf } from "./config.js";
import { cellWeights } from "./fitted.js";
import { cellsOf, coarseAt, fineAt, memberSplit, type Pairs, splitOf } from "./pairs.js";
import { createPredictor, type DownscaleModel, type FineFields } from "./predict.js";

/** Weights by target. */
export interface Calibration {
  readonly mean: readonly number[];
  readonly distribution: readonly number[];
}

/** Weights that are tried; between them the losses are taken as parabolas. */
const TRIED = [0, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1];
/** Validation times used at most of each coarse grid, evenly spread. */
const MOST_TIMES = 400;
/** Stretches of time that are left out in turn. */
const MOST_BLOCKS = 8;

/** Weights from the validation period, or from the times that each network did not learn from. */
export async function fitCalibration(runtime: Runtime, model: DownscaleModel, pairs: Pairs): Promise<Calibration> {
  const { config, members } = model;
  const split = splitOf(pairs, config);
  const parts = config.training.crossFit
    ? members.map((member, k) => ({
        model: { ...model, members: [member] },
        times: memberSplit(split, config, k + 1).validation,
      }))
    : [{ model, times: split.validation }];
  const losses: Losses[] = [];
  for (const part of parts) losses.push(await lossesOver(runtime, part.model, pairs, part.times));
  const weights = (of: (l: Losses) => Float64Array[][]) =>
    pairs.targets.map((_, v) => drawnIn(losses.flatMap((l) => of(l)[v])));
  const mean = weights((l) => l.squared);
  return { mean, distribution: levelsOf(config).length > 0 ? weights((l) => l.pinball) : mean };
}

/** [target][time][weight], summed over coarse grids. */
interface Losses {
  readonly squared: Float64Array[][];
  readonly pinball: Float64Array[][];
}

async function lossesOver(
  runtime: Runtime,
  model: DownscaleModel,
  pairs: Pairs,
  given: readonly number[],
): Promise<Losses> {
  const targets = pairs.targets.length;
  const stride = Math.ceil(given.length / MOST_TIMES);
  const times = given.filter((_, k) => k % stride === 0);
  const table = () => Array.from({ length: targets }, () => times.map(() => new Float64Array(TRIED.length)));
  const losses = { squared: table(), pinball: table() };
  for (const [k, w] of TRIED.entries()) {
    const weights = new Array<number>(targets).fill(w);
    const tried = { ...model, calibration: { mean: weights, distribution: weights } };
    for (const set of pairs.coarse) {
      const setting = { coarse: set.grid, fine: pairs.grid, mapValues: pairs.mapValues };
      const predictor = await createPredictor(runtime, tried, setting);
      try {
        const [tile] = predictor.tiles();
        for (const [i, t] of times.entries()) {
          const [fields] = await predictor.predict(tile, [coarseAt(pairs, set, t)], [pairs.times[t]]);
          for (let v = 0; v < targets; v++) {
            const [squared, pinball] = lossesOf(fields, pairs, t, v);
            losses.squared[v][i][k] += squared;
            losses.pinball[v][i][k] += pinball;
          }
        }
      } finally {
        await predictor.close();
      }
    }
  }
  return losses;
}

/** Weighted squared error of the mean and pinball loss of the quantiles at one time. */
function lossesOf({ mean, quantiles }: FineFields, pairs: Pairs, time: number, target: number): [number, number] {
  const cells = cellsOf(pairs);
  const truth = fineAt(pairs, time);
  const area = cellWeights(pairs.grid);
  const n = quantiles.length;
  let squared = 0;
  let pinball = 0;
  for (let i = 0, at = target * cells; i < cells; i++, at++) {
    const o = truth[at];
    if (o !== o || mean[at] !== mean[at]) continue;
    squared += area[i] * (mean[at] - o) ** 2;
    for (let q = 0; q < n; q++) {
      const d = o - quantiles[q][at];
      pinball += area[i] * d * ((q + 0.5) / n - (d < 0 ? 1 : 0));
    }
  }
  return [squared, pinball];
}

/** The weight of least loss, drawn towards 0 by its uncertainty. `losses` [time][weight]. */
export function drawnIn(losses: readonly Float64Array[]): number {
  const blocks = Math.min(MOST_BLOCKS, losses.length);
  const blockOf = (i: number) => Math.floor((i * blocks) / losses.length);
  const without = (block: number) => leastOf(losses.filter((_, i) => blockOf(i) !== block));
  const w = leastOf(losses);
  if (w === 0) return 0;
  if (blocks < 2) return 0; // one time proves nothing
  const others = Array.from({ length: blocks }, (_, b) => without(b));
  const middle = others.reduce((a, b) => a + b, 0) / blocks;
  const variance = ((blocks - 1) / blocks) * others.reduce((sum, x) => sum + (x - middle) ** 2, 0);
  return Math.max(0, w - variance / w);
}

/** Where the sum of the losses is least: the lowest of the tried weights and its neighbours as a parabola. */
function leastOf(losses: readonly Float64Array[]): number {
  const sum = TRIED.map((_, k) => losses.reduce((total, l) => total + l[k], 0));
  const k = sum.indexOf(Math.min(...sum));
  if (k === 0 || k === TRIED.length - 1) return TRIED[k];
  const [a, b, c] = [sum[k - 1], sum[k], sum[k + 1]];
  const curvature = a - 2 * b + c;
  return TRIED[k] + (curvature > 0 ? (0.5 * (a - c)) / curvature : 0) * (TRIED[1] - TRIED[0]);
}
