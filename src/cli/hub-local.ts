/** A whole federation in one process: the same protocol over the bus in memory, for a demo, a simulation, or a proof. */
import path from "node:path";
import { UsageError } from "../errors.js";
import { openRuntime } from "../engine/runtime.node.js";
import type { RunConfig } from "../federation/protocol/config.js";
import { coordinate, type HubOptions, type RunModels } from "../federation/protocol/hub.js";
import { runSite } from "../federation/protocol/site.js";
import { localBus } from "../federation/transport/local.js";
import type { SharedTask } from "../federation/weather/task.js";
import { saveSite, saveSiteModels } from "../federation/weather/site-folder.node.js";
import type { WeatherSite } from "../federation/weather/site.js";
import { weatherTrainer } from "../federation/weather/trainer.node.js";
import type { HubFlags } from "./hub.js";
import { skillTable } from "./join-output.js";
import type { Output } from "./output.js";

/** NAME=DATA or NAME=DATA#STATION,STATION. */
export function siteSpec(text: string): { name: string; data: string; only?: string[] } {
  const equals = text.indexOf("=");
  if (equals < 1 || equals === text.length - 1)
    throw new UsageError(`--site ${text}: with --transport local write it as NAME=DATA, e.g. --site amber=amber.nc`);
  const [data, stations] = text.slice(equals + 1).split("#");
  return { name: text.slice(0, equals), data, ...(stations ? { only: stations.split(",") } : {}) };
}

/** Trains all sites together in this process; leaves each site's folder in `sites/NAME`. */
export async function simulateSites(options: {
  readonly config: RunConfig;
  readonly task: SharedTask;
  readonly flags: HubFlags;
  readonly hub: Omit<HubOptions, "transport">;
  readonly folder: string;
  readonly out: Output;
}): Promise<RunModels> {
  const { config, task, flags, hub, folder, out } = options;
  const { stations, surroundings } = flags;
  const specs = (flags.site ?? []).map(siteSpec);
  if (specs.length === 0)
    throw new UsageError("name the sites to simulate: --site amber=amber.nc --site birch=birch.nc");
  const twice = specs.find(({ name }, i) => specs.findIndex((s) => s.name === name) !== i);
  if (twice) throw new UsageError(`site '${twice.name}' is named twice; give each site one name`);
  const runtime = await openRuntime({ threads: 1 });
  const trainers: WeatherSite[] = [];
  try {
    for (const { name, data, only } of specs) {
      const trainer = await weatherTrainer({ task, data, only, stations, surroundings, runtime });
      const { samples, variables } = trainer.describe();
      out.say(`site ${name}: ${samples} samples of ${variables.join(", ")} from ${data}`);
      trainers.push(trainer);
    }
    const bus = localBus();
    const stop = new AbortController();
    const signal = hub.signal ? AbortSignal.any([hub.signal, stop.signal]) : stop.signal;
    const sites = specs.map(({ name }, i) =>
      runSite({
        transport: bus.connect(),
        site: name,
        trainer: trainers[i],
        compareAlone: flags.alone,
        signal,
        onRefusal: (reason) => out.say(`the hub refused ${name}: ${reason}`),
      }),
    );
    const settled = Promise.allSettled(sites);
    // A site that fails ends the simulation: its reason is what the person must hear.
    const failure = Promise.race(sites.map((s) => s.then(() => new Promise<never>(() => undefined))));
    const schedule = { ...config.schedule, minSites: specs.length };
    failure.catch(() => undefined); // heard by the race while it lasts
    const running = coordinate({ ...hub, signal, config: { ...config, schedule }, transport: bus.connect() });
    try {
      const models = await Promise.race([running, failure]);
      for (const [i, result] of (await settled).entries()) {
        if (result.status !== "fulfilled") continue;
        out.say(skillTable(result.value));
        const { name, data, only } = specs[i];
        const { variables } = trainers[i];
        const members = trainers[i].drawn(result.value.models.personal);
        const kept = path.join(folder, "sites", name);
        await saveSite(kept, { task, variables, members, source: { data, only, stations, surroundings } });
        await saveSiteModels(kept, result.value.models);
      }
      return models;
    } finally {
      stop.abort(new UsageError("the simulation has ended"));
      await Promise.allSettled([running, settled]);
    }
  } finally {
    for (const trainer of trainers) await trainer.close();
    await runtime.close();
  }
}
