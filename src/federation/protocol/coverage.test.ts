import { describe, expect, it } from "vitest";
import { memoryRows } from "../aggregate/rows.js";
import { variableModel, type VariableOptions, variableTrainer } from "../testing/variable-trainer.js";
import { localBus } from "../transport/local.js";
import type { RunConfigInput } from "./config.js";
import {
  coverageFrom,
  coverageGroups,
  coverageText,
  coveredArrays,
  coveredSegments,
  gathered,
  partOfRows,
  scattered,
  sharedArrays,
} from "./coverage.js";
import { runHub } from "./hub.js";
import { layoutOf } from "./parameters.js";
import type { RoundRecord } from "./records.js";
import { runSite } from "./site.js";

const layout = layoutOf(variableModel(["t2m", "sst", "pr"])); // 3 + 2 + 2 + 2 numbers

describe("coverage", () => {
  it("says what is trained, as text and back; all that is shared has no text", () => {
    const shared = sharedArrays(layout, ["var.pr"]);
    const covered = coveredArrays(layout, shared, ["var.sst", "trunk", "var.pr"]);
    expect(covered).toEqual([true, false, true, false]);
    const text = coverageText(covered, shared);
    expect(coverageFrom(text, shared)).toEqual(covered);
    expect(coverageText(shared, shared)).toBeUndefined();
    expect(coverageFrom(undefined, shared)).toEqual(shared);
    expect(() => coveredArrays(layout, shared, ["var.snow"])).toThrow(/trained 'var.snow', which the shared model/);
    expect(() => coverageFrom(coverageText([true, true, true, true], shared), shared)).toThrow(/stays at the sites/);
    expect(() => coverageFrom("AAAA", shared)).toThrow(/3 bytes, but this model of 4 arrays needs 1/);
    expect(() => coverageFrom("%", shared)).toThrow(/not base64/);
  });

  it("gathers segments and puts them back", () => {
    const segments = coveredSegments(layout, [true, false, true, true]);
    expect(segments).toEqual([
      [0, 3],
      [5, 9],
    ]);
    const vector = Float32Array.from({ length: 9 }, (_, i) => i);
    expect([...gathered(vector, segments)]).toEqual([0, 1, 2, 5, 6, 7, 8]);
    expect([...scattered(gathered(vector, segments), segments, new Float32Array(9))]).toEqual([
      0, 1, 2, 0, 0, 5, 6, 7, 8,
    ]);
    const rows = partOfRows(memoryRows([vector, vector.map((v) => 10 * v)]), [1], segments);
    const into = new Float32Array(4);
    void rows.read(0, 2, into);
    expect([...into]).toEqual([20, 50, 60, 70]);
  });

  it("groups arrays by who trained them and by how many members do", () => {
    const both = [true, true, false, false];
    const one = [true, false, true, false];
    const groups = coverageGroups(layout, [both, one], [both, one, one]);
    expect(groups.map(({ updates, arrays, members }) => [updates, arrays, members])).toEqual([
      [[0, 1], [0], 3],
      [[0], [1], 1],
      [[1], [2], 2],
    ]);
  });
});

/** A run of sites with different variables; the last model and the records. */
async function run(
  config: Omit<RunConfigInput, "run" | "rounds"> & { rounds?: number },
  sites: readonly VariableOptions[],
) {
  const bus = localBus();
  const records: RoundRecord[] = [];
  const variables = [...new Set(sites.flatMap(({ targets }) => Object.keys(targets)))];
  const running = sites.map((options, i) =>
    runSite({ transport: bus.connect(), site: `site${i}`, trainer: variableTrainer(options), compareAlone: true }),
  );
  const model = await runHub({
    transport: bus.connect(),
    config: { run: "c", rounds: 1, ...config, schedule: { minSites: sites.length, deadline: 20, ...config.schedule } },
    initial: variableModel([...variables, "nobody"]),
    onRound: (r) => void records.push(r),
  });
  const reports = await Promise.all(running);
  const first = (name: string): number => model.get(name)!.data[0];
  return { first, records, reports, model };
}

const three: VariableOptions[] = [
  { targets: { t2m: 1, sst: 8 }, trunk: 1, samples: 10 },
  { targets: { t2m: 3 }, trunk: 3, samples: 30 },
  { targets: { t2m: 5 }, trunk: 5, samples: 60 },
];

describe("sites with different variables", () => {
  it("each array is the mean of those who trained it; what nobody trains stays; fewer bytes leave", async () => {
    const { first, records } = await run({}, three);
    expect(first("trunk")).toBeCloseTo(0.1 * 1 + 0.3 * 3 + 0.6 * 5, 6);
    expect(first("var.t2m")).toBeCloseTo(4, 6);
    expect(first("var.sst")).toBe(8); // one site of three has it: not 8 x 10/100
    expect(first("var.nobody")).toBe(0);
    const [rich, poor] = records[0].sites;
    expect([rich.covers, poor.covers]).toEqual([7 / 9, 5 / 9]);
    expect(rich.bytes - poor.bytes).toBe(8);
  });

  it.each([
    ["fednova", {}, 8],
    ["scaffold", {}, 8],
    ["fedavgm", {}, 8],
    // 1/3 of the sites train it: h = -alpha D, x = D - h / alpha = 2 D for the one member that has the array
    ["feddyn", { alpha: 1 }, 16],
    // v = 8^2, first step with Adam's correction: rate / (1 - beta1^2) sqrt(1 - beta2^2) (1 - beta1) 8 / (sqrt(.01 64) + tau)
    ["fedadam", { rate: 1 }, ((Math.sqrt(1 - 0.99 ** 2) / (1 - 0.9 ** 2)) * 0.1 * 8) / (Math.sqrt(0.01 * 64) + 1e-3)],
  ] as const)("%s moves a rare variable as if its sites were alone", async (name, options, expected) => {
    const { first } = await run({ strategy: { name, options } }, three);
    expect(first("var.sst")).toBeCloseTo(expected, 4);
    expect(first("var.nobody")).toBe(0);
  });

  it("what is not trained in a round keeps the strategy's memory too", async () => {
    // Round 2 has no site with sst: with momentum left running it would go on moving.
    const bus = localBus();
    const gone = new AbortController();
    const running = three.map((options, i) =>
      runSite({
        transport: bus.connect(),
        site: `site${i}`,
        trainer: variableTrainer(options),
        ...(i === 0 ? { signal: gone.signal } : {}),
      }).catch(() => undefined),
    );
    const seen: number[] = [];
    const model = await runHub({
      transport: bus.connect(),
      config: {
        run: "m",
        rounds: 3,
        strategy: { name: "fedavgm", options: {} },
        schedule: { minSites: 3, deadline: 20 },
      },
      initial: variableModel(["t2m", "sst"]),
      onRound: ({ sites }) => {
        seen.push(sites.length);
        gone.abort(new Error("vanish"));
      },
    });
    await Promise.all(running);
    expect(seen[0]).toBe(3);
    expect(seen.at(-1)).toBe(2);
    expect(model.get("var.sst")!.data[0]).toBe(seen.filter((n) => n === 3).length === 1 ? 8 : NaN);
  });

  it("compressed with feedback, a rare variable arrives whole in the end", async () => {
    const strategy = { name: "fedavg", options: { rate: 0.25 } } as const; // EF21 needs short steps
    const compression = { codec: "top-k:0.5", feedback: "ef21" } as const;
    const { first } = await run({ rounds: 40, compression, strategy }, three);
    expect(first("var.sst")).toBeCloseTo(8, 1);
    expect(first("var.t2m")).toBeCloseTo(4, 1);
  });

  it("robust rules guard each group of arrays among those who train it, and say where they cannot", async () => {
    const honest = Array.from({ length: 6 }, (_, i): VariableOptions => ({
      targets: { t2m: 1, ...(i < 2 ? { sst: 8 } : {}) },
    }));
    const hostile: VariableOptions = { targets: { t2m: -1000 }, trunk: -1000 };
    for (const rule of ["median", "trimmed-mean", "krum", "nnm+geometric-median"]) {
      const { first, records } = await run({ aggregation: { rule, hostile: 0.2 } }, [...honest, hostile]);
      expect(Math.abs(first("var.t2m") - 1), rule).toBeLessThan(0.2);
      expect(first("var.sst"), rule).toBeCloseTo(8, 5);
      expect(records[0].unguarded, rule).toEqual(["var.sst"]); // 20 % of two sites is nobody
    }
  });

  it("where updates are masked a site that trains only some arrays says why it cannot take part", async () => {
    const bus = localBus();
    const stop = new AbortController();
    const hub = runHub({
      transport: bus.connect(),
      config: { run: "k", rounds: 1, masking: {}, privacy: { clip: 100 }, schedule: { minSites: 3, deadline: 5 } },
      initial: variableModel(["t2m", "sst"]),
      signal: stop.signal,
    }).catch(() => undefined);
    const running = three.map((options, i) =>
      runSite({
        transport: bus.connect(),
        site: `site${i}`,
        trainer: variableTrainer(options),
        signal: stop.signal,
      }).catch((error: Error) => error.message),
    );
    expect(await running[1]).toMatch(/site 'site1' trains only some arrays.*masks updates/);
    stop.abort(new Error("over"));
    await Promise.all([hub, ...running]);
  });
});
