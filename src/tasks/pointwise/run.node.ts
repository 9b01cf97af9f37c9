/** Runs of grid and stations on disk: trained into a folder, opened again, and their forecasts written. */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { parse } from "yaml";
import type { Dataset } from "../../data/dataset.js";
import { writeWhole } from "../../data/files.node.js";
import { openDataset } from "../../data/open.node.js";
import { formatTime } from "../../earth/time.js";
import type { Parameters } from "../../engine/parameters.js";
import type { Runtime } from "../../engine/runtime.js";
import { DataError, UsageError } from "../../errors.js";
import { decodeSafetensors, encodeSafetensors } from "../../tensor/safetensors.js";
import { cardText } from "../card.js";
import { costCounter } from "../cost.node.js";
import type { TrainEvent } from "../fit.js";
import { createForecastFile } from "../forecast/forecast-file.node.js";
import { forecastLayout } from "../forecast/layout.js";
import { type Normaliser, packNormaliser, unpackNormaliser } from "../forecast/normaliser.js";
import { resolvePeriods, startsIn } from "../forecast/periods.js";
import { checkpointStore, openLog, readParameters, trainedMembers } from "../forecast/run.node.js";
import { readStatics } from "../forecast/statics.js";
import { beginFolder } from "../run-folder.node.js";
import { readSeries, type Series, stepOf } from "../series.js";
import { pointwiseCard } from "./card.js";
import { parsePointwiseConfig, type PointwiseRunConfig } from "./config.js";
import { normalisersFor, type Places, readStationsData, type StationsData } from "./data.js";
import { type PointwiseModel, stationPredictor, stationsModel } from "./predict.js";
import { fitLines, packLines, unpackLines } from "./lines.js";
import { pointBase, startsOfBoth } from "./samples.js";
import { scoreStations, type StationScore, stationTable } from "./score.js";
import { trainPointwise } from "./train.js";

const NORMALISATION = ["normalisation.safetensors", "stations.safetensors"] as const;
const params = (k: number): string => `params${k === 1 ? "" : `-${k}`}.safetensors`;

async function within<T>(dataset: Dataset, use: (dataset: Dataset) => Promise<T>): Promise<T> {
  try {
    return await use(dataset);
  } finally {
    await dataset.close();
  }
}

/** The stations of a file, and of a table of places where one is named. */
export const openStations = async (
  { path: file, table }: { path: string; table?: string },
  variables: readonly string[],
): Promise<StationsData> =>
  within(await openDataset(file, table ? { table: { stations: table } } : {}), (dataset) =>
    readStationsData(dataset, variables),
  );

export interface PointwiseRunOptions {
  readonly run: string;
  readonly config: PointwiseRunConfig;
  readonly runtime: Runtime;
  readonly resume?: boolean;
  readonly onEvent?: (event: TrainEvent) => void;
}

/** Trains into the folder `run`, scores the test period beside the baselines, and leaves a finished run there. */
export async function trainPointwiseRun(options: PointwiseRunOptions): Promise<StationScore[]> {
  const { run, config, runtime, resume = false, onEvent } = options;
  const { variables } = config.data;
  const grid = await within(await openDataset(config.data.path), (d) =>
    readSeries(d, variables.length > 0 ? variables : undefined),
  );
  const stations = await openStations(config.data.stations, config.data.stations.variables);
  const statics = await readStatics(config, grid, openDataset);
  const fitted = normalisersFor(grid, stations.series, config, statics);
  const base = pointBase(grid, stations.series, stations.places, fitted, config.data.stations.path);
  const { train } = resolvePeriods(grid, config);
  const shape = {
    leads: fitted.grid.leadSteps,
    size: fitted.stations.anomaly.length,
    count: stations.places.names.length,
    channels: fitted.grid.channels.length,
  };
  const first = fitLines(base, shape, (lead) => startsOfBoth(base, config, train, lead));
  await beginFolder(run, config, {
    resume,
    prepare: () =>
      [fitted.grid, fitted.stations].map((n, i) => {
        const { arrays, metadata } = packNormaliser(n);
        const places: Record<string, string> = i === 1 ? { places: JSON.stringify(packPlaces(stations.places)) } : {};
        const all = i === 1 ? [...arrays, ...packLines(first)] : arrays;
        return [NORMALISATION[i], encodeSafetensors(all, { ...metadata, ...places })] as const;
      }),
  });
  const { normalisers, places, lines } = await readKnown(run); // what is on disk is what is used, resumed or not
  const data = { ...pointBase(grid, stations.series, places, normalisers, config.data.stations.path), lines };
  const store = checkpointStore(run);
  const log = await openLog(run, store, config.training.seeds);
  const began = performance.now();
  const cost = await costCounter();
  const initial = config.training.from === undefined ? undefined : await readParameters(config.training.from);
  for await (const event of trainPointwise({ runtime, data, config, store, initial })) {
    await log({ ...event, seconds: (performance.now() - began) / 1000 });
    onEvent?.(event);
  }
  const model: PointwiseModel = { config, normalisers, places, lines, members: await trainedMembers(run, config) };
  for (const [k, parameters] of model.members.entries()) {
    await writeWhole(path.join(run, params(k + 1)), encodeSafetensors(parameters));
    const onnx = stationsModel(parameters, model, 1, { config: JSON.stringify(config) });
    await writeWhole(path.join(run, k === 0 ? "model.onnx" : `model-${k + 1}.onnx`), onnx);
  }
  const predictor = await stationPredictor(runtime, model);
  const scores = await scoreStations(data, config, predictor);
  await predictor.close();
  const { test } = resolvePeriods(grid, config);
  const period = [test[0], test[1] - normalisers.grid.step].map((t) => formatTime(t, grid.calendar)).join(" to ");
  await writeWhole(path.join(run, "scores.json"), JSON.stringify(scores, null, 1));
  const card = pointwiseCard(model, grid, await cost(), stationTable(scores, period));
  await writeWhole(path.join(run, "card.md"), cardText(card));
  return scores;
}

interface PackedPlaces {
  names: readonly string[];
  latitudes: number[];
  longitudes: number[];
  elevations: number[];
}
const packPlaces = (p: Places): PackedPlaces => ({
  names: p.names,
  latitudes: [...p.latitudes],
  longitudes: [...p.longitudes],
  elevations: [...p.elevations],
});

/** What a run knew before it learnt. */
async function readKnown(run: string): Promise<Pick<PointwiseModel, "normalisers" | "places" | "lines">> {
  const [grid, stations] = await Promise.all(
    NORMALISATION.map(async (name) => {
      const file = path.join(run, name);
      const bytes = await readFile(file).catch((cause: unknown) => {
        throw new DataError(file, "it cannot be read; train the model first, or name the folder of a finished run", {
          cause,
        });
      });
      const { tensors, metadata } = decodeSafetensors(bytes, file);
      return { normaliser: unpackNormaliser(tensors, metadata, file), metadata, tensors };
    }),
  );
  const places = JSON.parse(stations.metadata["places"]) as PackedPlaces;
  return {
    normalisers: { grid: grid.normaliser, stations: stations.normaliser },
    lines: unpackLines(stations.tensors),
    places: {
      names: places.names,
      latitudes: Float64Array.from(places.latitudes),
      longitudes: Float64Array.from(places.longitudes),
      elevations: Float64Array.from(places.elevations),
    },
  };
}

/** A finished run, ready to forecast. */
export async function openPointwiseRun(run: string): Promise<PointwiseModel> {
  const name = path.join(run, "config.yaml");
  const config = parsePointwiseConfig(parse(await readFile(name, "utf8")), name);
  const members: Parameters[] = [];
  for (let k = 1; k <= config.training.seeds; k++) members.push(await readParameters(path.join(run, params(k))));
  return { config, members, ...(await readKnown(run)) };
}

export interface StationForecastOptions {
  readonly model: PointwiseModel;
  readonly runtime: Runtime;
  /** Gridded states to start from, and reports of the run's stations; the run's own data where left out. */
  readonly grid?: string;
  readonly stations?: string;
  readonly out: string;
  readonly starts: "test" | "latest" | readonly [from: number, to: number];
  readonly everyStart?: number;
  /** Hours. */
  readonly maxLead?: number;
  readonly everyLead?: number;
  readonly onProgress?: (done: number, total: number) => void;
}

/** Forecasts at the run's stations into a Zarr store or NetCDF file. A station without a report at the start is forecast from the grid. */
export async function writeStationForecast(
  options: StationForecastOptions,
): Promise<{ starts: number; leads: number[] }> {
  const { model, runtime, out, onProgress } = options;
  const { config, normalisers, places } = model;
  const n = normalisers.stations;
  const grid = await within(await openDataset(options.grid ?? config.data.path), (d) =>
    readSeries(d, normalisers.grid.channels),
  );
  refuseOthers(grid, normalisers.grid, options.grid ?? config.data.path);
  const source = { path: options.stations ?? config.data.stations.path, table: config.data.stations.table };
  const reports = inOrder(await openStations(source, n.channels), places, source.path);
  const data = { ...pointBase(grid, reports, places, normalisers, source.path), lines: model.lines };
  const hours = n.step / 3_600_000;
  const every = Math.max(1, Math.round((options.everyLead ?? hours) / hours));
  const last = Math.round((options.maxLead ?? config.forecast.maxLead) / hours);
  if (last > n.leadSteps || last < every)
    throw new UsageError(
      `the model was trained for leads of ${hours} to ${n.leadSteps * hours} h, in one jump each; ask for a --lead between, and a --lead-step no longer`,
    );
  const leads = Array.from({ length: Math.floor(last / every) }, (_, i) => (i + 1) * every);
  const starts = startsOf(grid, options);
  const layout = forecastLayout(
    { ...n, latitudes: places.latitudes, longitudes: places.longitudes, stations: places.names },
    starts.map((i) => grid.times[i]),
    leads.map((lead) => lead * hours),
    { title: "Foehn forecast at stations (pointwise)", source: source.path, channels: n.channels.join(" ") },
  );
  const predictor = await stationPredictor(runtime, model);
  const writer = await createForecastFile(out, layout);
  try {
    for (const [at, lead] of leads.entries()) {
      const states = await predictor.at(data, starts, lead);
      for (const [k, state] of states.entries()) await writer.write(state, { time: k, lead: at });
      onProgress?.(at + 1, leads.length);
    }
    await writer.close();
  } catch (error) {
    await writer.abort();
    throw error;
  } finally {
    await predictor.close();
  }
  return { starts: starts.length, leads: leads.map((lead) => lead * hours) };
}

function startsOf(grid: Series, { model: { config }, starts, everyStart }: StationForecastOptions): number[] {
  const range =
    starts === "test"
      ? resolvePeriods(grid, config).test
      : starts === "latest"
        ? ([-Infinity, Infinity] as const)
        : starts;
  const all = startsIn(grid, range, config.forecast.history, starts === "test" ? 1 : 0);
  if (all.length === 0)
    throw new UsageError(
      `no start lies there: ${config.forecast.history} gridded states in a row are needed, and the data run from ${formatTime(grid.times[0], grid.calendar)} to ${formatTime(grid.times[grid.times.length - 1], grid.calendar)}`,
    );
  if (starts === "latest") return all.slice(-1);
  const every = Math.max(1, Math.round(((everyStart ?? 0) * 3_600_000) / stepOf(grid)));
  return all.filter((_, k) => k % every === 0);
}

function refuseOthers(grid: Series, n: Normaliser, source: string): void {
  const same = (a: Float64Array, b: Float64Array) =>
    a.length === b.length && a.every((v, i) => Math.abs(v - b[i]) < 1e-4);
  if (!same(grid.latitudes, n.latitudes) || !same(grid.longitudes, n.longitudes))
    throw new DataError(source, "its grid is not the model's; regrid it first with 'foehn convert --like'");
}

/** Reports with the run's stations in the run's order; those that a file lacks are missing. */
function inOrder({ series, places }: StationsData, wanted: Places, source: string): Series {
  if (places.names.join() === wanted.names.join()) return series;
  const order = wanted.names.map((name) => places.names.indexOf(name));
  if (order.every((s) => s < 0))
    throw new DataError(
      source,
      `it has none of the run's stations (${wanted.names.slice(0, 3).join(", ")}, ...); name reports of those`,
    );
  const [own, count] = [places.names.length, order.length];
  const rows = series.values.length / own;
  const values = Float32Array.from({ length: rows * count }, (_, i) => {
    const s = order[i % count];
    return s < 0 ? NaN : series.values[Math.floor(i / count) * own + s];
  });
  return { ...series, values, latitudes: wanted.latitudes };
}
