/** A small world for tests of downscaling. */
import { type Dataset, memoryDataset } from "../../data/dataset.js";
import { initialise } from "../../engine/parameters.js";
import { float32, ndarray } from "../../tensor/ndarray.js";
import { random } from "../../tensor/random.js";
import { type DownscaleConfig, parseDownscaleConfig } from "./config.js";
import { fitDownscaling } from "./fitted.js";
import { trainingNetwork } from "./network.js";
import { type Pairs, readPairs, splitOf } from "./pairs.js";
import type { DownscaleModel } from "./predict.js";

export const [ROWS, COLUMNS, TIMES] = [16, 24, 120];

/** Weather that a hill sharpens: smooth waves that move, lifted where the ground is high. */
export function fineDataset(variable = "t", rain = false): Dataset {
  const rng = random(3);
  const [latitudes, longitudes] = [
    Array.from({ length: ROWS }, (_, i) => 50 - 0.25 * i),
    Array.from({ length: COLUMNS }, (_, j) => 0.25 * j),
  ];
  const hill = (i: number, j: number) => Math.exp(-((i - 6) ** 2 + (j - 9) ** 2) / 6);
  const data = new Float32Array(TIMES * ROWS * COLUMNS);
  for (let t = 0; t < TIMES; t++) {
    const [a, b] = [rng.normal(), rng.normal()];
    for (let i = 0; i < ROWS; i++)
      for (let j = 0; j < COLUMNS; j++) {
        const wave = 280 + 3 * a * Math.sin(j / 8 + t / 5) + 3 * b * Math.cos(i / 7) - (6 + a) * hill(i, j);
        data[(t * ROWS + i) * COLUMNS + j] = rain ? Math.max(0, (wave - 280) * (1 + hill(i, j))) : wave;
      }
  }
  const axis = (dim: string, values: number[], units: string) => ({
    [dim]: { dims: [dim], data: ndarray("float64", [values.length], Float64Array.from(values)), attrs: { units } },
  });
  return memoryDataset({
    ...axis(
      "time",
      Array.from({ length: TIMES }, (_, t) => t),
      "hours since 2020-01-01",
    ),
    ...axis("latitude", latitudes, "degrees_north"),
    ...axis("longitude", longitudes, "degrees_east"),
    [variable]: {
      dims: ["time", "latitude", "longitude"],
      data: float32([TIMES, ROWS, COLUMNS], data),
      attrs: { units: rain ? "mm" : "K" },
    },
  });
}

export const settings = (over: Record<string, unknown> = {}): DownscaleConfig =>
  parseDownscaleConfig({
    task: "downscale",
    data: { fine: { path: "fine" }, factors: [[4, 4]] },
    model: { name: "edsr", width: 8, depth: 2 },
    training: {
      steps: 40,
      batch: 4,
      microBatch: 4,
      validateEvery: 20,
      validationSamples: 8,
      learningRate: 0.005,
      warmup: 5,
    },
    ...over,
  });

export const pairsFor = (config: DownscaleConfig, dataset = fineDataset()): Promise<Pairs> =>
  readPairs(config, () => Promise.resolve(dataset));

/** A model of networks that know nothing: parameters as they begin, and noise of a size on top. */
export function unlearned(config: DownscaleConfig, pairs: Pairs, noise: number): DownscaleModel {
  const fitted = fitDownscaling(pairs, config, splitOf(pairs, config).train);
  const { rows, columns } = pairs.grid;
  const { parameters } = trainingNetwork(config, fitted, { batch: 1, rows, columns }, { dropout: false });
  const members = Array.from({ length: config.training.seeds }, (_, k) => {
    const rng = random(k + 1);
    const begin = initialise(parameters, { seed: k + 1 });
    return new Map(
      [...begin].map(([name, a]) => [name, { ...a, data: a.data.map((v) => v + noise * rng.normal()) }] as const),
    );
  });
  return { config, fitted, members };
}
