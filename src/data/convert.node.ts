/**
 * Any readable data into Zarr, NetCDF or (stations) tables: part of it, on another grid, under other names, in other units.
 *
 *     await convertDataset(dataset, "out.zarr", { variables: ["t2m"], units: { t2m: "degC" } });
 */
import { globalGrid, type Grid, type RegridMethod } from "../earth/regrid/index.js";
import { conversion } from "../earth/units.js";
import { identify } from "../earth/variables.js";
import { DataError, FoehnError, UsageError } from "../errors.js";
import { toNumbers } from "../tensor/ndarray.js";
import { asArray } from "./blocks.js";
import { ordered, withLongitudes } from "./coords.js";
import { type Dataset, type Variable, variable } from "./dataset.js";
import type { Overwrite } from "./files.node.js";
import { regridded } from "./regrid.js";
import { subset, type SubsetOptions } from "./subset.js";
import { mappedVariable, renamed, withVariables } from "./views.js";
import { writeClassicNetcdf, writeNetcdf } from "./write-netcdf.node.js";
import { writeTable } from "./write-table.node.js";
import { writeZarr } from "./write-zarr.node.js";

export interface ConvertOptions extends SubsetOptions {
  /** Told by the target's ending unless given. */
  readonly format?: "zarr" | "zarr2" | "netcdf" | "netcdf3" | "csv" | "parquet";
  /** New names of variables and dimensions, by old ones. */
  readonly rename?: Readonly<Record<string, string>>;
  /** New units, by (old) variable names. */
  readonly units?: Readonly<Record<string, string>>;
  /** Dimensions to bring into rising order. */
  readonly sort?: readonly string[];
  /** Longitudes from this one on: 0 or -180. */
  readonly longitudesFrom?: number;
  /** A grid, or a global one by its size (`360x181`), and how to get there (bilinear unless given). */
  readonly grid?: Grid | string;
  readonly method?: RegridMethod;
  readonly chunks?: Readonly<Record<string, number>>;
  readonly overwrite?: Overwrite;
}

/** Converts and writes; gives the dataset as written (still lazy, over the source). */
export async function convertDataset(dataset: Dataset, target: string, options: ConvertOptions = {}): Promise<Dataset> {
  const format = options.format ?? formatOf(target);
  const result = await transformed(dataset, options);
  const { chunks, overwrite } = options;
  if (format === "netcdf") await writeNetcdf(result, target, { chunks, overwrite });
  else if (format === "csv" || format === "parquet") await writeTable(result, target, { format, overwrite });
  else if (format === "netcdf3") await writeClassicNetcdf(result, target, { overwrite });
  else await writeZarr(result, target, { chunks, overwrite, zarrFormat: format === "zarr2" ? 2 : 3 });
  return result;
}

function formatOf(target: string): NonNullable<ConvertOptions["format"]> {
  if (/\.zarr\/?$/.test(target)) return "zarr";
  if (/\.(nc|nc4|cdf|netcdf)$/.test(target)) return "netcdf";
  if (/\.csv$/.test(target)) return "csv";
  if (/\.parquet$/.test(target)) return "parquet";
  throw new UsageError(
    `'${target}' names no format Foehn writes; end it in .zarr, .nc, .csv or .parquet, or give the format`,
  );
}

/** The changes without the writing. */
export async function transformed(dataset: Dataset, options: ConvertOptions): Promise<Dataset> {
  const { rename = {}, units = {}, sort = [], longitudesFrom } = options;
  for (const name of Object.keys(rename)) if (!(name in dataset.dims)) variable(dataset, name);
  for (const name of Object.keys(units)) variable(dataset, name);
  let result = dataset;
  for (const dim of sort) result = await ordered(result, dim);
  if (longitudesFrom !== undefined) result = await withLongitudes(result, { from: longitudesFrom });
  result = await subset(result, options);
  if (options.grid !== undefined) {
    const grid = typeof options.grid === "string" ? globalGrid(options.grid) : options.grid;
    result = await regridded(result, grid, { method: options.method });
  }
  if (Object.keys(units).length > 0)
    result = withVariables(
      result,
      [...result.variables.values()].map((v) =>
        units[v.name] === undefined ? v : inUnits(v, units[v.name], dataset.source),
      ),
    );
  if (Object.keys(rename).length === 0) return result;
  const dims = Object.fromEntries(Object.entries(rename).filter(([from]) => from in result.dims));
  return renamed(result, { dims, variables: rename });
}

/** A variable in other units; that it is water or geopotential is taken from what it is known to be. */
export function inUnits(v: Variable, to: string, source: string): Variable {
  const from = v.attrs["units"];
  if (typeof from !== "string")
    throw new DataError(
      source,
      `'${v.name}' has no units, so it cannot be brought to '${to}'; say what they are first`,
    );
  const quantity = identify(v);
  let step: { scale: number; offset: number };
  try {
    step = conversion(from, to, { water: quantity?.water, geopotential: quantity?.geopotential });
  } catch (error) {
    if (error instanceof FoehnError)
      throw new DataError(source, `variable '${v.name}': ${error.message}`, { cause: error });
    throw error;
  }
  const { scale, offset } = step;
  const dtype = v.dtype === "float64" ? "float64" : "float32";
  return mappedVariable(v, (values) => asArray(dtype, values.shape, scaled(toNumbers(values), dtype, scale, offset)), {
    dtype,
    attrs: { ...v.attrs, units: to },
  });
}

function scaled(values: ArrayLike<number>, dtype: "float32" | "float64", scale: number, offset: number) {
  const out = dtype === "float64" ? new Float64Array(values.length) : new Float32Array(values.length);
  for (let i = 0; i < out.length; i++) out[i] = values[i] * scale + offset;
  return out;
}
