/** How far the members lie apart, and whether as far as the ensemble mean lies from the truth. */
import { rmsePerStart } from "./rmse.js";
import { EE, type Score, VAR, VARM, W } from "./sums.js";

export const spread: Score = {
  name: "spread",
  formula: "sqrt(mean_t <s^2>), s^2 the members' unbiased variance",
  units: "field",
  better: "high",
  source: "WeatherBench-X `EnsembleRootMeanVariance`; Fortin et al. 2014, J. Hydromet. 15",
  over: "all",
  needsEnsemble: true,
  value: (s) => Math.sqrt(s[VAR] / s[W]),
};

/** The root taken for each start, then the mean. */
export const spreadPerStart: Score = {
  ...spread,
  name: "spread:per-start",
  formula: "mean_t sqrt(<s^2>)",
  source: "WeatherBench 2 `EnsembleStddevSqrtBeforeTimeAvg`",
  over: "each",
};

/** The mean square error of the ensemble mean without what M members' sampling adds to it. */
export const debiasedMse: Score = {
  name: "mse:debiased",
  formula: "mean_t <(f - o)^2 - s^2 / M>",
  units: "field^2",
  better: "low",
  source: "WeatherBench 2 `DebiasedEnsembleMeanMSE`",
  over: "all",
  needsEnsemble: true,
  value: (s) => (s[EE] - s[VARM]) / s[W],
};

export const debiasedRmse: Score = {
  ...debiasedMse,
  name: "rmse:debiased",
  formula: "sqrt(mse:debiased)",
  units: "field",
  source: "WeatherBench-X `UnbiasedEnsembleMeanRMSE`",
  value: (s) => Math.sqrt(debiasedMse.value(s)),
};

/** 1 where the members scatter as the truth does about their mean; below it the ensemble is overconfident. */
export const spreadSkill: Score = {
  name: "spread-skill",
  formula: "sqrt(mean_t <s^2> / mean_t <(f - o)^2 - s^2 / M>)",
  units: "1",
  better: 1,
  source: "WeatherBench-X `UnbiasedSpreadSkillRatio`",
  over: "all",
  needsEnsemble: true,
  value: (s) => Math.sqrt(s[VAR] / (s[EE] - s[VARM])),
};

/** Without the correction for M: below 1 even for a perfect ensemble. */
export const spreadSkillPlain: Score = {
  ...spreadSkill,
  name: "spread-skill:stormer",
  formula: "spread:per-start / rmse:per-start",
  source: "Stormer, ClimateLearn",
  over: "each",
  ratio: [spreadPerStart, rmsePerStart],
  value: (s) => spreadPerStart.value(s) / rmsePerStart.value(s),
};
