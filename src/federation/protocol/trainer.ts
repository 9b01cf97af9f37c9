/** What a site needs of whoever trains: the seam between the federation and the engine. */
import type { Parameters } from "./parameters.js";

/** How much to train in a round: whichever is reached first. */
export interface Budget {
  readonly steps?: number;
  readonly samples?: number;
  readonly seconds?: number;
}

export interface TrainingTask {
  readonly budget: Budget;
  /** Added to the gradient g at w: g + offset + weight (w - anchor). */
  readonly offset?: Parameters;
  readonly proximal?: { readonly weight: number; readonly anchor: Parameters };
  /** Fixes what is drawn: the same seed, parameters and data give the same result. */
  readonly seed: number;
  /** How much of the run is over, 0 to 1, for rates that fall as it ends. */
  readonly progress?: number;
  /** The round's number, from 0. */
  readonly round?: number;
  /** A training for the site itself, of which nothing leaves: a trainer that sends gradients takes steps here. */
  readonly own?: boolean;
  readonly signal?: AbortSignal;
}

export interface Trained {
  readonly params: Parameters;
  /**
   * Names of the arrays it trained; absent: all. The others may be missing from `params`: they are neither sent nor averaged with
   * those of the sites that do train them.
   */
  readonly arrays?: readonly string[];
  readonly steps: number;
  /** Mean rate of the steps. */
  readonly learningRate: number;
  readonly momentum?: number;
  /** Mean loss under the parameters it began with. */
  readonly loss?: number;
  /** Whether `params` are those it was given less a gradient, for the hub to take a step by, and so no model of use to the site. */
  readonly gradient?: boolean;
}

/** A score on the site's own held-back data. */
export interface SkillRow {
  readonly metric: string;
  readonly variable?: string;
  readonly value: number;
  readonly low?: number;
  readonly high?: number;
  readonly n: number;
}

export interface LocalTrainer {
  /** Samples it trains on, the variables they have, and what it runs on. */
  describe(): { readonly samples: number; readonly variables: readonly string[]; readonly device: string };
  /** Must leave `params` as they are. */
  train(params: Parameters, task: TrainingTask): Promise<Trained>;
  evaluate(params: Parameters): Promise<SkillRow[]>;
  /**
   * The site's own model from the run's last one; where absent, what a round's training makes of it.
   */
  personalise?(
    params: Parameters,
    options: { readonly seed: number; readonly signal?: AbortSignal },
  ): Promise<Parameters>;
  /** Gradient of the loss over many samples, or over a small batch, both fixed by `seed`; needed by FedAMD alone. */
  gradient?(
    params: Parameters,
    batch: { readonly size: "large" | "small"; readonly seed: number },
  ): Promise<Parameters>;
}
