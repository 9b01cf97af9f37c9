import { describe, expect, it } from "vitest";
import { initialise, type Parameters, scope } from "../engine/parameters.js";
import type { Runtime } from "../engine/runtime.js";
import { openInline } from "../engine/runtime.node.js";
import { exportOnnx } from "../graph/export.js";
import { gradients } from "../graph/grad.js";
import { Graph } from "../graph/graph.js";
import { mul, reduceSum } from "../graph/ops.js";
import { float32, type NdArray, sizeOf } from "../tensor/ndarray.js";
import { random } from "../tensor/random.js";
import { architecture, type ModelConfig, resolveModel } from "./index.js";

const noise = (shape: number[], seed: number): NdArray<"float32"> => {
  const rng = random(seed);
  return float32(
    shape,
    Array.from({ length: sizeOf(shape) }, () => rng.normal()),
  );
};

/** Each variable has as many maps as the fields hold, what is left over belongs to none. */
function placed([, maps, height, width]: number[], channels: number) {
  const each = Math.floor(maps / channels);
  return {
    variables: Array.from({ length: channels }, (_, c) => ({
      name: `v${c}`,
      maps: Array.from({ length: each }, (_, k) => k * channels + c),
    })),
    shared:
      maps > each * channels
        ? [{ name: "rest", maps: Array.from({ length: maps - each * channels }, (_, i) => each * channels + i) }]
        : [],
    latitudes: Array.from({ length: height }, (_, i) => 90 - (180 * (i + 0.5)) / height),
    longitudes: Array.from({ length: width }, (_, j) => (360 * j) / width),
  };
}

/** The model on a small grid, with every parameter away from its zero start. */
function build(config: ModelConfig, { fields = [2, 3, 6, 8], channels = 2, global = false, condition = 4 } = {}) {
  const graph = new Graph("model");
  const p = scope(graph);
  const { architecture: arch, settings } = resolveModel(config);
  const x = graph.input("fields", "float32", fields);
  const c = graph.input("condition", "float32", [fields[0], condition]);
  const y = arch.write(p, { fields: x, condition: c, channels, global, ...placed(fields, channels) }, settings);
  const parameters: Parameters = new Map(
    [...initialise(p, { seed: 1 })].map(([name, a], i) => {
      const away = noise([a.data.length], i).data;
      return [name, { ...a, data: a.data.map((v, k) => v + 0.05 * away[k]) }];
    }),
  );
  return { graph, x, y, parameters, inputs: { fields: noise(fields, 7), condition: noise([fields[0], condition], 8) } };
}

async function run(
  runtime: Runtime,
  bytes: Uint8Array,
  feeds: Record<string, NdArray>,
): Promise<Record<string, NdArray>> {
  const session = await runtime.load(bytes);
  return session.run(feeds);
}

const VIT = { name: "vit", width: 16, depth: 1, heads: 2, headDepth: 1, dropout: 0 };
const UNET = { name: "unet", width: 8, depth: 1, dropout: 0 };

const CLIMAX = { name: "climax", width: 16, depth: 1, heads: 2, headDepth: 1, dropout: 0 };

describe.each([VIT, UNET, CLIMAX])("$name", (config) => {
  it("has the gradient that finite differences find along a random direction", async () => {
    const runtime = await openInline({ threads: 1 });
    const { graph, y, parameters, inputs } = build(config);
    const weights = graph.constant(noise([...y.shape], 11), "weights");
    const loss = reduceSum(mul(y, weights));
    const grads = gradients(loss, graph.parameters);
    const outputs = new Map([["loss", loss], ...graph.parameters.map((p, i) => [`g/${p.name}`, grads[i]] as const)]);
    const session = await runtime.load(exportOnnx(graph, { outputs }));
    const at = async (step: number) => {
      const moved = Object.fromEntries(
        [...parameters].map(([name, a], i) => [
          name,
          { ...a, data: a.data.map((v, k) => v + step * directions[i].data[k]) },
        ]),
      );
      return session.run({ ...inputs, ...moved });
    };
    const directions = [...parameters].map(([, a], i) => noise([a.data.length], 100 + i));
    const here = await at(0);
    let slope = 0;
    [...parameters.keys()].forEach((name, i) =>
      (here[`g/${name}`].data as Float32Array).forEach((g, k) => (slope += g * directions[i].data[k])),
    );
    const step = 2e-3; // float32: the cancellation error of the difference is near 1e-3 of the slope
    const difference = (Number((await at(step)).loss.data[0]) - Number((await at(-step)).loss.data[0])) / (2 * step);
    expect(Math.abs(difference - slope)).toBeLessThan(0.02 * Math.abs(slope) + 0.05);
  });

  it("gives the shape asked for on grids that its patches do not divide", () => {
    expect(build(config, { fields: [1, 3, 7, 9] }).y.shape).toEqual([1, 2, 7, 9]);
  });

  it("refuses settings that it does not have, and names the nearest", () => {
    expect(() => resolveModel({ ...config, widht: 3 })).toThrow(/model.widht: .* did you mean 'width'/);
    expect(() => resolveModel({ ...config, width: "wide" })).toThrow(/model.width is "wide", but a number is needed/);
  });
});

it("rolls with the longitude on a globe: the U-Net without its learnt positions", async () => {
  const runtime = await openInline({ threads: 1 });
  const { graph, y, parameters, inputs } = build(UNET, { fields: [1, 3, 4, 8], global: true });
  parameters.set("position", { ...parameters.get("position")!, data: parameters.get("position")!.data.map(() => 0) });
  const bytes = exportOnnx(graph, { outputs: new Map([["y", y]]), parameters });
  const by = 4; // whole cells of the coarsest level
  const roll = (a: NdArray): NdArray => {
    const width = a.shape[a.shape.length - 1];
    const data = (a.data as Float32Array).map((_, i, all) => all[i - (i % width) + (((i % width) + by) % width)]);
    return { ...a, data };
  };
  const straight = await run(runtime, bytes, inputs);
  const rolled = await run(runtime, bytes, { ...inputs, fields: roll(inputs.fields) });
  (roll(straight.y).data as Float32Array).forEach((v, i) =>
    expect((rolled.y.data as Float32Array)[i]).toBeCloseTo(v, 4),
  );
});

it("has ClimateLearn's 1.76 M parameters with ClimateLearn's configuration, the lead time's embedding aside", () => {
  // On 5.625 degrees, 49 channels at three times shown and 3 given: patch 2, width 128, depth 8, 4 heads, head of two layers
  const graph = new Graph("climatelearn");
  const { architecture: arch, settings } = resolveModel({ name: "vit" });
  const fields = graph.input("fields", "float32", [1, 147, 32, 64]);
  arch.write(
    scope(graph),
    {
      fields,
      condition: graph.input("condition", "float32", [1, 13]),
      channels: 3,
      global: true,
      ...placed([...fields.shape], 3),
    },
    settings,
  );
  const count = graph.parameters.reduce((n, t) => n + (t.name.startsWith("lead") ? 0 : sizeOf(t.shape)), 0);
  expect(count / 1e6).toBeCloseTo(1.76, 2);
});

it("names the nearest architecture", () => {
  expect(() => architecture("vitt")).toThrow(/did you mean 'vit'/);
});
