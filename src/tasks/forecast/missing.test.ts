import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Dataset, memoryDataset, type MemoryVariable } from "../../data/dataset.js";
import { openDataset } from "../../data/open.node.js";
import type { Runtime } from "../../engine/runtime.js";
import { openInline } from "../../engine/runtime.node.js";
import { float32, type NdArray } from "../../tensor/ndarray.js";
import { parseForecastConfig } from "./config.js";
import { trainRun, writeForecast } from "./make.node.js";
import { absentChannels, withoutChannels } from "./missing.js";
import type { ForecastModel } from "./rollout.js";
import { openRun } from "./run.node.js";
import { HEIGHT, travellingWaves, WIDTH } from "./testing/waves.js";

/** Waves in two variables: the second is the first upside down. `leave` says which are in it, `blank` which have no values. */
async function twoWaves({ leave = ["t", "u10"], blank = [] as string[] } = {}): Promise<Dataset> {
  const waves = travellingWaves();
  const t = (await waves.variables.get("t")!.read()) as NdArray<"float32">;
  const u = float32(
    t.shape,
    t.data.map((v) => 0.5 * (280 - v)),
  );
  const dims = ["time", "latitude", "longitude"];
  const all: Record<string, MemoryVariable> = {
    t: { dims, data: t, attrs: { units: "K", standard_name: "air_temperature" } },
    u10: { dims, data: u, attrs: { units: "m s-1", standard_name: "eastward_wind" } },
  };
  for (const name of blank) {
    const { data } = all[name];
    all[name] = { ...all[name], data: { ...data, data: new Float32Array(data.data.length).fill(NaN) } };
  }
  const axes: Record<string, MemoryVariable> = {};
  for (const name of dims) {
    const v = waves.variables.get(name)!;
    axes[name] = { dims: [name], data: await v.read(), attrs: v.attrs };
  }
  return memoryDataset({ ...axes, ...Object.fromEntries(leave.map((name) => [name, all[name]])) }, { source: "w.nc" });
}

const settings = (model: object) =>
  parseForecastConfig({
    data: { path: "w.nc", variables: ["t", "u10"] },
    forecast: { history: 1, maxLead: 12, method: "iterative" },
    model,
    training: {
      steps: 60,
      batch: 8,
      microBatch: 8,
      learningRate: 4e-3,
      warmup: 5,
      validateEvery: 30,
      validationSamples: 16,
    },
    seed: 1,
  });

let runtime: Runtime;
let folder: string;
let climax: ForecastModel;
beforeAll(async () => {
  runtime = await openInline({ threads: 1 });
  folder = await mkdtemp(path.join(tmpdir(), "foehn-missing-"));
  const run = path.join(folder, "climax");
  const model = { name: "climax", patch: [2, 2], width: 32, depth: 1, heads: 2, headDepth: 0, dropout: 0 };
  await trainRun({ run, config: settings(model), dataset: await twoWaves(), runtime });
  climax = await openRun(run);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Forecasts the test period for 6 h from a dataset; the file, and what was said to be missing. */
async function forecast(model: ForecastModel, dataset: Dataset, name: string) {
  const out = path.join(folder, `${name}.zarr`);
  let told: readonly string[] = [];
  const onMissing = (absent: readonly string[]) => (told = absent);
  const made = await writeForecast({ model, dataset, runtime, out, starts: "test", maxLead: 6, onMissing });
  return { ...made, told, file: await openDataset(out, { names: "original" }) };
}

/** Root mean square error of a forecast of `t` at 6 h. */
async function error(file: Dataset): Promise<number> {
  const truth = (await (await twoWaves()).variables.get("t")!.read()).data as Float32Array;
  const values = (await file.variables.get("t")!.read()).data as Float32Array;
  const times = (await file.variables.get("time")!.read()).data as Float64Array;
  const first = Date.UTC(2001, 0, 1) / 3_600_000;
  const cells = HEIGHT * WIDTH;
  let sum = 0;
  times.forEach((hours, k) => {
    const at = (hours - first) / 6 + 1;
    for (let p = 0; p < cells; p++) sum += (values[k * cells + p] - truth[at * cells + p]) ** 2;
  });
  return Math.sqrt(sum / values.length);
}

describe("data that lack a variable", () => {
  it("are forecast from by a model of variable tokens, what is there and that alone", async () => {
    const whole = await forecast(climax, await twoWaves(), "whole");
    expect(whole).toMatchObject({ told: [], missing: [] });
    const part = await forecast(climax, await twoWaves({ leave: ["t"] }), "part");
    expect(part).toMatchObject({ told: ["u10"], missing: ["u10"], starts: whole.starts });
    expect([...part.file.variables.keys()]).not.toContain("u10");
    expect(part.file.attrs["channels"]).toBe("t");
    // The waves have a deviation of 2.8 K; t alone says where they go, the second variable says it again
    expect(await error(part.file)).toBeLessThan(2);
    expect(await error(whole.file)).toBeLessThan(2);
    expect(await error(part.file)).not.toBe(await error(whole.file));
  });

  it("count as lacking what they have no values of", async () => {
    const { told, file } = await forecast(climax, await twoWaves({ blank: ["u10"] }), "blank");
    expect(told).toEqual(["u10"]);
    const values = (await file.variables.get("t")!.read()).data as Float32Array;
    expect(values.every(Number.isFinite)).toBe(true);
  });

  it("are refused by a network that needs them all, with the variable and the remedy", async () => {
    const run = path.join(folder, "unet");
    const config = settings({ name: "unet", width: 8, depth: 1, dropout: 0 });
    const model = await trainRun({ run, config, dataset: await twoWaves(), runtime });
    const out = { out: path.join(folder, "no.zarr"), runtime, starts: "latest" as const };
    for (const dataset of [await twoWaves({ leave: ["t"] }), await twoWaves({ blank: ["u10"] })])
      await expect(writeForecast({ ...out, model, dataset })).rejects.toThrow(
        /w.nc: it lacks 'u10', which this model's unet needs: .* any part of its variables \(climax, stormer, masked, met2, pointwise\)/,
      );
    await expect(writeForecast({ ...out, model: climax, dataset: await twoWaves({ leave: [] }) })).rejects.toThrow(
      /it has none of the model's variables \(t, u10\)/,
    );
  });

  it("keep the numbers of the variables that are left, calibration and all", () => {
    const part = withoutChannels(climax, ["t"], "w.nc");
    const cells = HEIGHT * WIDTH;
    const { normaliser: n } = climax;
    expect(part.normaliser.channels).toEqual(["u10"]);
    expect(part.normaliser.units).toEqual(["m s-1"]);
    expect(part.normaliser.anomaly).toEqual(n.anomaly.slice(cells));
    // Leads of 6 and 12 h
    const second = [0, 1].flatMap((lead) => [...n.damping.slice((2 * lead + 1) * cells, (2 * lead + 2) * cells)]);
    expect([...part.normaliser.damping]).toEqual(second);
    const time = Date.UTC(2001, 1, 3, 12);
    expect(part.normaliser.climatology.at(time)).toEqual(n.climatology.at(time).slice(cells));
    const { weights } = climax.calibration!;
    expect([...part.calibration!.weights]).toEqual([2, 3, 6, 7].map((i) => weights[i]));
  });

  it("are known by variable and level", async () => {
    const axis = (name: string, values: number[], units: string): MemoryVariable => ({
      dims: [name],
      data: { dtype: "float64", shape: [values.length], data: Float64Array.from(values) },
      attrs: { units },
    });
    const dataset = memoryDataset({
      level: axis("level", [500, 850], "hPa"),
      z: { dims: ["level"], data: float32([2], [1, 2]) },
    });
    expect(await absentChannels(dataset, ["z@500", "z@700", "q@500", "t2m"])).toEqual(["z@700", "q@500", "t2m"]);
  });
});
