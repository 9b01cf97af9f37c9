/** `foehn verify`: scores, a report, figures and errors by cell; of one forecast, of two, or of two reports. */
import { existsSync } from "node:fs";
import { mkdir, readFile } from "node:fs/promises";
import path from "node:path";
import { writeWhole } from "../data/files.node.js";
import { openDataset } from "../data/open.node.js";
import type { Dataset } from "../data/dataset.js";
import { lastInstant } from "../data/subset.js";
import { writeNetcdf } from "../data/write-netcdf.node.js";
import { writeZarr } from "../data/write-zarr.node.js";
import { parseTime } from "../earth/time.js";
import { DataError, UsageError } from "../errors.js";
import type { RowMaker } from "../tensor/rows.js";
import { scratchRows } from "../tensor/rows.node.js";
import { breakdownsOf } from "../verify/breakdown.js";
import { cellScores } from "../verify/cell-scores.js";
import { DRIFT, FAMILIES, GROUP_SCORES, MEAN_SCORES } from "../verify/metrics.js";
import { modelUpdate } from "../verify/model-update.js";
import { allFigures } from "../verify/report/figures.js";
import { reportHtml } from "../verify/report/html.js";
import { loadVerification, savedScores, type SavedScores, savedSums } from "../verify/saved.js";
import { SCORES } from "../verify/scores/index.js";
import { sideBySide } from "../verify/side-by-side.js";
import { formatScores } from "../verify/table.js";
import { type Verification, verifyForecast, type VerifyOptions } from "../verify/verify.js";
import type { CommandFactory } from "./commands.js";
import { commandWith, list, numeric } from "./options.js";
import { bar, output, type Output, timeLeft } from "./output.js";
import { writePngs } from "./png.js";

interface VerifyFlags {
  truth?: string;
  stations?: string;
  train?: string;
  metrics?: string[];
  weights: "exact" | "wb2" | "cos";
  regions?: string[];
  variables?: string[];
  climatology?: string;
  climatologyWindow?: number;
  baseline?: string;
  by?: string[];
  cells: string;
  everyLead?: boolean;
  interpolate: "bilinear" | "nearest";
  elevation: boolean;
  gross?: number;
  png?: boolean;
  memory: number;
  out: string;
  json?: boolean;
  quiet?: boolean;
}

export const command: CommandFactory = () =>
  commandWith(
    "verify",
    "Scores a forecast and every baseline against the truth, by lead time; two of them side by side.",
    "foehn verify forecast.zarr --truth era5.zarr --train 1990-01-01/2019-12-31 --out verification",
  )
    .argument("<forecast>", "forecast in WeatherBench 2's layout, or a folder that verify wrote")
    .argument("[other]", "another forecast, or folder, to lay beside it")
    .option("--truth <path>", "dataset to verify against, on a grid or at stations; it holds the training period too")
    .option("--stations <path>", "table of the stations, where the truth is a table of reports")
    .option("--train <from/to>", "period for climatology and baselines; the one the forecast names, where left out")
    .option("--variables <names>", "comma-separated", list)
    .option("--metrics <names>", "comma-separated; by the variable's kind, where left out (see below)", list)
    .option("--regions <names>", "comma-separated: all, europe, land, europe+sea, alps=44/48/5/17 (S/N/W/E)", list)
    .option("--by <parts>", "comma-separated: season, hour, month; scores by them at every lead", list)
    .option("--weights <kind>", "area weights: exact, wb2 or cos", "exact")
    .option("--baseline <name>", "the baseline that the scorecard counts from first; all are always shown")
    .option("--climatology <path>", "climatology in WeatherBench 2's layout, instead of the training period's")
    .option("--climatology-window <days>", "days of the window of the training period's climatology", numeric)
    .option("--interpolate <method>", "to stations: bilinear or nearest", "bilinear")
    .option("--no-elevation", "leave temperatures at stations uncorrected for height")
    .option("--gross <size>", "leave out reports farther than this from the forecast, in the variable's units", numeric)
    .option("--cells <format>", "errors by cell as nc, zarr or none", "nc")
    .option("--every-lead", "errors by cell at every lead, not only at those that are drawn")
    .option("--png", "figures as PNG too (needs Chromium)")
    .option("--memory <MB>", "tables larger than this lie in a scratch file in the output folder", numeric, 1000)
    .option("--out <folder>", "where scores.json, report.html, figures and cells go", "verification")
    .addHelpText("after", `\nMetrics:\n${metricsHelp()}`)
    .action(async (forecastPath: string, otherPath: string | undefined, flags: VerifyFlags) => {
      const out = output(flags);
      check(flags);
      const rows = scratchRows({ folder: flags.out, memory: flags.memory * 1e6 });
      const result = flags.truth
        ? await verifyFiles([forecastPath, otherPath], flags, { truthPath: flags.truth, rows, out })
        : await compareFolders(forecastPath, otherPath);
      await writeVerification(flags.out, result, {
        cells: flags.cells as "nc",
        ...(result.rival ? { title: "Two forecasts, side by side" } : {}),
      });
      rows.close();
      if (flags.png) await writePngs(path.join(flags.out, "figures"), out);
      for (const note of result.meta.notes) out.say(`note: ${note}`);
      const words = formatScores(result.rows.filter((row) => row.region === result.regions[0]));
      out.result(
        flags.by ? [...result.rows, ...result.breakdown] : result.rows,
        `${words}\n\nreport: ${path.join(flags.out, "report.html")}`,
      );
    });

/** Every name there is, for the help. */
function metricsHelp(): string {
  const lines = [
    SCORES.map((score) => score.name).join(", "),
    ...FAMILIES.map((family) => `${family.names.join(", ")}  (${family.form})`),
    `${GROUP_SCORES.join(", ")}  (whenever their variables are there)`,
    MEAN_SCORES.join(", "),
    `${DRIFT}  (at three leads or more); any of them for one variable: tp/seeps`,
  ];
  return lines.map((line) => `  ${line}`).join("\n");
}

function check({ weights, cells, interpolate }: VerifyFlags): void {
  const oneOf = (option: string, value: string, known: readonly string[]) => {
    if (!known.includes(value)) throw new UsageError(`${option} ${value}: there are ${known.join(", ")}`);
  };
  oneOf("--weights", weights, ["exact", "wb2", "cos"]);
  oneOf("--cells", cells, ["nc", "zarr", "none"]);
  oneOf("--interpolate", interpolate, ["bilinear", "nearest"]);
}

async function verifyFiles(
  [forecastPath, otherPath]: readonly [string, string | undefined],
  flags: VerifyFlags,
  { truthPath, rows, out }: { truthPath: string; rows: RowMaker; out: Output },
): Promise<Verification> {
  const forecast = await openDataset(forecastPath);
  const truth = await openDataset(truthPath, flags.stations ? { table: { stations: flags.stations } } : {});
  const climatology = flags.climatology ? await openDataset(flags.climatology) : undefined;
  const trainOf = trainPeriod(forecast, flags.train);
  const verify = async (dataset: Dataset, words: string) => {
    const began = performance.now();
    return await verifyForecast({
      forecast: dataset,
      truth,
      climatology,
      rows,
      trainPeriod: trainOf,
      variables: flags.variables ?? forecastChannels(dataset),
      metrics: flags.metrics,
      regions: flags.regions,
      weights: flags.weights,
      climatologyWindow: flags.climatologyWindow,
      reference: dataset === forecast ? flags.baseline : undefined,
      by: flags.by && breakdownsOf(flags.by),
      everyLead: flags.everyLead,
      stations: { method: flags.interpolate, elevation: flags.elevation, farthest: flags.gross },
      onProgress: (done, total) => out.progress(`${bar(done / total)} ${words}  ${timeLeft(began, done / total)} left`),
    });
  };
  const result = await verify(forecast, "verifying");
  if (otherPath === undefined) return result;
  const other = await openDataset(otherPath);
  const second = await verify(other, `verifying ${path.basename(otherPath)}`);
  const update = await modelUpdate(
    { new: forecast, old: other, truth },
    {
      variables: result.meta.variables
        .map((v) => v.name)
        .filter((name) => second.meta.variables.some((v) => v.name === name)),
      weights: flags.weights,
      rows,
      tolerance: (variable, lead) =>
        second.rows.find(
          (row) =>
            row.metric === "rmse" &&
            row.baseline === null &&
            row.lead_hours === lead &&
            row.region === second.regions[0] &&
            (row.level === null ? row.variable : `${row.variable}@${row.level}`) === variable,
        )?.value,
    },
  );
  return sideBySide(result, second, { name: nameOf(otherPath), update });
}

/** A path's last part without its ending. */
const nameOf = (location: string): string => path.basename(location).replace(/\.(zarr|nc|grib2?)$/, "");

/** Two folders that verify wrote, side by side. */
async function compareFolders(first: string, second: string | undefined): Promise<Verification> {
  if (!existsSync(path.join(first, "scores.json")))
    throw new UsageError(
      `--truth is missing: give the dataset to verify ${first} against, or two folders that 'foehn verify' wrote`,
    );
  if (second === undefined)
    throw new UsageError(
      `${first} is verified already; give a second folder to lay beside it, or a forecast and --truth`,
    );
  const [a, b] = [await readFolder(first), await readFolder(second)];
  return sideBySide(a, b, { name: nameOf(second) });
}

async function readFolder(folder: string): Promise<Verification> {
  const part = async (name: string) =>
    readFile(path.join(folder, name)).catch((cause: unknown) => {
      throw new DataError(folder, `it has no ${name}; give a folder that 'foehn verify' wrote`, { cause });
    });
  const scores = JSON.parse((await part("scores.json")).toString()) as SavedScores;
  return loadVerification(scores, await part("sums.safetensors"), folder);
}

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

/** `scores.json`, `report.html`, each figure as SVG, `sums.safetensors` and the errors of each cell. */
export async function writeVerification(
  folder: string,
  result: Verification,
  options: { title?: string; cells?: "nc" | "zarr" | "none" } = {},
): Promise<void> {
  const { title, cells = "nc" } = options;
  await mkdir(path.join(folder, "figures"), { recursive: true });
  await writeWhole(path.join(folder, "scores.json"), JSON.stringify(savedScores(result), null, 1));
  await writeWhole(path.join(folder, "sums.safetensors"), savedSums(result));
  if (cells === "nc") await writeNetcdf(cellScores(result), path.join(folder, "cells.nc"), { overwrite: "replace" });
  if (cells === "zarr") await writeZarr(cellScores(result), path.join(folder, "cells.zarr"), { overwrite: "replace" });
  await writeWhole(path.join(folder, "report.html"), reportHtml(result, { title }));
  for (const figure of allFigures(result))
    await writeWhole(path.join(folder, "figures", `${figure.name}.svg`), figure.svg);
}
