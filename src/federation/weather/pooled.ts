/**
 * The bound: one model trained as if all data lay in one place, with as many samples as all sites together use. Stations share
 * one graph and one optimiser. Regions of different grids or variables have graphs of their own: each step then sums their
 * gradients and takes one Adam step on the sum, which is central training on the union.
 */
import type { Runtime } from "../../engine/runtime.js";
import { random } from "../../tensor/random.js";
import type { RunConfigInput } from "../protocol/config.js";
import { flatten, layoutOf, type Parameters, unflatten } from "../protocol/parameters.js";
import { annealed } from "../strategy/schedule.js";
import { type Owner, withBatch } from "./proof.js";
import { decayed } from "./descent.js";
import { flatOptimiser } from "./flat-optimiser.js";
import { relativeError } from "./scores.js";
import { trainAlone } from "./own.js";
import { createWeatherSite } from "./site.js";
import type { SharedTask } from "./task.js";

export interface Central {
  readonly params: Parameters;
  /** Mean relative error over the sites' validation parts. */
  readonly validation: number;
  readonly how: string;
}

interface CentralOptions {
  readonly config: RunConfigInput;
  readonly task: SharedTask;
  readonly owners: readonly Owner[];
  readonly runtime: Runtime;
  readonly rates: readonly number[];
  /** Of each site. */
  readonly steps: number;
  readonly initial: Parameters;
}

/** Trains centrally at each of the rates; the validation parts choose. */
export async function centralTraining(options: CentralOptions): Promise<Central> {
  const shapes = new Set(
    options.owners.map(({ site: { variables, members } }) => {
      const { latitudes, longitudes } = members[0].series;
      return [variables.join(), latitudes.length, longitudes.length].join(" ");
    }),
  );
  const stations = options.owners.every(({ site }) => site.members[0].series.latitudes.length === 1);
  const tried = shapes.size === 1 && stations ? await ofStations(options) : await ofGraphs(options);
  return tried.reduce((a, b) => (b.validation < a.validation ? b : a));
}

/** Batches of the pooled stations; the number of steps makes up for the rest. */
const POOLED_BATCH = 512;

async function ofStations({
  config,
  task,
  owners,
  runtime,
  rates,
  steps,
  initial,
}: CentralOptions): Promise<Central[]> {
  const pool = withBatch(task, POOLED_BATCH);
  const site = await createWeatherSite({
    task: pool,
    members: owners.flatMap((o) => o.site.members),
    variables: owners[0].site.variables,
    runtime,
    source: "the pooled data",
  });
  const all = Math.round((steps * owners.length * task.training.batch) / POOLED_BATCH);
  const tried: Central[] = [];
  for (const rate of rates) {
    const learningRate = rate * task.training.learningRate;
    const { params, validation, step } = await trainAlone(site, pool, initial, {
      steps: all,
      seed: config.seed ?? 0,
      learningRate,
    });
    tried.push({
      params,
      validation,
      how: `batches of ${pool.training.batch}, rate ${learningRate}, step ${step} of ${all}`,
    });
  }
  await site.close();
  return tried;
}

async function ofGraphs({ config, task, owners, rates, steps, initial }: CentralOptions): Promise<Central[]> {
  const layout = layoutOf(initial);
  const tried: Central[] = [];
  const validate = async (params: Parameters): Promise<number> => {
    let total = 0;
    for (const { site } of owners)
      total += relativeError(await site.errors(params, "validation"), site.baseline("damped", "validation"));
    return total / owners.length;
  };
  for (const rate of rates) {
    const learningRate = rate * task.training.learningRate;
    const weights = flatten(initial, layout);
    const optimiser = flatOptimiser(task, decayed(layout));
    let best: Central = { params: initial, validation: await validate(initial), how: "untrained" };
    const every = Math.max(1, Math.round(steps / 20));
    for (let step = 1; step <= steps; step++) {
      const params = unflatten(weights, layout);
      const sum = new Float32Array(weights.length);
      for (const [i, { site }] of owners.entries())
        addGradient(
          sum,
          await site.steps.gradient(params, random(config.seed ?? 0).split(`pooled ${step} ${i}`)),
          layout,
          1 / owners.length,
        );
      optimiser.step(weights, sum, learningRate * annealed(step / steps, task.training.floor));
      if (step % every !== 0 && step !== steps) continue;
      const now = unflatten(weights.slice(), layout);
      const validation = await validate(now);
      if (validation < best.validation)
        best = { params: now, validation, how: `summed gradients, rate ${learningRate}, step ${step} of ${steps}` };
    }
    tried.push(best);
  }
  return tried;
}

function addGradient(
  sum: Float32Array,
  gradient: Parameters,
  layout: ReturnType<typeof layoutOf>,
  weight: number,
): void {
  let at = 0;
  for (const { name, shape } of layout) {
    const length = shape.reduce((a, b) => a * b, 1);
    const data = gradient.get(name)?.data;
    if (data) for (let i = 0; i < length; i++) sum[at + i] += weight * data[i];
    at += length;
  }
}
