/** Shapes of elementwise operators: broadcast, or the same as the input. */
import type { DType } from "../../tensor/ndarray.js";
import { broadcastShapes, type InferRule, need, sameAsInput, sameDtype } from "./infer.js";
import { GraphError } from "../../errors.js";

const binary: InferRule = (c) => {
  const [a, b] = [need(c, 0), need(c, 1)];
  sameDtype(c, a, b);
  return [{ dtype: a.dtype, shape: broadcastShapes(c.op, a.shape, b.shape) }];
};

const compare: InferRule = (c) => [{ dtype: "bool", shape: broadcastShapes(c.op, need(c, 0).shape, need(c, 1).shape) }];

/** Sum, Mean, Max and Min of any number of tensors. */
const variadic: InferRule = (c) => {
  const all = c.inputs.map((_, i) => need(c, i));
  all.forEach((t) => sameDtype(c, all[0], t));
  return [{ dtype: need(c, 0).dtype, shape: broadcastShapes(c.op, ...all.map((t) => t.shape)) }];
};

const test: InferRule = (c) => [{ dtype: "bool", shape: need(c, 0).shape }];

export const elementwise = {
  Add: binary,
  Sub: binary,
  Mul: binary,
  Div: binary,
  Pow: ((c) => [
    { dtype: need(c, 0).dtype, shape: broadcastShapes(c.op, need(c, 0).shape, need(c, 1).shape) },
  ]) as InferRule,
  Mod: binary,
  PRelu: binary,
  Max: variadic,
  Min: variadic,
  Sum: variadic,
  Mean: variadic,
  Equal: compare,
  Greater: compare,
  GreaterOrEqual: compare,
  Less: compare,
  LessOrEqual: compare,
  And: compare,
  Or: compare,
  Xor: compare,
  Not: test,
  IsNaN: test,
  IsInf: test,
  Where: ((c) => {
    const [condition, a, b] = [need(c, 0), need(c, 1), need(c, 2)];
    if (condition.dtype !== "bool")
      throw new GraphError(`Where: the condition '${condition.name}' is ${condition.dtype}, not bool`);
    sameDtype(c, a, b);
    return [{ dtype: a.dtype, shape: broadcastShapes(c.op, condition.shape, a.shape, b.shape) }];
  }) as InferRule,
  Cast: ((c) => {
    const to = c.attributes["to"];
    if (typeof to !== "string") throw new GraphError("Cast needs the attribute 'to', an element type");
    return [{ dtype: to as DType, shape: need(c, 0).shape }];
  }) as InferRule,
  Dropout: ((c) => [need(c, 0), { dtype: "bool", shape: need(c, 0).shape }].slice(0, c.outputCount)) as InferRule,
  Neg: sameAsInput,
  Abs: sameAsInput,
  Sign: sameAsInput,
  Exp: sameAsInput,
  Log: sameAsInput,
  Sqrt: sameAsInput,
  Reciprocal: sameAsInput,
  Sin: sameAsInput,
  Cos: sameAsInput,
  Tan: sameAsInput,
  Asin: sameAsInput,
  Acos: sameAsInput,
  Atan: sameAsInput,
  Sinh: sameAsInput,
  Cosh: sameAsInput,
  Tanh: sameAsInput,
  Asinh: sameAsInput,
  Acosh: sameAsInput,
  Atanh: sameAsInput,
  Sigmoid: sameAsInput,
  Relu: sameAsInput,
  LeakyRelu: sameAsInput,
  ThresholdedRelu: sameAsInput,
  Elu: sameAsInput,
  Selu: sameAsInput,
  Celu: sameAsInput,
  Softplus: sameAsInput,
  Softsign: sameAsInput,
  HardSigmoid: sameAsInput,
  HardSwish: sameAsInput,
  Mish: sameAsInput,
  Gelu: sameAsInput,
  Erf: sameAsInput,
  Floor: sameAsInput,
  Ceil: sameAsInput,
  Round: sameAsInput,
  Identity: sameAsInput,
  Clip: sameAsInput,
  CumSum: sameAsInput,
  Trilu: sameAsInput,
} as const;
