/** A downscaling run on disk: the files of a forecasting run, with `normalisation.safetensors` of its own and a `task` in `config.yaml`. */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { parse } from "yaml";
import { openDataset } from "../../data/open.node.js";
import { writeWhole } from "../../data/files.node.js";
import type { Runtime } from "../../engine/runtime.js";
import { DataError } from "../../errors.js";
import { decodeSafetensors, encodeSafetensors } from "../../tensor/safetensors.js";
import { beginFolder, taskOf } from "../run-folder.node.js";
import { checkpointStore, openLog, readParameters, trainedMembers } from "../forecast/run.node.js";
import type { TrainEvent } from "../fit.js";
import { type CardFacts, type CardTable, cardText } from "../card.js";
import { costCounter } from "../cost.node.js";
import { type Calibration, fitCalibration } from "./calibration.js";
import { downscaleCard } from "./card.js";
import { type DownscaleConfig, parseDownscaleConfig } from "./config.js";
import { fitDownscaling, type Fitted, packFitted, unpackFitted } from "./fitted.js";
import { type Pairs, readPairs, splitOf } from "./pairs.js";
import type { DownscaleModel } from "./predict.js";
import { portableDownscaling } from "./portable.js";
import { isInvertible, rescalingModels } from "./rescale.js";
import { trainDownscaling } from "./train.js";

const CALIBRATION = "calibration.json";
const file = (run: string, name: string): string => path.join(run, name);
const member = (stem: string, k: number, ending: string): string => `${stem}${k === 1 ? "" : `-${k}`}.${ending}`;

/** The pairs of fields that a configuration names, from files. */
export const pairsOf = (config: DownscaleConfig): Promise<Pairs> => readPairs(config, (name) => openDataset(name));

export interface TrainDownscaleRunOptions {
  readonly run: string;
  readonly config: DownscaleConfig;
  readonly pairs: Pairs;
  readonly runtime: Runtime;
  readonly resume?: boolean;
  readonly onEvent?: (event: TrainEvent) => void;
}

/** Trains into the folder `run` and leaves a finished run there. */
export async function trainDownscaleRun(options: TrainDownscaleRunOptions): Promise<DownscaleModel> {
  const { run, config, pairs, runtime, resume = false, onEvent } = options;
  await beginFolder(run, config, {
    resume,
    prepare() {
      const { arrays, metadata } = packFitted(fitDownscaling(pairs, config, splitOf(pairs, config).train));
      return [["normalisation.safetensors", encodeSafetensors(arrays, metadata)]];
    },
  });
  const fitted = await readFitted(run); // what is on disk is what is used, resumed or not
  const store = checkpointStore(run);
  const log = await openLog(run, store, config.training.seeds);
  const began = performance.now();
  const cost = await costCounter();
  for await (const event of trainDownscaling({ runtime, pairs, config, fitted, store })) {
    await log({ ...event, seconds: (performance.now() - began) / 1000 });
    onEvent?.(event);
  }
  const members = await trainedMembers(run, config);
  const model: DownscaleModel = isInvertible(config)
    ? { config, fitted, members }
    : { config, fitted, members, calibration: await fitCalibration(runtime, { config, fitted, members }, pairs) };
  if (model.calibration) await writeWhole(file(run, CALIBRATION), JSON.stringify(model.calibration));
  for (const [k, parameters] of members.entries())
    await writeWhole(file(run, member("params", k + 1, "safetensors")), encodeSafetensors(parameters));
  if (isInvertible(config)) {
    const { down, up } = rescalingModels(config, fitted, members[0]);
    await writeWhole(file(run, "down.onnx"), down);
    await writeWhole(file(run, "model.onnx"), up);
  } else
    for (const [k, { grid }] of pairs.coarse.entries()) {
      const setting = { coarse: grid, fine: pairs.grid, mapValues: pairs.mapValues };
      await writeWhole(file(run, member("model", k + 1, "onnx")), portableDownscaling(model, setting));
    }
  await writeWhole(file(run, "cost.json"), JSON.stringify(await cost()));
  await writeCard(run, model, pairs);
  return model;
}

/** Writes `card.md`, with the scores on the test period where there are some; returns what stands in it. */
export async function writeCard(
  run: string,
  model: DownscaleModel,
  pairs: Pairs,
  scores?: CardTable,
): Promise<CardFacts> {
  const cost = JSON.parse(await readFile(file(run, "cost.json"), "utf8")) as CardFacts["cost"];
  const facts = downscaleCard(model, pairs, cost, scores);
  await writeWhole(file(run, "card.md"), cardText(facts));
  return facts;
}

export async function readDownscaleConfig(run: string): Promise<DownscaleConfig> {
  const task = await taskOf(run);
  if (task !== "downscale")
    throw new DataError(
      run,
      `this run is for the task '${task}'; downscaling needs one trained by 'foehn train --task downscale'`,
    );
  const name = file(run, "config.yaml");
  return parseDownscaleConfig(parse(await readFile(name, "utf8")), name);
}

async function readFitted(run: string): Promise<Fitted> {
  const name = file(run, "normalisation.safetensors");
  const bytes = await readFile(name).catch((cause: unknown) => {
    throw new DataError(name, "it cannot be read; train the model first, or name the folder of a finished run", {
      cause,
    });
  });
  const { tensors, metadata } = decodeSafetensors(bytes, name);
  return unpackFitted(tensors, metadata, name);
}

/** A finished run, ready to downscale. */
export async function openDownscaleRun(run: string): Promise<DownscaleModel> {
  const config = await readDownscaleConfig(run);
  const fitted = await readFitted(run);
  const members = [];
  for (let k = 1; k <= config.training.seeds; k++)
    members.push(await readParameters(file(run, member("params", k, "safetensors"))));
  const name = file(run, CALIBRATION);
  const calibration = existsSync(name) ? (JSON.parse(await readFile(name, "utf8")) as Calibration) : undefined; // runs of before there was one
  return { config, fitted, members, calibration };
}
