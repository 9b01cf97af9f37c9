/** Grids as a person writes them: by size, by corners, by Gaussian number, or "the one of that file". */
import { gaussianLatitudes } from "./grib/gaussian.js";
import { globalGrid, type Grid, points, rectilinear } from "../earth/regrid/index.js";
import { UsageError } from "../errors.js";
import { openDataset } from "./open.node.js";
import { gridOf } from "./regrid.js";

/**
 * The grid a text names.
 *
 * - `360x181`: global, rows at the poles where they are odd, cell centres else
 * - `F80`: the regular Gaussian grid of 160 rows and 320 columns
 * - `30,60,-10,30,0.5`: south, north, west, east, spacing in degrees
 * - `47.4,8.5;46.2,6.1`: points, latitude and longitude each
 * - anything else: a data set, whose grid (or stations, with their names) it is
 */
export async function targetGrid(text: string): Promise<{ grid: Grid; stations?: string[] }> {
  const written = writtenGrid(text);
  if (written) return { grid: written };
  const dataset = await openDataset(text);
  try {
    const grid = await gridOf(dataset);
    const names = dataset.variables.get("station");
    const isNamed = grid.kind === "points" && names?.readStrings && names.shape[0] === grid.latitudes.length;
    return isNamed ? { grid, stations: await names.readStrings!() } : { grid };
  } finally {
    await dataset.close();
  }
}

/** A grid that a text says itself. */
function writtenGrid(text: string): Grid | undefined {
  if (/^\d+x\d+$/.test(text)) return globalGrid(text);
  const gaussian = /^[FfNn]([1-9]\d*)$/.exec(text);
  if (gaussian) {
    const rows = 2 * Number(gaussian[1]);
    return rectilinear(
      gaussianLatitudes(rows / 2),
      Float64Array.from({ length: 2 * rows }, (_, i) => (180 * i) / rows),
    );
  }
  if (/^[-+\d.,;\s]+$/.test(text)) {
    const parts = text.split(";").map((each) => each.split(",").map(Number));
    if (parts.every((pair) => pair.length === 2 && pair.every(Number.isFinite)))
      return points(
        parts.map(([y]) => y),
        parts.map(([, x]) => x),
      );
    const [south, north, west, east, step] = parts[0];
    if (parts.length > 1 || parts[0].length !== 5 || !(step > 0) || !(north >= south) || !(east >= west))
      throw new UsageError(
        `--grid ${text}: give south,north,west,east,spacing (30,60,-10,30,0.5), points (47.4,8.5;46.2,6.1), a size (360x181) or a data set`,
      );
    const along = (low: number, high: number): Float64Array =>
      Float64Array.from({ length: Math.floor((high - low) / step + 1e-9) + 1 }, (_, i) => low + i * step);
    return rectilinear(along(south, north), along(west, east));
  }
  return undefined;
}
