/**
 * A site that trains on weather: the `LocalTrainer` of the federation over its members' samples, and their scores. What it
 * trains for itself is in own.ts.
 */
import type { Runtime } from "../../engine/runtime.js";
import { UsageError } from "../../errors.js";
import { type Random, random } from "../../tensor/random.js";
import { workerMomentum } from "../aggregate/attacks.js";
import { addScaled } from "../aggregate/rows.js";
import { clipped } from "../privacy/noise.js";
import { flatten, type Layout, layoutLength, layoutOf, type Parameters, unflatten } from "../protocol/parameters.js";
import type { Budget, LocalTrainer, Trained, TrainingTask } from "../protocol/trainer.js";
import { annealed } from "../strategy/schedule.js";
import { batchOf, createDescent } from "./descent.js";
import { createForecaster } from "./forecaster.js";
import { lineOf, lineText, priorOf, withLine } from "./line.js";
import type { Member } from "./member.js";
import { personalise } from "./own.js";
import type { Prior } from "./ridge.js";
import type { Pick } from "./samples.js";
import {
  type BaselineName,
  type Errors,
  errorsOf,
  everyBaseline,
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
  /** The members as a model's forecasts begin from: their ridge regression drawn towards the model's line, where it has one. */
  drawn(params: Parameters): readonly Member[];
  /** Errors of a model, and of a baseline from the same starts, on a part of the record. */
  errors(params: Parameters, part: Part, most?: number): Promise<Errors>;
  baseline(name: BaselineName, part: Part, most?: number): Errors;
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

/** Batches whose loss is reported, and of FedAMD's large gradients. */
const LOSS_BATCHES = 2;
const LARGE_BATCHES = 32;

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
  const forecaster = await createForecaster(runtime, task, variables, members[0]);
  const pick = picker(members);
  /** The members as they begin from the line last asked for: fits are costly, and a line lasts for many rounds. */
  let begun: { model: Parameters; line: string; members: readonly Member[] } | undefined;
  const drawn = (params: Parameters): readonly Member[] => {
    if (task.forecast.firstGuess !== "shared-ridge") return members;
    if (begun?.model === params) return begun.members;
    const line = lineText(params);
    const ridges = begun?.line === line ? begun.members : towards(members, priorOf(task, variables, params));
    begun = { model: params, line, members: ridges };
    return begun.members;
  };
  /** A batch for a model, and the numbers to go on drawing with. */
  const batch = (params: Parameters, rng: Random): [Pick[], Random] => {
    const from = drawn(params);
    return [Array.from({ length: batchOf(task, members[0]) }, () => pick(rng, from)), rng];
  };

  const starts = (part: Part, most: number): number[] => scoredStarts(members[0], task, part, most);
  const known = new Map<string, Errors>();
  const baseline: WeatherSite["baseline"] = (name, part, most = task.evaluationStarts) => {
    const key = `${name} ${part} ${most}`;
    const from = starts(part, most);
    const corrections =
      name === "ridge" && !known.has(key)
        ? scoredPicks(members, task, from).map(({ member, start, lead }) => member.ridge.at(start, lead))
        : undefined;
    const made = known.get(key) ?? errorsOf(task, members, variables, from, name, corrections);
    known.set(key, made);
    return made;
  };
  const errors: WeatherSite["errors"] = async (params, part, most = task.evaluationStarts) => {
    const from = starts(part, most);
    const corrections = await forecaster.correct(params, scoredPicks(drawn(params), task, from));
    return errorsOf(task, members, variables, from, "model", corrections);
  };

  /** The mean of batches' gradients, each shortened to `longest`, and of their losses. */
  const meanGradient = async (
    params: Parameters,
    rng: Random,
    { ends, longest, signal }: { ends: (done: number) => boolean; longest: number; signal?: AbortSignal },
  ): Promise<{ gradient: Float32Array; layout: Layout; steps: number; loss: number }> => {
    const layout = layoutOf(params).filter(({ name }) => descent.arrays.includes(name));
    const gradient = new Float32Array(layoutLength(layout));
    let [steps, loss] = [0, 0];
    while (!ends(steps)) {
      signal?.throwIfAborted();
      const found = await descent.gradient(params, ...batch(params, rng.split(`step ${steps}`)));
      addScaled(gradient, 1, clipped(flatten(found.gradient, layout), longest));
      loss += found.loss;
      steps++;
    }
    return { gradient: gradient.map((g) => g / steps), layout, steps, loss: loss / steps };
  };
  /** What stays of the gradients this site has sent. */
  let sent: Float32Array | undefined;
  const sendGradient = async (params: Parameters, given: TrainingTask): Promise<Trained> => {
    if (given.offset || given.proximal)
      throw new UsageError(
        "this run's sites send gradients (task.training.sends) and take no steps that its strategy could correct; take strategy fedadam, or let sites send models",
      );
    const { gradientMemory, clip } = task.training;
    const ends = limitOf(given.budget, batchOf(task, members[0]));
    const { signal } = given;
    const mean = await meanGradient(params, random(given.seed).split("round"), { ends, longest: clip, signal });
    if (!sent || !given.progress) sent = mean.gradient;
    else workerMomentum(sent, mean.gradient, gradientMemory);
    const before = flatten(params, mean.layout);
    return {
      params: unflatten(
        before.map((w, i) => w - sent![i]),
        mean.layout,
      ),
      steps: mean.steps,
      learningRate: 1,
      loss: mean.loss,
      arrays: descent.arrays,
      gradient: true,
    };
  };

  /** The slopes of this site's own regression, drawn towards those of all. */
  const sendLine = (params: Parameters): Trained => {
    const [{ ridge }] = drawn(params);
    const line = lineOf(task, variables, (lead) => ridge.slopes(lead));
    return { params: line, arrays: [...line.keys()], steps: 1, learningRate: 1 };
  };

  /** The model that `steps` began from: it says which line the batches begin from. */
  let beginning: Parameters = new Map();
  const site: WeatherSite = {
    members,
    variables,
    drawn,
    errors,
    baseline,
    steps: {
      begin(params) {
        beginning = params;
        descent.begin(params);
      },
      step: (rng, learningRate) => descent.step(...batch(beginning, rng), learningRate),
      parameters: () => withLine(descent.parameters(), beginning),
      gradient: async (params, rng) => (await descent.gradient(params, ...batch(params, rng))).gradient,
    },
    describe: () => ({ samples: count("train"), variables, device: runtime.device }),
    async train(params, given): Promise<Trained> {
      if (isLineRound(task, given)) return sendLine(params);
      if (task.training.sends === "gradient" && !given.own) return sendGradient(params, given);
      const { budget, seed, signal, offset, proximal, progress = 0, own = false } = given;
      const rng = random(seed).split("round");
      const ends = limitOf(budget, batchOf(task, members[0]));
      const rate = task.training.learningRate * annealed(progress, task.training.floor);
      const { keepOptimiser, sends } = task.training;
      // Where the hub's optimiser goes on through the run, so does that of the training alone beside it
      const keeps = keepOptimiser || sends === "gradient";
      const keep = keeps ? { as: own ? "own" : "shared", anew: progress === 0 } : undefined;
      descent.begin(params, { offset, proximal, keep });
      let [steps, loss] = [0, 0];
      while (!ends(steps)) {
        signal?.throwIfAborted();
        const before = await descent.step(...batch(params, rng.split(`step ${steps}`)), rate);
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
    async gradient(params, { size, seed }) {
      const batches = size === "large" ? LARGE_BATCHES : 1;
      const ends = (done: number) => done >= batches;
      const { gradient, layout } = await meanGradient(params, random(seed).split("round"), { ends, longest: Infinity });
      return unflatten(gradient, layout);
    },
    async personalise(params, { seed }) {
      return (await personalise(site, task, params, { seed })).params;
    },
    async evaluate(params) {
      return skillRows(
        await errors(params, "test"),
        everyBaseline((name) => baseline(name, "test")),
        { resamples: 200 },
      );
    },
    async close() {
      await descent.close();
      await forecaster.close();
    },
  };
  return site;
}

const towards = (members: readonly Member[], prior: Prior | undefined): Member[] =>
  members.map((member) => ({ ...member, ridge: member.ridge.towards(prior) }));

/** Whether a round of the run is one in which the sites agree on their common line. */
const isLineRound = ({ forecast }: SharedTask, { round, own }: TrainingTask): boolean =>
  forecast.firstGuess === "shared-ridge" && !own && round !== undefined && round < forecast.lineRounds;

/** Whether a budget is used up after a number of steps. */
function limitOf({ steps, samples, seconds }: Budget, batch: number): (done: number) => boolean {
  if (steps === undefined && samples === undefined && seconds === undefined)
    throw new UsageError("the round's budget names neither steps, samples nor seconds; set budget.steps");
  const began = performance.now();
  const most = Math.min(steps ?? Infinity, samples === undefined ? Infinity : Math.max(1, Math.round(samples / batch)));
  return (done) => done >= most || (seconds !== undefined && done > 0 && performance.now() - began >= 1000 * seconds);
}

/** Draws a member by its number of samples (from those given, in the same order), a lead, and a start. */
function picker(members: readonly Member[]): (rng: Random, from: readonly Member[]) => Pick {
  const sizes = members.map(({ starts }) => starts.train.reduce((s, list) => s + list.length, 0));
  const total = sizes.reduce((s, n) => s + n, 0);
  return (rng, from) => {
    let left = rng.uniform() * total;
    let m = 0;
    while (m < members.length - 1 && left >= sizes[m]) left -= sizes[m++];
    const usable = members[m].starts.train.flatMap((list, lead) => (list.length > 0 ? [lead] : []));
    const lead = usable[rng.integer(usable.length)];
    const list = members[m].starts.train[lead];
    return { member: from[m], lead, start: list[rng.integer(list.length)] };
  };
}
