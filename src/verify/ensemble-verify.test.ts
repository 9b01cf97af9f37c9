import { beforeAll, describe, expect, it } from "vitest";
import { memoryDataset, type MemoryVariable } from "../data/dataset.js";
import { ndarray } from "../tensor/ndarray.js";
import { random } from "../tensor/random.js";
import { parseMetric } from "./metrics.js";
import { allFigures } from "./report/figures.js";
import { reportHtml } from "./report/html.js";
import { rankHistogram } from "./scores/rank-histogram.js";
import { addRows } from "./scores/sums.js";
import { type Verification, verifyForecast } from "./verify.js";

// An ensemble of 10 whose members and truth are draws of one distribution around a common centre: perfectly reliable, so its
// spread-skill ratio is 1, its ranks are flat, its fair CRPS is 1/sqrt(pi) and half its events at the median happen.
const [rows, columns, members, starts, days] = [8, 16, 10, 40, 700];
const cells = rows * columns;
const axis = (name: string, values: number[], units: string): Record<string, MemoryVariable> => ({
  [name]: { dims: [name], data: ndarray("float64", [values.length], Float64Array.from(values)), attrs: { units } },
});
const range = (n: number, of: (i: number) => number = (i) => i) => Array.from({ length: n }, (_, i) => of(i));
const grid = {
  ...axis(
    "latitude",
    range(rows, (i) => -78.75 + 22.5 * i),
    "degrees_north",
  ),
  ...axis(
    "longitude",
    range(columns, (j) => 22.5 * j),
    "degrees_east",
  ),
};
const rng = random(9);
const draw = (n: number) => Float32Array.from({ length: n }, () => rng.normal());
const truth = memoryDataset({
  ...grid,
  ...axis("time", range(days), "days since 2001-01-01"),
  x: {
    dims: ["time", "latitude", "longitude"],
    data: ndarray("float32", [days, rows, columns], draw(days * cells)),
    attrs: { units: "m s-1" },
  },
});
const forecast = memoryDataset({
  ...grid,
  ...axis(
    "time",
    range(starts, (s) => 640 + s),
    "days since 2001-01-01",
  ),
  ...axis("prediction_timedelta", [1, 2], "days"),
  ...axis("number", range(members), "1"),
  x: {
    dims: ["time", "number", "prediction_timedelta", "latitude", "longitude"],
    data: ndarray("float32", [starts, members, 2, rows, columns], draw(starts * members * 2 * cells)),
    attrs: { units: "m/s" },
  },
});

describe("verification of an ensemble", () => {
  let result: Verification;
  beforeAll(async () => {
    const metrics = ["rmse", "crps:fair", "spread", "spread-skill", "csi>0", "brier>0", "ets>q0.9", "pod>99"];
    result = await verifyForecast({ forecast, truth, metrics, resamples: 200 });
  });
  const value = (metric: string, baseline: string | null = null) =>
    result.rows.find((r) => r.metric === metric && r.lead_hours === 24 && r.baseline === baseline)?.value;

  it("finds a reliable one reliable", () => {
    expect(result.meta.members).toBe(members);
    expect(value("spread")).toBeCloseTo(1, 1);
    expect(value("spread-skill")).toBeCloseTo(1, 1);
    expect(value("crps:fair")! * Math.sqrt(Math.PI)).toBeCloseTo(1, 1);
    expect(value("rmse")).toBeCloseTo(Math.sqrt(1 + 1 / members), 1);
    const [rows] = result.sums.samples(0, 0, 0);
    const histogram = rankHistogram(addRows(rows, rows[0].length), members);
    expect(histogram.reduce((a, b) => a + b)).toBeCloseTo(1, 9);
    for (const share of histogram) expect(Math.abs(share * (members + 1) - 1)).toBeLessThan(0.25);
    // Baselines are points: their CRPS is their mean absolute error, and they have no spread.
    expect(value("crps:fair", "climatology")! / Math.sqrt(2 / Math.PI)).toBeCloseTo(1, 1);
    expect(value("spread", "climatology")).toBeUndefined();
    // Draws of the same distribution from the past are as good as the members: the fair score says so.
    expect(value("crps:fair", "climatology-ensemble")! * Math.sqrt(Math.PI)).toBeCloseTo(1, 1);
    expect(value("rmse", "climatology-ensemble")).toBeUndefined();
  });

  it("scores events by value and by each cell's own quantile, and says where one never happens", () => {
    expect(value("brier>0")).toBeCloseTo(0.25 * (1 + 1 / members), 1);
    expect(value("csi>0")).toBeGreaterThan(0.25);
    expect(Math.abs(value("ets>q0.9")!)).toBeLessThan(0.05);
    expect(value("pod>99")).toBeUndefined();
    expect(result.meta.notes.join()).toMatch(/'pod>99' has no value for x: the event never happens/);
    expect(() => parseMetric("csi>q2")).toThrow(/quantile 2; it must lie between 0 and 1/);
  });

  it("controls false discoveries: no skill is found where there is none", () => {
    const rmse = result.comparisons.filter((c) => c.metric === "rmse" && c.baseline === "climatology");
    expect(rmse.every((c) => c.q! >= c.p!)).toBe(true);
  });

  it("draws spectra and ranks", () => {
    const names = allFigures(result).map((f) => f.name);
    expect(names).toContain("spectrum-x-24h");
    expect(names).toContain("ranks-x-48h");
    expect(/NaN|undefined|Infinity/.test(reportHtml(result).replace(/base64,[^"]*/g, ""))).toBe(false);
  });

  it("refuses scores of ensembles for a single forecast", async () => {
    const single = memoryDataset({
      ...grid,
      ...axis(
        "time",
        range(starts, (s) => 640 + s),
        "days since 2001-01-01",
      ),
      ...axis("prediction_timedelta", [1], "days"),
      x: {
        dims: ["time", "prediction_timedelta", "latitude", "longitude"],
        data: ndarray("float32", [starts, 1, rows, columns], draw(starts * cells)),
      },
    });
    await expect(verifyForecast({ forecast: single, truth, metrics: ["spread"] })).rejects.toThrow(
      /score of ensembles/,
    );
  });
});
