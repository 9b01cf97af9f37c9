import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { cellWeights, closedForm, goldens, wb2 } from "../fixtures/goldens.node.js";
import { accClimateLearn, accWb2, accWbx } from "./acc.js";
import { activity, logVarianceRatio } from "./activity.js";
import { bias } from "./bias.js";
import { klingGupta, nashSutcliffe } from "./efficiency.js";
import { DETERMINISTIC } from "./index.js";
import { mae } from "./mae.js";
import { mse } from "./mse.js";
import { pearson } from "./pearson.js";
import { r2 } from "./r2.js";
import { rmse, rmsePerStart } from "./rmse.js";
import { addField, addRows, evaluate, type Row, type Score, WIDTH } from "./sums.js";

/** Equal to 1e-6 relative. */
const same = (ours: number, theirs: number) => expect(Math.abs(ours / theirs - 1)).toBeLessThan(1e-6);
const row = () => new Float64Array(WIDTH);

describe("deterministic scores equal the reference implementations", () => {
  const { truth, forecast, climatology, weights } = closedForm();
  const rowsWith = (w: ArrayLike<number>): Row[] =>
    truth.map((o, t) => addField(row(), { forecast: forecast[t], truth: o, weights: w, climatology }));
  const rows = rowsWith(weights);
  const ones = new Float64Array(weights.length).fill(1);
  const theirs = goldens.climatelearn_climax_stormer;

  it.each<[Score, number]>([
    [mse, goldens.wb2["MSE"]],
    [rmse, goldens.wb2["RMSE_official=sqrt(MSE)"]],
    [rmsePerStart, goldens.wb2["RMSESqrtBeforeTimeAvg"]],
    [mae, goldens.wb2["MAE"]],
    [bias, goldens.wb2["Bias"]],
    [accWb2, goldens.wb2["ACC"]],
    [rmse, goldens.wbx["rmse.z"]],
    [mae, goldens.wbx["mae.z"]],
    [bias, goldens.wbx["bias.z"]],
    [accWbx, goldens.wbx["acc.z"]],
    [activity, goldens.wbx["activity.z"]],
    [mse, theirs["lat_mse"]],
    [rmsePerStart, theirs["lat_rmse(sqrt per sample, then mean)"]],
    [accClimateLearn, theirs["lat_acc(batch=4, climatology given)"]],
    [{ ...accClimateLearn, over: "each" }, theirs["lat_acc(batch=1, mean of 4)"]],
    [rmse, goldens.chaosbench["RMSE(pooled)"]],
  ])("$0.name = $1", (score, value) => same(evaluate(score, rows), value));

  it("without weights (ClimateLearn's Pearson, bias and downscaling RMSE) and with squared ones (ChaosBench's ACC)", () => {
    same(evaluate(pearson, rowsWith(ones)), theirs["pearson"]);
    same(evaluate(rmse, rowsWith(ones)), theirs["rmse_unweighted"]);
    same(-evaluate(bias, rowsWith(ones)), theirs["mean_bias ClimateLearn (target-pred)"]);
    same(evaluate(bias, rowsWith(ones)), theirs["mean_bias ClimaX (pred-target, unweighted)"]);
    same(
      evaluate(accWbx, rowsWith(weights.map((w) => w * w))),
      goldens.chaosbench["ACC(weights applied to both anomalies => w^2)"],
    );
  });

  it("start by start on random fields with rows at the poles", () => {
    const size = wb2.latitude.length * wb2.longitude.length;
    const w = cellWeights(wb2.lat_weights, wb2.longitude.length);
    const each = Array.from({ length: wb2.shape.time }, (_, t) => {
      const part = (a: number[]) => a.slice(t * size, (t + 1) * size);
      const [f, o, c] = [wb2.forecast, wb2.truth, wb2.climatology].map(part);
      return addField(row(), { forecast: f, truth: o, climatology: c, weights: w });
    });
    const names = { mse, mae, bias, rmse_sqrt_before_time_avg: rmsePerStart, acc: accWb2 };
    for (const [name, score] of Object.entries(names)) {
      each.forEach((r, t) => same(evaluate(score, [r]), wb2.expected[name].per_time[t]));
      same(evaluate(score, each), wb2.expected[name].mean);
    }
  });
});

describe("by hand", () => {
  const rows = [addField(row(), { forecast: [1, 2, 3, 6], truth: [1, 2, 3, 4], weights: [1, 1, 1, 1] })];
  it("f = 1 2 3 6 against o = 1 2 3 4", () => {
    same(evaluate(r2, rows), 1 - 4 / 5); // Σe² = 4, Σ(o - 2.5)² = 5
    same(evaluate(nashSutcliffe, rows), 0.2);
    const r = 8 / Math.sqrt(14 * 5); // Σ(f-3)(o-2.5) = 8, Σ(f-3)² = 14
    same(evaluate(pearson, rows), r);
    same(evaluate(klingGupta, rows), 1 - Math.sqrt((r - 1) ** 2 + (Math.sqrt(14 / 5) - 1) ** 2 + 0.2 ** 2));
  });
  it("twice the anomaly has log10(4) of its variance", () => {
    const doubled = addField(row(), { forecast: [2, -2], truth: [1, -1], climatology: [0, 0], weights: [1, 1] });
    same(evaluate(logVarianceRatio, [doubled]), Math.log10(4));
  });
  it("leaves out missing cells and those of no weight", () => {
    const r = addField(row(), { forecast: [NaN, 5, 7, 9], truth: [1, NaN, 4, 1], weights: [1, 1, 1, 0] });
    expect(evaluate(rmse, [r])).toBe(3);
  });
  it("refuses fields of different sizes", () => {
    expect(() => addField(row(), { forecast: [1], truth: [1, 2], weights: [1, 1] })).toThrow(/forecast has 1 cells/);
  });
});

describe("invariances", () => {
  const fieldOf = (n: number) => fc.array(fc.integer({ min: -50, max: 50 }), { minLength: n, maxLength: n });
  const problem = fc
    .integer({ min: 4, max: 24 })
    .chain((n) => fc.record({ f: fieldOf(n), o: fieldOf(n), c: fieldOf(n), cut: fc.integer({ min: 1, max: n - 1 }) }));
  const near = (a: number, b: number) => expect(Math.abs(a - b)).toBeLessThanOrEqual(1e-7 * (1 + Math.abs(a)));

  it("a field in two pieces, in any order, scores as one", () =>
    fc.assert(
      fc.property(problem, ({ f, o, c, cut }) => {
        const weights = f.map((_, i) => 1 + (i % 3));
        const whole = addField(row(), { forecast: f, truth: o, climatology: c, weights });
        const piece = (from: number, to?: number) =>
          addField(row(), {
            forecast: f.slice(from, to),
            truth: o.slice(from, to),
            climatology: c.slice(from, to),
            weights: weights.slice(from, to),
          });
        const merged = addRows([piece(cut), piece(0, cut)]);
        for (const score of DETERMINISTIC) {
          const value = score.value(whole);
          if (Number.isFinite(value) && Math.abs(value) < 1e6) near(value, score.value(merged));
        }
      }),
    ));

  it("other units (Fahrenheit for Celsius) scale the errors and leave correlations alone", () =>
    fc.assert(
      fc.property(problem, ({ f, o, c }) => {
        const weights = f.map(() => 1);
        const to = (x: number[]) => x.map((v) => 1.8 * v + 32);
        const a = addField(row(), { forecast: f, truth: o, climatology: c, weights });
        const b = addField(row(), { forecast: to(f), truth: to(o), climatology: to(c), weights });
        for (const score of [rmse, mae, bias]) near(1.8 * score.value(a), score.value(b));
        const r = accWb2.value(a);
        if (Number.isFinite(r)) near(r, accWb2.value(b));
      }),
    ));
});
