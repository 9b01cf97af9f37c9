/** The three steps of the forecasting story as functions: train a run, forecast with it, and write the forecast. */
import type { Dataset } from "../../data/dataset.js";
import { openDataset } from "../../data/open.node.js";
import { formatTime } from "../../earth/time.js";
import type { Runtime } from "../../engine/runtime.js";
import { DataError, UsageError } from "../../errors.js";
import type { TrainEvent } from "../fit.js";
import { readSeries, type Series, stepOf } from "../series.js";
import { type CardFacts, cardText } from "../card.js";
import { costCounter } from "../cost.node.js";
import { cascade, checkStages, type Stage } from "./cascade.js";
import { BLOCKS, type CalibrationFit, fitCalibration } from "./calibration.js";
import { forecastCard } from "./card.js";
import type { ForecastConfig } from "./config.js";
import { createForecastFile } from "./forecast-file.node.js";
import { forecastLayout } from "./layout.js";
import { reaches } from "./leads.js";
import { absentChannels, emptyChannels, withoutChannels } from "./missing.js";
import type { Normaliser } from "./normaliser.js";
import { resolvePeriods, startsIn } from "./periods.js";
import { createPredictor, type ForecastModel } from "./rollout.js";
import {
  beginRun,
  checkpointStore,
  finishRun,
  openLog,
  readNormaliser,
  readParameters,
  trainedMembers,
} from "./run.node.js";
import { departuresOf } from "./samples.js";
import { readStatics } from "./statics.js";
import { normaliserFor, pastOf, trainForecast } from "./train.js";

export interface TrainRunOptions {
  readonly run: string;
  readonly config: ForecastConfig;
  readonly dataset: Dataset;
  readonly runtime: Runtime;
  readonly resume?: boolean;
  readonly onEvent?: (event: TrainEvent) => void;
}

/** Trains into the folder `run` and leaves a finished run there. */
export async function trainRun({
  run,
  config,
  dataset,
  runtime,
  resume = false,
  onEvent,
}: TrainRunOptions): Promise<ForecastModel> {
  const series = await readSeries(dataset, config.data.variables.length > 0 ? config.data.variables : undefined);
  const statics = await readStatics(config, series, openDataset);
  const fitted = { ...normaliserFor(series, config), statics };
  await beginRun(run, config, fitted, { resume });
  const normaliser = await readNormaliser(run); // what is on disk is what is used, resumed or not
  const store = checkpointStore(run);
  const log = await openLog(run, store, config.training.seeds);
  const began = performance.now();
  const cost = await costCounter();
  const initial = config.training.from === undefined ? undefined : await readParameters(config.training.from);
  for await (const event of trainForecast({ runtime, series, config, store, normaliser, initial })) {
    await log({ ...event, seconds: (performance.now() - began) / 1000 });
    onEvent?.(event);
  }
  const trained: ForecastModel = { config, normaliser, members: await trainedMembers(run, config) };
  return completeRun(run, trained, series, runtime, await cost());
}

/** Calibrates a trained model and writes what makes its folder a finished run. */
export async function completeRun(
  run: string,
  trained: ForecastModel,
  series: Series,
  runtime: Runtime,
  cost: CardFacts["cost"],
): Promise<ForecastModel> {
  const fit = trained.config.forecast.calibrate ? await validated(trained, series, runtime) : undefined;
  const model = { ...trained, calibration: fit?.result() };
  await finishRun(run, model, cardText(forecastCard(model, series, cost, fit?.scores())));
  return model;
}

/** Starts of the validation period that the calibration is fitted on, at most. */
const CALIBRATION_STARTS = 180;

/** The networks' forecasts over the validation period, to be calibrated and scored. */
async function validated(model: ForecastModel, series: Series, runtime: Runtime): Promise<CalibrationFit> {
  const { normaliser: n, config } = model;
  const departures = departuresOf(n, series);
  const { validation } = resolvePeriods(series, config);
  const all = startsIn(series, validation, config.forecast.history, 1);
  const starts = all.filter((_, k) => k % Math.ceil(all.length / CALIBRATION_STARTS) === 0);
  const inside = new Set(startsIn(series, validation, 1, 0));
  const fit = fitCalibration(n, config.forecast.calibrate === "blend" ? "blend" : "free");
  const predictor = await createPredictor(runtime, model);
  try {
    const leads = Array.from({ length: n.leadSteps }, (_, i) => i + 1).filter((lead) => reaches(config, n, lead));
    for await (const { lead, departures: us } of predictor.departures(
      starts.map((i) => departures.start(i, pastOf(config))),
      leads,
    ))
      us.forEach((u, k) => {
        const valid = starts[k] + lead;
        if (!inside.has(valid)) return;
        const block = Math.floor((k * BLOCKS) / starts.length);
        fit.add(lead, u, departures.at(starts[k]), departures.at(valid), block);
      });
  } finally {
    await predictor.close();
  }
  return fit;
}

export interface ForecastOptions {
  readonly model: ForecastModel;
  /** Models that take over from it, or from the one before, after so many hours. */
  readonly then?: readonly { readonly model: ForecastModel; readonly after: number }[];
  readonly dataset: Dataset;
  readonly runtime: Runtime;
  /** Longest lead in hours; the longest that the (last) model learnt where left out. */
  readonly maxLead?: number;
  /** Hours between leads; the data's own step where left out. */
  readonly everyLead?: number;
  /** Which starts: those in the run's test period, the newest alone, or those in a range of instants. */
  readonly starts: "test" | "latest" | readonly [from: number, to: number];
  /** Hours between starts; every state where left out. */
  readonly everyStart?: number;
  readonly onProgress?: (done: number, total: number) => void;
  /** Told the channels that the data lack, where the models forecast without them. */
  readonly onMissing?: (absent: readonly string[]) => void;
}

/**
 * Forecasts into a Zarr store or, by its ending `.nc`, a NetCDF-4 file. Variables that the data lack are left out where the models can
 * do without (missing.ts).
 */
export async function writeForecast(
  options: ForecastOptions & { readonly out: string },
): Promise<{ starts: number; leads: number[]; missing: string[] }> {
  const { then = [], dataset, runtime, out, onProgress } = options;
  const whole = [
    { model: options.model, after: 0 },
    ...then.map(({ model, after }) => ({ model, after: (after * 3_600_000) / options.model.normaliser.step })),
  ];
  checkStages(whole);
  const { series, missing } = await statesFor(options.model.normaliser.channels, dataset, (absent) =>
    whole.forEach(({ model }) => withoutChannels(model, absent, dataset.source)),
  );
  if (missing.length > 0) options.onMissing?.(missing);
  const models = whole.map(({ model, after }) => ({ model: withoutChannels(model, missing, dataset.source), after }));
  const [{ model }] = models;
  const { normaliser } = model;
  refuseOtherGrid(series, normaliser, dataset.source);
  const starts = chosenStarts(series, options);
  const hours = normaliser.step / 3_600_000;
  const every = Math.max(1, Math.round((options.everyLead ?? hours) / hours));
  const final = models[models.length - 1];
  const last = Math.round((options.maxLead ?? final.after * hours + final.model.config.forecast.maxLead) / hours);
  const leads = Array.from({ length: Math.floor(last / every) }, (_, i) => (i + 1) * every);
  if (leads.length === 0)
    throw new UsageError(
      `the longest lead is ${options.maxLead} h, but the model's step is ${hours} h; ask for at least that`,
    );

  const layout = forecastLayout(
    normaliser,
    starts.map((i) => series.times[i]),
    leads.map((l) => l * hours),
    {
      title: `Foehn forecast (${models.map(({ model }) => model.config.model.name).join(", then ")})`,
      source: dataset.source,
      // Levels are shared by all variables of a file: this says which of them were forecast
      channels: normaliser.channels.join(" "),
      training_period: normaliser.trainRange.map((t) => formatTime(t, normaliser.calendar)).join("/"),
    },
  );
  const views = models.map(({ model }) => departuresOf(model.normaliser, series));
  const writer = await createForecastFile(out, layout);
  const stages: Stage[] = [];
  try {
    for (const stage of models) stages.push({ ...stage, predictor: await createPredictor(runtime, stage.model) });
    const block = 64;
    for (let from = 0; from < starts.length; from += block) {
      const part = starts.slice(from, from + block);
      let lead = 0;
      const begin = models.map(({ model }, k) => part.map((i) => views[k].start(i, pastOf(model.config))));
      for await (const { states } of cascade(stages, begin, leads)) {
        for (const [k, state] of states.entries()) await writer.write(state, { time: from + k, lead });
        lead++;
        onProgress?.(from * leads.length + lead * part.length, starts.length * leads.length);
      }
    }
    await writer.close();
  } catch (error) {
    await writer.abort();
    throw error;
  } finally {
    for (const { predictor } of stages) await predictor.close();
  }
  return { starts: starts.length, leads: leads.map((l) => l * hours), missing };
}

/** The states of the channels that a dataset has values of, and the names of the others; `refuse` throws where those are needed. */
async function statesFor(
  channels: readonly string[],
  dataset: Dataset,
  refuse: (absent: readonly string[]) => void,
): Promise<{ series: Series; missing: string[] }> {
  const absent = await absentChannels(dataset, channels);
  refuse(absent);
  const present = channels.filter((channel) => !absent.includes(channel));
  const series = await readSeries(dataset, present);
  const empty = emptyChannels(series);
  if (empty.length === 0) return { series, missing: absent };
  const missing = channels.filter((channel) => absent.includes(channel) || empty.includes(channel));
  refuse(missing);
  return {
    series: await readSeries(
      dataset,
      present.filter((channel) => !empty.includes(channel)),
    ),
    missing,
  };
}

function chosenStarts(series: Series, { model, then = [], starts, everyStart }: ForecastOptions): number[] {
  const { config, normaliser } = model;
  const history = Math.max(...[model, ...then.map((t) => t.model)].map((m) => m.config.forecast.history));
  const step = stepOf(series);
  if (Math.abs(step - normaliser.step) > 1000)
    throw new UsageError(
      `the model was trained on states every ${normaliser.step / 3_600_000} h, but this data has one every ${step / 3_600_000} h; resample it first`,
    );
  const range =
    starts === "test"
      ? resolvePeriods(series, config).test
      : starts === "latest"
        ? ([-Infinity, Infinity] as const)
        : starts;
  const all = startsIn(series, range, history, starts === "test" ? 1 : 0);
  if (all.length === 0)
    throw new UsageError(
      `no start lies there: ${history} states in a row are needed, and the data runs from ${formatTime(series.times[0], series.calendar)} to ${formatTime(series.times[series.times.length - 1], series.calendar)}`,
    );
  if (starts === "latest") return all.slice(-1);
  const every = everyStart === undefined ? 1 : Math.max(1, Math.round((everyStart * 3_600_000) / step));
  return all.filter((_, k) => k % every === 0);
}

function refuseOtherGrid(series: Series, n: Normaliser, source: string): void {
  const same = (a: Float64Array, b: Float64Array) =>
    a.length === b.length && a.every((v, i) => Math.abs(v - b[i]) < 1e-4);
  if (!same(series.latitudes, n.latitudes) || !same(series.longitudes, n.longitudes))
    throw new DataError(
      source,
      `its grid of ${series.latitudes.length} x ${series.longitudes.length} points is not the model's of ${n.latitudes.length} x ${n.longitudes.length}; regrid it first with 'foehn convert --like'`,
    );
}
