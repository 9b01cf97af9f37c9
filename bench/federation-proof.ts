/**
 * `npm run bench -- --proof ireland|noaa|atmosphere`: is joining worth it? Each site alone, together, personal and pooled, on real
 * stations or on the embedded atmosphere; see docs/results/federation.md for what came out.
 */
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { parse } from "yaml";
import type { Dataset } from "../src/data/dataset.js";
import { readStations } from "../src/tasks/stations.js";
import { openDataset } from "../src/data/open.node.js";
import { openInline } from "../src/engine/runtime.node.js";
import type { RunConfigInput } from "../src/federation/protocol/config.js";
import { siteMembers } from "../src/federation/weather/data.js";
import { type Owner, prove, trainTogether, meanValidation, totalSteps } from "../src/federation/weather/proof.js";
import { centralTraining } from "../src/federation/weather/pooled.js";
import { initialParameters } from "../src/federation/weather/network.js";
import { createWeatherSite, trainAlone } from "../src/federation/weather/site.js";
import { parseSharedTask, type SharedTask } from "../src/federation/weather/task.js";
import type { Runtime } from "../src/engine/runtime.js";

const shared = process.env["FOEHN_SHARED"] ?? "/work/shared";
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
      site: await createWeatherSite({ task, members: [member], variables, runtime, source: member.name }),
    });
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
  noaa: (task, runtime, every) =>
    stationOwners(data("noaa-us-daily", "daily.csv.gz"), data("noaa-us-daily", "stations.csv"), task, runtime, every),
};

const [name, mode = "prove", ...sets] = process.argv.slice(2);
const root = process.env["FOEHN_ROOT"] ?? ".";
const text = await readFile(path.join(root, `examples/federation-${name}.yaml`), "utf8");
const withSets = (list: readonly string[]): RunConfigInput => {
  const config = parse(text) as RunConfigInput;
  for (const s of list) {
    const [k, v] = s.split("=");
    const keys = k.split(".");
    let at = config as unknown as Record<string, never>;
    for (const key of keys.slice(0, -1)) at = at[key] ??= {} as never;
    (at as Record<string, unknown>)[keys.at(-1)!] = parse(v);
  }
  return config;
};
const began = performance.now();
const log = (line: string): void =>
  console.log(`${((performance.now() - began) / 1000).toFixed(1).padStart(7)} ${line}`);
const runtime = await openInline({ threads: 1 });
if (mode === "tune") {
  const every = Number(sets.shift());
  let owners = await OWNERS[name](parseSharedTask(withSets([]).task), runtime, every);
  log(`${owners.length} owners`);
  for (const line of sets) {
    const [kind, ...list] = line.split(" ");
    const config = withSets(list);
    const task = parseSharedTask(config.task);
    owners = await Promise.all(
      owners.map(async ({ name: owner, site: { members, variables } }) => ({
        name: owner,
        site: await createWeatherSite({ task, members, variables, runtime }),
      })),
    );
    const cpu = process.cpuUsage();
    if (kind === "together") {
      const { params } = await trainTogether({ config, task, owners });
      log(`together ${(await meanValidation(owners, params)).toFixed(5)} ${list.join(" ")}`);
    } else if (kind === "pooled") {
      const p = await centralTraining({
        config,
        task,
        owners,
        runtime,
        rates: [1],
        steps: totalSteps(config),
        initial: initialParameters(task, config.seed),
      });
      log(`pooled ${p.validation.toFixed(5)} ${p.how} ${list.join(" ")}`);
    } else {
      let total = 0;
      const at: number[] = [];
      for (const { site } of owners) {
        const alone = await trainAlone(site, task, initialParameters(task, config.seed), {
          steps: totalSteps(config),
          seed: 1,
          patience: 6,
        });
        total += alone.validation / owners.length;
        at.push(alone.step);
      }
      log(`alone ${total.toFixed(5)} steps ${at.join(",")} ${list.join(" ")}`);
    }
    const { user, system } = process.cpuUsage(cpu);
    log(`  cpu ${((user + system) / 1e6).toFixed(1)} s`);
  }
} else {
  const config = withSets(sets);
  const task = parseSharedTask(config.task);
  const owners = await OWNERS[name](task, runtime, 1);
  log(`${owners.length} owners`);
  const proof = await prove({ config, task, owners, runtime, log });
  log(JSON.stringify(proof.mean));
  log(`share ${proof.share.toFixed(3)}; not better together: ${proof.worse.join(", ") || "none"}`);
  const { rounds: _, ...rest } = proof;
  await writeFile(`/tmp/foehn/proof-${name}.json`, JSON.stringify(rest));
}
