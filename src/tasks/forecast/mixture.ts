/**
 * One network from several datasets of different variables, grids and lengths (heterogeneous pretraining). Every dataset has its
 * own normaliser and its own inputs; what is shared is the parameters, by name: a model of variable tokens (climax, stormer) asks
 * for the same trunk everywhere and for each variable's own weights wherever the variable is.
 *
 *     loss(step) = sum_d p_d(step) loss_d,   p_d = n_d^(1/T) / sum n^(1/T)
 *
 * n_d is how many samples a dataset has. The temperature T cools from its start to 1 over the first part of the training: small
 * datasets count for more at first, and in proportion at the end (Conneau et al. 2020, "XLM-R", draw languages so). Each step
 * takes samples of every dataset and weighs their losses by p, which is what drawing the dataset gives on average, with less
 * noise.
 */
import type { Parameters } from "../../engine/parameters.js";
import type { Feeds, Runtime } from "../../engine/runtime.js";
import { GraphError, UsageError } from "../../errors.js";
import { add, mul } from "../../graph/ops.js";
import { float32 } from "../../tensor/ndarray.js";
import { random } from "../../tensor/random.js";
import { type CheckpointStore, fitNetwork, type TrainEvent } from "../fit.js";
import type { Series } from "../series.js";
import type { ForecastConfig } from "./config.js";
import { freshSite, type Site, type TrainingNetwork } from "./network.js";
import type { Normaliser } from "./normaliser.js";
import { resolvePeriods, startsIn } from "./periods.js";
import { departuresOf } from "./samples.js";
import { adjustable, forecastLesson, phasesOf } from "./train.js";

export interface MixtureSource {
  readonly name: string;
  readonly series: Series;
  readonly config: ForecastConfig;
  readonly normaliser: Normaliser;
}

export interface MixtureOptions {
  readonly runtime: Runtime;
  readonly sources: readonly MixtureSource[];
  /** Of the training; its `forecast`, `model` and `training` are those of every source. */
  readonly config: ForecastConfig;
  readonly store: CheckpointStore;
  readonly member: number;
  readonly temperature: number;
  /** Part of the steps over which the temperature falls to 1. */
  readonly coolDown: number;
  readonly initial?: Parameters;
}

/** Trains one network on all sources; yields after every step. The loss is the mean over sources, each in units of its first guess's. */
export function trainMixture(options: MixtureOptions): AsyncGenerator<TrainEvent> {
  const { runtime, sources, config, store, member, initial } = options;
  const { training } = config;
  const rng = random(config.seed).split(`member ${member}`);
  const lessons = sources.map(({ name, series, normaliser, config: own }) =>
    forecastLesson(departuresOf(normaliser, series), own, normaliser, rng.split(`validation ${name}`)),
  );
  // The same shares of steps everywhere; each source's longest lead bounds its jumps
  const phases = phasesOf(config, Math.min(...sources.map(({ normaliser }) => normaliser.leadSteps)));
  const samples = sources.map(
    ({ series, config: own }) => startsIn(series, resolvePeriods(series, own).train, own.forecast.history, 1).length,
  );
  const written = <T extends TrainingNetwork>(write: (lesson: (typeof lessons)[number], site: Site) => T) => {
    const site = freshSite("mixture");
    const parts = lessons.map((lesson, d) =>
      named(sources[d].name, () => write(lesson, { ...site, prefix: `${sources[d].name}/` })),
    );
    return { site, parts };
  };

  const { parts } = written((lesson, place) => lesson.evaluation(place));
  const { parameters } = written((lesson, place) => lesson.learner(place, 1)).site;
  return fitNetwork({
    runtime,
    store,
    member,
    settings: training,
    rng,
    initial,
    parameters,
    evaluation: mul(parts.map(({ loss }) => loss).reduce(add), 1 / parts.length),
    *validation() {
      const rows = parts.map((part) => part.samples()[Symbol.iterator]());
      for (;;) {
        const next = rows.map((row) => row.next());
        if (next.some(({ done }) => done)) return;
        yield joined(next.map(({ value }) => value as Feeds));
      }
    },
    ...adjustable(parameters, training),
    phases: phases.map(({ until, jumps }) => ({
      until,
      learner() {
        const { site: place, parts: learners } = written((lesson, at) => lesson.learner(at, jumps));
        const { graph } = place.parameters;
        const weighed = learners.map(({ loss }, d) =>
          mul(loss, graph.input(`${sources[d].name}/share`, "float32", [])),
        );
        return {
          loss: weighed.reduce(add),
          draw: (draw, step) => {
            const shares = shareOf(samples, temperatureAt(step, options, training.steps));
            return Array.from({ length: training.batch / training.microBatch }, () => ({
              ...joined(learners.map((learner) => learner.draw(draw))),
              ...Object.fromEntries(
                sources.map(({ name }, d) => [`${name}/share`, float32([], Float32Array.of(shares[d]))]),
              ),
              ...place.dropout.draw(draw),
            }));
          },
        };
      },
    })),
  });
}

const joined = (feeds: readonly Feeds[]): Feeds => Object.fromEntries(feeds.flatMap((each) => Object.entries(each)));

/** p_d of datasets with that many samples. */
export function shareOf(samples: readonly number[], temperature: number): number[] {
  const weights = samples.map((n) => n ** (1 / temperature));
  const total = weights.reduce((a, b) => a + b, 0);
  return weights.map((w) => w / total);
}

/** Falls linearly from the start's temperature to 1 over the first `coolDown` part of the steps. */
export const temperatureAt = (
  step: number,
  { temperature, coolDown }: Pick<MixtureOptions, "temperature" | "coolDown">,
  steps: number,
): number => 1 + (temperature - 1) * Math.max(0, 1 - (step - 1) / (coolDown * steps));

/** Says which dataset asks for a shared parameter in another shape, and what would fit. */
function named<T>(source: string, write: () => T): T {
  try {
    return write();
  } catch (error) {
    if (!(error instanceof GraphError)) throw error;
    throw new UsageError(
      `'${source}' does not fit the others in one network: ${error.message}; use a model of variable tokens with geographic positions (climax, stormer), and the same history and time step for variables that several datasets share`,
      { cause: error },
    );
  }
}
