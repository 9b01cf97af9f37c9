/**
 * A site that trains on weather: the `LocalTrainer` of the federation over its members' samples, and what it can do besides:
 * train alone, for comparison, and make the shared model its own.
 */
import type { Runtime } from "../../engine/runtime.js";
import { UsageError } from "../../errors.js";
import { type Random, random } from "../../tensor/random.js";
import { interval } from "../../verify/bootstrap.js";
import type { Parameters } from "../protocol/parameters.js";
import type { Budget, LocalTrainer, Trained } from "../protocol/trainer.js";
import { annealed } from "../strategy/schedule.js";
import { batchOf, createDescent } from "./descent.js";
import type { Member } from "./member.js";
import type { Pick } from "./samples.js";
import {
  BASELINES,
  type Errors,
  errorsOf,
  relativeError,
  resampledErrors,
  scoredPicks,
  scoredStarts,
  skillRows,
} from "./scores.js";
import type { Part } from "./split.js";
import { refuseEmpty } from "./split.js";
import type { SharedTask } from "./task.js";

export interface WeatherSite extends LocalTrainer {
  readonly members: readonly Member[];
  readonly variables: readonly string[];
  /** Errors of a model, and of the baselines from the same starts, on a part of the record. */
  errors(params: Parameters, part: Part, most?: number): Promise<Errors>;
  baselines(part: Part, most?: number): Record<(typeof BASELINES)[number], Errors>;
  /** One optimiser step on a batch drawn with `rng`, after `begin`: for trainings that are not rounds. */
  readonly steps: {
    begin(params: Parameters): void;
    step(rng: Random, learningRate: number): Promise<number>;
    parameters(): Parameters;
    /** The gradient of the loss of such a batch at the given numbers. */
    gradient(params: Parameters, rng: Random): Promise<Parameters>;
  };
  close(): Promise<void>;
}

/** Samples scored for `TrainingTask` losses. */
const LOSS_BATCHES = 2;

export async function createWeatherSite(options: {
  readonly task: SharedTask;
  readonly members: readonly Member[];
  /** The task's variables that the members' channels are, in that order. */
  readonly variables: readonly string[];
  readonly runtime: Runtime;
  readonly source?: string;
}): Promise<WeatherSite> {
  const { task, members, variables, runtime, source = "site data" } = options;
  const count = (part: Part) => members.reduce((s, m) => s + m.starts[part][0].length, 0);
  refuseEmpty({ train: count("train"), validation: count("validation"), test: count("test") }, source);
  const descent = await createDescent(runtime, task, variables, members[0]);
  const pick = picker(members);
  const batch = (rng: Random): Pick[] => Array.from({ length: batchOf(task, members[0]) }, () => pick(rng));

  const starts = (part: Part, most: number): number[] => scoredStarts(members[0], task, part, most);
  const known = new Map<string, Record<(typeof BASELINES)[number], Errors>>();
  const baselines: WeatherSite["baselines"] = (part, most = task.evaluationStarts) => {
    const key = `${part} ${most}`;
    const made =
      known.get(key) ??
      (Object.fromEntries(
        BASELINES.map((name) => [name, errorsOf(task, members, variables, starts(part, most), name)]),
      ) as Record<(typeof BASELINES)[number], Errors>);
    known.set(key, made);
    return made;
  };
  const errors: WeatherSite["errors"] = async (params, part, most = task.evaluationStarts) => {
    const from = starts(part, most);
    const corrections = await descent.correct(params, scoredPicks(members, task, from));
    return errorsOf(task, members, variables, from, "model", corrections);
  };

  return {
    members,
    variables,
    errors,
    baselines,
    steps: {
      begin: (params) => descent.begin(params),
      step: (rng, learningRate) => descent.step(batch(rng), learningRate),
      parameters: () => descent.parameters(),
      gradient: (params, rng) => descent.gradient(params, batch(rng)),
    },
    describe: () => ({ samples: count("train"), variables, device: runtime.device }),
    async train(params, { budget, seed, signal, offset, proximal, progress = 0 }): Promise<Trained> {
      const rng = random(seed).split("round");
      const ends = limitOf(budget, batchOf(task, members[0]));
      const rate = task.training.learningRate * annealed(progress, task.training.floor);
      descent.begin(params, { offset, proximal, keepOptimiser: task.training.keepOptimiser });
      let [steps, loss] = [0, 0];
      while (!ends(steps)) {
        signal?.throwIfAborted();
        const before = await descent.step(batch(rng.split(`step ${steps}`)), rate);
        if (steps < LOSS_BATCHES) loss += before;
        steps++;
      }
      return {
        params: descent.parameters(),
        steps,
        learningRate: rate,
        ...(task.training.optimiser === "sgd" ? { momentum: task.training.momentum } : {}),
        loss: loss / Math.min(steps, LOSS_BATCHES),
        arrays: descent.arrays,
      };
    },
    async evaluate(params) {
      return skillRows(await errors(params, "test"), baselines("test"), { resamples: 200 });
    },
    close: () => descent.close(),
  };
}

/** Whether a budget is used up after a number of steps. */
function limitOf({ steps, samples, seconds }: Budget, batch: number): (done: number) => boolean {
  if (steps === undefined && samples === undefined && seconds === undefined)
    throw new UsageError("the round's budget names neither steps, samples nor seconds; set budget.steps");
  const began = performance.now();
  const most = Math.min(steps ?? Infinity, samples === undefined ? Infinity : Math.max(1, Math.round(samples / batch)));
  return (done) => done >= most || (seconds !== undefined && done > 0 && performance.now() - began >= 1000 * seconds);
}

/** Draws a member by its number of samples, a lead, and a start. */
function picker(members: readonly Member[]): (rng: Random) => Pick {
  const sizes = members.map(({ starts }) => starts.train.reduce((s, list) => s + list.length, 0));
  const total = sizes.reduce((s, n) => s + n, 0);
  return (rng) => {
    let left = rng.uniform() * total;
    let m = 0;
    while (m < members.length - 1 && left >= sizes[m]) left -= sizes[m++];
    const usable = members[m].starts.train.flatMap((list, lead) => (list.length > 0 ? [lead] : []));
    const lead = usable[rng.integer(usable.length)];
    const list = members[m].starts.train[lead];
    return { member: members[m], lead, start: list[rng.integer(list.length)] };
  };
}

export interface AloneOptions {
  readonly steps: number;
  readonly seed: number;
  readonly learningRate?: number;
  /** Steps between validations; the numbers with the best validation are kept. */
  readonly validateEvery?: number;
  /** Validations without a better one before it stops. */
  readonly patience?: number;
}

/** What a training at one site ended with. */
export interface LocalModel {
  readonly params: Parameters;
  /** Relative error on the site's validation part. */
  readonly validation: number;
  /** The step the kept numbers are of. */
  readonly step: number;
}

/**
 * A fair competitor: the same model trained on the site's data alone, the optimiser's state kept all the way, the rate along a
 * cosine, and the numbers with the best validation kept.
 */
export async function trainAlone(
  site: WeatherSite,
  task: SharedTask,
  initial: Parameters,
  options: AloneOptions,
): Promise<LocalModel> {
  const { steps, seed, learningRate = task.training.learningRate, patience = Infinity } = options;
  const validateEvery = options.validateEvery ?? Math.max(1, Math.round(steps / 20));
  const rng = random(seed).split("alone");
  const score = async (params: Parameters) =>
    relativeError(await site.errors(params, "validation"), site.baselines("validation").damped);
  site.steps.begin(initial);
  let best: LocalModel = { params: site.steps.parameters(), validation: await score(initial), step: 0 };
  let waited = 0;
  for (let step = 1; step <= steps && waited < patience; step++) {
    await site.steps.step(rng.split(`step ${step}`), learningRate * annealed(step / steps, task.training.floor));
    if (step % validateEvery !== 0 && step !== steps) continue;
    const params = site.steps.parameters();
    const validation = await score(params);
    waited = validation < best.validation ? 0 : waited + 1;
    if (validation < best.validation) best = { params, validation, step };
  }
  return best;
}

/**
 * The site's own model: the shared one trained further on the site's data, at a small rate. Kept only where the site's validation
 * says with the given confidence that it is better; the shared model otherwise.
 */
export async function personalise(
  site: WeatherSite,
  task: SharedTask,
  shared: Parameters,
  options: AloneOptions & { readonly confidence?: number },
): Promise<LocalModel> {
  const { confidence = 0.9 } = options;
  const tuned = await trainAlone(site, task, shared, options);
  const damped = site.baselines("validation").damped;
  const before = await site.errors(shared, "validation");
  const [a, b] = resampledErrors([before, await site.errors(tuned.params, "validation")], damped);
  const [low] = interval(
    a.map((v, r) => v - b[r]),
    2 * confidence - 1,
  );
  if (tuned.step > 0 && low > 0) return tuned;
  return { params: shared, validation: relativeError(before, damped), step: 0 };
}
