import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Dataset, memoryDataset, type MemoryVariable } from "../../data/dataset.js";
import { openDataset } from "../../data/open.node.js";
import { writeZarr } from "../../data/write-zarr.node.js";
import { initialise } from "../../engine/parameters.js";
import type { Runtime } from "../../engine/runtime.js";
import { openInline } from "../../engine/runtime.node.js";
import { exportOnnx } from "../../graph/export.js";
import { gradients } from "../../graph/grad.js";
import { float32, type NdArray } from "../../tensor/ndarray.js";
import { random } from "../../tensor/random.js";
import { travellingWaves } from "../forecast/testing/waves.js";
import { readSeries } from "../series.js";
import { parsePointwiseConfig } from "./config.js";
import { normalisersFor, readStationsData, stationTimes } from "./data.js";
import { pointwiseNetwork } from "./network.js";
import { openPointwiseRun, trainPointwiseRun, writeStationForecast } from "./run.node.js";
import { fitLines, lineAt, lineRow } from "./lines.js";
import { drawCells, pointBase, pointFeeds, startsOfBoth } from "./samples.js";

const STATIONS = 5;
const STEPS = 400;
const latitude = (s: number) => 55 - 5 * (s % 4);
const longitude = (s: number) => 4 + 9 * s;

/** Stations that report the wave two columns to their west, turned over at odd stations: what comes can be read off the grid alone. */
async function stationsOf(changes: { elevation?: boolean; hours?: number } = {}): Promise<Dataset> {
  const waves = (await travellingWaves().variables.get("t")!.read()) as NdArray<"float32">;
  const rng = random(9);
  const data = new Float32Array(STEPS * STATIONS);
  for (let t = 0; t < STEPS; t++)
    for (let s = 0; s < STATIONS; s++) {
      const column = (Math.round(longitude(s) / 5) + 8) % 10;
      const row = Math.round((60 - latitude(s)) / 5);
      const wave = waves.data[(t * 6 + row) * 10 + column] - 280 - 5 * row - 3 * Math.cos((Math.PI * t) / 2);
      const missing = rng.uniform() < 0.1;
      data[t * STATIONS + s] = missing ? NaN : 285 + (s % 2 === 1 ? -1 : 1) * wave + 0.1 * rng.normal();
    }
  const per = (values: number[]): MemoryVariable => ({
    dims: ["station"],
    data: { dtype: "float64", shape: [STATIONS], data: Float64Array.from(values) },
  });
  const numbers = Array.from({ length: STATIONS }, (_, s) => s);
  return memoryDataset(
    {
      time: {
        dims: ["time"],
        data: {
          dtype: "float64",
          shape: [STEPS],
          data: Float64Array.from({ length: STEPS }, (_, t) => (changes.hours ?? 6) * t),
        },
        attrs: { units: "hours since 2001-01-01", standard_name: "time" },
      },
      latitude: per(numbers.map(latitude)),
      longitude: per(numbers.map(longitude)),
      ...(changes.elevation === false ? {} : { elevation: per(numbers.map((s) => 100 * s)) }),
      t2m: { dims: ["time", "station"], data: float32([STEPS, STATIONS], data), attrs: { units: "K" } },
    },
    { source: "stations.nc" },
  );
}

let runtime: Runtime;
let folder: string;
const file = (name: string) => path.join(folder, name);
beforeAll(async () => {
  runtime = await openInline({ threads: 1 });
  folder = await mkdtemp(path.join(tmpdir(), "foehn-pointwise-"));
  await writeZarr(travellingWaves(), file("grid.zarr"));
  await writeZarr(await stationsOf(), file("stations.zarr"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const config = (training: object = {}) =>
  parsePointwiseConfig({
    task: "stations",
    data: { path: file("grid.zarr"), stations: { path: file("stations.zarr") } },
    forecast: { history: 1, maxLead: 12 },
    model: { name: "pointwise", patch: [1, 2], width: 32, depth: 1, queryDepth: 1, heads: 2, ratio: 2 },
    training: {
      steps: 150,
      batch: 8,
      microBatch: 8,
      learningRate: 4e-3,
      warmup: 10,
      validateEvery: 50,
      validationSamples: 32,
      average: 0.95,
      gridPoints: 12,
      ...training,
    },
    seed: 1,
  });

async function data(settings = config()) {
  const grid = await readSeries(travellingWaves());
  const { series, places } = await readStationsData(await stationsOf(), []);
  const normalisers = normalisersFor(grid, series, settings, undefined);
  const base = pointBase(grid, series, places, normalisers, "stations.nc");
  const starts = (lead: number) => startsOfBoth(base, settings, normalisers.grid.trainRange, lead);
  return { ...base, lines: fitLines(base, { leads: 2, size: STATIONS, count: STATIONS, channels: 1 }, starts) };
}

describe("samples of grid and stations", () => {
  it("give a loss of 1 to the first guess, over both and over each", async () => {
    const d = await data();
    const grid = d.normalisers.grid;
    const rng = random(3);
    const starts = Array.from({ length: 277 }, (_, i) => i); // all of the training period
    for (const [points, stationWeight] of [
      [60, 1],
      [60, 1e-9],
      [0, 1],
    ]) {
      const picks = starts.map((start) => ({ start, lead: 2, cells: drawCells(rng, grid, points) }));
      const feeds = pointFeeds(d, picks, { history: 1, stationWeight, truth: true });
      const get = (name: string) => (feeds[`at.${name}`] as NdArray).data as Float32Array;
      const [weight, guess, truth, scale, observed] = ["weight", "guess", "truth", "scale", "observed"].map(get);
      // A miss of the size that was fitted costs 1 in all
      expect(weight.reduce((sum, w, i) => sum + w * scale[i] ** 2, 0)).toBeCloseTo(1, 1);
      // The first guess misses by that much where it has what it was fitted to; a station without a report has less
      let [missed, fitted] = [0, 0];
      weight.forEach((w, i) => {
        const place = Math.floor(i / 2);
        if (i % 2 === 1 && observed[3 * place + 1] === 0) return;
        missed += w * (guess[i] - truth[i]) ** 2;
        fitted += w * scale[i] ** 2;
      });
      expect(missed / fitted).toBeGreaterThan(0.8);
      expect(missed / fitted).toBeLessThan(1.2);
    }
  });

  it("say where a place is and what it has: the grid's own values there, the station's report or none", async () => {
    const d = await data();
    const cells = Int32Array.of(23);
    const feeds = pointFeeds(d, [{ start: 50, lead: 1, cells }], { history: 1, stationWeight: 1, truth: true });
    const get = (name: string) => (feeds[`at.${name}`] as NdArray).data as Float32Array;
    expect([...get("queries").subarray(0, 6)]).toEqual([50, 15, 0, 55, 4, 0]);
    // `t` on the grid is not the stations' 2 m temperature: two targets, and nothing of the one known at the other
    expect(d.targets).toEqual({ names: ["temperature", "2m_temperature"], ofGrid: [0], ofStations: [1] });
    // Then what the grid has there: the cell's own value
    expect([...get("observed").subarray(0, 3)]).toEqual([0, 0, d.grid.at(50)[23]]);
    const now = d.stations.at(50);
    for (let s = 0; s < STATIONS; s++) {
      const known = !Number.isNaN(now[s]);
      // Station s lies on a row, between two columns
      const x = longitude(s) / 5;
      const at = Math.round((60 - latitude(s)) / 5) * 10;
      const row = d.grid.at(50);
      const between = (1 - (x % 1)) * row[at + Math.floor(x)] + (x % 1) * row[at + Math.floor(x) + 1];
      const observed = [...get("observed").subarray(3 * (1 + s), 3 * (2 + s))];
      expect(observed.slice(0, 2)).toEqual(known ? [now[s], 1] : [0, 0]);
      expect(observed[2]).toBeCloseTo(between, 5);
      // The line: the field around it, its report (or 0 without one: the grid has no such variable), the constant
      const [b0, b1, b2] = d.lines.coefficients.subarray(3 * s, 3 * s + 3);
      const line = b0 * between + b1 * (known ? now[s] : 0) + b2;
      expect(get("guess")[2 * (1 + s) + 1]).toBeCloseTo(line, 5);
      expect(get("scale")[2 * (1 + s) + 1]).toBe(d.lines.misses[s]);
      expect(get("weight")[2 * (1 + s)]).toBe(0);
      expect(get("weight")[2 * (1 + s) + 1] > 0).toBe(!Number.isNaN(d.stations.at(51)[s]));
    }
    expect(get("truth")[0]).toBe(d.grid.at(51)[23]);
  });

  it("begin from the line of least squares: what it misses goes with nothing that it is made from", async () => {
    const d = await data();
    const starts = startsOfBoth(d, config(), d.normalisers.grid.trainRange, 2);
    const row = new Float64Array(3);
    const [size, lead] = [STATIONS, 2];
    for (let s = 0; s < STATIONS; s++) {
      const sums = [0, 0, 0, 0];
      let n = 0;
      for (const start of starts) {
        const y = d.stations.at(d.at[start + lead])[s];
        if (!lineRow(d, start, s, STATIONS, row) || Number.isNaN(y)) continue;
        const miss = y - lineAt(d.lines, lead, s, size, row);
        row.forEach((x, i) => (sums[i] += x * miss));
        sums[3] += miss * miss;
        n++;
      }
      // But for the ridge of a thousandth
      for (const sum of sums.slice(0, 3)) expect(Math.abs(sum / n)).toBeLessThan(3e-3);
      expect(Math.sqrt(sums[3] / n)).toBeCloseTo(d.lines.misses[size + s], 4);
    }
  });

  it("draw cells by the area they stand for", async () => {
    const { grid } = (await data()).normalisers;
    const wide = { ...grid, latitudes: Float64Array.of(75, 45, 15) };
    const rows = [0, 0, 0];
    for (const cell of drawCells(random(1), wide, 6000)) rows[Math.floor(cell / grid.longitudes.length)]++;
    // sin of the rows' edges: (1 - sin 60), (sin 60 - sin 30), sin 30 - sin 0
    const area = [1 - Math.sin(Math.PI / 3), Math.sin(Math.PI / 3) - 0.5, 0.5];
    rows.forEach((n, i) => expect(Math.abs(n / 6000 - area[i])).toBeLessThan(0.03));
  });
});

it("has the gradient that finite differences find, through grid and stations", async () => {
  const d = await data();
  const settings = config();
  const net = pointwiseNetwork(settings, d.normalisers, { batch: 2, places: 4 + STATIONS, dropout: false });
  const { graph } = net.parameters;
  const grads = gradients(net.loss, graph.parameters);
  const session = await runtime.load(
    exportOnnx(graph, {
      outputs: new Map([["loss", net.loss], ...graph.parameters.map((p, i) => [`g/${p.name}`, grads[i]] as const)]),
    }),
  );
  const rng = random(6);
  const picks = [30, 41].map((start) => ({ start, lead: 1, cells: drawCells(rng, d.normalisers.grid, 4) }));
  const feeds = pointFeeds(d, picks, { history: 1, stationWeight: 0.5, truth: true });
  const start = [...initialise(net.parameters, { seed: 1 })];
  const from = start.map(([, a]) => a.data.map((v) => v + 0.1 * rng.normal()));
  const along = start.map(([, a]) => a.data.map(() => rng.normal()));
  const at = (h: number) =>
    session.run({
      ...feeds,
      ...Object.fromEntries(
        start.map(([name, a], k) => [
          name,
          float32(
            a.shape,
            from[k].map((v, i) => v + h * along[k][i]),
          ),
        ]),
      ),
    });
  const here = await at(0);
  let slope = 0;
  start.forEach(([name], k) => {
    const g = here[`g/${name}`].data as Float32Array;
    // With one variable there is nothing to choose among
    if (!/^aggregate\.(query|q\.|k\.)/.test(name)) expect([name, g.some((v) => v !== 0)]).toEqual([name, true]);
    g.forEach((v, i) => (slope += v * along[k][i]));
  });
  const loss = async (h: number) => Number((await at(h))["loss"].data[0]);
  const central = async (h: number) => ((await loss(h)) - (await loss(-h))) / (2 * h);
  const difference = (4 * (await central(1e-3)) - (await central(2e-3))) / 3;
  expect(Math.abs(difference - slope)).toBeLessThan(0.01 * Math.abs(slope) + 0.05);
  await session.close();
});

describe("a run of grid and stations", () => {
  it("learns at the stations what the grid tells of them, beside every baseline, and forecasts from its folder", async () => {
    const run = file("run");
    const scores = await trainPointwiseRun({ run, config: config(), runtime });
    expect(scores.map(({ variable, lead_hours }) => [variable, lead_hours])).toEqual([["t2m", 6]]);
    const [{ model, baselines, n }] = scores;
    // A station's report tells how the wave stands, not where it goes: that is in the field around it
    expect(n).toBeGreaterThan(200);
    for (const name of ["persistence", "climatology", "damped"] as const)
      expect(model).toBeLessThan(0.7 * baselines[name]);
    expect(baselines.linear).toBeLessThan(baselines.damped);
    const card = await readFile(path.join(run, "card.md"), "utf8");
    expect(card).toContain(
      "| variable | lead h | this model | persistence | climatology | damped | linear | reports |",
    );

    const opened = await openPointwiseRun(run);
    expect(opened.places.elevations).toEqual(Float64Array.of(0, 100, 200, 300, 400));
    const out = file("forecast.zarr");
    const made = await writeStationForecast({ model: opened, runtime, out, starts: "test", maxLead: 12 });
    expect(made.leads).toEqual([6, 12]);
    const forecast = await openDataset(out, { names: "original" });
    expect(forecast.dims).toMatchObject({ time: made.starts, prediction_timedelta: 2, station: STATIONS });
    // Its error at 6 h by hand is the score's
    const values = (await forecast.variables.get("t2m")!.read()).data as Float32Array;
    const times = (await forecast.variables.get("time")!.read()).data as Float64Array;
    const truth = (await (await stationsOf()).variables.get("t2m")!.read()).data as Float32Array;
    let [sum, count] = [0, 0];
    times.forEach((hours, k) => {
      const at = (hours - Date.UTC(2001, 0, 1) / 3_600_000) / 6;
      for (let s = 0; s < STATIONS; s++) {
        const [now, then] = [truth[at * STATIONS + s], truth[(at + 1) * STATIONS + s]];
        if (Number.isNaN(now) || at + 1 >= STEPS || Number.isNaN(then)) continue;
        sum += (values[k * 2 * STATIONS + s] - then) ** 2;
        count++;
      }
    });
    expect(count).toBe(n);
    expect(Math.sqrt(sum / count)).toBeCloseTo(model, 3);
    await expect(writeStationForecast({ model: opened, runtime, out, starts: "latest", maxLead: 18 })).rejects.toThrow(
      /leads of 6 to 12 h/,
    );
    await expect(trainPointwiseRun({ run, config: config(), runtime })).rejects.toThrow(/already holds a run/);
  });

  it("names what is wrong with its data", async () => {
    await expect(readStationsData(await stationsOf({ elevation: false }), [])).rejects.toThrow(
      /stations.nc: station '0' has no elevation/,
    );
    const grid = await readSeries(travellingWaves());
    const { series } = await readStationsData(await stationsOf({ hours: 3 }), []);
    expect(() => stationTimes(grid, series, "stations.nc")).toThrow(/every 3 h, but the gridded data .* every 6 h/);
    const silent = {
      ...series,
      times: grid.times,
      values: series.values.map((v, i) => (i % STATIONS === 2 ? NaN : v)),
    };
    expect(() => normalisersFor(grid, silent, config(), undefined)).toThrow(/station number 3 has no report of 't2m'/);
    expect(() =>
      parsePointwiseConfig({ task: "stations", data: { path: "a", stations: { path: "b" } }, model: { name: "unet" } }),
    ).toThrow(/only pointwise answers at any place/);
  });
});
