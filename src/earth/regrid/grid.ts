/** Where values live: rows and columns of latitudes and longitudes, curvilinear rows and columns, or points (stations). Degrees. */
import { UsageError } from "../../errors.js";

/** Values lie row by row, [latitude, longitude]; the coordinates rise or fall, longitudes within one turn. */
export interface RectilinearGrid {
  readonly kind: "rectilinear";
  readonly latitudes: Float64Array;
  readonly longitudes: Float64Array;
}

/** One value a point. */
export interface PointGrid {
  readonly kind: "points";
  readonly latitudes: Float64Array;
  readonly longitudes: Float64Array;
}

/** Rows and columns that follow neither parallels nor meridians: every node has a latitude and a longitude, row by row. */
export interface CurvilinearGrid {
  readonly kind: "curvilinear";
  readonly rows: number;
  readonly columns: number;
  readonly latitudes: Float64Array;
  readonly longitudes: Float64Array;
}

export type Grid = RectilinearGrid | PointGrid | CurvilinearGrid;

export const RADIANS = Math.PI / 180;

/** A grid of rows and columns, checked. */
export function rectilinear(latitudes: ArrayLike<number>, longitudes: ArrayLike<number>): RectilinearGrid {
  const grid: RectilinearGrid = {
    kind: "rectilinear",
    latitudes: Float64Array.from(latitudes),
    longitudes: Float64Array.from(longitudes),
  };
  checkOrder(grid.latitudes, "latitudes");
  checkOrder(grid.longitudes, "longitudes");
  if (grid.latitudes.some((y) => !(Math.abs(y) <= 90 + 1e-9)))
    throw new UsageError(
      `latitudes of a grid lie between -90 and 90, not at ${grid.latitudes.find((y) => !(Math.abs(y) <= 90 + 1e-9))}`,
    );
  const span = Math.abs(grid.longitudes[grid.longitudes.length - 1] - grid.longitudes[0]);
  if (span > 360 + 1e-9) throw new UsageError(`longitudes of a grid span at most a turn, not ${span} degrees`);
  return grid;
}

export const points = (latitudes: ArrayLike<number>, longitudes: ArrayLike<number>): PointGrid => ({
  kind: "points",
  latitudes: Float64Array.from(latitudes),
  longitudes: Float64Array.from(longitudes),
});

/** A grid of rows x columns nodes, checked. */
export function curvilinear(
  rows: number,
  columns: number,
  latitudes: ArrayLike<number>,
  longitudes: ArrayLike<number>,
): CurvilinearGrid {
  if (latitudes.length !== rows * columns || longitudes.length !== rows * columns)
    throw new UsageError(
      `a curvilinear grid of ${rows} x ${columns} nodes has as many latitudes and longitudes, not ${latitudes.length} and ${longitudes.length}`,
    );
  return {
    kind: "curvilinear",
    rows,
    columns,
    latitudes: Float64Array.from(latitudes),
    longitudes: Float64Array.from(longitudes),
  };
}

function checkOrder(values: Float64Array, what: string): void {
  if (values.length === 0) throw new UsageError(`a grid needs at least one of its ${what}`);
  const sign = values.length > 1 && values[1] < values[0] ? -1 : 1;
  for (let i = 1; i < values.length; i++)
    if (!((values[i] - values[i - 1]) * sign > 0))
      throw new UsageError(
        `${what} of a grid rise or fall throughout; at index ${i}, ${values[i]} follows ${values[i - 1]}`,
      );
}

/** A global grid named by its size, `360x181` (rows at the poles) or `360x180` (cell centres): longitudes from 0, south to north. */
export function globalGrid(name: string): RectilinearGrid {
  const match = /^(\d+)x(\d+)$/.exec(name);
  if (!match) throw new UsageError(`'${name}' names no grid; write longitudes x latitudes, such as 360x181`);
  const [nx, ny] = [Number(match[1]), Number(match[2])];
  if (nx < 1 || ny < 2) throw new UsageError(`a global grid has at least 1x2 points, not ${name}`);
  const poles = ny % 2 === 1;
  const step = 180 / (poles ? ny - 1 : ny);
  return rectilinear(
    Float64Array.from({ length: ny }, (_, i) => -90 + step * (poles ? i : i + 0.5)),
    Float64Array.from({ length: nx }, (_, i) => (360 * i) / nx),
  );
}

/** How many values a grid has. */
export const pointsOf = (grid: Grid): number =>
  grid.kind === "rectilinear" ? grid.latitudes.length * grid.longitudes.length : grid.latitudes.length;

/** True where the columns go all the way around: the gap at the seam is like the others. */
export function isPeriodic({ longitudes }: RectilinearGrid): boolean {
  const n = longitudes.length;
  if (n < 2) return false;
  const gaps = Array.from(longitudes.subarray(1), (x, i) => Math.abs(x - longitudes[i]));
  const seam = 360 - Math.abs(longitudes[n - 1] - longitudes[0]);
  return seam <= 1.5 * Math.max(...gaps);
}

/** The cells' edges along longitude, one more than there are columns; halfway between centres. */
export function longitudeEdges(grid: RectilinearGrid): Float64Array {
  const { longitudes } = grid;
  const n = longitudes.length;
  const edges = new Float64Array(n + 1);
  for (let i = 1; i < n; i++) edges[i] = (longitudes[i - 1] + longitudes[i]) / 2;
  const sign = n > 1 && longitudes[1] < longitudes[0] ? -1 : 1;
  if (n === 1) [edges[0], edges[1]] = [longitudes[0] - 180, longitudes[0] + 180];
  else if (isPeriodic(grid)) {
    edges[0] = (longitudes[0] + longitudes[n - 1] - sign * 360) / 2;
    edges[n] = edges[0] + sign * 360;
  } else {
    edges[0] = longitudes[0] - (longitudes[1] - longitudes[0]) / 2;
    edges[n] = longitudes[n - 1] + (longitudes[n - 1] - longitudes[n - 2]) / 2;
  }
  return edges;
}

/** Edges beyond this latitude are the pole itself: the last row of a global Gaussian grid reaches it. */
const POLAR = 88;

/** The cells' edges along latitude; halfway between centres, the outermost half a spacing on or at the pole. */
export function latitudeEdges({ latitudes }: RectilinearGrid): Float64Array {
  const n = latitudes.length;
  const edges = new Float64Array(n + 1);
  for (let i = 1; i < n; i++) edges[i] = (latitudes[i - 1] + latitudes[i]) / 2;
  const outer = (edge: number): number => (Math.abs(edge) > POLAR ? Math.sign(edge) * 90 : edge);
  if (n === 1) [edges[0], edges[1]] = [-90, 90];
  else {
    edges[0] = outer(latitudes[0] - (latitudes[1] - latitudes[0]) / 2);
    edges[n] = outer(latitudes[n - 1] + (latitudes[n - 1] - latitudes[n - 2]) / 2);
  }
  return edges;
}
