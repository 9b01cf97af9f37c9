import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openInline } from "../../engine/runtime.node.js";
import type { Runtime } from "../../engine/runtime.js";
import { dayOfYear, hourOfDay } from "../../earth/time.js";
import { rectilinear } from "../../earth/regrid/index.js";
import { float32 } from "../../tensor/ndarray.js";
import { coarseAt } from "./pairs.js";
import { refined } from "./places.js";
import { portableDownscaling } from "./portable.js";
import { createPredictor, type DownscaleModel, rainQuantiles } from "./predict.js";
import type { Setting } from "./features.js";
import { fineDataset, pairsFor, settings, unlearned } from "./testing.js";

let runtime: Runtime;
beforeAll(async () => {
  runtime = await openInline({ threads: 1 });
});
afterAll(() => runtime.close());

/** What the file gives for raw coarse fields of a time. */
async function fromFile(model: DownscaleModel, setting: Setting, coarse: Float32Array, time: number) {
  const session = await runtime.load(portableDownscaling(model, setting));
  const { latitudes, longitudes } = setting.coarse;
  const shape = [1, model.fitted.predictors.length, latitudes.length, longitudes.length];
  const outputs = await session.run({
    coarse: float32(shape, coarse),
    day_of_year: float32([1], [dayOfYear(time)]),
    hour: float32([1], [hourOfDay(time)]),
  });
  await session.close();
  return (name: string) => outputs[name].data as Float32Array;
}

async function fromPredictor(model: DownscaleModel, setting: Setting, coarse: Float32Array, time: number) {
  const predictor = await createPredictor(runtime, model, setting);
  const [fields] = await predictor.predict(predictor.tiles()[0], [coarse], [time]);
  await predictor.close();
  return fields;
}

const largest = (a: ArrayLike<number>, b: ArrayLike<number>) => {
  expect(a.length).toBe(b.length);
  let most = 0;
  for (let i = 0; i < a.length; i++) {
    expect(Number.isNaN(a[i])).toBe(Number.isNaN(b[i]));
    if (a[i] === a[i]) most = Math.max(most, Math.abs(a[i] - b[i]));
  }
  return most;
};
const calibration = { mean: [0.6], distribution: [0.8] };

describe("the file gives from raw coarse fields what the program gives", () => {
  it("quantiles of two networks, from each coarse grid, with weights of the calibration", async () => {
    const config = settings({
      data: {
        fine: { path: "fine" },
        factors: [
          [4, 4],
          [2, 4],
        ],
      },
      downscale: { head: "quantile", quantiles: 5 },
      training: { seeds: 2 },
    });
    const pairs = await pairsFor(config);
    const model = { ...unlearned(config, pairs, 0.1), calibration };
    for (const set of pairs.coarse) {
      const setting = { coarse: set.grid, fine: pairs.grid, mapValues: pairs.mapValues };
      const given = [coarseAt(pairs, set, 7), pairs.times[7]] as const;
      const [file, own] = [await fromFile(model, setting, ...given), await fromPredictor(model, setting, ...given)];
      expect(largest(file("mean"), own.mean)).toBeLessThan(1e-3); // of 280 K in float32
      expect(largest(file("quantiles"), Float32Array.from(own.quantiles.flatMap((q) => [...q])))).toBeLessThan(1e-3);
    }
  });
  it("rain's chance and amounts on its interpolated first guess, cells without truth missing", async () => {
    const config = settings({ downscale: { head: "bernoulli-gamma", quantiles: 5, dryUpTo: 0.5 } });
    const pairs = await pairsFor(config, fineDataset("tp", true));
    const cells = pairs.fine.length / pairs.times.length;
    for (let t = 0; t < pairs.times.length; t++) pairs.fine[t * cells + 3] = NaN; // sea
    const model = { ...unlearned(config, pairs, 0.1), calibration };
    const [set] = pairs.coarse;
    const setting = { coarse: set.grid, fine: pairs.grid, mapValues: pairs.mapValues };
    const given = [coarseAt(pairs, set, 11), pairs.times[11]] as const;
    const [file, own] = [await fromFile(model, setting, ...given), await fromPredictor(model, setting, ...given)];
    expect(own.mean[3]).toBeNaN();
    expect(largest(file("mean"), own.mean)).toBeLessThan(1e-4);
    expect(largest(file("probability"), own.probability!)).toBeLessThan(1e-5);
    const levels = [0.1, 0.3, 0.5, 0.7, 0.9];
    rainQuantiles(levels, file("probability"), file("shape"), file("amount")).forEach((q, k) =>
      expect(largest(q, own.quantiles[k])).toBeLessThan(1e-3),
    );
  });
  it("networks that see the whole coarse domain", async () => {
    const config = settings({
      model: { name: "patterns", filters: [4, 3], hidden: 5, dropout: 0 },
      downscale: { head: "mean", base: "" },
    });
    const pairs = await pairsFor(config);
    const model = unlearned(config, pairs, 0.05);
    const [set] = pairs.coarse;
    const setting = { coarse: set.grid, fine: pairs.grid, mapValues: pairs.mapValues };
    const given = [coarseAt(pairs, set, 2), pairs.times[2]] as const;
    expect(
      largest((await fromFile(model, setting, ...given))("mean"), (await fromPredictor(model, setting, ...given)).mean),
    ).toBeLessThan(1e-3);
  });
  it("around the globe, where the first column follows the last", async () => {
    const config = settings({ downscale: { head: "mean", localClimate: false } });
    const pairs = await pairsFor(config);
    const model = unlearned(config, pairs, 0.1);
    const coarse = rectilinear([-60, -20, 20, 60], [0, 60, 120, 180, 240, 300]);
    const setting = { coarse, fine: refined(coarse, 4, 4), mapValues: new Float32Array(0) };
    const given = [Float32Array.from({ length: 24 }, (_, i) => 280 + Math.sin(i)), pairs.times[2]] as const;
    expect(
      largest((await fromFile(model, setting, ...given))("mean"), (await fromPredictor(model, setting, ...given)).mean),
    ).toBeLessThan(1e-3);
  });
});
