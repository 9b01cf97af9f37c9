/**
 * `npm run bench -- --proof ireland|noaa|atmosphere [prove|together|pooled|alone|robust] [--every N] [--set key=value]`: is joining
 * worth it? Each site alone, together, personal and pooled; see docs/results/federation.md for what came out. Models are kept in
 * `--out`, so a proof that was stopped goes on, and its parts may be trained side by side.
 *
 * `robust` trains each case given by `--case rule=nnm+geometric-median,attack=turned:10` (also codec=top-k:0.07+int8,feedback=ef14;
 * without=yes leaves the would-be attackers out) that `--out` does not hold yet, and prints the table of all it holds.
 */
import { existsSync } from "node:fs";
import { mkdir, readFile } from "node:fs/promises";
import path from "node:path";
import { parseArgs } from "node:util";
import { parse } from "yaml";
import { type Dataset, memoryDataset, type MemoryVariable } from "../src/data/dataset.js";
import { writeWhole } from "../src/data/files.node.js";
import { openDataset } from "../src/data/open.node.js";
import { regridded } from "../src/data/regrid.js";
import { subset } from "../src/data/subset.js";
import { globalGrid } from "../src/earth/regrid/index.js";
import { openInline } from "../src/engine/runtime.node.js";
import type { Runtime } from "../src/engine/runtime.js";
import { UsageError } from "../src/errors.js";
import type { RunConfigInput } from "../src/federation/protocol/config.js";
import type { Parameters } from "../src/federation/protocol/parameters.js";
import { fitMembers, readSurroundings, siteRecords } from "../src/federation/weather/data.js";
import type { Attack } from "../src/federation/weather/hostile.js";
import { partsOf } from "../src/federation/weather/member.js";
import { proofMarkdown, proofSvg } from "../src/federation/weather/proof-report.js";
import { type ModelStore, type Owner, type ProofOptions, prove, trainWay } from "../src/federation/weather/proof.js";
import {
  caseNames,
  type RobustCase,
  robustMarkdown,
  robustRun,
  type RobustRow,
} from "../src/federation/weather/robustness.js";
import { PARTS } from "../src/federation/weather/split.js";
import { createWeatherSite } from "../src/federation/weather/site.js";
import { parseSharedTask, type SharedTask } from "../src/federation/weather/task.js";
import { observe, observingNetwork } from "../src/simulator/network.js";
import type { StationSeries } from "../src/tasks/stations.js";
import { decodeSafetensors, encodeSafetensors } from "../src/tensor/safetensors.js";

const shared = process.env["FOEHN_SHARED"] ?? "../shared";
const data = (...parts: string[]): string => path.join(shared, "data", ...parts);

/** The stations of a table as owners; `whole` are those that report all variables. Archives begin after the years given, by turns. */
async function stationOwners(
  { file, stations, ...from }: { file: string; stations: string; whole?: boolean; begin?: readonly number[] },
  task: SharedTask,
  runtime: Runtime,
  every: number,
): Promise<Owner[]> {
  const dataset = await openDataset(file, { table: { stations } });
  const { whole = false, begin = [0] } = from;
  const { records, variables } = await siteRecords(dataset, task);
  await dataset.close();
  const kept = records.filter((record) => !whole || reportsAll(record)).filter((_, i) => i % every === 0);
  const owners: Owner[] = [];
  for (const [i, record] of kept.entries())
    owners.push({
      name: record.station.replace(/[^A-Za-z0-9]/g, "-").toLowerCase(),
      site: await createWeatherSite({
        task,
        members: fitMembers([archive(record, [begin[i % begin.length], Infinity], task)], task),
        variables,
        runtime,
        source: record.station,
      }),
    });
  return owners;
}

/** Whether each variable is there at more than half of the times. */
const reportsAll = ({ series: { values, channels, times } }: StationSeries): boolean =>
  channels.every(
    (_, c) =>
      times.filter((_, t) => values[t * channels.length + c] === values[t * channels.length + c]).length >
      times.length / 2,
  );

/** A record of whose training part only some years are there, as where an archive begins late. What it is tested on stays. */
function archive(record: StationSeries, [from, to]: readonly [number, number], task: SharedTask): StationSeries {
  const { times, values, ...rest } = record.series;
  const parts = partsOf(times.length, task);
  const size = values.length / times.length;
  const kept = values.slice();
  times.forEach((time, t) => {
    const year = (time - times[0]) / YEAR;
    if ((year < from || year >= to) && parts[t] === PARTS.indexOf("train")) kept.fill(NaN, t * size, (t + 1) * size);
  });
  return { ...record, series: { ...rest, times, values: kept } };
}

const YEAR = 365.25 * 86_400_000;

/** One holder of the embedded atmosphere: a region's grid, or a network of stations with its flaws. */
interface Holding {
  readonly variables: readonly string[];
  /** South, north, west, east. */
  readonly region: readonly [number, number, number, number];
  /** How many; the whole grid of the region where left out. */
  readonly stations?: number;
  /** Years of the world that its training part has. */
  readonly years: readonly [number, number];
}
const SURFACE = ["2m_temperature", "mean_sea_level_pressure", "10m_u_component_of_wind", "10m_v_component_of_wind"];
const HOLDINGS: Readonly<Record<string, Holding>> = {
  "america-analysis": {
    variables: ["2m_temperature", "mean_sea_level_pressure", "geopotential", "temperature"],
    region: [34, 50, 250, 280],
    years: [0, 2],
  },
  "europe-analysis": { variables: [...SURFACE, "geopotential"], region: [40, 58, 0, 30], years: [2, 4] },
  "asia-service": { variables: SURFACE, region: [25, 45, 100, 140], stations: 8, years: [1, 3] },
  "southern-buoys": { variables: SURFACE.slice(1), region: [-55, -35, 0, 360], stations: 8, years: [3, 5] },
  roads: { variables: ["2m_temperature"], region: [45, 55, 5, 25], stations: 8, years: [4, 5] },
  tropics: { variables: SURFACE, region: [-15, 15, 0, 360], stations: 8, years: [0, 3] },
  siberia: { variables: SURFACE.slice(0, 2), region: [55, 70, 70, 130], stations: 5, years: [2, 3] },
  school: { variables: SURFACE.slice(0, 2), region: [48, 53, 2, 12], stations: 1, years: [4, 5] },
};

/** The variables of a dataset read once, whole: networks read it one time after the other. */
async function inMemory(dataset: Dataset, names: readonly string[]): Promise<Dataset> {
  const part = await subset(dataset, { variables: names });
  const read: [string, MemoryVariable][] = [];
  for (const v of part.variables.values()) read.push([v.name, { dims: v.dims, data: await v.read(), attrs: v.attrs }]);
  return memoryDataset(Object.fromEntries(read), { source: dataset.source });
}

async function atmosphereOwners(world: Dataset, task: SharedTask, runtime: Runtime): Promise<Owner[]> {
  // What everybody can have of it: means over cells of ten degrees
  const surroundings = await regridded(world, globalGrid("36x18"), { method: "conservative" });
  const owners: Owner[] = [];
  const around = await readSurroundings(surroundings, task);
  for (const [i, [name, { variables, region, stations, years }]] of Object.entries(HOLDINGS).entries()) {
    const chosen = await subset(world, { variables });
    const [south, north, west, east] = region;
    const part =
      stations === undefined
        ? await subset(chosen, { box: { south, north, west, east } })
        : await observe(chosen, observingNetwork({ count: stations, region, seed: i }), { seed: i, variables });
    const { records, variables: found } = await siteRecords(part, task);
    const own = records.map((record) => archive(record, years, task));
    const site = { task, members: fitMembers(own, task, around), variables: found, runtime, source: name };
    owners.push({ name, site: await createWeatherSite(site) });
  }
  return owners;
}

const OWNERS: Record<string, (task: SharedTask, runtime: Runtime, every: number) => Promise<Owner[]>> = {
  ireland: (task, runtime, every) =>
    stationOwners(
      {
        file: data("ireland-hourly", "observations.csv.gz"),
        stations: data("ireland-hourly", "stations.csv"),
      },
      task,
      runtime,
      every,
    ),
  noaa: (task, runtime, every) =>
    stationOwners(
      {
        file: data("noaa-us-daily", "daily.csv.gz"),
        stations: data("noaa-us-daily", "stations.csv"),
        whole: true,
        begin: [0, 3, 2, 3],
      },
      task,
      runtime,
      3 * every,
    ),
  atmosphere: async (task, runtime) => {
    const world = await openDataset("runs/atmosphere.zarr");
    const middle = await subset(world, { levels: [500, 850] });
    const names = [...new Set(Object.values(HOLDINGS).flatMap((h) => h.variables))];
    return atmosphereOwners(await inMemory(middle, names), task, runtime);
  },
};

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    every: { type: "string", default: "1" },
    from: { type: "string", default: "0" },
    to: { type: "string", default: "Infinity" },
    out: { type: "string", default: "runs/federation" },
    set: { type: "string", multiple: true, default: [] },
    case: { type: "string", multiple: true, default: [] },
  },
});
const [name, mode = "prove"] = positionals;
if (!(name in OWNERS)) throw new UsageError(`there is no proof '${name}'; there are ${Object.keys(OWNERS).join(", ")}`);
const config = parse(await readFile(`examples/federation-${name}.yaml`, "utf8")) as RunConfigInput;
for (const setting of flags.set) {
  const [key, value] = setting.split("=");
  const keys = key.split(".");
  let at = config as unknown as Record<string, Record<string, never>>;
  for (const k of keys.slice(0, -1)) at = at[k] ??= {};
  (at as Record<string, unknown>)[keys.at(-1)!] = parse(value);
}
const task = parseSharedTask(config.task);
const began = performance.now();
const log = (line: string): void =>
  void process.stdout.write(`${((performance.now() - began) / 1000).toFixed(1).padStart(7)} ${line}\n`);
const runtime = await openInline({ threads: 1 });
const owners = await OWNERS[name](task, runtime, Number(flags.every));
log(`${owners.length} owners`);
await mkdir(path.join(flags.out, name), { recursive: true });
const fileOf = (model: string): string => path.join(flags.out, name, `${model}.safetensors`);
const store: ModelStore = {
  load: async (model) =>
    existsSync(fileOf(model))
      ? (decodeSafetensors(await readFile(fileOf(model)), fileOf(model)).tensors as unknown as Parameters)
      : undefined,
  save: async (model, params) => writeWhole(fileOf(model), encodeSafetensors([...params])),
};
const options: ProofOptions = { config, task, owners, runtime, log, store };

/** `rule=...,attack=KIND:STRENGTH,codec=...,feedback=...,without=yes`. */
function robustCase(text: string): RobustCase {
  const given = new Map(text.split(",").map((part) => part.split("=") as [string, string]));
  const named: Partial<Record<string, string>> = Object.fromEntries(given);
  const { rule, attack, codec, feedback = "none", without } = named;
  const [kind, strength = "1"] = attack?.split(":") ?? [];
  return {
    rule,
    attack: kind ? ({ kind, strength: Number(strength) } as Attack) : undefined,
    compression: codec ? ({ codec, feedback } as RobustCase["compression"]) : undefined,
    without: without !== undefined,
  };
}

/** Trains the cases that are not kept yet. */
async function robust(): Promise<void> {
  const file = path.join(flags.out, `${name}-robust.json`);
  const rows: RobustRow[] = existsSync(file) ? (JSON.parse(await readFile(file, "utf8")) as RobustRow[]) : [];
  for (const given of flags.case.map(robustCase)) {
    const wanted = caseNames(given);
    if (rows.some((r) => r.rule === wanted.rule && r.attack === wanted.attack && r.codec === wanted.codec)) continue;
    rows.push(await robustRun(options, given));
    log(JSON.stringify(rows.at(-1)));
    await writeWhole(file, JSON.stringify(rows));
  }
  process.stdout.write(robustMarkdown(rows));
}

switch (mode) {
  case "together":
  case "pooled":
    await trainWay(options, mode);
    break;
  case "alone":
    for (const owner of owners.slice(Number(flags.from), Number(flags.to))) await trainWay(options, owner);
    break;
  case "robust":
    await robust();
    break;
  case "prove": {
    const proof = await prove(options);
    await writeWhole(path.join(flags.out, `${name}.json`), JSON.stringify(proof));
    await writeWhole(
      path.join(flags.out, `${name}.svg`),
      proofSvg(proof, `Skill at each site's own test part: ${name}`),
    );
    await writeWhole(path.join(flags.out, `${name}.md`), proofMarkdown(proof));
    process.stdout.write(`\n${proofMarkdown(proof)}`);
    break;
  }
  default:
    throw new UsageError(`'${mode}' is none of prove, together, pooled, alone, robust`);
}
