/**
 * Regridding: weights from one grid to another, then fields through them.
 *
 *     const weights = regridWeights(rectilinear(lat, lon), globalGrid("360x181"), "bilinear");
 *     const coarse = applyWeights(weights, field);
 */
import { UsageError } from "../../errors.js";
import { bicubicWeights } from "./bicubic.js";
import { conservativeWeights, secondOrderConservativeWeights } from "./conservative.js";
import { fromCurvilinear, toCurvilinear } from "./conservative-cells.js";
import { curvilinearWeights } from "./curvilinear.js";
import { delaunayWeights } from "./delaunay.js";
import { secondOrderCellWeights } from "./gradients.js";
import type { Grid, RectilinearGrid } from "./grid.js";
import { bilinearWeights, inverseDistanceWeights, nearestWeights } from "./interpolate.js";
import type { RegridWeights } from "./weights.js";

export {
  curvilinear,
  type CurvilinearGrid,
  globalGrid,
  type Grid,
  type PointGrid,
  points,
  pointsOf,
  rectilinear,
  type RectilinearGrid,
} from "./grid.js";
export { applyWeights, type ApplyOptions, type RegridWeights } from "./weights.js";

export const REGRID_METHODS = [
  "nearest",
  "bilinear",
  "bicubic",
  "conservative",
  "conservative2",
  "inverse-distance",
  "delaunay",
] as const;
export type RegridMethod = (typeof REGRID_METHODS)[number];

/** Weights of a method between two grids; an error says where a method does not fit them. */
export function regridWeights(source: Grid, target: Grid, method: RegridMethod): RegridWeights {
  switch (method) {
    case "nearest":
      return nearestWeights(source, target);
    case "inverse-distance":
      return inverseDistanceWeights(source, target);
    case "delaunay":
      return delaunayWeights(source, target);
    case "bilinear":
      if (source.kind === "curvilinear") return curvilinearWeights(source, target);
      return bilinearWeights(fromRows(source, method), target);
    case "bicubic":
      return bicubicWeights(fromRows(source, method), target);
    case "conservative":
      if (source.kind === "curvilinear" && target.kind === "rectilinear") return fromCurvilinear(source, target);
      if (source.kind === "rectilinear" && target.kind === "curvilinear") return toCurvilinear(source, target);
      return conservativeWeights(...bothOfRows(source, target, method));
    case "conservative2":
      if (source.kind === "curvilinear" && target.kind === "rectilinear") return secondOrderCellWeights(source, target);
      if (source.kind === "rectilinear" && target.kind === "curvilinear") return secondOrderCellWeights(source, target);
      return secondOrderConservativeWeights(...bothOfRows(source, target, method));
  }
}

function bothOfRows(source: Grid, target: Grid, method: RegridMethod): [RectilinearGrid, RectilinearGrid] {
  if (source.kind !== "rectilinear" || target.kind !== "rectilinear")
    throw new UsageError(
      source.kind === "curvilinear" && target.kind === "curvilinear"
        ? `${method} regridding from one curvilinear grid to another goes over rows and columns: regrid to those first`
        : `${method} regridding needs cells on both sides: rows and columns, of which one may be curvilinear; use bilinear to stations`,
    );
  return [source, target];
}

function fromRows(source: Grid, method: RegridMethod): RectilinearGrid {
  if (source.kind === "points")
    throw new UsageError(
      `${method} regridding needs rows and columns to come from; use delaunay or inverse-distance from stations`,
    );
  if (source.kind === "curvilinear")
    throw new UsageError(`${method} regridding needs rows along parallels; use bilinear from a curvilinear grid`);
  return source;
}
