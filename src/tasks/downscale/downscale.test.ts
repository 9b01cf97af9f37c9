import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { memoryDataset } from "../../data/dataset.js";
import { openDataset } from "../../data/open.node.js";
import { initialise } from "../../engine/parameters.js";
import { openInline } from "../../engine/runtime.node.js";
import type { Runtime } from "../../engine/runtime.js";
import { float32, ndarray, toNumbers } from "../../tensor/ndarray.js";
import { rectilinear } from "../../earth/regrid/index.js";
import { fitDownscaleBaselines } from "./baselines.js";
import { type FieldGrid, openFields } from "./fields.js";
import { fitDownscaling } from "./fitted.js";
import { coarseOf, writeDownscaled } from "./make.node.js";
import { trainingNetwork } from "./network.js";
import { areaMeans, cellsOf, coarseAt, fineAt, splitOf } from "./pairs.js";
import { coarsened, interpolate, isAround, placesIn, refined, scaleFactors } from "./places.js";
import { createPredictor, type DownscaleModel, rainQuantiles } from "./predict.js";
import { openDownscaleRun, trainDownscaleRun } from "./run.node.js";
import { COLUMNS, fineDataset, pairsFor, ROWS, settings } from "./testing.js";

const HOUR = 3_600_000;
let runtime: Runtime;
let folder: string;
beforeAll(async () => {
  runtime = await openInline({ threads: 1 });
  folder = await mkdtemp(path.join(tmpdir(), "foehn-downscale-"));
});
afterAll(async () => {
  await runtime.close();
  await rm(folder, { recursive: true });
});

describe("configuration", () => {
  it("names the nearest setting, at any depth and in lists", () => {
    expect(() => settings({ downscale: { haed: "mean" } })).toThrow(/'downscale.haed'; did you mean 'head'/);
    expect(() => settings({ data: { fine: { path: "a" }, coarse: [{ path: "b", variable: ["t"] }] } })).toThrow(
      /did you mean 'variables'/,
    );
  });
  it("wants coarse fields or factors, and not both", async () => {
    await expect(pairsFor(settings({ data: { fine: { path: "fine" } } }))).rejects.toThrow(
      /data.coarse .* or data.factors/,
    );
  });
});

describe("fields", () => {
  it("are a series by valid time for one start with several leads, accumulated ones differenced", async () => {
    const values = [1, 1, 3, 4, 7, 5]; // lead x (1, 2) cells
    const run = memoryDataset({
      time: {
        dims: ["time"],
        data: ndarray("float64", [1], Float64Array.of(6)),
        attrs: { units: "hours since 2020-01-01" },
      },
      lead_time: {
        dims: ["lead_time"],
        data: ndarray("float64", [3], Float64Array.of(1, 2, 3)),
        attrs: { units: "hours" },
      },
      latitude: {
        dims: ["latitude"],
        data: ndarray("float64", [1], Float64Array.of(5)),
        attrs: { units: "degrees_north" },
      },
      longitude: {
        dims: ["longitude"],
        data: ndarray("float64", [2], Float64Array.of(5, 6)),
        attrs: { units: "degrees_east" },
      },
      tp: {
        dims: ["time", "lead_time", "latitude", "longitude"],
        data: float32([1, 3, 1, 2], values),
        attrs: { units: "mm" },
      },
    });
    const source = await openFields(run, ["tp"], { accumulated: ["tp"] });
    expect(Array.from(source.times, (t) => (t - Date.parse("2020-01-01T06:00Z")) / HOUR)).toEqual([1, 2, 3]);
    expect([...(await source.read(0, 3))]).toEqual([1, 1, 2, 3, 4, 1]);
    expect([...(await source.read(2, 3))]).toEqual([4, 1]);
  });
  it("lie where their UTM axes say", async () => {
    const projected = memoryDataset({
      time: {
        dims: ["time"],
        data: ndarray("float64", [1], Float64Array.of(0)),
        attrs: { units: "hours since 2020-01-01" },
      },
      northing: {
        dims: ["northing"],
        data: ndarray("float64", [1], Float64Array.of(4_649_776.22)),
        attrs: { units: "m" },
      },
      easting: { dims: ["easting"], data: ndarray("float64", [1], Float64Array.of(500_000)), attrs: { units: "m" } },
      crs: { dims: ["c"], data: float32([1], [0]), attrs: { proj4: "+proj=utm +zone=30 +ellps=GRS80 +units=m" } },
      tp: { dims: ["time", "northing", "easting"], data: float32([1, 1, 1], [1]), attrs: { grid_mapping: "crs" } },
    });
    const { grid } = await openFields(projected, ["tp"]);
    // 42 N on the central meridian of a zone: UTM tables give a northing of 4 649 776 m
    expect(grid.axes).toBe(false);
    expect(grid.longitudes[0]).toBeCloseTo(-3, 9);
    expect(grid.latitudes[0]).toBeCloseTo(42, 3);
  });
});

describe("places", () => {
  const fine: FieldGrid = {
    rows: 5,
    columns: 6,
    latitudes: Float64Array.of(0, 1, 2, 3, 4),
    longitudes: Float64Array.of(0, 1, 2, 3, 4, 5),
    axes: true,
  };
  it("area means keep the mean of the cells they cover, by any and by unequal factors", () => {
    const values = Float32Array.from({ length: 30 }, (_, i) => i);
    const { grid, values: coarse } = areaMeans(values, fine, 1, 2);
    expect([...grid.longitudes]).toEqual([0.5, 2.5, 4.5]);
    coarse.forEach((v, k) => expect(v).toBeCloseTo(6 * Math.floor(k / 3) + 2 * (k % 3) + 0.5, 5));
    expect(scaleFactors(coarsened(fine, 2.5, 1.5), fine).map((f) => Number(f.toFixed(6)))).toEqual([2.5, 1.5]);
  });
  it("interpolate planes exactly inside, take the edge outside, and know the place in the coarse cell", () => {
    const coarse = rectilinear([0, 2, 4], [0, 2, 4]);
    const places = placesIn(coarse, fine);
    const out = new Float32Array(30);
    interpolate(
      places,
      Float32Array.from({ length: 9 }, (_, k) => 10 * coarse.latitudes[Math.floor(k / 3)] + coarse.longitudes[k % 3]),
      out,
    );
    for (let i = 0; i < 5; i++)
      for (let j = 0; j < 6; j++) expect(out[6 * i + j]).toBeCloseTo(10 * i + Math.min(j, 4), 4);
    expect(Array.from(places.offset.subarray(30, 36), (v) => Math.abs(v))).toEqual([0, 1, 0, 1, 0, 0]);
  });
  it("a coarse grid refined and made coarse again is itself, around the globe too", () => {
    const globe = rectilinear([-60, -20, 20, 60], [0, 90, 180, 270]);
    const grid = refined(globe, 4, 3);
    expect([grid.rows, grid.columns, isAround(grid)]).toEqual([16, 12, true]);
    const back = coarsened(grid, 4, 3);
    back.longitudes.forEach((x, k) => expect(x).toBeCloseTo(globe.longitudes[k], 9));
    back.latitudes.forEach((y, k) => expect(y).toBeCloseTo(globe.latitudes[k], 9));
  });
});

describe("an untrained network is its first guess", () => {
  it.each([
    ["mean", undefined],
    ["quantile", undefined],
    ["bernoulli-gamma", undefined],
    ["bernoulli-gamma", ""],
  ] as const)("%s, base %s", async (head, base) => {
    const config = settings({ downscale: { head, quantiles: 5, dryUpTo: 0.5, ...(base === "" && { base }) } });
    const pairs = await pairsFor(config, fineDataset("tp", true));
    const fitted = fitDownscaling(pairs, config, splitOf(pairs, config).train);
    const shape = { batch: 1, rows: ROWS, columns: COLUMNS };
    const { parameters } = trainingNetwork(config, fitted, shape, { dropout: false });
    const model: DownscaleModel = { config, fitted, members: [initialise(parameters, { seed: 1 })] };
    const [set] = pairs.coarse;
    const predictor = await createPredictor(runtime, model, {
      coarse: set.grid,
      fine: pairs.grid,
      mapValues: pairs.mapValues,
    });
    const [{ mean, quantiles, probability }] = await predictor.predict(
      predictor.tiles()[0],
      [coarseAt(pairs, set, 3)],
      [pairs.times[3]],
    );
    const { train } = splitOf(pairs, config);
    if (head === "bernoulli-gamma" && base === undefined) {
      // The mean is the interpolated amount; its chance grows with it
      const guess = new Float32Array(ROWS * COLUMNS);
      interpolate(placesIn(set.grid, pairs.grid), coarseAt(pairs, set, 3), guess);
      guess.forEach((amount, i) => expect(Math.abs(mean[i] - amount)).toBeLessThan(0.005 + 0.01 * amount));
      const [least, most] = [guess.indexOf(Math.min(...guess)), guess.indexOf(Math.max(...guess))];
      expect(probability![most]).toBeGreaterThan(probability![least] + 0.3);
    } else if (head === "bernoulli-gamma") {
      // At a cell: the wet share of its training times, drawn a little towards that of all cells
      const cell = 6 * COLUMNS + 20;
      const share = train.filter((t) => fineAt(pairs, t)[cell] > 0.5).length / train.length;
      expect(Math.abs(probability![cell] - share)).toBeLessThan(0.06);
      expect(quantiles[0][cell]).toBe(0);
      expect(quantiles[4][cell]).toBeGreaterThan(0.5);
    } else {
      // The interpolated field and the cell's mean difference from it
      const guess = new Float32Array(ROWS * COLUMNS);
      const places = placesIn(set.grid, pairs.grid);
      const cell = 6 * COLUMNS + 9;
      let offset = 0;
      for (const t of train) {
        interpolate(places, coarseAt(pairs, set, t), guess);
        offset += (fineAt(pairs, t)[cell] - guess[cell]) / train.length;
      }
      interpolate(places, coarseAt(pairs, set, 3), guess);
      expect(mean[cell]).toBeCloseTo(Math.max(0, guess[cell] + offset), 3);
      quantiles.slice(1).forEach((q, k) => expect(q[cell]).toBeGreaterThanOrEqual(quantiles[k][cell]));
    }
    await predictor.close();
  });
  it("quantiles of rain: none up to the chance of none, then those of the gamma law", () => {
    // An exponential law of mean 3 (shape 1) with chance 0.5: level 0.75 is its median, 3 ln 2
    const fields = rainQuantiles([0.25, 0.5, 0.75], Float32Array.of(0.5), Float32Array.of(1), Float32Array.of(3));
    expect(fields.map(([x]) => x).slice(0, 2)).toEqual([0, 0]);
    expect(fields[2][0]).toBeCloseTo(3 * Math.LN2, 4);
  });
});

describe("a run", () => {
  it("beats bilinear interpolation on times it never saw, goes on after a kill to the same bits, and tiles without seams", async () => {
    const config = settings({ downscale: { head: "quantile", quantiles: 5, localClimate: true } });
    const pairs = await pairsFor(config);
    const model = await trainDownscaleRun({ run: path.join(folder, "whole"), config, pairs, runtime });
    // Killed after the first validation
    const stopped = path.join(folder, "stopped");
    const kill = new Error("killed");
    await expect(
      trainDownscaleRun({
        run: stopped,
        config,
        pairs,
        runtime,
        onEvent: ({ step }) => {
          if (step === 25) throw kill;
        },
      }),
    ).rejects.toBe(kill);
    await expect(trainDownscaleRun({ run: stopped, config, pairs, runtime })).rejects.toThrow(/--resume/);
    const resumed = await trainDownscaleRun({ run: stopped, config, pairs, runtime, resume: true });
    for (const [name, { data }] of model.members[0]) expect(resumed.members[0].get(name)!.data).toEqual(data);
    const opened = await openDownscaleRun(path.join(folder, "whole"));
    expect(opened.fitted).toEqual(model.fitted);

    const [set] = pairs.coarse;
    const split = splitOf(pairs, config);
    const bilinear = fitDownscaleBaselines(pairs, model.fitted, set, split, 0, [0.5]).find(
      (b) => b.name === "bilinear",
    )!;
    const setting = { coarse: set.grid, fine: pairs.grid, mapValues: pairs.mapValues };
    const predictor = await createPredictor(runtime, opened, setting);
    const [tile] = predictor.tiles();
    let [ours, theirs] = [0, 0];
    for (const t of split.test) {
      const [{ mean }] = await predictor.predict(tile, [coarseAt(pairs, set, t)], [pairs.times[t]]);
      const truth = fineAt(pairs, t);
      truth.forEach((o, i) => {
        ours += (mean[i] - o) ** 2;
        theirs += (bilinear.at(t).mean[i] - o) ** 2;
      });
    }
    await predictor.close();
    expect(Math.sqrt(ours / theirs)).toBeLessThan(0.6);

    const [wholeStore, tiledStore] = ["whole.zarr", "tiled.zarr"].map((name) => path.join(folder, name));
    const between = (first: number, last: number) => (time: number) =>
      time >= pairs.times[first] && time <= pairs.times[last];
    const common = { model: opened, runtime, coarse: coarseOf(pairs, set, "memory"), setting };
    await writeDownscaled({ ...common, out: wholeStore, wanted: between(100, 119) });
    // The first block alone, then the rest
    await writeDownscaled({ ...common, out: tiledStore, wanted: between(100, 115), tile: 5 });
    const made = await writeDownscaled({
      ...common,
      out: tiledStore,
      wanted: between(100, 119),
      tile: 5,
      resume: true,
    });
    expect(made).toEqual({ times: 20, tiles: 20 });
    const [a, b] = [await openDataset(wholeStore), await openDataset(tiledStore)];
    expect(b.dims).toMatchObject({ time: 20, quantile: 5, latitude: ROWS, longitude: COLUMNS });
    for (const name of ["t", "t_quantile"]) {
      const [x, y] = [toNumbers(await a.variables.get(name)!.read()), toNumbers(await b.variables.get(name)!.read())];
      let most = 0;
      for (let i = 0; i < x.length; i++) most = Math.max(most, Math.abs(x[i] - y[i]));
      expect(most).toBeLessThan(1e-3); // of 280 K in float32
    }
    await Promise.all([a.close(), b.close()]);
    await expect(writeDownscaled({ ...common, out: tiledStore, wanted: between(3, 30), resume: true })).rejects.toThrow(
      /not the first/,
    );
  });

  it("serves any factor where it was trained on several without local climate", async () => {
    const config = settings({
      data: {
        fine: { path: "fine" },
        factors: [
          [4, 4],
          [2, 4],
        ],
      },
      downscale: { head: "mean", localClimate: false },
      training: { steps: 2, batch: 2, microBatch: 2, crop: [8, 8], validateEvery: 2, validationSamples: 2 },
    });
    const pairs = await pairsFor(config);
    expect(cellsOf(pairs)).toBe(ROWS * COLUMNS);
    const model = await trainDownscaleRun({ run: path.join(folder, "factors"), config, pairs, runtime });
    const coarse = rectilinear([50, 48, 46], [0, 3, 6, 9]);
    const fine = refined(coarse, 3, 5);
    const predictor = await createPredictor(runtime, model, { coarse, fine, mapValues: new Float32Array(0) });
    const [{ mean }] = await predictor.predict(
      predictor.tiles()[0],
      [new Float32Array(12).fill(281)],
      [pairs.times[0]],
    );
    expect(mean).toHaveLength(3 * 3 * 4 * 5);
    expect(mean.every(Number.isFinite)).toBe(true);
    await predictor.close();
  });
});
