import { expect, it } from "vitest";
import { initialise, scope } from "../../engine/parameters.js";
import { openInline } from "../../engine/runtime.node.js";
import { Graph } from "../../graph/graph.js";
import { random } from "../../tensor/random.js";
import type { Series } from "../series.js";
import { jumpArrays, variableNames } from "./features.js";
import { jump, jumpModel } from "./network.js";
import { fitNormaliser, type Normaliser } from "./normaliser.js";
import { departuresOf, startFeeds } from "./samples.js";

const [HEIGHT, WIDTH, STEPS] = [4, 5, 200];

/** Noise about a daily cycle, of another size for each channel; `order` says which channel comes where. */
function series(order: readonly number[]): Series {
  const rng = random(2);
  const cells = HEIGHT * WIDTH;
  const values = new Float32Array(STEPS * 2 * cells);
  for (let t = 0; t < STEPS; t++)
    for (const c of [0, 1])
      for (let i = 0; i < cells; i++)
        values[(t * 2 + order.indexOf(c)) * cells + i] =
          280 * (1 + c) + (2 + 3 * c + i / cells) * (Math.cos((Math.PI * t) / 2 + c) + rng.normal());
  const [channels, units] = [
    ["tas", "z@500"],
    ["K", "m2 s-2"],
  ].map((all) => order.map((c) => all[c]));
  return {
    times: Float64Array.from({ length: STEPS }, (_, t) => t * 6 * 3_600_000),
    values,
    channels,
    units,
    latitudes: Float64Array.from({ length: HEIGHT }, (_, i) => 50 - i),
    longitudes: Float64Array.from({ length: WIDTH }, (_, j) => j),
    calendar: "standard",
  };
}

const fitted = (s: Series): Normaliser =>
  fitNormaliser(s, {
    trainRange: [s.times[0], s.times[STEPS - 1]],
    step: 6 * 3_600_000,
    leadSteps: 2,
    firstGuess: "damped-anomaly",
  });

it("names channels by the catalogue, by themselves where it has none or has the name already", () => {
  const channels = ["t2m", "z@500", "wobble", "tas"];
  expect(variableNames({ channels, units: ["K", "m2 s-2", "1", "K"] })).toEqual([
    "2m_temperature",
    "geopotential@500",
    "wobble",
    "tas",
  ]);
});

it("says which maps are whose: channels in another order give the forecast in another order", async () => {
  const model = { name: "climax", width: 8, depth: 1, heads: 2, dropout: 0 };
  const past = { history: 2, slowDays: [3] };
  const runtime = await openInline({ threads: 1 });
  const forecast = async (order: readonly number[]) => {
    const s = series(order);
    const normaliser = fitted(s);
    const options = { model, normaliser, history: 2, slowMeans: 1, batch: 1 };
    const session = await runtime.load(jumpModel(parametersOf(options), options));
    const start = departuresOf(normaliser, s).start(100, past);
    const { next } = await session.run({
      ...startFeeds(normaliser, [start]),
      ...jumpArrays(normaliser, [{ time: start.time, lead: 2, elapsed: 0 }]),
    });
    const cells = HEIGHT * WIDTH;
    const maps = [0, 1].map((c) => (next.data as Float32Array).slice(c * cells, (c + 1) * cells));
    return order.map((_, c) => maps[order.indexOf(c)]); // by channel again
  };
  const [straight, turned] = [await forecast([0, 1]), await forecast([1, 0])];
  for (const c of [0, 1]) straight[c].forEach((v, i) => expect(turned[c][i]).toBeCloseTo(v, 4));
});

/** Numbers for the model's parameters, the same for a name whatever the order. */
function parametersOf(options: { model: { name: string }; normaliser: Normaliser }) {
  const graph = new Graph("parameters");
  const p = scope(graph);
  const { normaliser: n } = options;
  const shape = [1, n.channels.length, HEIGHT, WIDTH];
  const map = (name: string) => graph.input(name, "float32", shape);
  jump(
    p,
    options,
    [map("now"), map("before")],
    map("slow"),
    {
      usual: map("usual"),
      change: map("change"),
      damping: map("damping"),
      scale: map("scale"),
      condition: graph.input("condition", "float32", [1, 13]),
    },
    {},
  );
  return new Map(
    [...initialise(p, { seed: 1 })].map(([name, a]) => {
      const rng = random(4).split(name);
      return [name, { ...a, data: a.data.map(() => 0.3 * rng.normal()) }];
    }),
  );
}
