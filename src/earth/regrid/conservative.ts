/**
 * First-order conservative remapping between grids of rows and columns (Jones 1999): each target cell gets the mean of the
 * source cells weighted by the area they share with it, so that the integral over what both cover stays the same.
 *
 * Cells are bounded by meridians and parallels; the shared area is the product of shared longitudes and shared sines of
 * latitude, R^2 dlambda (sin phi2 - sin phi1).
 */
import { latitudeEdges, longitudeEdges, RADIANS, type RectilinearGrid } from "./grid.js";
import { type RegridWeights, weightsBuilder } from "./weights.js";

/** What a target interval shares with source intervals. */
type Shares = { index: number; share: number }[];

/** By target cell: the source cells it shares an interval with. Edges rise or fall. */
function overlaps(source: Float64Array, target: Float64Array, shifts: readonly number[]): Shares[] {
  const cells = (edges: Float64Array): [number, number][] =>
    Array.from({ length: edges.length - 1 }, (_, i) => [
      Math.min(edges[i], edges[i + 1]),
      Math.max(edges[i], edges[i + 1]),
    ]);
  const from = cells(source);
  const rising = source[source.length - 1] > source[0];
  return cells(target).map(([low, high]) => {
    const shares: Shares = [];
    for (const shift of shifts) {
      // bisection to the first source cell that may share
      let a = 0;
      let b = from.length;
      while (a < b) {
        const middle = (a + b) >> 1;
        const before = rising ? from[middle][1] + shift <= low : from[middle][0] + shift >= high;
        if (before) a = middle + 1;
        else b = middle;
      }
      for (let i = a; i < from.length; i++) {
        const share = Math.min(high, from[i][1] + shift) - Math.max(low, from[i][0] + shift);
        if (share <= 0) break;
        // slivers of rounding are no overlap
        if (share > 1e-12 * (high - low)) shares.push({ index: i, share });
      }
    }
    return shares;
  });
}

/** Weights by shared area, scaled so that those of a target cell add up to 1 over what the source covers of it. */
export function conservativeWeights(source: RectilinearGrid, target: RectilinearGrid): RegridWeights {
  const nx = source.longitudes.length;
  const sines = (grid: RectilinearGrid): Float64Array => latitudeEdges(grid).map((edge) => Math.sin(edge * RADIANS));
  const rows = overlaps(sines(source), sines(target), [0]);
  const sourceEdges = longitudeEdges(source);
  const targetEdges = longitudeEdges(target);
  // the grids may begin anywhere: shift the source by whole turns
  const turns = Math.round((targetEdges[0] - sourceEdges[0]) / 360);
  const columns = overlaps(
    sourceEdges,
    targetEdges,
    [-2, -1, 0, 1, 2].map((k) => (turns + k) * 360),
  );
  const builder = weightsBuilder(target.latitudes.length * target.longitudes.length, source.latitudes.length * nx);
  const total = (shares: Shares): number => shares.reduce((sum, { share }) => sum + share, 0);
  const columnTotals = columns.map(total);
  for (const row of rows) {
    const rowTotal = total(row);
    columns.forEach((column, c) => {
      const area = rowTotal * columnTotals[c];
      for (const y of row) for (const x of column) builder.add(y.index * nx + x.index, (y.share * x.share) / area);
      builder.endRow();
    });
  }
  return builder.build();
}
