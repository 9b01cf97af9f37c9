/** Training of one network on grid and stations: its samples and its loss; the loop is `fitNetwork`'s. */
import type { Parameters } from "../../engine/parameters.js";
import type { Runtime } from "../../engine/runtime.js";
import { UsageError } from "../../errors.js";
import { type Random, random } from "../../tensor/random.js";
import { type CheckpointStore, fitNetwork, type TrainEvent } from "../fit.js";
import type { TimeRange } from "../baselines/index.js";
import { resolvePeriods } from "../forecast/periods.js";
import type { PointwiseRunConfig } from "./config.js";
import { pointwiseNetwork } from "./network.js";
import { drawCells, type PointData, pointFeeds, type PointPick, startsOfBoth } from "./samples.js";

export interface PointwiseTrainOptions {
  readonly runtime: Runtime;
  readonly data: PointData;
  readonly config: PointwiseRunConfig;
  readonly store: CheckpointStore;
  readonly initial?: Parameters;
}

/** Trains each network of the run in turn; yields after every step. The validation is the stations' own loss. */
export async function* trainPointwise(options: PointwiseTrainOptions): AsyncGenerator<TrainEvent> {
  for (let member = 1; member <= options.config.training.seeds; member++) yield* trainMember(options, member);
}

function trainMember(
  { runtime, data, config, store, initial }: PointwiseTrainOptions,
  member: number,
): AsyncGenerator<TrainEvent> {
  const { training } = config;
  const { batch, microBatch, gridPoints, stationWeight } = training;
  if (batch % microBatch !== 0)
    throw new UsageError(`training.batch (${batch}) is not a multiple of training.microBatch (${microBatch})`);
  const rng = random(config.seed).split(`member ${member}`);
  const periods = resolvePeriods(data.grid.series, config);
  const stations = data.places.names.length;
  const evaluation = pointwiseNetwork(config, data.normalisers, {
    batch: microBatch,
    places: stations,
    dropout: false,
  });
  const common = { history: config.forecast.history, stationWeight, truth: true };
  const picks = (draw: Random, pick: (draw: Random) => Omit<PointPick, "cells">, points: number): PointPick[] =>
    Array.from({ length: microBatch }, () => ({
      ...pick(draw),
      cells: drawCells(draw, data.normalisers.grid, points),
    }));
  const kept = rng.split("validation");
  const forValidation = picker(data, config, periods.validation, "validation");
  const validation = Array.from({ length: Math.ceil(training.validationSamples / microBatch) }, () =>
    picks(kept, forValidation, 0),
  );
  const forTraining = picker(data, config, periods.train, "train");
  return fitNetwork({
    runtime,
    store,
    member,
    settings: training,
    rng,
    initial,
    parameters: evaluation.parameters,
    evaluation: evaluation.loss,
    *validation() {
      for (const part of validation) yield pointFeeds(data, part, common);
    },
    phases: [
      {
        until: training.steps,
        learner() {
          const shape = { batch: microBatch, places: gridPoints + stations, dropout: true };
          const { loss, dropout } = pointwiseNetwork(config, data.normalisers, shape);
          return {
            loss,
            draw: (draw) =>
              Array.from({ length: batch / microBatch }, () => ({
                ...pointFeeds(data, picks(draw, forTraining, gridPoints), common),
                ...dropout.draw(draw),
              })),
          };
        },
      },
    ],
  });
}

/** Draws a lead, and a start of a period from which grid and stations have both the present and what follows. */
function picker(
  data: PointData,
  config: PointwiseRunConfig,
  period: TimeRange,
  name: "train" | "validation",
): (draw: Random) => Omit<PointPick, "cells"> {
  const { history } = config.forecast;
  const choices = Array.from({ length: data.normalisers.grid.leadSteps }, (_, i) => {
    const lead = i + 1;
    const starts = startsOfBoth(data, config, period, lead);
    if (starts.length === 0)
      throw new UsageError(
        `data.${name} has no start with ${history} gridded states before it and reports of the stations then and ${lead} steps ahead; lengthen the period, or shorten forecast.maxLead`,
      );
    return { lead, starts };
  });
  return (draw) => {
    const { lead, starts } = choices[draw.integer(choices.length)];
    return { lead, start: starts[draw.integer(starts.length)] };
  };
}
