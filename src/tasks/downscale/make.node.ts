/**
 * Downscaled fields to disk: block of times after block, tile after tile. After each block the store is whole and readable;
 * a run that was killed goes on after the last one.
 */
import { existsSync } from "node:fs";
import type { Attributes, Dataset, Selection } from "../../data/dataset.js";
import { readTimes } from "../../data/coords.js";
import { openDataset } from "../../data/open.node.js";
import type { Template, TemplateVariable } from "../../data/template.js";
import { appendZarr, createZarr, type ZarrWriter } from "../../data/write-zarr.node.js";
import { type Calendar, encodeTimes, formatTime } from "../../earth/time.js";
import type { RectilinearGrid } from "../../earth/regrid/index.js";
import type { Runtime } from "../../engine/runtime.js";
import { DataError, UsageError } from "../../errors.js";
import { float32, type NdArray } from "../../tensor/ndarray.js";
import { levelsOf } from "./config.js";
import type { Setting } from "./features.js";
import { type FieldGrid, openFields } from "./fields.js";
import { type CoarseSet, coarseAt, joined, type Pairs, sameAxes } from "./pairs.js";
import { coarseGrid } from "./places.js";
import { createPredictor, type DownscaleModel, type Tile } from "./predict.js";

/** Coarse fields through time, read as they are needed. */
export interface CoarseStream {
  readonly source: string;
  readonly grid: RectilinearGrid;
  readonly times: Float64Array;
  readonly calendar: Calendar;
  /** Times [from, to): each [predictor, row, column]. */
  read(from: number, to: number): Promise<Float32Array[]>;
  close(): Promise<void>;
}

/** The predictors of a model from files, each of which may hold some of them. `offset` as in the configuration. */
export async function openCoarse(model: DownscaleModel, paths: readonly string[]): Promise<CoarseStream> {
  const { predictors } = model.fitted;
  const { accumulated, offset } = model.config.data;
  const datasets: Dataset[] = [];
  for (const path of paths) datasets.push(await openDataset(path));
  const holder = predictors.map((name) => {
    const found = datasets.findIndex((d) => d.variables.has(name.split("@")[0]));
    if (found < 0)
      throw new DataError(
        paths.join(", "),
        `predictor '${name}' is in none of them; the model was trained on ${predictors.join(", ")}`,
      );
    return found;
  });
  const used = [...new Set(holder)];
  const sources = await Promise.all(
    used.map((k) =>
      openFields(
        datasets[k],
        predictors.filter((_, p) => holder[p] === k),
        { accumulated },
      ),
    ),
  );
  const [first] = sources;
  const grid = coarseGrid(first.grid, first.source);
  for (const s of sources)
    if (!sameAxes(coarseGrid(s.grid, s.source), grid) || s.times.join() !== first.times.join())
      throw new DataError(s.source, `its grid or times are not those of ${first.source}; bring them together first`);
  const cells = grid.latitudes.length * grid.longitudes.length;
  return {
    source: paths.join(", "),
    grid,
    times: first.times.map((t) => t - offset * 3_600_000),
    calendar: first.calendar,
    async read(from, to) {
      const parts = await Promise.all(sources.map((s) => s.read(from, to)));
      return Array.from({ length: to - from }, (_, t) =>
        joined(
          predictors.map((name, p) => {
            const s = used.indexOf(holder[p]);
            const at = (t * sources[s].names.length + sources[s].names.indexOf(name)) * cells;
            return parts[s].subarray(at, at + cells);
          }),
        ),
      );
    },
    async close() {
      for (const d of datasets) await d.close();
    },
  };
}

/** The same from pairs in memory. */
export const coarseOf = (pairs: Pairs, set: CoarseSet, source: string): CoarseStream => ({
  source,
  grid: set.grid,
  times: pairs.times,
  calendar: pairs.calendar,
  read: (from, to) => Promise.resolve(Array.from({ length: to - from }, (_, k) => coarseAt(pairs, set, from + k))),
  close: () => Promise.resolve(),
});

export interface WriteDownscaledOptions {
  readonly model: DownscaleModel;
  readonly runtime: Runtime;
  readonly coarse: CoarseStream;
  readonly setting: Setting;
  readonly out: string;
  /** Which times; all where left out. */
  readonly wanted?: (time: number) => boolean;
  /** Cells along a tile; whole fields where left out. */
  readonly tile?: number;
  readonly resume?: boolean;
  readonly onProgress?: (done: number, total: number) => void;
}

/** Times that are computed, written and made visible at once. */
const BLOCK = 16;

/** Writes fine fields of every coarse time in the range to a Zarr store. */
export async function writeDownscaled(options: WriteDownscaledOptions): Promise<{ times: number; tiles: number }> {
  const { model, runtime, coarse, setting, out, resume = false, onProgress } = options;
  const { wanted = () => true } = options;
  const chosen = [...coarse.times.keys()].filter((i) => wanted(coarse.times[i]));
  if (chosen.length === 0)
    throw new UsageError(
      `no time lies there; ${coarse.source} has ${formatTime(coarse.times[0], coarse.calendar)} to ${formatTime(coarse.times[coarse.times.length - 1], coarse.calendar)}`,
    );
  const begun = resume && existsSync(out) ? await timesIn(out) : [];
  if (begun.some((t, k) => t !== coarse.times[chosen[k]]))
    throw new DataError(
      out,
      "its times are not the first of those asked for; name another place, or leave --resume out",
    );
  const predictor = await createPredictor(runtime, model, setting);
  const tiles = predictor.tiles(options.tile);
  const space = spaceOf(setting.fine);
  try {
    for (let done = begun.length; done < chosen.length; done += BLOCK) {
      const part = chosen.slice(done, done + BLOCK);
      const writer =
        done === 0
          ? await createZarr(out, templateFor(options, tiles), { growing: "time" })
          : await appendZarr(out, "time");
      try {
        if (done === 0) await writePlaces(writer, model, setting.fine);
        const times = part.map((i) => coarse.times[i]);
        await writer.write(
          "time",
          { time: { start: done, stop: done + part.length } },
          axis(encodeTimes(times, TIME_UNITS, coarse.calendar)),
        );
        const fields = await coarse.read(part[0], part[part.length - 1] + 1);
        for (const [k, tile] of tiles.entries()) {
          const made = await predictor.predict(
            tile,
            part.map((i) => fields[i - part[0]]),
            times,
          );
          for (const [t, field] of made.entries()) await writeFields(writer, model, space, tile, done + t, field);
          onProgress?.(done * tiles.length + (k + 1) * part.length, chosen.length * tiles.length);
        }
        await writer.close();
      } catch (error) {
        await writer.abort();
        throw error;
      }
    }
  } finally {
    await predictor.close();
  }
  return { times: chosen.length, tiles: tiles.length };
}

const TIME_UNITS = "hours since 1970-01-01";

async function timesIn(store: string): Promise<number[]> {
  const dataset = await openDataset(store);
  try {
    return Array.from((await readTimes(dataset)).values);
  } finally {
    await dataset.close();
  }
}

const axis = (values: ArrayLike<number>): NdArray => ({
  dtype: "float64",
  shape: [values.length],
  data: Float64Array.from(values),
});

const spaceOf = ({ projected }: FieldGrid): [string, string] =>
  projected ? [projected.y.name, projected.x.name] : ["latitude", "longitude"];

function templateFor({ model, setting, coarse }: WriteDownscaledOptions, tiles: readonly Tile[]): Template {
  const { fitted, config } = model;
  const { fine } = setting;
  const space = spaceOf(fine);
  const levels = levelsOf(config);
  // A tile is a chunk, so that none is read back to be filled up
  const chunk = [Math.max(...tiles.map((t) => t.inside.rows)), Math.max(...tiles.map((t) => t.inside.columns))];
  const degrees: Record<string, Attributes> = {
    latitude: { standard_name: "latitude", units: "degrees_north" },
    longitude: { standard_name: "longitude", units: "degrees_east" },
  };
  const variables: Record<string, TemplateVariable> = {
    time: {
      dims: ["time"],
      dtype: "float64",
      attrs: { standard_name: "time", units: TIME_UNITS, calendar: coarse.calendar },
    },
  };
  if (fine.projected) {
    for (const a of [fine.projected.y, fine.projected.x])
      variables[a.name] = { dims: [a.name], dtype: "float64", attrs: { units: a.units } };
    for (const name of ["latitude", "longitude"])
      variables[name] = { dims: space, dtype: "float64", attrs: degrees[name] };
  } else for (const name of space) variables[name] = { dims: [name], dtype: "float64", attrs: degrees[name] };
  if (levels.length > 0)
    variables["quantile"] = {
      dims: ["quantile"],
      dtype: "float64",
      attrs: { units: "1", long_name: "share of cases below" },
    };
  fitted.targets.forEach((name, v) => {
    const units = fitted.targetUnits[v];
    const attrs: Attributes = {
      ...(units ? { units } : {}),
      ...(fine.projected ? { coordinates: "latitude longitude" } : {}),
    };
    variables[name] = {
      dims: ["time", ...space],
      dtype: "float32",
      attrs: { ...attrs, long_name: "mean" },
      chunks: [1, ...chunk],
    };
    if (levels.length > 0)
      variables[`${name}_quantile`] = {
        dims: ["time", "quantile", ...space],
        dtype: "float32",
        attrs,
        chunks: [1, levels.length, ...chunk],
      };
    if (config.downscale.head === "bernoulli-gamma")
      variables[`${name}_probability`] = {
        dims: ["time", ...space],
        dtype: "float32",
        attrs: { ...attrs, units: "1", long_name: `chance of more than ${config.downscale.dryUpTo} ${units}` },
        chunks: [1, ...chunk],
      };
  });
  return {
    dims: {
      time: 0,
      [space[0]]: fine.rows,
      [space[1]]: fine.columns,
      ...(levels.length > 0 ? { quantile: levels.length } : {}),
    },
    variables,
    attrs: {
      Conventions: "CF-1.11",
      title: `Foehn downscaling (${config.model.name}, ${config.downscale.head})`,
      source: coarse.source,
      training_period: fitted.trained.map((t) => formatTime(t, fitted.calendar)).join("/"),
    },
  };
}

async function writePlaces(writer: ZarrWriter, { config }: DownscaleModel, fine: FieldGrid): Promise<void> {
  const { projected, latitudes, longitudes, rows, columns } = fine;
  const levels = levelsOf(config);
  if (levels.length > 0) await writer.write("quantile", {}, axis(levels));
  const shape = projected ? [rows, columns] : undefined;
  await writer.write("latitude", {}, { ...axis(latitudes), ...(shape && { shape }) });
  await writer.write("longitude", {}, { ...axis(longitudes), ...(shape && { shape }) });
  if (!projected) return;
  await writer.write(projected.y.name, {}, axis(projected.y.values));
  await writer.write(projected.x.name, {}, axis(projected.x.values));
}

/** One time's fields over a tile. */
async function writeFields(
  writer: ZarrWriter,
  { fitted }: DownscaleModel,
  [y, x]: readonly [string, string],
  { inside }: Tile,
  time: number,
  fields: { mean: Float32Array; quantiles: readonly Float32Array[]; probability?: Float32Array },
): Promise<void> {
  const cells = inside.rows * inside.columns;
  const at: Selection = {
    time,
    [y]: { start: inside.row, stop: inside.row + inside.rows },
    [x]: { start: inside.column, stop: inside.column + inside.columns },
  };
  const shape = [inside.rows, inside.columns];
  for (const [v, name] of fitted.targets.entries()) {
    const part = (values: Float32Array) => values.subarray(v * cells, (v + 1) * cells);
    await writer.write(name, at, float32(shape, part(fields.mean)));
    if (fields.quantiles.length > 0)
      await writer.write(
        `${name}_quantile`,
        at,
        float32([fields.quantiles.length, ...shape], joined(fields.quantiles.map(part))),
      );
    if (fields.probability) await writer.write(`${name}_probability`, at, float32(shape, part(fields.probability)));
  }
}
