import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readTimes } from "../../data/coords.js";
import { type Dataset, memoryDataset, type MemoryVariable } from "../../data/dataset.js";
import { openDataset } from "../../data/open.node.js";
import { openInline } from "../../engine/runtime.node.js";
import type { Runtime } from "../../engine/runtime.js";
import { toNumbers } from "../../tensor/ndarray.js";
import { random } from "../../tensor/random.js";
import { encodeSafetensors } from "../../tensor/safetensors.js";
import { writeWhole } from "../../data/files.node.js";
import { writeSiteForecast } from "./forecast.node.js";
import type { Parameters } from "../protocol/parameters.js";
import { withLine } from "./line.js";
import { initialParameters } from "./network.js";
import { trainAlone } from "./own.js";
import type { WeatherSite } from "./site.js";
import { isSiteFolder, openSite, saveSite, siteModel } from "./site-folder.node.js";
import { parseSharedTask } from "./task.js";
import { weatherTrainer } from "./trainer.node.js";

const HOURS = 6;
const task = parseSharedTask({
  variables: ["heat", "wind"],
  model: { name: "climax", patch: [1, 1], width: 8, depth: 1, heads: 2, ratio: 2, headDepth: 1, dropout: 0 },
  forecast: { step: HOURS, leads: [6, 12], lags: [6] },
  training: { batch: 16, learningRate: 0.003 },
  split: { train: 0.6, validation: 0.15, blocks: 2 },
});

/** The same task from a line in common, with a coarse wind around. */
const around = parseSharedTask({
  ...task,
  forecast: { ...task.forecast, firstGuess: "shared-ridge" },
  surroundings: { variables: ["wind"], reach: 300, points: 3, lags: [12] },
});

/** Two stations, or a grid of two rows and three columns, whose heat follows the wind. */
function record(places: "stations" | "grid", { times = 400, from = 0 } = {}): Dataset {
  const [rng, cells] = [random(4), places === "grid" ? 6 : 2];
  const heat = new Float64Array(times * cells);
  const wind = new Float64Array(times * cells);
  for (let i = cells; i < heat.length; i++) {
    wind[i] = 0.8 * wind[i - cells] + 0.6 * rng.normal();
    heat[i] = 0.6 * heat[i - cells] + 0.7 * wind[i - cells] + 0.2 * rng.normal();
  }
  const dims = places === "grid" ? ["latitude", "longitude"] : ["station"];
  const shape = places === "grid" ? [2, 3] : [2];
  const field = (data: Float64Array, units: string): MemoryVariable => ({
    dims: ["time", ...dims],
    data: { dtype: "float64", shape: [times - from, ...shape], data: data.slice(from * cells) },
    attrs: { units },
  });
  const axis = (name: string, values: number[], attrs = {}): [string, MemoryVariable] => [
    name,
    {
      dims: places === "grid" || name === "time" ? [name] : ["station"],
      data: { dtype: "float64", shape: [values.length], data: Float64Array.from(values) },
      attrs,
    },
  ];
  return memoryDataset(
    Object.fromEntries([
      axis(
        "time",
        Array.from({ length: times - from }, (_, t) => (from + t) * HOURS),
        { units: "hours since 2001-01-01", calendar: "standard" },
      ),
      [
        "heat",
        field(
          heat.map((v) => 280 + 5 * v),
          "K",
        ),
      ],
      [
        "wind",
        field(
          wind.map((v) => 8 + 2 * v),
          "m s-1",
        ),
      ],
      axis("latitude", [50, 52]),
      axis("longitude", places === "grid" ? [0, 2, 4] : [1, 3]),
    ]),
    { source: places },
  );
}

let folder: string;
let runtime: Runtime;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "foehn-site-"));
  runtime = await openInline({ threads: 1 });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** A site after its training alone, as `foehn join` leaves it. */
async function joined(
  places: "stations" | "grid",
  given = task,
): Promise<{ at: string; site: WeatherSite; data: Dataset; surroundings?: Dataset }> {
  const at = path.join(folder, places);
  const data = record(places);
  const surroundings = given.surroundings && record("grid");
  const site = await weatherTrainer({ task: given, data, surroundings, runtime });
  let initial = initialParameters(given) as Parameters;
  if (given.forecast.firstGuess === "shared-ridge") {
    const { params } = await site.train(initial, { budget: { steps: 1 }, seed: 0, round: 0 });
    initial = withLine(
      initial,
      new Map([...params].map(([name, a]) => [name, { ...a, data: a.data.map((v) => v / 2) }])),
    );
  }
  const { params } = await trainAlone(site, given, initial, { steps: 20, seed: 1 });
  const members = site.drawn(params);
  await saveSite(at, { task: given, variables: site.variables, source: { data: places }, members });
  await writeWhole(path.join(at, "personal.safetensors"), encodeSafetensors([...params]));
  return { at, site, data, surroundings };
}

describe.each([
  ["stations", "alone", task],
  ["grid", "alone", task],
  ["stations", "in its surroundings", around],
  ["grid", "in its surroundings", around],
] as const)("a site of %s forecasts with what it kept (%s)", (places, _, given) => {
  it("with the very errors that it was told of", async () => {
    const { at, site, data, surroundings } = await joined(places, given);
    expect(isSiteFolder(at)).toBe(true);
    const model = await siteModel(at);
    const out = path.join(folder, `${places}.zarr`);
    const made = await writeSiteForecast({
      site: await openSite(at),
      model,
      dataset: data,
      surroundings,
      runtime,
      out,
      starts: "test",
    });
    expect(made.leads).toEqual([6, 12]);

    const forecast = await openDataset(out, { names: "original" });
    expect(forecast.variables.get("heat")!.dims).toEqual([
      "time",
      "prediction_timedelta",
      ...(places === "grid" ? ["latitude", "longitude"] : ["station"]),
    ]);
    const [mine, truth] = [forecast, data].map((d) => d.variables.get("heat")!.read());
    const [f, t] = [toNumbers(await mine), toNumbers(await truth)];
    const cells = places === "grid" ? 6 : 2;
    const first = (await readTimes(data)).values[0];
    const starts = (await readTimes(forecast)).values;
    expect(starts.length).toBe(made.starts);

    const told = await site.errors(model, "test", Infinity);
    for (const [l, lead] of made.leads.entries()) {
      const area = places === "grid" ? told.columns.length : 0; // weights of two rows differ by little: compared below with room
      for (let s = 0; s < (area ? 1 : cells); s++) {
        let [sum, seen] = [0, 0];
        starts.forEach((start, k) => {
          const valid = Math.round((start - first) / 3_600_000 / HOURS) + lead / HOURS;
          for (let p = area ? 0 : s; p < (area ? cells : s + 1); p++) {
            sum += (f[(k * 2 + l) * cells + p] - t[valid * cells + p]) ** 2;
            seen++;
          }
        });
        const column = told.columns.findIndex(
          (c) => c.variable === "heat" && c.lead === lead && (area || c.member === site.members[s].name),
        );
        const squares = told.squares.reduce((a, row) => a + row[column], 0) / told.starts;
        expect(sum / seen / squares).toBeCloseTo(1, places === "grid" ? 2 : 4);
      }
    }
  });

  it("from the newest time of a record that it has not seen, which it fits to nothing", async () => {
    const { at, data, surroundings } = await joined(places, given);
    const [site, model] = [await openSite(at), await siteModel(at)];
    const late = record(places, { from: 300 });
    const read = async (dataset: Dataset, out: string): Promise<ArrayLike<number>> => {
      await writeSiteForecast({ site, model, dataset, surroundings, runtime, out, starts: "latest", maxLead: 6 });
      return toNumbers(await (await openDataset(out, { names: "original" })).variables.get("wind")!.read());
    };
    const whole = await read(data, path.join(folder, `${places}-whole.zarr`));
    const part = await read(late, path.join(folder, `${places}-part.nc`));
    expect(part.length).toBe(places === "grid" ? 6 : 2);
    for (let p = 0; p < part.length; p++) expect(part[p]).toBeCloseTo(whole[p], 4);
  });
});

it("says what is wrong with the data and the folder", async () => {
  const { at, data } = await joined("stations");
  const [site, model] = [await openSite(at), await siteModel(at)];
  const out = path.join(folder, "never.zarr");
  const rest = { site, model, runtime, out, starts: "latest" } as const;
  await expect(writeSiteForecast({ ...rest, dataset: record("grid") })).rejects.toThrow(
    /station '0', which this site joined/,
  );
  await expect(
    writeSiteForecast({ ...rest, dataset: record("stations", { from: 10 }), starts: "test" }),
  ).rejects.toThrow(/not the record that the site joined with.*--from/);
  await expect(writeSiteForecast({ ...rest, dataset: data, maxLead: 3 })).rejects.toThrow(/leads are 6, 12 h/);
  await rm(path.join(at, "personal.safetensors"));
  await expect(siteModel(at)).rejects.toThrow(/the run has not ended at this site/);
});
