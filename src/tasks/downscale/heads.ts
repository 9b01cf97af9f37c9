/**
 * Heads: what a network's maps mean for a cell, and the loss that teaches it. All begin as the climate of the training period
 * around the first guess: an untrained network is the baseline, not noise.
 *
 * - `mean`: y = guess + s net, squared error in units of s, the deviation of truth less guess.
 * - `quantile`: a mean likewise, and quantiles that cannot cross: the middle one, then steps of softplus up and down; pinball
 *   loss (Koenker and Bassett 1978), whose mean over evenly spaced levels is half the CRPS.
 * - `bernoulli-gamma`: the chance of rain p, shape k and mean m of a gamma law of wet amounts (Williams 1998; Cannon 2008);
 *   negative log-likelihood, and the squared error of the mean p m.
 */
import type { Tensor } from "../../graph/graph.js";
import {
  add,
  cast,
  clip,
  concat,
  cumSum,
  exp,
  greater,
  maximum,
  mul,
  neg,
  reduceMean,
  reshape,
  sigmoid,
  slice,
  softplus,
  split,
  square,
  sub,
  where,
} from "../../graph/ops.js";
import { float32 } from "../../tensor/ndarray.js";
import { type DownscaleConfig, levelsOf } from "./config.js";
import type { Fitted } from "./fitted.js";
import { gammaLogDensity } from "./gamma.js";

/** Maps a target takes from the network. */
export const headChannels = (config: DownscaleConfig): number =>
  ({ mean: 1, quantile: 1 + levelsOf(config).length, "bernoulli-gamma": 3 })[config.downscale.head];

/** Maps of first guess a target brings: its value, or of rain ln odds and ln mean. */
export const guessMaps = (config: DownscaleConfig): number => (config.downscale.head === "bernoulli-gamma" ? 2 : 1);

export interface HeadOutput {
  /** By name, in the target's units: `mean`; `quantiles` [batch, level x target, ...]; `probability`, `shape`, `amount`. */
  readonly outputs: Readonly<Record<string, Tensor>>;
  /** Mean over cells of the weighted loss. `truth` 0 where missing, and `weight` then 0. */
  loss(truth: Tensor, weight: Tensor): Tensor;
}

/** `net` [batch, channel x target, row, column], `guess` [batch, guess map x target, row, column]. */
export function writeHead(config: DownscaleConfig, fitted: Fitted, net: Tensor, guess: Tensor): HeadOutput {
  const kind = config.downscale.head;
  if (kind === "mean") return meanHead(fitted, net, guess);
  return kind === "quantile" ? quantileHead(config, fitted, net, guess) : gammaHead(config, fitted, net, guess);
}

/** A number for each target, to multiply maps [batch, target, row, column]. */
const perTarget = (like: Tensor, values: readonly number[]): Tensor =>
  like.graph.constant(float32([1, values.length, 1, 1], values));

function meanHead({ scale }: Fitted, net: Tensor, guess: Tensor): HeadOutput {
  const s = perTarget(net, scale);
  const mean = add(guess, mul(net, s));
  return {
    outputs: { mean },
    loss: (truth, weight) => reduceMean(mul(weight, square(mul(sub(mean, truth), inverse(net, scale))))),
  };
}

const inverse = (like: Tensor, scale: readonly number[]): Tensor =>
  perTarget(
    like,
    scale.map((s) => 1 / s),
  );

function quantileHead(config: DownscaleConfig, fitted: Fitted, net: Tensor, guess: Tensor): HeadOutput {
  const { scale, spacing, offset } = fitted;
  const levels = levelsOf(config);
  const n = levels.length;
  const [batch, , rows, columns] = net.shape;
  const targets = scale.length;
  const middle = n >> 1;
  const five = [batch, n - 1, targets, rows, columns];
  const [forMean, forMiddle, forSteps] = split(net, [targets, targets, (n - 1) * targets], 1);
  // Steps start as those of the training period: softplus^-1(d) = ln(e^d - 1)
  const start = levels.slice(1).flatMap((_, i) =>
    spacing.map((q, v) => {
      const d = Math.max(1e-3, (q[i + 1] - q[i]) / scale[v]);
      return d > 20 ? d : Math.log(Math.expm1(d));
    }),
  );
  const constant = net.graph.constant(float32([1, n - 1, targets, 1, 1], start));
  const steps = softplus(add(reshape(forSteps, five), constant));
  const part = (from: number, to: number) => slice(steps, [{ axis: 1, start: from, end: to }]);
  const center = reshape(
    add(
      forMiddle,
      perTarget(
        net,
        spacing.map((q, v) => (q[middle] - offset[v]) / scale[v]),
      ),
    ),
    [batch, 1, targets, rows, columns],
  );
  const pieces: Tensor[] = [];
  if (middle > 0) pieces.push(sub(center, cumSum(part(0, middle), 1, { reverse: true })));
  pieces.push(center);
  if (middle < n - 1) pieces.push(add(center, cumSum(part(middle, n - 1), 1)));
  const five1 = [1, 1, targets, 1, 1];
  const s = reshape(perTarget(net, scale), five1);
  const guess5 = reshape(guess, [batch, 1, targets, rows, columns]);
  const quantiles = add(mul(concat(pieces, 1), s), guess5); // [batch, level, target, row, column]
  const mean = add(guess, mul(forMean, perTarget(net, scale)));
  return {
    outputs: { mean, quantiles: reshape(quantiles, [batch, n * targets, rows, columns]) },
    loss(truth, weight) {
      const five0 = [batch, 1, targets, rows, columns];
      const error = mul(sub(reshape(truth, five0), quantiles), reshape(inverse(net, scale), five1));
      const level = net.graph.constant(float32([1, n, 1, 1, 1], levels));
      const pinball = maximum(mul(error, level), mul(error, sub(level, 1)));
      const crps = reduceMean(mul(pinball, reshape(weight, five0)));
      const squared = reduceMean(mul(weight, square(mul(sub(mean, truth), inverse(net, scale)))));
      return add(mul(crps, 2), mul(squared, config.downscale.meanWeight));
    },
  };
}

function gammaHead(config: DownscaleConfig, fitted: Fitted, net: Tensor, guess: Tensor): HeadOutput {
  const { rain, scale } = fitted;
  const targets = scale.length;
  const [forOdds, forShape, forMean] = split(net, [targets, targets, targets], 1);
  const [odds, logMean] = split(guess, [targets, targets], 1);
  const logit = add(odds, forOdds);
  const probability = sigmoid(logit);
  const logShape = add(
    forShape,
    perTarget(
      net,
      rain.map((r) => Math.log(r.shape)),
    ),
  );
  const shape = exp(clip(logShape, -3, 3)); // 0.05 to 20
  const amount = exp(clip(add(logMean, forMean), -7, 7));
  const mean = mul(probability, amount);
  return {
    outputs: { mean, probability, shape, amount },
    loss(truth, weight) {
      const wet = greater(truth, config.downscale.dryUpTo);
      const safe = maximum(truth, Math.max(config.downscale.dryUpTo, 1e-3));
      // -ln p where wet, -ln (1 - p) where dry, by softplus of the logit
      const occurrence = where(wet, softplus(neg(logit)), softplus(logit));
      const amounts = mul(cast(wet, "float32"), neg(gammaLogDensity(safe, shape, amount)));
      const likelihood = reduceMean(mul(weight, add(occurrence, amounts)));
      const squared = reduceMean(mul(weight, square(mul(sub(mean, truth), inverse(net, scale)))));
      return add(likelihood, mul(squared, config.downscale.meanWeight));
    },
  };
}
