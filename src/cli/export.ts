/** `foehn export`: a trained run as one ONNX file that takes and gives physical units. */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { writeWhole } from "../data/files.node.js";
import { UsageError } from "../errors.js";
import { portableModel } from "../tasks/forecast/portable.js";
import { openRun } from "../tasks/forecast/run.node.js";
import type { CommandFactory } from "./commands.js";
import { commandWith, numeric } from "./options.js";
import { output } from "./output.js";

interface ExportFlags {
  out?: string;
  lead?: number;
  leadStep?: number;
  batch: number;
  json?: boolean;
  quiet?: boolean;
}

export const command: CommandFactory = () =>
  commandWith(
    "export",
    "Writes a trained run as one ONNX file: raw states in, forecasts of every lead out, normalisation and calibration inside.",
    "foehn export runs/first --lead 72 --lead-step 24 --out first.onnx",
  )
    .argument("<run>", "folder of a trained run")
    .option("--lead <hours>", "longest lead; the longest that the model learnt where left out", numeric)
    .option("--lead-step <hours>", "hours between leads; the data's own step where left out", numeric)
    .option("--batch <n>", "starts that the file takes at once", numeric, 1)
    .option("--out <file>", "RUN/forecast.onnx where left out")
    .action(async (run: string, flags: ExportFlags) => {
      const model = await openRun(run);
      const hours = model.normaliser.step / 3_600_000;
      const steps = (value: number, name: string): number => {
        if (value > 0 && Number.isInteger(value / hours)) return value / hours;
        throw new UsageError(`${name} ${value}: the model's step is ${hours} h; give a multiple of it`);
      };
      if (!Number.isInteger(flags.batch) || flags.batch < 1)
        throw new UsageError(`--batch ${flags.batch}: give a whole number of starts, at least 1`);
      const every = steps(flags.leadStep ?? hours, "--lead-step");
      const last = steps(flags.lead ?? model.config.forecast.maxLead, "--lead");
      const leads = Array.from({ length: Math.floor(last / every) }, (_, i) => (i + 1) * every);
      if (leads.length === 0) throw new UsageError(`--lead-step ${flags.leadStep} is longer than --lead; shorten it`);
      const card = await readFile(path.join(run, "card.md"), "utf8").catch(() => ""); // runs of before there were cards
      const bytes = portableModel(model, { leads, batch: flags.batch, metadata: { card } });
      const file = flags.out ?? path.join(run, "forecast.onnx");
      await writeWhole(file, bytes);
      output(flags).result(
        { file, bytes: bytes.length, leads: leads.map((lead) => lead * hours) },
        `${file}: ${(bytes.length / 1e6).toFixed(1)} MB, ${leads.length} leads to ${last * hours} h; 'foehn info ${file}' lists what goes in and comes out`,
      );
    });
