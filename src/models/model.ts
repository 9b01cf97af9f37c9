/** What an architecture is: a configuration with defaults, and a function that writes it into a graph. */
import type { Scope } from "../engine/parameters.js";
import type { Tensor } from "../graph/graph.js";

/** Maps of one variable (on one level), or another kind of maps, under a name that means the same wherever the model goes. */
export interface ModelVariable {
  /** The catalogue's name, with the level where there is one: `2m_temperature`, `geopotential@500`. */
  readonly name: string;
  /** Which maps of `fields` these are. */
  readonly maps: readonly number[];
}

/** What every forecasting model is given, besides its own configuration. */
export interface ModelInputs {
  /** Normalised maps [batch, field, latitude, longitude]. */
  readonly fields: Tensor;
  /** Lead time, season and hour [batch, condition]. */
  readonly condition: Tensor;
  /** How many maps to give back: one a variable, in their order. */
  readonly channels: number;
  /** Longitudes go around the globe: the first column follows the last. */
  readonly global: boolean;
  /** The variable of each channel, each with as many maps in the same order. Models of whole maps (vit, unet) ignore them. */
  readonly variables: readonly ModelVariable[];
  /** Kinds of maps that belong to no variable: coordinates, orography. */
  readonly shared: readonly ModelVariable[];
  /** Degrees north of the rows, degrees east of the columns. */
  readonly latitudes: ArrayLike<number>;
  readonly longitudes: ArrayLike<number>;
  /** Where a batch mixes samples of several stations: the numbers of `placeFeatures` for each, [batch, patch, feature]. */
  readonly places?: Tensor;
  /** Multipliers that thin the network out while it trains; none otherwise. */
  readonly dropout?: Dropout;
  /** Takes what a model that hides a part of the present state says stands there; where left out, it is not asked. */
  readonly fillIn?: (guess: FilledIn) => void;
}

/** The present state as a model that saw only a part of it has it. */
export interface FilledIn {
  /** Departures as `fields` begin with, [batch, channel, latitude, longitude], everywhere. */
  readonly maps: Tensor;
  /** 1 where it saw nothing, 0 elsewhere, [batch, 1, latitude, longitude]. */
  readonly hidden: Tensor;
}

/** Masks are fed, not drawn in the graph, so that a resumed run draws the same ones. */
export interface Dropout {
  /** x with a random part of its last-axis or channel entries zeroed and the rest scaled up; x itself where the rate is 0. */
  apply(x: Tensor, options: { rate: number; axes: readonly number[] }): Tensor;
}

export interface Architecture<Config> {
  readonly name: string;
  readonly defaults: Config;
  /** Parameters carry their variable's name: any part of the variables takes that part of the parameters. */
  readonly anyVariables?: boolean;
  /** A sentence where the configuration cannot be built on such a grid; undefined where it can. */
  check(config: Config): string | undefined;
  /** Writes the model: normalised maps [batch, channels, latitude, longitude]. */
  write(p: Scope, inputs: ModelInputs, config: Config): Tensor;
}
