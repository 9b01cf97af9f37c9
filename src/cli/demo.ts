/**
 * `foehn demo` (and `npm start`): the whole path on one screen. An atmosphere is simulated, or the user's own data opened; a
 * model is trained, forecasts are made for a period it never saw, and scored beside every baseline.
 */
import path from "node:path";
import type { Dataset } from "../data/dataset.js";
import { describe, table } from "../data/info.js";
import { openDataset } from "../data/open.node.js";
import { openRuntime } from "../engine/runtime.node.js";
import { type ForecastConfig, parseForecastConfig } from "../tasks/forecast/config.js";
import { trainRun, writeForecast } from "../tasks/forecast/make.node.js";
import { addTestScores } from "../tasks/forecast/run.node.js";
import { formatScores } from "../verify/table.js";
import { verifyForecast } from "../verify/verify.js";
import type { CommandFactory } from "./commands.js";
import { DEMO_SIMULATION, demoConfig, ownDataConfig } from "./demo-config.js";
import { applySettings, commandWith, list, numeric, readYaml } from "./options.js";
import { bar, duration, type Output, output, timeLeft } from "./output.js";
import { serveReport } from "./serve.js";
import { simulateTo } from "./simulate.js";
import { trainingProgress } from "./train.js";
import { forecastChannels, trainPeriod, writeVerification } from "./verify.js";

interface DemoFlags {
  data?: string;
  config?: string;
  every: number;
  variables?: string[];
  out: string;
  port: number;
  serve: boolean;
  seed: number;
  json?: boolean;
  quiet?: boolean;
}

export const command: CommandFactory = () =>
  commandWith(
    "demo",
    "From nothing to a verified forecast: simulate (or open --data), train, forecast, verify, show.",
    "npm start -- --data era5.zarr --variables t2m",
  )
    .option("--data <path>", "your own dataset instead of the embedded atmosphere")
    .option("--variables <names>", "comma-separated; z@500 names one level", list)
    .option("--config <file>", "settings as for foehn train; the data they name, where --data is left out")
    .option("--every <hours>", "hours between the verified starts", numeric, 24)
    .option("--out <folder>", "where everything goes", "runs/demo")
    .option("--port <number>", "of the report; 0 takes any that is free", numeric, 8000)
    .option("--no-serve", "end after the verification")
    .option("--seed <n>", "of the atmosphere and the training", numeric, 0)
    .action(async (flags: DemoFlags) => {
      const out = output(flags);
      const began = performance.now();
      const { rows, text } = await story(flags, out);
      const report = path.join(flags.out, "verification");
      out.result(
        rows,
        `\n${text}\n\nall of it in ${duration((performance.now() - began) / 1000)}; report: ${path.join(report, "report.html")}`,
      );
      if (!flags.serve) return;
      const { address } = await serveReport(report, { port: flags.port });
      out.say(`the report is at ${address} (stop with Ctrl-C)`);
    });

async function story(flags: DemoFlags, out: Output) {
  const settings = flags.config ? await readYaml(flags.config) : undefined;
  const own = flags.data ?? (settings?.["data"] as { path?: string } | undefined)?.path;
  const data = own ?? path.join(flags.out, "atmosphere.zarr");
  if (own === undefined) {
    out.say("1. Simulating an atmosphere ...");
    await simulateTo(data, { ...DEMO_SIMULATION, seed: flags.seed }, out);
  } else out.say(`1. Opening ${data} ...`);
  const dataset = await openDataset(data);
  out.say(table(await describe(dataset)));
  const given = settings
    ? applySettings(settings, [`data.path=${data}`])
    : own === undefined
      ? demoConfig(data, flags.seed)
      : await ownDataConfig(dataset, data, flags);
  const config = parseForecastConfig(given, flags.config);
  const runtime = await openRuntime({ device: config.device, threads: config.threads });
  try {
    return await trainForecastVerify(config, dataset, runtime, flags, out);
  } finally {
    await runtime.close();
    await dataset.close();
  }
}

async function trainForecastVerify(
  config: ForecastConfig,
  dataset: Dataset,
  runtime: Awaited<ReturnType<typeof openRuntime>>,
  flags: DemoFlags,
  out: Output,
) {
  out.say("2. Training ...");
  const run = path.join(flags.out, `run-${Date.now().toString(36)}`);
  const model = await trainRun({
    run,
    config,
    dataset,
    runtime,
    onEvent: trainingProgress(out, config.training.seeds),
  });

  out.say("3. Forecasting the test period ...");
  const forecastPath = path.join(flags.out, "forecast.zarr");
  let stage = performance.now();
  const progress = (word: string) => (done: number, total: number) =>
    out.progress(`${bar(done / total)} ${word}  ${timeLeft(stage, done / total)} left`);
  await writeForecast({
    model,
    dataset,
    runtime,
    out: forecastPath,
    starts: "test",
    everyStart: flags.every,
    onProgress: progress("forecasting"),
  });
  out.done();

  out.say("4. Verifying beside every baseline ...");
  stage = performance.now();
  const forecast = await openDataset(forecastPath);
  const result = await verifyForecast({
    forecast,
    truth: dataset,
    trainPeriod: trainPeriod(forecast),
    variables: forecastChannels(forecast),
    onProgress: progress("verifying"),
  });
  await writeVerification(path.join(flags.out, "verification"), result);
  await forecast.close();
  await addTestScores(run, result.rows);
  // One screen: whole days; the report has every lead
  const days = result.rows.filter((row) => row.lead_hours % 24 === 0);
  return { rows: result.rows, text: formatScores(days, { metrics: ["rmse", "acc:wb2"] }) };
}
