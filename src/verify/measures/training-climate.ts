/** Each cell's own climate over the training period: quantiles, how often it is dry. Read a block of cells at a time. */
import { cellCount, stateAt, type States } from "../../tasks/series.js";
import type { SeepsClimate } from "../scores/seeps.js";

/** Times of the training period that quantiles are taken from, spread evenly over it. */
const MOST_TIMES = 3000;
/** Numbers held at a time. */
const MOST_NUMBERS = 3e7;

/** Hands over, cell by cell, the sorted values that are there. */
function eachCell(
  truth: States,
  training: readonly number[],
  channel: number,
  visit: (cell: number, sorted: Float32Array) => void,
): void {
  const cells = cellCount(truth);
  const stride = Math.ceil(training.length / MOST_TIMES);
  const times = training.filter((_, k) => k % stride === 0);
  const block = Math.max(1, Math.min(cells, Math.floor(MOST_NUMBERS / Math.max(1, times.length))));
  for (let from = 0; from < cells; from += block) {
    const to = Math.min(cells, from + block);
    const values = new Float32Array((to - from) * times.length);
    times.forEach((t, k) => {
      const field = stateAt(truth, t).subarray(channel * cells + from, channel * cells + to);
      for (let i = 0; i < field.length; i++) values[i * times.length + k] = field[i];
    });
    for (let i = from; i < to; i++) {
      const own = values.subarray((i - from) * times.length, (i - from + 1) * times.length).sort(); // missing ones go last
      let there = own.length;
      while (there > 0 && own[there - 1] !== own[there - 1]) there--;
      visit(i, own.subarray(0, there));
    }
  }
}

/** Linear between order statistics; NaN of nothing. */
function quantileOf(sorted: Float32Array, p: number): number {
  const at = p * (sorted.length - 1);
  const k = Math.floor(at);
  return sorted[k] + (at - k) * ((sorted[k + 1] ?? sorted[k]) - sorted[k]);
}

/** Quantiles of a channel at every cell, [quantile][cell]. */
export function cellQuantiles(
  truth: States,
  training: readonly number[],
  channel: number,
  shares: readonly number[],
): Float32Array[] {
  const out = shares.map(() => new Float32Array(cellCount(truth)).fill(NaN));
  eachCell(truth, training, channel, (cell, sorted) => {
    if (sorted.length > 0) shares.forEach((p, k) => (out[k][cell] = quantileOf(sorted, p)));
  });
  return out;
}

/** How often it is dry, and the 2/3 quantile of what falls when it is not. */
export function wetClimateOf(
  truth: States,
  training: readonly number[],
  channel: number,
  dryUpTo: number,
): SeepsClimate {
  const [dryFraction, heavyFrom] = [0, 1].map(() => new Float32Array(cellCount(truth)).fill(NaN));
  eachCell(truth, training, channel, (cell, sorted) => {
    if (sorted.length === 0) return;
    const wetFrom = sorted.findIndex((x) => x > dryUpTo);
    const dry = wetFrom < 0 ? sorted.length : wetFrom;
    dryFraction[cell] = dry / sorted.length;
    if (dry < sorted.length) heavyFrom[cell] = quantileOf(sorted.subarray(dry), 2 / 3);
  });
  return { dryFraction, heavyFrom };
}
