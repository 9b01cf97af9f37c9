import { describe, expect, it } from "vitest";
import { initialise, type Parameters, scope } from "../engine/parameters.js";
import { openInline } from "../engine/runtime.node.js";
import { exportOnnx } from "../graph/export.js";
import { gradients } from "../graph/grad.js";
import { Graph } from "../graph/graph.js";
import { mul, reduceSum } from "../graph/ops.js";
import { float32, type NdArray, sizeOf } from "../tensor/ndarray.js";
import { random } from "../tensor/random.js";
import { resolveDownscale } from "./downscale.js";
import type { ModelConfig } from "./index.js";

const noise = (shape: readonly number[], seed: number): NdArray<"float32"> => {
  const rng = random(seed);
  return float32(
    [...shape],
    Array.from({ length: sizeOf(shape) }, () => rng.normal()),
  );
};

function build(config: ModelConfig, rows: number, columns: number, seed = 1) {
  const graph = new Graph("model");
  const p = scope(graph);
  const { architecture, settings } = resolveDownscale(config);
  const y = architecture.write(
    p,
    {
      fields: graph.input("fields", "float32", [1, 3, rows, columns]),
      condition: graph.input("condition", "float32", [1, 4]),
      context: () => graph.input("context", "float32", [1, 2, 5, 6]),
      channels: 2,
    },
    settings,
  );
  const start = initialise(p, { seed });
  // Away from the zero start, with every parameter at work
  const parameters: Parameters = new Map(
    [...start].map(([name, a], i) => {
      const away = noise(a.shape, i).data;
      return [name, { ...a, data: a.data.map((v, k) => v + 0.1 * away[k]) }];
    }),
  );
  const inputs = { condition: noise([1, 4], 8), context: noise([1, 2, 5, 6], 9) };
  return { graph, y, start, parameters, inputs, architecture, settings };
}

const CONFIGS: ModelConfig[] = [
  { name: "unet", width: 4, depth: 1, dropout: 0 },
  { name: "edsr", width: 4, depth: 2 },
  { name: "vit", patch: 2, window: 2, width: 8, depth: 2, heads: 2, dropout: 0 },
  { name: "patterns", filters: [4, 3], hidden: 5, dropout: 0 },
];

describe.each(CONFIGS)("$name", (config) => {
  it("has the gradient that finite differences find along a random direction", async () => {
    const runtime = await openInline({ threads: 1 });
    const { graph, y, parameters, inputs } = build(config, 8, 12);
    const loss = reduceSum(mul(y, graph.constant(noise(y.shape, 11))));
    const grads = gradients(loss, graph.parameters);
    const outputs = new Map([["loss", loss], ...graph.parameters.map((p, i) => [`g/${p.name}`, grads[i]] as const)]);
    const session = await runtime.load(exportOnnx(graph, { outputs }));
    const directions = [...parameters].map(([, a], i) => noise(a.shape, 100 + i));
    const at = (step: number) =>
      session.run({
        ...inputs,
        fields: noise([1, 3, 8, 12], 7),
        ...Object.fromEntries(
          [...parameters].map(([name, a], i) => [
            name,
            { ...a, data: a.data.map((v, k) => v + step * directions[i].data[k]) },
          ]),
        ),
      });
    const here = await at(0);
    let slope = 0;
    [...parameters.keys()].forEach((name, i) =>
      (here[`g/${name}`].data as Float32Array).forEach((g, k) => (slope += g * directions[i].data[k])),
    );
    const step = 1e-3;
    const difference = (Number((await at(step)).loss.data[0]) - Number((await at(-step)).loss.data[0])) / (2 * step);
    expect(Math.abs(difference - slope)).toBeLessThan(0.02 * Math.abs(slope) + 0.05);
  });

  it("begins at zero, nearly: an untrained model is its first guess", async () => {
    const { y, graph, start, inputs } = build(config, 8, 12);
    const session = await (
      await openInline({ threads: 1 })
    ).load(exportOnnx(graph, { outputs: new Map([["y", y]]), parameters: start }));
    const out = (await session.run({ ...inputs, fields: noise([1, 3, 8, 12], 7) })).y;
    expect(out.shape).toEqual([1, 2, 8, 12]);
    expect(Math.max(...Array.from(out.data as Float32Array, Math.abs))).toBeLessThan(0.02);
  });

  it("depends on nothing further away than it says, and on a window that begins at its stride as on the whole", async () => {
    const { architecture, settings } = build(config, 8, 12);
    const [reach, stride] = [architecture.reach(settings), architecture.stride(settings)];
    if (reach === Infinity) return; // patterns: sees the whole domain, and is not tiled
    const halo = Math.ceil(reach / stride) * stride;
    const rows = 3 * halo + 2 * stride;
    const first = Math.ceil(halo / stride) * stride; // of the window
    const runtime = await openInline({ threads: 1 });
    const run = async (height: number, fields: NdArray) => {
      const { graph, y, parameters, inputs } = build(config, height, 8);
      const session = await runtime.load(exportOnnx(graph, { outputs: new Map([["y", y]]), parameters }));
      return (await session.run({ ...inputs, fields })).y.data as Float32Array;
    };
    const whole = noise([1, 3, rows, 8], 7);
    const height = rows - first;
    const part = float32(
      [1, 3, height, 8],
      [0, 1, 2].flatMap((c) => [...whole.data.subarray((c * rows + first) * 8, (c + 1) * rows * 8)]),
    );
    const [all, some] = [await run(rows, whole), await run(height, part)];
    let most = 0;
    for (let c = 0; c < 2; c++)
      for (let i = halo * 8; i < height * 8; i++)
        most = Math.max(most, Math.abs(some[c * height * 8 + i] - all[(c * rows + first) * 8 + i]));
    expect(most).toBeLessThan(1e-5);
  });
});

it("names the nearest architecture and setting", () => {
  expect(() => resolveDownscale({ name: "edrs" })).toThrow(/did you mean 'edsr'/);
  expect(() => resolveDownscale({ name: "vit", windw: 4 })).toThrow(/did you mean 'window'/);
  expect(() => resolveDownscale({ name: "vit", window: 3 })).toThrow(/make it even/);
});
