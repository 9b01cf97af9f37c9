import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createZarr } from "../../data/write-zarr.node.js";
import type { Runtime } from "../../engine/runtime.js";
import { openInline } from "../../engine/runtime.node.js";
import { toNumbers } from "../../tensor/ndarray.js";
import { shareOf, temperatureAt } from "./mixture.js";
import { parsePretrainConfig, pretrainRun } from "./mixture.node.js";
import { openRun, readParameters } from "./run.node.js";
import { HEIGHT, travellingWaves, WIDTH } from "./testing/waves.js";

let runtime: Runtime;
let folder: string;
beforeAll(async () => {
  runtime = await openInline({ threads: 1 });
  folder = await mkdtemp(path.join(tmpdir(), "foehn-mixture-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** The travelling waves under another name, every `thin`-th row, as a file. */
async function saved(name: string, variable: string, rows: number, steps: number): Promise<string> {
  const waves = travellingWaves({ steps });
  const read = async (of: string) => toNumbers(await waves.variables.get(of)!.read());
  const values = await read("t");
  const data = new Float32Array(steps * rows * WIDTH);
  for (let t = 0; t < steps; t++)
    for (let i = 0; i < rows * WIDTH; i++) data[t * rows * WIDTH + i] = values[t * HEIGHT * WIDTH + i];
  const file = path.join(folder, `${name}.zarr`);
  const axis = (dim: string, count: number, attrs: Record<string, string>) => ({
    dims: [dim],
    dtype: "float64" as const,
    attrs,
    count,
  });
  const axes = {
    time: axis("time", steps, { units: "hours since 2001-01-01", standard_name: "time" }),
    latitude: axis("latitude", rows, { units: "degrees_north" }),
    longitude: axis("longitude", WIDTH, { units: "degrees_east" }),
  };
  const writer = await createZarr(file, {
    dims: { time: steps, latitude: rows, longitude: WIDTH },
    variables: {
      ...Object.fromEntries(Object.entries(axes).map(([dim, { count: _, ...template }]) => [dim, template])),
      [variable]: { dims: ["time", "latitude", "longitude"], dtype: "float32", attrs: { units: "K" } },
    },
  });
  for (const [dim, { count }] of Object.entries(axes)) {
    const all = await read(dim);
    await writer.write(
      dim,
      {},
      { dtype: "float64", shape: [count], data: Float64Array.from({ length: count }, (_, i) => all[i]) },
    );
  }
  await writer.write(variable, {}, { dtype: "float32", shape: [steps, rows, WIDTH], data });
  await writer.close();
  return file;
}

const settings = (data: { name: string; path: string }[]) => ({
  task: "pretrain",
  data,
  forecast: { history: 1, maxLead: 24, method: "iterative" },
  model: { name: "climax", patch: [2, 2], width: 16, depth: 1, heads: 2, headDepth: 1, dropout: 0 },
  training: {
    steps: 60,
    batch: 4,
    microBatch: 4,
    warmup: 5,
    learningRate: 5e-3,
    validateEvery: 30,
    validationSamples: 8,
  },
});

describe("one network from several datasets", () => {
  it("trains different variables on different grids, and leaves a run for each", async () => {
    const data = [
      { name: "north", path: await saved("north", "t2m", 6, 400) },
      { name: "small", path: await saved("small", "sst", 3, 300) },
    ];
    const run = path.join(folder, "base");
    const losses: number[] = [];
    await pretrainRun({
      run,
      config: parsePretrainConfig(settings(data)),
      runtime,
      onEvent: ({ validation }) => validation !== undefined && losses.push(validation),
    });
    expect(losses[1]).toBeLessThan(0.9); // of the first guess's error, the mean of both
    const all = await readParameters(run);
    const [north, small] = [await openRun(path.join(run, "north")), await openRun(path.join(run, "small"))];
    const names = (model: typeof north) => new Set(model.members[0].keys());
    const shared = [...names(north)].filter((name) => names(small).has(name));
    expect(shared.some((name) => name.startsWith("blocks.0."))).toBe(true);
    expect([...names(north)].some((name) => name.includes("2m_temperature"))).toBe(true);
    expect([...names(small)].some((name) => name.includes("2m_temperature"))).toBe(false);
    expect(all.size).toBe(new Set([...names(north), ...names(small)]).size);
    for (const name of shared) expect(north.members[0].get(name)).toEqual(small.members[0].get(name));
  });

  it("refuses an architecture whose parameters depend on the grid, with the remedy", async () => {
    const data = [
      { name: "north", path: path.join(folder, "north.zarr") },
      { name: "small", path: path.join(folder, "small.zarr") },
    ];
    const config = parsePretrainConfig({
      ...settings(data),
      model: { name: "vit", patch: [2, 2], width: 16, depth: 1, heads: 2 },
    });
    await expect(pretrainRun({ run: path.join(folder, "vit"), config, runtime })).rejects.toThrow(
      /'small' does not fit the others in one network: .*use a model of variable tokens/,
    );
  });
});

describe("shares of datasets", () => {
  it("go from even to proportional as the temperature falls", () => {
    expect(shareOf([900, 100], 1)).toEqual([0.9, 0.1]);
    expect(shareOf([900, 100], 2)).toEqual([0.75, 0.25]); // 30 to 10
    expect(shareOf([900, 100], 1e9)[0]).toBeCloseTo(0.5, 6);
    const cooling = { temperature: 3, coolDown: 0.5 };
    expect([1, 26, 51, 100].map((step) => temperatureAt(step, cooling, 100))).toEqual([3, 2, 1, 1]);
  });
});
