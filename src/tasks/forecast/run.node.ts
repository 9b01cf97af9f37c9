/**
 * A run on disk: `config.yaml` as resolved, `normalisation.safetensors`, the parameters and `model.onnx` when training is done,
 * `state.*.safetensors` to go on from, and `log.jsonl`. Every file is written beside its place and takes it whole.
 */
import { existsSync } from "node:fs";
import { appendFile, readFile } from "node:fs/promises";
import path from "node:path";
import { parse } from "yaml";
import { writeWhole } from "../../data/files.node.js";
import { DataError } from "../../errors.js";
import type { Parameters } from "../../engine/parameters.js";
import type { NdArray } from "../../tensor/ndarray.js";
import { decodeSafetensors, encodeSafetensors, type Safetensors } from "../../tensor/safetensors.js";
import { formatTime } from "../../earth/time.js";
import { withScores } from "../card.js";
import { beginFolder, taskOf } from "../run-folder.node.js";
import { packCalibration, unpackCalibration } from "./calibration.js";
import { type CardScore, testTable } from "./card.js";
import { type ForecastConfig, parseForecastConfig } from "./config.js";
import { jumpModel } from "./network.js";
import { type Normaliser, packNormaliser, unpackNormaliser } from "./normaliser.js";
import type { ForecastModel } from "./rollout.js";
import type { Checkpoint, CheckpointStore, TrainEvent } from "../fit.js";

const file = (run: string, name: string): string => path.join(run, name);
const member = (stem: string, k: number, ending = "safetensors"): string =>
  `${stem}${k === 1 ? "" : `-${k}`}.${ending}`;

async function readTensors(name: string): Promise<Safetensors> {
  const bytes = await readFile(name).catch((cause: unknown) => {
    throw new DataError(name, "it cannot be read; train the model first, or name the folder of a finished run", {
      cause,
    });
  });
  return decodeSafetensors(bytes, name);
}

/** Makes the folder of a new run, or goes on with it. */
export const beginRun = (
  run: string,
  config: ForecastConfig,
  normaliser: Normaliser,
  options: { resume: boolean },
): Promise<void> =>
  beginFolder(run, config, {
    ...options,
    prepare() {
      const { arrays, metadata } = packNormaliser(normaliser);
      return [["normalisation.safetensors", encodeSafetensors(arrays, metadata)]];
    },
  });

export async function readConfig(run: string): Promise<ForecastConfig> {
  const task = await taskOf(run);
  if (task !== "forecast")
    throw new DataError(run, `this run is for the task '${task}'; ${REMEDIES[task] ?? "name another"}`);
  const name = file(run, "config.yaml");
  return parseForecastConfig(parse(await readFile(name, "utf8")), name);
}

/** What to do with a run that cannot forecast. */
const REMEDIES: Readonly<Record<string, string>> = {
  downscale: "make fine fields with 'foehn downscale'",
  stations: "its forecasts are made by 'foehn forecast', and its network is model.onnx in the folder",
  pretrain: "name the folder of one of its datasets within it",
};

export async function readNormaliser(run: string): Promise<Normaliser> {
  const name = file(run, "normalisation.safetensors");
  const { tensors, metadata } = await readTensors(name);
  return unpackNormaliser(tensors, metadata, name);
}

/** The parameters of a finished run (its first network's), or of a safetensors file. */
export async function readParameters(runOrFile: string): Promise<Parameters> {
  const isFile = runOrFile.endsWith(".safetensors");
  return (await readTensors(isFile ? runOrFile : file(runOrFile, member("params", 1)))).tensors as Parameters;
}

/** Checkpoints as `state.safetensors`, `state-2.safetensors`, ... for each network of the run. */
export function checkpointStore(run: string): CheckpointStore {
  const PARTS = ["parameters", "best"] as const;
  return {
    async load(k) {
      const name = file(run, member("state", k));
      if (!existsSync(name)) return undefined;
      const { tensors, metadata } = await readTensors(name);
      const under = <T extends NdArray>(prefix: string) =>
        new Map(
          [...tensors].flatMap(([key, array]) =>
            key.startsWith(`${prefix}:`) ? [[key.slice(prefix.length + 1), array as T] as const] : [],
          ),
        );
      const facts = JSON.parse(metadata["checkpoint"]) as {
        step: number;
        best: { loss: number; step: number };
        waited: number;
        finished: boolean;
      };
      const [parameters, best] = PARTS.map((part) => under<NdArray<"float32">>(part));
      return {
        member: k,
        parameters,
        trainer: { step: facts.step, arrays: under("optimiser") },
        best: { ...facts.best, parameters: best },
        waited: facts.waited,
        finished: facts.finished,
      };
    },
    async save({ member: k, parameters, trainer, best, waited, finished }: Checkpoint) {
      const named = (prefix: string, arrays: ReadonlyMap<string, NdArray>) =>
        [...arrays].map(([key, array]) => [`${prefix}:${key}`, array] as const);
      const facts = { step: trainer.step, best: { loss: best.loss, step: best.step }, waited, finished };
      const bytes = encodeSafetensors(
        [...named("parameters", parameters), ...named("best", best.parameters), ...named("optimiser", trainer.arrays)],
        { checkpoint: JSON.stringify(facts) },
      );
      await writeWhole(file(run, member("state", k)), bytes);
    },
  };
}

/** Appends to `log.jsonl`; a resumed run first drops what came after the checkpoint it goes on from. */
export async function openLog(
  run: string,
  store: CheckpointStore,
  seeds: number,
): Promise<(event: TrainEvent & { seconds: number }) => Promise<void>> {
  const name = file(run, "log.jsonl");
  if (existsSync(name)) {
    const reached = new Map<number, number>();
    for (let k = 1; k <= seeds; k++) reached.set(k, (await store.load(k))?.trainer.step ?? 0);
    const kept = (await readFile(name, "utf8")).split("\n").filter((line) => {
      try {
        const row = JSON.parse(line) as TrainEvent;
        return row.step <= (reached.get(row.member) ?? 0);
      } catch {
        return false; // the line a kill cut short
      }
    });
    await writeWhole(name, kept.map((line) => `${line}\n`).join(""));
  }
  return (event) => appendFile(name, `${JSON.stringify(event)}\n`);
}

/** The best parameters of every network of a run whose training is done. */
export async function trainedMembers(
  run: string,
  config: { readonly training: { readonly seeds: number } },
): Promise<Parameters[]> {
  const store = checkpointStore(run);
  const members: Parameters[] = [];
  for (let k = 1; k <= config.training.seeds; k++) {
    const checkpoint = await store.load(k);
    if (!checkpoint?.finished)
      throw new DataError(
        run,
        `network ${k} of ${config.training.seeds} is not trained to its end; go on with --resume`,
      );
    members.push(checkpoint.best.parameters);
  }
  return members;
}

/** Writes `params.safetensors` and `model.onnx` (one jump at a batch of one), `params-2`, `model-2`, ... of further networks, the calibration and the card. */
export async function finishRun(
  run: string,
  { config, normaliser, members, calibration }: ForecastModel,
  card: string,
): Promise<void> {
  const { metadata } = packNormaliser(normaliser);
  const { history, slowMeans } = config.forecast;
  const shape = { model: config.model, normaliser, history, slowMeans: slowMeans.length, batch: 1 };
  for (const [k, parameters] of members.entries()) {
    const onnx = jumpModel(parameters, shape, { ...metadata, config: JSON.stringify(config) });
    await writeWhole(file(run, member("model", k + 1, "onnx")), onnx);
    await writeWhole(file(run, member("params", k + 1)), encodeSafetensors(parameters));
  }
  await writeWhole(file(run, "card.md"), card);
  if (calibration)
    await writeWhole(file(run, "calibration.safetensors"), encodeSafetensors(packCalibration(calibration)));
}

/** A finished run, ready to forecast. */
export async function openRun(run: string): Promise<ForecastModel> {
  const config = await readConfig(run);
  const normaliser = await readNormaliser(run);
  const members: Parameters[] = [];
  for (let k = 1; k <= config.training.seeds; k++) members.push(await readParameters(file(run, member("params", k))));
  const calibration = config.forecast.calibrate
    ? unpackCalibration((await readTensors(file(run, "calibration.safetensors"))).tensors)
    : undefined;
  return { config, normaliser, members, calibration };
}

/** Puts the scores of the test period into the card of a finished run. */
export async function addTestScores(run: string, scores: readonly CardScore[]): Promise<void> {
  const { normaliser: n, config } = await openRun(run);
  const period =
    config.data.test?.join(" to ") ?? `after ${formatTime(n.trainRange[1], n.calendar)} and the validation period`;
  const card = await readFile(file(run, "card.md"), "utf8");
  await writeWhole(file(run, "card.md"), withScores(card, testTable(scores, period)));
}
