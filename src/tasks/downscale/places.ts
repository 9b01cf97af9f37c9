/**
 * Where fine cells lie among coarse ones: bilinear interpolation from the coarse grid, and each cell's place within its coarse
 * cell, which a network needs to sharpen any scale factor with the same weights.
 */
import { bracket, longitudeBracket, type Bracket } from "../../earth/regrid/bracket.js";
import { isPeriodic, type RectilinearGrid } from "../../earth/regrid/grid.js";
import { rectilinear } from "../../earth/regrid/index.js";
import { UsageError } from "../../errors.js";
import type { FieldGrid } from "./fields.js";

/** A box of cells, [row, row + rows) x [column, column + columns); columns may lie beyond the ends of a periodic grid. */
export interface Window {
  readonly row: number;
  readonly column: number;
  readonly rows: number;
  readonly columns: number;
}

export const wholeOf = ({ rows, columns }: Pick<FieldGrid, "rows" | "columns">): Window => ({
  row: 0,
  column: 0,
  rows,
  columns,
});

export interface Places {
  readonly cells: number;
  /** Four coarse cells of each fine one, and their weights. */
  readonly index: Int32Array;
  readonly weight: Float32Array;
  /** Rows and columns from the nearest coarse centre, -1 to 1 from edge to edge of the coarse cell: [2, cells]. */
  readonly offset: Float32Array;
}

/** The coarse grid as rows and columns; predictors must have them. */
export function coarseGrid(grid: FieldGrid, source: string): RectilinearGrid {
  if (!grid.axes)
    throw new UsageError(
      `${source}: coarse fields must lie on rows of latitude and columns of longitude; regrid them first`,
    );
  return rectilinear(grid.latitudes, grid.longitudes);
}

/** The places of a window's cells; those outside the coarse grid take its edge. */
export function placesIn(coarse: RectilinearGrid, fine: FieldGrid, window: Window = wholeOf(fine)): Places {
  const cells = window.rows * window.columns;
  const index = new Int32Array(4 * cells);
  const weight = new Float32Array(4 * cells);
  const offset = new Float32Array(2 * cells);
  const width = coarse.longitudes.length;
  const row = (latitude: number): Bracket => bracket(coarse.latitudes, clampTo(coarse.latitudes, latitude))!;
  const column = (longitude: number): Bracket => longitudeBracket(coarse, longitude) ?? nearestEnd(coarse, longitude);
  const turn = (j: number) => ((j % fine.columns) + fine.columns) % fine.columns;
  const along = Array.from({ length: window.columns }, (_, j) => turn(window.column + j));
  const alongBrackets = fine.axes ? along.map((j) => column(fine.longitudes[j])) : [];
  for (let i = 0; i < window.rows; i++) {
    const r = window.row + i;
    const down = fine.axes ? row(fine.latitudes[r]) : undefined;
    for (let j = 0; j < window.columns; j++) {
      const cell = i * window.columns + j;
      const y = down ?? row(fine.latitudes[r * fine.columns + along[j]]);
      const x = fine.axes ? alongBrackets[j] : column(fine.longitudes[r * fine.columns + along[j]]);
      index.set(
        [y.low * width + x.low, y.low * width + x.high, y.high * width + x.low, y.high * width + x.high],
        4 * cell,
      );
      weight.set(
        [(1 - y.share) * (1 - x.share), (1 - y.share) * x.share, y.share * (1 - x.share), y.share * x.share],
        4 * cell,
      );
      offset[cell] = 2 * (y.share < 0.5 ? y.share : y.share - 1);
      offset[cells + cell] = 2 * (x.share < 0.5 ? x.share : x.share - 1);
    }
  }
  return { cells, index, weight, offset };
}

const clampTo = (axis: Float64Array, value: number): number =>
  Math.min(Math.max(axis[0], axis[axis.length - 1]), Math.max(Math.min(axis[0], axis[axis.length - 1]), value));

/** The first or last column, whichever is nearer around the globe. */
function nearestEnd({ longitudes }: RectilinearGrid, longitude: number): Bracket {
  const apart = (x: number) => Math.abs(((((longitude - x) % 360) + 540) % 360) - 180);
  const last = longitudes.length - 1;
  const end = apart(longitudes[0]) <= apart(longitudes[last]) ? 0 : last;
  return { low: end, high: end, share: 0 };
}

/** Writes the interpolated field to `out` from `at` on. */
export function interpolate({ cells, index, weight }: Places, field: Float32Array, out: Float32Array, at = 0): void {
  for (let cell = 0, k = 0; cell < cells; cell++, k += 4)
    out[at + cell] =
      weight[k] * field[index[k]] +
      weight[k + 1] * field[index[k + 1]] +
      weight[k + 2] * field[index[k + 2]] +
      weight[k + 3] * field[index[k + 3]];
}

/** How many fine cells lie along one coarse cell, by rows and by columns. */
export function scaleFactors(coarse: RectilinearGrid, fine: FieldGrid): [rows: number, columns: number] {
  const spacing = (axis: ArrayLike<number>, step = 1, length = axis.length) =>
    length > 1 ? Math.abs(axis[(length - 1) * step] - axis[0]) / (length - 1) : 1;
  const fineRows = fine.axes ? spacing(fine.latitudes) : spacing(fine.latitudes, fine.columns, fine.rows);
  const fineColumns = fine.axes ? spacing(fine.longitudes) : spacing(fine.longitudes, 1, fine.columns);
  return [spacing(coarse.latitudes) / fineRows, spacing(coarse.longitudes) / fineColumns];
}

/** Whether the fine columns go once around the globe. */
export const isAround = (fine: FieldGrid): boolean =>
  fine.axes && isPeriodic({ kind: "rectilinear", latitudes: fine.latitudes, longitudes: fine.longitudes });

/** The grid whose cells hold `rows` x `columns` fine ones (any factors from 1 on); the last ones may reach beyond it. */
export function coarsened(fine: FieldGrid, rows: number, columns: number): RectilinearGrid {
  if (!fine.axes)
    throw new UsageError("only a grid of latitudes and longitudes can be made coarser by itself; give data.coarse");
  return rectilinear(scaledAxis(fine.latitudes, rows), scaledAxis(fine.longitudes, columns));
}

/** The grid with `rows` x `columns` cells in each coarse one. */
export function refined(coarse: RectilinearGrid, rows: number, columns: number): FieldGrid {
  // around a row on the pole some would lie beyond it
  const latitudes = scaledAxis(coarse.latitudes, 1 / rows).filter((y) => Math.abs(y) <= 90);
  const longitudes = scaledAxis(coarse.longitudes, 1 / columns);
  return { rows: latitudes.length, columns: longitudes.length, latitudes, longitudes, axes: true };
}

/** Centres of cells `factor` times as long that begin where the first cell does. */
function scaledAxis(axis: Float64Array, factor: number): Float64Array {
  const step = axis.length > 1 ? (axis[axis.length - 1] - axis[0]) / (axis.length - 1) : 1;
  const count = Math.max(1, Math.ceil(axis.length / factor - 0.5 + 1e-9));
  return Float64Array.from({ length: count }, (_, i) => axis[0] + step * ((i + 0.5) * factor - 0.5));
}
