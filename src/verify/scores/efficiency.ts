/** Hydrology's efficiencies, of a series at one place or of a field over all cells and starts. */
import { covariance } from "./pearson.js";
import { r2 } from "./r2.js";
import { F, O, type Score, W } from "./sums.js";

/** 1 is perfect, 0 no better than the mean of the truth. */
export const nashSutcliffe: Score = {
  ...r2,
  name: "nash-sutcliffe",
  formula: "1 - Σ(f - o)^2 / Σ(o - mean o)^2",
  source: "Nash and Sutcliffe 1970, J. Hydrology 10, eq. 3",
};

/** 1 is perfect; 1 - sqrt(2) is what the mean of the truth reaches. */
export const klingGupta: Score = {
  name: "kling-gupta",
  formula: "1 - sqrt((r - 1)^2 + (sd f / sd o - 1)^2 + (mean f / mean o - 1)^2)",
  units: "1",
  better: "high",
  source: "Gupta, Kling, Yilmaz and Martinez 2009, J. Hydrology 377, eq. 9",
  over: "all",
  value: (s) => {
    const { both, forecast, truth } = covariance(s);
    const r = both / Math.sqrt(forecast * truth);
    return 1 - Math.hypot(r - 1, Math.sqrt(forecast / truth) - 1, s[F] / s[W] / (s[O] / s[W]) - 1);
  },
};
