/** Mean error, forecast minus truth (ClimateLearn's `mean_bias` has the opposite sign). */
import { E, type Score, W } from "./sums.js";

export const bias: Score = {
  name: "bias",
  formula: "mean_t <f - o>",
  units: "field",
  better: 0,
  source: "WeatherBench 2 `Bias`",
  over: "all",
  value: (s) => s[E] / s[W],
};
