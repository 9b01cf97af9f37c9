/** Operators that are refused on import, each with a plain word why and what helps. */
const CONTROL =
  "control flow inside a graph is not supported; export the model with fixed sizes, so that it is unrolled";
const DATA_SIZES =
  "the size of its result depends on the data, and graphs here have fixed shapes; move it out of the model";
const SEQUENCES = "lists of tensors are not supported; export the model with plain tensors";
const QUANTISED = "quantised models are not imported; import the floating-point one and quantise it afterwards";
const NO_RULE =
  "it has no shape and derivative rule here; rewrite it in simpler operators or define it with defineOperator";

export const refusals: Readonly<Record<string, string | undefined>> = {
  If: CONTROL,
  Loop: CONTROL,
  Scan: CONTROL,
  SequenceMap: CONTROL,
  NonZero: DATA_SIZES,
  Unique: DATA_SIZES,
  Compress: DATA_SIZES,
  NonMaxSuppression: DATA_SIZES,
  SequenceConstruct: SEQUENCES,
  SequenceEmpty: SEQUENCES,
  SequenceAt: SEQUENCES,
  SequenceInsert: SEQUENCES,
  SplitToSequence: SEQUENCES,
  ConcatFromSequence: SEQUENCES,
  Optional: SEQUENCES,
  OptionalGetElement: SEQUENCES,
  QuantizeLinear: QUANTISED,
  DequantizeLinear: QUANTISED,
  DynamicQuantizeLinear: QUANTISED,
  QLinearConv: QUANTISED,
  QLinearMatMul: QUANTISED,
  MatMulInteger: QUANTISED,
  ConvInteger: QUANTISED,
  AffineGrid: NO_RULE,
  RoiAlign: NO_RULE,
  MaxRoiPool: NO_RULE,
  MaxUnpool: NO_RULE,
  DeformConv: NO_RULE,
  Col2Im: NO_RULE,
  Det: NO_RULE,
  LRN: NO_RULE,
  STFT: NO_RULE,
  RandomNormal: "random numbers inside a graph are not supported; feed them as an input",
  RandomNormalLike: "random numbers inside a graph are not supported; feed them as an input",
  RandomUniform: "random numbers inside a graph are not supported; feed them as an input",
  RandomUniformLike: "random numbers inside a graph are not supported; feed them as an input",
  Bernoulli: "random numbers inside a graph are not supported; feed them as an input",
  Multinomial: "random numbers inside a graph are not supported; feed them as an input",
};
