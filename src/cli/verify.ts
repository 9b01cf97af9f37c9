/** `foehn verify`: scores, a report and figures. */
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { writeWhole } from "../data/files.node.js";
import { openDataset } from "../data/open.node.js";
import type { Dataset } from "../data/dataset.js";
import { lastInstant } from "../data/subset.js";
import { parseTime } from "../earth/time.js";
import { UsageError } from "../errors.js";
import { allFigures } from "../verify/report/figures.js";
import { reportHtml } from "../verify/report/html.js";
import { formatScores, scoresJson } from "../verify/table.js";
import { type Verification, verifyForecast, type VerifyOptions } from "../verify/verify.js";
import type { CommandFactory } from "./commands.js";
import { commandWith, list, numeric } from "./options.js";
import { bar, output, timeLeft } from "./output.js";

interface VerifyFlags {
  truth: string;
  train?: string;
  metrics?: string[];
  weights: "exact" | "wb2" | "cos";
  regions?: string[];
  variables?: string[];
  climatology?: number;
  out: string;
  json?: boolean;
  quiet?: boolean;
}

export const command: CommandFactory = () =>
  commandWith(
    "verify",
    "Scores a forecast and every baseline against the truth, by lead time.",
    "foehn verify forecast.zarr --truth era5.zarr --train 1990-01-01/2019-12-31 --out verification",
  )
    .argument("<forecast>", "forecast in WeatherBench 2's layout")
    .requiredOption("--truth <path>", "dataset to verify against; it holds the training period too")
    .option("--train <from/to>", "period for climatology and baselines; the one the forecast names, where left out")
    .option("--variables <names>", "comma-separated", list)
    .option("--metrics <names>", "comma-separated: rmse, bias, acc:wb2, ...", list)
    .option("--regions <names>", "comma-separated: all, europe, tropics, ...", list)
    .option("--weights <kind>", "area weights: exact, wb2 or cos", "exact")
    .option("--climatology <days>", "days of the climatology's window", numeric)
    .option("--out <folder>", "where scores.json, report.html and figures go", "verification")
    .action(async (forecastPath: string, flags: VerifyFlags) => {
      const out = output(flags);
      const forecast = await openDataset(forecastPath);
      const truth = await openDataset(flags.truth);
      const began = performance.now();
      const result = await verifyForecast({
        forecast,
        truth,
        trainPeriod: trainPeriod(forecast, flags.train),
        variables: flags.variables ?? forecastChannels(forecast),
        metrics: flags.metrics,
        regions: flags.regions,
        weights: flags.weights,
        climatologyWindow: flags.climatology,
        onProgress: (done, total) =>
          out.progress(`${bar(done / total)} verifying  ${timeLeft(began, done / total)} left`),
      });
      await writeVerification(flags.out, result);
      out.result(result.rows, `${formatScores(result.rows)}\n\nreport: ${path.join(flags.out, "report.html")}`);
      await forecast.close();
      await truth.close();
    });

/** The channels that the forecast file says it holds; all of both files where it does not say. */
export const forecastChannels = ({ attrs }: Dataset): string[] | undefined =>
  typeof attrs["channels"] === "string" ? attrs["channels"].split(" ") : undefined;

/** The period a person names, or the one the forecast file says its model was trained on. */
export function trainPeriod(forecast: Dataset, given?: string): VerifyOptions["trainPeriod"] {
  const text =
    given ?? (typeof forecast.attrs["training_period"] === "string" ? forecast.attrs["training_period"] : undefined);
  if (text === undefined) return undefined;
  const [from, to] = text.split("/");
  if (!to) throw new UsageError(`--train ${text}: write it as FROM/TO, such as 2013-01-01/2014-03-31`);
  return [parseTime(from), given ? lastInstant(to) + 1 : parseTime(to)];
}

/** `scores.json`, `report.html` and each figure as SVG. */
export async function writeVerification(
  folder: string,
  result: Verification,
  options: { title?: string } = {},
): Promise<void> {
  await mkdir(path.join(folder, "figures"), { recursive: true });
  await writeWhole(path.join(folder, "scores.json"), JSON.stringify(scoresJson(result), null, 1));
  await writeWhole(path.join(folder, "report.html"), reportHtml(result, options));
  for (const figure of allFigures(result))
    await writeWhole(path.join(folder, "figures", `${figure.name}.svg`), figure.svg);
}
