/** `foehn forecast`: from a trained run and data to start from to a forecast file. */
import { openDataset } from "../data/open.node.js";
import { lastInstant } from "../data/subset.js";
import { type Calendar, parseTime } from "../earth/time.js";
import { openRuntime } from "../engine/runtime.node.js";
import { UsageError } from "../errors.js";
import { writeSiteForecast } from "../federation/weather/forecast.node.js";
import { isSiteFolder, openSite, siteModel } from "../federation/weather/site-folder.node.js";
import { PUBLISHED, published, type PublishedModel } from "../tasks/published/index.js";
import { writePublishedForecast } from "../tasks/published/run.node.js";
import { writeForecast } from "../tasks/forecast/make.node.js";
import type { ForecastModel } from "../tasks/forecast/rollout.js";
import { openRun } from "../tasks/forecast/run.node.js";
import { openPointwiseRun, writeStationForecast } from "../tasks/pointwise/run.node.js";
import { taskOf } from "../tasks/run-folder.node.js";
import type { CommandFactory } from "./commands.js";
import { collect, commandWith, numeric } from "./options.js";
import { bar, duration, output, timeLeft } from "./output.js";

interface ForecastFlags {
  init?: string;
  stations?: string;
  surroundings?: string;
  acceptLicence?: boolean;
  then?: string[];
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
    .argument(
      "<run>",
      "folder of a trained run, what foehn join left at a site, or a published model with the folder of its files: pangu:weights, fuxi:weights, fengwu:weights",
    )
    .option("--init <path>", "dataset with the states to start from; the run's own where left out")
    .option("--stations <path>", "of a run for stations: their reports at the starts; the run's own where left out")
    .option(
      "--surroundings <path>",
      "with what foehn join left: the fields around the site; those it joined with where left out",
    )
    .option("--from <date>", "first start; `latest` is the newest alone, `test` the run's test period", "latest")
    .option("--to <date>", "last start")
    .option("--every <hours>", "hours between starts", numeric)
    .option("--then <run@hours>", "another run that takes over after so many hours; any number of times", collect)
    .option("--lead <hours>", "longest lead; any, not only those learnt", numeric)
    .option("--lead-step <hours>", "hours between leads", numeric)
    .option("--out <path>", "Zarr store, or NetCDF where it ends in .nc", "forecast.zarr")
    .option("--accept-licence", "you have read and keep to a published model's licence")
    .action(async (run: string, flags: ForecastFlags) => {
      const out = output(flags);
      const named = new RegExp(`^(${PUBLISHED.join("|")}):(.+)$`).exec(run);
      if (named) return forecastPublished(published(named[1]), named[2], flags);
      if (isSiteFolder(run)) return forecastSite(run, flags);
      if (flags.surroundings !== undefined)
        throw new UsageError("--surroundings are for what foehn join left; a run of its own reads all from --init");
      if ((await taskOf(run)) === "stations") return forecastStations(run, flags);
      if (flags.stations !== undefined)
        throw new UsageError("--stations is for runs of the task stations, which this is not; leave it out");
      const model = await openRun(run);
      const then = await Promise.all((flags.then ?? []).map(laterRun));
      const dataset = await openDataset(flags.init ?? model.config.data.path);
      const runtime = await openRuntime({ device: model.config.device, threads: model.config.threads });
      const began = performance.now();
      try {
        const made = await writeForecast({
          model,
          then,
          dataset,
          runtime,
          out: flags.out,
          starts: startsOf(flags, model.normaliser.calendar),
          maxLead: flags.lead,
          everyLead: flags.leadStep,
          everyStart: flags.every,
          onProgress: (done, total) =>
            out.progress(`${bar(done / total)} forecasting  ${timeLeft(began, done / total)} left`),
          onMissing: (absent) =>
            out.say(
              `${dataset.source} lacks ${absent.join(", ")}: the others are forecast from what is there, less well than with all`,
            ),
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

/** At the stations of a run that was trained on gridded and station data. */
async function forecastStations(run: string, flags: ForecastFlags): Promise<void> {
  const out = output(flags);
  if (flags.then) throw new UsageError("a run for stations goes to each lead in one jump; leave out --then");
  const model = await openPointwiseRun(run);
  const runtime = await openRuntime({ device: model.config.device, threads: model.config.threads });
  const began = performance.now();
  try {
    const made = await writeStationForecast({
      model,
      runtime,
      grid: flags.init,
      stations: flags.stations,
      out: flags.out,
      starts: startsOf(flags, model.normalisers.grid.calendar),
      everyStart: flags.every,
      maxLead: flags.lead,
      everyLead: flags.leadStep,
      onProgress: (done, total) =>
        out.progress(`${bar(done / total)} forecasting  ${timeLeft(began, done / total)} left`),
    });
    out.result(
      { out: flags.out, ...made },
      `${made.starts} forecasts to ${made.leads[made.leads.length - 1]} h at ${model.places.names.length} stations: ${flags.out}`,
    );
  } finally {
    await runtime.close();
  }
}

/** With what a site kept of a joint training. */
async function forecastSite(folder: string, flags: ForecastFlags): Promise<void> {
  const out = output(flags);
  if (flags.then || flags.leadStep !== undefined)
    throw new UsageError("a site's model knows the leads of its run alone; leave out --then and --lead-step");
  const site = await openSite(folder);
  const model = await siteModel(folder);
  const { data, stations } = site.source;
  const dataset = await openDataset(flags.init ?? data, stations ? { table: { stations } } : {});
  const around = flags.surroundings ?? site.source.surroundings;
  const surroundings = around === undefined ? undefined : await openDataset(around);
  const runtime = await openRuntime({ threads: 1 });
  const { calendar } = site.members[0].normaliser;
  const began = performance.now();
  try {
    const made = await writeSiteForecast({
      site,
      model,
      dataset,
      surroundings,
      runtime,
      out: flags.out,
      starts: startsOf(flags, calendar),
      everyStart: flags.every,
      maxLead: flags.lead,
      onProgress: (done, total) =>
        out.progress(`${bar(done / total)} forecasting  ${timeLeft(began, done / total)} left`),
    });
    out.result(
      { out: flags.out, ...made },
      `${made.starts} forecasts for ${made.leads.join(", ")} h in ${duration((performance.now() - began) / 1000)}: ${flags.out}`,
    );
  } finally {
    await runtime.close();
    await surroundings?.close();
    await dataset.close();
  }
}

/** `latest`, `test`, or the instants of a range. */
const startsOf = ({ from, to }: ForecastFlags, calendar: Calendar): "latest" | "test" | readonly [number, number] =>
  from === "latest" || from === "test" ? from : [parseTime(from, calendar), lastInstant(to ?? from, calendar) + 1];

/** `runs/medium@120`: a run that takes over after 120 hours. */
async function laterRun(text: string): Promise<{ model: ForecastModel; after: number }> {
  const [, run, hours] = /^(.+)@(\d+(?:\.\d+)?)$/.exec(text) ?? [];
  if (run === undefined)
    throw new UsageError(`--then ${text}: write it as RUN@HOURS, the run that takes over and after how many hours`);
  return { model: await openRun(run), after: Number(hours) };
}

/** With files that the user has downloaded; their licence is shown first and must be agreed to. */
async function forecastPublished(model: PublishedModel, weights: string, flags: ForecastFlags): Promise<void> {
  const out = output(flags);
  out.say(`${model.name}, from ${model.source}\nlicence: ${model.licence}`);
  if (!flags.acceptLicence)
    throw new UsageError(`read ${model.name}'s licence (${model.licence}), then add --accept-licence`);
  if (flags.init === undefined)
    throw new UsageError("a published model has no data of its own: name the states to start from with --init");
  const dataset = await openDataset(flags.init);
  const runtime = await openRuntime();
  const began = performance.now();
  try {
    const starts =
      flags.from === "latest"
        ? flags.from
        : ([parseTime(flags.from), lastInstant(flags.to ?? flags.from, "proleptic_gregorian") + 1] as const);
    const made = await writePublishedForecast({
      model,
      weights,
      dataset,
      runtime,
      out: flags.out,
      starts,
      maxLead: flags.lead ?? 120,
      onProgress: (done, total) =>
        out.progress(`${bar(done / total)} forecasting  ${timeLeft(began, done / total)} left`),
    });
    if (made.zeros.length > 0) out.say(`taken as zero, since the data has none: ${made.zeros.join(", ")}`);
    out.result(
      { out: flags.out, ...made },
      `${made.starts} forecasts of ${model.name} in ${duration((performance.now() - began) / 1000)}: ${flags.out}`,
    );
  } finally {
    await runtime.close();
    await dataset.close();
  }
}
