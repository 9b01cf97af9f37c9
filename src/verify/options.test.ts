import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { climatology, climatologyDataset } from "../data/climatology.js";
import { random } from "../tensor/random.js";
import { memoryRows } from "../tensor/rows.js";
import { scratchRows } from "../tensor/rows.node.js";
import { breakdownsOf } from "./breakdown.js";
import { modelUpdate } from "./model-update.js";
import { reportHtml } from "./report/html.js";
import { loadVerification, savedScores, type SavedScores, savedSums } from "./saved.js";
import { sideBySide } from "./side-by-side.js";
import { CELLS, worldForecast, worldTruth } from "./testing/world.js";
import { type Verification, verifyForecast } from "./verify.js";

const rng = random(8);
const noise = Array.from({ length: 4096 }, () => rng.normal());
const noisy = (size: number, of: { start: number; lead: number; member: number; cell: number }) =>
  size * noise[(of.start * 977 + of.lead * 131 + of.member * 7919 + of.cell * 31) % 4096];
const forecast = worldForecast({ error: (of) => noisy(0.5 * of.lead, of) });
const truth = worldTruth();
const quick = { resamples: 60 };
const rounded = ({ rows }: Verification) =>
  rows.map((r) => [r.metric, r.lead_hours, r.baseline, +r.value.toPrecision(5)]);

describe("memory", () => {
  const folder = mkdtempSync(path.join(tmpdir(), "foehn-rows-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  it("a scratch file gives the same scores as memory, to the bit, and leaves nothing behind", async () => {
    const rows = scratchRows({ folder, memory: 0 });
    const inFile = await verifyForecast({ forecast, truth, rows, ...quick });
    const inMemory = await verifyForecast({ forecast, truth, rows: memoryRows, ...quick });
    expect(inFile.rows).toEqual(inMemory.rows);
    expect(inFile.comparisons).toEqual(inMemory.comparisons);
    rows.close();
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe("scores do not care", () => {
  it("about the order of members", async () => {
    const ensemble = (order: readonly number[]) =>
      worldForecast({
        members: 5,
        error: ({ member, ...of }) => noisy(1, { ...of, member: order[member] }) + noisy(2, { ...of, member: 99 }),
      });
    const metrics = [
      "crps:fair",
      "spread-skill",
      "rmse",
      "brier>q0.8",
      "roc-area>q0.8",
      "energy-score",
      "variogram",
      "rps",
      "coverage:0.8",
    ];
    const options = { truth, metrics, ...quick };
    const [a, b] = [
      await verifyForecast({ ...options, forecast: ensemble([0, 1, 2, 3, 4]) }),
      await verifyForecast({ ...options, forecast: ensemble([3, 0, 4, 2, 1]) }),
    ];
    expect(rounded(a)).toEqual(rounded(b));
    expect(new Set(a.rows.map((r) => r.metric))).toEqual(new Set([...metrics]));
  });

  it("from where longitudes are counted, nor about units", async () => {
    const metrics = ["rmse", "acc:wb2", "ets>q0.7", "fss>q0.7@3"];
    const here = await verifyForecast({ forecast, truth, metrics, ...quick });
    const longitudes = [0, 45, 90, 135, 180, -135, -90, -45];
    const west = await verifyForecast({
      forecast: worldForecast({ error: (of) => noisy(0.5 * of.lead, of), longitudes }),
      truth: worldTruth({ longitudes }),
      metrics,
      ...quick,
    });
    expect(rounded(west)).toEqual(rounded(here));
    const celsius = { units: "degC", value: (x: number) => x - 273.15 };
    const cold = await verifyForecast({
      forecast: worldForecast({ error: (of) => noisy(0.5 * of.lead, of), ...celsius }),
      truth: worldTruth(celsius),
      metrics,
      ...quick,
    });
    cold.rows.forEach((row, k) => expect(row.value).toBeCloseTo(here.rows[k].value, 3));
  });
});

describe("what can be asked for", () => {
  it("an event that is a value exactly is not above it, in single precision too", async () => {
    const flat = { value: () => 0.1 };
    const result = await verifyForecast({
      forecast: worldForecast(flat),
      truth: worldTruth(flat),
      metrics: ["rmse", "csi>0.1"],
      baselines: [],
      ...quick,
    });
    expect(result.rows.some((r) => r.metric === "csi>0.1")).toBe(false);
    expect(result.meta.notes.join()).toMatch(/'csi>0.1' has no value for t/);
  });

  it("a climatology of others, as WeatherBench 2 writes it, is the one computed from the same truth", async () => {
    const start = Date.UTC(2010, 0, 1);
    const trainPeriod = [start, start + 400 * 864e5] as const;
    const others = climatologyDataset(
      await climatology(truth, ["t"], { times: Array.from({ length: 400 }, (_, t) => t) }),
    );
    const options = { forecast, truth, trainPeriod, metrics: ["rmse", "acc:wb2"], ...quick };
    const [own, given] = [await verifyForecast(options), await verifyForecast({ ...options, climatology: others })];
    expect(rounded(given)).toEqual(rounded(own));
    expect(given.meta.baselines[1].description).toMatch(/mean by day and hour of climatology/);
    await expect(verifyForecast({ ...options, climatology: truth })).rejects.toThrow(/dimensions hour and dayofyear/);
  });

  it("scores by month and hour, a baseline of reference, errors of every lead", async () => {
    const result = await verifyForecast({
      forecast,
      truth,
      by: breakdownsOf(["month"]),
      reference: "ridge",
      everyLead: true,
      metrics: ["rmse"],
      ...quick,
    });
    const groups = [...new Set(result.breakdown.map((r) => r.group))];
    expect(groups).toEqual(["Feb", "Mar"]);
    const of = (group: string) =>
      result.breakdown.find((r) => r.group === group && r.lead_hours === 24 && r.baseline === null)!;
    const whole = result.rows.find((r) => r.lead_hours === 24 && r.baseline === null)!;
    // Mean squares add: n = n1 + n2.
    expect(of("Feb").n + of("Mar").n).toBe(whole.n);
    expect((of("Feb").n * of("Feb").value ** 2 + of("Mar").n * of("Mar").value ** 2) / whole.n).toBeCloseTo(
      whole.value ** 2,
      5,
    );
    expect(reportHtml(result).indexOf("Against ridge")).toBeLessThan(reportHtml(result).indexOf("Against persistence"));
    expect(result.cells.leads).toEqual([0, 1, 2]);
    expect(() => breakdownsOf(["weekday"])).toThrow(/there are season, hour, month/);
  });

  it("ClimateBench's and ChaosBench's scores of the mean", async () => {
    const metrics = [
      "nrmse:climatebench",
      "nrmse:climatebench-spatial",
      "nrmse:climatebench-global",
      "spectral-divergence",
      "spectral-residual",
    ];
    const result = await verifyForecast({ forecast: worldForecast({ error: () => 0.5 }), truth, metrics, ...quick });
    const own = (metric: string) =>
      result.rows.find((r) => r.metric === metric && r.baseline === null && r.lead_hours === 24)!.value;
    // A constant error of 0.5 K on about 280 K: both parts are that ratio, and their sum is six times it.
    expect(own("nrmse:climatebench-spatial") / (0.5 / 280)).toBeCloseTo(1, 1);
    expect(own("nrmse:climatebench") / own("nrmse:climatebench-global")).toBeCloseTo(6, 3);
    expect(own("spectral-divergence")).toBeGreaterThan(0);
    expect(own("spectral-residual")).toBeLessThan(1e-3);
  });

  it("one variable's metric by its name", async () => {
    const options = { forecast, truth, ...quick };
    expect((await verifyForecast({ ...options, metrics: ["t/rmse"] })).rows.every((r) => r.metric === "rmse")).toBe(
      true,
    );
    await expect(verifyForecast({ ...options, metrics: ["tp/rmse"] })).rejects.toThrow(
      /'tp\/rmse' is of a variable that is not compared/,
    );
  });
});

describe("reports side by side", () => {
  const old = worldForecast({ error: (of) => noisy(0.8 * of.lead, of), source: "old.zarr" });
  it("from disk as from memory, with flips and where it changed", async () => {
    const [a, b] = [
      await verifyForecast({ forecast, truth, ...quick }),
      await verifyForecast({ forecast: old, truth, ...quick }),
    ];
    const again = (of: Verification) =>
      loadVerification(JSON.parse(JSON.stringify(savedScores(of))) as SavedScores, savedSums(of), "folder");
    const both = sideBySide(a, b, { name: "old", resamples: 60 });
    const read = sideBySide(again(a), again(b), { name: "old", resamples: 60 });
    const against = (of: Verification) =>
      of.comparisons.filter((c) => c.baseline === "old").map((c) => [c.metric, c.lead_hours, c.value, c.p]);
    expect(against(read)).toEqual(against(both));
    expect(against(read).length).toBeGreaterThan(10);
    const row = both.comparisons.find((c) => c.baseline === "old" && c.metric === "rmse" && c.lead_hours === 48)!;
    expect(row.skill).toBeCloseTo(1 - 0.5 / 0.8, 2);
    expect([row.p_dm! < 0.01, row.p_wilcoxon! < 0.01, row.p! < 0.05]).toEqual([true, true, true]);
    const update = await modelUpdate({ new: forecast, old, truth }, { tolerance: () => 1 });
    expect(update[0].negative).toBe(0); // the same noise, smaller: nothing became wrong
    expect(update[0].positive).toBeGreaterThan(0);
    const html = reportHtml(sideBySide(a, b, { name: "old", update, resamples: 60 }));
    expect(html).toMatch(/Where it changed beside old/);
    expect(reportHtml(read)).toMatch(/Against old/);
    expect(() => loadVerification({} as SavedScores, savedSums(a), "x")).toThrow(/no scores.json of 'foehn verify'/);
  });
  it("refuses forecasts of other starts", async () => {
    const early = worldForecast({ starts: [380, 381] });
    const [a, b] = [
      await verifyForecast({ forecast, truth, ...quick }),
      await verifyForecast({ forecast: early, truth, ...quick }),
    ];
    expect(() => sideBySide(a, b)).toThrow(/share no variable, lead, region and start/);
  });
});

describe("bad input is said plainly", () => {
  it.each([
    ["nothing but gaps", { forecast: worldForecast({ value: () => NaN }), truth }, /no score has a value.*foehn info/],
    ["a baseline that is not there", { forecast, truth, reference: "climatolgy" }, /did you mean 'climatology'/],
    ["a metric without its event", { forecast, truth, metrics: ["csi"] }, /needs an event: write csi>285/],
    ["an even window", { forecast, truth, metrics: ["fss>280@4"] }, /window of 4 cells; it must be odd/],
    ["precipitation's score of temperature", { forecast, truth, metrics: ["seeps"] }, /is a score of precipitation/],
    ["an ensemble's score of one forecast", { forecast, truth, metrics: ["coverage:0.9"] }, /score of ensembles/],
    [
      "budgets without their variables",
      { forecast, truth, metrics: ["budget:energy"] },
      /needs variables that are not compared here \(t\)/,
    ],
    ["other units", { forecast, truth: worldTruth({ units: "degC" }) }, /'K' but in 'degC'.*--units/],
    [
      "a quantile of too short a record",
      { forecast: worldForecast({ starts: [10] }), truth, metrics: ["csi>q0.9"] },
      /has 10 times; give truth that reaches further back/,
    ],
  ])("%s", async (_, options, message) => {
    await expect(verifyForecast({ ...options, ...quick })).rejects.toThrow(message);
  });

  it("a truth with members is refused with the way out", async () => {
    const { variables, ...rest } = worldForecast({ members: 3, leads: [1] });
    const members = { ...rest, variables };
    await expect(verifyForecast({ forecast, truth: members })).rejects.toThrow(/3 members.*one value/);
  });

  it("thresholds outside the data leave a note, not a number", async () => {
    const result = await verifyForecast({ forecast, truth, metrics: ["rmse", "pod>400", "far>400"], ...quick });
    expect(result.rows.every((r) => Number.isFinite(r.value))).toBe(true);
    expect(result.meta.notes.filter((note) => note.includes("choose a threshold inside the data")).length).toBe(2);
  });

  it("cells that the forecast lacks are left out for all, and counted", async () => {
    const holed = worldForecast({ error: ({ cell }) => (cell < 4 ? NaN : 0.5) });
    const result = await verifyForecast({ forecast: holed, truth, metrics: ["rmse"], ...quick });
    expect(result.rows.find((r) => r.baseline === null)!.value).toBeCloseTo(0.5, 4);
    const share = ((100 * 4) / CELLS).toPrecision(2);
    expect(result.meta.notes.join()).toMatch(new RegExp(`360 values of the truth .${share} %. are left out`));
  });
});
