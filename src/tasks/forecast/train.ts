/**
 * Training of a forecasting model: its samples, its phases and its loss; the loop is `fitNetwork`'s.
 *
 *     for await (const event of trainForecast({ runtime, series, config, store, normaliser })) show(event);
 */
import type { Parameters, Scope } from "../../engine/parameters.js";
import type { Feeds, Runtime } from "../../engine/runtime.js";
import { UsageError } from "../../errors.js";
import { type Random, random } from "../../tensor/random.js";
import { type CheckpointStore, fitNetwork, type FitOptions, type TrainEvent } from "../fit.js";
import { type Series, stepOf } from "../series.js";
import type { ForecastConfig } from "./config.js";
import { channelWeights } from "./channel-weights.js";
import { isGlobal } from "./features.js";
import { layerRates } from "./groups.js";
import { trainedLeads } from "./leads.js";
import { freshSite, type Site, type TrainingNetwork, trainingNetwork } from "./network.js";
import { fitNormaliser, type Normaliser } from "./normaliser.js";
import { resolvePeriods, startsIn } from "./periods.js";
import { type Departures, departuresOf, type Past, type Pick as Sample, sampleFeeds } from "./samples.js";
import { drawShift } from "./shift.js";

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
    annualHarmonics: config.forecast.annualHarmonics,
  });
}

/** Stretches of the training, each to step `until` with its number of jumps. */
export function phasesOf(
  { forecast, training }: Pick<ForecastConfig, "forecast" | "training">,
  leadSteps: number,
): { until: number; jumps: number }[] {
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

function trainMember(
  { runtime, config, store, normaliser, initial }: TrainOptions,
  departures: Departures,
  member: number,
): AsyncGenerator<TrainEvent> {
  const { training } = config;
  const rng = random(config.seed).split(`member ${member}`);
  const lesson = forecastLesson(departures, config, normaliser, rng.split("validation"));
  const evaluation = lesson.evaluation(freshSite("forecast"));
  // A network may have parameters that only its training uses, such as what stands for a hidden token
  const { parameters } = lesson.learner(freshSite("forecast"), 1);
  return fitNetwork({
    runtime,
    store,
    member,
    settings: training,
    rng,
    initial,
    parameters,
    evaluation: evaluation.loss,
    validation: evaluation.samples,
    ...adjustable(parameters, training),
    phases: phasesOf(config, normaliser.leadSteps).map(({ until, jumps }) => ({
      until,
      learner() {
        const { loss, dropout, draw } = lesson.learner(freshSite("forecast"), jumps);
        return {
          loss,
          draw: (rng) =>
            Array.from({ length: training.batch / training.microBatch }, () => ({
              ...draw(rng),
              ...dropout.draw(rng),
            })),
        };
      },
    })),
  });
}

/** What stays as it is, and how fast the rest moves. */
export const adjustable = (
  parameters: Scope,
  { freeze, layerDecay }: Pick<ForecastConfig["training"], "freeze" | "layerDecay">,
): Required<Pick<FitOptions, "frozen" | "rate">> => ({
  frozen: (name) => freeze.some((prefix) => name.startsWith(prefix)),
  rate: layerRates([...parameters.initialisers.keys()], layerDecay),
});

/** What is learnt from one series: the loss of a roll-out and samples for it, written wherever a graph has room for them. */
export interface ForecastLesson {
  /** The loss that chooses, over the longest roll-out, and the samples of every validation. */
  evaluation(site: Site): TrainingNetwork & { readonly samples: () => Iterable<Feeds> };
  /** The loss over `jumps` jumps, and one micro-batch for it. */
  learner(site: Site, jumps: number): TrainingNetwork & { readonly draw: (rng: Random) => Feeds };
}

export function forecastLesson(
  departures: Departures,
  config: ForecastConfig,
  normaliser: Normaliser,
  rng: Random,
): ForecastLesson {
  const { training } = config;
  const past = pastOf(config);
  const shape = {
    model: config.model,
    normaliser,
    history: past.history,
    slowMeans: past.slowDays.length,
    batch: training.microBatch,
    loss: training.loss,
    reconstruction: training.reconstruction,
  };
  const weights = channelWeights(training.channelWeights, normaliser);
  const grid = {
    height: normaliser.latitudes.length,
    width: normaliser.longitudes.length,
    global: isGlobal(normaliser.longitudes),
  };
  if (training.loss === "amse" && !grid.global)
    throw new UsageError("training.loss: amse works on the sphere's waves, and this data is a region; take mse");
  const longest = Math.max(...phasesOf(config, normaliser.leadSteps).map((p) => p.jumps));
  return {
    evaluation(site) {
      const picks = validationPicks(departures.series, config, normaliser, longest, rng);
      return {
        ...trainingNetwork({ ...shape, jumps: longest, dropout: false, shift: false }, site),
        *samples() {
          for (const part of picks)
            yield prefixed(site.prefix, sampleFeeds(normaliser, departures, part, past, longest, weights));
        },
      };
    },
    learner(site, jumps) {
      const shift = training.shift > 0;
      const pick = picker(departures.series, config, normaliser, "train", jumps);
      return {
        ...trainingNetwork({ ...shape, jumps, dropout: true, shift }, site),
        draw(draw) {
          const picks = Array.from({ length: training.microBatch }, () => pick(draw));
          return prefixed(site.prefix, {
            ...sampleFeeds(normaliser, departures, picks, past, jumps, weights),
            ...(shift ? drawShift(draw, grid, training.shift) : {}),
          });
        },
      };
    },
  };
}

const prefixed = (prefix: string, feeds: Feeds): Feeds =>
  prefix === "" ? feeds : Object.fromEntries(Object.entries(feeds).map(([name, feed]) => [prefix + name, feed]));

/** Draws a lead that the method knows and a start of a period. */
function picker(
  series: Series,
  config: ForecastConfig,
  normaliser: Normaliser,
  name: "train" | "validation",
  jumps: number,
): (draw: Random) => Sample {
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
  draw: Random,
): Sample[][] {
  const { batch, microBatch, validationSamples } = config.training;
  if (batch % microBatch !== 0)
    throw new UsageError(`training.batch (${batch}) is not a multiple of training.microBatch (${microBatch})`);
  const pick = picker(series, config, normaliser, "validation", jumps);
  return Array.from({ length: Math.ceil(validationSamples / microBatch) }, () =>
    Array.from({ length: microBatch }, () => pick(draw)),
  );
}
