import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Runtime } from "../../engine/runtime.js";
import { openInline } from "../../engine/runtime.node.js";
import { dayOfYear, hourOfDay } from "../../earth/time.js";
import { float32 } from "../../tensor/ndarray.js";
import { readSeries, type Series, stateAt } from "../series.js";
import { type ForecastConfig, parseForecastConfig } from "./config.js";
import { layerRates } from "./groups.js";
import { trainedLeads } from "./leads.js";
import { trainRun } from "./make.node.js";
import { createPredictor } from "./rollout.js";
import { departure, stateOf } from "./features.js";
import { cascade, checkStages, type Stage } from "./cascade.js";
import type { ForecastModel } from "./rollout.js";
import { openRun } from "./run.node.js";
import { departuresOf } from "./samples.js";
import { portableModel } from "./portable.js";
import { HEIGHT, travellingWaves, WIDTH } from "./testing/waves.js";
import { normaliserFor, pastOf } from "./train.js";

const config = (changes: { forecast?: object; training?: object; model?: object } = {}): ForecastConfig =>
  parseForecastConfig({
    data: { path: "memory", variables: ["t"] },
    forecast: { history: 1, maxLead: 24, method: "randomised", intervals: [6, 12], ...changes.forecast },
    model: { name: "vit", patch: [2, 2], width: 16, depth: 2, heads: 2, headDepth: 0, dropout: 0, ...changes.model },
    training: {
      steps: 40,
      batch: 4,
      microBatch: 4,
      warmup: 5,
      learningRate: 3e-3,
      validateEvery: 20,
      validationSamples: 8,
      ...changes.training,
    },
    seed: 3,
  });

let runtime: Runtime;
let series: Series;
let folder: string;
beforeAll(async () => {
  runtime = await openInline({ threads: 1 });
  series = await readSeries(travellingWaves());
  folder = await mkdtemp(path.join(tmpdir(), "foehn-recipes-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe("randomised intervals", () => {
  it("learns each interval, and averages the ways that reach a lead", async () => {
    const dataset = travellingWaves();
    const run = path.join(folder, "randomised");
    const settings = config({ forecast: { calibrate: false } });
    const model = await trainRun({ run, config: settings, dataset, runtime });
    const departures = departuresOf(model.normaliser, series);
    const start = departures.start(300, { history: 1, slowDays: [] });
    const leads = async (intervals: number[], wanted: number[], paths: "all" | "fewest" = "all") => {
      const predictor = await createPredictor(runtime, {
        ...model,
        config: { ...model.config, forecast: { ...model.config.forecast, intervals, paths } },
      });
      const out: Float32Array[] = [];
      for await (const { departures: us } of predictor.departures([start], wanted)) out.push(us[0]);
      await predictor.close();
      return out;
    };
    const [six1, six2] = await leads([6], [1, 2]);
    const [twelve] = await leads([12], [2]);
    const [both1, both2] = await leads([6, 12], [1, 2]);
    expect(both1).toEqual(six1); // 6 h is reached by one way alone
    both2.forEach((v, i) => expect(v).toBeCloseTo((six2[i] + twelve[i]) / 2, 5));
    expect(twelve).not.toEqual(six2);
    await expect(leads([12], [1])).rejects.toThrow("6 h is not a multiple of any of the model's intervals");

    // By the fewest jumps: 12 h in one, 30 h in 12 + 12 + 6
    const fewest = await leads([6, 12], [2, 3, 5], "fewest");
    expect(fewest[0]).toEqual(twelve);
    expect(fewest[2]).toEqual((await leads([6, 12], [5], "fewest"))[0]);
    const [, twice] = await leads([12], [2, 4]);
    const six = async (elapsed: number, from: Float32Array): Promise<Float32Array> => {
      const predictor = await createPredictor(runtime, {
        ...model,
        config: { ...model.config, forecast: { ...model.config.forecast, intervals: [6] } },
      });
      const begin = { ...start, time: start.time + elapsed * model.normaliser.step, departures: [from] };
      const after = await first(predictor.departures([begin], [1], elapsed));
      await predictor.close();
      return after.departures[0];
    };
    expect(fewest[1]).toEqual(await six(2, twelve));
    expect(fewest[2]).toEqual(await six(4, twice));
  });

  it("draws only intervals whose jumps stay within the longest lead, and names what does not fit", () => {
    const settings = config();
    const normaliser = normaliserFor(series, settings);
    expect(trainedLeads(settings, normaliser, 1)).toEqual([1, 2]);
    expect(trainedLeads(settings, normaliser, 3)).toEqual([1]);
    expect(() => trainedLeads(settings, normaliser, 5)).toThrow("lengthen it or shorten training.rollout");
    expect(() => trainedLeads(config({ forecast: { intervals: [9] } }), normaliser, 1)).toThrow(
      "9 h is not a multiple of the data's step of 6 h",
    );
    expect(() => trainedLeads(config({ forecast: { history: 2 } }), normaliser, 1)).toThrow("set it to 1");
  });
});

describe("a cascade", () => {
  it("of a model with itself is its own roll-out; of two, the second starts from the first's states", async () => {
    const dataset = travellingWaves();
    const trained = async (name: string, forecast: object, training: object) => {
      const settings = config({ forecast: { method: "iterative", intervals: [6], ...forecast }, training });
      return trainRun({ run: path.join(folder, name), config: settings, dataset, runtime });
    };
    const short = await trained("short", { history: 2, slowMeans: [2], calibrate: false }, { steps: 8 });
    const medium = await trained("medium", { method: "direct", history: 2, calibrate: true }, { steps: 8 });
    const forecasts = async (models: [ForecastModel, number][], leads: number[], index = 300) => {
      const stages: Stage[] = [];
      for (const [model, after] of models)
        stages.push({ model, after, predictor: await createPredictor(runtime, model) });
      const starts = models.map(([model]) => [
        departuresOf(model.normaliser, series).start(index, pastOf(model.config)),
      ]);
      const out = new Map<number, Float32Array>();
      for await (const { lead, states } of cascade(stages, starts, leads)) out.set(lead, states[0]);
      for (const { predictor } of stages) await predictor.close();
      return { out, starts };
    };
    const alone = (await forecasts([[short, 0]], [2, 3, 4, 6])).out;
    const split = (await forecasts([[short, 0], [short, 3]], [2, 4, 6])).out; // prettier-ignore
    expect([...split.keys()]).toEqual([2, 4, 6]);
    for (const lead of [2, 4, 6])
      split.get(lead)!.forEach((v, p) => expect(Math.abs(v - alone.get(lead)![p])).toBeLessThan(1e-3)); // 280 K in single precision

    const { out, starts } = await forecasts([[short, 0], [medium, 3]], [3, 4]); // prettier-ignore
    expect(out.get(3)).toEqual(alone.get(3));
    const n = medium.normaliser;
    const time = starts[0][0].time + 3 * n.step;
    const begin = {
      ...starts[1][0],
      time,
      departures: [3, 2].map((lead, j) => departure(n, alone.get(lead)!, time - j * n.step)),
    };
    const predictor = await createPredictor(runtime, medium);
    const after = await first(predictor.departures([begin], [1], 3));
    await predictor.close();
    const expected = stateOf(n, after.departures[0], time + n.step);
    expect(out.get(4)).toEqual(expected);
    expect(out.get(4)).not.toEqual(alone.get(4));
    expect(() => checkStages([{ model: short, after: 0 }, { model: medium, after: 1 }])).toThrow("at least 12 h after"); // prettier-ignore
    const other = { ...medium, normaliser: { ...n, channels: ["q"] } };
    expect(() => checkStages([{ model: short, after: 0 }, { model: other, after: 4 }])).toThrow("other fields"); // prettier-ignore
  });
});

describe("fine-tuning", () => {
  it("rates fall with every block passed on the way from the output", () => {
    const rate = layerRates(["embed.w", "position", "blocks.0.w", "blocks.1.w", "norm.scale", "out.w"], 0.5);
    expect(["out.w", "norm.scale", "blocks.1.w", "blocks.0.w", "position", "embed.w"].map(rate)).toEqual([
      1, 1, 0.5, 0.25, 0.125, 0.125,
    ]);
    expect(layerRates(["in.w"], 1)("in.w")).toBe(1);
    expect(() => layerRates(["in.w"], 0.9)).toThrow("numbered blocks");
  });

  it("starts from another run's parameters, keeps what is frozen, trains the rest", async () => {
    const dataset = travellingWaves();
    const base = path.join(folder, "base");
    const direct = { method: "iterative", intervals: [6] };
    const from = await trainRun({ run: base, config: config({ forecast: direct }), dataset, runtime });
    const tuned = await trainRun({
      run: path.join(folder, "tuned"),
      config: config({ forecast: direct, training: { from: base, freeze: ["blocks."], layerDecay: 0.7 } }),
      dataset,
      runtime,
    });
    let moved = 0;
    for (const [name, array] of tuned.members[0]) {
      const before = from.members[0].get(name)!.data;
      if (name.startsWith("blocks.")) expect(array.data).toEqual(before);
      else if (array.data.some((v, i) => v !== before[i])) moved++;
    }
    expect(moved).toBeGreaterThan(3);
    await expect(
      trainRun({
        run: path.join(folder, "other"),
        config: config({ forecast: direct, model: { width: 32 }, training: { from: base } }),
        dataset,
        runtime,
      }),
    ).rejects.toThrow("of this model's");
  });

  it("leaves a card that says what a person must know", async () => {
    const card = await readFile(path.join(folder, "base", "card.md"), "utf8");
    expect(card).toContain("# Forecasts of t");
    expect(card).toContain("t (K)");
    expect(card).toMatch(/\| t \| 24 \| [\d.]+ \| [\d.]+ \| [\d.]+ \| [\d.]+ \|/);
    expect(card).toContain("**Trained on:** 2001-01-01");
    expect((await openRun(path.join(folder, "base"))).calibration).toBeDefined();
  });
});

describe("a forecast as one ONNX file", () => {
  it.each([
    ["iterative", { method: "iterative", history: 2, slowMeans: [2] }],
    ["direct", { method: "direct", history: 2 }],
    ["randomised", { method: "randomised" }],
    ["fewest-jumps", { method: "randomised", paths: "fewest" }],
  ])("takes and gives physical units: equal to the %s roll-out, over midnight and New Year", async (name, forecast) => {
    const dataset = travellingWaves({ steps: 1500 });
    const long = await readSeries(dataset);
    const settings = config({ forecast, training: { steps: 4, seeds: 2 } });
    const model = await trainRun({ run: path.join(folder, `portable-${name}`), config: settings, dataset, runtime });
    const { normaliser: n } = model;
    const past = pastOf(settings);
    const departures = departuresOf(n, long);
    const predictor = await createPredictor(runtime, model);
    const session = await runtime.load(portableModel(model, { leads: [1, 2, 4] }));
    // 2001-12-31 12 UTC: the leads go into the next year
    for (const index of [900, 364 * 4 + 2]) {
      const start = departures.start(index, past);
      const states = concatenated(
        Array.from({ length: past.history }, (_, j) => stateAt(long, index - past.history + 1 + j)),
      );
      const scalar = (v: number) => float32([1], Float32Array.of(v));
      const { forecast: out } = await session.run({
        states: float32([1, past.history, 1, HEIGHT, WIDTH], states),
        day_of_year: scalar(dayOfYear(start.time, n.calendar)),
        hour: scalar(hourOfDay(start.time)),
        days_in_year: scalar(365),
        // In the channel's units, without the factor of samples.ts
        ...(past.slowDays.length > 0
          ? {
              slow: float32(
                [1, 1, 1, HEIGHT, WIDTH],
                start.slow[0].map((v, p) => (v / 1.5) * n.anomaly[p]),
              ),
            }
          : {}),
      });
      let at = 0;
      for await (const { states: expected } of predictor.rollout([start], [1, 2, 4])) {
        const part = (out.data as Float32Array).subarray(at * expected[0].length, (at + 1) * expected[0].length);
        expected[0].forEach((v, p) => expect(Math.abs(part[p] - v)).toBeLessThan(2e-3)); // 280 K in single precision
        at++;
      }
      expect(at).toBe(3);
    }
    await predictor.close();
  });
});

async function first<T>(all: AsyncIterable<T>): Promise<T> {
  for await (const one of all) return one;
  throw new Error("there is nothing");
}

const concatenated = (parts: readonly Float32Array[]): Float32Array =>
  Float32Array.from(parts.flatMap((part) => [...part]));
