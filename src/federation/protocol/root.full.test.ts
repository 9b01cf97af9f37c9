/** Faults that take root to make: a site cut off from the network in the middle of a round, disks that are full; and most sites gone. */
import { spawn } from "node:child_process";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, it } from "vitest";
import type { ProcessOptions } from "../testing/hub-process.node.js";
import { linearModel, linearTrainer } from "../testing/linear-trainer.js";
import { natsServerBinary, startNatsServer, type TestServer } from "../testing/nats-server.node.js";
import { cutNetwork, MOUNTS, NETWORKS, smallDisk, works } from "../testing/root.node.js";
import { localBus } from "../transport/local.js";
import { natsTransport } from "../transport/nats.node.js";
import { runHub } from "./hub.js";
import type { RoundRecord } from "./records.js";
import { fileRowStore } from "./row-store.node.js";
import { runSite } from "./site.js";

const PROGRAM = fileURLToPath(new URL("../../../dist/federation/testing/hub-process.node.js", import.meta.url));
const NAMES = ["amber", "birch", "cedar"];
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const config = (run: string, rounds: number) => ({
  run,
  rounds,
  schedule: { minSites: 3, deadline: 120, quorum: 1, away: 60 },
});

async function undisturbed(rounds: number, features = 5): Promise<number[]> {
  const bus = localBus();
  const sites = NAMES.map((site, seed) =>
    runSite({ transport: bus.connect(), site, trainer: linearTrainer({ seed, features, ...short(features) }) }),
  );
  const model = await runHub({ transport: bus.connect(), config: config("u", rounds), initial: linearModel(features) });
  await Promise.all(sites);
  return [...model.get("w")!.data.subarray(0, 20)];
}
/** So that descent in many features does not diverge. */
const short = (features: number) => (features > 5 ? { samples: 2, rate: 1e-6 } : {});

let server: TestServer | undefined;
const undo: (() => void)[] = [];
afterEach(async () => {
  await server?.stop();
  server = undefined;
  for (const action of undo.splice(0).reverse()) action();
});
const nats = natsServerBinary() !== undefined;

describe.skipIf(!nats || !works(NETWORKS))("a network that is cut (needs root, ip and nats-server)", () => {
  it("a site cut off for a while comes back and the round is whole", async () => {
    const net = cutNetwork("foehn-cut");
    undo.push(() => net.remove());
    server = await startNatsServer(
      (port, data) => `host: 0.0.0.0\nport: ${port}\njetstream { store_dir: "${data}" }\n`,
    );
    const folder = await mkdtemp(path.join(tmpdir(), "foehn-cut-"));
    const hub = await natsTransport({ servers: server.url, run: "cut", role: "hub" });
    const running = runHub({ transport: hub, config: config("cut", 4), initial: linearModel() });
    const near = NAMES.slice(1).map(async (site, i) => {
      const transport = await natsTransport({ servers: server!.url, run: "cut", role: "site" });
      await runSite({ transport, site, trainer: linearTrainer({ seed: i + 1, delay: 200 }) });
      await transport.close();
    });
    const options: ProcessOptions = {
      servers: `nats://${net.outside}:${server.port}`,
      run: "cut",
      features: 5,
      site: "amber",
      folder,
      trainer: { seed: 0, delay: 200 },
    };
    const [program, ...args] = [...net.enter, process.execPath, PROGRAM, "site", JSON.stringify(options)];
    const far = spawn(program, args, { stdio: "inherit" });
    const ended = new Promise((resolve) => far.once("close", resolve));
    await hub.state.wait("decision.amber", 0, 60_000); // its first update has come: now it trains again
    net.cut();
    await pause(6000);
    net.mend();
    const model = await running;
    await Promise.all([...near, ended]);
    await hub.close();
    await rm(folder, { recursive: true });
    expect([...model.get("w")!.data]).toEqual(await undisturbed(4));
  });
});

describe.skipIf(!nats || !works(MOUNTS))("a disk that is full (needs root and nats-server)", () => {
  const FEATURES = 50_000; // 200 kB an update

  it("at the hub: it says so, and goes on when there is room", async () => {
    const folder = await mkdtemp(path.join(tmpdir(), "foehn-full-"));
    const disk = smallDisk(folder, 450);
    undo.push(() => disk.remove());
    server = await startNatsServer();
    const hub = await natsTransport({ servers: server.url, run: "full", role: "hub" });
    const start = () =>
      runHub({
        transport: hub,
        config: config("full", 2),
        initial: linearModel(FEATURES),
        rows: fileRowStore(path.join(folder, "updates")),
        leaseTerm: 300,
      });
    const sites = NAMES.map(async (site, seed) => {
      const transport = await natsTransport({ servers: server!.url, run: "full", role: "site" });
      await runSite({ transport, site, trainer: linearTrainer({ seed, features: FEATURES, ...short(FEATURES) }) });
      await transport.close();
    });
    await expect(start()).rejects.toThrow(/no room left for the updates of round 0/);
    disk.grow(10_000);
    const model = await start();
    await Promise.all(sites);
    await hub.close();
    expect([...model.get("w")!.data.subarray(0, 20)]).toEqual(await undisturbed(2, FEATURES));
  });

  it("at the message server: sites wait, and go on when there is room", async () => {
    const folder = await mkdtemp(path.join(tmpdir(), "foehn-store-"));
    const disk = smallDisk(folder, 900); // the model and two updates
    undo.push(() => disk.remove());
    await mkdir(path.join(folder, "js"));
    server = await startNatsServer(
      (port) =>
        `host: 127.0.0.1\nport: ${port}\njetstream { store_dir: "${path.join(folder, "js")}", max_file: 100MB }\n`,
    );
    const open = (role: "hub" | "site") => natsTransport({ servers: server!.url, run: "store", role });
    const hub = await open("hub");
    const running = runHub({ transport: hub, config: config("store", 2), initial: linearModel(FEATURES) });
    const sites = NAMES.map(async (site, seed) => {
      const transport = await open("site");
      await runSite({ transport, site, trainer: linearTrainer({ seed, features: FEATURES, ...short(FEATURES) }) });
      await transport.close();
    });
    await pause(5000);
    disk.grow(50_000);
    // The server leaves JetStream when its disk fails it, and must be started again.
    await server.kill();
    await server.restart();
    const model = await running;
    await Promise.all(sites);
    await hub.close();
    expect([...model.get("w")!.data.subarray(0, 20)]).toEqual(await undisturbed(2, FEATURES));
  });
});

describe.skipIf(!nats)("most sites vanish (needs nats-server: apt-get install nats-server)", () => {
  it("eight of ten in the middle of a round: it is held again with two", async () => {
    server = await startNatsServer();
    const names = Array.from({ length: 10 }, (_, i) => `s${i}`);
    const hub = await natsTransport({ servers: server.url, run: "most", role: "hub" });
    const records: RoundRecord[] = [];
    const vanish = new AbortController();
    const start = async (site: string, seed: number, options: { signal?: AbortSignal; delay?: number }) => {
      const transport = await natsTransport({ servers: server!.url, run: "most", role: "site" });
      await runSite({
        transport,
        site,
        trainer: linearTrainer({ seed, delay: options.delay ?? 50 }),
        signal: options.signal,
      })
        .catch((error: Error) => expect(error.message).toBe("vanish"))
        .finally(() => transport.close());
    };
    const store = new Map<string, Promise<void>>();
    names.forEach((site, i) => store.set(site, start(site, i, i < 8 ? { signal: vanish.signal, delay: 60_000 } : {})));
    const schedule = { minSites: 10, deadline: 60, quorum: 0.6 };
    const running = runHub({
      transport: hub,
      config: { run: "most", rounds: 6, schedule },
      initial: linearModel(),
      onRound: (r) => void records.push(r),
    });
    await hub.state.wait("decision.s9", 0, 60_000);
    vanish.abort(new Error("vanish"));
    await running;
    await Promise.all(store.values());
    await hub.close();
    expect(records[0].void).toMatch(/2 of 10 sites answered in time; the round is held again/);
    expect(records.slice(1).map(({ round, sites }) => [round, sites.length])).toEqual(
      [0, 1, 2, 3, 4, 5].map((round) => [round, 2]),
    );
  });
});
