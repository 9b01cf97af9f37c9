import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { linearModel, linearTrainer } from "../testing/linear-trainer.js";
import { appendRound, readRounds } from "./journal.node.js";
import { leavesText, whatLeaves } from "./leaves.js";
import { layoutOf } from "./parameters.js";
import { fairness, prometheusText, type RoundRecord, roundTable } from "./records.js";

const skill = (alone: number, together: number) => ({
  alone: [{ metric: "rmse", value: alone, n: 9 }],
  together: [{ metric: "rmse", value: together, low: together - 0.1, high: together + 0.1, n: 9 }],
  personal: [{ metric: "rmse", value: together, n: 9 }],
});
const record: RoundRecord = {
  run: "valley",
  round: 3,
  seconds: 12.34,
  invited: 3,
  sites: [
    {
      site: "a",
      samples: 100,
      bytes: 20_000,
      seconds: 10,
      staleness: 0,
      norm: 1,
      agreement: 0.9,
      contribution: 0.75,
      skill: skill(2, 1),
    },
    { site: "b", samples: 10, bytes: 20_000, seconds: 11, staleness: 1, norm: 1, skill: skill(4, 3) },
  ],
  refused: { c: "the update holds values that are not finite" },
  step: 0.5,
  unguarded: ["var.sst"],
  bytes: 40_000,
  fullBytes: 400_000,
  epsilon: 1.5,
};

describe("records", () => {
  it("shows a round as a table", () => {
    expect(roundTable(record)).toBe(
      `round 3 of valley: 2 of 3 sites, 40.0 kB in 12.3 s, epsilon 1.50 so far
site  samples  sent     seconds  age  agrees  share  rmse alone  together             personal
a     100      20.0 kB  10.0     0    0.90    75 %   2.000       1.000 [0.900, 1.10]  1.000
b     10       20.0 kB  11.0     1    -       -      4.000       3.000 [2.90, 3.10]   3.000
gain over alone: mean 37.5 %, least 25.0 %, evenness 0.96
no rule guards 1 arrays that few sites train: var.sst
refused c: the update holds values that are not finite`,
    );
    expect(roundTable({ ...record, sites: [], unguarded: [], refused: {}, void: "1 of 3 came" })).toBe(
      "round 3 of valley: void: 1 of 3 came",
    );
  });

  it("says how the gains are spread", () => {
    expect(fairness(record)).toEqual({
      gains: { a: 0.5, b: 0.25 },
      mean: 0.375,
      worst: 0.25,
      jain: 1.25 ** 2 / (2 * (0.5 ** 2 + 0.75 ** 2)),
    });
  });

  it("speaks to Prometheus", () => {
    const text = prometheusText([record, record]);
    expect(text).toContain('foehn_received_bytes_total{run="valley"} 80000\n');
    expect(text).toContain("# TYPE foehn_epsilon gauge\n");
    expect(prometheusText([])).toBe("");
  });

  it("keeps a line a round, and reads past a torn one", async () => {
    const folder = await mkdtemp(path.join(tmpdir(), "foehn-rounds-"));
    const file = path.join(folder, "rounds.jsonl");
    await appendRound(file, record);
    await appendRound(file, record);
    await writeFile(file, '{"run":"va', { flag: "a" });
    expect(await readRounds(file)).toEqual([record, record]);
    await rm(folder, { recursive: true });
  });
});

describe("what leaves a site", () => {
  const layout = layoutOf(linearModel());
  it("is listed with who can read it", async () => {
    const list = await whatLeaves({ run: "r", rounds: 2 }, layout, linearTrainer({ seed: 1 }), { site: "valley" });
    const text = leavesText("valley", list);
    expect(text).toMatch(/change of the 5 model parameters by local training \(of these only[^)]*\); as it is/);
    expect(text).toMatch(/at most 25\.0 B/);
    expect(text).toMatch(/no differential privacy/);
    const config = { run: "r", rounds: 2, privacy: { clip: 1, noise: 2 }, masking: {} };
    const hidden = await whatLeaves(config, layout, linearTrainer({ seed: 1 }), { site: "v", shareSkill: false });
    expect(leavesText("v", hidden)).toMatch(/read by nobody singly/);
    expect(hidden.stays).toContain("all scores");
    expect(hidden.epsilon).toBeGreaterThan(0);
  });
});
