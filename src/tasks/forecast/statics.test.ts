import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Dataset } from "../../data/dataset.js";
import { writeZarr } from "../../data/write-zarr.node.js";
import { dayOfYear, hourOfDay } from "../../earth/time.js";
import type { Runtime } from "../../engine/runtime.js";
import { openInline } from "../../engine/runtime.node.js";
import { float32 } from "../../tensor/ndarray.js";
import { readSeries, stateAt } from "../series.js";
import { parseForecastConfig } from "./config.js";
import { trainRun } from "./make.node.js";
import { portableModel } from "./portable.js";
import { createPredictor } from "./rollout.js";
import { openRun } from "./run.node.js";
import { departuresOf } from "./samples.js";
import { readStatics } from "./statics.js";
import { AXES, HEIGHT, mapDataset, signedWeather, signs, WIDTH } from "./testing/signs.js";
import { pastOf } from "./train.js";

let runtime: Runtime;
let folder: string;
beforeAll(async () => {
  runtime = await openInline({ threads: 1 });
  folder = await mkdtemp(path.join(tmpdir(), "foehn-statics-"));
  await writeZarr(mapDataset(), path.join(folder, "map.zarr"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const config = (maps: boolean, changes: { model?: object; training?: object } = {}) =>
  parseForecastConfig({
    data: {
      path: "memory",
      variables: ["x"],
      ...(maps ? { static: [{ path: path.join(folder, "map.zarr"), variables: ["sign"] }] } : {}),
    },
    forecast: { history: 1, maxLead: 12, method: "iterative", calibrate: false },
    model: { name: "resnet", width: 16, depth: 2, dropout: 0, ...changes.model },
    training: {
      steps: 120,
      batch: 8,
      microBatch: 8,
      learningRate: 4e-3,
      warmup: 10,
      validateEvery: 40,
      validationSamples: 32,
      average: 0.9,
      ...changes.training,
    },
    seed: 1,
  });

describe("fixed maps", () => {
  const read = (dataset: Dataset, variables: string[] = []) =>
    readStatics({ data: { static: [{ path: "map.nc", variables }] } }, AXES, async () => dataset);

  it("are taken as they are on the fields' own grid", async () => {
    expect(await read(mapDataset(), ["sign"])).toEqual({ names: ["sign"], values: signs });
    expect(await readStatics({ data: { static: [] } }, AXES, async () => mapDataset())).toBeUndefined();
  });

  it("are area means of a finer grid, and lie between the points of a coarser one", async () => {
    // A linear function of longitude is its own mean over a cell, and its own interpolation
    const on = (latitudes: number[], longitudes: number[]) =>
      mapDataset(Float32Array.from(latitudes.flatMap(() => longitudes)), { latitudes, longitudes });
    const steps = (from: number, to: number, by: number) =>
      Array.from({ length: Math.round((to - from) / by) + 1 }, (_, i) => from + by * i);
    for (const dataset of [on(steps(30, 65, 1), steps(-5, 50, 1)), on(steps(20, 70, 10), steps(-10, 60, 10))]) {
      const { values } = (await read(dataset))!;
      values.forEach((v, p) => expect(v).toBeCloseTo(AXES.longitudes[p % WIDTH], 3));
    }
  });

  it("are refused where they leave points out, have gaps, are not there or come twice", async () => {
    const east = { latitudes: [60, 30], longitudes: [20, 60] };
    await expect(read(mapDataset(new Float32Array(4), east))).rejects.toThrow(
      /map.nc.*'sign' of data.static has no value at 60 N, 0 E.*covers them/,
    );
    await expect(read(mapDataset(signs.map((v) => (v > 0 ? v : NaN))))).rejects.toThrow(/map.nc.*fill it/);
    await expect(read(mapDataset(), ["sing"])).rejects.toThrow(/did you mean 'sign'/);
    const twice = { data: { static: ["a.nc", "b.nc"].map((name) => ({ path: name, variables: [] })) } };
    await expect(readStatics(twice, AXES, async () => mapDataset())).rejects.toThrow(/b.nc.*'sign' comes from another/);
  });

  it("teach what depends on them, where a network without them must learn every point by heart", async () => {
    const best = async (maps: boolean): Promise<number> => {
      const run = path.join(folder, `learn-${maps}`);
      await trainRun({ run, config: config(maps), dataset: signedWeather(), runtime });
      const log = (await readFile(path.join(run, "log.jsonl"), "utf8")).trim().split("\n");
      return Math.min(...log.map((line) => (JSON.parse(line) as { validation?: number }).validation ?? Infinity));
    };
    // Of a variance of about 1 the noise of 0.3 leaves a tenth
    expect(await best(true)).toBeLessThan(0.3);
    expect(await best(false)).toBeGreaterThan(0.5);
  });

  it.each([
    { name: "resnet", width: 16, depth: 1, dropout: 0 },
    { name: "climax", patch: [2, 2], width: 16, depth: 1, heads: 2, headDepth: 0, dropout: 0 },
  ])("stay in the run and in its file: $name", async (model) => {
    const run = path.join(folder, model.name);
    const dataset = signedWeather();
    await trainRun({ run, config: config(true, { model, training: { steps: 20 } }), dataset, runtime });
    const opened = await openRun(run);
    expect(opened.normaliser.statics).toEqual({ names: ["sign"], values: signs });
    expect(await readFile(path.join(run, "card.md"), "utf8")).toContain("**Fixed maps:** sign.");
    // The maps count: without them the same parameters give something else, or none
    const { normaliser: n } = opened;
    const series = await readSeries(dataset);
    const start = departuresOf(n, series).start(350, pastOf(opened.config));
    const predictor = await createPredictor(runtime, opened, { batch: 1 });
    const session = await runtime.load(portableModel(opened, { leads: [1, 2] }));
    const scalar = (v: number) => float32([1], [v]);
    const { forecast } = await session.run({
      states: float32([1, 1, 1, HEIGHT, WIDTH], stateAt(series, 350)),
      day_of_year: scalar(dayOfYear(start.time, n.calendar)),
      hour: scalar(hourOfDay(start.time)),
      days_in_year: scalar(365),
    });
    let at = 0;
    for await (const { states } of predictor.rollout([start], [1, 2]))
      states[0].forEach((v) => expect((forecast.data as Float32Array)[at++]).toBeCloseTo(v, 4));
    expect(at).toBe(2 * HEIGHT * WIDTH);
    const other = {
      ...opened,
      normaliser: { ...n, statics: { names: ["sign"], values: signs.map((v, p) => v * ((p % 3) - 1)) } },
    };
    const changed = await createPredictor(runtime, other, { batch: 1 });
    for await (const { states } of changed.rollout([start], [1]))
      expect(states[0].some((v, p) => Math.abs(v - (forecast.data as Float32Array)[p]) > 1e-3)).toBe(true);
    for (const each of [predictor, changed, session]) await each.close();
  });
});
