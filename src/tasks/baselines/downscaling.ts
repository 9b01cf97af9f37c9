/**
 * What a downscaling model must beat: interpolation of the coarse field (nearest, bilinear, bicubic), and quantile mapping, which
 * gives every fine cell its own climate.
 */
import { applyWeights, type RectilinearGrid, regridWeights } from "../../earth/regrid/index.js";
import { UsageError } from "../../errors.js";

export type Interpolation = "nearest" | "bilinear" | "bicubic";

/** A function from coarse fields [latitude, longitude] to fine ones. Cells outside the coarse grid take its nearest value. */
export function interpolator(
  coarse: RectilinearGrid,
  fine: RectilinearGrid,
  method: Interpolation,
): (field: Float32Array) => Float32Array {
  const nearest = regridWeights(coarse, fine, "nearest");
  if (method === "nearest") return (field) => applyWeights(nearest, field);
  const weights = regridWeights(coarse, fine, method);
  const inside = applyWeights(weights, new Float32Array(coarse.latitudes.length * coarse.longitudes.length));
  const outside = [...inside.keys()].filter((i) => Number.isNaN(inside[i]));
  return (field) => {
    const out = applyWeights(weights, field);
    const rim = outside.length > 0 ? applyWeights(nearest, field) : out;
    for (const i of outside) out[i] = rim[i];
    return out;
  };
}

/** Maps a cell's value to the observed value of the same rank. */
export interface QuantileMap {
  (field: ArrayLike<number>): Float32Array;
}

/**
 * Empirical quantile mapping by cell (Panofsky and Brier 1968; Gudmundsson et al. 2012): y = F_obs^-1(F_model(x)), quantiles of the
 * training times, linear between them; beyond the ends the end's correction is added.
 *
 * @param modelled interpolated fields of the training times; @param observed the truth at the same times, on the same cells
 */
export function fitQuantileMap(
  modelled: readonly ArrayLike<number>[],
  observed: readonly ArrayLike<number>[],
  options: { quantiles?: number } = {},
): QuantileMap {
  const { quantiles = 101 } = options;
  if (modelled.length !== observed.length || modelled.length < 10)
    throw new UsageError(
      `quantile mapping needs as many modelled as observed fields, ten at least; it has ${modelled.length} and ${observed.length}`,
    );
  const cells = modelled[0].length;
  const tables = [modelled, observed].map((fields) =>
    Array.from({ length: cells }, (_, i) => quantilesOf(fields, i, quantiles)),
  );
  return (field) =>
    Float32Array.from({ length: cells }, (_, i) => {
      const [from, to] = [tables[0][i], tables[1][i]];
      const x = field[i];
      const last = from.length - 1;
      if (!(x > from[0])) return x + (to[0] - from[0]); // NaN stays NaN
      if (x >= from[last]) return x + (to[last] - from[last]);
      let [low, high] = [0, last];
      while (high - low > 1) {
        const middle = (low + high) >> 1;
        if (from[middle] <= x) low = middle;
        else high = middle;
      }
      const share = (x - from[low]) / (from[high] - from[low]);
      return to[low] + share * (to[high] - to[low]);
    });
}

function quantilesOf(fields: readonly ArrayLike<number>[], cell: number, count: number): Float64Array {
  const sorted = Float64Array.from(fields, (field) => field[cell])
    .filter((x) => !Number.isNaN(x))
    .sort();
  return Float64Array.from({ length: count }, (_, q) => {
    const at = (q / (count - 1)) * (sorted.length - 1);
    const k = Math.floor(at);
    return sorted[k] + (at - k) * ((sorted[k + 1] ?? sorted[k]) - sorted[k]);
  });
}
