import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { float32 } from "../../tensor/ndarray.js";
import { memoryRows } from "../aggregate/rows.js";
import { sha256 } from "../compress/hash.js";
import { newIdentity } from "../privacy/signature.js";
import { type LinearOptions, linearModel, linearTrainer } from "../testing/linear-trainer.js";
import { natsServerBinary, startNatsServer, type TestServer } from "../testing/nats-server.node.js";
import { localBus } from "../transport/local.js";
import { natsTransport } from "../transport/nats.node.js";
import type { Transport } from "../transport/transport.js";
import type { RunConfigInput } from "./config.js";
import { runHub } from "./hub.js";
import { type Manifest, type RoundState, signed } from "./messages.js";
import type { RoundRecord } from "./records.js";
import { runSite, type SiteOptions, type SiteReport } from "./site.js";
import { memorySiteStore } from "./site-store.js";

type Connect = (run: string, role: "hub" | "site") => Promise<Transport>;
interface Outcome {
  readonly model: Float32Array;
  readonly reports: Record<string, SiteReport>;
  readonly records: RoundRecord[];
}

let runs = 0;
/** A run from first to last round; `sites` by name. */
async function run(
  connect: Connect,
  config: Omit<RunConfigInput, "run">,
  sites: Record<string, LinearOptions & Partial<SiteOptions>>,
  { during }: { during?: (name: string, hub: Transport) => Promise<void> } = {},
): Promise<Outcome> {
  const name = `run${++runs}`;
  const names = Object.keys(sites).sort();
  const hub = await connect(name, "hub");
  const opened: Transport[] = [hub];
  const records: RoundRecord[] = [];
  const gone = new AbortController();
  const schedule = { minSites: names.length, deadline: 20, ...config.schedule };
  const hubRun = runHub({
    transport: hub,
    config: { ...config, run: name, schedule },
    initial: linearModel(),
    leaseTerm: 300,
    onRound: (record) => void records.push(record),
  });
  const reports: Record<string, SiteReport> = {};
  const siteRuns = names.map(async (site) => {
    const transport = await connect(name, "site");
    opened.push(transport);
    const trainer = linearTrainer(sites[site]);
    try {
      reports[site] = await runSite({ transport, site, trainer, signal: gone.signal, ...sites[site] });
    } catch (error) {
      if (!(error as Error).message.includes("vanish") && !gone.signal.aborted) throw error;
    }
  });
  const meddling = during?.(name, hub);
  const model = await hubRun;
  const late = setTimeout(() => gone.abort(), 5000);
  await Promise.all(siteRuns);
  clearTimeout(late);
  await meddling;
  await Promise.all(opened.map((t) => t.close()));
  return { model: model.get("w")!.data, reports, records };
}

/** Waits until the sites have been asked to train. */
async function training({ state }: Transport): Promise<void> {
  for (let revision = 0; ;) {
    const entry = await state.wait("round", revision, 1000);
    if (entry && (JSON.parse(entry.value) as RoundState).phase === "train") break;
    revision = entry?.revision ?? revision;
  }
  await new Promise((resolve) => setTimeout(resolve, 100));
}

const four = (of: (i: number) => Partial<LinearOptions & SiteOptions> = () => ({})) =>
  Object.fromEntries(["amber", "birch", "cedar", "dune"].map((s, i) => [s, { seed: i, ...of(i) }]));

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
    const name = `run${++runs}`;
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

  it("an accepted update that the message system lost is asked for again", async () => {
    const bus = localBus();
    const hub = bus.connect();
    const config = { run: "lost", rounds: 1, schedule: { minSites: 2, deadline: 30, quorum: 1 } };
    const start = (signal?: AbortSignal) =>
      runHub({ transport: hub, config, initial: linearModel(), leaseTerm: 60, signal });
    const sites = ["amber", "birch"].map((site, i) =>
      runSite({ transport: bus.connect(), site, trainer: linearTrainer({ seed: i, delay: 500 * i }) }),
    );
    const killed = new AbortController();
    const first = start(killed.signal).catch(() => undefined);
    const told = await hub.state.wait("decision.amber", 0, 5000);
    expect(told?.value).toContain("received");
    killed.abort();
    await first;
    await hub.objects.remove("site.amber.0");
    await start();
    expect((await Promise.all(sites)).map(({ rounds }) => rounds)).toEqual([1, 1]);
    expect((await hub.state.get("decision.amber"))?.value).toContain("used");
  });

  it("arrays that are personal never leave", async () => {
    const { model, reports } = await run(connect, { rounds: 4, personal: ["w"] }, four());
    expect([...model]).toEqual([0, 0, 0, 0, 0]);
    for (const { skill } of Object.values(reports)) expect(skill.together[0].value).toBeLessThan(0.3);
  });

  describe("what a hostile site sends", () => {
    const hostileConfig = { rounds: 3, aggregation: { maxNorm: 100 } };
    /** Sends an update of the first round as site `mallory`, changed by `spoil`. */
    async function attack(
      spoil: (made: { manifest: Omit<Manifest, "signature">; payload: Uint8Array }) => {
        manifest: Omit<Manifest, "signature">;
        payload: Uint8Array;
        subject?: string;
      },
    ): Promise<{ reason: string | undefined; model: Float32Array }> {
      const gone = new AbortController();
      const sites = { ...four(() => ({ delay: 150 })), mallory: { seed: 9, delay: 100_000, signal: gone.signal } };
      const config = { ...hostileConfig, schedule: { quorum: 0.5 } };
      const store = memorySiteStore();
      const identity = await newIdentity();
      const { exportIdentity } = await import("../privacy/signature.js");
      await store.put("identity.json", new TextEncoder().encode(await exportIdentity(identity)));
      const { records, model } = await run(
        connect,
        config,
        { ...sites, mallory: { ...sites.mallory, store } },
        {
          during: async (name) => {
            const mallory = await connect(name, "site");
            const entry = await mallory.state.wait("round", 0, 5000);
            let state = JSON.parse(entry!.value) as RoundState;
            for (let revision = entry!.revision; state.phase !== "train";) {
              const next = await mallory.state.wait("round", revision, 5000);
              revision = next!.revision;
              state = JSON.parse(next!.value) as RoundState;
            }
            const values = new Float32Array(5).fill(0.1);
            const payload = Uint8Array.from([20, ...new Uint8Array(values.buffer)]);
            const manifest: Omit<Manifest, "signature"> = {
              run: state.run,
              site: "mallory",
              round: 0,
              base: state.model.sha256,
              update: { object: "site.mallory.0", sha256: await sha256(payload), bytes: payload.length },
              samples: 40,
              steps: 10,
              learningRate: 0.1,
              seconds: 1,
              skill: { together: [], personal: [] },
            };
            const spoilt = spoil({ manifest, payload });
            const rehashed =
              spoilt.payload === payload || spoilt.manifest.update.sha256 !== manifest.update.sha256
                ? spoilt.manifest
                : {
                    ...spoilt.manifest,
                    update: {
                      ...spoilt.manifest.update,
                      sha256: await sha256(spoilt.payload),
                      bytes:
                        spoilt.manifest.update.bytes === payload.length
                          ? spoilt.payload.length
                          : spoilt.manifest.update.bytes,
                    },
                  };
            await mallory.objects.put("site.mallory.0", spoilt.payload);
            const message = JSON.stringify(await signed<Manifest>(rehashed, identity));
            for (const copy of ["1", "2"])
              await mallory.events.publish(spoilt.subject ?? "update.mallory", message, `x${copy}`);
            gone.abort(new Error("vanish"));
          },
        },
      );
      const all: Record<string, string> = Object.assign({}, ...records.map((r) => r.refused)) as Record<string, string>;
      return { reason: all.mallory ?? all.amber, model };
    }
    const floats = (...values: number[]): Uint8Array =>
      Uint8Array.from([4 * values.length, ...new Uint8Array(Float32Array.from(values).buffer)]);

    it("an honest one, sent twice, counts once", async () => {
      const { reason } = await attack((made) => made);
      expect(reason).toBeUndefined();
    });
    it.each<[string, Parameters<typeof attack>[0], RegExp]>([
      ["not a number", ({ manifest }) => ({ manifest, payload: floats(1, NaN, 0, 0, 0) }), /not finite/],
      ["infinite", ({ manifest }) => ({ manifest, payload: floats(1, Infinity, 0, 0, 0) }), /not finite/],
      [
        "far too long",
        ({ manifest }) => ({ manifest, payload: floats(1e6, 0, 0, 0, 0) }),
        /length 1\.000e\+6, more than the 100/,
      ],
      ["of another shape", ({ manifest }) => ({ manifest, payload: floats(1, 2, 3) }), /bytes/],
      [
        "with more behind it",
        ({ manifest, payload }) => ({ manifest, payload: Uint8Array.from([...payload, 1, 2]) }),
        /2 bytes more/,
      ],
      [
        "a bomb",
        ({ manifest, payload }) => ({
          manifest: { ...manifest, update: { ...manifest.update, bytes: 1e12 } },
          payload,
        }),
        /claims 1000000000000 bytes; one of this model has at most/,
      ],
      [
        "with another hash",
        ({ manifest, payload }) => ({
          manifest: { ...manifest, update: { ...manifest.update, sha256: "0".repeat(64) } },
          payload,
        }),
        /not those its manifest names/,
      ],
      [
        "of another model",
        ({ manifest, payload }) => ({ manifest: { ...manifest, base: "1".repeat(64) }, payload }),
        /trained from another model/,
      ],
      [
        "with too many samples",
        ({ manifest, payload }) => ({ manifest: { ...manifest, samples: 1e9 }, payload }),
        /claims 1000000000 samples/,
      ],
      [
        "from the future",
        ({ manifest, payload }) => ({ manifest: { ...manifest, round: 7 }, payload }),
        /round 7.*round 0/,
      ],
      [
        "under another's name",
        ({ manifest, payload }) => ({ manifest: { ...manifest, site: "amber" }, payload }),
        /speaks for 'amber'/,
      ],
      [
        "on another's subject",
        ({ manifest, payload }) => ({ manifest: { ...manifest, site: "amber" }, payload, subject: "update.amber" }),
        /not signed by site 'amber'/,
      ],
      [
        "with scores that are no numbers",
        ({ manifest, payload }) => ({
          manifest: { ...manifest, skill: { together: "<script>" as never, personal: [] } },
          payload,
        }),
        /'skill.together' is wrong/,
      ],
    ])("%s is refused with a reason", async (_, spoil, reason) => {
      const outcome = await attack(spoil);
      expect(outcome.reason).toMatch(reason);
      expect(outcome.model.every(Number.isFinite)).toBe(true);
    });

    it("three of ten turning their updates round ruin the mean, not the geometric median", async () => {
      const names = Array.from({ length: 10 }, (_, i) => `site${i}`);
      const flip = (trained: Float32Array, model: Float32Array): Float32Array =>
        trained.map((v, i) => model[i] - 10 * (v - model[i]));
      const sites = Object.fromEntries(names.map((s, i) => [s, { seed: i, hostile: i < 3 ? flip : undefined }]));
      const error = async (rule: string): Promise<number> => {
        const { reports } = await run(connect, { rounds: 8, aggregation: { rule, hostile: 0.3 } }, sites);
        return reports.site9.skill.together[0].value;
      };
      const start = 1.2; // of the zero model
      expect(await error("mean")).toBeGreaterThan(start);
      for (const rule of ["geometric-median", "trimmed-mean", "nnm+trimmed-mean"])
        expect(await error(rule)).toBeLessThan(0.3);
    });
  });

  describe("bad input", () => {
    const sites = four();
    const start = (config: RunConfigInput) =>
      runHub({ transport: localBus().connect(), config, initial: linearModel() });
    it.each<[RunConfigInput, RegExp]>([
      [{ run: "a b", rounds: 1 }, /'run'/],
      [{ run: "a", rounds: 0 }, /'rounds'/],
      [{ run: "a", rounds: 1, schedul: {} } as never, /schedul/],
      [{ run: "a", rounds: 1, aggregation: { rule: "mediann" } }, /did you mean 'median'/],
      [{ run: "a", rounds: 1, compression: { codec: "topk" } }, /did you mean 'top-k'/],
      [
        { run: "a", rounds: 1, masking: {}, aggregation: { rule: "median" } },
        /masking hides.*'median'.*set aggregation.rule to mean/,
      ],
      [{ run: "a", rounds: 1, masking: {} }, /set privacy.clip/],
    ])("%j", async (config, message) => {
      await expect(start(config)).rejects.toThrow(message);
    });

    it("a hub that comes back with another configuration", async () => {
      const transport = localBus().connect();
      const stop = new AbortController();
      setTimeout(() => stop.abort(new Error("stopped")), 30);
      await expect(
        runHub({ transport, config: { run: "a", rounds: 1 }, initial: linearModel(), signal: stop.signal }),
      ).rejects.toThrow("stopped");
      await expect(runHub({ transport, config: { run: "a", rounds: 2 }, initial: linearModel() })).rejects.toThrow(
        /begun with another configuration/,
      );
    });

    it.each<[string, Partial<LinearOptions>, RegExp]>([
      ["no samples", { samples: 0 }, /no usable samples/],
      ["other variables", { variables: ["sst"] }, /has sst, but this run trains t2m/],
    ])("a site with %s is told, and the others go on", async (_, options, reason) => {
      const heard: string[] = [];
      const gone = new AbortController();
      const odd = {
        seed: 5,
        ...options,
        signal: gone.signal,
        onRefusal: (r: string) => void (heard.push(r), gone.abort(new Error("vanish"))),
      };
      const { records } = await run(
        connect,
        { rounds: 1, variables: ["t2m"], schedule: { minSites: 4 } },
        { ...sites, odd },
      );
      expect(heard[0]).toMatch(reason);
      expect(records[0].sites.length).toBe(4);
    });

    it("a name that comes with another key", async () => {
      const bus = localBus();
      const gone = new AbortController();
      const heard: string[] = [];
      const config = { run: "a", rounds: 1, schedule: { minSites: 2 } };
      const hub = runHub({ transport: bus.connect(), config, initial: linearModel(), leaseTerm: 100 });
      const first = new AbortController();
      const site = (signal: AbortSignal) =>
        runSite({
          transport: bus.connect(),
          site: "a",
          trainer: linearTrainer({ seed: 1 }),
          signal,
          onRefusal: (r) => void heard.push(r),
        }).catch(() => undefined);
      const one = site(first.signal);
      await new Promise((resolve) => setTimeout(resolve, 300));
      first.abort(new Error("vanish"));
      await one;
      const two = site(gone.signal);
      await new Promise((resolve) => setTimeout(resolve, 2500));
      const other = runSite({
        transport: bus.connect(),
        site: "b",
        trainer: linearTrainer({ seed: 2 }),
        signal: gone.signal,
      }).catch(() => undefined);
      const third = runSite({
        transport: bus.connect(),
        site: "c",
        trainer: linearTrainer({ seed: 3 }),
        signal: gone.signal,
      }).catch(() => undefined);
      await hub;
      gone.abort(new Error("vanish"));
      await Promise.all([two, other, third]);
      expect(heard[0]).toMatch(/another key than before/);
    });
  });
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

it("rows in memory are what they are made of", () => {
  const rows = memoryRows([float32([2], [1, 2]).data]);
  expect([rows.count, rows.length]).toEqual([1, 2]);
});
