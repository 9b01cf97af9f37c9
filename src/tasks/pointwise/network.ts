/**
 * One network for grid and stations: the gridded state becomes tokens, and a place, on the grid or a station, asks them what it will be
 * there (models/pointwise.ts). Every answer corrects the first guess of its place, damped persistence on the grid and a straight line from
 * report and surroundings at a station (lines.ts):
 *
 *     u(place, t + L) = guess(place, t, L) + (r_L / s) net(gridded state, L; place, what is known there)
 *
 * so that grid points and stations are learnt by the same parameters, from the same sample.
 */
import { type FedDropout, feedDropout } from "../../engine/dropout.js";
import { type Scope, scope } from "../../engine/parameters.js";
import { Graph, type Tensor } from "../../graph/graph.js";
import { add, mul, reduceSum, slice, square, sub } from "../../graph/ops.js";
import { resolveModel, writeAt } from "../../models/index.js";
import { CONDITION, featureMaps, isGlobal, JUMP_MAPS, type JumpInputs, variableNames } from "../forecast/features.js";
import type { Normaliser } from "../forecast/normaliser.js";
import type { PointwiseRunConfig } from "./config.js";

/** What is read at places: the grid's variables and those that only stations have, by catalogue name; and which of them are whose. */
export interface Targets {
  readonly names: readonly string[];
  /** The target of each channel of the grid, and of the stations. */
  readonly ofGrid: readonly number[];
  readonly ofStations: readonly number[];
}

export function targetsOf(grid: Normaliser, stations: Normaliser): Targets {
  const [onGrid, atStations] = [variableNames(grid), variableNames(stations)];
  const names = [...new Set([...onGrid, ...atStations])];
  return {
    names,
    ofGrid: onGrid.map((name) => names.indexOf(name)),
    ofStations: atStations.map((name) => names.indexOf(name)),
  };
}

/**
 * How many numbers say what is at a place now: each station variable and whether it is known, and the gridded departures of the history
 * interpolated to it.
 */
export const observedCount = (
  { grid, stations }: { readonly grid: Normaliser; readonly stations: Normaliser },
  history: number,
): number => 2 * stations.channels.length + history * grid.channels.length;

export interface PointwiseNetwork {
  readonly parameters: Scope;
  readonly dropout: FedDropout;
  /** Departures at the places, [batch, place, target]. */
  readonly next: Tensor;
  /** The weighted squared error: inputs `at.truth` and `at.weight` [batch, place, target]. */
  readonly loss: Tensor;
}

/**
 * The network asked at `places` places. Inputs: `history` [batch, history x channel, latitude, longitude], the maps and the condition of
 * a jump; `at.queries` [batch, place, 3], `at.observed` [batch, place, number], `at.guess` and `at.scale` [batch, place, target].
 */
export function pointwiseNetwork(
  { model, forecast: { history } }: Pick<PointwiseRunConfig, "model" | "forecast">,
  { grid: n, stations }: { readonly grid: Normaliser; readonly stations: Normaliser },
  options: { batch: number; places: number; dropout: boolean },
): PointwiseNetwork {
  const graph = new Graph("pointwise");
  const parameters = scope(graph);
  const dropout = feedDropout(graph);
  const { batch, places } = options;
  const targets = targetsOf(n, stations);
  const [channels, height, width] = [n.channels.length, n.latitudes.length, n.longitudes.length];
  const past = graph.input("history", "float32", [batch, history * channels, height, width]);
  const states = Array.from({ length: history }, (_, j) =>
    history === 1 ? past : slice(past, [{ axis: 1, start: j * channels, end: (j + 1) * channels }]),
  );
  const jump = Object.fromEntries(
    JUMP_MAPS.map((name) => [name, graph.input(name, "float32", [batch, channels, height, width])]),
  ) as Omit<JumpInputs, "condition">;
  const condition = graph.input("condition", "float32", [batch, CONDITION]);
  const at = (name: string, last: number) => graph.input(`at.${name}`, "float32", [batch, places, last]);
  const { settings } = resolveModel(model);
  const correction = writeAt(
    parameters,
    {
      ...featureMaps(n, states, undefined, { ...jump, condition }),
      condition,
      channels,
      global: isGlobal(n.longitudes),
      latitudes: n.latitudes,
      longitudes: n.longitudes,
      dropout: options.dropout ? dropout : undefined,
    },
    settings,
    at("queries", 3),
    { targets: targets.names, observed: at("observed", observedCount({ grid: n, stations }, history)) },
  );
  const count = targets.names.length;
  const next = add(at("guess", count), mul(at("scale", count), correction));
  const loss = reduceSum(mul(at("weight", count), square(sub(next, at("truth", count)))));
  return { parameters, dropout, next, loss };
}
