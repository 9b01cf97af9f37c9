/**
 * Training of a forecasting model: one visible loop. Everything random is drawn from (seed, member, step), so a run that was
 * killed goes on from its last checkpoint with the very numbers it would have had.
 *
 *     for await (const event of trainForecast({ runtime, series, config, store })) show(event);
 */
import { adamW, chain, trackAverage } from "../../engine/optimiser.js";
import { initialise, type Parameters } from "../../engine/parameters.js";
import type { Feeds, Runtime } from "../../engine/runtime.js";
import { constant, cosine, type Schedule, warmupStableDecay } from "../../engine/schedule.js";
import { createTrainer, type TrainerState } from "../../engine/train.js";
import { UsageError } from "../../errors.js";
import { type Random, random } from "../../tensor/random.js";
import { type Series, stepOf } from "../series.js";
import type { ForecastConfig } from "./config.js";
import { forecastNetwork } from "./network.js";
import { fitNormaliser, type Normaliser } from "./normaliser.js";
import { resolvePeriods, startsIn } from "./periods.js";
import { type Pick, sampleFeeds } from "./samples.js";

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
  readonly loss: number;
  readonly gradientNorm: number;
  readonly learningRate: number;
  /** At validations: the loss of the averaged weights on the validation period; 1 is the first guess's. */
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
}

/** How many states ahead the longest lead is. */
export function leadStepsOf(series: Series, config: ForecastConfig): number {
  const hours = stepOf(series) / 3_600_000;
  const steps = Math.round(config.forecast.maxLead / hours);
  if (steps < 1)
    throw new UsageError(
      `forecast.maxLead is ${config.forecast.maxLead} h, but the data has a state every ${hours} h; make it at least that`,
    );
  return steps;
}

/** The normaliser that a configuration asks for, fitted to its training period. */
export const normaliserFor = (series: Series, config: ForecastConfig): Normaliser =>
  fitNormaliser(series, {
    trainRange: resolvePeriods(series, config).train,
    step: stepOf(series),
    leadSteps: leadStepsOf(series, config),
    firstGuess: config.forecast.firstGuess,
  });

function scheduleOf({ schedule, learningRate, warmup, steps }: ForecastConfig["training"]): Schedule {
  const options = { peak: learningRate, warmup, total: steps, floor: 0.02 };
  return { cosine, "warmup-stable-decay": warmupStableDecay, constant }[schedule](options);
}

/** Trains each network of the run in turn; yields after every step. Ends at once for what the store has finished. */
export async function* trainForecast(options: TrainOptions & { normaliser: Normaliser }): AsyncGenerator<TrainEvent> {
  for (let member = 1; member <= options.config.training.seeds; member++) yield* trainMember(options, member);
}

async function* trainMember(
  { runtime, series, config, store, normaliser }: TrainOptions & { normaliser: Normaliser },
  member: number,
): AsyncGenerator<TrainEvent> {
  const before = await store.load(member);
  if (before?.finished) return;
  const { training } = config;
  const { history } = config.forecast;
  const rng = random(config.seed).split(`member ${member}`);
  const network = (batch: number, dropout: boolean) =>
    forecastNetwork({ model: config.model, normaliser, history, batch, training: dropout });
  const learner = network(training.microBatch, true);
  const evaluation = network(training.microBatch, false);
  const schedule = scheduleOf(training);
  const { picks, validation } = drawers(series, config, normaliser, rng);

  const trainer = await createTrainer(runtime, {
    loss: learner.loss,
    evaluation: evaluation.loss,
    parameters: before?.parameters ?? initialise(learner.parameters, { seed: rng.split("weights").uint32() }),
    optimiser: chain(
      adamW({ weightDecay: training.weightDecay, beta2: training.beta2 }),
      trackAverage(training.average),
    ),
    clipNorm: training.clip,
    state: before?.trainer,
  });
  let best = before?.best ?? { loss: Infinity, step: 0, parameters: await trainer.parameters() };
  let waited = before?.waited ?? 0;
  try {
    while (trainer.step < training.steps) {
      const step = trainer.step + 1;
      const draw = rng.split(`step ${step}`);
      const learningRate = schedule(step);
      const microBatches = chunks(picks(draw), training.microBatch).map(
        (part): Feeds => ({ ...sampleFeeds(normaliser, series, part, history), ...learner.dropout.draw(draw) }),
      );
      const result = await trainer.train(microBatches, { learningRate });
      const event: TrainEvent = { member, step, steps: training.steps, learningRate, ...result };
      const last = step === training.steps;
      if (step % training.validateEvery !== 0 && !last) {
        yield event;
        continue;
      }
      let total = 0;
      for (const part of validation)
        total += await trainer.evaluate(sampleFeeds(normaliser, series, part, history), { average: true });
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
  } finally {
    await trainer.close();
  }
}

/** What is drawn at a step, and the fixed samples of every validation. */
function drawers(series: Series, config: ForecastConfig, { leadSteps }: Normaliser, rng: Random) {
  const { batch, microBatch, validationSamples } = config.training;
  const { history } = config.forecast;
  const { train, validation } = resolvePeriods(series, config);
  if (batch % microBatch !== 0)
    throw new UsageError(`training.batch (${batch}) is not a multiple of training.microBatch (${microBatch})`);
  const startsByLead = (range: readonly [number, number], name: string) =>
    Array.from({ length: leadSteps }, (_, i) => {
      const starts = startsIn(series, range, history, i + 1);
      if (starts.length === 0)
        throw new UsageError(
          `data.${name} has no start with ${history} states before it and truth ${i + 1} steps ahead; lengthen the period or lower forecast.maxLead`,
        );
      return starts;
    });
  const trainStarts = startsByLead(train, "train");
  const validationStarts = startsByLead(validation, "validation");
  const pick = (from: readonly number[][], draw: Random): Pick => {
    const lead = 1 + draw.integer(leadSteps);
    const starts = from[lead - 1];
    return { start: starts[draw.integer(starts.length)], lead };
  };
  const draw = rng.split("validation");
  const fixed = Array.from({ length: microBatch * Math.ceil(validationSamples / microBatch) }, () =>
    pick(validationStarts, draw),
  );
  return {
    picks: (at: Random) => Array.from({ length: batch }, () => pick(trainStarts, at)),
    validation: chunks(fixed, microBatch),
  };
}

const chunks = <T>(items: readonly T[], size: number): T[][] =>
  Array.from({ length: Math.ceil(items.length / size) }, (_, i) => items.slice(i * size, (i + 1) * size));
