/**
 * Conservative remapping of first and second order between grids of rows and columns (Jones 1999, Mon. Wea. Rev. 127): each target cell gets the mean of the
 * source cells weighted by the area they share with it, so that the integral over what both cover stays the same.
 *
 * Cells are bounded by meridians and parallels; the shared area is the product of shared longitudes and shared sines of
 * latitude, R^2 dlambda (sin phi2 - sin phi1).
 */
import { latitudeEdges, longitudeEdges, RADIANS, type RectilinearGrid } from "./grid.js";
import { latitudeLine, longitudeLine, slopeWeights } from "./lines.js";
import { type RegridWeights, weightsBuilder } from "./weights.js";

/** What a target interval shares with source intervals: how much, and from where to where as the source counts. */
type Shares = { index: number; share: number; low: number; high: number }[];

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
        const [least, most] = [Math.max(low, from[i][0] + shift), Math.min(high, from[i][1] + shift)];
        const share = most - least;
        if (share <= 0) break;
        // slivers of rounding are no overlap
        if (share > 1e-12 * (high - low)) shares.push({ index: i, share, low: least - shift, high: most - shift });
      }
    }
    return shares;
  });
}

/** Shares of rows (in sines of latitude) and columns (in degrees), by target row and column. */
function sharedCells(source: RectilinearGrid, target: RectilinearGrid): { rows: Shares[]; columns: Shares[] } {
  const sines = (grid: RectilinearGrid): Float64Array => latitudeEdges(grid).map((edge) => Math.sin(edge * RADIANS));
  const sourceEdges = longitudeEdges(source);
  const targetEdges = longitudeEdges(target);
  // the grids may begin anywhere: shift the source by whole turns
  const turns = Math.round((targetEdges[0] - sourceEdges[0]) / 360);
  const shifts = [-2, -1, 0, 1, 2].map((k) => (turns + k) * 360);
  return {
    rows: overlaps(sines(source), sines(target), [0]),
    columns: overlaps(sourceEdges, targetEdges, shifts),
  };
}

const total = (shares: Shares): number => shares.reduce((sum, { share }) => sum + share, 0);

/** Weights by shared area, scaled so that those of a target cell add up to 1 over what the source covers of it. */
export function conservativeWeights(source: RectilinearGrid, target: RectilinearGrid): RegridWeights {
  const nx = source.longitudes.length;
  const { rows, columns } = sharedCells(source, target);
  const builder = weightsBuilder(target.latitudes.length * target.longitudes.length, source.latitudes.length * nx);
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

/**
 * Second-order conservative weights (Jones 1999, eqs. 5 to 9): within a source cell the field is its mean and a gradient,
 * linear in longitude and latitude about the cell's centre of mass, so that a gradient takes nothing from the integral.
 * Gradients are those of parabolas through neighbouring cells, across the poles too. Where one of them is missing, the
 * first-order weights are taken.
 */
export function secondOrderConservativeWeights(source: RectilinearGrid, target: RectilinearGrid): RegridWeights {
  const fallback = conservativeWeights(source, target);
  const [ny, nx] = [source.latitudes.length, source.longitudes.length];
  if (ny < 2 || nx < 2) return fallback;
  const { rows, columns } = sharedCells(source, target);
  const sines = latitudeEdges(source).map((edge) => Math.sin(edge * RADIANS));
  const edges = longitudeEdges(source);
  // integral of latitude over the sine: s asin s + sqrt(1 - s^2)
  const moment = (s: number): number => s * Math.asin(s) + Math.sqrt(Math.max(0, 1 - s * s));
  const centres = Array.from(
    { length: ny },
    (_, i) => (moment(sines[i + 1]) - moment(sines[i])) / (sines[i + 1] - sines[i]),
  );
  const middles = Array.from({ length: nx }, (_, i) => (edges[i] + edges[i + 1]) / 2);
  const [lines, around] = [latitudeLine(source), longitudeLine(source)];
  const north = Array.from({ length: ny }, (_, i) => slopeAt((node) => lines.at(node), i).map((w) => w / RADIANS));
  const east = Array.from({ length: nx }, (_, i) => slopeAt((node) => around.at(node), i));
  const builder = weightsBuilder(target.latitudes.length * target.longitudes.length, ny * nx);
  const sums = new Map<number, number>();
  const add = (cell: number, weight: number): void => {
    if (weight !== 0) sums.set(cell, (sums.get(cell) ?? 0) + weight);
  };
  const totals = columns.map(total);
  for (const row of rows) {
    const height = total(row);
    columns.forEach((column, c) => {
      const area = height * totals[c];
      for (const y of row) {
        const alongY = moment(y.high) - moment(y.low) - centres[y.index] * y.share;
        for (const x of column) {
          const alongX = x.share * ((x.low + x.high) / 2 - middles[x.index]);
          add(y.index * nx + x.index, (y.share * x.share) / area);
          for (let k = -1; k <= 1; k++) {
            const eastward = east[x.index][k + 1];
            if (eastward !== 0) add(y.index * nx + around.column(x.index + k), (eastward * y.share * alongX) / area);
            const northward = north[y.index][k + 1];
            if (northward !== 0)
              for (const { row: r, shift, share } of lines.rows(y.index + k))
                add(r * nx + around.column(x.index + shift), (northward * share * alongY * x.share) / area);
          }
        }
      }
      for (const [cell, weight] of sums) builder.add(cell, weight);
      sums.clear();
      builder.endRow();
    });
  }
  return { ...builder.build(), fallback };
}

/** Weights of the slope at a node of a line. */
function slopeAt(at: (node: number) => number | undefined, node: number): [number, number, number] {
  const [before, here, after] = [at(node - 1), at(node)!, at(node + 1)];
  return slopeWeights(before === undefined ? undefined : here - before, after === undefined ? undefined : after - here);
}
