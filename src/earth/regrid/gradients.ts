/**
 * Conservative remapping of second order (Jones 1999) between a curvilinear grid and rows and columns: within a source cell
 * the field is its mean f_n and a gradient g_n, a vector that touches the sphere at the cell's centre of mass. A part of the
 * cell with area A and moment M (the integral of the position over it) then gives a target
 *
 *     f_n A + g_n . M
 *
 * and because the moments of its parts add up to one along the centre, to which g_n is perpendicular, the gradient takes
 * nothing from the integral. Gradients are those of planes through the neighbours by least squares (weights 1 / distance^2).
 */
import {
  areaWeights,
  cellsOf,
  coveredAreas,
  cross,
  curvilinearCells,
  dot,
  minus,
  sharesBetween,
  sphericalMoment,
  straightCell,
  unit,
  type Vector,
} from "./conservative-cells.js";
import { type CurvilinearGrid, isPeriodic, latitudeEdges, longitudeEdges, type RectilinearGrid } from "./grid.js";
import { type RegridWeights, weightsBuilder } from "./weights.js";

type Cells = CurvilinearGrid | RectilinearGrid;

/** Second-order weights; where a neighbour is missing, those of first order are taken. */
export function secondOrderCellWeights(source: Cells, target: Cells): RegridWeights {
  const [sourceSize, targetSize] = [cellsOf(source), cellsOf(target)];
  const shares = sharesBetween(source, target);
  const fallback = areaWeights(shares, sourceSize, targetSize);
  const covered = coveredAreas(shares, targetSize);
  const centres = centresOf(source);
  const slopes = new Map<number, Slope[]>();
  const slopesAt = (cell: number): Slope[] => {
    let slope = slopes.get(cell);
    if (!slope) slopes.set(cell, (slope = slopesOf(cell, neighboursOf(source, cell), centres)));
    return slope;
  };
  const builder = weightsBuilder(targetSize, sourceSize);
  const sums = new Map<number, number>();
  const add = (cell: number, weight: number): void => void sums.set(cell, (sums.get(cell) ?? 0) + weight);
  let at = 0;
  for (let to = 0; to < targetSize; to++) {
    for (; at < shares.length && shares[at].to === to; at++) {
      const { from, area, part } = shares[at];
      add(from, area / covered[to]);
      const moment = sphericalMoment(part);
      for (const { neighbour, slope } of slopesAt(from)) {
        const weight = dot(slope, moment) / covered[to];
        add(neighbour, weight);
        add(from, -weight);
      }
    }
    for (const [cell, weight] of sums) builder.add(cell, weight);
    sums.clear();
    builder.endRow();
  }
  return { ...builder.build(), fallback };
}

/** Centres of mass of all cells, on the unit sphere. */
function centresOf(grid: Cells): Vector[] {
  const cells = grid.kind === "curvilinear" ? curvilinearCells(grid) : straightCells(grid);
  return cells.map((cell) => unit(sphericalMoment(cell)));
}

function straightCells(grid: RectilinearGrid): (readonly Vector[])[] {
  const [latitudes, longitudes] = [latitudeEdges(grid), longitudeEdges(grid)];
  const nx = grid.longitudes.length;
  return Array.from({ length: cellsOf(grid) }, (_, cell) =>
    straightCell(latitudes, longitudes, Math.floor(cell / nx), cell % nx),
  );
}

/** The cells beside, above and below. */
function neighboursOf(grid: Cells, cell: number): number[] {
  const [ny, nx] =
    grid.kind === "curvilinear" ? [grid.rows, grid.columns] : [grid.latitudes.length, grid.longitudes.length];
  const around = grid.kind === "rectilinear" && isPeriodic(grid);
  const [row, column] = [Math.floor(cell / nx), cell % nx];
  const found: number[] = [];
  for (const step of [-1, 1]) {
    if (row + step >= 0 && row + step < ny) found.push(cell + step * nx);
    const beside = around ? (column + step + nx) % nx : column + step;
    if (beside >= 0 && beside < nx && beside !== column) found.push(row * nx + beside);
  }
  return found;
}

/** What a unit of difference between a neighbour and the cell adds to the gradient. */
interface Slope {
  readonly neighbour: number;
  readonly slope: Vector;
}

function slopesOf(cell: number, neighbours: readonly number[], centres: readonly Vector[]): Slope[] {
  const centre = centres[cell];
  const east = unit(cross(Math.abs(centre[2]) < 0.9 ? [0, 0, 1] : [1, 0, 0], centre));
  const north = cross(centre, east);
  let [xx, xy, yy] = [0, 0, 0];
  const places = neighbours.map((neighbour) => {
    const away = minus(centres[neighbour], centre);
    const [x, y] = [dot(away, east), dot(away, north)];
    const weight = 1 / (x * x + y * y);
    xx += weight * x * x;
    xy += weight * x * y;
    yy += weight * y * y;
    return { neighbour, x, y, weight };
  });
  const determinant = xx * yy - xy * xy;
  // neighbours in one line alone tell no gradient across it
  if (!(determinant > 1e-9 * (xx + yy) ** 2)) return [];
  return places.map(({ neighbour, x, y, weight }) => {
    const a = (weight * (yy * x - xy * y)) / determinant;
    const b = (weight * (xx * y - xy * x)) / determinant;
    const slope: Vector = [a * east[0] + b * north[0], a * east[1] + b * north[1], a * east[2] + b * north[2]];
    return { neighbour, slope };
  });
}
