/** `foehn hub`: coordinates a run that many sites train together, or simulates one in this process. */
import { existsSync } from "node:fs";
import path from "node:path";
import { FoehnError, UsageError } from "../errors.js";
import { openRuntime } from "../engine/runtime.node.js";
import { onnxKernels } from "../federation/aggregate/kernels-onnx.node.js";
import { planOf, type RunConfig, type RunConfigInput } from "../federation/protocol/config.js";
import { coordinate, type HubOptions, type RunModels } from "../federation/protocol/hub.js";
import { layoutLength, layoutOf } from "../federation/protocol/parameters.js";
import { fileRowStore } from "../federation/protocol/row-store.node.js";
import type { LocalTrainer } from "../federation/protocol/trainer.js";
import { readCredential } from "../federation/transport/credential.node.js";
import { natsTransport } from "../federation/transport/nats.node.js";
import type { Transport } from "../federation/transport/transport.js";
import { initialParameters } from "../federation/weather/network.js";
import { parseSharedTask } from "../federation/weather/task.js";
import { weatherTrainer } from "../federation/weather/trainer.node.js";
import type { CommandFactory } from "./commands.js";
import { initHub } from "./hub-init.js";
import { openLive, runSummary } from "./hub-live.js";
import { simulateSites } from "./hub-local.js";
import { applySettings, collect, commandWith, numeric, readYaml } from "./options.js";
import { output } from "./output.js";

export interface HubFlags {
  init?: boolean;
  site?: string[];
  address?: string[];
  port: number;
  tls: boolean;
  leafPort?: number;
  transport: string;
  server?: string;
  creds?: string;
  data?: string;
  stations?: string;
  surroundings?: string;
  alone: boolean;
  out?: string;
  metrics?: number;
  set?: string[];
  json?: boolean;
  quiet?: boolean;
}

export const command: CommandFactory = () =>
  commandWith(
    "hub",
    "Coordinates a run that many sites train together. First --init, then without it; or --transport local for a simulation.",
    "foehn hub run.yaml --init --site amber --site birch --address hub.example.org\n  foehn hub run.yaml\n  foehn hub run.yaml --transport local --site amber=amber.nc --site birch=birch.nc",
  )
    .argument("<config>", "YAML file of the run (docs/federation.md)")
    .option(
      "--init",
      "write the message server's configuration and a credential for each --site, and say what to do next",
    )
    .option(
      "--site <name>",
      "a site that may take part; with --transport local NAME=DATA or NAME=DATA#STATION,STATION",
      collect,
    )
    .option("--address <host>", "with --init: name or address by which sites reach this machine", collect)
    .option("--port <number>", "with --init: of the message server", numeric, 4222)
    .option("--no-tls", "with --init: no encryption, for a network you trust")
    .option("--leaf-port <number>", "with --init: where servers of stations (leaf nodes) dial in", numeric)
    .option("--transport <name>", "nats, or local: all sites in this process", "nats")
    .option("--server <address>", "of the message server, where it is not the credential's")
    .option("--creds <file>", "the hub's credential (hub.creds in --out)")
    .option("--data <path>", "the hub's own data, for the rule fltrust")
    .option("--stations <file>", "table of the stations' places, where the data has none")
    .option("--surroundings <path>", "coarse fields around the sites, where the run looks at them (an analysis, ERA5)")
    .option("--no-alone", "with --transport local: do not also train each site alone for comparison")
    .option("--out <folder>", "models, rounds.jsonl and the setup (runs/NAME-OF-THE-RUN)")
    .option("--metrics <port>", "serve figures for Prometheus on the loopback; 0 takes any free port", numeric)
    .option("--set <a.b=value>", "a setting on top of the file; may be repeated", collect)
    .action(async (file: string, flags: HubFlags) => {
      const out = output(flags);
      const given = applySettings(await readYaml(file), flags.set ?? []) as unknown as RunConfigInput;
      const { config } = await planOf(given);
      const folder = flags.out ?? path.join("runs", config.run);
      if (flags.init) return initHub(file, config, folder, flags, out);
      if (flags.transport !== "nats" && flags.transport !== "local")
        throw new UsageError(`there is no transport '${flags.transport}'; it is nats or local`);
      const task = parseSharedTask(config.task ?? absentTask(file));
      const initial = initialParameters(task, config.seed);
      const live = await openLive(folder, out, flags.metrics);
      const stop = new AbortController();
      const stopped = (): void => stop.abort(new FoehnError("stopped; the same command goes on from here"));
      process.once("SIGINT", stopped).once("SIGTERM", stopped);
      try {
        const options: Omit<HubOptions, "transport"> = {
          config: given,
          initial,
          signal: stop.signal,
          ...(layoutLength(layoutOf(initial)) > LARGE ? { kernels: await onnxKernels() } : {}),
          ...(flags.data ? { trusted: await ownTrainer(flags, task) } : {}),
          onRound: (record, models) => live.onRound(record, models),
          onWait: (why) => out.say(why),
        };
        const models =
          flags.transport === "local"
            ? await simulateSites({ config, task, flags, hub: options, folder, out })
            : await overNats(config, folder, flags, { ...options, rows: fileRowStore(path.join(folder, "updates")) });
        await live.finish(models);
        out.result({ run: config.run, folder, rounds: live.records }, runSummary(live.records, folder));
      } finally {
        process.off("SIGINT", stopped).off("SIGTERM", stopped);
        await live.close();
      }
    });

/** Parameters above which aggregation goes through ONNX Runtime. */
const LARGE = 1_000_000;

function absentTask(file: string): never {
  throw new UsageError(`${file} has no 'task': say which variables, model and leads are trained (docs/federation.md)`);
}

async function ownTrainer({ data, stations, surroundings }: HubFlags, task: unknown): Promise<LocalTrainer> {
  return weatherTrainer({ task, data: data!, stations, surroundings, runtime: await openRuntime({ threads: 1 }) });
}

/** Runs the hub over the message server. */
async function overNats(
  { run }: RunConfig,
  folder: string,
  flags: HubFlags,
  options: Omit<HubOptions, "transport">,
): Promise<RunModels> {
  const file = flags.creds ?? path.join(folder, "hub.creds");
  const creds = flags.creds !== undefined || existsSync(file) ? await readCredential(file) : undefined;
  if (!creds && !flags.server)
    throw new UsageError(
      `there is no credential ${file}; make one with foehn hub --init, or name a server that needs none with --server nats://localhost:4222`,
    );
  if (creds && creds.run !== run)
    throw new UsageError(
      `the credential ${file} is for run '${creds.run}', not '${run}'; make one with foehn hub --init`,
    );
  if (creds && creds.role !== "hub")
    throw new UsageError(`the credential ${file} is that of site '${creds.site}'; the hub's is hub.creds`);
  const transport: Transport = await natsTransport({
    servers: flags.server ?? creds!.server,
    run,
    role: "hub",
    seed: creds?.seed,
    ca: creds?.ca,
  });
  try {
    return await coordinate({ ...options, transport });
  } finally {
    await transport.close();
  }
}
