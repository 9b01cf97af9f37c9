import { describe, expect, it } from "vitest";
import { float32 } from "../../tensor/ndarray.js";
import { memoryRows } from "../aggregate/rows.js";
import { sha256 } from "../compress/hash.js";
import { newIdentity } from "../privacy/signature.js";
import { type LinearOptions, linearModel, linearTrainer } from "../testing/linear-trainer.js";
import { localBus } from "../transport/local.js";
import type { RunConfigInput } from "./config.js";
import { runHub } from "./hub.js";
import { type Manifest, type RoundState, signed } from "./messages.js";
import { runSite } from "./site.js";
import { memorySiteStore } from "./site-store.js";
import type { LocalTrainer } from "./trainer.js";
import { type Connect, four, run } from "../testing/linear-run.js";

describe("in one process", () => {
  const buses = new Map<string, ReturnType<typeof localBus>>();
  const connect: Connect = async (name) => {
    if (!buses.has(name)) buses.set(name, localBus());
    return buses.get(name)!.connect();
  };

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

  it("what a site adds to its own model beside the shared arrays stays with it, in its scores and in its report", async () => {
    const bus = localBus();
    const trainer = linearTrainer({ seed: 1 });
    const evaluated: string[][] = [];
    const own: LocalTrainer = {
      ...trainer,
      personalise: async (params) => new Map([...params, ["amplitude", float32([1], [0.5])]]),
      async evaluate(params) {
        evaluated.push([...params.keys()]);
        return trainer.evaluate(params);
      },
    };
    const hub = runHub({
      transport: bus.connect(),
      config: { run: "beside", rounds: 1, schedule: { minSites: 1 } },
      initial: linearModel(),
    });
    const [, report] = await Promise.all([hub, runSite({ transport: bus.connect(), site: "amber", trainer: own })]);
    expect([...report.models.together.keys()]).toEqual(["w"]);
    expect(report.models.personal.get("amplitude")!.data[0]).toBe(0.5);
    expect(evaluated.at(-1)).toEqual(["w", "amplitude"]);
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

  it("updates in the hub's units end with the model of plain ones, and fltrust is refused with them", async () => {
    const strategy = (units: number) => ({ name: "fedadam" as const, options: { rate: 0.1, units } });
    const [plain, scaled] = [
      await run(connect, { rounds: 6, strategy: strategy(0) }, four()),
      await run(connect, { rounds: 6, strategy: strategy(1) }, four()),
    ];
    scaled.model.forEach((w, i) => expect(w).toBeCloseTo(plain.model[i], 5));
    // Other numbers were sent: shorter ones than the changes by the hub's mean square
    expect(scaled.records[5].step / plain.records[5].step).not.toBeCloseTo(1, 1);
    const trusting = { rounds: 1, strategy: strategy(1), aggregation: { rule: "fltrust" } };
    await expect(run(connect, trusting, four())).rejects.toThrow(/'fltrust' measures.*strategy.options.units/);
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

it("rows in memory are what they are made of", () => {
  const rows = memoryRows([float32([2], [1, 2]).data]);
  expect([rows.count, rows.length]).toEqual([1, 2]);
});
