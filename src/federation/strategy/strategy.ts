/**
 * A strategy says what a site adds to its local training and what the hub does with the mean of the updates. It is plain data
 * and functions; whatever it must remember between rounds lies in a `Memory`, so that hub and sites can be stopped and go on.
 *
 * One round, with x the shared model and y_i the model of site i after its local steps:
 *
 *   site:  rule = begin(...);  train y_i;  extras = finish(...);  send delta_i = y_i - x and the extras
 *   hub:   mean = sum_i w_i delta_i  (or a robust rule);  x = step(...)
 */
import type { Vector } from "../aggregate/rows.js";
import type { GradientOracle } from "./anchors.js";

/** Named vectors a hub or site keeps between rounds. */
export type Memory = Map<string, Vector>;

/** What local training adds to its gradient g at w: g + offset + weight (w - anchor). */
export interface LocalRule {
  readonly offset?: Vector;
  readonly proximal?: { readonly weight: number; readonly anchor: Vector };
}

/** What a site's local training did. */
export interface LocalResult {
  readonly params: Vector;
  /** Optimiser steps taken and their (mean) rate. */
  readonly steps: number;
  readonly learningRate: number;
  /** Samples the site trains on. */
  readonly samples: number;
  /** Momentum of the local optimiser, where it has one (FedNova). */
  readonly momentum?: number;
}

/** What the hub knows of an update beside its numbers. */
export interface UpdateFacts {
  readonly site: string;
  readonly samples: number;
  readonly steps: number;
  readonly momentum?: number;
  /** The (mean) rate of the local steps, and the length of the update. */
  readonly learningRate: number;
  readonly norm: number;
  /** The site's loss under the model it was sent (q-FedAvg). */
  readonly loss?: number;
  /** Rounds the model has moved on since the site received it. */
  readonly staleness: number;
  /** What the site did in the round, where the strategy knows several things (FedAMD). */
  readonly role?: Role;
}

export type Role = "anchor" | "miner";

/** What a strategy with a local training of its own works with. */
export interface WalkInput {
  readonly site: Memory;
  readonly model: Vector;
  readonly shared: ReadonlyMap<string, Vector>;
  /** Fixes what is drawn in this round at this site. */
  readonly seed: number;
  readonly steps: number;
  readonly oracle: GradientOracle;
}

export interface Walked {
  readonly params: Vector;
  readonly role: Role;
  readonly steps: number;
  readonly learningRate: number;
  readonly extras: Map<string, Vector>;
  readonly memory: Memory;
}

export interface StepContext {
  /** Aggregated extras, by name. */
  readonly extras: ReadonlyMap<string, Vector>;
  /** Sites in this aggregate, and sites that take part at all. */
  readonly count: number;
  readonly members: number;
  /** How much of the run is over, 0 to 1, for rates that fall as it ends. */
  readonly progress?: number;
}

export interface Strategy {
  readonly name: string;
  /** The paper. */
  readonly source: string;
  /** Vectors of the hub's memory that sites receive with the model, and vectors sites send with their delta. */
  readonly shared?: readonly string[];
  readonly extras?: readonly string[];
  /** Vectors of the hub's memory that are one number for the whole model, not one a parameter. */
  readonly scalars?: readonly string[];
  /**
   * What 1 of an update stands for in each parameter, from the hub's shared vectors: a site divides its change by it, and the mean
   * that `step` is given is in these units. 1 where left out, undefined or 0.
   */
  units?(shared: ReadonlyMap<string, Vector>): Vector | undefined;
  /** The local rule of a site; `shared` holds the hub's shared vectors. */
  begin?(site: Memory, model: Vector, shared: ReadonlyMap<string, Vector>): LocalRule;
  /** A local training of its own, in place of the trainer's: it needs gradients of the site. */
  walk?(input: WalkInput): Promise<Walked>;
  /** The extras a site sends; the change to its memory is kept only once the hub has accepted the update. */
  finish?(
    site: Memory,
    model: Vector,
    result: LocalResult,
    shared: ReadonlyMap<string, Vector>,
  ): { extras: Map<string, Vector>; memory: Memory };
  /** Weights of the updates in the mean. */
  weights(facts: readonly UpdateFacts[]): number[];
  /** The next model. May change `hub`, its memory. */
  step(hub: Memory, model: Vector, mean: Vector, context: StepContext): Vector;
}

/** p_i = n_i / sum n: by the data each site has. */
export const bySamples = (facts: readonly UpdateFacts[]): number[] => {
  const total = facts.reduce((s, { samples }) => s + samples, 0);
  return facts.map(({ samples }) => samples / total);
};

/** 1 / n each. */
export const equally = (facts: readonly UpdateFacts[]): number[] => facts.map(() => 1 / facts.length);

/** p_i = n_i^volume / sum n^volume: 1 by the data each site has, 0 all alike, between them in between. */
export function byVolume(volume: number): Strategy["weights"] {
  if (volume === 1) return bySamples;
  if (volume === 0) return equally;
  return (facts) => bySamples(facts.map((f) => ({ ...f, samples: f.samples ** volume })));
}
