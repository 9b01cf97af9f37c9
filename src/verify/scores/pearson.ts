/** Pearson's correlation over all cells and starts, weighted by area (ClimateLearn's has no weights). */
import { F, FF, FO, O, OO, type Score, W } from "./sums.js";

/** Weighted covariance of forecast and truth and their two variances. */
export function covariance(s: ArrayLike<number>): { both: number; forecast: number; truth: number } {
  const f = s[F] / s[W];
  const o = s[O] / s[W];
  // A constant field's variance is 0, not the rounding error of its mean square.
  const variance = (square: number, mean: number) => (square - mean * mean > 1e-13 * square ? square - mean * mean : 0);
  return { both: s[FO] / s[W] - f * o, forecast: variance(s[FF] / s[W], f), truth: variance(s[OO] / s[W], o) };
}

export const pearson: Score = {
  name: "pearson",
  formula: "cov(f, o) / sqrt(var f var o)",
  units: "1",
  better: "high",
  source: "ClimateLearn `pearson` (Nguyen et al. 2023), with area weights",
  over: "all",
  value: (s) => {
    const { both, forecast, truth } = covariance(s);
    return both / Math.sqrt(forecast * truth);
  },
};
