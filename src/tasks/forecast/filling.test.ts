/** The mixed objective of `masked`: filling in what is hidden of the present state, beside the forecast. */
import { beforeAll, expect, it } from "vitest";
import { feedDropout } from "../../engine/dropout.js";
import { initialise, type Parameters, scope } from "../../engine/parameters.js";
import type { Feeds, Runtime } from "../../engine/runtime.js";
import { openInline } from "../../engine/runtime.node.js";
import { exportOnnx } from "../../graph/export.js";
import { gradients } from "../../graph/grad.js";
import { Graph, type Tensor } from "../../graph/graph.js";
import { resolveModel } from "../../models/index.js";
import { globe, noise } from "../../models/testing.js";
import { float32 } from "../../tensor/ndarray.js";
import { random } from "../../tensor/random.js";
import { readSeries, type Series } from "../series.js";
import type { Checkpoint } from "../fit.js";
import { parseForecastConfig } from "./config.js";
import { freshSite, trainingNetwork } from "./network.js";
import { departuresOf, sampleFeeds } from "./samples.js";
import { travellingWaves } from "./testing/waves.js";
import { normaliserFor, trainForecast } from "./train.js";

const config = (changes: { model?: object; training?: object } = {}) =>
  parseForecastConfig({
    data: { path: "memory", variables: ["t"] },
    forecast: { history: 1, maxLead: 24, method: "iterative", calibrate: false },
    model: { name: "masked", patch: [1, 1], window: [3, 5], width: 32, depth: 1, heads: 2, ratio: 2, ...changes.model },
    training: {
      steps: 150,
      batch: 8,
      microBatch: 8,
      learningRate: 4e-3,
      warmup: 20,
      validateEvery: 75,
      validationSamples: 8,
      average: 0.95,
      reconstruction: 1,
      ...changes.training,
    },
    seed: 2,
  });

let runtime: Runtime;
let series: Series;
beforeAll(async () => {
  runtime = await openInline({ threads: 1 });
  series = await readSeries(travellingWaves());
});

/** The training network of a configuration, with samples and masks for it. */
function network(settings: ReturnType<typeof config>, batch: number) {
  const normaliser = normaliserFor(series, settings);
  const { model, training } = settings;
  const shape = { model, normaliser, history: 1, slowMeans: 0, batch, reconstruction: training.reconstruction };
  const written = trainingNetwork({ ...shape, jumps: 1, dropout: true, shift: false }, freshSite("test"));
  const departures = departuresOf(normaliser, series);
  const picks = Array.from({ length: batch }, (_, i) => ({ start: 330 + 7 * i, lead: 1 }));
  const feeds: Feeds = {
    ...sampleFeeds(normaliser, departures, picks, { history: 1, slowDays: [] }, 1),
    ...written.dropout.draw(random(4)),
  };
  return { ...written, feeds };
}

async function values(
  { parameters: { graph }, loss, filled }: ReturnType<typeof network>,
  feeds: Feeds,
): Promise<{ loss: number; filled: number }> {
  const session = await runtime.load(
    exportOnnx(graph, {
      outputs: new Map([
        ["loss", loss],
        ["filled", filled!],
      ]),
    }),
  );
  const out = await session.run(feeds);
  await session.close();
  return { loss: Number(out["loss"].data[0]), filled: Number(out["filled"].data[0]) };
}

it("has the gradient that finite differences find, through both parts of the loss", async () => {
  const net = network(config({ training: { reconstruction: 0.7 } }), 2);
  const { graph } = net.parameters;
  const grads = gradients(net.loss, graph.parameters);
  const session = await runtime.load(
    exportOnnx(graph, {
      outputs: new Map([["loss", net.loss], ...graph.parameters.map((p, i) => [`g/${p.name}`, grads[i]] as const)]),
    }),
  );
  const rng = random(6);
  const start = initialise(net.parameters, { seed: 1 });
  // Away from the zeros that heads start at
  const from = new Map([...start].map(([name, a]) => [name, a.data.map((v) => v + 0.1 * rng.normal())]));
  const along = new Map([...start].map(([name, a]) => [name, a.data.map(() => rng.normal())]));
  const at = (h: number) =>
    session.run({
      ...net.feeds,
      ...Object.fromEntries(
        [...start].map(([name, a]) => [
          name,
          float32(
            a.shape,
            from.get(name)!.map((v, i) => v + h * along.get(name)![i]),
          ),
        ]),
      ),
    });
  const here = await at(0);
  const slope = [...along].reduce(
    (sum, [name, d]) => sum + (here[`g/${name}`].data as Float32Array).reduce((s, g, i) => s + g * d[i], 0),
    0,
  );
  const loss = async (h: number) => Number((await at(h))["loss"].data[0]);
  // Richardson's extrapolation, as for the architectures
  const central = async (h: number) => ((await loss(h)) - (await loss(-h))) / (2 * h);
  const difference = (4 * (await central(1e-3)) - (await central(2e-3))) / 3;
  expect(Math.abs(difference - slope)).toBeLessThan(0.01 * Math.abs(slope) + 0.02);
  for (const part of ["hidden", "reconstruct.head.", "head."]) {
    const name = [...start.keys()].find((each) => each.startsWith(part))!;
    expect((here[`g/${name}`].data as Float32Array).some((g) => g !== 0)).toBe(true);
  }
  await session.close();
});

it("learns to say what stands where it sees nothing", async () => {
  const settings = config();
  const saved = new Map<number, Checkpoint>();
  const store = {
    load: async (member: number) => saved.get(member),
    save: async (checkpoint: Checkpoint) => void saved.set(checkpoint.member, checkpoint),
  };
  const normaliser = normaliserFor(series, settings);
  for await (const event of trainForecast({ runtime, series, config: settings, store, normaliser })) void event;
  const net = network(settings, 8);
  const score = async (parameters: Parameters) =>
    (await values(net, { ...net.feeds, ...Object.fromEntries(parameters) })).filled;
  const before = await score(initialise(net.parameters, { seed: 1 }));
  expect(before).toBeGreaterThan(0.5); // it says the climatology: the departures' variance
  expect(await score(saved.get(1)!.parameters)).toBeLessThan(0.5 * before);
});

it("sees nothing of what it is to say: the present state at hidden places changes no guess", async () => {
  const graph = new Graph("masked");
  const p = scope(graph);
  const dropout = feedDropout(graph);
  const { architecture, settings } = resolveModel({ name: "masked", width: 16, heads: 2, depth: 1 });
  const outputs = new Map<string, Tensor>();
  architecture.write(
    p,
    {
      fields: graph.input("fields", "float32", [1, 2, 8, 16]),
      condition: graph.input("condition", "float32", [1, 4]),
      channels: 1,
      variables: [{ name: "t", maps: [0] }],
      shared: [{ name: "place", maps: [1] }],
      ...globe(8, 16),
      dropout,
      fillIn: (guess) => {
        outputs.set("filled/maps", guess.maps);
        outputs.set("filled/hidden", guess.hidden);
      },
    },
    settings,
  );
  const parameters = new Map([...initialise(p, { seed: 1 })].map(([name, a], i) => [name, noise(a.shape, i)]));
  const session = await runtime.load(exportOnnx(graph, { outputs, parameters }));
  const fields = noise([1, 2, 8, 16], 5);
  const feeds = { condition: noise([1, 4], 6), ...dropout.draw(random(2)) };
  const { "filled/maps": maps, "filled/hidden": hidden } = await session.run({ ...feeds, fields });
  const isHidden = (i: number) => Number(hidden.data[i]) === 1;
  const part = Array.from(hidden.data as Float32Array).reduce((a, b) => a + b, 0) / 128;
  expect(part).toBeGreaterThan(0.2);
  expect(part).toBeLessThan(0.8);
  const changed = (where: (i: number) => boolean) =>
    session.run({ ...feeds, fields: { ...fields, data: fields.data.map((v, i) => (i < 128 && where(i) ? -v : v)) } });
  expect((await changed(isHidden))["filled/maps"].data).toEqual(maps.data);
  expect((await changed((i) => !isHidden(i)))["filled/maps"].data).not.toEqual(maps.data);
  // Two hidden tokens lie at different places, and know it
  const guesses = new Set(
    Array.from({ length: 128 }, (_, i) => i)
      .filter(isHidden)
      .map((i) => Number(maps.data[i])),
  );
  expect(guesses.size).toBeGreaterThan(10);
});

it("is refused for a model that hides nothing", () => {
  expect(() => network(config({ model: { hidden: 0 } }), 1)).toThrow(
    /training.reconstruction is for a model that hides/,
  );
});
