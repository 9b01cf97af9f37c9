/** What an architecture is: a configuration with defaults, and a function that writes it into a graph. */
import type { Scope } from "../engine/parameters.js";
import type { Tensor } from "../graph/graph.js";

/** What every forecasting model is given, besides its own configuration. */
export interface ModelInputs {
  /** Normalised maps [batch, field, latitude, longitude]. */
  readonly fields: Tensor;
  /** Lead time, season and hour [batch, condition]. */
  readonly condition: Tensor;
  /** How many maps to give back. */
  readonly channels: number;
  /** Longitudes go around the globe: the first column follows the last. */
  readonly global: boolean;
  /** Multipliers that thin the network out while it trains; none otherwise. */
  readonly dropout?: Dropout;
}

/** Masks are fed, not drawn in the graph, so that a resumed run draws the same ones. */
export interface Dropout {
  /** x with a random part of its last-axis or channel entries zeroed and the rest scaled up; x itself where the rate is 0. */
  apply(x: Tensor, options: { rate: number; axes: readonly number[] }): Tensor;
}

export interface Architecture<Config> {
  readonly name: string;
  readonly defaults: Config;
  /** A sentence where the configuration cannot be built on such a grid; undefined where it can. */
  check(config: Config): string | undefined;
  /** Writes the model: normalised maps [batch, channels, latitude, longitude]. */
  write(p: Scope, inputs: ModelInputs, config: Config): Tensor;
}
