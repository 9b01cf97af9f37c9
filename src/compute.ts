/** Arrays, graphs, derivatives and training: the part of the library that is the same in Node and in a browser. */
export { float32, int64, type NdArray, ndarray } from "./tensor/ndarray.js";
export { random } from "./tensor/random.js";
export { Graph, type Tensor } from "./graph/graph.js";
export * from "./graph/ops.js";
export { gradients } from "./graph/grad.js";
export { exportOnnx } from "./graph/export.js";
export { importOnnx, type ImportedModel } from "./graph/import.js";
export { describeModel } from "./graph/describe.js";
export { checkpoint } from "./graph/checkpoint.js";
export { attention, gru, irfft, lstm, rfft, rmsNorm } from "./graph/layers.js";
export { foldConstants, freeze, prune, replaceNodes, share } from "./graph/rewrite.js";
export { defineOperator } from "./graph/custom.js";
export { initialise, one, scope, type Scope, truncatedNormal, zero } from "./engine/parameters.js";
export {
  adamW,
  addDecayedWeights,
  chain,
  momentum,
  scaleByAdam,
  scaleByFactoredRms,
  scaleByGroup,
  scaleByLion,
  sgd,
  trackAverage,
} from "./engine/optimiser.js";
export { constant, cosine, oneCycle, warmupStableDecay } from "./engine/schedule.js";
export { createTrainer } from "./engine/train.js";
export { fineTune } from "./engine/fine-tune.js";
