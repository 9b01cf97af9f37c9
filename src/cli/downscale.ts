/** `foehn downscale`: fine fields from coarse ones with a trained model, and their scores beside every baseline. */
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { writeWhole } from "../data/files.node.js";
import { openDataset } from "../data/open.node.js";
import { lastInstant } from "../data/subset.js";
import { formatTime, parseTime } from "../earth/time.js";
import { openRuntime } from "../engine/runtime.node.js";
import type { Runtime } from "../engine/runtime.js";
import { UsageError } from "../errors.js";
import { type FieldGrid, openFields, readMaps } from "../tasks/downscale/fields.js";
import { fineOf, fineOfPairs, writeShrunk } from "../tasks/downscale/shrink.node.js";
import { type CoarseStream, coarseOf, openCoarse, writeDownscaled } from "../tasks/downscale/make.node.js";
import { joined, onGrid, type Pairs, sameGrid, splitOf } from "../tasks/downscale/pairs.js";
import { refined } from "../tasks/downscale/places.js";
import type { DownscaleModel } from "../tasks/downscale/predict.js";
import { openDownscaleRun, pairsOf, writeCard } from "../tasks/downscale/run.node.js";
import { downscaleReportHtml } from "../verify/report/downscale-html.js";
import { downscaleTable, formatDownscaleScores, verifyDownscaling } from "../verify/downscale-run.js";
import type { CommandFactory } from "./commands.js";
import { commandWith, factorsOf, list, numeric } from "./options.js";
import { bar, duration, output, timeLeft } from "./output.js";

interface DownscaleFlags {
  data?: string[];
  factor?: string;
  like?: string;
  static?: string[];
  from?: string;
  to?: string;
  out?: string;
  tile?: number;
  resume?: boolean;
  shrink?: boolean;
  verify?: string;
  json?: boolean;
  quiet?: boolean;
}

export const command: CommandFactory = () =>
  commandWith(
    "downscale",
    "Makes fine fields from coarse ones with a run of 'foehn train --task downscale'.",
    "foehn downscale runs/rain --data coarse.zarr --out fine.zarr\n  foehn downscale runs/rain --from test --verify verification/rain",
  )
    .argument("<run>", "folder of a trained run")
    .option(
      "--data <paths>",
      "coarse datasets that hold the predictors, comma-separated; the run's own where left out",
      list,
    )
    .option("--factor <rows,columns>", "a finer grid than the model's: so many rows and columns in each coarse cell")
    .option("--like <path>", "the grid of this dataset instead of the run's own")
    .option("--static <paths>", "its fixed maps (orography, mask), where the model was shown some", list)
    .option("--from <date>", "first time; `test` is the run's test period; all where left out")
    .option("--to <date>", "last time")
    .option("--out <path>", "Zarr store of the fine fields")
    .option("--tile <cells>", "cells along a tile, for fields too large for memory", numeric)
    .option(
      "--shrink",
      "the other way, with an invertible model: the small fields of fine ones (--data, or the run's own)",
    )
    .option("--resume", "go on where writing --out was stopped")
    .option("--verify <folder>", "score the run's test period beside every baseline: report.html, scores.json, a table")
    .action(async (run: string, flags: DownscaleFlags) => {
      const out = output(flags);
      if (!flags.out && !flags.verify)
        throw new UsageError("name where the fine fields go (--out), where their scores go (--verify), or both");
      const model = await openDownscaleRun(run);
      const runtime = await openRuntime({ device: model.config.device, threads: model.config.threads });
      const began = performance.now();
      const progress = (word: string) => (done: number, total: number) =>
        out.progress(`${bar(done / total)} ${word}  ${timeLeft(began, done / total)} left`);
      try {
        const own = !flags.data || flags.verify ? await pairsOf(model.config) : undefined;
        const make = flags.shrink ? shrinkFields : makeFields;
        const made = flags.out
          ? await make(model, runtime, own, { ...flags, out: flags.out }, progress("making fields"))
          : undefined;
        const scores = flags.verify
          ? await score(model, runtime, own!, run, flags.verify, progress("verifying"))
          : undefined;
        const seconds = duration((performance.now() - began) / 1000);
        out.result(
          scores ?? { out: flags.out, ...made },
          [
            ...(made
              ? [`${made.times} times in ${made.tiles} tile${made.tiles > 1 ? "s" : ""} in ${seconds}: ${flags.out}`]
              : []),
            ...(scores
              ? [
                  formatDownscaleScores(scores),
                  `maps and all scores: ${path.join(flags.verify!, "report.html")}, scores.json beside it`,
                ]
              : []),
          ].join("\n\n"),
        );
      } finally {
        await runtime.close();
      }
    });

/** Fine fields made small, to `--out`. */
async function shrinkFields(
  model: DownscaleModel,
  runtime: Runtime,
  pairs: Pairs | undefined,
  flags: DownscaleFlags & { out: string },
  onProgress: (done: number, total: number) => void,
) {
  if (flags.data && flags.data.length !== 1)
    throw new UsageError("--shrink makes one dataset of fine fields small; name one with --data");
  const fine = flags.data ? await fineOf(model, flags.data[0]) : fineOfPairs(pairs!, model.config.data.fine.path);
  try {
    const wanted = wantedTimes(model, pairs, fine, flags);
    return await writeShrunk({ model, runtime, fine, out: flags.out, wanted, onProgress });
  } finally {
    await fine.close();
  }
}

async function makeFields(
  model: DownscaleModel,
  runtime: Runtime,
  pairs: Pairs | undefined,
  flags: DownscaleFlags & { out: string },
  onProgress: (done: number, total: number) => void,
) {
  const coarse: CoarseStream = flags.data
    ? await openCoarse(model, flags.data)
    : coarseOf(pairs!, pairs!.coarse[0], model.config.data.fine.path);
  try {
    const fine = await fineGrid(model, coarse, flags);
    return await writeDownscaled({
      model,
      runtime,
      coarse,
      setting: { coarse: coarse.grid, fine, mapValues: await mapsFor(model, fine, flags.static) },
      out: flags.out,
      wanted: wantedTimes(model, pairs, coarse, flags),
      tile: flags.tile,
      resume: flags.resume,
      onProgress,
    });
  } finally {
    await coarse.close();
  }
}

/** The grid that is asked for. A model that was shown each cell's own climate knows only its own. */
async function fineGrid(model: DownscaleModel, coarse: CoarseStream, flags: DownscaleFlags): Promise<FieldGrid> {
  if (flags.factor === undefined && flags.like === undefined) return model.fitted.grid;
  let grid: FieldGrid;
  if (flags.like !== undefined) {
    const dataset = await openDataset(flags.like);
    try {
      grid = (await openFields(dataset)).grid;
    } finally {
      await dataset.close();
    }
  } else {
    grid = refined(coarse.grid, ...factorsOf(flags.factor!));
  }
  if (model.config.downscale.localClimate && !sameGrid(grid, model.fitted.grid))
    throw new UsageError(
      "this model was shown each fine cell's own climate, so it serves its own grid alone; train with downscale.localClimate=false for any grid",
    );
  return grid;
}

async function mapsFor(
  model: DownscaleModel,
  fine: FieldGrid,
  paths: readonly string[] | undefined,
): Promise<Float32Array> {
  const { maps, grid, mapValues } = model.fitted;
  if (paths === undefined) {
    if (maps.length === 0 || sameGrid(fine, grid)) return mapValues;
    throw new UsageError(
      `the model was shown the maps ${maps.join(", ")}; name a file that has them for this grid with --static`,
    );
  }
  const found = new Map<string, Float32Array>();
  for (const name of paths) {
    const dataset = await openDataset(name);
    try {
      const wanted = maps.filter((m) => dataset.variables.has(m));
      if (wanted.length === 0) continue;
      const read = onGrid(await readMaps(dataset, wanted), fine, name);
      const cells = fine.rows * fine.columns;
      wanted.forEach((m, k) => found.set(m, read.values.subarray(k * cells, (k + 1) * cells)));
    } finally {
      await dataset.close();
    }
  }
  const missing = maps.find((m) => !found.has(m));
  if (missing) throw new UsageError(`the model was shown the map '${missing}', which ${paths.join(", ")} lacks`);
  return joined(maps.map((m) => found.get(m)!));
}

function wantedTimes(
  model: DownscaleModel,
  pairs: Pairs | undefined,
  { calendar }: Pick<CoarseStream, "calendar">,
  flags: DownscaleFlags,
): (time: number) => boolean {
  if (flags.from === "test") {
    if (!pairs)
      throw new UsageError("--from test is the period of the run's own data; leave --data out, or name dates");
    const test = new Set(splitOf(pairs, model.config).test.map((i) => pairs.times[i]));
    return (time) => test.has(time);
  }
  const from = flags.from === undefined ? -Infinity : parseTime(flags.from, calendar);
  const to = flags.to === undefined ? Infinity : lastInstant(flags.to, calendar);
  return (time) => time >= from && time <= to;
}

async function score(
  model: DownscaleModel,
  runtime: Runtime,
  pairs: Pairs,
  run: string,
  folder: string,
  onProgress: (done: number, total: number) => void,
) {
  const { views, ...result } = await verifyDownscaling({ model, runtime, pairs, onProgress });
  const { test } = splitOf(pairs, model.config);
  await mkdir(folder, { recursive: true });
  const period = [test[0], test[test.length - 1]].map((i) => formatTime(pairs.times[i], pairs.calendar)).join("/");
  const content = { run, period, ...result };
  await writeWhole(path.join(folder, "scores.json"), JSON.stringify(content, null, 1));
  const card = await writeCard(run, model, pairs, downscaleTable(result, period));
  await writeWhole(path.join(folder, "scores.txt"), `${formatDownscaleScores(result)}\n`);
  const { data } = model.config;
  const coarse =
    data.coarse.length > 0
      ? data.coarse.map((c) => path.basename(c.path))
      : data.factors.map((f) => `means over ${f.join(" x ")} fine cells`);
  await writeWhole(
    path.join(folder, "report.html"),
    downscaleReportHtml({ views, ...result }, [
      ["Run", run],
      ["What it does", card.purpose],
      ["Fine data", path.basename(data.fine.path)],
      ["Coarse data", coarse.join(", ")],
      ["Grids", card.data.grid],
      ["Network", `${card.architecture}, ${card.parameters.toLocaleString("en")} parameters`],
      ...card.data.periods,
    ]),
  );
  return content;
}
