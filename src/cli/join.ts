/** `foehn join`: takes part in a run with this site's data, which stays here. */
import { appendFile, mkdir } from "node:fs/promises";
import path from "node:path";
import { FoehnError, UsageError } from "../errors.js";
import { openRuntime } from "../engine/runtime.node.js";
import type { RunConfigInput } from "../federation/protocol/config.js";
import { leavesText, whatLeaves } from "../federation/protocol/leaves.js";
import { layoutOf } from "../federation/protocol/parameters.js";
import { runSite } from "../federation/protocol/site.js";
import { fileSiteStore } from "../federation/protocol/site-store.node.js";
import { readCredential } from "../federation/transport/credential.node.js";
import { natsTransport } from "../federation/transport/nats.node.js";
import { initialParameters } from "../federation/weather/network.js";
import { saveSite, saveSiteModels } from "../federation/weather/site-folder.node.js";
import { parseSharedTask, type SharedTask } from "../federation/weather/task.js";
import { weatherTrainer } from "../federation/weather/trainer.node.js";
import type { CommandFactory } from "./commands.js";
import { roundLine, skillTable } from "./join-output.js";
import { commandWith, list, numeric, readYaml } from "./options.js";
import { type Output, output } from "./output.js";

interface JoinFlags {
  creds?: string;
  server?: string;
  run?: string;
  leaf?: boolean;
  site?: string;
  data: string;
  only?: string[];
  stations?: string;
  surroundings?: string;
  config?: string;
  dryRun?: boolean;
  alone: boolean;
  shareSkill: boolean;
  threads: number;
  out?: string;
  json?: boolean;
  quiet?: boolean;
}

export const command: CommandFactory = () =>
  commandWith(
    "join",
    "Takes part in a run with this site's data. The data stay here; --dry-run lists what would leave.",
    "foehn join --creds amber.creds --data amber.nc --dry-run\n  foehn join --creds amber.creds --data amber.nc",
  )
    .requiredOption("--data <path>", "this site's data: anything foehn info opens")
    .option("--creds <file>", "the credential the hub's owner gave")
    .option("--server <address>", "of the message server, where it is not the credential's")
    .option("--leaf", "the server is a leaf node at this station (sites/NAME-leaf.conf)")
    .option("--run <name>", "of the run, where there is no credential")
    .option("--site <name>", "of this site, where there is no credential")
    .option("--only <stations>", "comma-separated: stations of the data that are this site's", list)
    .option("--stations <file>", "table of the stations' places, where the data has none")
    .option("--surroundings <path>", "coarse fields around this site, where the run looks at them (an analysis, ERA5)")
    .option("--dry-run", "list what would leave this site, and stop")
    .option("--config <run.yaml>", "with --dry-run: the run's file, to look without reaching the hub")
    .option("--no-alone", "do not also train alone for comparison (half the work)")
    .option("--no-share-skill", "keep the scores here")
    .option("--threads <n>", "to compute with", numeric, 1)
    .option("--out <folder>", "what this site keeps: identity, memory, its models (runs/RUN-SITE)")
    .action(async (flags: JoinFlags) => {
      const out = output(flags);
      if (flags.config) return dryRun(await readYaml(flags.config), flags.site ?? "this site", flags, out);
      const place = await placeOf(flags);
      const stop = new AbortController();
      const stopped = (): void =>
        stop.abort(new FoehnError("stopped; the hub was told. The same command joins again with what was kept"));
      process.once("SIGINT", stopped).once("SIGTERM", stopped);
      try {
        const config = await runConfig(place, stop.signal, out);
        if (flags.dryRun) return await dryRun(config, place.site, flags, out);
        await takePart(config, place, flags, stop.signal, out);
      } finally {
        process.off("SIGINT", stopped).off("SIGTERM", stopped);
      }
    });

interface Place {
  readonly servers: string;
  readonly run: string;
  readonly site: string;
  readonly seed?: string;
  readonly ca?: string;
  readonly leaf?: boolean;
}

async function placeOf(flags: JoinFlags): Promise<Place> {
  const creds = flags.creds === undefined ? undefined : await readCredential(flags.creds);
  if (creds?.role === "hub")
    throw new UsageError(`${flags.creds} is the hub's credential; use the one made for your site (sites/NAME.creds)`);
  if (creds && flags.site && creds.site !== flags.site)
    throw new UsageError(
      `${flags.creds} is the credential of site '${creds.site}', not '${flags.site}'; leave out --site`,
    );
  const [servers, run, site] = [flags.server ?? creds?.server, flags.run ?? creds?.run, flags.site ?? creds?.site];
  if (!servers || !run || !site)
    throw new UsageError("give --creds FILE, or --server, --run and --site for a server that needs no credential");
  return { servers, run, site, seed: creds?.seed, ca: creds?.ca, leaf: flags.leaf };
}

/** Milliseconds a look at the run may take before it is said what is waited for. */
const LOOK = 3000;

const connect = (place: Place, patience?: number) => natsTransport({ ...place, role: "site", patience });

/** The run's configuration, waited for until its hub has begun. */
async function runConfig(place: Place, signal: AbortSignal, out: Output): Promise<Record<string, unknown>> {
  const transport = await connect(place, LOOK);
  try {
    for (let told = false; ; told = true) {
      try {
        const entry = await transport.state.get("config");
        if (entry) return JSON.parse(entry.value) as Record<string, unknown>;
      } catch (error) {
        if (!(error instanceof FoehnError) || !/has not answered/.test(error.message)) throw error;
      }
      signal.throwIfAborted();
      if (!told) out.say(`the hub of run '${place.run}' has not begun yet; waiting for it`);
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
  } finally {
    await transport.close();
  }
}

const taskOf = (config: Record<string, unknown>): SharedTask => {
  if (config["task"] === undefined)
    throw new FoehnError("the run has no task, so there is nothing to train here; ask its hub for one with a task");
  return parseSharedTask(config["task"]);
};

async function openTrainer(
  config: Record<string, unknown>,
  { data, only, stations, surroundings, threads }: JoinFlags,
) {
  const task = taskOf(config);
  const runtime = await openRuntime({ threads });
  try {
    const trainer = await weatherTrainer({ task, data, only, stations, surroundings, runtime });
    return { task, trainer, close: async () => (await trainer.close(), runtime.close()) };
  } catch (error) {
    await runtime.close();
    throw error;
  }
}

async function dryRun(config: Record<string, unknown>, site: string, flags: JoinFlags, out: Output): Promise<void> {
  const { task, trainer, close } = await openTrainer(config, flags);
  try {
    const layout = layoutOf(initialParameters(task));
    const asked = config as unknown as RunConfigInput;
    const leaves = await whatLeaves(asked, layout, trainer, { site, shareSkill: flags.shareSkill });
    out.result({ site, ...leaves }, leavesText(site, leaves));
  } finally {
    await close();
  }
}

async function takePart(
  config: Record<string, unknown>,
  place: Place,
  flags: JoinFlags,
  signal: AbortSignal,
  out: Output,
): Promise<void> {
  const { run, site } = place;
  const folder = flags.out ?? path.join("runs", `${run}-${site}`);
  await mkdir(folder, { recursive: true });
  const { task, trainer, close } = await openTrainer(config, flags);
  const { samples, variables } = trainer.describe();
  const { data, only, stations, surroundings } = flags;
  const source = { data, stations, surroundings, only };
  await saveSite(folder, { task, variables, source, members: trainer.members });
  out.say(`site ${site}: ${samples} samples of ${variables.join(", ")}; in run '${run}' as soon as the hub invites it`);
  const transport = await connect(place);
  try {
    const report = await runSite({
      transport,
      site,
      trainer,
      store: fileSiteStore(path.join(folder, "state")),
      compareAlone: flags.alone,
      shareSkill: flags.shareSkill,
      signal,
      onRound(round) {
        out.say(roundLine(round));
        void appendFile(path.join(folder, "rounds.jsonl"), `${JSON.stringify(round)}\n`);
      },
      onRefusal: (reason) => out.say(`the hub refused: ${reason}`),
    });
    // Once more: a line that the sites have agreed upon has changed what this one begins from
    await saveSite(folder, { task, variables, source, members: trainer.drawn(report.models.personal) });
    await saveSiteModels(folder, report.models);
    const { skill, rounds, refusals } = report;
    out.result(
      { run, site, rounds, skill, refusals, folder },
      `${skillTable(report)}\nmodels: ${folder}/shared.safetensors, ${folder}/personal.safetensors; forecast with 'foehn forecast ${folder}'`,
    );
  } finally {
    await transport.close();
    await close();
  }
}
