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
import { LINE, lineOf, placesAmongAll, withLine } from "./line.js";
import { fit, FOLDS, type Products, type Sums, summed, sumsOf } from "./ridge.js";
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
  const alike = shapes.size === 1 && stations;
  const initial = withPooledLine(options);
  const tried = alike ? await ofStations({ ...options, initial }) : await ofGraphs({ ...options, initial });
  return tried.reduce((a, b) => (b.validation < a.validation ? b : a));
}

/**
 * The untrained model with the line of all data: one regression on the sum of all sites' products, in which a variable that a site
 * lacks is as usual, its departure zero.
 */
function withPooledLine({ task, owners, initial }: Pick<CentralOptions, "task" | "owners" | "initial">): Parameters {
  if (task.forecast.firstGuess !== "shared-ridge") return initial;
  const slopes = task.forecast.leads.map((_, lead) => {
    const sites = owners.map(({ site: { members, variables } }) => ({
      variables,
      sums: sumsOf(task, members, lead),
      places: placesAmongAll(task, variables),
    }));
    const of = (variable: string, products: (sums: Sums) => readonly Products[]): Products =>
      summed(
        sites
          .filter(({ variables }) => variables.includes(variable))
          .map(({ variables, sums, places }) => placed(products(sums)[variables.indexOf(variable)], places, task)),
      );
    const folds = Array.from({ length: FOLDS }, (_, f) => task.variables.map((v) => of(v, (sums) => sums.folds[f])));
    return fit({ folds, held: task.variables.map((v) => of(v, (sums) => sums.held)) }).whole;
  });
  return withLine(
    initial,
    lineOf(task, task.variables, (lead) => slopes[lead]),
  );
}

/** Products of a site's numbers at their places among those of all variables. */
function placed({ xx, xz, zz, n }: Products, places: readonly number[], task: SharedTask): Products {
  const width = placesAmongAll(task, task.variables).length;
  const out = { xx: new Float64Array(width * width), xz: new Float64Array(width), zz, n };
  places.forEach((i, a) => {
    out.xz[i] = xz[a];
    places.forEach((j, b) => (out.xx[i * width + j] = xx[a * places.length + b]));
  });
  return out;
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
  const layout = layoutOf(initial).filter(({ name }) => !name.startsWith(LINE));
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
      const params = withLine(unflatten(weights, layout), initial);
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
      const now = withLine(unflatten(weights.slice(), layout), initial);
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
