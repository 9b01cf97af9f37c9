/**
 * Conservative remapping between a curvilinear grid and rows and columns: weights are the areas that cells share on the
 * sphere, in the second order (`gradients.ts`) with what the source's gradients make of where they share them.
 *
 * The edges of curvilinear cells are great circles between corners midway between four nodes (beyond the outermost, as far as
 * the next node inside); those of rows and columns are meridians and parallels, a parallel as a chain of short great circles.
 * Cells are clipped where they lie, by the planes of the great circles (Sutherland and Hodgman 1974), and measured by their
 * spherical excess (Van Oosterom and Strackee 1983), so that parts of a cell add up to the whole.
 */
import { type CurvilinearGrid, latitudeEdges, longitudeEdges, RADIANS, type RectilinearGrid } from "./grid.js";
import { type RegridWeights, weightsBuilder } from "./weights.js";

export type Vector = readonly [x: number, y: number, z: number];

const vector = (latitude: number, longitude: number): Vector => {
  const [lat, lon] = [latitude * RADIANS, longitude * RADIANS];
  return [Math.cos(lat) * Math.cos(lon), Math.cos(lat) * Math.sin(lon), Math.sin(lat)];
};
export const dot = (a: Vector, b: Vector): number => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
export const cross = (a: Vector, b: Vector): Vector => [
  a[1] * b[2] - a[2] * b[1],
  a[2] * b[0] - a[0] * b[2],
  a[0] * b[1] - a[1] * b[0],
];
export const minus = (a: Vector, b: Vector): Vector => [a[0] - b[0], a[1] - b[1], a[2] - b[2]];
const sumOf = (vectors: readonly Vector[]): Vector =>
  vectors.reduce<Vector>((sum, v) => [sum[0] + v[0], sum[1] + v[1], sum[2] + v[2]], [0, 0, 0]);
export const unit = (v: Vector): Vector => {
  const length = Math.hypot(...v);
  return [v[0] / length, v[1] / length, v[2] / length];
};

/** The area of a polygon on the unit sphere; positive where it runs counterclockwise seen from outside. */
export function sphericalArea(polygon: readonly Vector[]): number {
  let area = 0;
  const [a] = polygon;
  for (let i = 1; i + 1 < polygon.length; i++) {
    const [b, c] = [polygon[i], polygon[i + 1]];
    // differences keep the digits that small triangles have
    const volume = dot(a, cross(minus(b, a), minus(c, a)));
    area += 2 * Math.atan2(volume, 1 + dot(a, b) + dot(b, c) + dot(c, a));
  }
  return area;
}

/** The integral of the position over a polygon on the unit sphere, half the sum over its edges of angle times normal (Stokes). */
export function sphericalMoment(polygon: readonly Vector[]): Vector {
  const sum: [number, number, number] = [0, 0, 0];
  polygon.forEach((a, i) => {
    const b = polygon[(i + 1) % polygon.length];
    const normal = cross(a, b);
    const sine = Math.hypot(...normal);
    const half = sine === 0 ? 0.5 : Math.atan2(sine, dot(a, b)) / sine / 2;
    for (let k = 0; k < 3; k++) sum[k] += half * normal[k];
  });
  return sum;
}

/** What of a polygon lies on the left of the great circles through a convex polygon's edges. */
function clipped(polygon: readonly Vector[], normals: readonly Vector[]): readonly Vector[] {
  let inside = polygon;
  for (const normal of normals) {
    if (inside.length < 3) return [];
    const next: Vector[] = [];
    let before = inside[inside.length - 1];
    let heightBefore = dot(normal, before);
    for (const here of inside) {
      const height = dot(normal, here);
      if (height >= 0 !== heightBefore >= 0) {
        const t = heightBefore / (heightBefore - height);
        next.push(
          unit([
            before[0] + t * (here[0] - before[0]),
            before[1] + t * (here[1] - before[1]),
            before[2] + t * (here[2] - before[2]),
          ]),
        );
      }
      if (height >= 0) next.push(here);
      [before, heightBefore] = [here, height];
    }
    inside = next;
  }
  return inside;
}

/** Corners [rows + 1, columns + 1] of a curvilinear grid's cells. */
function cornersOf({ rows, columns, latitudes, longitudes }: CurvilinearGrid): Vector[] {
  const node = (j: number, i: number): Vector => vector(latitudes[j * columns + i], longitudes[j * columns + i]);
  // a ring of nodes beyond the outermost, as far out as the next ones lie inside
  const beyond = (near: Vector, far: Vector | undefined): Vector =>
    far ? [2 * near[0] - far[0], 2 * near[1] - far[1], 2 * near[2] - far[2]] : near;
  const along = (j: number, i: number): Vector => {
    if (i < 0) return beyond(node(j, 0), columns > 1 ? node(j, 1) : undefined);
    if (i >= columns) return beyond(node(j, columns - 1), columns > 1 ? node(j, columns - 2) : undefined);
    return node(j, i);
  };
  const at = (j: number, i: number): Vector => {
    if (j < 0) return beyond(along(0, i), rows > 1 ? along(1, i) : undefined);
    if (j >= rows) return beyond(along(rows - 1, i), rows > 1 ? along(rows - 2, i) : undefined);
    return along(j, i);
  };
  const corners: Vector[] = [];
  for (let j = 0; j <= rows; j++)
    for (let i = 0; i <= columns; i++) {
      const four = [at(j - 1, i - 1), at(j - 1, i), at(j, i), at(j, i - 1)];
      corners.push(unit(sumOf(four)));
    }
  return corners;
}

/** The cells of a curvilinear grid, counterclockwise. */
export function curvilinearCells(grid: CurvilinearGrid): Vector[][] {
  const { rows, columns } = grid;
  const corners = cornersOf(grid);
  const cells: Vector[][] = [];
  for (let j = 0; j < rows; j++)
    for (let i = 0; i < columns; i++) {
      const first = j * (columns + 1) + i;
      const cell = [first, first + 1, first + columns + 2, first + columns + 1].map((at) => corners[at]);
      cells.push(sphericalArea(cell) < 0 ? cell.reverse() : cell);
    }
  return cells;
}

/** Parallels are followed in steps of at most so many degrees. */
const PARALLEL_STEP = 0.5;

/** What a curvilinear cell and one of rows and columns share. */
export interface SharedArea {
  readonly curved: number;
  readonly straight: number;
  readonly area: number;
  /** The part they share, counterclockwise. */
  readonly part: readonly Vector[];
}

/** The cell at a row and a column, counterclockwise; parallels as chains of short great circles. */
export function straightCell(
  latitudes: Float64Array,
  longitudes: Float64Array,
  row: number,
  column: number,
): readonly Vector[] {
  const [south, north] = [latitudes[row], latitudes[row + 1]].sort((a, b) => a - b);
  const [west, east] = [longitudes[column], longitudes[column + 1]].sort((a, b) => a - b);
  const steps = Math.max(1, Math.ceil((east - west) / PARALLEL_STEP));
  const parallel = (latitude: number, from: number, to: number): Vector[] =>
    Array.from({ length: steps + 1 }, (_, k) => vector(latitude, from + ((to - from) * k) / steps));
  return [...parallel(south, west, east), ...parallel(north, east, west)];
}

/** Shared areas of curvilinear cells and cells of rows and columns, on the unit sphere. */
export function sharedAreas(curved: CurvilinearGrid, straight: RectilinearGrid): SharedArea[] {
  const shared: SharedArea[] = [];
  const [latitudes, longitudes] = [latitudeEdges(straight), longitudeEdges(straight)];
  const nx = straight.longitudes.length;
  const polygons = new Map<number, readonly Vector[]>();
  const polygonOf = (row: number, column: number): readonly Vector[] => {
    const index = row * nx + column;
    let polygon = polygons.get(index);
    if (!polygon) {
      polygon = straightCell(latitudes, longitudes, row, column);
      polygons.set(index, polygon);
    }
    return polygon;
  };
  curvilinearCells(curved).forEach((cell, index) => {
    const normals = cell.map((corner, k) => cross(corner, cell[(k + 1) % cell.length]));
    for (const [row, column] of candidates(cell, normals, latitudes, longitudes)) {
      const part = clipped(polygonOf(row, column), normals);
      const area = part.length < 3 ? 0 : sphericalArea(part);
      // slivers of rounding are no overlap
      if (area > 1e-16) shared.push({ curved: index, straight: row * nx + column, area, part });
    }
  });
  return shared;
}

/** Rows and columns that may share something with a cell. */
function* candidates(
  cell: readonly Vector[],
  normals: readonly Vector[],
  latitudes: Float64Array,
  longitudes: Float64Array,
): Generator<[row: number, column: number]> {
  const lats = cell.map((v) => Math.asin(Math.max(-1, Math.min(1, v[2]))) / RADIANS);
  const centre = sumOf(cell);
  const middle = Math.atan2(centre[1], centre[0]) / RADIANS;
  const turns = cell.map((v) => {
    const d = Math.atan2(v[1], v[0]) / RADIANS - middle;
    return d - 360 * Math.round(d / 360);
  });
  // great circles bulge beyond the latitudes of their ends, by less than a quarter of the cell
  const bulge = 0.25 * (Math.max(...lats) - Math.min(...lats)) + 1e-9;
  const holdsPole = [1, -1].map((z) => normals.every((normal) => dot(normal, [0, 0, z]) >= 0));
  const south = holdsPole[1] ? -90 : Math.min(...lats) - bulge;
  const north = holdsPole[0] ? 90 : Math.max(...lats) + bulge;
  const around = holdsPole[0] || holdsPole[1];
  const [west, east] = around ? [-180, 180] : [Math.min(...turns) - 1e-9, Math.max(...turns) + 1e-9];
  const least = Math.min(longitudes[0], longitudes[longitudes.length - 1]);
  const columns = new Set<number>();
  const first = Math.floor((least - middle - east) / 360);
  for (let turn = first; turn <= first + 2; turn++)
    for (const column of between(longitudes, middle + west + 360 * turn, middle + east + 360 * turn))
      columns.add(column);
  for (const row of between(latitudes, south, north)) for (const column of columns) yield [row, column];
}

/** The intervals between edges, which rise or fall, that reach into [low, high]. */
function* between(edges: Float64Array, low: number, high: number): Generator<number> {
  const count = edges.length - 1;
  const rising = edges[count] > edges[0];
  const ends = (i: number): boolean => (rising ? edges[i + 1] <= low : edges[i + 1] >= high);
  let [a, b] = [0, count];
  while (a < b) {
    const middle = (a + b) >> 1;
    if (ends(middle)) a = middle + 1;
    else b = middle;
  }
  for (let i = a; i < count && (rising ? edges[i] < high : edges[i] > low); i++) yield i;
}

/** Weights by shared area from a curvilinear grid to rows and columns; those of a target cell add up to 1 over what is covered. */
export const fromCurvilinear = (source: CurvilinearGrid, target: RectilinearGrid): RegridWeights =>
  areaWeights(sharesBetween(source, target), source.rows * source.columns, cellsOf(target));

/** The same from rows and columns to a curvilinear grid. */
export const toCurvilinear = (source: RectilinearGrid, target: CurvilinearGrid): RegridWeights =>
  areaWeights(sharesBetween(source, target), cellsOf(source), target.rows * target.columns);

/** What a source cell gives a target cell. */
export interface Share {
  readonly from: number;
  readonly to: number;
  readonly area: number;
  readonly part: readonly Vector[];
}

/** Shares between two grids of which one is curvilinear, by target cell. */
export function sharesBetween(
  source: CurvilinearGrid | RectilinearGrid,
  target: CurvilinearGrid | RectilinearGrid,
): Share[] {
  const shares =
    source.kind === "curvilinear"
      ? sharedAreas(source, target as RectilinearGrid).map(({ curved, straight, area, part }) => ({
          ...{ from: curved, to: straight },
          area,
          part,
        }))
      : sharedAreas(target as CurvilinearGrid, source).map(({ curved, straight, area, part }) => ({
          ...{ from: straight, to: curved },
          area,
          part,
        }));
  return shares.sort((a, b) => a.to - b.to);
}

export const cellsOf = (grid: CurvilinearGrid | RectilinearGrid): number =>
  grid.kind === "curvilinear" ? grid.rows * grid.columns : grid.latitudes.length * grid.longitudes.length;

/** Weights by area of shares in the order of their targets. */
export function areaWeights(shares: readonly Share[], sourceSize: number, targetSize: number): RegridWeights {
  const covered = coveredAreas(shares, targetSize);
  const builder = weightsBuilder(targetSize, sourceSize);
  let at = 0;
  for (let to = 0; to < targetSize; to++) {
    for (; at < shares.length && shares[at].to === to; at++)
      builder.add(shares[at].from, shares[at].area / covered[to]);
    builder.endRow();
  }
  return builder.build();
}

/** What the source covers of each target cell. */
export function coveredAreas(shares: readonly Share[], targetSize: number): Float64Array {
  const covered = new Float64Array(targetSize);
  for (const { to, area } of shares) covered[to] += area;
  return covered;
}
