import { describe, expect, it } from "vitest";
import { memoryDataset, type Dataset, type MemoryVariable } from "../../data/dataset.js";
import { adamW } from "../../engine/optimiser.js";
import { openInline } from "../../engine/runtime.node.js";
import { createTrainer } from "../../engine/train.js";
import { Graph } from "../../graph/graph.js";
import { mul, reduceSum } from "../../graph/ops.js";
import { stateAt } from "../../tasks/series.js";
import { readStations } from "../../tasks/stations.js";
import { float32 } from "../../tensor/ndarray.js";
import { random } from "../../tensor/random.js";
import { updateSeed } from "../protocol/arrival.js";
import { flatten, layoutOf, unflatten } from "../protocol/parameters.js";
import { trainTogether } from "./proof.js";
import { siteMembers } from "./data.js";
import { flatOptimiser } from "./flat-optimiser.js";
import { sampleOf } from "./samples.js";
import { initialParameters } from "./network.js";
import { everyBaseline, relativeError } from "./scores.js";
import { personalise, trainAlone } from "./own.js";
import { createWeatherSite, type WeatherSite } from "./site.js";
import { PARTS, splitParts, startsOf } from "./split.js";
import { parseSharedTask, type SharedTask } from "./task.js";
import { weatherTrainer } from "./trainer.node.js";

const HOURS = 6;
const task = parseSharedTask({
  variables: ["wind", "heat", "damp"],
  model: { name: "climax", patch: [1, 1], width: 16, depth: 1, heads: 2, ratio: 2, headDepth: 1, dropout: 0 },
  forecast: { step: HOURS, leads: [6, 12], lags: [6], firstGuess: "damped-anomaly" },
  training: { batch: 32, learningRate: 0.01 },
  split: { train: 0.6, validation: 0.15, blocks: 2 },
});

/** `heat` follows `wind`, which damped persistence of `heat` alone cannot know; `damp` follows `heat`. */
function weather(times: number, seed: number): Record<string, Float64Array> {
  const rng = random(seed);
  const series = Object.fromEntries(task.variables.map((name) => [name, new Float64Array(times)]));
  for (let t = 1; t < times; t++) {
    const [w, h, d] = task.variables.map((name) => series[name][t - 1]);
    series["wind"][t] = 0.8 * w + 0.6 * rng.normal();
    series["heat"][t] = 0.6 * h + 0.7 * w + 0.2 * rng.normal();
    series["damp"][t] = 0.6 * d + 0.7 * h + 0.2 * rng.normal();
  }
  return series;
}

const timeVariable = (times: number): MemoryVariable => ({
  dims: ["time"],
  data: { dtype: "float64", shape: [times], data: Float64Array.from({ length: times }, (_, t) => t * HOURS) },
  attrs: { units: "hours since 2001-01-01", calendar: "standard" },
});
const place = (name: string, dim: string, values: number[]): [string, MemoryVariable] => [
  name,
  { dims: [dim], data: { dtype: "float64", shape: [values.length], data: Float64Array.from(values) } },
];

/** Stations with the named variables; `gaps` of the values are missing. */
function stations(
  names: readonly string[],
  options: { times?: number; count?: number; seed: number; gaps?: number },
): Dataset {
  const { times = 600, count = 1, seed, gaps = 0 } = options;
  const rng = random(seed).split("gaps");
  const all = Array.from({ length: count }, (_, s) => weather(times, seed + s));
  const variables = names.map((name): [string, MemoryVariable] => {
    const data = new Float64Array(times * count);
    for (let t = 0; t < times; t++)
      for (let s = 0; s < count; s++) data[t * count + s] = rng.uniform() < gaps ? NaN : 280 + 5 * all[s][name][t];
    return [name, { dims: ["time", "station"], data: { dtype: "float64", shape: [times, count], data } }];
  });
  const axis = (first: number) => Array.from({ length: count }, (_, s) => first + s);
  return memoryDataset(
    Object.fromEntries([
      ["time", timeVariable(times)],
      ...variables,
      place("latitude", "station", axis(50)),
      place("longitude", "station", axis(5)),
    ]),
    { source: "stations" },
  );
}

/** The same weather all over a small grid, with noise. */
function grid(names: readonly string[], seed: number): Dataset {
  const [times, height, width] = [600, 2, 3];
  const rng = random(seed).split("noise");
  const all = weather(times, seed);
  const variables = names.map((name): [string, MemoryVariable] => {
    const data = Float32Array.from(
      { length: times * height * width },
      (_, i) => all[name][Math.floor(i / 6)] + 0.1 * rng.normal(),
    );
    return [
      name,
      { dims: ["time", "latitude", "longitude"], data: { dtype: "float32", shape: [times, height, width], data } },
    ];
  });
  return memoryDataset(
    Object.fromEntries([
      ["time", timeVariable(times)],
      ...variables,
      place("latitude", "latitude", [10, 12]),
      place("longitude", "longitude", [100, 102, 104]),
    ]),
    { source: "grid" },
  );
}

const runtime = openInline({ threads: 1 });
const siteOf = async (data: Dataset, given: SharedTask = task): Promise<WeatherSite> =>
  weatherTrainer({ task: given, data, runtime: await runtime });
const validation = async (site: WeatherSite, params: Parameters<WeatherSite["errors"]>[0]) =>
  relativeError(await site.errors(params, "validation"), site.baseline("damped", "validation"));

describe("sites that differ", () => {
  it("train one model through the hub: each learns, though none has all variables or the same grid", async () => {
    const owners = [
      { name: "coast", site: await siteOf(stations(["wind", "heat"], { seed: 1, gaps: 0.1 })) },
      { name: "network", site: await siteOf(stations(["heat", "damp"], { seed: 7, count: 2 })) },
      { name: "grid", site: await siteOf(grid(["wind", "heat", "damp"], 11)) },
    ];
    expect(owners.map(({ site }) => site.variables)).toEqual([["wind", "heat"], ["heat", "damp"], task.variables]);
    const config = { run: "weather", rounds: 4, seed: 3, budget: { steps: 25 } };
    const { params } = await trainTogether({ config, task, owners });
    expect([...params.keys()]).toEqual([...initialParameters(task).keys()]);
    for (const { site, name } of owners) expect(await validation(site, params), name).toBeLessThan(0.85);
    const rows = await owners[0].site.evaluate(params);
    expect(rows[0]).toMatchObject({ metric: "relative-mse" });
    expect(rows[0].low!).toBeLessThan(rows[0].value);
    expect(rows[0].high!).toBeGreaterThan(rows[0].value);
    expect(rows.filter((r) => r.metric === "rmse").map((r) => r.variable)).toEqual(["wind", "heat"]);
    expect(rows.find((r) => r.metric === "relative-mse of damped")?.value).toBeCloseTo(1, 10);
  });

  it("send gradients that the hub's Adam takes steps by, shorter as the run ends", async () => {
    const gradients: SharedTask = { ...task, training: { ...task.training, sends: "gradient" } };
    const owners = [{ name: "coast", site: await siteOf(stations(["wind", "heat", "damp"], { seed: 1 }), gradients) }];
    const after = async (rounds: number, floor: number): Promise<number[]> => {
      const strategy = { name: "fedadam" as const, options: { rate: 0.01, floor, tau: 1e-8 } };
      const config = { run: "gradients", rounds, seed: 3, budget: { steps: 1 }, strategy };
      const { last } = await trainTogether({ config, task: gradients, owners });
      return [...last.values()].flatMap(({ data }) => [...data]);
    };
    const [one, whole, falling] = [await after(1, 0), await after(2, 1), await after(2, 0)];
    // The second of two rounds has half the run behind it: half the rate
    const moved = whole.map((v, i) => v - one[i]);
    expect(Math.hypot(...moved)).toBeGreaterThan(0.1);
    falling.forEach((v, i) => expect(v - one[i]).toBeCloseTo(moved[i] / 2, 5));
  });

  it("send the mean of a round's gradients, and remember those before where the task says so", async () => {
    const training = { ...task.training, sends: "gradient" as const, gradientMemory: 0.75, clip: 1e9 };
    const site = await siteOf(stations(["wind", "heat"], { seed: 1 }), { ...task, training });
    const initial = initialParameters(task, 5);
    const sent = async (given: { seed: number; progress: number }): Promise<number[]> => {
      const { params, gradient, arrays } = await site.train(initial, { budget: { steps: 1 }, ...given });
      expect(gradient).toBe(true);
      return arrays!.flatMap((name) => [...params.get(name)!.data].map((w, i) => initial.get(name)!.data[i] - w));
    };
    const first = await sent({ seed: 1, progress: 0 });
    const fresh = await sent({ seed: 2, progress: 0 });
    expect(await sent({ seed: 1, progress: 0 })).toEqual(first);
    const second = await sent({ seed: 2, progress: 0.1 });
    second.forEach((v, i) => expect(v).toBeCloseTo(0.75 * first[i] + 0.25 * fresh[i], 6));
    // For itself it takes steps
    const own = await site.train(initial, { budget: { steps: 40 }, seed: 1, progress: 0, own: true });
    expect(own.gradient).toBeUndefined();
    expect(await validation(site, new Map([...initial, ...own.params]))).toBeLessThan(0.95);
    // A strategy that would correct a site's steps cannot; the run ends with that word, not with a wait
    const strategy = { name: "fedprox" as const };
    const config = { run: "pulled", rounds: 2, budget: { steps: 1 }, strategy };
    const owners = [{ name: "coast", site }];
    await expect(trainTogether({ config, task: { ...task, training }, owners })).rejects.toThrow(
      /take strategy fedadam, or let sites send models/,
    );
  });

  it("give gradients as the loss changes, along which FedAMD steps", async () => {
    const site = await siteOf(stations(["wind", "heat", "damp"], { seed: 1 }));
    const layout = layoutOf(initialParameters(task));
    const at = flatten(initialParameters(task, 5), layout);
    const rng = random(8);
    at.forEach((w, i) => (at[i] = w + 0.05 * rng.normal()));
    const gradient = flatten(await site.gradient!(unflatten(at, layout), { size: "small", seed: 3 }), layout);
    // A round's loss is that of its first batch before any step, which the seed fixes, as it does the small gradient's
    const lossAt = async (direction: Float32Array, by: number): Promise<number> => {
      const params = unflatten(
        at.map((w, i) => w + by * direction[i]),
        layout,
      );
      return (await site.train(params, { budget: { steps: 1 }, seed: 3 })).loss!;
    };
    const blurred = gradient.map((g) => g * (1 + rng.normal()));
    for (const direction of [gradient, blurred]) {
      const slope = direction.reduce((sum, d, i) => sum + d * gradient[i], 0);
      const change = ((await lossAt(direction, 1e-3)) - (await lossAt(direction, -1e-3))) / 2e-3;
      expect(slope).toBeGreaterThan(0.01);
      expect(change / slope).toBeCloseTo(1, 1);
    }

    // FedAMD without further anchors: everyone is one in the first round, then steps are along the direction they gave
    const strategy = { name: "fedamd" as const, options: { anchors: 0, local: 0.5 } };
    const config = { run: "anchors", rounds: 2, seed: 3, budget: { steps: 1 }, strategy };
    const { last } = await trainTogether({ config, task, owners: [{ name: "coast", site }] });
    const before = initialParameters(task, 3);
    const anchor = await site.gradient!(before, { size: "large", seed: updateSeed(3, 0, "coast") });
    const moved = flatten(before, layout).map((w, i) => (w - flatten(last, layout)[i]) / 0.5);
    flatten(anchor, layout).forEach((g, i) => expect(moved[i]).toBeCloseTo(g, 5));
    expect(Math.hypot(...moved)).toBeGreaterThan(0.01);
  });

  it("hold their part of the shared arrays, and the same seed gives the same numbers", async () => {
    const site = await siteOf(stations(["wind", "heat"], { seed: 1 }));
    const initial = initialParameters(task, 5);
    const trained = await site.train(initial, { budget: { steps: 3 }, seed: 9 });
    expect(trained.arrays).toEqual([...initial.keys()].filter((name) => !name.includes("damp")));
    expect([...trained.params.keys()]).toEqual(trained.arrays);
    expect(trained.params).toEqual((await site.train(initial, { budget: { steps: 3 }, seed: 9 })).params);
    const other = await site.train(initial, { budget: { steps: 3 }, seed: 10 });
    expect(other.params).not.toEqual(trained.params);
    expect((await site.train(initial, { budget: { samples: 64 }, seed: 9 })).steps).toBe(2);
    expect(initial).toEqual(initialParameters(task, 5));
  });

  it("add a strategy's offset and pull to the gradient", async () => {
    const plain = {
      ...task,
      training: { ...task.training, optimiser: "sgd" as const, momentum: 0, clip: 1e9, learningRate: 0.1 },
    };
    const site = await siteOf(stations(["wind", "heat"], { seed: 1 }), plain);
    const initial = initialParameters(plain, 5);
    const shifted = new Map(
      [...initial].map(([name, a]) => [
        name,
        float32(
          a.shape,
          a.data.map((v) => v + 0.5),
        ),
      ]),
    );
    const offset = new Map(
      [...initial].map(([name, a]) => [
        name,
        float32(
          a.shape,
          a.data.map((_, i) => 0.01 * (i % 3)),
        ),
      ]),
    );
    const step = { budget: { steps: 1 }, seed: 9 };
    const without = (await site.train(initial, step)).params;
    const pulled = (await site.train(initial, { ...step, offset, proximal: { weight: 0.2, anchor: shifted } })).params;
    for (const [name, { data }] of without)
      data.forEach((v, i) => expect(pulled.get(name)!.data[i]).toBeCloseTo(v - 0.1 * (0.01 * (i % 3) - 0.2 * 0.5), 5));
  });
});

describe("a site's own", () => {
  it("first guess is damped persistence: a model that has learnt nothing scores as it does", async () => {
    const site = await siteOf(stations(["wind", "heat"], { seed: 1, gaps: 0.2 }));
    expect(await validation(site, initialParameters(task))).toBeCloseTo(1, 6);
    // By hand, from the raw values and the fitted climatology
    const [member] = site.members;
    const { normaliser: n, series } = member;
    const errors = everyBaseline((name) => site.baseline(name, "test", 1e6));
    const from = [...series.times.keys()].filter((t) => member.parts[t] === 2 && member.parts[t + 2] === 2);
    const persistence = from
      .map((t) => (stateAt(series, t)[1] - stateAt(series, t + 2)[1]) ** 2)
      .filter((v) => v === v);
    const column = errors.persistence.columns.findIndex((c) => c.variable === "heat" && c.lead === 12);
    const seen = errors.persistence.squares.flatMap((row, k) =>
      errors.persistence.counts[k][column] ? [row[column]] : [],
    );
    expect(seen).toHaveLength(persistence.length);
    seen.forEach((v, k) => expect(v).toBeCloseTo(persistence[k], 2));
    const usual = from
      .map(
        (t) => (n.climatology.at(series.times[t + 2])[1] - stateAt(series, t + 2)[1]) ** 2 + 0 * stateAt(series, t)[1],
      )
      .filter((v) => v === v);
    const climatology = errors.climatology.squares.map((row) => row[column]).filter((v) => v > 0);
    climatology.forEach((v, k) => expect(v).toBeCloseTo(usual[k], 2));
  });

  it("ridge regression finds what is linear", async () => {
    // One step ahead, given wind and heat, only the noise of heat is left: a deviation of 0.2 x 5 K. Its share of what damped
    // persistence leaves is far from 1
    const site = await siteOf(stations(["wind", "heat"], { seed: 1, times: 3000 }));
    const [ridge, damped] = (["ridge", "damped"] as const).map((name) => site.baseline(name, "test", 1e6));
    const column = ridge.columns.findIndex((c) => c.variable === "heat" && c.lead === 6);
    const mean = (of: typeof ridge) => of.squares.reduce((s, row) => s + row[column], 0) / of.starts;
    expect(mean(ridge)).toBeGreaterThan(0.9);
    expect(mean(ridge)).toBeLessThan(1.12);
    expect(mean(damped)).toBeGreaterThan(5);
  });

  it("fine-tuning is kept only where its validation is surely better", async () => {
    const site = await siteOf(stations(["wind", "heat"], { seed: 1 }));
    const initial = initialParameters(task);
    const alone = await trainAlone(site, task, initial, { steps: 80, seed: 1 });
    expect(alone.validation).toBeLessThan(0.9);
    const better = await personalise(site, task, initial, {
      steps: 80,
      seed: 1,
      learningRate: task.training.learningRate,
    });
    expect(better.step).toBeGreaterThan(0);
    const again = await personalise(site, task, alone.params, { steps: 2, seed: 1, learningRate: 1e-9 });
    expect(again.step).toBe(0);
    expect(again.validation).toBeLessThanOrEqual(alone.validation);

    const spoilt = new Map([...alone.params].map(([n, a]) => [n, { ...a, data: a.data.map((w) => -20 * w) }]));
    expect(await validation(site, spoilt)).toBeGreaterThan(2);
    const rescued = await personalise(site, task, spoilt, { steps: 2, seed: 1, learningRate: 1e-9 });
    expect(rescued.validation).toBeLessThan(1 + 1e-6); // 1 is the first guess
    expect(await validation(site, rescued.params)).toBeCloseTo(rescued.validation, 10);
  });
});

describe("the record's parts", () => {
  it("never look into one another", () => {
    const [lead, lag] = [4, 3];
    const parts = splitParts(1000, { train: 0.6, validation: 0.15, blocks: 5, gap: 4 });
    const touched = PARTS.map((part) => {
      const seen = new Set<number>();
      for (const start of startsOf(parts, part, lead, (t) => t >= lag))
        for (let t = start - lag; t <= start + lead; t++) seen.add(t);
      return seen;
    });
    expect(touched.every((seen) => seen.size > 50)).toBe(true);
    for (let i = 0; i < 3; i++)
      for (let j = 0; j < i; j++) expect([...touched[i]].filter((t) => touched[j].has(t))).toEqual([]);
  });
});

describe("stations", () => {
  it("are series of one point on a regular axis, what was not reported missing", async () => {
    const all = stations(["wind"], { seed: 2, count: 2, times: 40 });
    const kept = [0, 1, 2, 5, 6];
    const cut = memoryDataset({
      time: {
        ...timeVariable(5),
        data: { dtype: "float64", shape: [5], data: Float64Array.from(kept, (t) => t * HOURS) },
      },
      wind: { dims: ["time", "station"], data: await all.variables.get("wind")!.read({ time: kept }) },
      ...Object.fromEntries([place("latitude", "station", [50, 51]), place("longitude", "station", [5, 6])]),
    });
    const [first, second] = await readStations(cut);
    expect(first.series.times).toHaveLength(7);
    expect([...second.series.latitudes, ...second.series.longitudes]).toEqual([51, 6]);
    expect(Array.from(second.series.values, Number.isNaN)).toEqual([false, false, false, true, true, false, false]);
    const whole = (await readStations(all))[1].series.values;
    expect(second.series.values[5]).toBe(whole[5]);
  });

  it("that cannot take part hear why", async () => {
    const other = { ...task, variables: ["rain", "snow"] };
    await expect(siteOf(stations(["wind"], { seed: 1 }), other)).rejects.toThrow(
      /it has none of the run's variables \(rain, snow\); it has wind/,
    );
    const slow = { ...task, forecast: { ...task.forecast, step: 3 } };
    await expect(siteOf(stations(["wind"], { seed: 1 }), slow)).rejects.toThrow(
      /a state every 6 h, but the run's step is 3 h/,
    );
    await expect(siteOf(stations(["wind"], { seed: 1, times: 40 }))).rejects.toThrow(/give a longer record/);
    await expect(siteMembers(stations(["wind"], { seed: 1 }), task, { only: ["nowhere"] })).rejects.toThrow(
      /there is no station 'nowhere'/,
    );
    expect(() => parseSharedTask({ variables: ["wind"], forecast: { step: 6, leads: [7] } })).toThrow(
      /7 h is not a multiple/,
    );
    expect(() => parseSharedTask({ variables: ["wind"], forecast: { step: 6, leads: [6] }, rate: 1 })).toThrow(/rate/);
    expect(() => initialParameters({ ...task, model: { name: "unet" } })).toThrow(/take climax/);
  });
});

it("the flat optimiser takes the engine's AdamW steps", async () => {
  const rng = random(4);
  const [w, c] = ["w", "c"].map(() =>
    float32(
      [3, 4],
      Array.from({ length: 12 }, () => rng.normal()),
    ),
  );
  const graph = new Graph("sum");
  const trainer = await createTrainer(await runtime, {
    loss: reduceSum(mul(graph.parameter("w", [3, 4]), graph.input("c", "float32", [3, 4]))),
    parameters: new Map([["w", w]]),
    optimiser: adamW({ beta2: 0.98, weightDecay: 0.05 }),
    clipNorm: 1,
  });
  const flat = flatOptimiser(task, new Uint8Array(12).fill(1));
  const weights = w.data.slice();
  for (let k = 1; k <= 5; k++) {
    const gradient = float32(
      [3, 4],
      c.data.map((v) => v * Math.cos(k)),
    );
    await trainer.train([{ c: gradient }], { learningRate: 0.01 * k });
    flat.step(weights, gradient.data, 0.01 * k);
  }
  (await trainer.parameters()).get("w")!.data.forEach((v, i) => expect(weights[i]).toBeCloseTo(v, 5));
});

it("members of a site share one graph", async () => {
  const { members, variables } = await siteMembers(stations(["wind", "heat"], { seed: 1, count: 3 }), task);
  expect(members.map((m) => m.series.latitudes[0])).toEqual([50, 51, 52]);
  const site = await createWeatherSite({ task, members, variables, runtime: await runtime });
  const [only] = members;
  const single = await createWeatherSite({ task, members: [only], variables, runtime: await runtime });
  expect(site.describe().samples).toBe(3 * single.describe().samples);
  const errors = await site.errors(initialParameters(task), "test");
  expect(errors.columns).toHaveLength(3 * 2 * 2);
});

describe("the site's ridge regression as first guess", () => {
  const ridged: SharedTask = { ...task, forecast: { ...task.forecast, firstGuess: "ridge" } };

  it("is what a model that has learnt nothing forecasts, and training begins from there", async () => {
    const site = await siteOf(stations(["wind", "heat", "damp"], { seed: 1, count: 2, gaps: 0.1 }), ridged);
    const initial = initialParameters(ridged);
    const line = relativeError(site.baseline("ridge", "validation"), site.baseline("damped", "validation"));
    expect(line).toBeLessThan(0.6);
    expect(await validation(site, initial)).toBeCloseTo(line, 6);
    const { validation: after } = await trainAlone(site, ridged, initial, { steps: 40, seed: 2, learningRate: 1e-3 });
    expect(after).toBeLessThanOrEqual(line + 1e-6);
  });

  it("has not seen the training days it is asked for: noise is not foretold", async () => {
    const [times, rng] = [240, random(9)];
    const noise = memoryDataset(
      Object.fromEntries([
        ["time", timeVariable(times)],
        ...task.variables.map((name): [string, MemoryVariable] => [
          name,
          {
            dims: ["time", "station"],
            data: {
              dtype: "float64",
              shape: [times, 1],
              data: Float64Array.from({ length: times }, () => rng.normal()),
            },
          },
        ]),
        place("latitude", "station", [50]),
        place("longitude", "station", [5]),
      ]),
      { source: "noise" },
    );
    const { members } = await siteMembers(noise, ridged);
    const [member] = members;
    const size = member.normaliser.anomaly.length;
    let [against, power] = [0, 0];
    for (const start of member.starts.train[0]) {
      const sample = sampleOf(ridged, { member, start, lead: 0 });
      const guess = member.ridge.at(start, 0);
      for (let p = 0; p < size; p++) {
        against += sample.truth[p] * guess[p];
        power += guess[p] * guess[p];
      }
    }
    // A fit that had seen them would agree with the truth by as much as its own length
    expect(against).toBeLessThan(0.5 * power);
  });
});
