import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ensembleKernel } from "../ensemble/kernel.js";
import { cellWeights, closedForm, goldens, wb2 } from "../fixtures/goldens.node.js";
import { crpsAlmostFair, crpsFair, crpsUnfair } from "./crps.js";
import { energyScore } from "./energy.js";
import { erfc, gaussianCrps, normalDistribution } from "./gaussian-crps.js";
import {
  addProbabilities,
  brier,
  brierDebiased,
  brierParts,
  brierSkill,
  economicValue,
  ignorance,
  probabilityTable,
  reliabilityDiagram,
  rocArea,
} from "./probability.js";
import { coverage, ensembleQuantile, quantileLoss } from "./quantile.js";
import { rankHistogram, rankUnevenness } from "./rank-histogram.js";
import { mse } from "./mse.js";
import { rmsePerStart } from "./rmse.js";
import { rankedProbabilityScore } from "./rps.js";
import { debiasedMse, debiasedRmse, spread, spreadPerStart, spreadSkill, spreadSkillPlain } from "./spread.js";
import { ABS, addField, addRows, evaluate, PAIRS, type Row, rowWidth, type Score, VAR, W, WIDTH } from "./sums.js";
import { thresholdCrps } from "./threshold-crps.js";
import { variogramScore } from "./variogram.js";

const same = (ours: number, theirs: number) => expect(Math.abs(ours / theirs - 1)).toBeLessThan(1e-6);

function rowOf(members: readonly ArrayLike<number>[], truth: ArrayLike<number>, weights: ArrayLike<number>): Row {
  const ensemble = ensembleKernel(members.length).run(members, truth);
  return addField(new Float64Array(rowWidth(members.length)), { forecast: ensemble.mean, truth, weights, ensemble });
}
const mean = (x: number[]) => x.reduce((a, b) => a + b, 0) / x.length;

describe("equal to the reference implementations", () => {
  const { truth, forecast, ensemble, weights } = closedForm();
  const rows = truth.map((o, t) => rowOf(ensemble[t], o, weights));
  const theirs = goldens.climatelearn_climax_stormer;

  it.each<[Score, number]>([
    [crpsFair, goldens.wb2["CRPS"]],
    [crpsFair, goldens.wbx["crps_fair.z"]],
    [crpsFair, theirs["stormer_crps_fair"]],
    [crpsUnfair, goldens.wbx["crps_unfair.z"]],
    [crpsAlmostFair, 0.95 * goldens.wbx["crps_fair.z"] + 0.05 * goldens.wbx["crps_unfair.z"]],
    [spreadPerStart, goldens.wb2["EnsembleStddevSqrtBeforeTimeAvg"]],
    [spread, goldens.wbx["rmv.z"]],
    [rmsePerStart, goldens.wb2["EnsembleMeanRMSESqrtBeforeTimeAvg"]],
    [mse, goldens.wb2["EnsembleMeanMSE"]],
    [debiasedMse, goldens.wb2["DebiasedEnsembleMeanMSE"]],
    [debiasedRmse, goldens.wbx["umrmse.z"]],
    [spreadSkill, goldens.wbx["ssr.z"]],
    [spreadSkillPlain, theirs["stormer_ssr(no (M+1)/M factor)"]],
  ])("$0.name = $1", (score, value) => same(evaluate(score, rows), value));

  it("and their parts: skill, spread, variance, ranks", () => {
    const all = addRows(rows, rows[0].length);
    same(all[ABS] / all[W], goldens.wb2["CRPSSkill"]);
    same(all[PAIRS] / all[W], goldens.wb2["CRPSSpread"]);
    same(all[VAR] / all[W], goldens.wb2["EnsembleVariance"]);
    const histogram = rankHistogram(all, 5);
    goldens.wbx["rank_hist_area_weighted"].forEach((share, k) => same(histogram[k], share));
  });

  it("energy score with WeatherBench 2's adjacent pairs", () => {
    const scores = truth.map((o, t) => energyScore(ensemble[t], o, weights, { pairs: "adjacent" }));
    same(mean(scores.map((s) => s.score)), goldens.wb2["EnergyScore"]);
    same(mean(scores.map((s) => s.skill)), goldens.wb2["EnergyScoreSkill"]);
    same(mean(scores.map((s) => s.spread)), goldens.wb2["EnergyScoreSpread"]);
  });

  it("Gaussian CRPS (and not ClimateLearn's, whose 1/pi should be 1/sqrt(pi))", () => {
    const total = weights.reduce((a, b) => a + b, 0);
    const scores = truth.map(
      (o, t) => o.reduce((s, v, i) => s + weights[i] * gaussianCrps(forecast[t][i], 0.9, v), 0) / total,
    );
    same(mean(scores), goldens.wb2["GaussianCRPS_sigma0.9"]);
    same(mean(scores), theirs["gaussian_crps_correct_latw"]);
    same(mean(scores) + 0.9 * (1 / Math.sqrt(Math.PI) - 1 / Math.PI), theirs["gaussian_crps_ClimateLearn_bug(1/pi)"]);
  });

  it("Brier score above 280 K, plain and debiased", () => {
    const table = probabilityTable(5);
    truth.forEach((o, t) => addProbabilities(table, ensemble[t], o, weights, 280));
    same(brier(table), goldens.wb2["EnsembleBrier_thr280"]);
    same(brierDebiased(table), goldens.wb2["DebiasedEnsembleBrier_thr280"]);
  });

  it("start by start on random fields", () => {
    const cells = wb2.latitude.length * wb2.longitude.length;
    const w = cellWeights(wb2.lat_weights, wb2.longitude.length);
    const M = wb2.shape.member;
    const starts = Array.from({ length: wb2.shape.time }, (_, t) => {
      const members = Array.from({ length: M }, (_, m) =>
        wb2.ensemble.slice((t * M + m) * cells, (t * M + m + 1) * cells),
      );
      const o = wb2.truth.slice(t * cells, (t + 1) * cells);
      return { row: rowOf(members, o, w), energy: energyScore(members, o, w, { pairs: "adjacent" }) };
    });
    const scores: Record<string, (r: Row) => number> = {
      CRPS: crpsFair.value,
      CRPSSpread: (r) => r[PAIRS] / r[W],
      CRPSSkill: (r) => r[ABS] / r[W],
      EnsembleStddevSqrtBeforeTimeAvg: spreadPerStart.value,
      EnsembleVariance: (r) => r[VAR] / r[W],
      EnsembleMeanRMSESqrtBeforeTimeAvg: rmsePerStart.value,
      EnsembleMeanMSE: mse.value,
      DebiasedEnsembleMeanMSE: debiasedMse.value,
    };
    for (const [name, score] of Object.entries(scores)) {
      starts.forEach(({ row }, t) => same(score(row), wb2.expected[name].per_time[t]));
      same(mean(starts.map(({ row }) => score(row))), wb2.expected[name].mean);
    }
    starts.forEach(({ energy }, t) => {
      same(energy.score, wb2.expected["EnergyScore"].per_time[t]);
      same(energy.spread, wb2.expected["EnergyScoreSpread"].per_time[t]);
      same(energy.skill, wb2.expected["EnergyScoreSkill"].per_time[t]);
    });
  });
});

describe("by hand", () => {
  const one = [1];
  it("members 1, 2, 4 against 3", () => {
    const row = rowOf([[1], [2], [4]], [3], one);
    same(crpsFair.value(row), 4 / 3 - 1); // |x-o| = 2,1,1; pairs 1,3,2 have mean 2
    same(crpsUnfair.value(row), 4 / 3 - (2 * 6) / (2 * 9));
    same(spread.value(row), Math.sqrt(7 / 3));
    expect([...rankHistogram(row, 3)]).toEqual([0, 0, 1, 0]);
  });
  it("a point forecast's CRPS is its absolute error", () => {
    const row = addField(new Float64Array(WIDTH), { forecast: [5], truth: [3], weights: one });
    expect([crpsFair, crpsUnfair, crpsAlmostFair].map((s) => s.value(row))).toEqual([2, 2, 2]);
  });
  it("events: four cases of two members", () => {
    // p = 0, 1/2, 1/2, 1; happened: no, no, yes, yes
    const table = addProbabilities(
      probabilityTable(2),
      [
        [0, 0, 2, 2],
        [0, 2, 0, 2],
      ],
      [0, 0, 2, 2],
      [1, 1, 1, 1],
      1,
    );
    same(brier(table), 0.125);
    expect(brierDebiased(table)).toBeCloseTo(0.125 - (2 * 0.25) / 1 / 4, 12);
    expect(brierParts(table)).toEqual({ reliability: 0, resolution: 0.125, uncertainty: 0.25 });
    same(brierSkill(table), 0.5);
    same(rocArea(table), 0.875);
    expect(reliabilityDiagram(table)[1]).toEqual({ forecast: 0.5, observed: 0.5, share: 0.5 });
    // Cost-loss 1/4, warned at p >= 1/2: costs 3/4 of cases x 1/4 against 1/4 always, 1/8 perfectly informed.
    same(economicValue(table, 0.25), (0.25 - 0.1875) / (0.25 - 0.125));
    same(ignorance(table), -(2 * Math.log(5 / 6) + 2 * Math.log(1 / 2)) / 4);
  });
  it("ranks, quantiles and intervals", () => {
    same(rankedProbabilityScore([[1], [3]], [2], one, [1.5, 2.5, 3.5]), 0.25 + 0.25 + 0);
    expect([quantileLoss(2, 5, 0.9), quantileLoss(5, 2, 0.9)].map((x) => +x.toFixed(12))).toEqual([2.7, 0.3]);
    expect([...ensembleQuantile([[1], [2], [4], [8]], 0.5)]).toEqual([3]);
    expect(coverage([0, 0, 0, 0], [1, 1, 1, 1], [0, 0.5, 2, NaN], [1, 1, 2, 9])).toBe(0.5);
    expect(rankUnevenness([0.25, 0.25, 0.25, 0.25])).toBe(0);
  });
  it("extremes: what lies below the threshold is not looked at", () => {
    expect(thresholdCrps([[1], [5]], [4], one, 3)).toBeCloseTo((1 + 1) / 2 - 2 / 2, 12);
    same(1 + thresholdCrps([[1], [2]], [0], one, 3), 1);
    same(thresholdCrps([[1], [2]], [0], one, 3, { tail: "below" }), 1.5 - 0.5);
  });
  it("variogram of one pair: |3 - 1|^1 against members 1 and 2 apart", () => {
    same(
      variogramScore(
        [
          [0, 1],
          [0, 2],
        ],
        [1, 3],
        2,
        { p: 1, offsets: [[0, 1]] },
      ),
      (2 - 1.5) ** 2,
    );
  });
  it("erfc and the normal distribution have their tabulated values (Abramowitz and Stegun, table 26.1)", () => {
    same(normalDistribution(1), 0.841344746068543);
    same(normalDistribution(-3), 0.001349898031630095);
    same(erfc(4), 1.541725790028002e-8);
    same(normalDistribution(1.96), 0.97500210485178);
  });
});

describe("invariances", () => {
  it("CRPS and energy score do not care for the order of members or a shift", () => {
    const values = fc.array(fc.array(fc.integer({ min: -20, max: 20 }), { minLength: 3, maxLength: 3 }), {
      minLength: 2,
      maxLength: 7,
    });
    fc.assert(
      fc.property(values, fc.integer({ min: -9, max: 9 }), (members, shift) => {
        const [o, w] = [
          [1, 2, 3],
          [1, 2, 1],
        ];
        const a = crpsFair.value(rowOf(members, o, w));
        expect(crpsFair.value(rowOf([...members].reverse(), o, w))).toBeCloseTo(a, 9);
        const moved = members.map((x) => x.map((v) => v + shift));
        expect(
          crpsFair.value(
            rowOf(
              moved,
              o.map((v) => v + shift),
              w,
            ),
          ),
        ).toBeCloseTo(a, 9);
        const e = energyScore(members, o, w).score;
        expect(energyScore([...members].reverse(), o, w).score).toBeCloseTo(e, 9);
        expect(crpsUnfair.value(rowOf(members, o, w))).toBeGreaterThanOrEqual(a - 1e-9);
      }),
      { numRuns: 40 },
    );
  });
});
