/**
 * Latitude weights: how much area a row of a latitude-longitude grid stands for, scaled to a mean of 1 over the rows.
 *
 * - `exact`: the area between a row's bounds, sin(upper) - sin(lower); bounds lie midway between rows, the outermost half a
 *   spacing beyond the grid and never past a pole (as WeatherBench-X, `GridAreaWeighting`). Right for every grid.
 * - `wb2`: WeatherBench 2's `get_lat_weights`, whose outermost bounds are the poles themselves. The same on a global grid; on a
 *   regional grid the edge rows weigh far too much. For comparison with published numbers only.
 * - `cos`: the cosine of latitude (ClimateLearn, ClimaX, ChaosBench); zero at the poles.
 *
 *     latitudeWeights([-60, 0, 60], "exact") // [0.634, 1.732, 0.634]
 */
import { UsageError } from "../errors.js";

export const WEIGHT_KINDS = ["exact", "wb2", "cos"] as const;
export type WeightKind = (typeof WEIGHT_KINDS)[number];

const RADIANS = Math.PI / 180;

/**
 * Weights of the rows of a grid, mean 1. Latitudes in degrees, strictly ascending or descending.
 * Throws a UsageError for latitudes out of order or beyond the poles.
 */
export function latitudeWeights(latitudes: ArrayLike<number>, kind: WeightKind = "exact"): Float64Array {
  checkLatitudes(latitudes);
  const raw = Float64Array.from(latitudes);
  if (kind === "cos") for (let i = 0; i < raw.length; i++) raw[i] = Math.cos(raw[i] * RADIANS);
  else {
    const bounds = latitudeBounds(latitudes, kind);
    // w = sin(upper) - sin(lower)
    for (let i = 0; i < raw.length; i++)
      raw[i] = Math.abs(Math.sin(bounds[i + 1] * RADIANS) - Math.sin(bounds[i] * RADIANS));
  }
  const mean = raw.reduce((sum, w) => sum + w, 0) / raw.length;
  return raw.map((w) => w / mean);
}

/** The edges between rows, one more than there are rows, in the order of the rows (degrees). */
export function latitudeBounds(latitudes: ArrayLike<number>, kind: "exact" | "wb2" = "exact"): Float64Array {
  const n = latitudes.length;
  const bounds = new Float64Array(n + 1);
  for (let i = 1; i < n; i++) bounds[i] = (latitudes[i - 1] + latitudes[i]) / 2;
  const sign = n > 1 && latitudes[1] < latitudes[0] ? -1 : 1;
  const clip = (degrees: number) => Math.min(90, Math.max(-90, degrees));
  if (kind === "wb2" || n === 1) {
    bounds[0] = -90 * sign;
    bounds[n] = 90 * sign;
  } else {
    bounds[0] = clip(latitudes[0] - (latitudes[1] - latitudes[0]) / 2);
    bounds[n] = clip(latitudes[n - 1] + (latitudes[n - 1] - latitudes[n - 2]) / 2);
  }
  return bounds;
}

function checkLatitudes(latitudes: ArrayLike<number>): void {
  if (latitudes.length === 0) throw new UsageError("latitude weights need at least one latitude; the grid has none");
  const sign = Math.sign(latitudes[1] - latitudes[0]);
  for (let i = 0; i < latitudes.length; i++) {
    if (!(Math.abs(latitudes[i]) <= 90.0001))
      throw new UsageError(
        `latitude ${latitudes[i]} at row ${i} is not between -90 and 90 degrees; check the coordinate`,
      );
    if (i > 0 && !(Math.sign(latitudes[i] - latitudes[i - 1]) === sign && sign !== 0))
      throw new UsageError(
        `latitudes are out of order at row ${i} (${latitudes[i - 1]}, then ${latitudes[i]}); sort the grid's rows by latitude`,
      );
  }
}
