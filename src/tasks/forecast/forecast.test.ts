import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openDataset } from "../../data/open.node.js";
import type { Runtime } from "../../engine/runtime.js";
import { openInline } from "../../engine/runtime.node.js";
import { random } from "../../tensor/random.js";
import { readSeries, type Series } from "../series.js";
import { BLOCKS, calibrated, fitCalibration } from "./calibration.js";
import { type ForecastConfig, parseForecastConfig } from "./config.js";
import { fitHarmonics } from "./harmonic.js";
import { trainRun, writeForecast } from "./make.node.js";
import { fitNormaliser } from "./normaliser.js";
import { resolvePeriods } from "./periods.js";
import { createPredictor } from "./rollout.js";
import { openRun } from "./run.node.js";
import { departuresOf } from "./samples.js";
import { HEIGHT, travellingWaves, WIDTH } from "./testing/waves.js";
import type { Checkpoint, CheckpointStore } from "../fit.js";
import { normaliserFor, trainForecast } from "./train.js";

const HOUR = 3_600_000;
const config = (changes: { forecast?: object; training?: object; model?: object } = {}): ForecastConfig =>
  parseForecastConfig({
    data: { path: "memory", variables: ["t"] },
    forecast: { history: 2, maxLead: 24, method: "iterative", ...changes.forecast },
    model: { name: "unet", width: 8, depth: 1, dropout: 0.1, ...changes.model },
    training: {
      steps: 24,
      batch: 4,
      microBatch: 2,
      warmup: 5,
      validateEvery: 8,
      validationSamples: 8,
      rollout: [
        [0.5, 1],
        [0.5, 2],
      ],
      shift: 1,
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
  folder = await mkdtemp(path.join(tmpdir(), "foehn-forecast-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** A store that keeps checkpoints in memory and may "lose power" after the first one. */
function memoryStore(options: { failAfterFirst?: boolean } = {}): CheckpointStore & { saved: Map<number, Checkpoint> } {
  const saved = new Map<number, Checkpoint>();
  return {
    saved,
    load: async (member) => saved.get(member),
    save: async (checkpoint) => {
      saved.set(checkpoint.member, checkpoint);
      if (options.failAfterFirst) throw new Error("power failed");
    },
  };
}

describe("training", () => {
  it("resumed from a checkpoint ends with the very parameters of the unbroken run, through a change of phase", async () => {
    const settings = config();
    const normaliser = normaliserFor(series, settings);
    const run = async (store: CheckpointStore) => {
      for await (const event of trainForecast({ runtime, series, config: settings, store, normaliser })) void event;
    };
    const whole = memoryStore();
    await run(whole);
    const broken = memoryStore({ failAfterFirst: true });
    await expect(run(broken)).rejects.toThrow("power failed");
    expect(broken.saved.get(1)!.trainer.step).toBe(8);
    const resumed = memoryStore();
    resumed.saved.set(1, broken.saved.get(1)!);
    await run(resumed);
    expect(resumed.saved.get(1)).toEqual(whole.saved.get(1));
  });

  it("learns waves that travel: far better than the first guess", async () => {
    const settings = config({
      training: { steps: 150, batch: 8, validateEvery: 50, rollout: [[1, 1]], shift: 0 },
      model: { dropout: 0 },
    });
    const normaliser = normaliserFor(series, settings);
    const store = memoryStore();
    for await (const event of trainForecast({ runtime, series, config: settings, store, normaliser })) void event;
    expect(store.saved.get(1)!.best.loss).toBeLessThan(0.5);
  });

  it("refuses phases that do not add up and batches that do not divide", async () => {
    const normaliser = normaliserFor(series, config());
    const attempt = async (changes: object) => {
      const settings = config({ training: changes });
      for await (const event of trainForecast({ runtime, series, config: settings, store: memoryStore(), normaliser }))
        void event;
    };
    await expect(attempt({ rollout: [[0.5, 1]] })).rejects.toThrow(/add up to 0.5, not 1/);
    await expect(attempt({ batch: 3 })).rejects.toThrow(/training.batch \(3\) is not a multiple/);
    await expect(attempt({ rollout: [[1, 9]] })).rejects.toThrow(/goes 9 steps ahead/);
  });
});

describe("the whole path", () => {
  it("trains a direct ViT, forecasts beyond its longest lead and writes WeatherBench 2's layout", async () => {
    const dataset = travellingWaves();
    const settings = config({
      forecast: { method: "direct" },
      model: { name: "vit", width: 16, depth: 1, heads: 2, headDepth: 0, dropout: 0 },
      training: { steps: 8, rollout: [[1, 1]] },
    });
    // the U-Net's settings belong to another architecture
    const vit = { ...settings, model: { name: "vit", width: 16, depth: 1, heads: 2, headDepth: 0 } };
    const run = path.join(folder, "run");
    await trainRun({ run, config: vit, dataset, runtime });
    const model = await openRun(run);
    const out = path.join(folder, "forecast.zarr");
    const made = await writeForecast({ model, dataset, runtime, out, starts: "test", maxLead: 48, everyStart: 24 });
    expect(made.leads).toEqual([6, 12, 18, 24, 30, 36, 42, 48]);
    const forecast = await openDataset(out, { names: "original" });
    expect(forecast.dims).toMatchObject({
      time: made.starts,
      prediction_timedelta: 8,
      latitude: HEIGHT,
      longitude: WIDTH,
    });
    const values = (await forecast.variables.get("t")!.read({ time: 0 })).data as Float32Array;
    expect(values.every((v) => v > 250 && v < 330)).toBe(true);
    const log = (await readFile(path.join(run, "log.jsonl"), "utf8")).trim().split("\n");
    expect(log.length).toBe(8);
    await expect(trainRun({ run, config: vit, dataset, runtime })).rejects.toThrow(/already holds a run/);
  });

  it("gives the first guess while the network knows nothing: its last layer starts at zero", async () => {
    const settings = config({ forecast: { calibrate: false } });
    const n = normaliserFor(series, settings);
    const { initialise } = await import("../../engine/parameters.js");
    const { trainingNetwork } = await import("./network.js");
    const shape = { model: settings.model, normaliser: n, history: 2, slowMeans: 0, batch: 1 };
    const parameters = initialise(trainingNetwork({ ...shape, jumps: 1, dropout: false, shift: false }).parameters, {
      seed: 1,
    });
    const predictor = await createPredictor(runtime, { config: settings, normaliser: n, members: [parameters] });
    const departures = departuresOf(n, series);
    const start = departures.start(100, { history: 2, slowDays: [] });
    for await (const { departures: us } of predictor.departures([start], [1]))
      us[0].forEach((u, p) => expect(u).toBeCloseTo(n.damping[p] * start.departures[0][p], 5));
  });
});

describe("what is known before learning", () => {
  it("finds a daily cycle's amplitude and an annual cycle by least squares", () => {
    const steps = 4 * 800;
    const times = Float64Array.from({ length: steps }, (_, t) => Date.UTC(2001, 0, 1) + 6 * HOUR * t);
    const year = (t: number) => (2 * Math.PI * t) / (365.2425 * 24 * HOUR);
    const values = Float32Array.from(
      times,
      (t) => 10 + 7 * Math.cos(year(t - times[0])) + 2 * Math.cos((2 * Math.PI * (t % (24 * HOUR))) / (24 * HOUR)),
    );
    const synthetic: Series = {
      times,
      values,
      channels: ["t"],
      units: ["K"],
      latitudes: Float64Array.of(0),
      longitudes: Float64Array.of(0),
      calendar: "standard",
    };
    const climatology = fitHarmonics(synthetic, [times[0], times[steps - 1] + 1]);
    expect(climatology.harmonics).toEqual({ annual: 1, daily: 2 });
    expect(climatology.dailyAmplitude(0, 1)![0]).toBeCloseTo(2, 1);
    for (const i of [0, 777, 1500]) expect(climatology.at(times[i])[0]).toBeCloseTo(values[i], 0);
  });

  it("counts departures from as many annual harmonics as are asked for: two see a half-yearly cycle that one does not", () => {
    const times = Float64Array.from({ length: 730 }, (_, t) => Date.UTC(2001, 0, 1) + 24 * HOUR * t);
    const year = (t: number) => (2 * Math.PI * (t - times[0])) / (365.2425 * 24 * HOUR);
    const rng = random(4);
    const values = Float32Array.from(times, (t) => 5 * Math.cos(2 * year(t)) + 0.1 * rng.normal());
    const twice: Series = {
      times,
      values,
      channels: ["t"],
      units: ["K"],
      latitudes: Float64Array.of(0),
      longitudes: Float64Array.of(0),
      calendar: "standard",
    };
    const deviation = (annualHarmonics?: number) =>
      fitNormaliser(twice, {
        trainRange: [times[0], times[729] + 1],
        step: 24 * HOUR,
        leadSteps: 1,
        firstGuess: "damped-anomaly",
        annualHarmonics,
      }).anomaly[0];
    expect(deviation(2)).toBeCloseTo(0.1, 1); // the noise
    expect(deviation()).toBeCloseTo(5 / Math.sqrt(2), 1); // the whole cycle: two years bear one harmonic by themselves
  });

  it("damps by the lag regression of departures: for x(t+1) = 0.8 x(t) + noise, a_L = 0.8^L", () => {
    const rng = random(2);
    const steps = 4000;
    const values = new Float32Array(steps);
    for (let t = 1; t < steps; t++) values[t] = 0.8 * values[t - 1] + 0.6 * rng.normal();
    const times = Float64Array.from({ length: steps }, (_, t) => 24 * HOUR * t);
    const ar: Series = {
      times,
      values,
      channels: ["x"],
      units: ["1"],
      latitudes: Float64Array.of(0),
      longitudes: Float64Array.of(0),
      calendar: "standard",
    };
    const n = fitNormaliser(ar, {
      trainRange: [0, times[steps - 1] + 1],
      step: 24 * HOUR,
      leadSteps: 3,
      firstGuess: "damped-anomaly",
    });
    // sampling error of a lag correlation, 2 / sqrt(n)
    [0.8, 0.64, 0.512].forEach((a, l) => expect(Math.abs(n.damping[l] - a)).toBeLessThan(0.035));
    // r_L^2 = (1 - 0.8^(2L)) for unit variance
    [0.6, Math.sqrt(1 - 0.64 ** 2)].forEach((r, l) =>
      expect(Math.abs(n.residual[l] / n.anomaly[0] - r)).toBeLessThan(0.03),
    );
  });

  it("calibrates a forecast that is twice too bold back to half", () => {
    const settings = config();
    const n = normaliserFor(series, settings);
    const rng = random(9);
    const fit = fitCalibration(n);
    const field = () => new Float32Array(n.anomaly.length).map(() => rng.normal());
    for (let k = 0; k < 200; k++) {
      const truth = field();
      fit.add(
        1,
        truth.map((v) => 2 * v),
        field(),
        truth,
      );
    }
    const rollout = field();
    calibrated(n, fit.result(), 1, rollout, field()).forEach((v, p) => expect(v).toBeCloseTo(rollout[p] / 2, 1));
  });

  it("blends the first guess and the roll-out by how far the latter is right, and leaves their size as it is", () => {
    const n = normaliserFor(series, config());
    const rng = random(10);
    const fit = fitCalibration(n, "blend");
    const size = n.anomaly.length;
    const field = () => new Float32Array(size).map(() => rng.normal());
    // Truth lies a quarter of the way from damped persistence to the roll-out
    const between = (rollout: Float32Array, start: Float32Array) =>
      rollout.map((f, p) => 0.25 * f + 0.75 * n.damping[p] * start[p]);
    for (let k = 0; k < 300; k++) {
      const [rollout, start, noise] = [field(), field(), field()];
      fit.add(
        1,
        rollout,
        start,
        between(rollout, start).map((v, p) => v + noise[p]),
        k % BLOCKS,
      );
    }
    const [rollout, start] = [field(), field()];
    const blended = calibrated(n, fit.result(), 1, rollout, start);
    const right = between(rollout, start);
    // The weight's sampling error is 1 / sqrt(300 cells), a percent, and it is drawn in by far less
    blended.forEach((v, p) =>
      expect(Math.abs(v - right[p])).toBeLessThan(0.03 * Math.abs(rollout[p] - n.damping[p] * start[p])),
    );
    const { weights } = fit.result();
    for (let k = 0; k < weights.length; k += 2) expect(weights[k] + weights[k + 1]).toBeCloseTo(1, 6);
  });

  it("leaves a blend at the first guess where stretches of time do not agree", () => {
    const n = normaliserFor(series, config());
    const rng = random(11);
    const fit = fitCalibration(n, "blend");
    const field = () => new Float32Array(n.anomaly.length).map(() => rng.normal());
    // The roll-out is right in one stretch and wrong by as much in all others: what is gained is one stretch's chance
    for (let k = 0; k < 80; k++) {
      const [rollout, start] = [field(), field()];
      const sign = k % BLOCKS === 0 ? 1 : -0.1;
      const truth = rollout.map((f, p) => n.damping[p] * start[p] + sign * (f - n.damping[p] * start[p]));
      fit.add(1, rollout, start, truth, k % BLOCKS);
    }
    const { weights } = fit.result();
    expect([...weights.subarray(0, 2)]).toEqual([0, 1]);
  });

  it("keeps the periods apart and names what is wrong with them", () => {
    const { train, validation, test } = resolvePeriods(series, config());
    expect(validation[0]).toBeGreaterThanOrEqual(train[1] + 18 * HOUR);
    expect(test[0]).toBeGreaterThanOrEqual(validation[1] + 18 * HOUR);
    const named = (periods: object) => resolvePeriods(series, { ...config(), data: periods });
    expect(() =>
      named({
        train: ["2001-01-01", "2001-02-01"],
        validation: ["2001-01-20", "2001-02-10"],
        test: ["2001-03-01", "2001-03-20"],
      }),
    ).toThrow(/overlap/);
    expect(() => named({ train: ["2001-01-01", "2001-02-01"] })).toThrow(/all three/);
    expect(() =>
      named({
        train: ["1991-01-01", "1991-02-01"],
        validation: ["2001-02-20", "2001-02-25"],
        test: ["2001-03-01", "2001-03-20"],
      }),
    ).toThrow(/no time lies in the train span/);
  });

  it("says which value of the training data is missing", () => {
    const holed: Series = { ...series, values: series.values.map((v, i) => (i === 12_345 ? NaN : v)) };
    expect(() => normaliserFor(holed, config())).toThrow(/1 values are missing .* 't' at 2001-02-21T06:00:00.000Z/);
  });
});

describe("settings", () => {
  it("names the nearest right key", () => {
    expect(() => parseForecastConfig({ data: { path: "x" }, training: { lerningRate: 1 } }, "run.yaml")).toThrow(
      /run.yaml: there is no setting 'training.lerningRate'; did you mean 'learningRate'/,
    );
    expect(() => parseForecastConfig({ data: { path: "x" }, trainin: {} })).toThrow(
      /'trainin'; did you mean 'training'/,
    );
    expect(() => parseForecastConfig({ data: { path: "x" }, training: { steps: "many" } })).toThrow(/training.steps/);
  });
});
