/** `foehn forecast`: from a trained run and data to start from to a forecast file. */
import { openDataset } from "../data/open.node.js";
import { lastInstant } from "../data/subset.js";
import { parseTime } from "../earth/time.js";
import { openRuntime } from "../engine/runtime.node.js";
import { writeForecast } from "../tasks/forecast/make.node.js";
import { openRun } from "../tasks/forecast/run.node.js";
import type { CommandFactory } from "./commands.js";
import { commandWith, numeric } from "./options.js";
import { bar, duration, output, timeLeft } from "./output.js";

interface ForecastFlags {
  init?: string;
  from: string;
  to?: string;
  every?: number;
  lead?: number;
  leadStep?: number;
  out: string;
  json?: boolean;
  quiet?: boolean;
}

export const command: CommandFactory = () =>
  commandWith(
    "forecast",
    "Forecasts with a trained run, in WeatherBench 2's layout.",
    "foehn forecast runs/first --init era5.zarr --lead 120 --out forecast.zarr",
  )
    .argument("<run>", "folder of a trained run")
    .option("--init <path>", "dataset with the states to start from; the run's own where left out")
    .option("--from <date>", "first start; `latest` is the newest alone, `test` the run's test period", "latest")
    .option("--to <date>", "last start")
    .option("--every <hours>", "hours between starts", numeric)
    .option("--lead <hours>", "longest lead; any, not only those learnt", numeric)
    .option("--lead-step <hours>", "hours between leads", numeric)
    .option("--out <path>", "Zarr store, or NetCDF where it ends in .nc", "forecast.zarr")
    .action(async (run: string, flags: ForecastFlags) => {
      const out = output(flags);
      const model = await openRun(run);
      const dataset = await openDataset(flags.init ?? model.config.data.path);
      const runtime = await openRuntime({ device: model.config.device, threads: model.config.threads });
      const { calendar } = model.normaliser;
      const starts =
        flags.from === "latest" || flags.from === "test"
          ? flags.from
          : ([parseTime(flags.from, calendar), lastInstant(flags.to ?? flags.from, calendar) + 1] as const);
      const began = performance.now();
      try {
        const made = await writeForecast({
          model,
          dataset,
          runtime,
          out: flags.out,
          starts,
          maxLead: flags.lead,
          everyLead: flags.leadStep,
          everyStart: flags.every,
          onProgress: (done, total) =>
            out.progress(`${bar(done / total)} forecasting  ${timeLeft(began, done / total)} left`),
        });
        out.result(
          { out: flags.out, ...made },
          `${made.starts} forecasts to ${made.leads[made.leads.length - 1]} h in ${duration((performance.now() - began) / 1000)}: ${flags.out}`,
        );
      } finally {
        await runtime.close();
        await dataset.close();
      }
    });
