import { describe, expect, it } from "vitest";
import { closedForm, goldens } from "../fixtures/goldens.node.js";
import {
  addContingency,
  contingency,
  csi,
  detection,
  ets,
  falseAlarmRatio,
  frequencyBias,
  hss,
  sedi,
} from "./contingency.js";
import { addFractions, fractionSums, fss } from "./fss.js";
import { climateBenchNrmse } from "./nrmse.js";
import { fieldObjects } from "./objects.js";
import { sal } from "./sal.js";
import { seeps } from "./seeps.js";
import { windDirectionError, windVectorMse } from "./wind.js";

const same = (ours: number, theirs: number) => expect(Math.abs(ours / theirs - 1)).toBeLessThan(1e-6);
const c = closedForm();

describe("equal to WeatherBench-X and ClimateBench", () => {
  it("contingency scores above 285 K", () => {
    const table = contingency();
    c.truth.forEach((o, t) => addContingency(table, c.forecast[t], o, c.weights, 285));
    same(csi(table), goldens.wbx["csi.z_thr285"]);
    same(ets(table), goldens.wbx["ets.z_thr285"]);
    same(hss(table), goldens.wbx["hss.z_thr285"]);
    same(sedi(table), goldens.wbx["sedi.z_thr285"]);
    same(frequencyBias(table), goldens.wbx["fbias.z_thr285"]);
  });
  it.each([false, true])("fractions skill score in windows of 1, 3, 5, 9; ends joined: %s", (wrap) => {
    const theirs = goldens.wbx[`fss_thr285_n1,3,5,9_wrap${wrap ? "True" : "False"}`];
    [1, 3, 5, 9].forEach((window, k) => {
      const sums = fractionSums();
      const options = { threshold: 285, window, columns: 64, wrap };
      c.truth.forEach((o, t) => addFractions(sums, c.forecast[t], o, c.weights, options));
      same(fss(sums), theirs[k]);
    });
  });
  it("SEEPS with 0.25 mm", () => {
    const climate = { dryFraction: c.dryFraction, heavyFrom: c.wetThreshold };
    const each = c.rainTruth.map((o, t) => seeps(c.rainForecast[t], o, c.weights, climate, { dryUpTo: 0.25e-3 }));
    same(each.reduce((a, b) => a + b, 0) / each.length, goldens.wbx["SEEPS_tp_0.25mm"]);
  });
  it("ClimateBench's NRMSE: spatial, global, total", () => {
    const [spatial, global, total] = goldens.climatelearn_climax_stormer["climatebench_nrmse_s,g,total=s+5g"];
    const ours = climateBenchNrmse(c.forecast, c.truth, c.weights);
    same(ours.spatial, spatial);
    same(ours.global, global);
    same(ours.total, total);
  });
});

describe("by hand", () => {
  it("Finley's tornadoes of 1884: 28 hits, 72 false alarms, 23 misses, 2680 none (Jolliffe and Stephenson, table 1.1)", () => {
    const table = { hits: 28, falseAlarms: 72, misses: 23, correctNegatives: 2680 };
    expect(detection(table)).toBeCloseTo(0.549, 3);
    expect(falseAlarmRatio(table)).toBeCloseTo(0.72, 3);
    expect(csi(table)).toBeCloseTo(0.228, 3);
    expect(ets(table)).toBeCloseTo(0.216, 3);
    expect(hss(table)).toBeCloseTo(0.355, 3);
    expect(frequencyBias(table)).toBeCloseTo(1.96, 2);
  });
  it("finds objects that touch by corners", () => {
    const field = [1, 0, 0, 0, 2, 0, 0, 0, 5];
    expect(fieldObjects(field, 3, 0.5)).toEqual([{ cells: 3, amount: 8, largest: 5, row: 1.5, column: 1.5 }]);
    expect(fieldObjects([1, 0, 1, 0, 0, 0, 3, 0, 0], 3, 0.5).map((o) => o.cells)).toEqual([1, 1, 1]);
  });
  it("SAL of one object: moved, doubled, flattened", () => {
    const field = (at: number, values: number[]) => Array.from({ length: 25 }, (_, i) => values[i - at] ?? 0);
    const truth = field(10, [4, 2]);
    expect(sal(truth, truth, 5)).toEqual({ structure: 0, amplitude: 0, location: 0 });
    const moved = sal(field(12, [4, 2]), truth, 5);
    expect(moved.location).toBeCloseTo(2 / Math.hypot(4, 4), 12);
    const doubled = sal(field(10, [8, 4]), truth, 5);
    expect([doubled.structure, doubled.amplitude]).toEqual([0, 2 / 3]);
    expect(sal(field(10, [3, 3]), truth, 5).structure).toBeCloseTo((2 - 1.5) / 1.75, 12);
  });
  it("wind: a quarter turn of 3 m/s", () => {
    const [f, o] = [
      { u: [0], v: [3] },
      { u: [3], v: [0] },
    ];
    expect(windVectorMse(f, o, [1])).toBe(18);
    expect(windDirectionError(f, o, [1])).toBeCloseTo(90, 12);
  });
});
