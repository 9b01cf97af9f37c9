/**
 * Optimisers as composable parts. A `Transform` turns a gradient into an update, keeping state beside each parameter; the
 * nodes it writes run in one small graph a step (train.ts). In order of complexity:
 *
 *     sgd({ momentum: 0.9 })
 *     adamW({ beta2: 0.95, weightDecay: 0.05 })
 *     chain(scaleByAdam(), addDecayedWeights(0.01), trackAverage(0.999))
 */
import type { Tensor } from "../graph/graph.js";
import { add, div, maximum, mul, reduceMean, sign, sqrt, square, sub } from "../graph/ops.js";
import type { Shape } from "../tensor/ndarray.js";

export interface TransformContext {
  readonly name: string;
  readonly parameter: Tensor;
  /** This transform's own state arrays, by its names for them. */
  readonly slots: Readonly<Record<string, Tensor>>;
  /** Numbers that change with the step, by the names `scalars` gave them. */
  readonly scalars: Readonly<Record<string, Tensor>>;
}

export interface Transform {
  /** State kept for a parameter of that shape; it starts at zero, or as a copy of the parameter. */
  slots(shape: Shape): Readonly<Record<string, { shape: Shape; start?: "zero" | "parameter" }>>;
  /** Numbers for this step (counted from 1), such as bias corrections. */
  scalars?(step: number): Readonly<Record<string, number>>;
  /** From the update so far (the gradient, for the first) to the next, and the new state. */
  write(update: Tensor, context: TransformContext): { update: Tensor; slots?: Readonly<Record<string, Tensor>> };
  /** Writes state that depends on the parameter after the step (averages of weights). */
  after?(parameter: Tensor, context: TransformContext): Readonly<Record<string, Tensor>>;
}

/** Parts one after the other; each keeps its own state under `part.slot`. */
export type Optimiser = readonly Transform[];
export const chain = (...parts: (Transform | Optimiser)[]): Optimiser => parts.flat();

/** Heavy-ball momentum: v = mu v + g. */
export const momentum = (mu: number): Transform => ({
  slots: (shape) => ({ v: { shape } }),
  write(g, { slots }) {
    const v = add(mul(slots["v"], mu), g);
    return { update: v, slots: { v } };
  },
});

/** m / (1 - b1^t) / (sqrt(v / (1 - b2^t)) + epsilon) (Kingma and Ba 2015). */
export const scaleByAdam = (options: { beta1?: number; beta2?: number; epsilon?: number } = {}): Transform => {
  const { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8 } = options;
  return {
    slots: (shape) => ({ m: { shape }, v: { shape } }),
    scalars: (t) => ({ c1: 1 / (1 - beta1 ** t), c2: 1 / Math.sqrt(1 - beta2 ** t) }),
    write(g, { slots, scalars }) {
      const m = add(mul(slots["m"], beta1), mul(g, 1 - beta1));
      const v = add(mul(slots["v"], beta2), mul(square(g), 1 - beta2));
      return { update: div(mul(m, scalars["c1"]), add(mul(sqrt(v), scalars["c2"]), epsilon)), slots: { m, v } };
    },
  };
};

/** sign(b1 m + (1 - b1) g), m = b2 m + (1 - b2) g (Chen et al. 2023, "Symbolic discovery of optimization algorithms"). */
export const scaleByLion = (options: { beta1?: number; beta2?: number } = {}): Transform => {
  const { beta1 = 0.9, beta2 = 0.99 } = options;
  return {
    slots: (shape) => ({ m: { shape } }),
    write(g, { slots }) {
      const m = slots["m"];
      return {
        update: sign(add(mul(m, beta1), mul(g, 1 - beta1))),
        slots: { m: add(mul(m, beta2), mul(g, 1 - beta2)) },
      };
    },
  };
};

/**
 * Adafactor's second moment (Shazeer and Stern 2018): for a matrix only its row and column means are kept,
 * v = r c / mean(r), with b2 = 1 - t^-0.8 and the update clipped to root mean square 1.
 */
export const scaleByFactoredRms = (options: { epsilon?: number } = {}): Transform => {
  const { epsilon = 1e-30 } = options;
  const factored = (shape: Shape) => shape.length === 2;
  return {
    slots: (shape): Record<string, { shape: Shape }> =>
      factored(shape) ? { row: { shape: [shape[0], 1] }, column: { shape: [1, shape[1]] } } : { v: { shape } },
    scalars: (t) => ({ decay: 1 - t ** -0.8 }),
    write(g, { slots, scalars }): ReturnType<Transform["write"]> {
      const g2 = add(square(g), epsilon);
      const blend = (old: Tensor, fresh: Tensor) =>
        add(mul(old, scalars["decay"]), mul(fresh, sub(1, scalars["decay"])));
      const clipped = (u: Tensor) => div(u, maximum(sqrt(reduceMean(square(u))), 1));
      if (!factored(g.shape)) {
        const v = blend(slots["v"], g2);
        return { update: clipped(div(g, sqrt(v))), slots: { v } };
      }
      const row = blend(slots["row"], reduceMean(g2, { axes: [1], keepDims: true }));
      const column = blend(slots["column"], reduceMean(g2, { axes: [0], keepDims: true }));
      const v = mul(div(row, reduceMean(row, { axes: [0], keepDims: true })), column);
      return { update: clipped(div(g, sqrt(v))), slots: { row, column } };
    },
  };
};

/** Decoupled weight decay (Loshchilov and Hutter 2019): update + decay * parameter, for parameters that `mask` names. */
export const addDecayedWeights = (
  decay: number,
  mask: (name: string, shape: Shape) => boolean = isMatrix,
): Transform => ({
  slots: () => ({}),
  write: (update, { name, parameter }) => ({
    update: decay !== 0 && mask(name, parameter.shape) ? add(update, mul(parameter, decay)) : update,
  }),
});

/** Biases, norms and position embeddings are not decayed: they do not multiply activations. */
const isMatrix = (name: string, shape: Shape): boolean =>
  shape.length >= 2 && !/(^|\.)(position|pos|token)\b/.test(name);

/** Multiplies the learning rate of the parameters that `scale` names (layer-wise rates; 0 freezes). */
export const scaleByGroup = (scale: (name: string) => number): Transform => ({
  slots: () => ({}),
  write: (update, { name }) => ({ update: scale(name) === 1 ? update : mul(update, scale(name)) }),
});

/** Keeps an exponential average of the weights beside them, from the start's weights on. */
export const trackAverage = (decay: number): Transform => ({
  slots: (shape) => ({ average: { shape, start: "parameter" } }),
  // A young average leans on recent weights: min(decay, (1 + t) / (10 + t))
  scalars: (t) => ({ keep: Math.min(decay, (1 + t) / (10 + t)) }),
  write: (update) => ({ update }),
  after: (parameter, { slots, scalars }) => ({
    average: add(mul(slots["average"], scalars["keep"]), mul(parameter, sub(1, scalars["keep"]))),
  }),
});

export const sgd = (options: { momentum?: number } = {}): Optimiser =>
  options.momentum ? chain(momentum(options.momentum)) : chain();

export interface AdamWOptions {
  beta1?: number;
  beta2?: number;
  epsilon?: number;
  weightDecay?: number;
}
export const adamW = ({ weightDecay = 0.01, ...adam }: AdamWOptions = {}): Optimiser =>
  chain(scaleByAdam(adam), addDecayedWeights(weightDecay));
