/** Forecasts with a published model's files, from any dataset to WeatherBench 2's layout. */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { canonical, readTimes } from "../../data/coords.js";
import type { Dataset } from "../../data/dataset.js";
import { parseNpy } from "../../data/npy.js";
import { formatTime } from "../../earth/time.js";
import { quantity } from "../../earth/variables.js";
import type { Runtime, Session } from "../../engine/runtime.js";
import { DataError, UsageError } from "../../errors.js";
import { toNumbers } from "../../tensor/ndarray.js";
import { createForecastFile } from "../forecast/forecast-file.node.js";
import { forecastLayout } from "../forecast/layout.js";
import type { PublishedGrid, PublishedModel } from "./contract.js";
import { publishedGrid, stateReader } from "./states.js";

const HOUR = 3_600_000;

export interface PublishedForecast {
  readonly model: PublishedModel;
  /** Folder of the files downloaded from the model's authors. */
  readonly weights: string;
  readonly dataset: Dataset;
  readonly runtime: Runtime;
  /** A Zarr store. */
  readonly out: string;
  readonly maxLead: number;
  /** The newest state that a start may have: the newest of all, or those in [from, to). */
  readonly starts: "latest" | readonly [from: number, to: number];
  readonly onProgress?: (done: number, total: number) => void;
}

/** Returns how many starts were forecast, and which channels were taken as zero. */
export async function writePublishedForecast(
  options: PublishedForecast,
): Promise<{ starts: number; zeros: readonly string[] }> {
  const { model, weights, runtime, out, maxLead, onProgress } = options;
  const dataset = canonical(options.dataset);
  const files = await openFiles(model, weights, runtime);
  try {
    const grid = await files.grid();
    const reader = await stateReader(dataset, model, grid);
    const { values: times, calendar } = await readTimes(dataset);
    const starts = startsWithHistory(times, model.history).filter((i) =>
      options.starts === "latest" ? true : times[i] >= options.starts[0] && times[i] < options.starts[1],
    );
    const chosen = options.starts === "latest" ? starts.slice(-1) : starts;
    if (chosen.length === 0)
      throw new UsageError(
        `${model.name} needs ${model.history === 1 ? "a state" : "two states six hours apart"} to start from, and there is none among ${formatTime(times[0], calendar)} to ${formatTime(times[times.length - 1], calendar)} that was asked for`,
      );
    const { latitudes, longitudes } = publishedGrid(grid);
    const leads = Array.from({ length: Math.floor(maxLead / 6) }, (_, i) => 6 * (i + 1));
    const units = model.channels.map((channel) => quantity(channel.split("@")[0])!.units);
    const layout = forecastLayout(
      { channels: model.channels, units, latitudes, longitudes, calendar },
      chosen.map((i) => times[i]),
      leads,
      {
        title: `Foehn forecast (${model.name})`,
        source: dataset.source,
        channels: model.channels.join(" "),
        licence: model.licence,
      },
    );
    const file = await createForecastFile(out, layout);
    try {
      for (const [k, index] of chosen.entries()) {
        const states = [];
        for (let back = model.history - 1; back >= 0; back--)
          states.push(await reader.read(indexOf(times, times[index] - back * 6 * HOUR)));
        const run = model.forecast({ ...files, grid, states, time: times[index], maxLead });
        for await (const { lead, state } of run) {
          const cells = grid.latitudes * grid.longitudes;
          const inUnits = state.map((v, p) => v / (model.scale[model.channels[Math.floor(p / cells)]] ?? 1));
          await file.write(inUnits, { time: k, lead: lead / 6 - 1 });
          onProgress?.(k * leads.length + lead / 6, chosen.length * leads.length);
        }
      }
      await file.close();
    } catch (error) {
      await file.abort();
      throw error;
    }
    return { starts: chosen.length, zeros: reader.zeros };
  } finally {
    await files.close();
  }
}

/** The model's files in a folder; sessions are kept two at a time (each holds more than a gigabyte). */
async function openFiles(model: PublishedModel, folder: string, runtime: Runtime) {
  const available = new Set(model.files.filter((file) => existsSync(path.join(folder, file))));
  if (available.size === 0)
    throw new DataError(
      folder,
      `none of ${model.name}'s files is there (${model.files.join(", ")}); download them from ${model.source}`,
    );
  const open = new Map<string, Session>();
  const session = async (file: string): Promise<Session> => {
    const known = open.get(file);
    if (known) return known;
    if (!available.has(file))
      throw new DataError(folder, `'${file}' is needed and not there; download it from ${model.source}`);
    if (open.size === 2) {
      const [oldest, ended] = [...open][0];
      open.delete(oldest);
      await ended.close();
    }
    const fresh = await runtime.load(path.join(folder, file));
    open.set(file, fresh);
    return fresh;
  };
  return {
    available,
    session,
    table: async (file: string): Promise<Float32Array> => {
      const location = path.join(folder, file);
      const bytes = await readFile(location).catch((cause: unknown) => {
        throw new DataError(
          location,
          `it is needed and cannot be read; it comes with the model, from ${model.source}`,
          { cause },
        );
      });
      return Float32Array.from(toNumbers(parseNpy(bytes, location)));
    },
    /** Of the first input of any file: its last two dimensions. */
    async grid(): Promise<PublishedGrid> {
      const [file] = available;
      const { shapes, inputs } = await session(file);
      const shape = shapes[inputs[0]];
      const [latitudes, longitudes] = shape.slice(-2).map(Number);
      if (shape.length < 3 || !(latitudes > 1) || !(longitudes > 1))
        throw new DataError(
          path.join(folder, file),
          `its first input is [${shape.join(", ")}], not maps of a fixed grid; it is not ${model.name}'s file`,
        );
      return { latitudes, longitudes };
    },
    async close(): Promise<void> {
      for (const one of open.values()) await one.close();
    },
  };
}

const indexOf = (times: Float64Array, time: number): number => times.findIndex((t) => Math.abs(t - time) < 1000);

/** Indices whose states six hours back are there too. */
const startsWithHistory = (times: Float64Array, history: number): number[] =>
  [...times.keys()].filter((i) =>
    Array.from({ length: history }, (_, back) => indexOf(times, times[i] - back * 6 * HOUR)).every((at) => at >= 0),
  );
