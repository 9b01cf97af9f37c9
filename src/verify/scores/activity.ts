/** How much a forecast departs from climatology, and whether it departs as much as the truth does: a blurred forecast does not. */
import { FA, FAFA, OA, OAOA, type Score, W } from "./sums.js";

export const activity: Score = {
  name: "activity",
  formula: "sqrt(mean_t <f'^2>)",
  units: "field",
  better: "high",
  source: "WeatherBench-X `PredictionActivity`; ECMWF's standard deviation of forecast anomalies",
  over: "all",
  needsClimatology: true,
  value: (s) => Math.sqrt(s[FAFA] / s[W]),
};

/** 0: as lively as the truth; -0.3: half its anomaly variance. */
export const logVarianceRatio: Score = {
  name: "log-variance-ratio",
  formula: "log10(var f' / var o')",
  units: "1",
  better: 0,
  source: "CREDIT `log_variance_ratio` (Schreck et al. 2025), of anomalies",
  over: "all",
  needsClimatology: true,
  value: (s) => {
    const forecast = s[FAFA] / s[W] - (s[FA] / s[W]) ** 2;
    const truth = s[OAOA] / s[W] - (s[OA] / s[W]) ** 2;
    return Math.log10(forecast / truth);
  },
};
