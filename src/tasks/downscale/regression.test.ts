import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openInline } from "../../engine/runtime.node.js";
import type { Runtime } from "../../engine/runtime.js";
import { dayOfYear, hourOfDay } from "../../earth/time.js";
import { float32 } from "../../tensor/ndarray.js";
import { random } from "../../tensor/random.js";
import { packFitted, unpackFitted } from "./fitted.js";
import { cellsOf, coarseAt, fineAt, type Pairs, splitOf } from "./pairs.js";
import { interpolate, placesIn } from "./places.js";
import { portableDownscaling } from "./portable.js";
import { createPredictor, type DownscaleModel } from "./predict.js";
import { fitRegression } from "./regression.js";
import { pairsFor, settings, unlearned } from "./testing.js";

let runtime: Runtime;
beforeAll(async () => {
  runtime = await openInline({ threads: 1 });
});
afterAll(() => runtime.close());

const config = settings({ downscale: { head: "mean", guess: "regression" } });

/** The interpolated coarse field of a time. */
function interpolatedAt(pairs: Pairs, time: number): Float32Array {
  const [set] = pairs.coarse;
  const out = new Float32Array(cellsOf(pairs));
  interpolate(placesIn(set.grid, pairs.grid), coarseAt(pairs, set, time), out);
  return out;
}

/** Pairs whose truth is x + 2 + gain (x - 280) + noise. */
async function madePairs(gain: (cell: number) => number, noise: number): Promise<Pairs> {
  const pairs = await pairsFor(config);
  const rng = random(8);
  for (let t = 0; t < pairs.times.length; t++) {
    const [x, truth] = [interpolatedAt(pairs, t), fineAt(pairs, t)];
    for (let i = 0; i < truth.length; i++) truth[i] = x[i] + 2 + gain(i) * (x[i] - 280) + noise * rng.normal();
  }
  return pairs;
}

describe("each cell's regression on the interpolated field", () => {
  it("finds gains that are there", async () => {
    const gain = (i: number) => (i % 2 === 0 ? 0.5 : -0.3);
    const pairs = await madePairs(gain, 0.01);
    const found = fitRegression(pairs, [0], splitOf(pairs, config).train).gain;
    // Noise of 0.01 on departures of about 3 K in 84 times
    found.forEach((g, i) => expect(Math.abs(g - gain(i))).toBeLessThan(0.01));
  });

  it("draws gains that are chance towards none: from six times, to a small part of what least squares gives", async () => {
    const pairs = await madePairs(() => 0, 1);
    const six = [3, 20, 37, 54, 71, 88];
    const { gain, centre } = fitRegression(pairs, [0], six);
    const fields = six.map((t) => [interpolatedAt(pairs, t), fineAt(pairs, t)]);
    const own = gain.map((_, i) => {
      const xs = fields.map(([x]) => x[i] - centre[i]);
      const ds = fields.map(([x, y]) => y[i] - x[i]);
      const mean = ds.reduce((a, b) => a + b, 0) / 6;
      return xs.reduce((s, x, k) => s + x * (ds[k] - mean), 0) / xs.reduce((s, x) => s + x * x, 0);
    });
    const size = (values: Float32Array) => Math.hypot(...values);
    expect(size(gain)).toBeLessThan(0.3 * size(own));
  });

  it("is what an untrained network gives, from the saved file and from one ONNX file too", async () => {
    const pairs = await madePairs((i) => 0.4 * Math.sin(i), 0.3);
    const begun = unlearned(config, pairs, 0);
    const { arrays, metadata } = packFitted(begun.fitted);
    const model: DownscaleModel = { ...begun, fitted: unpackFitted(new Map(arrays), metadata, "test") };
    const { gain, centre } = model.fitted.regression!;
    const time = 101;
    const x = interpolatedAt(pairs, time);
    const right = x.map((v, i) => v + model.fitted.local[i] + gain[i] * (v - centre[i]));
    const setting = { coarse: pairs.coarse[0].grid, fine: pairs.grid, mapValues: pairs.mapValues };
    const coarse = coarseAt(pairs, pairs.coarse[0], time);
    const predictor = await createPredictor(runtime, model, setting);
    const [{ mean }] = await predictor.predict(predictor.tiles()[0], [coarse], [pairs.times[time]]);
    await predictor.close();
    mean.forEach((v, i) => expect(Math.abs(v - right[i])).toBeLessThan(1e-3)); // of 280 K in float32

    const session = await runtime.load(portableDownscaling(model, setting));
    const made = await session.run({
      coarse: float32([1, 1, setting.coarse.latitudes.length, setting.coarse.longitudes.length], coarse),
      day_of_year: float32([1], [dayOfYear(pairs.times[time])]),
      hour: float32([1], [hourOfDay(pairs.times[time])]),
    });
    await session.close();
    (made["mean"].data as Float32Array).forEach((v, i) => expect(Math.abs(v - right[i])).toBeLessThan(1e-3));

    const truth = fineAt(pairs, time);
    const error = (f: Float32Array) => f.reduce((s, v, i) => s + (v - truth[i]) ** 2, 0);
    expect(error(right)).toBeLessThan(0.5 * error(x.map((v, i) => v + model.fitted.local[i])));
  });

  it("is refused where it has no place, with the remedy", async () => {
    const pairs = await pairsFor(config);
    const refused = (over: Record<string, unknown>) => () =>
      unlearned(settings({ ...over, downscale: { guess: "regression", ...(over["downscale"] as object) } }), pairs, 0);
    expect(refused({ downscale: { localClimate: false } })).toThrow(/downscale.guess: .*localClimate to true/);
    expect(refused({ downscale: { head: "bernoulli-gamma", dryUpTo: 280 } })).toThrow(/take the head 'quantile'/);
    expect(refused({ downscale: { base: "" } })).toThrow(/do not hold the target/);
  });
});
