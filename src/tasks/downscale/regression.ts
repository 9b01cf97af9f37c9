/**
 * Each fine cell's own regression on the interpolated coarse field, as the first guess of a network that has few times to learn from
 * (`downscale.guess: regression`). A valley cools more than the coarse model says, so its error grows with the departure:
 *
 *     guess = x + d + g (x - c),     d the cell's mean difference, c its mean x, g how much more it varies than x
 *
 * From few times the gains g are uncertain, so each is drawn towards 0 by as much (empirical Bayes: Efron and Morris 1975): with v the
 * variance of its estimate and t the part of the gains' mean square over all cells that such variances do not explain,
 *
 *     g <- g t / (t + v)
 */
import { cellsOf, coarseAt, fineAt, type Pairs } from "./pairs.js";
import { interpolate, placesIn } from "./places.js";

/** g and c of every target and cell; 0 where there is no coarse field of the target. */
export interface Regression {
  /** [target, row, column]. */
  readonly gain: Float32Array;
  /** [target, row, column], in the coarse field's units. */
  readonly centre: Float32Array;
}

/** Fitted on the run's first coarse grid. `base` names each target's coarse field, -1 for none. */
export function fitRegression(pairs: Pairs, base: readonly number[], train: readonly number[]): Regression {
  const cells = cellsOf(pairs);
  const size = base.length * cells;
  const [first] = pairs.coarse;
  const coarseCells = first.grid.latitudes.length * first.grid.longitudes.length;
  const places = placesIn(first.grid, pairs.grid);
  const x = new Float32Array(cells);
  const interpolated = (t: number, v: number) =>
    interpolate(places, coarseAt(pairs, first, t).subarray(base[v] * coarseCells, (base[v] + 1) * coarseCells), x);
  const [count, centre, difference] = [0, 0, 0].map(() => new Float64Array(size));
  const each = (add: (k: number, x: number, d: number) => void) => {
    for (const t of train) {
      const truth = fineAt(pairs, t);
      for (let v = 0; v < base.length; v++) {
        if (base[v] < 0) continue;
        interpolated(t, v);
        for (let i = 0, k = v * cells; i < cells; i++, k++) {
          const d = truth[k] - x[i];
          if (d === d) add(k, x[i], d);
        }
      }
    }
  };
  each((k, value, d) => {
    count[k]++;
    centre[k] += value;
    difference[k] += d;
  });
  for (let k = 0; k < size; k++) {
    centre[k] /= count[k] || 1;
    difference[k] /= count[k] || 1;
  }
  // Sums about the means: of x^2, x d and d^2
  const [xx, xd, dd] = [0, 0, 0].map(() => new Float64Array(size));
  each((k, value, d) => {
    const [a, b] = [value - centre[k], d - difference[k]];
    xx[k] += a * a;
    xd[k] += a * b;
    dd[k] += b * b;
  });
  const gain = new Float32Array(size);
  for (let v = 0; v < base.length; v++) gain.set(drawnGains({ count, xx, xd, dd }, v * cells, cells), v * cells);
  return { gain, centre: Float32Array.from(centre) };
}

/** Gains of one target's cells, drawn towards 0. */
function drawnGains(
  { count, xx, xd, dd }: Readonly<Record<"count" | "xx" | "xd" | "dd", Float64Array>>,
  from: number,
  cells: number,
): Float64Array {
  const gain = new Float64Array(cells);
  const variance = new Float64Array(cells).fill(Infinity);
  let beyond = 0;
  let known = 0;
  for (let i = 0, k = from; i < cells; i++, k++) {
    if (count[k] < 3 || !(xx[k] > 0)) continue;
    gain[i] = xd[k] / xx[k];
    variance[i] = Math.max(0, dd[k] - gain[i] * xd[k]) / (count[k] - 2) / xx[k];
    beyond += gain[i] ** 2 - variance[i];
    known++;
  }
  const spread = Math.max(0, beyond / (known || 1));
  return gain.map((g, i) => (spread > 0 ? (g * spread) / (spread + variance[i]) : 0));
}
