/**
 * Fixed maps that a forecasting network is shown beside the weather: orography, a land-sea mask. They belong to no variable, are the
 * same at every time, and travel with the run's normalisation: a forecast or an exported file needs no map from its user.
 *
 *     data: { path: era5.zarr, static: [{ path: era5.zarr, variables: [geopotential_at_surface, land_sea_mask] }] }
 */
import { rectilinear, type RectilinearGrid, regridWeights, applyWeights } from "../../earth/regrid/index.js";
import type { Dataset } from "../../data/dataset.js";
import { DataError, FoehnError } from "../../errors.js";
import { type FieldGrid, readMaps } from "../downscale/fields.js";
import { joined } from "../downscale/pairs.js";
import type { ForecastConfig } from "./config.js";

export interface StaticMaps {
  readonly names: readonly string[];
  /** [map, latitude, longitude], as measured, on the run's grid. */
  readonly values: Float32Array;
}

/** Where the maps are wanted: the run's rows and columns, degrees. */
export interface Axes {
  readonly latitudes: Float64Array;
  readonly longitudes: Float64Array;
}

/**
 * The fixed maps that a configuration names, on the run's grid; undefined where it names none. Maps on another grid of rows and
 * columns are brought there: as area means from a finer one, else by bilinear interpolation. Throws DataError where a map does not
 * cover the run's grid, has missing values, or is named twice. `open` opens a path; datasets are closed again.
 */
export async function readStatics(
  { data }: { readonly data: Pick<ForecastConfig["data"], "static"> },
  axes: Axes,
  open: (path: string) => Promise<Dataset>,
): Promise<StaticMaps | undefined> {
  const parts: { names: string[]; values: Float32Array }[] = [];
  for (const { path, variables } of data.static) {
    const dataset = await open(path);
    try {
      const maps = await readMaps(dataset, variables);
      const taken = maps.names.find((name) => parts.some((part) => part.names.includes(name)));
      if (taken)
        throw new DataError(path, `its map '${taken}' comes from another file of data.static already; name it once`);
      parts.push({ names: maps.names, values: brought(maps, axes, path) });
    } finally {
      await dataset.close();
    }
  }
  if (parts.length === 0) return undefined;
  return { names: parts.flatMap((p) => p.names), values: joined(parts.map((p) => p.values)) };
}

function brought(
  { names, grid, values }: { names: readonly string[]; grid: FieldGrid; values: Float32Array },
  { latitudes, longitudes }: Axes,
  source: string,
): Float32Array {
  const close = (a: Float64Array, b: Float64Array) =>
    a.length === b.length && a.every((v, i) => Math.abs(v - b[i]) < 1e-4);
  const same = grid.axes && close(grid.latitudes, latitudes) && close(grid.longitudes, longitudes);
  const out = same ? values : regridded(values, sourceGrid(grid, source), { latitudes, longitudes }, source);
  const cells = latitudes.length * longitudes.length;
  const bad = out.findIndex((v) => !Number.isFinite(v));
  if (bad < 0) return out;
  const name = names[Math.floor(bad / cells)];
  const cell = bad % cells;
  const where = `${latitudes[Math.floor(cell / longitudes.length)]} N, ${longitudes[cell % longitudes.length]} E`;
  throw new DataError(
    source,
    same
      ? `the map '${name}' of data.static has no value at ${where}; fill it (a mask by 0 or 1) before training`
      : `the map '${name}' of data.static has no value at ${where}, where the fields have points; name a file that covers them, or bring it there with 'foehn convert --like'`,
  );
}

function sourceGrid(grid: FieldGrid, source: string): RectilinearGrid {
  if (!grid.axes)
    throw new DataError(
      source,
      "its maps lie on a projected grid, and the fields on rows and columns of latitude and longitude; bring them there with 'foehn convert --like'",
    );
  try {
    return rectilinear(grid.latitudes, grid.longitudes);
  } catch (error) {
    throw error instanceof FoehnError ? new DataError(source, error.message, { cause: error }) : error;
  }
}

function regridded(values: Float32Array, from: RectilinearGrid, axes: Axes, source: string): Float32Array {
  const to = rectilinear(axes.latitudes, axes.longitudes);
  const spacing = ({ latitudes: y }: Axes) => (y.length > 1 ? Math.abs(y[1] - y[0]) : Infinity);
  const method =
    spacing(from) < spacing(to) && to.latitudes.length > 1 && to.longitudes.length > 1 ? "conservative" : "bilinear";
  try {
    // A mean over half a cell is no mean of the cell
    return applyWeights(regridWeights(from, to, method), values, { minimumShare: 0.5 });
  } catch (error) {
    throw error instanceof FoehnError ? new DataError(source, error.message, { cause: error }) : error;
  }
}
