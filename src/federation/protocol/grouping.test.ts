/** Where sites are not alike: groups, mixtures, trust, reputation, anchors and miners, over the whole protocol. */
import { describe, expect, it } from "vitest";
import { float32 } from "../../tensor/ndarray.js";
import { memoryRows } from "../aggregate/rows.js";
import { type LinearOptions, linearModel, linearTrainer } from "../testing/linear-trainer.js";
import { localBus } from "../transport/local.js";
import { planOf, type RunConfigInput } from "./config.js";
import { coordinate } from "./hub.js";
import { layoutOf } from "./parameters.js";
import type { RoundRecord } from "./records.js";
import { mixtures, shifted } from "./sensitivity.js";
import { runSite } from "./site.js";
import type { LocalTrainer } from "./trainer.js";

/** A run over the bus; each site's error with what it ended with. */
async function run(
  config: Omit<RunConfigInput, "run">,
  sites: Readonly<Record<string, LinearOptions>>,
  { trusted, killed }: { trusted?: LocalTrainer; killed?: boolean } = {},
) {
  const bus = localBus();
  const records: RoundRecord[] = [];
  const names = Object.keys(sites);
  const running = names.map((site) =>
    runSite({ transport: bus.connect(), site, trainer: linearTrainer(sites[site]), compareAlone: true }),
  );
  const start = (signal?: AbortSignal) =>
    coordinate({
      transport: bus.connect(),
      config: { run: "g", ...config, schedule: { minSites: names.length, deadline: 20 } },
      initial: linearModel(),
      trusted,
      leaseTerm: 60,
      signal,
      onRound: (r) => void records.push(r),
    });
  if (killed) {
    const stop = new AbortController();
    setTimeout(() => stop.abort(new Error("killed")), 60);
    await start(stop.signal).catch(() => undefined);
  }
  const models = await start();
  const reports = await Promise.all(running);
  const errors = Object.fromEntries(reports.map(({ site, skill }) => [site, skill.together[0].value]));
  return { models, records, errors, reports };
}

/** Two climates: what is true at the first three sites is turned round at the others. */
const climates = Object.fromEntries(
  ["ash", "bay", "cob", "dew", "elm", "fen"].map(
    (s, i) => [s, { seed: i, ...(i >= 3 ? { turned: true } : {}) }] as const,
  ),
);

describe("a model for each group", () => {
  it("given groups: each climate learns its own, where one model learns neither", async () => {
    const groups = { given: { north: ["ash", "bay", "cob"], south: ["dew", "elm", "fen"] } };
    const together = await run({ rounds: 6 }, climates);
    const { errors, models, records } = await run({ rounds: 6, groups }, climates);
    for (const site of Object.keys(climates)) {
      expect(together.errors[site]).toBeGreaterThan(0.9);
      expect(errors[site]).toBeLessThan(0.3);
    }
    expect(Object.keys(models.groups)).toEqual(["north", "south"]);
    expect(records[0].groups).toEqual(groups.given);
    const [n, s, all] = [models.groups["north"], models.groups["south"], models.model].map((m) => m.get("w")!.data);
    all.forEach((v, i) => expect(v).toBeCloseTo((n[i] + s[i]) / 2, 5));
  });

  it("groups found by the directions of the updates, and kept when the hub is killed", async () => {
    const found = await run({ rounds: 6, groups: { similarity: 0, after: 2 } }, climates, { killed: true });
    expect(found.records.at(-1)!.groups).toEqual({ group1: ["ash", "bay", "cob"], group2: ["dew", "elm", "fen"] });
    for (const site of Object.keys(climates)) expect(found.errors[site]).toBeLessThan(0.3);
  });
});

describe("a mixture for each site (FedCAC)", () => {
  it("gives each site its own start: what matters to it from the sites to which the same matters", async () => {
    /** Draws two of four numbers to a target, and scores those two. */
    const partial = (at: readonly number[], target: number): LocalTrainer => ({
      describe: () => ({ samples: 10, variables: ["t2m"], device: "test" }),
      async train(params) {
        const w = params.get("w")!.data.slice();
        for (const i of at) w[i] = target;
        return { params: new Map([["w", float32([4], w)]]), steps: 1, learningRate: 1 };
      },
      async evaluate(params) {
        const w = params.get("w")!.data;
        return [{ metric: "distance", value: Math.max(...at.map((i) => Math.abs(w[i] - target))), n: 1 }];
      },
    });
    const trainers = [partial([0, 1], 2), partial([0, 1], 4), partial([2, 3], 6), partial([2, 3], 6)];
    const distances = async (sensitivity?: { share: number; beta: number }): Promise<number[]> => {
      const bus = localBus();
      const running = trainers.map((trainer, i) => runSite({ transport: bus.connect(), site: `s${i}`, trainer }));
      const config = { run: "f", rounds: 3, schedule: { minSites: 4 }, sensitivity };
      await coordinate({ transport: bus.connect(), config, initial: linearModel(4) });
      return (await Promise.all(running)).map(({ skill }) => skill.together[0].value);
    };
    // Without mixtures every round moves each number half of the way to the mean of those who care.
    expect((await distances())[2]).toBeCloseTo(6 / 2 ** 3, 5);
    expect(await distances({ share: 0.5, beta: 3 })).toEqual([1, 1, 0, 0]); // companions' means: 3 and 6
  });

  it("takes critical numbers from companions and the others from the shared model", async () => {
    const layout = layoutOf(new Map([["w", { dtype: "float32", shape: [4], data: new Float32Array(4) }]]));
    // Sites 0 and 1 move numbers 0 and 1, site 2 the others.
    const rows = memoryRows(
      [
        [2, 2, 0, 0],
        [4, 4, 0, 0],
        [0, 0, 6, 6],
      ].map((r) => Float32Array.from(r)),
    );
    const before = new Float32Array(4).fill(1);
    const own = await mixtures(rows, [[true], [true], [true]], {
      layout,
      before,
      after: Float32Array.of(9, 9, 9, 9),
      starts: [],
      round: 0,
      share: 0.5,
      beta: 1,
    });
    expect(own.map((m) => [...m])).toEqual([
      [4, 4, 9, 9],
      [4, 4, 9, 9],
      [9, 9, 7, 7],
    ]);
    const moved = shifted(rows, [Float32Array.of(2, 1, 1, 1)], before);
    const into = new Float32Array(4);
    await moved.read(0, 0, into);
    expect([...into]).toEqual([3, 2, 0, 0]);
  });
});

const flip = (trained: Float32Array, model: Float32Array): Float32Array =>
  trained.map((v, i) => model[i] - 10 * (v - model[i]));
/** Three hostile of seven. */
const attacked = Object.fromEntries(
  Array.from({ length: 7 }, (_, i) => [`s${i}`, { seed: i, ...(i < 3 ? { hostile: flip } : {}) }] as const),
);

describe("trust", () => {
  it("FLTrust: the hub's own direction decides who counts, even against a majority", async () => {
    const most = Object.fromEntries(Object.entries(attacked).slice(0, 5)); // three of five
    const config = { rounds: 8, aggregation: { rule: "fltrust" } };
    const { errors } = await run(config, most, { trusted: linearTrainer({ seed: 50, samples: 20 }) });
    expect(errors["s4"]).toBeLessThan(0.3);
    await expect(run(config, most)).rejects.toThrow(/fltrust.*the hub's own data/);
  });

  it("reputation: who turns updates round loses it; the record says how far each agreed", async () => {
    const aggregation = { rule: "mean", reputation: {} };
    const { errors, records } = await run({ rounds: 8, aggregation }, attacked);
    expect(errors["s6"]).toBeLessThan(0.3);
    const first = records[0].sites;
    expect(first.map(({ reputation }) => reputation! > 0.5)).toEqual([0, 1, 2, 3, 4, 5, 6].map((i) => i >= 3));
    for (const { site, agreement, contribution } of first) {
      const honest = Number(site.slice(1)) >= 3;
      expect(agreement! > 0).toBe(honest);
      expect(contribution! * (honest ? 1 : -1)).not.toBeNaN();
    }
    const clean = await run({ rounds: 1 }, { a: { seed: 1 }, b: { seed: 2 } });
    expect(clean.records[0].sites.reduce((s, v) => s + v.contribution!, 0)).toBeCloseTo(1, 6);
  });
});

it("FedAMD: anchors and miners learn, and need gradients", async () => {
  const strategy = { name: "fedamd", options: { anchors: 0.4, local: 0.1 } } as const;
  const sites = Object.fromEntries(["a", "b", "c", "d"].map((s, i) => [s, { seed: i, shift: 0.1 }] as const));
  const { errors } = await run({ rounds: 20, strategy, budget: { steps: 5 } }, sites);
  for (const error of Object.values(errors)) expect(error).toBeLessThan(0.4);
});

it.each<[Partial<RunConfigInput>, RegExp]>([
  [{ groups: { given: { a: ["x"], b: ["x"] } } }, /'x' is named in two groups/],
  [{ groups: { similarity: 0 }, sensitivity: {} }, /both say which model/],
  [{ aggregation: { rule: "median", reputation: {} } }, /weighs the mean, not 'median'/],
  [{ groups: { similarity: 0 }, masking: {}, privacy: { clip: 1 } }, /sites cannot be told apart/],
])("%j is refused", async (config, message) => {
  await expect(planOf({ run: "r", rounds: 1, ...config })).rejects.toThrow(message);
});
