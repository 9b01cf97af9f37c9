/**
 * Fitting one network: steps, validations, checkpoints, early stopping. What is learnt comes as graphs of losses and as
 * functions that draw samples; everything random is drawn from (random numbers of the network, step), so a run that was killed
 * goes on from its last checkpoint with the very numbers it would have had.
 */
import { adamW, chain, scaleByGroup, trackAverage } from "../engine/optimiser.js";
import { initialise, type Parameters, type Scope } from "../engine/parameters.js";
import type { Feeds, Runtime } from "../engine/runtime.js";
import { constant, cosine, type Schedule, warmupStableDecay } from "../engine/schedule.js";
import { createTrainer, type TrainerState } from "../engine/train.js";
import { UsageError } from "../errors.js";
import type { Tensor } from "../graph/graph.js";
import type { NdArray } from "../tensor/ndarray.js";
import type { Random } from "../tensor/random.js";

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

/** Where a run keeps its checkpoints; `forecast/run.node.ts` has one on disk. */
export interface CheckpointStore {
  load(member: number): Promise<Checkpoint | undefined>;
  save(checkpoint: Checkpoint): Promise<void>;
}

export interface TrainEvent {
  readonly member: number;
  readonly step: number;
  readonly steps: number;
  /** Of the step's samples; what its unit is, the task says (often: 1 for a network that knows nothing). */
  readonly loss: number;
  readonly gradientNorm: number;
  readonly learningRate: number;
  /** At validations: the loss of the averaged weights on the validation period. */
  readonly validation?: number;
  readonly best?: boolean;
  /** Why this network's training ended with this step. */
  readonly ended?: "all steps done" | "no better validation";
}

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

/** A stretch of the training with a loss of its own; it ends with step `until`. */
export interface Phase {
  readonly until: number;
  /** The loss, and the micro-batches of a step. */
  learner(): { readonly loss: Tensor; draw(rng: Random, step: number): Feeds[] };
}

export interface FitOptions {
  readonly runtime: Runtime;
  readonly store: CheckpointStore;
  /** Which of the run's networks, from 1. */
  readonly member: number;
  readonly settings: FitSettings;
  readonly phases: readonly Phase[];
  /** The loss that chooses, with the same parameters (without dropout), and the scope of the parameters. */
  readonly evaluation: Tensor;
  readonly parameters: Scope;
  /** The samples of every validation. */
  validation(): Iterable<Feeds>;
  readonly rng: Random;
  /** Numbers to begin with where name and shape are those of the model's own; the others are drawn. */
  readonly initial?: Parameters;
  /** Parameters that stay as they are; none where left out. */
  frozen?(name: string): boolean;
  /** Factor on the learning rate of a parameter; 1 where left out. */
  rate?(name: string): number;
}

/** Trains a network to its end; yields after every step. Ends at once for what the store has finished. */
export async function* fitNetwork(options: FitOptions): AsyncGenerator<TrainEvent> {
  const { runtime, store, member, settings, rng, phases } = options;
  const before = await store.load(member);
  if (before?.finished) return;
  const schedule = scheduleOf(settings);
  const drawn = () => initialise(options.parameters, { seed: rng.split("weights").uint32() });
  let parameters = before?.parameters ?? takenOver(drawn(), options.initial);
  let state = before?.trainer;
  let best = before?.best ?? { loss: Infinity, step: 0, parameters };
  let waited = before?.waited ?? 0;
  for (const phase of phases) {
    if ((state?.step ?? 0) >= phase.until) continue;
    const learner = phase.learner();
    const trainer = await createTrainer(runtime, {
      loss: learner.loss,
      evaluation: options.evaluation,
      parameters,
      optimiser: chain(
        adamW({ weightDecay: settings.weightDecay, beta2: settings.beta2 }),
        scaleByGroup((name) => options.rate?.(name) ?? 1),
        trackAverage(settings.average),
      ),
      trainable: (name) => !options.frozen?.(name),
      clipNorm: settings.clip,
      state,
    });
    try {
      while (trainer.step < phase.until) {
        const step = trainer.step + 1;
        const learningRate = schedule(step);
        const done = await trainer.train(learner.draw(rng.split(`step ${step}`), step), { learningRate });
        const event: TrainEvent = { member, step, steps: settings.steps, learningRate, ...done };
        const last = step === settings.steps;
        if (step % settings.validateEvery !== 0 && !last) {
          yield event;
          continue;
        }
        let [total, count] = [0, 0];
        for (const feeds of options.validation()) {
          total += await trainer.evaluate(feeds, { average: true });
          count++;
        }
        const loss = total / count;
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

function scheduleOf({ schedule, learningRate, warmup, steps }: FitSettings): Schedule {
  const options = { peak: learningRate, warmup, total: steps, floor: 0.02 };
  return { cosine, "warmup-stable-decay": warmupStableDecay, constant }[schedule](options);
}
