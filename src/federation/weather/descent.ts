/** A site's training steps: one graph gives a batch's loss and gradient. It is loaded once and fed whatever numbers a round brings. */
import type { Parameters } from "../../engine/parameters.js";
import type { Runtime } from "../../engine/runtime.js";
import { FoehnError } from "../../errors.js";
import { exportOnnx } from "../../graph/export.js";
import { gradients } from "../../graph/grad.js";
import type { Tensor } from "../../graph/graph.js";
import type { NdArray } from "../../tensor/ndarray.js";
import type { Random } from "../../tensor/random.js";
import { flatten, type Layout, type Parameters as Shared, unflatten } from "../protocol/parameters.js";
import { type FlatOptimiser, flatOptimiser, type OptimiserState } from "./flat-optimiser.js";
import type { Member } from "./member.js";
import { ofNetwork, patchOf, siteNetwork } from "./network.js";
import { type Pick, sampleFeeds } from "./samples.js";
import type { SharedTask } from "./task.js";

/** What a strategy adds to the gradient. */
export interface SharedPull {
  readonly offset?: Shared;
  readonly proximal?: { readonly weight: number; readonly anchor: Shared };
}

export interface Descent {
  /** Arrays of the shared model that this site's graph has. */
  readonly arrays: readonly string[];
  /** Goes on from these numbers, with a fresh optimiser or with the one last kept under a name. */
  begin(parameters: Shared, options?: SharedPull & { keep?: { readonly as: string; readonly anew: boolean } }): void;
  /** One optimiser step, with what `rng` drops; gives the batch's loss before it. Throws, changing nothing, where loss or gradient is not finite. */
  step(picks: readonly Pick[], rng: Random, learningRate: number): Promise<number>;
  /** A copy of the numbers as they stand. */
  parameters(): Parameters;
  /** The gradient of a batch's loss at these numbers, of this site's arrays, and the loss. Throws where one is not finite. */
  gradient(parameters: Shared, picks: readonly Pick[], rng: Random): Promise<{ loss: number; gradient: Parameters }>;
  close(): Promise<void>;
}

/** Samples of a batch: as many as have the task's number of points. */
export const batchOf = ({ training }: SharedTask, { series }: Member): number =>
  Math.max(1, Math.round(training.batch / (series.latitudes.length * series.longitudes.length)));

export async function createDescent(
  runtime: Runtime,
  task: SharedTask,
  variables: readonly string[],
  member: Member,
): Promise<Descent> {
  const { latitudes, longitudes } = member.series;
  const patch = patchOf(task);
  const learner = siteNetwork(task, { variables, latitudes, longitudes, batch: batchOf(task, member), dropout: true });
  const layout: Layout = learner.loss.graph.parameters.map(({ name, shape }) => ({ name, shape }));
  const gradientSession = await runtime.load(gradientGraph(learner.loss));
  const decays = decayed(layout);
  const own = (shared: Shared): Float32Array => flatten(ofNetwork(shared, layout), layout);
  const lossAndGradient = async (
    weights: Float32Array,
    picks: readonly Pick[],
    rng: Random,
  ): Promise<{ loss: number; gradient: Float32Array }> => {
    const feeds = {
      ...sampleFeeds(task, picks, patch),
      ...Object.fromEntries(unflatten(weights, layout)),
      ...learner.dropout.draw(rng.split("dropout")),
    };
    const { loss: found, ...rest } = await gradientSession.run(feeds);
    const named = new Map(layout.map(({ name }) => [name, rest[`gradient/${name}`] as NdArray<"float32">]));
    const [loss, gradient] = [Number(found.data[0]), flatten(named, layout)];
    if (!Number.isFinite(loss) || !gradient.every(Number.isFinite))
      throw new FoehnError(
        "the loss or its gradient is not finite; lower training.learningRate in the run's task, or look at the site's data",
      );
    return { loss, gradient };
  };

  let weights: Float32Array | undefined;
  let optimiser: FlatOptimiser | undefined;
  const kept = new Map<string, OptimiserState>();
  const begun = (): Float32Array => {
    if (!weights) throw new FoehnError("this training has not begun from any numbers");
    return weights;
  };
  return {
    arrays: layout.map(({ name }) => name),
    begin(parameters, { offset, proximal, keep } = {}) {
      weights = own(parameters);
      const pull = {
        offset: offset && own(offset),
        proximal: proximal && { weight: proximal.weight, anchor: own(proximal.anchor) },
      };
      optimiser = flatOptimiser(task, decays, pull, keep && !keep.anew ? kept.get(keep.as) : undefined);
      if (keep) kept.set(keep.as, optimiser.state);
    },
    async step(picks, rng, learningRate) {
      const { loss, gradient } = await lossAndGradient(begun(), picks, rng);
      optimiser!.step(begun(), gradient, learningRate);
      return loss;
    },
    parameters: () => unflatten(begun().slice(), layout) as Parameters,
    async gradient(parameters, picks, rng) {
      const { loss, gradient } = await lossAndGradient(own(parameters), picks, rng);
      return { loss, gradient: unflatten(gradient, layout) as Parameters };
    },
    close: () => gradientSession.close(),
  };
}

/** The loss and its gradient by every parameter. */
function gradientGraph(loss: Tensor): Uint8Array {
  const { parameters } = loss.graph;
  const derivatives = gradients(loss, parameters);
  return exportOnnx(loss.graph, {
    outputs: new Map([
      ["loss", loss],
      ...parameters.map(({ name }, i) => [`gradient/${name}`, derivatives[i]] as const),
    ]),
  });
}

/** Weight decay is for matrices: biases, norms and tokens do not multiply activations. */
export function decayed(layout: Layout): Uint8Array {
  const parts = layout.map(({ shape }) => {
    const length = shape.reduce((a, b) => a * b, 1);
    return new Uint8Array(length).fill(shape.length >= 2 && shape.every((n) => n > 1) ? 1 : 0);
  });
  const out = new Uint8Array(parts.reduce((s, p) => s + p.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
