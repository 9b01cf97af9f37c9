/** Killing processes in the middle of real work, over a real server. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { linearModel, linearTrainer } from "../testing/linear-trainer.js";
import { natsServerBinary, startNatsServer, type TestServer } from "../testing/nats-server.node.js";
import type { ProcessOptions } from "../testing/hub-process.node.js";
import { localBus } from "../transport/local.js";
import { natsTransport } from "../transport/nats.node.js";
import { natsSetup } from "../transport/nats-config.node.js";
import type { RunConfigInput } from "./config.js";
import { runHub } from "./hub.js";
import { runSite } from "./site.js";

const PROGRAM = fileURLToPath(new URL("../../../dist/federation/testing/hub-process.node.js", import.meta.url));
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const sites = ["amber", "birch", "cedar"];
const FEATURES = 5;
/** Large enough that an upload takes several chunks. */
const BIG = 200_000;
/** So that descent in so many features does not diverge. */
const SMALL_STEPS = { samples: 2, rate: 1e-6 };

function start(role: "hub" | "site", options: ProcessOptions): { child: ChildProcess; output: Promise<string> } {
  const child = spawn(process.execPath, [PROGRAM, role, JSON.stringify(options)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let text = "";
  child.stdout.on("data", (chunk: Buffer) => (text += chunk.toString()));
  return { child, output: new Promise((resolve) => child.once("close", () => resolve(text))) };
}
async function kill({ child, output }: ReturnType<typeof start>): Promise<void> {
  child.kill("SIGKILL");
  await output;
}
const config = (run: string, rounds: number): RunConfigInput => ({
  run,
  rounds,
  schedule: { minSites: 3, deadline: 60, quorum: 1 },
});

/** The model of the same run without any fault, in one process. */
async function undisturbed(rounds: number, features: number): Promise<number[]> {
  const bus = localBus();
  const runs = sites.map((site, seed) =>
    runSite({
      transport: bus.connect(),
      site,
      trainer: linearTrainer({ seed, features, ...(features > 5 ? SMALL_STEPS : {}) }),
    }),
  );
  const model = await runHub({ transport: bus.connect(), config: config("x", rounds), initial: linearModel(features) });
  await Promise.all(runs);
  return [...model.get("w")!.data.subarray(0, 20)];
}

describe.skipIf(!natsServerBinary())("faults (needs nats-server: apt-get install nats-server)", () => {
  let server: TestServer;
  let folder: string;
  beforeAll(async () => {
    server = await startNatsServer();
    folder = await mkdtemp(path.join(tmpdir(), "foehn-sites-"));
  });
  afterAll(async () => {
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  });
  const prepare = async (run: string): Promise<void> =>
    (await natsTransport({ servers: server.url, run, role: "hub" })).close();
  /** The three sites in this process. */
  const here = (run: string, { delay = 0 }: { delay?: number } = {}) =>
    sites.map(async (site, seed) => {
      const transport = await natsTransport({ servers: server.url, run, role: "site" });
      await runSite({ transport, site, trainer: linearTrainer({ seed, features: FEATURES, delay }) });
      await transport.close();
    });

  it("kill -9 of the hub, again and again: the same model, bit for bit", async () => {
    const expected = await undisturbed(6, FEATURES);
    await prepare("hubkill");
    const running = here("hubkill", { delay: 100 });
    const options = { servers: server.url, run: "hubkill", features: FEATURES, config: config("hubkill", 6) };
    let killed = 0;
    for (const life of [900, 1100, 1300]) {
      const hub = start("hub", options);
      await pause(life);
      if (hub.child.exitCode === null) killed++;
      await kill(hub);
    }
    const last = await start("hub", options).output;
    await Promise.all(running);
    expect(killed).toBeGreaterThan(0);
    expect(JSON.parse(last)).toEqual(expected);
  });

  it("kill -9 of nats-server in the middle of rounds: the same model", async () => {
    const expected = await undisturbed(5, FEATURES);
    await prepare("serverkill");
    const running = here("serverkill", { delay: 150 });
    const hub = await natsTransport({ servers: server.url, run: "serverkill", role: "hub" });
    const kills = (async () => {
      for (const after of [400, 900]) {
        await pause(after);
        await server.kill();
        await pause(200);
        await server.restart();
      }
    })();
    const model = await runHub({ transport: hub, config: config("serverkill", 5), initial: linearModel(FEATURES) });
    await Promise.all([...running, kills]);
    await hub.close();
    expect([...model.get("w")!.data]).toEqual(expected);
  });

  it("kill -9 of a site in the middle of its upload: it comes back and the round is whole", async () => {
    const expected = await undisturbed(1, BIG);
    await prepare("sitekill");
    const hub = await natsTransport({ servers: server.url, run: "sitekill", role: "hub" });
    const running = runHub({ transport: hub, config: config("sitekill", 1), initial: linearModel(BIG) });
    const processes = sites.map((site, seed) => {
      const options = {
        servers: server.url,
        run: "sitekill",
        features: BIG,
        site,
        folder: path.join(folder, site),
        trainer: { seed, ...SMALL_STEPS },
      };
      return { options, running: start("site", options) };
    });
    // As soon as something of amber's update is there, amber dies.
    const watcher = await natsTransport({ servers: server.url, run: "sitekill", role: "hub" });
    while (!(await watcher.events.read(0, { limit: 1, milliseconds: 100 })).length) await pause(20);
    await pause(300);
    await kill(processes[0].running);
    processes[0].running = start("site", processes[0].options);
    const model = await running;
    await Promise.all(processes.map((p) => p.running.output));
    await Promise.all([hub.close(), watcher.close()]);
    expect([...model.get("w")!.data.subarray(0, 20)]).toEqual(expected);
  });
});

describe.skipIf(!natsServerBinary())("credentials (needs nats-server: apt-get install nats-server)", () => {
  it("a site can take part with its own, and touch nothing else", async () => {
    const setup = natsSetup({ run: "valley", sites: ["amber", "birch"], host: "127.0.0.1", port: 4222 });
    const server = await startNatsServer((port, data) =>
      setup.server.replace("port: 4222", `port: ${port}`).replace('"nats-data"', JSON.stringify(data)),
    );
    const open = (site: string, seed = setup.siteSeeds[site]) =>
      natsTransport({ servers: server.url, run: "valley", role: "site", site, seed, patience: 500 });
    const hub = await natsTransport({ servers: server.url, run: "valley", role: "hub", seed: setup.hubSeed });
    try {
      const both = ["amber", "birch"].map(async (site, seed) => {
        const transport = await open(site);
        const report = await runSite({ transport, site, trainer: linearTrainer({ seed }) });
        await transport.close();
        return report.rounds;
      });
      await runHub({
        transport: hub,
        config: { run: "valley", rounds: 2, schedule: { minSites: 2 } },
        initial: linearModel(),
      });
      expect(await Promise.all(both)).toEqual([2, 2]);

      const amber = await open("amber");
      const denied = /does not allow this credential/;
      await expect(amber.state.put("round", "{}")).rejects.toThrow(denied);
      await expect(amber.state.put("member.birch", "{}")).rejects.toThrow(denied);
      await expect(amber.state.get("decision.birch")).rejects.toThrow(denied);
      await expect(amber.objects.put("site.birch.0", new Uint8Array(3))).rejects.toThrow(denied);
      await expect(amber.objects.get("site.birch.0", 10)).rejects.toThrow(denied);
      await expect(amber.events.publish("update.birch", "x", "x")).rejects.toThrow(denied);
      await expect(amber.objects.remove("model.0")).rejects.toThrow(denied);
      await amber.close();
      const stranger = natsSetup({ run: "valley", sites: ["amber"] }).siteSeeds.amber;
      await expect(open("amber", stranger)).rejects.toThrow(/Authorization Violation.*credential/i);
    } finally {
      await hub.close();
      await server.stop();
    }
  });
});
