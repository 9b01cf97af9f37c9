/** Mean absolute error. */
import { AE, type Score, W } from "./sums.js";

export const mae: Score = {
  name: "mae",
  formula: "mean_t <|f - o|>",
  units: "field",
  better: "low",
  source: "WeatherBench 2 `MAE`",
  over: "all",
  value: (s) => s[AE] / s[W],
};
