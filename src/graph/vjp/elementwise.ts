/** Derivatives of elementwise operators. The formula stands above or beside the line that writes it. */
import { GraphError } from "../../errors.js";
import { sizeOf } from "../../tensor/ndarray.js";
import { floatAttribute, intAttribute, need, stringAttribute } from "../infer/infer.js";
import type { elementwise } from "../infer/elementwise.js";
import type { Tensor } from "../graph.js";
import {
  abs,
  add,
  cast,
  cos,
  cosh,
  cumSum,
  div,
  emit,
  equal,
  erf,
  exp,
  greater,
  greaterOrEqual,
  less,
  lessOrEqual,
  log,
  mul,
  neg,
  pow,
  reciprocal,
  sigmoid,
  sign,
  sin,
  sinh,
  sqrt,
  square,
  sub,
  tanh,
  where,
} from "../ops.js";
import { noGradient, unbroadcast, type VjpContext, type VjpRule } from "./vjp.js";

/** A rule for one argument from its derivative as a function of x and y = f(x): dx = dy f'(x). */
const unary =
  (derivative: (x: Tensor, y: Tensor, c: VjpContext) => Tensor): VjpRule =>
  (c) => [mul(c.dy, derivative(need(c, 0), c.outputs[0], c))];

/** A rule for two broadcast arguments from each one's full-size gradient. */
const binary =
  (
    left: (c: VjpContext, a: Tensor, b: Tensor) => Tensor,
    right: (c: VjpContext, a: Tensor, b: Tensor) => Tensor,
  ): VjpRule =>
  (c) => {
    const [a, b] = [need(c, 0), need(c, 1)];
    return [
      c.wanted[0] ? unbroadcast(left(c, a, b), a.shape) : undefined,
      c.wanted[1] ? unbroadcast(right(c, a, b), b.shape) : undefined,
    ];
  };

/** 1 where the condition holds, else 0. */
const indicator = (condition: Tensor, like: Tensor): Tensor => cast(condition, like.dtype);
const select = (condition: Tensor, dy: Tensor): Tensor => where(condition, dy, 0);

/** Gradient to the arguments of Max or Min; equal arguments share it, so that the sum stays dy. */
const extremum: VjpRule = (c) => {
  const y = c.outputs[0];
  const hits = c.inputs.map((t) => indicator(equal(t!, y), y));
  const share = div(c.dy, hits.reduce(add));
  return c.inputs.map((t, i) => (c.wanted[i] ? unbroadcast(mul(share, hits[i]), t!.shape) : undefined));
};

/** Whether the variadic operator is a plain sum or a mean of its arguments. */
const linearCombination =
  (weight: (count: number) => number): VjpRule =>
  (c) => {
    const w = weight(c.inputs.length);
    const dy = w === 1 ? c.dy : mul(c.dy, w);
    return c.inputs.map((t, i) => (c.wanted[i] ? unbroadcast(dy, t!.shape) : undefined));
  };

const SQRT_2 = Math.SQRT2;
const TWO_OVER_SQRT_PI = 2 / Math.sqrt(Math.PI);

/** Phi(x) + x phi(x), with the normal distribution function and density. */
function geluDerivative(x: Tensor): Tensor {
  // HardSigmoid is one pass for (1 + erf) / 2, which never leaves [0, 1].
  const distribution = emit("HardSigmoid", [erf(mul(x, 1 / SQRT_2))], {
    alpha: { float: 0.5 },
    beta: { float: 0.5 },
  })[0];
  const density = exp(mul(square(x), -0.5));
  return add(distribution, mul(mul(x, 1 / Math.sqrt(2 * Math.PI)), density));
}

/** Of x (1 + tanh u) / 2 with u = sqrt(2/pi) (x + 0.044715 x^3). */
function geluTanhDerivative(x: Tensor): Tensor {
  const k = Math.sqrt(2 / Math.PI);
  const x2 = square(x);
  const t = tanh(mul(x, add(mul(x2, k * 0.044715), k)));
  const du = add(mul(x2, 3 * k * 0.044715), k);
  return mul(add(add(t, 1), mul(mul(x, sub(1, square(t))), du)), 0.5);
}

export const elementwiseVjp = {
  Add: binary(
    (c) => c.dy,
    (c) => c.dy,
  ),
  Sub: binary(
    (c) => c.dy,
    (c) => neg(c.dy),
  ),
  Mul: binary(
    (c, _a, b) => mul(c.dy, b),
    (c, a) => mul(c.dy, a),
  ),
  // d(a/b) = da / b - y db / b
  Div: binary(
    (c, _a, b) => div(c.dy, b),
    (c, _a, b) => neg(mul(c.dy, div(c.outputs[0], b))),
  ),
  // da^b = b a^(b-1) da + a^b ln(a) db; where b = 0 the first term is 0, where a = 0 the second: its limit for b > 0
  Pow: binary(
    (c, a, b) => {
      const exponent = b.value && sizeOf(b.shape) === 1 ? Number(b.value.data[0]) : undefined;
      if (exponent === 2) return mul(c.dy, mul(a, 2));
      const slope = mul(cast(b, a.dtype), pow(a, sub(b, 1)));
      return mul(c.dy, exponent === undefined || exponent === 0 ? where(equal(b, 0), 0, slope) : slope);
    },
    (c, a) => mul(c.dy, where(equal(a, 0), 0, mul(c.outputs[0], log(where(equal(a, 0), 1, a))))),
  ),
  // a mod b = a - b floor(a / b); fmod truncates
  Mod: binary(
    (c) => c.dy,
    (c, a, b) => {
      const quotient = div(a, b);
      const whole = intAttribute(c, "fmod", 0)
        ? mul(sign(quotient), emit("Floor", [abs(quotient)])[0])
        : emit("Floor", [quotient])[0];
      return neg(mul(c.dy, whole));
    },
  ),
  PRelu: binary(
    (c, a, b) => where(less(a, 0), mul(c.dy, b), c.dy),
    (c, a) => select(less(a, 0), mul(c.dy, a)),
  ),
  Max: extremum,
  Min: extremum,
  Sum: linearCombination(() => 1),
  Mean: linearCombination((n) => 1 / n),
  Equal: noGradient,
  Greater: noGradient,
  GreaterOrEqual: noGradient,
  Less: noGradient,
  LessOrEqual: noGradient,
  And: noGradient,
  Or: noGradient,
  Xor: noGradient,
  Not: noGradient,
  IsNaN: noGradient,
  IsInf: noGradient,
  Where: (c) => {
    const [condition, a, b] = [need(c, 0), need(c, 1), need(c, 2)];
    return [
      undefined,
      c.wanted[1] ? unbroadcast(where(condition, c.dy, 0), a.shape) : undefined,
      c.wanted[2] ? unbroadcast(where(condition, 0, c.dy), b.shape) : undefined,
    ];
  },
  Cast: (c) => [cast(c.dy, need(c, 0).dtype)],
  // The mask of the forward pass, scaled by 1 / (1 - ratio); identity outside training
  Dropout: (c) => {
    if (c.inputs[2]?.value?.data[0] !== 1) return [c.dy];
    const mask = c.outputs[1];
    if (!mask) throw new GraphError("Dropout in training needs its mask output for the derivative");
    const keep = c.inputs[1] ? sub(1, cast(c.inputs[1], c.dy.dtype)) : 0.5;
    return [mul(c.dy, div(cast(mask, c.dy.dtype), keep))];
  },
  Neg: (c) => [neg(c.dy)],
  Abs: unary((x) => sign(x)),
  Sign: noGradient,
  Floor: noGradient,
  Ceil: noGradient,
  Round: noGradient,
  Identity: (c) => [c.dy],
  Exp: unary((_x, y) => y),
  Log: (c) => [div(c.dy, need(c, 0))],
  Sqrt: (c) => [div(mul(c.dy, 0.5), c.outputs[0])],
  Reciprocal: unary((_x, y) => neg(square(y))),
  Sin: unary((x) => cos(x)),
  Cos: unary((x) => neg(sin(x))),
  Tan: unary((_x, y) => add(square(y), 1)),
  Asin: (c) => [div(c.dy, sqrt(sub(1, square(need(c, 0)))))],
  Acos: (c) => [neg(div(c.dy, sqrt(sub(1, square(need(c, 0))))))],
  Atan: (c) => [div(c.dy, add(square(need(c, 0)), 1))],
  Sinh: unary((x) => cosh(x)),
  Cosh: unary((x) => sinh(x)),
  Tanh: unary((_x, y) => sub(1, square(y))),
  Asinh: (c) => [div(c.dy, sqrt(add(square(need(c, 0)), 1)))],
  Acosh: (c) => [div(c.dy, sqrt(sub(square(need(c, 0)), 1)))],
  Atanh: (c) => [div(c.dy, sub(1, square(need(c, 0))))],
  Sigmoid: unary((_x, y) => mul(y, sub(1, y))),
  Relu: (c) => [select(greater(c.outputs[0], 0), c.dy)],
  LeakyRelu: (c) => [where(less(need(c, 0), 0), mul(c.dy, floatAttribute(c, "alpha", 0.01)), c.dy)],
  ThresholdedRelu: (c) => [select(greater(need(c, 0), floatAttribute(c, "alpha", 1)), c.dy)],
  // y = alpha (e^x - 1) for x < 0: y' = y + alpha
  Elu: unary((x, y, c) => where(less(x, 0), add(y, floatAttribute(c, "alpha", 1)), 1)),
  Selu: unary((x, y, c) => {
    const alpha = floatAttribute(c, "alpha", 1.67326319217681884765625);
    const gamma = floatAttribute(c, "gamma", 1.05070102214813232421875);
    return where(less(x, 0), add(y, gamma * alpha), gamma);
  }),
  // y = alpha (e^(x/alpha) - 1) for x < 0: y' = y / alpha + 1
  Celu: unary((x, y, c) => where(less(x, 0), add(mul(y, 1 / floatAttribute(c, "alpha", 1)), 1), 1)),
  Softplus: unary((x) => sigmoid(x)),
  Softsign: unary((x) => reciprocal(square(add(abs(x), 1)))),
  HardSigmoid: (c) => {
    const y = c.outputs[0];
    const inside = mul(indicator(greater(y, 0), y), indicator(less(y, 1), y));
    return [mul(c.dy, mul(inside, floatAttribute(c, "alpha", 0.2)))];
  },
  // x clip(x/6 + 1/2, 0, 1): 0 below -3, 1 above 3, x/3 + 1/2 between
  HardSwish: unary((x) => where(lessOrEqual(x, -3), 0, where(greaterOrEqual(x, 3), 1, add(mul(x, 1 / 3), 0.5)))),
  // y = x t, t = tanh(softplus x): y' = t + x (1 - t^2) sigmoid(x)
  Mish: unary((x) => {
    const t = tanh(emit("Softplus", [x])[0]);
    return add(t, mul(mul(x, sub(1, square(t))), sigmoid(x)));
  }),
  Gelu: unary((x, _y, c) =>
    stringAttribute(c, "approximate", "none") === "tanh" ? geluTanhDerivative(x) : geluDerivative(x),
  ),
  // 2 / sqrt(pi) exp(-x^2)
  Erf: unary((x) => mul(exp(neg(square(x))), TWO_OVER_SQRT_PI)),
  Clip: (c) => {
    const x = need(c, 0);
    const [low, high] = [c.inputs[1], c.inputs[2]];
    let inside = c.dy;
    if (low) inside = select(greaterOrEqual(x, low), inside);
    if (high) inside = select(lessOrEqual(x, high), inside);
    // A bound that the graph computes gets the gradient of the elements it stands for
    return [
      inside,
      low && c.wanted[1] ? unbroadcast(select(less(x, low), c.dy), low.shape) : undefined,
      high && c.wanted[2] ? unbroadcast(select(greater(x, high), c.dy), high.shape) : undefined,
    ];
  },
  // A running sum's gradient is the running sum from the other end
  CumSum: (c) => {
    const axis = Number(need(c, 1).value?.data[0]);
    return [
      cumSum(c.dy, axis, {
        exclusive: intAttribute(c, "exclusive", 0) !== 0,
        reverse: intAttribute(c, "reverse", 0) === 0,
      }),
    ];
  },
  Trilu: (c) => [emit("Trilu", [c.dy, c.inputs[1]], c.attributes)[0]],
} satisfies Record<keyof typeof elementwise, VjpRule>;
