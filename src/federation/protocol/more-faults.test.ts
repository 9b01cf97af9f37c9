/** Messages that come twice or late, clocks that differ, a hub without room, stations behind leaf nodes: nothing acknowledged is lost. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { disturbed, repeated } from "../testing/disturbed.js";
import { linearModel, linearTrainer } from "../testing/linear-trainer.js";
import { natsServerBinary, startNatsServer } from "../testing/nats-server.node.js";
import { localBus } from "../transport/local.js";
import { natsTransport } from "../transport/nats.node.js";
import { natsSetup } from "../transport/nats-config.node.js";
import type { Transport } from "../transport/transport.js";
import { runHub, type HubOptions } from "./hub.js";
import { memoryRowStore, type RowStore } from "./row-store.js";
import type { RoundRecord } from "./records.js";
import { runSite } from "./site.js";

const NAMES = ["amber", "birch", "cedar"];

/** Three rounds of three sites; the last model's numbers. */
async function run(
  hub: Partial<HubOptions> = {},
  wrap: (transport: Transport, i: number) => Transport = (t) => t,
  bus = localBus(),
  delays = [0, 0, 0],
): Promise<number[]> {
  const sites = NAMES.map((site, seed) =>
    runSite({ transport: wrap(bus.connect(), seed), site, trainer: linearTrainer({ seed, delay: delays[seed] }) }),
  );
  const config = { run: "f", rounds: 3, schedule: { minSites: 3, deadline: 30, quorum: 1 } };
  const model = await runHub({ transport: bus.connect(), config, initial: linearModel(), leaseTerm: 60, ...hub });
  await Promise.all(sites);
  return [...model.get("w")!.data];
}

it("doubled and reordered messages give the same model", async () => {
  const expected = await run();
  expect(await run({}, (transport, i) => disturbed(transport, [5 + 40 * i, 90, 0, 30]))).toEqual(expected);
});

it("what comes again in the round after is no fault of its site's, and its answer there is still waited for", async () => {
  const expected = await run();
  // Amber's messages come again while the others train the next round; amber itself answers last.
  const late = (transport: Transport, i: number): Transport => (i === 0 ? repeated(transport, 60) : transport);
  const delays = [200, 100, 100];
  const rounds: RoundRecord[] = [];
  const model = await run({ onRound: (record) => void rounds.push(record) }, late, localBus(), delays);
  expect(rounds.map(({ sites, refused }) => [sites.length, refused])).toEqual(rounds.map(() => [3, {}]));
  expect(model).toEqual(expected);
});

it("the hub's clock may be years off", async () => {
  const expected = await run();
  for (const years of [-40, 10]) {
    const skew = years * 365 * 86_400_000;
    expect(await run({ now: () => Date.now() + skew })).toEqual(expected);
  }
});

it("a hub whose disk is full says so, and goes on once there is room", async () => {
  const expected = await run();
  const bus = localBus();
  let room = 2; // updates
  const rows = memoryRowStore();
  const full: RowStore = {
    ...rows,
    async add(name, values) {
      if (room-- <= 0) throw Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" });
      await rows.add(name, values);
    },
  };
  const sites = NAMES.map((site, seed) =>
    runSite({ transport: bus.connect(), site, trainer: linearTrainer({ seed }) }),
  );
  const config = { run: "f", rounds: 3, schedule: { minSites: 3, deadline: 30, quorum: 1 } };
  const start = (store: RowStore) =>
    runHub({ transport: bus.connect(), config, initial: linearModel(), leaseTerm: 60, rows: store });
  await expect(start(full)).rejects.toThrow(/no room left for the updates.*start the hub again/);
  const model = await start(memoryRowStore());
  await Promise.all(sites);
  expect([...model.get("w")!.data]).toEqual(expected);
});

describe.skipIf(!natsServerBinary())("leaf nodes (needs nats-server: apt-get install nats-server)", () => {
  it("a station behind a server of its own takes part, and only as itself", async () => {
    const expected = await run();
    const folder = await mkdtemp(path.join(tmpdir(), "foehn-leaf-"));
    let setup: ReturnType<typeof natsSetup> | undefined;
    const options = { run: "f", sites: NAMES, host: "127.0.0.1" };
    const leafPort = 20_000 + Math.floor(Math.random() * 20_000);
    const server = await startNatsServer((port, data) => {
      setup = natsSetup({ ...options, port, storeDir: data, leafPort, advertise: `127.0.0.1:${leafPort}` });
      return setup.server;
    });
    const leaf = await startNatsServer((port) => setup!.leaves["amber"].replace("port: 4222", `port: ${port}`));
    try {
      const hub = await natsTransport({ servers: server.url, run: "f", role: "hub", seed: setup!.hubSeed });
      const connect = (site: string): Promise<Transport> =>
        site === "amber"
          ? natsTransport({ servers: leaf.url, run: "f", role: "site", site, leaf: true })
          : natsTransport({ servers: server.url, run: "f", role: "site", site, seed: setup!.siteSeeds[site] });
      const sites = NAMES.map(async (site, seed) => {
        const transport = await connect(site);
        await runSite({ transport, site, trainer: linearTrainer({ seed, delay: 100 }) });
        await transport.close();
      });
      const config = { run: "f", rounds: 3, schedule: { minSites: 3, deadline: 60, quorum: 1 } };
      const running = runHub({ transport: hub, config, initial: linearModel(), leaseTerm: 300 });
      // The station's link breaks in the middle, and comes back.
      await hub.state.wait("decision.amber", 0, 20_000);
      await leaf.kill();
      await new Promise((resolve) => setTimeout(resolve, 300));
      await leaf.restart();
      expect([...(await running).get("w")!.data]).toEqual(expected);
      await Promise.all(sites);
      // Behind amber's leaf nobody can speak for birch.
      const other = await natsTransport({
        servers: leaf.url,
        run: "f",
        role: "site",
        site: "birch",
        leaf: true,
        patience: 500,
      });
      await expect(other.state.put("member.birch", "{}")).rejects.toThrow();
      await other.close();
      await hub.close();
    } finally {
      await leaf.stop();
      await server.stop();
      await rm(folder, { recursive: true, force: true });
    }
  });
});
