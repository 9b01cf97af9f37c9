/** Coefficient of determination over all cells and starts: the share of the truth's variance that the errors leave explained. */
import { covariance } from "./pearson.js";
import { EE, type Score, W } from "./sums.js";

export const r2: Score = {
  name: "r2",
  formula: "1 - <(f - o)^2> / var o",
  units: "1",
  better: "high",
  source:
    "ClimSim (Yu et al. 2023, section 4); with time as the only axis it is Nash and Sutcliffe's efficiency (1970)",
  over: "all",
  value: (s) => 1 - s[EE] / s[W] / covariance(s).truth,
};
