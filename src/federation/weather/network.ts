/**
 * The shared model as a site's graph: the architecture of the run's task over the variables the site has. Arrays are named by
 * what they belong to, so the graph of any site holds a part of the shared model, and `initialParameters` holds all of it.
 */
import { type FedDropout, feedDropout } from "../../engine/dropout.js";
import { initialise, type Parameters, type Scope, scope } from "../../engine/parameters.js";
import { FoehnError, UsageError } from "../../errors.js";
import { Graph, type Tensor } from "../../graph/graph.js";
import { mul, reduceMean, square, sub } from "../../graph/ops.js";
import { resolveModel } from "../../models/index.js";
import { patchGrid } from "../../models/patches.js";
import { FEATURES } from "../../models/position.js";
import { CONDITION, isGlobal } from "../../tasks/forecast/features.js";
import type { Layout, Parameters as Shared } from "../protocol/parameters.js";
import { lineOf } from "./line.js";
import { mapsFed } from "./samples.js";
import type { SharedTask } from "./task.js";

/** What a graph is made for. */
export interface Shape {
  /** Names as in the task's vocabulary. */
  readonly variables: readonly string[];
  readonly latitudes: ArrayLike<number>;
  readonly longitudes: ArrayLike<number>;
  readonly batch: number;
  /** Where parts of the network are dropped: while it learns. */
  readonly dropout?: boolean;
}

export interface SiteNetwork {
  readonly parameters: Scope;
  /** The learnt part of z, [batch, variable, latitude, longitude]. */
  readonly correction: Tensor;
  /** Mean weighted squared error; 1 for a model that knows nothing. */
  readonly loss: Tensor;
  readonly dropout: FedDropout;
}

/** Rows and columns of a token of the task's model. */
export function patchOf(task: SharedTask): readonly [number, number] {
  const { patch } = resolveModel(task.model).settings as { patch?: [number, number] };
  if (!patch)
    throw new UsageError(
      `the run's task: model '${task.model.name}' has no patches of single variables, so sites that differ cannot share it; take climax`,
    );
  return patch;
}

/** Writes the model for a site. Inputs: see `sampleFeeds`. */
export function siteNetwork(
  task: SharedTask,
  { variables, latitudes, longitudes, batch, ...shape }: Shape,
): SiteNetwork {
  const graph = new Graph(`shared-${task.model.name}`);
  const parameters = scope(graph);
  const dropout = feedDropout(graph);
  const { architecture, settings } = resolveModel(task.model);
  const [height, width] = [latitudes.length, longitudes.length];
  const channels = variables.length;
  const maps = mapsFed(task, channels);
  const grid = patchGrid(height, width, patchOf(task));
  const correction = architecture.write(
    parameters,
    {
      fields: graph.input("fields", "float32", [batch, maps.count, height, width]),
      condition: graph.input("condition", "float32", [batch, CONDITION]),
      channels,
      global: isGlobal(longitudes),
      variables: variables.map((name, c) => ({ name, maps: maps.of[c] })),
      shared: maps.around.length > 0 ? [{ name: "surroundings", maps: maps.around }] : [],
      latitudes,
      longitudes,
      dropout: shape.dropout ? dropout : undefined,
      places: graph.input("places", "float32", [batch, grid.rows * grid.columns, FEATURES]),
    },
    settings,
  );
  const truth = [batch, channels, height, width];
  const error = sub(correction, graph.input("truth", "float32", truth));
  const loss = reduceMean(mul(graph.input("weight", "float32", truth), square(error)));
  return { parameters, correction, loss, dropout };
}

/** The arrays of the shared model that a site's graph has. Throws where one is lacking. */
export function ofNetwork(shared: Shared, layout: Layout): Shared {
  return new Map(
    layout.map(({ name }) => {
      const array = shared.get(name);
      if (!array)
        throw new FoehnError(
          `the shared model has no array '${name}', which this site's variables need; the hub's task names other variables or another model`,
        );
      return [name, array];
    }),
  );
}

/** The whole shared model at its start: the arrays of every variable of the vocabulary. The same seed gives the same numbers. */
export function initialParameters(task: SharedTask, seed = 0): Parameters {
  const [height, width] = patchOf(task);
  const axis = (length: number): number[] => Array.from({ length }, (_, i) => i);
  const network = siteNetwork(task, {
    variables: task.variables,
    latitudes: axis(height),
    longitudes: axis(width),
    batch: 1,
  });
  const line = task.forecast.firstGuess === "shared-ridge" ? lineOf(task, task.variables) : [];
  return new Map([...initialise(network.parameters, { seed }), ...line]);
}
