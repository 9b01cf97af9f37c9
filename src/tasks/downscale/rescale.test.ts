import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openInline } from "../../engine/runtime.node.js";
import type { Runtime } from "../../engine/runtime.js";
import { interpolator } from "../baselines/downscaling.js";
import { rectilinear } from "../../earth/regrid/index.js";
import { openDataset } from "../../data/open.node.js";
import { toNumbers } from "../../tensor/ndarray.js";
import { openCoarse, writeDownscaled } from "./make.node.js";
import { areaMeans, coarseAt, fineAt, splitOf } from "./pairs.js";
import { createPredictor } from "./predict.js";
import { openDownscaleRun, trainDownscaleRun } from "./run.node.js";
import { fineOfPairs, writeShrunk } from "./shrink.node.js";
import { pairsFor, settings } from "./testing.js";

let runtime: Runtime;
let folder: string;
beforeAll(async () => {
  runtime = await openInline({ threads: 1 });
  folder = await mkdtemp(path.join(tmpdir(), "foehn-rescale-"));
});
afterAll(async () => {
  await runtime.close();
  await rm(folder, { recursive: true });
});

const configFor = (exact: boolean) =>
  settings({
    downscale: { head: "mean" },
    model: { name: "invertible", width: 8, blocks: 2, exact, precision: 0.01 },
    training: {
      steps: 60,
      batch: 4,
      microBatch: 4,
      validateEvery: 30,
      validationSamples: 8,
      learningRate: 0.005,
      warmup: 5,
      average: 0.9,
    },
  });

describe("invertible rescaling", () => {
  it.each([true, false])("gets fine fields back better than interpolation does (exact: %s)", async (exact) => {
    const config = configFor(exact);
    const pairs = await pairsFor(config);
    const run = path.join(folder, String(exact));
    await trainDownscaleRun({ run, config, pairs, runtime });
    const model = await openDownscaleRun(run);
    const [set] = pairs.coarse;
    const predictor = await createPredictor(runtime, model, {
      coarse: set.grid,
      fine: pairs.grid,
      mapValues: pairs.mapValues,
    });
    const bilinear = interpolator(set.grid, rectilinear(pairs.grid.latitudes, pairs.grid.longitudes), "bilinear");
    let [ours, theirs, apart] = [0, 0, 0];
    for (const t of splitOf(pairs, config).test) {
      const truth = fineAt(pairs, t);
      const means = coarseAt(pairs, set, t);
      const small = await predictor.shrink!(truth);
      expect(small.length).toBe(truth.length / 16);
      // Rounded to the precision, and near the mean; the mean itself where it is to be exact
      small.forEach((x) => expect(Math.abs(x / 0.01 - Math.round(x / 0.01))).toBeLessThan(0.01));
      small.forEach((x, i) => (apart = Math.max(apart, Math.abs(x - means[i]))));
      const [{ mean }] = await predictor.predict(predictor.tiles()[0], [small], [pairs.times[t]]);
      const guess = bilinear(means);
      truth.forEach((y, i) => {
        ours += (mean[i] - y) ** 2;
        theirs += (guess[i] - y) ** 2;
      });
      if (exact)
        areaMeans(mean, pairs.grid, 4, 4).values.forEach((x, i) => expect(Math.abs(x - small[i])).toBeLessThan(1e-3));
    }
    if (exact) expect(apart).toBeLessThan(0.0051);
    else expect(apart).toBeLessThan(3);
    expect(Math.sqrt(ours / theirs)).toBeLessThan(0.6);
    await predictor.close();
  });
  it("sends fields small and gets them back from the file", async () => {
    const config = configFor(false);
    const pairs = await pairsFor(config);
    const model = await openDownscaleRun(path.join(folder, "false")); // of the test before
    const [small, back] = ["small.zarr", "back.zarr"].map((name) => path.join(folder, name));
    const wanted = (time: number) => time >= pairs.times[117];
    await writeShrunk({ model, runtime, fine: fineOfPairs(pairs, "memory"), out: small, wanted });
    const coarse = await openCoarse(model, [small]);
    expect([...coarse.times]).toEqual([...pairs.times.subarray(117)]);
    const setting = { coarse: coarse.grid, fine: pairs.grid, mapValues: pairs.mapValues };
    await writeDownscaled({ model, runtime, coarse, setting, out: back });
    await coarse.close();
    const dataset = await openDataset(back);
    const field = toNumbers(await dataset.variables.get("t")!.read({ time: 2 }));
    await dataset.close();
    const predictor = await createPredictor(runtime, model, setting);
    const sent = await predictor.shrink!(fineAt(pairs, 119));
    const [{ mean }] = await predictor.predict(predictor.tiles()[0], [sent], [pairs.times[119]]);
    await predictor.close();
    mean.forEach((x, i) => expect(field[i]).toBe(x));
  });
  it("says what it cannot do", async () => {
    const refuse = async (over: Record<string, unknown>, words: RegExp) => {
      const config = settings({ downscale: { head: "mean" }, model: { name: "invertible" }, ...over });
      const pairs = await pairsFor(config);
      await expect(
        trainDownscaleRun({ run: path.join(folder, words.source.replace(/\W/g, "")), config, pairs, runtime }),
      ).rejects.toThrow(words);
    };
    await refuse({ downscale: { head: "quantile" } }, /head to mean/);
    await refuse(
      {
        data: {
          fine: { path: "fine" },
          factors: [
            [4, 4],
            [2, 2],
          ],
        },
      },
      /one pair of whole numbers/,
    );
    await refuse({ data: { fine: { path: "fine" }, factors: [[3, 5]] } }, /does not hold/);
    await refuse({ model: { name: "invertible", blocs: 2 } }, /did you mean 'blocks'/);
  });
});
