import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openInline } from "../../engine/runtime.node.js";
import type { Runtime } from "../../engine/runtime.js";
import { drawnIn, fitCalibration } from "./calibration.js";
import { coarseAt, fineAt, memberSplit, splitOf } from "./pairs.js";
import { createPredictor, type DownscaleModel } from "./predict.js";
import { pairsFor, settings, unlearned } from "./testing.js";

/** Squared errors |g + w r - y|^2 at the tried weights, least at `best`. */
const curve = (best: number, strength = 1) =>
  Float64Array.from([0, 1, 2, 3, 4, 5, 6, 7, 8], (k) => 2 + strength * (k / 8 - best) ** 2);

describe("the weight of a network's corrections", () => {
  it("is that of least loss where all times agree", () => {
    expect(drawnIn([curve(0.6), curve(0.6), curve(0.6)])).toBeCloseTo(0.6, 9);
    expect(drawnIn([curve(1.4), curve(1.2), curve(1.1)])).toBe(1);
    expect(drawnIn([curve(-0.3), curve(-0.1), curve(0)])).toBe(0);
  });
  it("is drawn in by its variance where they do not", () => {
    // Left out in turn: means of (0.5, 0.7), (0.3, 0.7), (0.3, 0.5) are 0.6, 0.5, 0.4; variance 2/3 (0.01 + 0 + 0.01)
    const w = drawnIn([curve(0.3), curve(0.5), curve(0.7)]);
    expect(w).toBeCloseTo(0.5 - (0.02 * 2) / 3 / 0.5, 9);
    expect(drawnIn([curve(0), curve(0), curve(1)])).toBeLessThan(0.1);
  });
  it("is 0 from one time alone", () => {
    expect(drawnIn([curve(0.9)])).toBe(0);
  });
});

describe("with calibration", () => {
  let runtime: Runtime;
  beforeAll(async () => {
    runtime = await openInline({ threads: 1 });
  });
  afterAll(() => runtime.close());

  it("a network that knows nothing is no worse than its first guess, on times never looked at", async () => {
    const config = settings({ downscale: { head: "quantile", quantiles: 5 } });
    const pairs = await pairsFor(config);
    const noise = unlearned(config, pairs, 0.15);
    const calibration = await fitCalibration(runtime, noise, pairs);
    const { test } = splitOf(pairs, config);
    const [set] = pairs.coarse;
    const rmse = async (model: DownscaleModel) => {
      const setting = { coarse: set.grid, fine: pairs.grid, mapValues: pairs.mapValues };
      const predictor = await createPredictor(runtime, model, setting);
      let sum = 0;
      for (const t of test) {
        const [{ mean }] = await predictor.predict(predictor.tiles()[0], [coarseAt(pairs, set, t)], [pairs.times[t]]);
        fineAt(pairs, t).forEach((y, i) => (sum += (mean[i] - y) ** 2));
      }
      await predictor.close();
      return Math.sqrt(sum);
    };
    const guess = await rmse({ ...noise, calibration: { mean: [0], distribution: [0] } });
    expect(await rmse(noise)).toBeGreaterThan(1.5 * guess);
    expect(await rmse({ ...noise, calibration })).toBeLessThan(1.01 * guess);
  });

  it("each network of a cross-fitted run leaves other times out, all of them once", () => {
    const config = settings({ downscale: { localClimate: false }, training: { seeds: 3, crossFit: true } });
    const split = { train: [0, 1, 2, 5, 6, 8], validation: [3, 7], test: [4, 9] };
    const parts = [1, 2, 3].map((member) => memberSplit(split, config, member));
    expect(parts.flatMap((p) => p.validation)).toEqual([0, 1, 2, 3, 5, 6, 7, 8]);
    for (const { train, validation } of parts)
      expect([...train, ...validation].sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 5, 6, 7, 8]);
    expect(() => memberSplit(split, settings({ training: { crossFit: true } }), 1)).toThrow(/seeds to 2 or more/);
    const local = settings({ training: { seeds: 3, crossFit: true } });
    expect(() => memberSplit(split, local, 1)).toThrow(/localClimate to false/);
  });
});
