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
import { readTimes } from "../src/data/coords.js";
import { type Dataset, memoryDataset, type MemoryVariable } from "../src/data/dataset.js";
import { writeWhole } from "../src/data/files.node.js";
import { openDataset } from "../src/data/open.node.js";
import { subset } from "../src/data/subset.js";
import { openInline } from "../src/engine/runtime.node.js";
import type { Runtime } from "../src/engine/runtime.js";
import { UsageError } from "../src/errors.js";
import type { RunConfigInput } from "../src/federation/protocol/config.js";
import type { Parameters } from "../src/federation/protocol/parameters.js";
import { siteMembers } from "../src/federation/weather/data.js";
import type { Attack } from "../src/federation/weather/hostile.js";
import type { Member } from "../src/federation/weather/member.js";
import { proofMarkdown, proofSvg } from "../src/federation/weather/proof-report.js";
import { type ModelStore, type Owner, type ProofOptions, prove, trainWay } from "../src/federation/weather/proof.js";
import {
  caseNames,
  type RobustCase,
  robustMarkdown,
  robustRun,
  type RobustRow,
} from "../src/federation/weather/robustness.js";
import { withRidge } from "../src/federation/weather/ridge.js";
import { createWeatherSite } from "../src/federation/weather/site.js";
import { parseSharedTask, type SharedTask } from "../src/federation/weather/task.js";
import { observe, observingNetwork } from "../src/simulator/network.js";
import { readStations } from "../src/tasks/stations.js";
import { decodeSafetensors, encodeSafetensors } from "../src/tensor/safetensors.js";

const shared = process.env["FOEHN_SHARED"] ?? "../shared";
const data = (...parts: string[]): string => path.join(shared, "data", ...parts);

const readNames = async (dataset: Dataset): Promise<string[]> =>
  (await readStations(dataset, [])).map(({ station }) => station);

/** Every station of a table as an owner of its own. */
async function stationOwners(
  file: string,
  stations: string,
  task: SharedTask,
  runtime: Runtime,
  every: number,
): Promise<Owner[]> {
  const dataset = await openDataset(file, { table: { stations } });
  const names = await readNames(dataset);
  const { members, variables } = await siteMembers(dataset, task, { only: names.filter((_, i) => i % every === 0) });
  await dataset.close();
  const owners: Owner[] = [];
  for (const member of members)
    owners.push({
      name: member.name.replace(/[^A-Za-z0-9]/g, "-").toLowerCase(),
      site: await createWeatherSite({
        task,
        members: withRidge(task, [member]),
        variables,
        runtime,
        source: member.name,
      }),
    });
  return owners;
}

/** The stations of a table as owners of boxes of some degrees. */
async function boxOwners(
  file: string,
  stations: string,
  degrees: number,
  task: SharedTask,
  runtime: Runtime,
): Promise<Owner[]> {
  const dataset = await openDataset(file, { table: { stations } });
  const { members, variables } = await siteMembers(dataset, task);
  await dataset.close();
  const boxes = new Map<string, Member[]>();
  for (const member of members) {
    const corner = [member.series.latitudes[0], member.series.longitudes[0]].map(
      (v) => degrees * Math.floor(v / degrees),
    );
    const box = `${Math.abs(corner[0])}n${Math.abs(corner[1])}w`;
    boxes.set(box, [...(boxes.get(box) ?? []), member]);
  }
  const owners: Owner[] = [];
  for (const [name, of] of [...boxes].sort())
    owners.push({
      name,
      site: await createWeatherSite({ task, members: withRidge(task, of), variables, runtime, source: name }),
    });
  return owners;
}

const DAY = 86_400_000;

/** One holder of the embedded atmosphere: a region's grid, or a network of stations with its flaws. */
interface Holding {
  readonly variables: readonly string[];
  /** South, north, west, east. */
  readonly region: readonly [number, number, number, number];
  /** How many; the whole grid of the region where left out. */
  readonly stations?: number;
  readonly days?: readonly [number, number];
}
const SURFACE = ["2m_temperature", "mean_sea_level_pressure", "10m_u_component_of_wind", "10m_v_component_of_wind"];
const HOLDINGS: Readonly<Record<string, Holding>> = {
  "america-analysis": {
    variables: ["2m_temperature", "mean_sea_level_pressure", "geopotential", "temperature"],
    region: [34, 50, 250, 280],
  },
  "europe-analysis": { variables: [...SURFACE, "geopotential"], region: [40, 58, 0, 30] },
  "asia-service": { variables: SURFACE, region: [25, 45, 100, 140], stations: 8 },
  "southern-buoys": { variables: SURFACE.slice(1), region: [-55, -35, 0, 360], stations: 8 },
  roads: { variables: ["2m_temperature"], region: [45, 55, 5, 25], stations: 8 },
  tropics: { variables: SURFACE, region: [-15, 15, 0, 360], stations: 8 },
  siberia: { variables: SURFACE.slice(0, 2), region: [55, 70, 70, 130], stations: 5, days: [180, 365] },
  school: { variables: SURFACE.slice(0, 2), region: [48, 53, 2, 12], stations: 1, days: [100, 280] },
};

/** The variables of a dataset read once, whole: networks read it one time after the other. */
async function inMemory(dataset: Dataset, names: readonly string[]): Promise<Dataset> {
  const part = await subset(dataset, { variables: names });
  const read: [string, MemoryVariable][] = [];
  for (const v of part.variables.values()) read.push([v.name, { dims: v.dims, data: await v.read(), attrs: v.attrs }]);
  return memoryDataset(Object.fromEntries(read), { source: dataset.source });
}

async function atmosphereOwners(world: Dataset, task: SharedTask, runtime: Runtime): Promise<Owner[]> {
  const owners: Owner[] = [];
  for (const [i, [name, { variables, region, stations, days }]] of Object.entries(HOLDINGS).entries()) {
    const chosen = await subset(world, { variables });
    const [south, north, west, east] = region;
    const part =
      stations === undefined
        ? await subset(chosen, { box: { south, north, west, east } })
        : await observe(chosen, observingNetwork({ count: stations, region, seed: i }), { seed: i, variables });
    const span = days && (await readTimes(part)).values;
    const cut = span
      ? await subset(part, { time: { start: span[0] + days[0] * DAY, end: span[0] + days[1] * DAY } })
      : part;
    const { members, variables: found } = await siteMembers(cut, task);
    owners.push({ name, site: await createWeatherSite({ task, members, variables: found, runtime, source: name }) });
  }
  return owners;
}

const OWNERS: Record<string, (task: SharedTask, runtime: Runtime, every: number) => Promise<Owner[]>> = {
  ireland: (task, runtime, every) =>
    stationOwners(
      data("ireland-hourly", "observations.csv.gz"),
      data("ireland-hourly", "stations.csv"),
      task,
      runtime,
      every,
    ),
  noaa: (task, runtime) =>
    boxOwners(data("noaa-us-daily", "daily.csv.gz"), data("noaa-us-daily", "stations.csv"), 5, task, runtime),
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
