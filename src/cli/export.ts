/** `foehn export`: a trained run as one ONNX file that takes and gives physical units. */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { writeWhole } from "../data/files.node.js";
import { UsageError } from "../errors.js";
import { downscaleFile } from "../tasks/downscale/export.js";
import { openDownscaleRun } from "../tasks/downscale/run.node.js";
import { portableModel } from "../tasks/forecast/portable.js";
import { openRun } from "../tasks/forecast/run.node.js";
import { taskOf } from "../tasks/run-folder.node.js";
import type { CommandFactory } from "./commands.js";
import { commandWith, factorsOf, numeric } from "./options.js";
import { output } from "./output.js";

interface ExportFlags {
  out?: string;
  lead?: number;
  leadStep?: number;
  batch?: number;
  factor?: string;
  shrink?: boolean;
  json?: boolean;
  quiet?: boolean;
}

/** What was written, for programs and for people. */
interface Exported {
  readonly bytes: Uint8Array;
  readonly facts: Readonly<Record<string, unknown>>;
  readonly about: string;
}

export const command: CommandFactory = () =>
  commandWith(
    "export",
    "Writes a trained run as one ONNX file. Of a forecasting run: raw states in, forecasts of every lead out. Of a downscaling run: coarse fields in, fine ones out. Normalisation, all networks and the calibration are inside.",
    "foehn export runs/first --lead 72 --lead-step 24 --out first.onnx\n  foehn export runs/uk --factor 8,8 --out uk.onnx",
  )
    .argument("<run>", "folder of a trained run")
    .option("--lead <hours>", "longest lead; the longest that the model learnt where left out", numeric)
    .option("--lead-step <hours>", "hours between leads; the data's own step where left out", numeric)
    .option("--batch <n>", "starts that the file takes at once; 1 where left out", numeric)
    .option(
      "--factor <rows,columns>",
      "of downscaling that made its fields coarse itself: fine rows and columns in a coarse cell; the run's first pair where left out",
    )
    .option("--shrink", "of an invertible model: the way from fine to coarse")
    .option("--out <file>", "RUN/forecast.onnx or RUN/downscale.onnx where left out")
    .action(async (run: string, flags: ExportFlags) => {
      const task = await taskOf(run);
      const card = await readFile(path.join(run, "card.md"), "utf8").catch(() => ""); // runs of before there were cards
      const make = task === "downscale" ? exportDownscaling : exportForecast;
      const { bytes, facts, about } = await make(run, flags, { card });
      const file = flags.out ?? path.join(run, task === "downscale" ? "downscale.onnx" : "forecast.onnx");
      await writeWhole(file, bytes);
      output(flags).result(
        { file, bytes: bytes.length, ...facts },
        `${file}: ${(bytes.length / 1e6).toFixed(1)} MB, ${about}; 'foehn info ${file}' lists what goes in and comes out`,
      );
    });

async function exportForecast(run: string, flags: ExportFlags, metadata: Record<string, string>): Promise<Exported> {
  refuse(flags, ["factor", "shrink"], "downscaling");
  const model = await openRun(run);
  const hours = model.normaliser.step / 3_600_000;
  const steps = (value: number, name: string): number => {
    if (value > 0 && Number.isInteger(value / hours)) return value / hours;
    throw new UsageError(`${name} ${value}: the model's step is ${hours} h; give a multiple of it`);
  };
  const { batch = 1 } = flags;
  if (!Number.isInteger(batch) || batch < 1)
    throw new UsageError(`--batch ${batch}: give a whole number of starts, at least 1`);
  const every = steps(flags.leadStep ?? hours, "--lead-step");
  const last = steps(flags.lead ?? model.config.forecast.maxLead, "--lead");
  const leads = Array.from({ length: Math.floor(last / every) }, (_, i) => (i + 1) * every);
  if (leads.length === 0) throw new UsageError(`--lead-step ${flags.leadStep} is longer than --lead; shorten it`);
  return {
    bytes: portableModel(model, { leads, batch, metadata }),
    facts: { leads: leads.map((lead) => lead * hours) },
    about: `${leads.length} leads to ${last * hours} h`,
  };
}

async function exportDownscaling(run: string, flags: ExportFlags, metadata: Record<string, string>): Promise<Exported> {
  refuse(flags, ["lead", "leadStep", "batch"], "forecasting");
  const factors = flags.factor === undefined ? undefined : factorsOf(flags.factor);
  const { bytes, about } = downscaleFile(await openDownscaleRun(run), { factors, shrink: flags.shrink, metadata });
  return { bytes, facts: { cells: about }, about };
}

/** Options that belong to runs of another task. */
function refuse(flags: ExportFlags, names: readonly (keyof ExportFlags)[], task: string): void {
  const given = names.find((name) => flags[name] !== undefined);
  if (given)
    throw new UsageError(
      `--${given.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)} is for runs of ${task}, which this is not; leave it out`,
    );
}
