/**
 * Threshold-weighted CRPS: the CRPS of what lies above (or below) a threshold, for scoring extremes without the trap of looking
 * only at cases that happened (Gneiting and Ranjan 2011; Allen, Ginsbourger and Ziegel 2023: chaining x to max(x, t)).
 */
import { ensembleKernel } from "../ensemble/kernel.js";
import { crpsFair } from "./crps.js";
import { addField, rowWidth } from "./sums.js";

/** Fair, area mean, in the field's units. `tail`: which side of the threshold counts. */
export function thresholdCrps(
  members: readonly ArrayLike<number>[],
  truth: ArrayLike<number>,
  weights: ArrayLike<number>,
  threshold: number | ArrayLike<number>,
  options: { tail?: "above" | "below" } = {},
): number {
  const { tail = "above" } = options;
  const at = (i: number) => (typeof threshold === "number" ? threshold : threshold[i]);
  const limit = (x: number, i: number) => (tail === "above" ? Math.max(x, at(i)) : Math.min(x, at(i)));
  const chained = (x: ArrayLike<number>) => Float64Array.from(x, limit);
  const o = chained(truth);
  const ensemble = ensembleKernel(members.length).run(members.map(chained), o);
  const row = addField(new Float64Array(rowWidth(members.length)), {
    forecast: ensemble.mean,
    truth: o,
    weights,
    ensemble,
  });
  return crpsFair.value(row);
}
