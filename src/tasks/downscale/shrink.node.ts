/** Fine fields made small by an invertible model, to disk: what its own downscaling takes. */
import { memoryDataset } from "../../data/dataset.js";
import { openDataset } from "../../data/open.node.js";
import { writeZarr } from "../../data/write-zarr.node.js";
import { type Calendar, encodeTimes, formatTime } from "../../earth/time.js";
import type { Runtime } from "../../engine/runtime.js";
import { DataError, UsageError } from "../../errors.js";
import { float32, ndarray } from "../../tensor/ndarray.js";
import { openFields } from "./fields.js";
import { fineAt, type Pairs, sameGrid } from "./pairs.js";
import { createPredictor, type DownscaleModel } from "./predict.js";

/** Fine fields through time. */
export interface FineStream {
  readonly source: string;
  readonly times: Float64Array;
  readonly calendar: Calendar;
  /** The field of a time index, [row, column]. */
  read(time: number): Promise<Float32Array>;
  close(): Promise<void>;
}

/** A model's target from a file on its own fine grid. */
export async function fineOf(model: DownscaleModel, path: string): Promise<FineStream> {
  const dataset = await openDataset(path);
  const fields = await openFields(dataset, model.fitted.targets, { accumulated: model.config.data.accumulated });
  if (!sameGrid(fields.grid, model.fitted.grid))
    throw new DataError(
      path,
      "its grid is not the one that the model was trained on; bring it there with 'foehn convert --like'",
    );
  return { ...fields, read: (time) => fields.read(time, time + 1), close: () => dataset.close() };
}

/** The same of pairs in memory. */
export const fineOfPairs = (pairs: Pairs, source: string): FineStream => ({
  source,
  times: pairs.times,
  calendar: pairs.calendar,
  read: (time) => Promise.resolve(fineAt(pairs, time)),
  close: () => Promise.resolve(),
});

export interface WriteShrunkOptions {
  readonly model: DownscaleModel;
  readonly runtime: Runtime;
  readonly fine: FineStream;
  readonly out: string;
  readonly wanted: (time: number) => boolean;
  readonly onProgress?: (done: number, total: number) => void;
}

/** Writes the small fields of every wanted time to a Zarr store. */
export async function writeShrunk(options: WriteShrunkOptions): Promise<{ times: number; tiles: number }> {
  const { model, runtime, fine, out, wanted, onProgress } = options;
  const { fitted } = model;
  const { latitudes, longitudes } = fitted.coarse;
  const chosen = [...fine.times.keys()].filter((i) => wanted(fine.times[i]));
  if (chosen.length === 0)
    throw new UsageError(`no time lies there; ${fine.source} begins at ${formatTime(fine.times[0], fine.calendar)}`);
  const setting = {
    coarse: { kind: "rectilinear", latitudes, longitudes } as const,
    fine: fitted.grid,
    mapValues: fitted.mapValues,
  };
  const predictor = await createPredictor(runtime, model, setting);
  const size = latitudes.length * longitudes.length;
  const small = new Float32Array(chosen.length * size);
  try {
    if (!predictor.shrink)
      throw new UsageError(
        `--shrink needs a model that goes both ways; this one is '${model.config.model.name}', train one with model.name=invertible`,
      );
    for (const [k, time] of chosen.entries()) {
      small.set(await predictor.shrink(await fine.read(time)), k * size);
      onProgress?.(k + 1, chosen.length);
    }
  } finally {
    await predictor.close();
  }
  const units = "hours since 1970-01-01";
  const axis = (name: string, values: Float64Array, attrs: Record<string, string>) => ({
    [name]: { dims: [name], data: ndarray("float64", [values.length], values), attrs },
  });
  const times = chosen.map((i) => fine.times[i]);
  const dataset = memoryDataset({
    ...axis("time", Float64Array.from(encodeTimes(times, units, fine.calendar)), {
      standard_name: "time",
      units,
      calendar: fine.calendar,
    }),
    ...axis("latitude", latitudes, { standard_name: "latitude", units: "degrees_north" }),
    ...axis("longitude", longitudes, { standard_name: "longitude", units: "degrees_east" }),
    [fitted.targets[0]]: {
      dims: ["time", "latitude", "longitude"],
      data: float32([chosen.length, latitudes.length, longitudes.length], small),
      attrs: { units: fitted.targetUnits[0], long_name: "made small to be made fine again" },
    },
  });
  await writeZarr(dataset, out);
  return { times: chosen.length, tiles: 1 };
}
