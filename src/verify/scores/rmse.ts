/** Root mean square error, in both orders of root and mean over starts; the two differ by the scatter of the error from start to start. */
import { EE, type Score, W } from "./sums.js";

export const rmse: Score = {
  name: "rmse",
  formula: "sqrt(mean_t <(f - o)^2>)",
  units: "field",
  better: "low",
  source: "WeatherBench 2 (Rasp et al. 2024, eq. 1); the number its score cards print",
  over: "all",
  value: (s) => Math.sqrt(s[EE] / s[W]),
};

/** The root taken for each start, then the mean: never more than `rmse`. */
export const rmsePerStart: Score = {
  ...rmse,
  name: "rmse:per-start",
  formula: "mean_t sqrt(<(f - o)^2>)",
  source: "WeatherBench (Rasp et al. 2020), ClimaX and ClimateLearn `lat_rmse`, WeatherBench 2 `RMSESqrtBeforeTimeAvg`",
  over: "each",
};
