/**
 * Training of a downscaling model: windows of the fine grid at times of the training period, made from coarse fields of any of
 * the run's scale factors.
 *
 *     for await (const event of trainDownscaling({ runtime, pairs, config, fitted, store })) show(event);
 */
import type { Feeds, Runtime } from "../../engine/runtime.js";
import { UsageError } from "../../errors.js";
import { resolveDownscale } from "../../models/downscale.js";
import { float32, type NdArray } from "../../tensor/ndarray.js";
import { type Random, random } from "../../tensor/random.js";
import { type CheckpointStore, fitNetwork, type TrainEvent } from "../fit.js";
import type { DownscaleConfig } from "./config.js";
import { cellIndex, type Sample, sampleFeeds, type WindowFeatures, windowFeatures } from "./features.js";
import { cellWeights, type Fitted } from "./fitted.js";
import { trainingNetwork } from "./network.js";
import { cellsOf, coarseAt, fineAt, memberSplit, type Pairs, splitOf } from "./pairs.js";
import type { Window } from "./places.js";
import { isInvertible, trainRescaling } from "./rescale.js";

export interface TrainDownscalingOptions {
  readonly runtime: Runtime;
  readonly pairs: Pairs;
  readonly config: DownscaleConfig;
  readonly fitted: Fitted;
  readonly store: CheckpointStore;
}

/** Trains each network of the run in turn; yields after every step. */
export async function* trainDownscaling(options: TrainDownscalingOptions): AsyncGenerator<TrainEvent> {
  const { runtime, pairs, config, fitted, store } = options;
  const { training } = config;
  if (training.batch % training.microBatch !== 0)
    throw new UsageError(
      `training.batch (${training.batch}) is not a multiple of training.microBatch (${training.microBatch})`,
    );
  if (isInvertible(config)) {
    yield* trainRescaling(options);
    return;
  }
  const { architecture, settings } = resolveDownscale(config.model);
  const whole = architecture.reach(settings) === Infinity;
  if (whole && pairs.coarse.length > 1)
    throw new UsageError(`the model '${config.model.name}' knows one coarse grid; give a single pair of data.factors`);
  const { grid } = pairs;
  const size = whole
    ? { rows: grid.rows, columns: grid.columns }
    : { rows: Math.min(training.crop[0], grid.rows), columns: Math.min(training.crop[1], grid.columns) };
  const periods = splitOf(pairs, config);
  const sampler = createSampler(pairs, config, fitted, size);
  const shape = { batch: training.microBatch, ...size };
  for (let member = 1; member <= training.seeds; member++) {
    const split = memberSplit(periods, config, member);
    const rng = random(config.seed).split(`member ${member}`);
    const learner = trainingNetwork(config, fitted, shape, { dropout: true });
    const evaluation = trainingNetwork(config, fitted, shape, { dropout: false });
    const batch = (draw: Random, times: readonly number[], amounts: number): Feeds =>
      sampler(
        Array.from({ length: training.microBatch }, () => times[draw.integer(times.length)]),
        draw,
        amounts,
      );
    // The same for every network of a run, unless each has times of its own
    const chosen = random(config.seed).split("validation");
    const validation = Array.from({ length: Math.ceil(training.validationSamples / training.microBatch) }, () =>
      batch(chosen, split.validation, 1),
    );
    yield* fitNetwork({
      runtime,
      store,
      member,
      settings: training,
      parameters: evaluation.parameters,
      evaluation: evaluation.loss,
      rng,
      phases: [
        {
          until: training.steps,
          learner: () => ({
            loss: learner.loss,
            draw: (draw) =>
              Array.from({ length: training.batch / training.microBatch }, () => ({
                ...batch(draw, split.train, training.amounts),
                ...learner.dropout.draw(draw),
              })),
          }),
        },
      ],
      validation: () => validation,
    });
  }
}

/** Inputs, truth and weights for times; windows and scale factors are drawn. */
function createSampler(
  pairs: Pairs,
  config: DownscaleConfig,
  fitted: Fitted,
  size: { rows: number; columns: number },
): (times: readonly number[], draw: Random, amounts: number) => Feeds {
  const { grid } = pairs;
  const all = cellsOf(pairs);
  const cells = size.rows * size.columns;
  const targets = pairs.targets.length;
  const area = cellWeights(grid);
  const isWhole = size.rows === grid.rows && size.columns === grid.columns;
  const known = new Map<number, WindowFeatures>();
  const featuresOf = (set: number, window: Window): WindowFeatures => {
    const found = isWhole ? known.get(set) : undefined;
    if (found) return found;
    const setting = { coarse: pairs.coarse[set].grid, fine: grid, mapValues: pairs.mapValues };
    const made = windowFeatures(config, fitted, setting, window);
    if (isWhole) known.set(set, made);
    return made;
  };
  return (times, draw, amounts) => {
    const shape = [times.length, targets, size.rows, size.columns];
    const truth = new Float32Array(times.length * targets * cells);
    const weight = new Float32Array(times.length * targets * cells);
    let total = 0;
    const samples = times.map((time, b): Sample => {
      const set = draw.integer(pairs.coarse.length);
      const window = {
        ...size,
        row: draw.integer(grid.rows - size.rows + 1),
        column: draw.integer(grid.columns - size.columns + 1),
      };
      const fine = fineAt(pairs, time);
      const factor = amounts === 1 ? 1 : Math.exp((2 * draw.uniform() - 1) * Math.log(amounts));
      const cellOf = cellIndex(grid, window);
      for (let v = 0; v < targets; v++)
        for (let i = 0; i < cells; i++) {
          const o = fine[v * all + cellOf(i)];
          if (o !== o) continue;
          const at = (b * targets + v) * cells + i;
          truth[at] = fitted.positive[v] ? factor * o : o;
          total += weight[at] = area[cellOf(i)];
        }
      return {
        features: featuresOf(set, window),
        coarse: multiplied(coarseAt(pairs, pairs.coarse[set], time), fitted.logged, factor),
        time: pairs.times[time],
      };
    });
    // The loss is a mean over all cells: weights make it one over those that have a truth
    const share = weight.length / (total || 1);
    for (let i = 0; i < weight.length; i++) weight[i] *= share;
    const maps = (data: Float32Array): NdArray => float32(shape, data);
    return { ...sampleFeeds(config, fitted, samples), truth: maps(truth), weight: maps(weight) };
  };
}

/** The fields with amounts multiplied. */
function multiplied(fields: Float32Array, amounts: readonly boolean[], factor: number): Float32Array {
  if (factor === 1) return fields;
  const size = fields.length / amounts.length;
  return fields.map((v, i) => (amounts[Math.floor(i / size)] ? factor * v : v));
}
