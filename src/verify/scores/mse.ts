/** Mean square error. */
import { EE, type Score, W } from "./sums.js";

export const mse: Score = {
  name: "mse",
  formula: "mean_t <(f - o)^2>",
  units: "field^2",
  better: "low",
  source: "WeatherBench 2 `MSE`",
  over: "all",
  value: (s) => s[EE] / s[W],
};
