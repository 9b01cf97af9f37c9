/** `foehn train`: from data to a trained run, for the task that the settings or `--task` name. */
import path from "node:path";
import { parsePretrainConfig, pretrainRun } from "../tasks/forecast/mixture.node.js";
import { parseForecastConfig } from "../tasks/forecast/config.js";
import { openDataset } from "../data/open.node.js";
import { openRuntime } from "../engine/runtime.node.js";
import { UsageError } from "../errors.js";
import { trainRun } from "../tasks/forecast/make.node.js";
import { PRESET_NAMES, preset, type Preset } from "../models/presets.js";
import type { TrainEvent } from "../tasks/fit.js";
import { parseDownscaleConfig } from "../tasks/downscale/config.js";
import { pairsOf, trainDownscaleRun } from "../tasks/downscale/run.node.js";
import { parsePointwiseConfig } from "../tasks/pointwise/config.js";
import { trainPointwiseRun } from "../tasks/pointwise/run.node.js";
import type { CommandFactory } from "./commands.js";
import { applySettings, collect, commandWith, list, readYaml } from "./options.js";
import { bar, duration, type Output, output, timeLeft } from "./output.js";

const TASKS = ["forecast", "downscale", "pretrain", "stations"];

interface TrainFlags {
  task?: string;
  preset?: string;
  data?: string;
  variables?: string[];
  out?: string;
  set?: string[];
  resume?: boolean;
  device?: string;
  json?: boolean;
  quiet?: boolean;
}

export const command: CommandFactory = () =>
  commandWith(
    "train",
    "Trains a forecasting or downscaling model on a dataset, or goes on with a run that was stopped.",
    "foehn train --data era5.zarr --variables t2m --out runs/first",
  )
    .argument("[config]", "YAML file of settings")
    .option("--task <name>", `${TASKS.join(", ")}; the settings' own where left out`)
    .option("--preset <name>", `a model by name: ${PRESET_NAMES.join(", ")}`)
    .option("--data <path>", "dataset to learn from (Zarr, NetCDF, ...); for downscaling the fine one")
    .option("--variables <names>", "comma-separated; z@500 names one level", list)
    .option("--out <folder>", "folder of the run; runs/ and the task's name where left out")
    .option("--set <a.b=value>", "a setting on top of the file; may be repeated", collect)
    .option("--resume", "go on where the run in --out was stopped")
    .option("--device <name>", "where to compute (see foehn doctor)")
    .action(async (file: string | undefined, flags: TrainFlags) => {
      const out = output(flags);
      const written: Record<string, unknown> = file ? await readYaml(file) : {};
      const given = flags.preset ? withPreset(written, preset(flags.preset)) : written;
      const asked = flags.task ?? given["task"] ?? "forecast";
      const task = TASKS.find((each) => each === asked);
      if (task === undefined)
        throw new UsageError(`there is no task ${JSON.stringify(asked)} to train for; there are ${TASKS.join(", ")}`);
      const run = flags.out ?? `runs/${task}`;
      if (task === "pretrain") return pretrain(file, { ...given, task }, run, flags);
      if (task === "downscale") return trainDownscaling(file, { ...given, task }, run, flags);
      const data = {
        ...(given["data"] as object | undefined),
        ...(flags.data ? { path: flags.data } : {}),
        ...(flags.variables ? { variables: flags.variables } : {}),
      };
      if (task === "stations") return trainStations(file, { ...given, data, task }, run, flags);
      if (!("path" in data))
        throw new UsageError("name the data to learn from: foehn train --data PATH, or data.path in the settings");
      const config = parseForecastConfig(
        applySettings({ ...given, data, ...(flags.device ? { device: flags.device } : {}) }, flags.set ?? []),
        file,
      );
      const dataset = await openDataset(config.data.path);
      const runtime = await openRuntime({ device: config.device, threads: config.threads });
      try {
        const began = performance.now();
        await trainRun({
          run,
          config,
          dataset,
          runtime,
          resume: flags.resume,
          onEvent: trainingProgress(out, config.training.seeds),
        });
        out.result(
          { run, seconds: (performance.now() - began) / 1000 },
          `trained in ${duration((performance.now() - began) / 1000)}: ${run}`,
        );
      } finally {
        await runtime.close();
        await dataset.close();
      }
    });

/** A preset's model, and what belongs to its training where the settings say nothing of it. */
const withPreset = (given: Record<string, unknown>, { model, training }: Preset): Record<string, unknown> => ({
  ...given,
  model,
  ...(training && { training: { ...training, ...(given["training"] as object | undefined) } }),
});

/** The same for `task: pretrain`, whose settings name several datasets. */
async function pretrain(
  file: string | undefined,
  given: Record<string, unknown>,
  run: string,
  flags: TrainFlags,
): Promise<void> {
  const out = output(flags);
  if (flags.data !== undefined || flags.variables)
    throw new UsageError(
      "pretraining reads several datasets: list them under data in the settings, without --data or --variables",
    );
  const device = flags.device ? { device: flags.device } : {};
  const config = parsePretrainConfig(applySettings({ ...given, ...device }, flags.set ?? []), file);
  const began = performance.now();
  const runtime = await openRuntime({ device: config.device, threads: config.threads });
  try {
    const onEvent = trainingProgress(out, config.training.seeds);
    await pretrainRun({ run, config, runtime, resume: flags.resume, onEvent });
  } finally {
    await runtime.close();
  }
  const seconds = (performance.now() - began) / 1000;
  const runs = config.data.map(({ name }) => path.join(run, name));
  out.result({ run, runs, seconds }, `trained in ${duration(seconds)}: ${runs.join(", ")}`);
}

/** The same for `task: stations`, one network for gridded and station data. */
async function trainStations(
  file: string | undefined,
  given: Record<string, unknown>,
  run: string,
  flags: TrainFlags,
): Promise<void> {
  const out = output(flags);
  const device = flags.device ? { device: flags.device } : {};
  const config = parsePointwiseConfig(applySettings({ ...given, ...device }, flags.set ?? []), file);
  const began = performance.now();
  const runtime = await openRuntime({ device: config.device, threads: config.threads });
  try {
    const onEvent = trainingProgress(out, config.training.seeds);
    const scores = await trainPointwiseRun({ run, config, runtime, resume: flags.resume, onEvent });
    const seconds = (performance.now() - began) / 1000;
    out.result({ run, seconds, scores }, `trained in ${duration(seconds)}: ${run}; its card.md has the test's scores`);
  } finally {
    await runtime.close();
  }
}

/** The same for `task: downscale`. */
async function trainDownscaling(
  file: string | undefined,
  given: Record<string, unknown>,
  run: string,
  flags: TrainFlags,
): Promise<void> {
  const out = output(flags);
  const before = given["data"] as { fine?: object } | undefined;
  const fine = {
    ...before?.fine,
    ...(flags.data ? { path: flags.data } : {}),
    ...(flags.variables ? { variables: flags.variables } : {}),
  };
  const device = flags.device ? { device: flags.device } : {};
  const config = parseDownscaleConfig(
    applySettings({ ...given, data: { ...before, fine }, ...device }, flags.set ?? []),
    file,
  );
  const began = performance.now();
  const pairs = await pairsOf(config);
  const runtime = await openRuntime({ device: config.device, threads: config.threads });
  try {
    await trainDownscaleRun({
      run,
      config,
      pairs,
      runtime,
      resume: flags.resume,
      onEvent: trainingProgress(out, config.training.seeds),
    });
    const seconds = (performance.now() - began) / 1000;
    out.result({ run, seconds }, `trained in ${duration(seconds)}: ${run}`);
  } finally {
    await runtime.close();
  }
}

/** Shows each step's loss, the speed and the time left, and keeps a line for every validation. */
export function trainingProgress(out: Output, seeds: number): (event: TrainEvent) => void {
  let began = performance.now();
  let first: number | undefined;
  let member = 0;
  let smooth: number | undefined;
  return ({ step, steps, loss, validation, best, ended, ...event }) => {
    if (event.member !== member) {
      member = event.member;
      began = performance.now();
      first = step - 1;
      smooth = undefined;
    }
    smooth = smooth === undefined ? loss : 0.95 * smooth + 0.05 * loss;
    const done = (step - first!) / Math.max(1, steps - first!);
    const seconds = (performance.now() - began) / 1000;
    const speed = seconds > 1 ? `${((step - first!) / seconds).toFixed(1)} steps/s  ` : "";
    const network = seeds > 1 ? `network ${member} of ${seeds}, ` : "";
    out.progress(
      `${bar(step / steps)} ${network}step ${step}/${steps}  loss ${smooth.toFixed(4)}  ${speed}${timeLeft(began, done)} left`,
    );
    if (validation !== undefined)
      out.say(
        `  ${network}step ${step}: training loss ${smooth.toFixed(4)}, validation loss ${validation.toFixed(4)}${best ? " (best)" : ""}`,
      );
    if (ended === "no better validation") out.say(`  ${network}stopped: the validation loss fell no further`);
  };
}
