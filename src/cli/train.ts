/** `foehn train`: from data to a trained run. */
import { parseForecastConfig } from "../tasks/forecast/config.js";
import { openDataset } from "../data/open.node.js";
import { openRuntime } from "../engine/runtime.node.js";
import { UsageError } from "../errors.js";
import { trainRun } from "../tasks/forecast/make.node.js";
import type { TrainEvent } from "../tasks/forecast/train.js";
import type { CommandFactory } from "./commands.js";
import { applySettings, collect, commandWith, list, readYaml } from "./options.js";
import { bar, duration, type Output, output, timeLeft } from "./output.js";

interface TrainFlags {
  data?: string;
  variables?: string[];
  out: string;
  set?: string[];
  resume?: boolean;
  device?: string;
  json?: boolean;
  quiet?: boolean;
}

export const command: CommandFactory = () =>
  commandWith(
    "train",
    "Trains a forecasting model on a dataset, or goes on with a run that was stopped.",
    "foehn train --data era5.zarr --variables t2m --out runs/first",
  )
    .argument("[config]", "YAML file of settings")
    .option("--data <path>", "dataset to learn from (Zarr, NetCDF, ...)")
    .option("--variables <names>", "comma-separated; z@500 names one level", list)
    .option("--out <folder>", "folder of the run", "runs/forecast")
    .option("--set <a.b=value>", "a setting on top of the file; may be repeated", collect)
    .option("--resume", "go on where the run in --out was stopped")
    .option("--device <name>", "where to compute (see foehn doctor)")
    .action(async (file: string | undefined, flags: TrainFlags) => {
      const out = output(flags);
      const given = file ? await readYaml(file) : {};
      const data = {
        ...(given["data"] as object | undefined),
        ...(flags.data ? { path: flags.data } : {}),
        ...(flags.variables ? { variables: flags.variables } : {}),
      };
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
          run: flags.out,
          config,
          dataset,
          runtime,
          resume: flags.resume,
          onEvent: trainingProgress(out, config.training.seeds),
        });
        out.result(
          { run: flags.out, seconds: (performance.now() - began) / 1000 },
          `trained in ${duration((performance.now() - began) / 1000)}: ${flags.out}`,
        );
      } finally {
        await runtime.close();
        await dataset.close();
      }
    });

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
    const speed = (step - first!) / ((performance.now() - began) / 1000);
    const network = seeds > 1 ? `network ${member} of ${seeds}, ` : "";
    out.progress(
      `${bar(step / steps)} ${network}step ${step}/${steps}  loss ${smooth.toFixed(4)}  ${speed.toFixed(1)} steps/s  ${timeLeft(began, done)} left`,
    );
    if (validation !== undefined)
      out.say(
        `  ${network}step ${step}: training loss ${smooth.toFixed(4)}, validation loss ${validation.toFixed(4)}${best ? " (best)" : ""}`,
      );
    if (ended === "no better validation") out.say(`  ${network}stopped: the validation loss fell no further`);
  };
}
