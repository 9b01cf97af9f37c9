import { describe, expect, it } from "vitest";
import { type Dataset, memoryDataset } from "../../data/dataset.js";
import { openInline } from "../../engine/runtime.node.js";
import { random } from "../../tensor/random.js";
import type { Parameters } from "../protocol/parameters.js";
import { LINE, lineOf, priorOf } from "./line.js";
import { initialParameters } from "./network.js";
import { centralTraining } from "./pooled.js";
import { trainTogether } from "./proof.js";
import { withRidge } from "./ridge.js";
import { relativeError } from "./scores.js";
import type { WeatherSite } from "./site.js";
import { parseSharedTask } from "./task.js";
import { weatherTrainer } from "./trainer.node.js";

const task = parseSharedTask({
  variables: ["wind", "heat"],
  model: { name: "climax", patch: [1, 1], width: 8, depth: 0, heads: 2, headDepth: 1, dropout: 0 },
  forecast: { step: 6, leads: [6, 12], lags: [6, 12, 18, 24], firstGuess: "shared-ridge" },
  training: { sends: "gradient", batch: 16, learningRate: 1e-4 },
  split: { train: 0.5, validation: 0.2, blocks: 2 },
});

/** One station whose heat follows the wind of two steps before; `sign` -1 turns the law round. */
function station(times: number, seed: number, sign = 1): Dataset {
  const rng = random(seed);
  const [wind, heat] = [new Float64Array(times), new Float64Array(times)];
  for (let t = 2; t < times; t++) {
    wind[t] = 0.5 * wind[t - 1] + rng.normal();
    heat[t] = 0.5 * heat[t - 1] + sign * 0.8 * wind[t - 2] + 0.5 * rng.normal();
  }
  const field = (data: Float64Array) => ({
    dims: ["time", "station"],
    data: { dtype: "float64" as const, shape: [times, 1], data },
  });
  const place = (value: number) => ({
    dims: ["station"],
    data: { dtype: "float64" as const, shape: [1], data: Float64Array.of(value) },
  });
  return memoryDataset(
    {
      time: {
        dims: ["time"],
        data: { dtype: "float64", shape: [times], data: Float64Array.from({ length: times }, (_, t) => 6 * t) },
        attrs: { units: "hours since 2001-01-01", calendar: "standard" },
      },
      wind: field(wind),
      heat: field(heat),
      latitude: place(50),
      longitude: place(5),
    },
    { source: "station" },
  );
}

const runtime = openInline({ threads: 1 });
const siteOf = async (data: Dataset): Promise<WeatherSite> => weatherTrainer({ task, data, runtime: await runtime });
const slopesOf = (site: WeatherSite) => (lead: number) => site.members[0].ridge.slopes(lead);
/** Relative error of the site's line drawn towards that of a model, with no network. */
const lineError = async (site: WeatherSite, model: Parameters, part: "validation" | "test"): Promise<number> =>
  relativeError(
    await site.errors(
      new Map([...model, ["amplitude", { dtype: "float32", shape: [1], data: Float32Array.of(0) }]]),
      part,
      2000,
    ),
    site.baseline("damped", part, 2000),
  );

describe("a line in common", () => {
  it("goes to arrays of a shared model and back, for sites with the variables in any order or some alone", () => {
    const rng = random(1);
    const numbers = new Map<string, number>();
    const slopes = (variables: readonly string[]) => (lead: number) =>
      variables.map((variable) => {
        const maps = 1 + 4 + 6;
        const of = (name: string): number => {
          const known = numbers.get(name) ?? rng.normal();
          numbers.set(name, known);
          return known;
        };
        return Float64Array.from([
          ...Array.from({ length: maps * variables.length }, (_, i) =>
            of(`${lead} ${variable} ${variables[i % variables.length]} ${Math.floor(i / variables.length)}`),
          ),
          ...Array.from({ length: 13 }, (_, i) => of(`${lead} ${variable} condition ${i}`)),
        ]);
      });
    const both = lineOf(task, ["wind", "heat"], slopes(["wind", "heat"]));
    expect([...both.keys()]).toEqual([...initialParameters(task).keys()].filter((name) => name.startsWith(LINE)));
    for (const variables of [["heat", "wind"], ["heat"]])
      for (const lead of [0, 1])
        priorOf(task, variables, both)!(lead).forEach((row, c) =>
          row.forEach((v, i) => expect(v).toBeCloseTo(slopes(variables)(lead)[c][i], 6)),
        );
    expect(priorOf(task, ["heat"], lineOf(task, ["heat"]))).toBeUndefined();
  });

  it("is the mean of the sites' slopes after the first round, whatever the optimiser, and then stays", async () => {
    const owners = [
      { name: "a", site: await siteOf(station(600, 1)) },
      { name: "b", site: await siteOf(station(600, 2)) },
    ];
    const config = {
      run: "line",
      seed: 1,
      rounds: 4,
      budget: { steps: 1 },
      strategy: { name: "fedadam" as const, options: { volume: 0, rate: 1e-4 } },
    };
    const { last } = await trainTogether({ config, task, owners });
    const [a, b] = owners.map(({ site }) => lineOf(task, site.variables, slopesOf(site)));
    for (const [name, { data }] of a)
      data.forEach((v, i) => expect(last.get(name)!.data[i]).toBeCloseTo((v + b.get(name)!.data[i]) / 2, 5));
    const initial = initialParameters(task, 1);
    expect(
      [...last].some(
        ([name, { data }]) => !name.startsWith(LINE) && data.some((v, i) => v !== initial.get(name)!.data[i]),
      ),
    ).toBe(true);
  });

  it("pooled is the regression on all data at once", async () => {
    const owners = [
      { name: "a", site: await siteOf(station(600, 1)) },
      { name: "b", site: await siteOf(station(600, 2)) },
    ];
    const { params } = await centralTraining({
      config: { run: "pooled", rounds: 1 },
      task,
      owners,
      runtime: await runtime,
      rates: [1],
      steps: 1,
      initial: initialParameters(task),
    });
    const [{ ridge }] = withRidge(
      task,
      owners.flatMap(({ site }) => site.members),
    );
    for (const [name, { data }] of lineOf(task, task.variables, (lead) => ridge.slopes(lead)))
      data.forEach((v, i) => expect(params.get(name)!.data[i]).toBeCloseTo(v, 5));
  });

  it("helps a site with a short record, and leaves one alone to which it does not apply", async () => {
    const long = await siteOf(station(3000, 3));
    const model = new Map([...initialParameters(task), ...lineOf(task, long.variables, slopesOf(long))]) as Parameters;
    const none = initialParameters(task) as Parameters;
    const short = await siteOf(station(240, 4));
    expect(await lineError(short, model, "test")).toBeLessThan(0.98 * (await lineError(short, none, "test")));
    const unlike = await siteOf(station(1500, 5, -1));
    expect(await lineError(unlike, model, "test")).toBeLessThan(1.005 * (await lineError(unlike, none, "test")));
  });
});
