import { beforeAll, describe, expect, it } from "vitest";
import { latitudeWeights } from "../../earth/weights.js";
import { openInline } from "../../engine/runtime.node.js";
import type { Runtime } from "../../engine/runtime.js";
import { exportOnnx } from "../../graph/export.js";
import { gradients } from "../../graph/grad.js";
import { Graph } from "../../graph/graph.js";
import { gaussianNodes, legendreColumn } from "../../simulator/gaussian.js";
import { float32 } from "../../tensor/ndarray.js";
import { random } from "../../tensor/random.js";
import { adjustedSquaredError } from "./spectral-loss.js";

const [H, W] = [24, 48];
const longitudes = Float64Array.from({ length: W }, (_, i) => (360 * i) / W);
const gaussian = Float64Array.from(gaussianNodes(H).mu, (mu) => (Math.asin(mu) * 180) / Math.PI);
const regular = Float64Array.from({ length: H }, (_, j) => 90 - (180 * (j + 0.5)) / H);

let runtime: Runtime;
beforeAll(async () => {
  runtime = await openInline({ threads: 1 });
});

/** Loss and its derivative by the forecast. */
async function loss(latitudes: Float64Array, forecast: Float32Array, truth: Float32Array, factor = 1) {
  const shape = [forecast.length / (H * W), 1, H, W];
  const graph = new Graph("loss");
  const [f, t, w] = ["f", "t", "w"].map((name) => graph.input(name, "float32", shape));
  const value = adjustedSquaredError(f, t, w, { latitudes, longitudes });
  graph.output("loss", value);
  graph.output("slope", gradients(value, [f])[0]);
  const session = await runtime.load(exportOnnx(graph));
  const areas = latitudeWeights(latitudes);
  const weight = forecast.map((_, p) => factor * areas[Math.floor(p / W) % H]);
  const feed = (data: Float32Array) => float32(shape, data);
  const out = await session.run({ f: feed(forecast), t: feed(truth), w: feed(weight) });
  await session.close();
  return { loss: (out["loss"].data as Float32Array)[0], slope: out["slope"].data as Float32Array };
}

/** A wave of total wavenumber n and order m, turned by an angle; its mean square over the sphere is a half (1 for m = 0). */
function wave(latitudes: Float64Array, n: number, m: number, turn = 0): Float32Array {
  const column = new Float64Array(n - m + 1);
  return Float32Array.from({ length: H * W }, (_, p) => {
    legendreColumn(m, n, Math.sin((latitudes[Math.floor(p / W)] * Math.PI) / 180), column);
    return column[n - m] * Math.cos((m * longitudes[p % W] * Math.PI) / 180 - turn);
  });
}

describe("the adjusted squared error", () => {
  // By hand: B ((alpha - 1)^2 + 2 max(alpha^2, 1) (1 - cos turn)) for alpha times a wave of mean square B, turned
  it.each([
    ["Gaussian", gaussian, 1e-4],
    ["regular", regular, 1e-2],
  ] as const)("is the paper's for one wave on a %s grid", async (_, latitudes, tolerance) => {
    for (const [n, m, alpha, turn] of [
      [5, 3, 1, 0],
      [5, 3, 0.6, 0],
      [5, 3, 1, 1],
      [5, 3, 0.6, 1],
      [9, 2, 1.5, 2],
      [4, 0, 0.5, 0],
    ]) {
      const truth = wave(latitudes, n, m);
      const forecast = wave(latitudes, n, m, turn).map((v) => alpha * v);
      const mean = m === 0 ? 1 : 0.5;
      const expected = mean * ((alpha - 1) ** 2 + 2 * Math.max(alpha ** 2, 1) * (1 - Math.cos(turn)));
      const got = (await loss(latitudes, forecast, truth, 3)).loss / 3;
      expect(Math.abs(got - expected)).toBeLessThan(tolerance * (1 + expected));
    }
  });

  it("gives nothing for damping a wave that is in the wrong place, where the squared error does", async () => {
    const truth = wave(gaussian, 6, 4);
    const forecast = wave(gaussian, 6, 4, Math.PI / 3);
    const alongAmplitude = async (alpha: number) => {
      const { slope } = await loss(gaussian, forecast.map((v) => alpha * v), truth); // prettier-ignore
      return slope.reduce((s, g, p) => s + g * forecast[p], 0);
    };
    // Of the squared error: 2 B (alpha - cos turn) = 0.4 > 0 at alpha 0.9, so that damping pays; here 2 B (alpha - 1)
    expect(await alongAmplitude(0.9)).toBeCloseTo(-0.1, 3);
    expect(await alongAmplitude(0.5)).toBeCloseTo(-0.5, 3);
  });

  it("counts what lies beyond the truncation by its plain square, and its slope is that of finite differences", async () => {
    const checker = Float32Array.from({ length: H * W }, (_, p) => ((p % W) % 2 === 0 ? 1 : -1));
    const zero = new Float32Array(H * W);
    expect((await loss(gaussian, checker, zero)).loss).toBeCloseTo(1, 3);

    const rng = random(5);
    const draw = () => Float32Array.from({ length: 2 * H * W }, () => rng.normal());
    const [forecast, truth] = [draw(), draw()];
    const { slope } = await loss(regular, forecast, truth);
    // Half along the slope, half at random: its own direction alone would hide a wrong one
    const size = Math.hypot(...slope);
    const direction = slope.map((g) => (g / size) * Math.sqrt(slope.length) + rng.normal());
    const at = async (step: number) => {
      const moved = forecast.map((v, p) => v + step * direction[p]);
      return (await loss(regular, moved, truth)).loss;
    };
    const expected = ((await at(0.02)) - (await at(-0.02))) / 0.04;
    const got = slope.reduce((s, g, p) => s + g * direction[p], 0);
    expect(Math.abs(got - expected)).toBeLessThan(0.02 * Math.abs(expected));
  });
});
