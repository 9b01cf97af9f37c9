/** What `foehn demo` simulates and trains when nothing else is asked for: sized for a few minutes on two cores. */
import { readTimes } from "../data/coords.js";
import type { Dataset } from "../data/dataset.js";
import type { SimulationConfig } from "../simulator/config.js";

/** A year and a half of dry weather at T21 (32 x 64 points), every six hours: a year to learn from, the rest to check on. */
export const DEMO_SIMULATION: Partial<SimulationConfig> = {
  model: "dry",
  truncation: 21,
  levels: 5,
  days: 540,
  spinupDays: 60,
  everyHours: 6,
  orography: "idealised",
  pressureLevels: [500, 850],
  variables: ["geopotential", "temperature", "u_component_of_wind", "v_component_of_wind"],
};

/** `foehn-tiny`: a small ViT stepped through 12 hours of its own forecast while it learns. */
export const demoConfig = (data: string, seed: number): unknown => ({
  data: {
    path: data,
    variables: ["geopotential@500", "temperature@850", "u_component_of_wind@850", "v_component_of_wind@850"],
  },
  forecast: { history: 2, maxLead: 120, method: "iterative" },
  model: { name: "vit", patch: [4, 4], width: 128, depth: 4, heads: 4, headDepth: 1, dropout: 0 },
  training: {
    steps: 400,
    batch: 16,
    microBatch: 4,
    learningRate: 1e-3,
    weightDecay: 0.05,
    rollout: [
      [0.7, 1],
      [0.3, 2],
    ],
    validateEvery: 100,
    validationSamples: 32,
  },
  seed,
});

/** Settings for a user's data: leads of five days in the data's own steps, periods cut by the record's length. */
export async function ownDataConfig(
  dataset: Dataset,
  path: string,
  flags: { variables?: string[]; seed: number },
): Promise<unknown> {
  const { values } = await readTimes(dataset);
  const hours = (values[1] - values[0]) / 3_600_000;
  return {
    data: { path, variables: flags.variables ?? [] },
    forecast: { history: 2, maxLead: Math.max(hours, Math.min(120, 20 * hours)), method: "iterative" },
    model: { name: "unet", width: 16, depth: 2, dropout: 0.1 },
    training: {
      steps: 400,
      batch: 8,
      microBatch: 4,
      rollout: [
        [0.6, 1],
        [0.4, 4],
      ],
      shift: 1,
      validateEvery: 50,
      validationSamples: 64,
    },
    seed: flags.seed,
  };
}
