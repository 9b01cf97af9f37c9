/**
 * The graph of a forecasting model: a network that jumps from departures to later ones, applied once (direct) or several times
 * over its own results (iterative). Everything between the jumps is in the graph, so that the loss of a whole roll-out is
 * differentiated.
 *
 *     u(t + L) = a_L u(t) + (r_L / s) net(features, condition)
 */
import { type FedDropout, feedDropout } from "../../engine/dropout.js";
import { type Parameters, scope, type Scope } from "../../engine/parameters.js";
import { exportOnnx } from "../../graph/export.js";
import { Graph, type Tensor } from "../../graph/graph.js";
import { add, div, matmul, mul, reduceMean, slice, square, sub } from "../../graph/ops.js";
import { latitudeWeights } from "../../earth/weights.js";
import { UsageError } from "../../errors.js";
import { type Dropout, type FilledIn, type ModelConfig, type ModelInputs, resolveModel } from "../../models/index.js";
import { float32 } from "../../tensor/ndarray.js";
import { CONDITION, featureMaps, isGlobal, JUMP_MAPS, type JumpInputs } from "./features.js";
import type { Normaliser } from "./normaliser.js";
import { adjustedSquaredError } from "./spectral-loss.js";

export interface NetworkOptions {
  readonly model: ModelConfig;
  readonly normaliser: Normaliser;
  /** States shown. */
  readonly history: number;
  /** How many slow means each channel has. */
  readonly slowMeans: number;
  readonly batch: number;
}

export interface TrainingNetwork {
  readonly parameters: Scope;
  /** Mean over jumps of the weighted (or adjusted) squared error, the first guess's from the start being one. */
  readonly loss: Tensor;
  readonly dropout: FedDropout;
  /** The part of the loss that is for filling in, before its weight. */
  readonly filled?: Tensor;
}

/** Where a network is written: several may share a graph and parameters, each with a prefix for its inputs. */
export interface Site {
  readonly parameters: Scope;
  readonly dropout: FedDropout;
  readonly prefix: string;
}

/** A graph of its own. */
export function freshSite(name: string): Site {
  const graph = new Graph(name);
  return { parameters: scope(graph), dropout: feedDropout(graph), prefix: "" };
}

/**
 * The network with its loss over `jumps` jumps. Inputs: `history` [batch, history x channel, latitude, longitude], `slow`
 * likewise, for each jump k `k.usual`, `k.change`, `k.damping`, `k.scale`, `k.condition`, `k.truth`, `k.weight`; with `shift`
 * also the four matrices of a shift (shift.ts).
 */
export function trainingNetwork(
  options: NetworkOptions & {
    readonly jumps: number;
    readonly dropout: boolean;
    readonly shift: boolean;
    /** `mse` where left out. */
    readonly loss?: "mse" | "amse";
    /** Weight of filling in what the network hid of the state it starts from, while it trains; 0 where left out. */
    readonly reconstruction?: number;
  },
  { parameters, dropout, prefix } = freshSite(`forecast-${options.model.name}`),
): TrainingNetwork {
  const { graph } = parameters;
  const maps = mapShape(options);
  const { states: first, slow } = startInputs(graph, prefix, options);
  let states = first;
  const shift = options.shift ? shiftInputs(graph, prefix, maps) : undefined;
  const errors: Tensor[] = [];
  let filled: Tensor | undefined;
  const asked = options.dropout && (options.reconstruction ?? 0) > 0;
  for (let k = 0; k < options.jumps; k++) {
    const next = jump(parameters, options, states, slow, jumpInputs(graph, `${prefix}${k}.`, options), {
      dropout: options.dropout ? dropout : undefined,
      shift,
      // Of the state that is given: later ones are the network's own
      fillIn: asked && k === 0 ? (guess) => (filled = fillingError(guess, first[0], options.normaliser)) : undefined,
    });
    const truth = graph.input(`${prefix}${k}.truth`, "float32", maps);
    const weight = graph.input(`${prefix}${k}.weight`, "float32", maps);
    errors.push(
      options.loss === "amse"
        ? adjustedSquaredError(next, truth, weight, options.normaliser)
        : reduceMean(mul(weight, square(sub(next, truth)))),
    );
    states = [next, ...states.slice(0, -1)];
  }
  const loss = mul(errors.reduce(add), 1 / errors.length);
  if (!asked) return { parameters, loss, dropout };
  if (!filled)
    throw new UsageError(
      `training.reconstruction is for a model that hides a part of what it sees: model.name masked with model.hidden above 0, not '${options.model.name}'; take that, or leave it at 0`,
    );
  return { parameters, loss: add(loss, mul(filled, options.reconstruction!)), dropout, filled };
}

/** The mean squared error at the hidden places of the departures `state`, area weighted: about 1 for a network that knows nothing. */
function fillingError({ maps, hidden }: FilledIn, state: Tensor, { latitudes }: Normaliser): Tensor {
  const area = state.graph.constant(
    float32([1, 1, latitudes.length, 1], Float32Array.from(latitudeWeights(latitudes, "exact"))),
  );
  const weight = mul(area, hidden);
  return div(reduceMean(mul(weight, square(sub(maps, state)))), add(reduceMean(weight), 1e-6));
}

/** One jump of a trained network as the bytes of an ONNX file, its parameters inside; the output is `next`. */
export function jumpModel(
  parameters: Parameters,
  options: NetworkOptions,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  const graph = new Graph(`forecast-${options.model.name}`);
  const { states, slow } = startInputs(graph, "", options);
  graph.output("next", jump(scope(graph), options, states, slow, jumpInputs(graph, "", options), {}));
  return exportOnnx(graph, { parameters, metadata });
}

interface Shift {
  readonly there: (x: Tensor) => Tensor;
  readonly back: (x: Tensor) => Tensor;
}

/** u(t + L) from states (newest first), written into their graph. */
export function jump(
  p: Scope,
  { model, normaliser }: Pick<NetworkOptions, "model" | "normaliser">,
  states: readonly Tensor[],
  slow: Tensor | undefined,
  inputs: JumpInputs,
  extra: { dropout?: Dropout; shift?: Shift; fillIn?: ModelInputs["fillIn"] },
): Tensor {
  const { architecture, settings } = resolveModel(model);
  const { there, back } = extra.shift ?? { there: (x: Tensor) => x, back: (x: Tensor) => x };
  const { fields, variables, shared } = featureMaps(normaliser, states, slow, inputs);
  const correction = architecture.write(
    p,
    {
      fields: there(fields),
      condition: inputs.condition,
      channels: normaliser.channels.length,
      global: isGlobal(normaliser.longitudes),
      variables,
      shared,
      latitudes: normaliser.latitudes,
      longitudes: normaliser.longitudes,
      dropout: extra.dropout,
      fillIn: extra.fillIn && (({ maps, hidden }) => extra.fillIn!({ maps: back(maps), hidden: back(hidden) })),
    },
    settings,
  );
  return add(mul(inputs.damping, states[0]), mul(inputs.scale, back(correction)));
}

const mapShape = ({ batch, normaliser: n }: NetworkOptions): number[] => [
  batch,
  n.channels.length,
  n.latitudes.length,
  n.longitudes.length,
];

function startInputs(
  graph: Graph,
  prefix: string,
  options: NetworkOptions,
): { states: Tensor[]; slow: Tensor | undefined } {
  const [batch, channels, height, width] = mapShape(options);
  const history = graph.input(`${prefix}history`, "float32", [batch, options.history * channels, height, width]);
  const states = Array.from({ length: options.history }, (_, j) =>
    options.history === 1 ? history : slice(history, [{ axis: 1, start: j * channels, end: (j + 1) * channels }]),
  );
  return {
    states,
    slow:
      options.slowMeans > 0
        ? graph.input(`${prefix}slow`, "float32", [batch, options.slowMeans * channels, height, width])
        : undefined,
  };
}

function jumpInputs(graph: Graph, prefix: string, options: NetworkOptions): JumpInputs {
  const maps = JUMP_MAPS.map((name) => [name, graph.input(prefix + name, "float32", mapShape(options))] as const);
  return {
    ...(Object.fromEntries(maps) as Pick<JumpInputs, (typeof JUMP_MAPS)[number]>),
    condition: graph.input(`${prefix}condition`, "float32", [options.batch, CONDITION]),
  };
}

/** A shift of the grid as two matrices, and two that undo it: rows and columns move, edges repeat. */
function shiftInputs(graph: Graph, prefix: string, [, , height, width]: readonly number[]): Shift {
  const [rows, columns, rowsBack, columnsBack] = [
    graph.input(`${prefix}shift.rows`, "float32", [height, height]),
    graph.input(`${prefix}shift.columns`, "float32", [width, width]),
    graph.input(`${prefix}shift.rowsBack`, "float32", [height, height]),
    graph.input(`${prefix}shift.columnsBack`, "float32", [width, width]),
  ];
  return { there: (x) => matmul(matmul(rows, x), columns), back: (x) => matmul(matmul(rowsBack, x), columnsBack) };
}
