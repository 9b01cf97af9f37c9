/**
 * Bicubic interpolation from rows and columns: cubic Hermite polynomials along longitude and along latitude, whose slopes
 * at the nodes are those of the parabola through a node and its two neighbours. On even spacing that is the cubic
 * convolution of Keys (1981, IEEE Trans. ASSP 29, eq. 4 with a = -1/2), exact for quadratics; on uneven spacing (Gaussian
 * rows) it stays so.
 *
 * Columns of a global grid go on around the globe, rows across the poles onto the meridian opposite (scalars only: a wind
 * component changes its sign there). At the rim of a regional grid the slope is one-sided; outside it is no value.
 */
import { bracket, longitudeBracket, targetPoints } from "./bracket.js";
import { type Grid, isPeriodic, pointsOf, type RectilinearGrid } from "./grid.js";
import { bilinearWeights } from "./interpolate.js";
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
  addSlope(weights, 1, h10 * h, x[0] === undefined ? undefined : x[1] - x[0], h);
  addSlope(weights, 2, h11 * h, h, x[3] === undefined ? undefined : x[3] - x[2]);
  return { nodes: [low - 1, low, low + 1, low + 2], weights };
}

/** Adds `factor` times the slope at node k, by the parabola through it and its neighbours at distances before and after. */
function addSlope(weights: number[], k: number, factor: number, before?: number, after?: number): void {
  if (before === undefined) {
    weights[k] -= factor / after!;
    weights[k + 1] += factor / after!;
  } else if (after === undefined) {
    weights[k - 1] -= factor / before;
    weights[k] += factor / before;
  } else {
    const both = before + after;
    weights[k - 1] -= (factor * after) / (before * both);
    weights[k] += (factor * (after - before)) / (before * after);
    weights[k + 1] += (factor * before) / (after * both);
  }
}

/** Bicubic weights; a value that lacks one of its sixteen sources is interpolated bilinearly. */
export function bicubicWeights(source: RectilinearGrid, target: Grid): RegridWeights {
  const { latitudes, longitudes } = source;
  const [ny, nx] = [latitudes.length, longitudes.length];
  const fallback = bilinearWeights(source, target);
  if (ny < 2 || nx < 2) return fallback;
  const periodic = isPeriodic(source);
  const turn = longitudes[1] > longitudes[0] ? 360 : -360;
  const lines = latitudeLine(source, periodic);
  const longitudeAt = (node: number): number | undefined =>
    periodic ? longitudes[((node % nx) + nx) % nx] + Math.floor(node / nx) * turn : longitudes[node];
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
            const column = periodic ? (((alongX.nodes[i] + shift) % nx) + nx) % nx : alongX.nodes[i];
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

/** Where a node of the line of latitudes lies: a row, shifted by columns; two halves where half a turn is no whole column. */
interface RowPart {
  readonly row: number;
  readonly shift: number;
  readonly share: number;
}

/** The rows as a line that, on a global grid, goes on across both poles. */
function latitudeLine(
  { latitudes, longitudes }: RectilinearGrid,
  global: boolean,
): {
  find(latitude: number): { low: number; share: number } | undefined;
  at(node: number): number | undefined;
  rows(node: number): RowPart[];
} {
  const [ny, nx] = [latitudes.length, longitudes.length];
  const sign = latitudes[1] > latitudes[0] ? 1 : -1;
  const spacing = Math.abs(latitudes[1] - latitudes[0]);
  const reaches = (latitude: number): boolean => global && 90 - Math.abs(latitude) <= 2 * spacing;
  const [first, last] = [reaches(latitudes[0]), reaches(latitudes[ny - 1])];
  // a row on the pole is its own image: the next beyond it is the image of the row before it
  const onPole = (latitude: number): number => (Math.abs(latitude) > 90 - 1e-6 ? 1 : 0);
  const [low, high] = [onPole(latitudes[0]), onPole(latitudes[ny - 1])];
  const image = (node: number): number | undefined => {
    if (node >= 0 && node < ny) return node;
    const mirrored = node < 0 ? -1 - node + low : 2 * ny - 1 - node - high;
    return (node < 0 ? first : last) && mirrored >= 0 && mirrored < ny ? mirrored : undefined;
  };
  const at = (node: number): number | undefined => {
    const row = image(node);
    if (row === undefined || row === node) return row === undefined ? undefined : latitudes[row];
    return (node < 0 ? -sign : sign) * 180 - latitudes[row];
  };
  return {
    at,
    find(latitude) {
      const inside = bracket(latitudes, latitude);
      if (inside) return inside;
      const before = (latitude - latitudes[0]) * sign < 0;
      const node = before ? -1 : ny - 1;
      const [from, to] = [at(node), at(node + 1)];
      return from === undefined || to === undefined ? undefined : { low: node, share: (latitude - from) / (to - from) };
    },
    rows(node) {
      const row = image(node)!;
      if (row === node) return [{ row, shift: 0, share: 1 }];
      if (nx % 2 === 0) return [{ row, shift: nx / 2, share: 1 }];
      return [
        { row, shift: (nx - 1) / 2, share: 0.5 },
        { row, shift: (nx + 1) / 2, share: 0.5 },
      ];
    },
  };
}
