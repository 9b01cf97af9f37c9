/**
 * Regridding: weights from one grid to another, then fields through them.
 *
 *     const weights = regridWeights(rectilinear(lat, lon), globalGrid("360x181"), "bilinear");
 *     const coarse = applyWeights(weights, field);
 */
import { UsageError } from "../../errors.js";
import { bicubicWeights } from "./bicubic.js";
import { conservativeWeights } from "./conservative.js";
import type { Grid } from "./grid.js";
import { bilinearWeights, inverseDistanceWeights, nearestWeights } from "./interpolate.js";
import type { RegridWeights } from "./weights.js";

export { globalGrid, type Grid, type PointGrid, points, pointsOf, rectilinear, type RectilinearGrid } from "./grid.js";
export { applyWeights, type ApplyOptions, type RegridWeights } from "./weights.js";

export const REGRID_METHODS = ["nearest", "bilinear", "bicubic", "conservative", "inverse-distance"] as const;
export type RegridMethod = (typeof REGRID_METHODS)[number];

/** Weights of a method between two grids; an error says where a method does not fit them. */
export function regridWeights(source: Grid, target: Grid, method: RegridMethod): RegridWeights {
  switch (method) {
    case "nearest":
      return nearestWeights(source, target);
    case "inverse-distance":
      return inverseDistanceWeights(source, target);
    case "bilinear":
    case "bicubic":
      if (source.kind === "points")
        throw new UsageError(
          `${method} regridding needs rows and columns to come from; use inverse-distance from stations`,
        );
      return (method === "bilinear" ? bilinearWeights : bicubicWeights)(source, target);
    case "conservative":
      if (source.kind === "points" || target.kind === "points")
        throw new UsageError("conservative regridding needs cells on both sides; use bilinear to stations");
      return conservativeWeights(source, target);
  }
}
