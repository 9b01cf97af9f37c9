/**
 * Bilinear interpolation from a curvilinear grid (Lambert, polar stereographic, rotated: rows and columns whose latitudes
 * and longitudes are both two-dimensional). The four corners around a place are seen in the gnomonic projection centred on
 * it, in which great circles are straight; the place within them is found by Newton's iteration.
 */
import { targetPoints } from "./bracket.js";
import { type CurvilinearGrid, type Grid, pointsOf, RADIANS } from "./grid.js";
import { nearestFinder } from "./sphere-points.js";
import { type RegridWeights, weightsBuilder } from "./weights.js";

/** Places on the tangent plane at a latitude and longitude; undefined on the far side. */
function gnomonic(latitude: number, longitude: number): (lat: number, lon: number) => [number, number] | undefined {
  const [sin0, cos0] = [Math.sin(latitude * RADIANS), Math.cos(latitude * RADIANS)];
  return (lat, lon) => {
    const [sin, cos] = [Math.sin(lat * RADIANS), Math.cos(lat * RADIANS)];
    const d = (lon - longitude) * RADIANS;
    const facing = sin0 * sin + cos0 * cos * Math.cos(d);
    if (facing < 0.1) return undefined;
    return [(cos * Math.sin(d)) / facing, (cos0 * sin - sin0 * cos * Math.cos(d)) / facing];
  };
}

/** How far along both axes of a quadrilateral the origin lies; undefined outside it. */
function inverseBilinear(corners: readonly (readonly [number, number])[]): [number, number] | undefined {
  const [a, b, c, d] = corners; // (0,0), (1,0), (1,1), (0,1)
  let [s, t] = [0.5, 0.5];
  for (let step = 0; step < 30; step++) {
    const at = [0, 1].map((k) => (1 - s) * (1 - t) * a[k] + s * (1 - t) * b[k] + s * t * c[k] + (1 - s) * t * d[k]);
    const ds = [0, 1].map((k) => (1 - t) * (b[k] - a[k]) + t * (c[k] - d[k]));
    const dt = [0, 1].map((k) => (1 - s) * (d[k] - a[k]) + s * (c[k] - b[k]));
    const determinant = ds[0] * dt[1] - ds[1] * dt[0];
    if (determinant === 0 || Number.isNaN(determinant)) return undefined;
    const [es, et] = [(at[0] * dt[1] - at[1] * dt[0]) / determinant, (ds[0] * at[1] - ds[1] * at[0]) / determinant];
    [s, t] = [s - es, t - et];
    if (Math.abs(es) + Math.abs(et) < 1e-13) break;
  }
  const slack = 1e-9;
  const inside = s >= -slack && s <= 1 + slack && t >= -slack && t <= 1 + slack;
  return inside ? [Math.min(1, Math.max(0, s)), Math.min(1, Math.max(0, t))] : undefined;
}

/** Cells looked at around the nearest node: as many rows and columns on either side. */
const REACH = 2;

/** Bilinear weights within the cell around each place; none outside the grid. */
export function curvilinearWeights(source: CurvilinearGrid, target: Grid): RegridWeights {
  const { rows, columns, latitudes, longitudes } = source;
  const find = nearestFinder(latitudes, longitudes);
  const builder = weightsBuilder(pointsOf(target), rows * columns);
  for (const [latitude, longitude] of targetPoints(target)) {
    const [near] = find(latitude, longitude, 1);
    const project = gnomonic(latitude, longitude);
    for (const [row, column] of cellsAround(near.index, rows, columns)) {
      const nodes = [row * columns + column, row * columns + column + 1];
      nodes.push(nodes[1] + columns, nodes[0] + columns);
      const corners = nodes.map((node) => project(latitudes[node], longitudes[node]));
      if (corners.some((corner) => corner === undefined)) continue;
      const place = inverseBilinear(corners as [number, number][]);
      if (!place) continue;
      const [s, t] = place;
      const shares = [(1 - s) * (1 - t), s * (1 - t), s * t, (1 - s) * t];
      nodes.forEach((node, k) => builder.add(node, shares[k]));
      break;
    }
    builder.endRow();
  }
  return builder.build();
}

/** The cells near a node, those that touch it first. */
function cellsAround(node: number, rows: number, columns: number): [number, number][] {
  const [row, column] = [Math.floor(node / columns), node % columns];
  const cells: [number, number][] = [];
  for (let j = row - REACH; j < row + REACH; j++)
    for (let i = column - REACH; i < column + REACH; i++)
      if (j >= 0 && i >= 0 && j < rows - 1 && i < columns - 1) cells.push([j, i]);
  const distance = ([j, i]: [number, number]): number => Math.abs(j + 0.5 - row) + Math.abs(i + 0.5 - column);
  return cells.sort((a, b) => distance(a) - distance(b));
}
