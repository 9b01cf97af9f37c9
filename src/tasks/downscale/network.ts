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
  const head = write(graph, parameters, config, fitted, shape, options.dropout ? dropout : undefined);
  const maps = [shape.batch, fitted.targets.length, shape.rows, shape.columns];
  const loss = head.loss(graph.input("truth", "float32", maps), graph.input("weight", "float32", maps));
  return { parameters, loss, dropout };
}

/** A trained network as the bytes of an ONNX file, its parameters inside. */
export function downscaleModel(
  parameters: Parameters,
  config: DownscaleConfig,
  fitted: Fitted,
  shape: NetworkShape,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  const graph = new Graph(`downscale-${config.model.name}`);
  const { outputs } = write(graph, scope(graph), config, fitted, shape);
  for (const [name, tensor] of Object.entries(outputs)) graph.output(name, tensor);
  return exportOnnx(graph, { parameters, metadata });
}

function write(
  graph: Graph,
  p: Scope,
  config: DownscaleConfig,
  fitted: Fitted,
  { batch, rows, columns }: NetworkShape,
  dropout?: FedDropout,
): HeadOutput {
  const { architecture, settings } = resolveDownscale(config.model);
  const predictors = fitted.predictors.length;
  const raw = graph.input("predictors", "float32", [batch, predictors, rows, columns]);
  const place = graph.input("place", "float32", [batch, placeMaps(config, fitted), rows, columns]);
  const guess = graph.input("guess", "float32", [batch, guessMaps(config) * fitted.targets.length, rows, columns]);
  const calendar = graph.input("calendar", "float32", [batch, CALENDAR]);
  const constant = (shape: number[], values: ArrayLike<number>) => graph.constant(float32(shape, values));
  const normalised = div(
    sub(logged(raw, fitted.logged), constant([1, predictors, 1, 1], fitted.mean)),
    constant([1, predictors, 1, 1], fitted.deviation),
  );
  const net = architecture.write(
    p,
    {
      fields: concat([normalised, place], 1),
      condition: calendar,
      context: () => {
        const { latitudes, longitudes } = fitted.coarse;
        const shape = [predictors, latitudes.length, longitudes.length];
        const coarse = logged(graph.input("context", "float32", [batch, ...shape]), fitted.logged);
        return div(
          sub(coarse, constant([1, ...shape], fitted.context.mean)),
          constant([1, ...shape], fitted.context.deviation),
        );
      },
      channels: headChannels(config) * fitted.targets.length,
      dropout,
    },
    settings,
  );
  return writeHead(config, fitted, net, guess);
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
