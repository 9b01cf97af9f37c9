/**
 * Fitting one network: steps, validations, checkpoints, early stopping. What is learnt comes as a graph of a loss and as
 * functions that draw samples; everything random is drawn from (random numbers of the network, step), so a run that was killed
 * goes on from its last checkpoint with the very numbers it would have had.
 */
import { adamW, chain, trackAverage } from "../engine/optimiser.js";
import { initialise, type Scope } from "../engine/parameters.js";
import type { Feeds, Runtime } from "../engine/runtime.js";
import { constant, cosine, type Schedule, warmupStableDecay } from "../engine/schedule.js";
import { createTrainer } from "../engine/train.js";
import type { Tensor } from "../graph/graph.js";
import type { Random } from "../tensor/random.js";
import type { CheckpointStore, TrainEvent } from "./forecast/train.js";

/** The settings of a training that every task has. */
export interface FitSettings {
  readonly steps: number;
  readonly learningRate: number;
  readonly schedule: "cosine" | "warmup-stable-decay" | "constant";
  readonly warmup: number;
  readonly weightDecay: number;
  readonly beta2: number;
  readonly clip: number;
  readonly average: number;
  readonly validateEvery: number;
  readonly patience: number;
}

export interface FitOptions {
  readonly runtime: Runtime;
  readonly store: CheckpointStore;
  /** Which of the run's networks, from 1. */
  readonly member: number;
  readonly settings: FitSettings;
  /** The loss while training, and the scope of the parameters. */
  readonly loss: Tensor;
  readonly parameters: Scope;
  /** The loss that chooses, with the same parameters (without dropout). */
  readonly evaluation: Tensor;
  readonly rng: Random;
  /** The micro-batches of a step. */
  readonly draw: (rng: Random) => Feeds[];
  /** The samples of every validation. */
  readonly validation: readonly Feeds[];
}

/** Trains a network to its end; yields after every step. Ends at once for what the store has finished. */
export async function* fitNetwork(options: FitOptions): AsyncGenerator<TrainEvent> {
  const { runtime, store, member, settings, rng } = options;
  const before = await store.load(member);
  if (before?.finished) return;
  const schedule = scheduleOf(settings);
  const parameters = before?.parameters ?? initialise(options.parameters, { seed: rng.split("weights").uint32() });
  let best = before?.best ?? { loss: Infinity, step: 0, parameters };
  let waited = before?.waited ?? 0;
  const trainer = await createTrainer(runtime, {
    loss: options.loss,
    evaluation: options.evaluation,
    parameters,
    optimiser: chain(
      adamW({ weightDecay: settings.weightDecay, beta2: settings.beta2 }),
      trackAverage(settings.average),
    ),
    clipNorm: settings.clip,
    state: before?.trainer,
  });
  try {
    while (trainer.step < settings.steps) {
      const step = trainer.step + 1;
      const learningRate = schedule(step);
      const done = await trainer.train(options.draw(rng.split(`step ${step}`)), { learningRate });
      const event: TrainEvent = { member, step, steps: settings.steps, learningRate, ...done };
      const last = step === settings.steps;
      if (step % settings.validateEvery !== 0 && !last) {
        yield event;
        continue;
      }
      let total = 0;
      for (const feeds of options.validation) total += await trainer.evaluate(feeds, { average: true });
      const loss = total / options.validation.length;
      const better = loss < best.loss;
      if (better) best = { loss, step, parameters: await trainer.parameters({ average: true }) };
      waited = better ? 0 : waited + 1;
      const patient = waited < settings.patience;
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

function scheduleOf({ schedule, learningRate, warmup, steps }: FitSettings): Schedule {
  const options = { peak: learningRate, warmup, total: steps, floor: 0.02 };
  return { cosine, "warmup-stable-decay": warmupStableDecay, constant }[schedule](options);
}
