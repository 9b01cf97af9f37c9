/**
 * Training of a forecasting model: one visible loop. Everything random is drawn from (seed, member, step), so a run that was
 * killed goes on from its last checkpoint with the very numbers it would have had.
 *
 *     for await (const event of trainForecast({ runtime, series, config, store, normaliser })) show(event);
 */
import { adamW, chain, scaleByGroup, trackAverage } from "../../engine/optimiser.js";
import { initialise, type Parameters } from "../../engine/parameters.js";
import type { Feeds, Runtime } from "../../engine/runtime.js";
import { constant, cosine, type Schedule, warmupStableDecay } from "../../engine/schedule.js";
import { createTrainer, type Trainer, type TrainerState } from "../../engine/train.js";
import { UsageError } from "../../errors.js";
import type { NdArray } from "../../tensor/ndarray.js";
import { type Random, random } from "../../tensor/random.js";
import { type Series, stepOf } from "../series.js";
import type { ForecastConfig } from "./config.js";
import { isGlobal } from "./features.js";
import { layerRates } from "./groups.js";
import { trainingNetwork } from "./network.js";
import { fitNormaliser, type Normaliser } from "./normaliser.js";
import { trainedLeads } from "./leads.js";
import { resolvePeriods, startsIn } from "./periods.js";
import { type Departures, departuresOf, type Past, type Pick, sampleFeeds } from "./samples.js";
import { drawShift } from "./shift.js";

/** Where one network of the run stands, whole: what is saved and gone on from. */
export interface Checkpoint {
  /** Which of the run's networks, from 1. */
  readonly member: number;
  readonly parameters: Parameters;
  readonly trainer: TrainerState;
  /** The averaged weights with the lowest validation loss so far. */
  readonly best: { readonly loss: number; readonly step: number; readonly parameters: Parameters };
  /** Validations since then. */
  readonly waited: number;
  readonly finished: boolean;
}

/** Where a run keeps its checkpoints; `run.node.ts` has one on disk. */
export interface CheckpointStore {
  load(member: number): Promise<Checkpoint | undefined>;
  save(checkpoint: Checkpoint): Promise<void>;
}

export interface TrainEvent {
  readonly member: number;
  readonly step: number;
  readonly steps: number;
  /** Squared error in units of the first guess's: 1 for a network that knows nothing. */
  readonly loss: number;
  readonly gradientNorm: number;
  readonly learningRate: number;
  /** At validations: the loss of the averaged weights on the validation period. */
  readonly validation?: number;
  readonly best?: boolean;
  /** Why this network's training ended with this step. */
  readonly ended?: "all steps done" | "no better validation";
}

export interface TrainOptions {
  readonly runtime: Runtime;
  readonly series: Series;
  readonly config: ForecastConfig;
  readonly store: CheckpointStore;
  readonly normaliser: Normaliser;
  /** Numbers to begin with where name and shape are those of the model's own; the others are drawn. */
  readonly initial?: Parameters;
}

export const pastOf = ({ forecast }: ForecastConfig): Past => ({
  history: forecast.history,
  slowDays: forecast.slowMeans,
});

/** The normaliser that a configuration asks for, fitted to its training period. */
export function normaliserFor(series: Series, config: ForecastConfig): Normaliser {
  const hours = stepOf(series) / 3_600_000;
  const leadSteps = Math.round(config.forecast.maxLead / hours);
  if (leadSteps < 1)
    throw new UsageError(
      `forecast.maxLead is ${config.forecast.maxLead} h, but the data has a state every ${hours} h; make it at least that`,
    );
  return fitNormaliser(series, {
    trainRange: resolvePeriods(series, config).train,
    step: stepOf(series),
    leadSteps,
    firstGuess: config.forecast.firstGuess,
  });
}

function scheduleOf({ schedule, learningRate, warmup, steps }: ForecastConfig["training"]): Schedule {
  const options = { peak: learningRate, warmup, total: steps, floor: 0.02 };
  return { cosine, "warmup-stable-decay": warmupStableDecay, constant }[schedule](options);
}

/** A stretch of the training with its number of jumps; it ends with step `until`. */
interface Phase {
  readonly until: number;
  readonly jumps: number;
}

function phasesOf({ forecast, training }: ForecastConfig, leadSteps: number): Phase[] {
  if (forecast.method === "direct") {
    if (training.rollout.some(([, jumps]) => jumps > 1))
      throw new UsageError("training.rollout belongs to forecast.method: iterative; a direct model makes one jump");
    return [{ until: training.steps, jumps: 1 }];
  }
  let part = 0;
  const phases = training.rollout.map(([share, jumps]) => ({
    until: Math.round((part += share) * training.steps),
    jumps,
  }));
  if (Math.abs(part - 1) > 1e-6) throw new UsageError(`the parts of training.rollout add up to ${part}, not 1`);
  const longest = Math.max(...phases.map((p) => p.jumps));
  if (longest > leadSteps)
    throw new UsageError(
      `training.rollout goes ${longest} steps ahead, but forecast.maxLead only ${leadSteps}; lengthen it`,
    );
  return phases;
}

/** Trains each network of the run in turn; yields after every step. Ends at once for what the store has finished. */
export async function* trainForecast(options: TrainOptions): AsyncGenerator<TrainEvent> {
  const departures = departuresOf(options.normaliser, options.series);
  for (let member = 1; member <= options.config.training.seeds; member++)
    yield* trainMember(options, departures, member);
}

async function* trainMember(
  { runtime, config, store, normaliser, initial }: TrainOptions,
  departures: Departures,
  member: number,
): AsyncGenerator<TrainEvent> {
  const before = await store.load(member);
  if (before?.finished) return;
  const { training } = config;
  const past = pastOf(config);
  const rng = random(config.seed).split(`member ${member}`);
  const schedule = scheduleOf(training);
  const phases = phasesOf(config, normaliser.leadSteps);
  const longest = Math.max(...phases.map((p) => p.jumps));
  const shape = {
    model: config.model,
    normaliser,
    history: past.history,
    slowMeans: past.slowDays.length,
    batch: training.microBatch,
  };
  const evaluation = trainingNetwork({ ...shape, jumps: longest, dropout: false, shift: false });
  const grid = {
    height: normaliser.latitudes.length,
    width: normaliser.longitudes.length,
    global: isGlobal(normaliser.longitudes),
  };
  const validation = validationPicks(departures.series, config, normaliser, longest, rng);

  const drawn = () => initialise(evaluation.parameters, { seed: rng.split("weights").uint32() });
  let parameters = before?.parameters ?? takenOver(drawn(), initial);
  let state = before?.trainer;
  let best = before?.best ?? { loss: Infinity, step: 0, parameters };
  let waited = before?.waited ?? 0;
  const rates = layerRates([...evaluation.parameters.initialisers.keys()], training.layerDecay);
  for (const { until, jumps } of phases) {
    if ((state?.step ?? 0) >= until) continue;
    const learner = trainingNetwork({ ...shape, jumps, dropout: true, shift: training.shift > 0 });
    const pick = picker(departures.series, config, normaliser, "train", jumps);
    const trainer: Trainer = await createTrainer(runtime, {
      loss: learner.loss,
      evaluation: evaluation.loss,
      parameters,
      optimiser: chain(
        adamW({ weightDecay: training.weightDecay, beta2: training.beta2 }),
        scaleByGroup(rates),
        trackAverage(training.average),
      ),
      trainable: (name) => !training.freeze.some((prefix) => name.startsWith(prefix)),
      clipNorm: training.clip,
      state,
    });
    try {
      while (trainer.step < until) {
        const step = trainer.step + 1;
        const draw = rng.split(`step ${step}`);
        const learningRate = schedule(step);
        const microBatches = Array.from({ length: training.batch / training.microBatch }, (): Feeds => {
          const picks = Array.from({ length: training.microBatch }, () => pick(draw));
          return {
            ...sampleFeeds(normaliser, departures, picks, past, jumps),
            ...learner.dropout.draw(draw),
            ...(training.shift > 0 ? drawShift(draw, grid, training.shift) : {}),
          };
        });
        const event: TrainEvent = {
          member,
          step,
          steps: training.steps,
          learningRate,
          ...(await trainer.train(microBatches, { learningRate })),
        };
        const last = step === training.steps;
        if (step % training.validateEvery !== 0 && !last) {
          yield event;
          continue;
        }
        let total = 0;
        for (const part of validation)
          total += await trainer.evaluate(sampleFeeds(normaliser, departures, part, past, longest), { average: true });
        const loss = total / validation.length;
        const better = loss < best.loss;
        if (better) best = { loss, step, parameters: await trainer.parameters({ average: true }) };
        waited = better ? 0 : waited + 1;
        const patient = waited < training.patience;
        await store.save({
          member,
          parameters: await trainer.parameters(),
          trainer: await trainer.state(),
          best,
          waited,
          finished: last || !patient,
        });
        yield {
          ...event,
          validation: loss,
          best: better,
          ...(last ? { ended: "all steps done" } : patient ? {} : { ended: "no better validation" }),
        };
        if (!patient) return;
      }
      parameters = await trainer.parameters();
      state = await trainer.state();
    } finally {
      await trainer.close();
    }
  }
}

/** The model's parameters with the numbers of those that `from` has in the same shape: at least half of them, or it is another model. */
function takenOver(own: Parameters, from: Parameters | undefined): Parameters {
  if (!from) return own;
  const fits = [...own].filter(([name, array]) => from.get(name)?.shape.join() === array.shape.join());
  const count = (arrays: Iterable<[string, NdArray]>) => [...arrays].reduce((sum, [, a]) => sum + a.data.length, 0);
  if (2 * count(fits) < count(own))
    throw new UsageError(
      `training.from has ${count(fits)} of this model's ${count(own)} parameters; start from a run of the same architecture and width`,
    );
  return new Map([...own, ...fits.map(([name]) => [name, from.get(name)!] as const)]);
}

/** Draws a lead that the method knows and a start of a period. */
function picker(
  series: Series,
  config: ForecastConfig,
  normaliser: Normaliser,
  name: "train" | "validation",
  jumps: number,
): (draw: Random) => Pick {
  const { history } = config.forecast;
  const period = resolvePeriods(series, config)[name];
  const choices = trainedLeads(config, normaliser, jumps).map((lead) => {
    const starts = startsIn(series, period, history, lead * jumps);
    if (starts.length === 0)
      throw new UsageError(
        `data.${name} has no start with ${history} states before it and truth ${lead * jumps} steps ahead; lengthen the period, or shorten forecast.maxLead or training.rollout`,
      );
    return { lead, starts };
  });
  return (draw) => {
    const { lead, starts } = choices[draw.integer(choices.length)];
    return { lead, start: starts[draw.integer(starts.length)] };
  };
}

/** The samples of every validation, in micro-batches; the same throughout a run. */
function validationPicks(
  series: Series,
  config: ForecastConfig,
  normaliser: Normaliser,
  jumps: number,
  rng: Random,
): Pick[][] {
  const { batch, microBatch, validationSamples } = config.training;
  if (batch % microBatch !== 0)
    throw new UsageError(`training.batch (${batch}) is not a multiple of training.microBatch (${microBatch})`);
  const pick = picker(series, config, normaliser, "validation", jumps);
  const draw = rng.split("validation");
  return Array.from({ length: Math.ceil(validationSamples / microBatch) }, () =>
    Array.from({ length: microBatch }, () => pick(draw)),
  );
}
