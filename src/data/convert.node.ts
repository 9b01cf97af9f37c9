/**
 * Any readable data into any format Foehn writes: part of it, on another grid, at another step, with what follows from it,
 * under other names, in other units, smaller for a stated loss.
 *
 *     await convertDataset(dataset, "out.zarr", { variables: ["t2m"], units: { t2m: "degC" } });
 */
import { readdir, stat } from "node:fs/promises";
import path from "node:path";
import { globalGrid, type Grid, type RegridMethod } from "../earth/regrid/index.js";
import { conversion } from "../earth/units.js";
import { identify } from "../earth/variables.js";
import { DataError, FoehnError, UsageError } from "../errors.js";
import { sizeOf, toNumbers } from "../tensor/ndarray.js";
import { asArray } from "./blocks.js";
import { ordered, withLongitudes } from "./coords.js";
import { type Dataset, type Variable, variable } from "./dataset.js";
import { derive } from "./derive.js";
import type { Overwrite } from "./files.node.js";
import { type Loss, type LossReport, lossy } from "./lossy.js";
import { withQualityFlags } from "./quality.js";
import { regridded } from "./regrid.js";
import { type ResampleMethod, resampled } from "./resample.js";
import { subset, type SubsetOptions } from "./subset.js";
import { bytesOf } from "./template.js";
import { mappedVariable, renamed, withVariables } from "./views.js";
import { writeGrib } from "./write-grib.node.js";
import { writeClassicNetcdf, writeNetcdf } from "./write-netcdf.node.js";
import { writeNpz } from "./write-npz.node.js";
import { writeTable } from "./write-table.node.js";
import { writeZarr } from "./write-zarr.node.js";

export const CONVERT_FORMATS = ["zarr", "zarr2", "netcdf", "netcdf3", "grib", "npz", "csv", "parquet"] as const;
export type ConvertFormat = (typeof CONVERT_FORMATS)[number];

export interface ConvertOptions extends SubsetOptions {
  /** Told by the target's ending unless given. */
  readonly format?: ConvertFormat;
  /** New names of variables and dimensions, by old ones. */
  readonly rename?: Readonly<Record<string, string>>;
  /** New units, by (old) variable names. */
  readonly units?: Readonly<Record<string, string>>;
  /** Dimensions to bring into rising order. */
  readonly sort?: readonly string[];
  /** Longitudes from this one on: 0 or -180. */
  readonly longitudesFrom?: number;
  /** A grid, or a global one by its size (`360x181`), and how to get there. */
  readonly grid?: Grid | string;
  readonly method?: RegridMethod;
  /** Names of the grid's points, where it is of points. */
  readonly stations?: readonly string[];
  /** A coarser step of time, and what becomes of the values in it. */
  readonly resample?: string;
  readonly how?: ResampleMethod | Readonly<Record<string, ResampleMethod>>;
  /** Derived variables to add, before `variables` chooses. */
  readonly derive?: readonly string[];
  /** Station variables to add flags of quality control for; `all` is every one that can be checked. */
  readonly quality?: readonly string[];
  /** What to lose, by (new) variable names. */
  readonly loss?: Readonly<Record<string, Loss>>;
  readonly chunks?: Readonly<Record<string, number>>;
  /** Of Zarr v3. */
  readonly shards?: Readonly<Record<string, number>> | "auto" | "never";
  /** Of GRIB 2. */
  readonly packing?: "simple" | "ccsds";
  readonly bits?: number;
  readonly overwrite?: Overwrite;
}

export interface Converted {
  /** As written, still lazy over the source. */
  readonly dataset: Dataset;
  /** Of the values as they are in memory, and of what lies on disk. */
  readonly bytes: { readonly values: number; readonly stored: number };
  /** What was lost, by variable. */
  readonly losses: readonly LossReport[];
}

/** Converts and writes. */
export async function convertDataset(
  dataset: Dataset,
  target: string,
  options: ConvertOptions = {},
): Promise<Converted> {
  const format = options.format ?? formatOf(target);
  const whole = await transformed(dataset, options);
  const { chunks, shards, overwrite, packing, bits } = options;
  if (options.loss && !["zarr", "zarr2", "netcdf"].includes(format))
    throw new UsageError(`lossy compression is for Zarr and NetCDF-4, not ${format}; GRIB has bits of its own`);
  const { dataset: result, reports: losses } = await lossy(whole, options.loss ?? {});
  if (format === "netcdf") await writeNetcdf(result, target, { chunks, overwrite });
  else if (format === "csv" || format === "parquet") await writeTable(result, target, { format, overwrite });
  else if (format === "netcdf3") await writeClassicNetcdf(result, target, { overwrite });
  else if (format === "grib") await writeGrib(result, target, { packing, bits, overwrite });
  else if (format === "npz") await writeNpz(result, target, { overwrite });
  else await writeZarr(result, target, { chunks, shards, overwrite, zarrFormat: format === "zarr2" ? 2 : 3 });
  const values = [...whole.variables.values()].reduce(
    (sum, v) => sum + sizeOf(v.shape) * bytesOf(v.readStrings ? "string" : v.dtype),
    0,
  );
  return { dataset: result, bytes: { values, stored: await sizeOnDisk(target) }, losses };
}

/** Of a file, or of all files in a directory. */
async function sizeOnDisk(place: string): Promise<number> {
  const about = await stat(place);
  if (!about.isDirectory()) return about.size;
  const entries = await readdir(place, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  let sum = 0;
  // Node 20.10 knows the folder as `path` only
  for (const { parentPath, path: older, name } of files) sum += (await stat(path.join(parentPath ?? older, name))).size;
  return sum;
}

const ENDINGS: readonly (readonly [RegExp, ConvertFormat])[] = [
  [/\.zarr\/?$/, "zarr"],
  [/\.(nc|nc4|cdf|netcdf)$/, "netcdf"],
  [/\.(grib2?|grb2?)$/, "grib"],
  [/\.npz$/, "npz"],
  [/\.csv$/, "csv"],
  [/\.parquet$/, "parquet"],
];

function formatOf(target: string): ConvertFormat {
  const found = ENDINGS.find(([ending]) => ending.test(target));
  if (found) return found[1];
  throw new UsageError(
    `'${target}' names no format Foehn writes; end it in .zarr, .nc, .grib2, .npz, .csv or .parquet, or give the format`,
  );
}

/** The changes without the writing. */
export async function transformed(dataset: Dataset, options: ConvertOptions): Promise<Dataset> {
  const { rename = {}, units = {}, sort = [], longitudesFrom } = options;
  let result = options.derive ? await derive(dataset, options.derive) : dataset;
  if (options.quality) result = await withQualityFlags(result, options.quality);
  for (const name of Object.keys(rename)) if (!(name in result.dims)) variable(result, name);
  for (const name of Object.keys(units)) variable(result, name);
  for (const dim of sort) result = await ordered(result, dim);
  if (longitudesFrom !== undefined) result = await withLongitudes(result, { from: longitudesFrom });
  result = await subset(result, options);
  if (options.resample !== undefined) result = await resampled(result, options.resample, { how: options.how });
  if (options.grid !== undefined) {
    const grid = typeof options.grid === "string" ? globalGrid(options.grid) : options.grid;
    result = await regridded(result, grid, { method: options.method, stations: options.stations });
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
