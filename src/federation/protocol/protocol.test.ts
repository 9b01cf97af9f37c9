import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { linearModel, linearTrainer } from "../testing/linear-trainer.js";
import { natsServerBinary, startNatsServer, type TestServer } from "../testing/nats-server.node.js";
import { localBus } from "../transport/local.js";
import { natsTransport } from "../transport/nats.node.js";
import type { Transport } from "../transport/transport.js";
import { runHub } from "./hub.js";
import { runSite } from "./site.js";
import { type Connect, four, run, training } from "../testing/linear-run.js";

function suite(connect: Connect): void {
  it("together beats alone where data are few, and every site sees it", async () => {
    const sites = four((i) => ({ samples: i === 3 ? 4 : 40, compareAlone: true }));
    const { reports, records } = await run(connect, { rounds: 6 }, sites);
    expect(records.map(({ round }) => round)).toEqual([0, 1, 2, 3, 4, 5]);
    const { alone, together, personal } = reports.dune.skill;
    expect(together[0].value).toBeLessThan(alone![0].value / 3);
    expect(personal[0].metric).toBe("rmse");
    expect(records[5].sites.map(({ skill }) => skill?.together.length)).toEqual([1, 1, 1, 1]);
  });

  it("models are scored as often as the run says, and in the end", async () => {
    const sites = four(() => ({ compareAlone: true }));
    const { reports, records } = await run(connect, { rounds: 4, evaluateEvery: 3 }, sites);
    const scored = records.map((r) => r.sites.map(({ skill }) => [skill?.alone, skill?.together, skill?.personal]));
    expect(scored.map((round) => round.flat().every((rows) => rows!.length > 0))).toEqual([true, false, false, true]);
    expect(scored[1].flat(2)).toEqual([]);
    expect(reports.amber.skill.together[0].value).toBeGreaterThan(0);
    // The model alone was trained in every round all the same
    const often = await run(connect, { rounds: 4 }, sites);
    expect(reports.amber.skill.alone).toEqual(often.reports.amber.skill.alone);
  });

  it("a hub that is stopped again and again ends with the same bits", async () => {
    const config = { rounds: 5, strategy: { name: "fedadam", options: { rate: 0.3 } } } as const;
    const sites = four(() => ({ delay: 20 }));
    const { model } = await run(connect, config, sites);
    const name = "stopped";
    const transports: Transport[] = [];
    const open = async (role: "hub" | "site"): Promise<Transport> => {
      const transport = await connect(name, role);
      transports.push(transport);
      return transport;
    };
    const hub = await open("hub");
    const siteRuns = Object.entries(sites).map(async ([site, options]) =>
      runSite({ transport: await open("site"), site, trainer: linearTrainer(options) }),
    );
    let final: Float32Array | undefined;
    for (let life = 0; !final; life++) {
      const killed = new AbortController();
      setTimeout(() => killed.abort(new Error("killed")), 40 + 35 * life);
      try {
        const params = await runHub({
          transport: hub,
          config: { ...config, run: name, schedule: { minSites: 4, deadline: 20 } },
          initial: linearModel(),
          leaseTerm: 60,
          signal: killed.signal,
        });
        final = params.get("w")!.data;
      } catch (error) {
        expect((error as Error).message).toBe("killed");
      }
    }
    await Promise.all(siteRuns);
    await Promise.all(transports.map((t) => t.close()));
    expect([...final]).toEqual([...model]);
  });

  it("goes on when most sites vanish: a void round is told and held again", async () => {
    const vanish = new AbortController();
    const sites = four((i) => (i > 0 ? { signal: vanish.signal, delay: 5000 } : {}));
    const config = { rounds: 2, schedule: { deadline: 20, quorum: 0.6 } };
    const { records } = await run(connect, config, sites, {
      during: async (_, hub) => {
        await training(hub);
        vanish.abort(new Error("vanish"));
      },
    });
    expect(records[0].void).toMatch(/1 of 4 sites answered/);
    expect(records.slice(1).map(({ round, sites: s }) => [round, s.length])).toEqual([
      [0, 1],
      [1, 1],
    ]);
  });

  it("hidden updates give the plain mean, also when a site vanishes halfway", async () => {
    const config = { rounds: 2, privacy: { clip: 10 }, schedule: { quorum: 0.5, deadline: 3 } };
    const plain = await run(connect, config, four());
    const masked = await run(connect, { ...config, masking: { threshold: 0.6 } }, four());
    masked.model.forEach((v, i) => expect(Math.abs(v - plain.model[i])).toBeLessThan(1e-5));
    const vanish = new AbortController();
    const sites = four((i) => (i === 0 ? { signal: vanish.signal, delay: 3000 } : {}));
    const { records, model } = await run(connect, { ...config, masking: { threshold: 0.6 } }, sites, {
      during: async (_, hub) => {
        await training(hub);
        vanish.abort(new Error("vanish"));
      },
    });
    expect(records.filter((r) => !r.void).map((r) => r.sites.length)).toEqual([3, 3]);
    expect(model.every(Number.isFinite)).toBe(true);
  });

  it("asynchronous: a slow site holds nobody up and its late updates count", async () => {
    const sites = four((i) => ({ delay: i === 3 ? 200 : 20 }));
    const { records, reports } = await run(connect, { rounds: 16, schedule: { mode: "buffered", buffer: 3 } }, sites);
    expect(records.at(-1)!.round).toBe(15);
    expect(Math.max(...records.flatMap((r) => r.sites.map((s) => s.staleness)))).toBeGreaterThan(0);
    expect(reports.amber.skill.together[0].value).toBeLessThan(0.3);
    const ticks = await run(
      connect,
      { rounds: 3, schedule: { mode: "interval", deadline: 0.4 } },
      four(() => ({ delay: 10 })),
    );
    expect(ticks.records.filter((r) => !r.void).length).toBe(3);
  });

  it.each([
    ["scaffold", { codec: "float32", feedback: "none" }],
    ["fedavg", { codec: "top-k:0.4+int8", feedback: "ef21" }],
    ["fedprox", { codec: "top-k:0.4", feedback: "ef14" }],
    ["feddyn", { codec: "int8", feedback: "none" }],
  ] as const)("%s with %j learns", async (name, compression) => {
    const options: Record<string, number> = name === "feddyn" ? { alpha: 0.5 } : {};
    const config = { rounds: 15, strategy: { name, options }, compression };
    const { reports } = await run(connect, config, four());
    for (const { skill } of Object.values(reports)) expect(skill.together[0].value).toBeLessThan(0.25);
  });
}

describe("in one process", () => {
  const buses = new Map<string, ReturnType<typeof localBus>>();
  const connect: Connect = async (name) => {
    if (!buses.has(name)) buses.set(name, localBus());
    return buses.get(name)!.connect();
  };
  suite(connect);
});

describe.skipIf(!natsServerBinary())("over NATS JetStream (needs nats-server: apt-get install nats-server)", () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startNatsServer();
  });
  afterAll(() => server.stop());
  suite(async (name, role) => {
    // A site may come before its hub: the run's streams are made first.
    if (role === "site") await (await natsTransport({ servers: server.url, run: name, role: "hub" })).close();
    return natsTransport({ servers: server.url, run: name, role });
  });
});
