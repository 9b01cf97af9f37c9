/** Three of ten sites hostile, every attack, several rules, over the whole protocol: what is kept of the clean improvement. */
import { describe, expect, it } from "vitest";
import { random } from "../../tensor/random.js";
import { linearModel, linearTrainer } from "../testing/linear-trainer.js";
import { localBus } from "../transport/local.js";
import { runHub } from "./hub.js";
import { runSite } from "./site.js";

type Spoil = (trained: Float32Array, model: Float32Array) => Float32Array;
const turned =
  (factor: number): Spoil =>
  (trained, model) =>
    trained.map((v, i) => model[i] + factor * (v - model[i]));
const ATTACKS: Record<string, "label-flip" | Spoil> = {
  "sign flip": turned(-1),
  "inner product 2": turned(-2),
  "inner product 10": turned(-10),
  "a little more": turned(1.5),
  "label flip": "label-flip",
  "gaussian 30": (trained) => {
    const rng = random(Math.round(1e6 * Math.abs(trained[0])));
    return trained.map((v) => v + 30 * rng.normal());
  },
  "free rider": (_, model) => model.slice(),
};

/** Mean error of the honest sites' last shared model. */
async function error(rule: string, hostile: "label-flip" | Spoil | undefined): Promise<number> {
  const bus = localBus();
  const names = Array.from({ length: 10 }, (_, i) => `site${i}`);
  const sites = names.map((site, seed) =>
    runSite({
      transport: bus.connect(),
      site,
      trainer: linearTrainer({ seed, hostile: seed < 3 ? hostile : undefined }),
    }),
  );
  const config = { run: "h", rounds: 12, aggregation: { rule, hostile: 0.3 }, schedule: { minSites: 10 } };
  await runHub({ transport: bus.connect(), config, initial: linearModel() });
  const reports = await Promise.all(sites);
  const scores = reports.slice(3).map(({ skill }) => skill.together[0].value);
  return scores.reduce((s, v) => s + v, 0) / scores.length;
}

/** Mean error of the honest sites with the model the run begins with. */
async function untrained(): Promise<number> {
  const honest = Array.from({ length: 7 }, (_, i) => linearTrainer({ seed: 3 + i }));
  const scores = await Promise.all(honest.map(async (t) => (await t.evaluate(linearModel()))[0].value));
  return scores.reduce((s, v) => s + v, 0) / scores.length;
}

describe("like sites, three of ten hostile", () => {
  it.each(Object.entries(ATTACKS))("%s", async (name, attack) => {
    const start = await untrained();
    const clean = await error("mean", undefined);
    const kept = async (rule: string): Promise<number> => (start - (await error(rule, attack))) / (start - clean);
    for (const rule of ["geometric-median", "trimmed-mean", "nnm+trimmed-mean", "arc+nnm+trimmed-mean"])
      expect(await kept(rule), `${rule} against ${name}`).toBeGreaterThan(0.9);
    if (name === "inner product 10" || name === "gaussian 30") expect(await kept("mean")).toBeLessThan(0.5);
  });
});
