/** The scores made from sums over fields, by name. */
import { accClimateLearn, accWb2, accWbx } from "./acc.js";
import { activity, logVarianceRatio } from "./activity.js";
import { bias } from "./bias.js";
import { crpsAlmostFair, crpsFair, crpsUnfair } from "./crps.js";
import { klingGupta, nashSutcliffe } from "./efficiency.js";
import { mae } from "./mae.js";
import { mse } from "./mse.js";
import { pearson } from "./pearson.js";
import { r2 } from "./r2.js";
import { rmse, rmsePerStart } from "./rmse.js";
import { debiasedMse, debiasedRmse, spread, spreadPerStart, spreadSkill, spreadSkillPlain } from "./spread.js";
import type { Score } from "./sums.js";

export const DETERMINISTIC: readonly Score[] = [
  rmse,
  rmsePerStart,
  mse,
  mae,
  bias,
  accWb2,
  accWbx,
  accClimateLearn,
  pearson,
  r2,
  activity,
  logVarianceRatio,
  nashSutcliffe,
  klingGupta,
];

/** Of ensembles; the CRPS of a point forecast is its mean absolute error. */
export const ENSEMBLE: readonly Score[] = [
  crpsFair,
  crpsUnfair,
  crpsAlmostFair,
  spread,
  spreadPerStart,
  spreadSkill,
  spreadSkillPlain,
  debiasedMse,
  debiasedRmse,
];

export const SCORES: readonly Score[] = [...DETERMINISTIC, ...ENSEMBLE];
