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
  if (method === "nearest") {
    const weights = regridWeights(coarse, fine, "nearest");
    return (field) => applyWeights(weights, field);
  }
  const rows = Float64Array.from(fine.latitudes, (latitude) => position(coarse.latitudes, latitude));
  const columns = Float64Array.from(fine.longitudes, (longitude) =>
    position(coarse.longitudes, nearestTurn(longitude, coarse.longitudes)),
  );
  const reach = method === "bicubic" ? 2 : 1;
  const kernel = method === "bicubic" ? cubic : (x: number) => Math.max(0, 1 - Math.abs(x));
  const taps = (at: Float64Array, length: number) =>
    Array.from(at, (x) =>
      Array.from({ length: 2 * reach }, (_, k) => {
        const i = Math.floor(x) - reach + 1 + k;
        return { index: Math.min(length - 1, Math.max(0, i)), weight: kernel(x - i) };
      }),
    );
  const rowTaps = taps(rows, coarse.latitudes.length);
  const columnTaps = taps(columns, coarse.longitudes.length);
  return (field) => {
    const out = new Float32Array(rows.length * columns.length);
    rowTaps.forEach((down, i) =>
      columnTaps.forEach((along, j) => {
        let sum = 0;
        for (const r of down)
          for (const c of along) sum += r.weight * c.weight * field[r.index * coarse.longitudes.length + c.index];
        out[i * columns.length + j] = sum;
      }),
    );
    return out;
  };
}

/** Keys's cubic convolution with a = -1/2 (1981), exact for parabolas. */
function cubic(x: number): number {
  const d = Math.abs(x);
  if (d <= 1) return 1.5 * d ** 3 - 2.5 * d ** 2 + 1;
  return d < 2 ? -0.5 * d ** 3 + 2.5 * d ** 2 - 4 * d + 2 : 0;
}

/** A value's place between ascending or descending coordinates as a fractional index, held at the ends. */
function position(coordinates: Float64Array, value: number): number {
  const last = coordinates.length - 1;
  const sign = coordinates[last] > coordinates[0] ? 1 : -1;
  if (sign * (value - coordinates[0]) <= 0) return 0;
  for (let i = 1; i <= last; i++)
    if (sign * (coordinates[i] - value) >= 0)
      return i - 1 + (value - coordinates[i - 1]) / (coordinates[i] - coordinates[i - 1]);
  return last;
}

/** The longitude plus the multiple of 360 that brings it nearest to the middle of the grid. */
function nearestTurn(longitude: number, longitudes: Float64Array): number {
  const middle = (longitudes[0] + longitudes[longitudes.length - 1]) / 2;
  return longitude - 360 * Math.round((longitude - middle) / 360);
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
