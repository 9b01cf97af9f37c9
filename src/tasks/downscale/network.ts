/**
 * The graph of a downscaling model: raw coarse predictors at the fine cells go in, in their own units; normalisation, network
 * and head are inside; fine fields come out in theirs.
 */
import { type FedDropout, feedDropout } from "../../engine/dropout.js";
import { type Parameters, scope, type Scope } from "../../engine/parameters.js";
import { exportOnnx } from "../../graph/export.js";
import { Graph, type Tensor } from "../../graph/graph.js";
import { add, concat, div, log, maximum, mul, sub } from "../../graph/ops.js";
import { resolveDownscale } from "../../models/downscale.js";
import { float32 } from "../../tensor/ndarray.js";
import type { DownscaleConfig } from "./config.js";
import { CALENDAR, placeMaps } from "./features.js";
import type { Fitted } from "./fitted.js";
import type { DownscaleModel } from "./predict.js";
import { guessMaps, headChannels, type HeadOutput, writeHead } from "./heads.js";

export interface NetworkShape {
  readonly batch: number;
  readonly rows: number;
  readonly columns: number;
}

export interface TrainingNetwork {
  readonly parameters: Scope;
  readonly loss: Tensor;
  readonly dropout: FedDropout;
}

/** The network with its loss; inputs as `sampleFeeds` gives them, `truth` and `weight` [batch, target, row, column], and masks. */
export function trainingNetwork(
  config: DownscaleConfig,
  fitted: Fitted,
  shape: NetworkShape,
  options: { dropout: boolean },
): TrainingNetwork {
  const graph = new Graph(`downscale-${config.model.name}`);
  const parameters = scope(graph);
  const dropout = feedDropout(graph);
  const inputs = graphInputs(graph, config, fitted, shape);
  const net = writeNetwork(parameters, config, fitted, inputs, options.dropout ? dropout : undefined);
  const head = writeHead(config, fitted, net, inputs.guess);
  const maps = [shape.batch, fitted.targets.length, shape.rows, shape.columns];
  const loss = head.loss(graph.input("truth", "float32", maps), graph.input("weight", "float32", maps));
  return { parameters, loss, dropout };
}

/** One trained network on interpolated predictors as the bytes of an ONNX file, its parameters inside. */
export function downscaleModel(
  parameters: Parameters,
  { config, fitted, calibration }: Omit<DownscaleModel, "members">,
  shape: NetworkShape,
): Uint8Array {
  const graph = new Graph(`downscale-${config.model.name}`);
  const inputs = graphInputs(graph, config, fitted, shape);
  const net = writeNetwork(scope(graph), config, fitted, inputs);
  const outputs = calibratedOutputs({ config, fitted, calibration }, net, inputs.guess);
  for (const [name, tensor] of Object.entries(outputs)) graph.output(name, tensor);
  return exportOnnx(graph, { parameters });
}

/** What the network and its head are given, all on the fine cells but the context; physical units. */
export interface NetworkInputs {
  /** [batch, predictor, row, column], interpolated. */
  readonly predictors: Tensor;
  /** [batch, map, row, column] and [batch, guess map x target, row, column]. */
  readonly place: Tensor;
  readonly guess: Tensor;
  /** [batch, CALENDAR] */
  readonly calendar: Tensor;
  /** The coarse predictors as they are, [batch, predictor, row, column]; asked for by networks that see the whole domain. */
  readonly context: () => Tensor;
}

function graphInputs(
  graph: Graph,
  config: DownscaleConfig,
  fitted: Fitted,
  { batch, rows, columns }: NetworkShape,
): NetworkInputs {
  const maps = (name: string, count: number) => graph.input(name, "float32", [batch, count, rows, columns]);
  const predictors = fitted.predictors.length;
  const { latitudes, longitudes } = fitted.coarse;
  return {
    predictors: maps("predictors", predictors),
    place: maps("place", placeMaps(config, fitted)),
    guess: maps("guess", guessMaps(config) * fitted.targets.length),
    calendar: graph.input("calendar", "float32", [batch, CALENDAR]),
    context: () => graph.input("context", "float32", [batch, predictors, latitudes.length, longitudes.length]),
  };
}

/** The network's maps, [batch, head channel x target, row, column]. */
export function writeNetwork(
  p: Scope,
  config: DownscaleConfig,
  fitted: Fitted,
  inputs: NetworkInputs,
  dropout?: FedDropout,
): Tensor {
  const { architecture, settings } = resolveDownscale(config.model);
  const { graph } = inputs.predictors;
  const predictors = fitted.predictors.length;
  const constant = (shape: number[], values: ArrayLike<number>) => graph.constant(float32(shape, values));
  const normalised = div(
    sub(logged(inputs.predictors, fitted.logged), constant([1, predictors, 1, 1], fitted.mean)),
    constant([1, predictors, 1, 1], fitted.deviation),
  );
  return architecture.write(
    p,
    {
      fields: concat([normalised, inputs.place], 1),
      condition: inputs.calendar,
      context: () => {
        const coarse = logged(inputs.context(), fitted.logged);
        const shape = [1, ...coarse.shape.slice(1)];
        return div(sub(coarse, constant(shape, fitted.context.mean)), constant(shape, fitted.context.deviation));
      },
      channels: headChannels(config) * fitted.targets.length,
      dropout,
    },
    settings,
  );
}

/** The head's fields from the network's maps, these multiplied by the weights of the calibration. */
export function calibratedOutputs(
  { config, fitted, calibration }: Omit<DownscaleModel, "members">,
  net: Tensor,
  guess: Tensor,
): HeadOutput["outputs"] {
  if (!calibration) return writeHead(config, fitted, net, guess).outputs;
  const weighted = (weights: readonly number[]) => {
    const each = Array.from({ length: net.shape[1] }, (_, c) => weights[c % weights.length]); // [map x target]
    return writeHead(config, fitted, mul(net, net.graph.constant(float32([1, each.length, 1, 1], each))), guess)
      .outputs;
  };
  return { ...weighted(calibration.distribution), mean: weighted(calibration.mean).mean };
}

/** ln(1 + x) of the channels that are amounts, the others as they are. */
function logged(x: Tensor, which: readonly boolean[]): Tensor {
  if (!which.includes(true)) return x;
  const { graph } = x;
  const flags = (value: number) =>
    graph.constant(
      float32(
        [1, which.length, 1, 1],
        which.map((w) => (w ? value : 1 - value)),
      ),
    );
  // amounts: ln(max(x, 0) + 1); the others: x. One mask each, so that no channel is cut out and put back
  const amounts = log(add(maximum(x, 0), 1));
  return add(mul(amounts, flags(1)), mul(x, flags(0)));
}
