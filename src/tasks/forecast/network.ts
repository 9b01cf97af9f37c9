/** The graph of a forecasting model on the grid of its data, with or without its loss. */
import { type FedDropout, feedDropout } from "../../engine/dropout.js";
import { type Parameters, scope, type Scope } from "../../engine/parameters.js";
import { exportOnnx } from "../../graph/export.js";
import { Graph, type Tensor } from "../../graph/graph.js";
import { emit, mul, reduceMean, square, sub } from "../../graph/ops.js";
import { type ModelConfig, type ModelInputs, resolveModel } from "../../models/index.js";
import { featureSizes, isGlobal } from "./features.js";
import type { Normaliser } from "./normaliser.js";

export interface Network {
  readonly graph: Graph;
  readonly parameters: Scope;
  /** The departure from the first guess in units of its usual error [batch, channel, latitude, longitude]. */
  readonly output: Tensor;
  /** Mean of weight (output - target)^2. */
  readonly loss: Tensor;
  readonly dropout: FedDropout;
}

export interface NetworkOptions {
  readonly model: ModelConfig;
  readonly normaliser: Normaliser;
  readonly history: number;
  readonly batch: number;
  /** With dropout. */
  readonly training: boolean;
}

/** Inputs: `fields`, `condition`, and for the loss `target` and `weight`. */
export function forecastNetwork(options: NetworkOptions): Network {
  const { architecture, settings } = resolveModel(options.model);
  const graph = new Graph(`forecast-${architecture.name}`);
  const parameters = scope(graph);
  const dropout = feedDropout(graph);
  const inputs = networkInputs(graph, options);
  const output = architecture.write(
    parameters,
    { ...inputs, dropout: options.training ? dropout : undefined },
    settings,
  );
  const target = graph.input("target", "float32", output.shape);
  const weight = graph.input("weight", "float32", output.shape);
  const loss = reduceMean(mul(weight, square(sub(output, target))));
  return { graph, parameters, output, loss, dropout };
}

/** The mean of several trained networks as the bytes of one ONNX file, their parameters inside; its output is `output`. */
export function ensembleModel(
  members: readonly Parameters[],
  { metadata, ...options }: Omit<NetworkOptions, "training"> & { metadata?: Readonly<Record<string, string>> },
): Uint8Array {
  const { architecture, settings } = resolveModel(options.model);
  const graph = new Graph(`forecast-${architecture.name}`);
  const inputs = networkInputs(graph, options);
  const root = scope(graph);
  const outputs = members.map((_, k) => architecture.write(root.child(`network-${k + 1}`), inputs, settings));
  graph.output("output", members.length === 1 ? outputs[0] : emit("Mean", outputs)[0]);
  const parameters = new Map(
    members.flatMap((member, k) => [...member].map(([name, array]) => [`network-${k + 1}.${name}`, array] as const)),
  );
  return exportOnnx(graph, { parameters, metadata });
}

function networkInputs(graph: Graph, { normaliser, history, batch }: Omit<NetworkOptions, "training">): ModelInputs {
  const sizes = featureSizes(normaliser, history);
  return {
    fields: graph.input("fields", "float32", [
      batch,
      sizes.fields,
      normaliser.latitudes.length,
      normaliser.longitudes.length,
    ]),
    condition: graph.input("condition", "float32", [batch, sizes.condition]),
    channels: normaliser.channels.length,
    global: isGlobal(normaliser.longitudes),
  };
}
