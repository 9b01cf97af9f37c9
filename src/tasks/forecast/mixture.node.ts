/**
 * Pretraining on disk: a run whose `params.safetensors` holds every parameter of the shared network, and in it a folder for each
 * dataset that is a finished forecasting run of its own:
 *
 *     foehn train --task pretrain mixture.yaml --out runs/base
 *     foehn forecast runs/base/europe
 *     foehn train --data mine.nc --set training.from=runs/base --set model.name=climax ...
 */
import path from "node:path";
import { z } from "zod";
import { writeWhole } from "../../data/files.node.js";
import { openDataset } from "../../data/open.node.js";
import type { Parameters } from "../../engine/parameters.js";
import type { Runtime } from "../../engine/runtime.js";
import { encodeSafetensors } from "../../tensor/safetensors.js";
import { parseWith } from "../config.js";
import { costCounter } from "../cost.node.js";
import type { TrainEvent } from "../fit.js";
import { beginFolder } from "../run-folder.node.js";
import { readSeries } from "../series.js";
import { type ForecastConfig, forecastSchema } from "./config.js";
import { completeRun } from "./make.node.js";
import { type MixtureSource, trainMixture } from "./mixture.js";
import { beginRun, checkpointStore, openLog, readNormaliser, readParameters, trainedMembers } from "./run.node.js";
import { freshSite, trainingNetwork } from "./network.js";
import { readStatics } from "./statics.js";
import { normaliserFor } from "./train.js";

const { data, forecast, training } = forecastSchema.shape;

export const pretrainSchema = z.strictObject({
  task: z.literal("pretrain"),
  /** Each with its name, which is that of its folder. */
  data: z.array(data.extend({ name: z.string().regex(/^[\w-]+$/, "use letters, digits, - and _") })).min(2),
  forecast,
  model: z.looseObject({ name: z.string() }).default({ name: "climax" }),
  training,
  /** At the start; 1 counts each dataset by its samples, more evens them out. */
  temperature: z.number().min(1).default(3),
  /** Part of the steps over which it falls to 1. */
  coolDown: z.number().positive().max(1).default(0.5),
  seed: z.int().nonnegative().default(0),
  device: z.string().default("cpu"),
  threads: z.int().positive().optional(),
});
export type PretrainConfig = z.output<typeof pretrainSchema>;

export const parsePretrainConfig = (given: unknown, source?: string): PretrainConfig =>
  parseWith(pretrainSchema, given, source);

export interface PretrainOptions {
  readonly run: string;
  readonly config: PretrainConfig;
  readonly runtime: Runtime;
  readonly resume?: boolean;
  readonly onEvent?: (event: TrainEvent) => void;
}

/** Trains into the folder `run`. */
export async function pretrainRun({ run, config, runtime, resume = false, onEvent }: PretrainOptions): Promise<void> {
  const { data: datasets, temperature, coolDown, task: _, ...shared } = config;
  await beginFolder(run, config, { resume });
  const sources: MixtureSource[] = [];
  for (const { name, ...own } of datasets) {
    const settings: ForecastConfig = { ...shared, task: "forecast", data: own };
    const dataset = await openDataset(own.path);
    const series = await readSeries(dataset, own.variables.length > 0 ? own.variables : undefined);
    await dataset.close();
    const folder = path.join(run, name);
    const statics = await readStatics(settings, series, openDataset);
    await beginRun(folder, settings, { ...normaliserFor(series, settings), statics }, { resume });
    sources.push({ name, series, config: settings, normaliser: await readNormaliser(folder) });
  }
  const store = checkpointStore(run);
  const log = await openLog(run, store, config.training.seeds);
  const began = performance.now();
  const cost = await costCounter();
  const initial = config.training.from === undefined ? undefined : await readParameters(config.training.from);
  const [first] = sources;
  for (let member = 1; member <= config.training.seeds; member++) {
    const options = { runtime, sources, config: first.config, store, member, temperature, coolDown, initial };
    for await (const event of trainMixture(options)) {
      await log({ ...event, seconds: (performance.now() - began) / 1000 });
      onEvent?.(event);
    }
  }
  const members = await trainedMembers(run, config);
  const spent = await cost();
  for (const { name, series, config: own, normaliser } of sources) {
    const trained = { config: own, normaliser, members: members.map((all) => ownPart(all, own, normaliser)) };
    await completeRun(path.join(run, name), trained, series, runtime, spent);
  }
  for (const [k, all] of members.entries())
    await writeWhole(path.join(run, `params${k === 0 ? "" : `-${k + 1}`}.safetensors`), encodeSafetensors(all));
}

/** The parameters that the network of one dataset asks for. */
function ownPart(all: Parameters, config: ForecastConfig, normaliser: MixtureSource["normaliser"]): Parameters {
  const { history, slowMeans } = config.forecast;
  const shape = { model: config.model, normaliser, history, slowMeans: slowMeans.length, batch: 1 };
  const { parameters } = trainingNetwork({ ...shape, jumps: 1, dropout: false, shift: false }, freshSite("own"));
  return new Map([...parameters.initialisers.keys()].map((name) => [name, all.get(name)!]));
}
