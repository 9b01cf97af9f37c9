/**
 * Bicubic interpolation from rows and columns: cubic Hermite polynomials along longitude and along latitude, whose slopes
 * at the nodes are those of the parabola through a node and its two neighbours. On even spacing that is the cubic
 * convolution of Keys (1981, IEEE Trans. ASSP 29, eq. 4 with a = -1/2), exact for quadratics; on uneven spacing (Gaussian
 * rows) it stays so.
 *
 * Columns of a global grid go on around the globe, rows across the poles onto the meridian opposite (scalars only: a wind
 * component changes its sign there). At the rim of a regional grid the slope is one-sided; outside it is no value.
 */
import { longitudeBracket, targetPoints } from "./bracket.js";
import { type Grid, pointsOf, type RectilinearGrid } from "./grid.js";
import { bilinearWeights } from "./interpolate.js";
import { latitudeLine, longitudeLine, slopeWeights } from "./lines.js";
import { type RegridWeights, weightsBuilder } from "./weights.js";

/** Up to four nodes of a line and their weights; node numbers may lie beyond the line's ends where it goes on. */
interface Stencil {
  readonly nodes: readonly number[];
  readonly weights: readonly number[];
}

/**
 * Cubic Hermite weights of the nodes low - 1 to low + 2 at `share` of the way from `low` to the next; `at` gives a node's
 * coordinate, undefined where the line has ended.
 */
function cubic(at: (node: number) => number | undefined, low: number, share: number): Stencil {
  const x = [at(low - 1), at(low)!, at(low + 1)!, at(low + 2)] as const;
  const h = x[2] - x[1];
  const s = share;
  // Hermite's base: values at both ends, slopes (times h) at both ends
  const [h00, h01] = [(1 + 2 * s) * (1 - s) ** 2, s * s * (3 - 2 * s)];
  const [h10, h11] = [s * (1 - s) ** 2, s * s * (s - 1)];
  const weights = [0, h00, h01, 0];
  const before = slopeWeights(x[0] === undefined ? undefined : x[1] - x[0], h);
  const after = slopeWeights(h, x[3] === undefined ? undefined : x[3] - x[2]);
  for (let k = 0; k < 3; k++) {
    weights[k] += h10 * h * before[k];
    weights[k + 1] += h11 * h * after[k];
  }
  return { nodes: [low - 1, low, low + 1, low + 2], weights };
}

/** Bicubic weights; a value that lacks one of its sixteen sources is interpolated bilinearly. */
export function bicubicWeights(source: RectilinearGrid, target: Grid): RegridWeights {
  const { latitudes, longitudes } = source;
  const [ny, nx] = [latitudes.length, longitudes.length];
  const fallback = bilinearWeights(source, target);
  if (ny < 2 || nx < 2) return fallback;
  const lines = latitudeLine(source);
  const columns = longitudeLine(source);
  const longitudeAt = (node: number): number | undefined => columns.at(node);
  const builder = weightsBuilder(pointsOf(target), ny * nx);
  const row = new Map<number, number>();
  for (const [latitude, longitude] of targetPoints(target)) {
    const y = lines.find(latitude);
    const x = longitudeBracket(source, longitude);
    if (x && y) {
      // across the seam of falling longitudes the bracket runs the other way
      const forward = x.high === x.low + 1 || x.low > x.high;
      const alongX = forward ? cubic(longitudeAt, x.low, x.share) : cubic(longitudeAt, x.high, 1 - x.share);
      const alongY = cubic((node) => lines.at(node), y.low, y.share);
      alongY.weights.forEach((wy, j) => {
        if (wy === 0) return;
        for (const { row: r, shift, share } of lines.rows(alongY.nodes[j]))
          alongX.weights.forEach((wx, i) => {
            if (wx === 0) return;
            const column = columns.column(alongX.nodes[i] + shift);
            row.set(r * nx + column, (row.get(r * nx + column) ?? 0) + wy * wx * share);
          });
      });
    }
    for (const [column, weight] of row) builder.add(column, weight);
    row.clear();
    builder.endRow();
  }
  return { ...builder.build(), fallback };
}
