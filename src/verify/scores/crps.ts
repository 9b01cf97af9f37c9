/**
 * Continuous ranked probability score of an ensemble: its distance from the truth less half its distance from itself. Of a point
 * forecast it is the mean absolute error. The three differ in how the spread of M members stands for that of the distribution.
 */
import { ABS, PAIRS, type Score, W, WM } from "./sums.js";

/** M / (M - 1) taken: right on average for members that are draws from the distribution. */
export const crpsFair: Score = {
  name: "crps:fair",
  formula: "mean_m |x_m - o| - Σ_{i,j} |x_i - x_j| / (2 M (M - 1))",
  units: "field",
  better: "low",
  source: "Ferro 2014, QJRMS 140; WeatherBench 2 `CRPS`; WeatherBench-X's and Stormer's default",
  over: "all",
  probabilistic: true,
  value: (s) => (s[ABS] - s[PAIRS] / 2) / s[W],
};

/** The score of the M members themselves as a distribution: it favours small spread. */
export const crpsUnfair: Score = {
  ...crpsFair,
  name: "crps:unfair",
  formula: "mean_m |x_m - o| - Σ_{i,j} |x_i - x_j| / (2 M^2)",
  source: "Hersbach 2000, Wea. Forecasting 15; xskillscore, properscoring, Earth2Studio's default",
  value: (s) => (s[ABS] - (s[PAIRS] / 2) * (1 - s[WM] / s[W])) / s[W],
};

const ALPHA = 0.95;

export const crpsAlmostFair: Score = {
  ...crpsFair,
  name: "crps:almost-fair",
  formula: `${ALPHA} crps:fair + ${(1 - ALPHA).toFixed(2)} crps:unfair`,
  source: "Lang et al. 2024 (AIFS-CRPS), eq. 4; the loss of Anemoi and CREDIT",
  value: (s) => ALPHA * crpsFair.value(s) + (1 - ALPHA) * crpsUnfair.value(s),
};
