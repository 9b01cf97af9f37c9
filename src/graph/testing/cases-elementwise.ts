/** A case or more for every elementwise operator: random shapes, broadcasts and attributes. */
import type { elementwise } from "../infer/elementwise.js";
import { add, cast, emit, float } from "../ops.js";
import type { OpCase } from "./check.js";
import type { Draw, Values } from "./draw.js";

const unary = (op: string, values: Values = "normal", options: Partial<OpCase> = {}): OpCase[] => [
  { write: (d) => emit(op, [d.x(d.shape(0, 4), values)]), ...options },
];
const binary = (op: string, left: Values = "normal", right: Values = left, options: Partial<OpCase> = {}): OpCase[] => [
  {
    write: (d) => {
      const [a, b] = d.broadcast();
      return emit(op, [d.x(a, left), d.x(b, right)]);
    },
    ...options,
  },
];
const variadic = (op: string, values: Values = "normal", options: Partial<OpCase> = {}): OpCase[] => [
  {
    write: (d) =>
      emit(
        op,
        d.broadcast(d.int(1, 3)).map((shape) => d.x(shape, values)),
      ),
    ...options,
  },
];
/** A result without derivative, added to an input so that the graph has one: its share must be nothing. */
const flat = (write: (d: Draw) => ReturnType<typeof emit>, options: Partial<OpCase> = {}): OpCase[] => [
  {
    write: (d) => {
      const [result] = write(d);
      return add(cast(result, d.dtype), d.x(result.shape));
    },
    ...options,
  },
];
const comparison = (op: string) =>
  flat((d) => {
    const [a, b] = d.broadcast();
    return emit(op, [d.x(a), d.x(b)]);
  });
const logical = (op: string) =>
  flat((d) => {
    const [a, b] = d.broadcast();
    return emit(op, [emit("Greater", [d.x(a), d.number(0)])[0], emit("Greater", [d.x(b), d.number(0)])[0]]);
  });
const withAlpha = (op: string, alpha: number, values: Values = "away", options: Partial<OpCase> = {}): OpCase[] => [
  { write: (d) => emit(op, [d.x(d.shape(0, 3), values)], { alpha: float(alpha) }), ...options },
  { name: "default", write: (d) => emit(op, [d.x(d.shape(0, 3), values)]), ...options },
];
/** Higher derivatives grow fast towards the poles at 1, and with them the error of a finite difference. */
const steep = { dtype: "float32", tolerance: 4 } as const;
const single = { dtype: "float32" } as const;

export const elementwiseCases: Readonly<Record<keyof typeof elementwise, readonly OpCase[]>> = {
  Add: binary("Add"),
  Sub: binary("Sub"),
  Mul: binary("Mul"),
  Div: binary("Div", "normal", "away"),
  Pow: [
    ...binary("Pow", "positive", "normal"),
    {
      name: "constant exponent",
      write: (d) => emit("Pow", [d.x(d.shape(0, 3), "away"), d.number(d.pick([0, 1, 2, 3]))]),
    },
    {
      name: "integer exponents",
      write: (d) => emit("Pow", [d.x([3, 4], "away"), d.fixed("int64", [4], [0, 1, 2, 3])]),
    },
    {
      name: "base 0",
      second: "is unbounded where the base is 0 and the exponent below 2",
      write: (d) => emit("Pow", [emit("Mul", [d.x([4]), d.number(0)])[0], d.x([2, 4], "aboveOne")]),
    },
  ],
  Mod: [
    { write: (d) => emit("Mod", [d.x(d.shape(0, 3), "aboveOne"), d.number(d.pick([-0.7, 1.2, 5]))], { fmod: 1 }) },
    // a in 1.3..3, b in 0.5..0.62: kinks of a - b trunc(a / b) lie within reach, so both are scaled off them
    {
      name: "by the divisor",
      write: (d) =>
        emit("Mod", [d.fixed(d.dtype, [3], [7.3, -7.3, 2.2]), emit("Add", [d.x([2, 3], "unit"), d.number(40)])[0]], {
          fmod: 1,
        }),
    },
  ],
  PRelu: [
    {
      ...single,
      write: (d) => {
        const shape = d.shape(1, 4);
        const slope = shape.slice(d.int(0, shape.length - 1)).map((n) => d.pick([1, n]));
        return emit("PRelu", [d.x(shape, "away"), d.x(slope)]);
      },
    },
  ],
  Max: [
    ...variadic("Max"),
    { name: "ties", second: "has a kink where arguments are equal", write: (d) => tied("Max", d) },
  ],
  Min: [
    ...variadic("Min"),
    { name: "ties", second: "has a kink where arguments are equal", write: (d) => tied("Min", d) },
  ],
  Sum: variadic("Sum"),
  Mean: variadic("Mean", "normal", single),
  Equal: comparison("Equal"),
  Greater: comparison("Greater"),
  GreaterOrEqual: comparison("GreaterOrEqual"),
  Less: comparison("Less"),
  LessOrEqual: comparison("LessOrEqual"),
  And: logical("And"),
  Or: logical("Or"),
  Xor: logical("Xor"),
  Not: flat((d) => emit("Not", [emit("Greater", [d.x(d.shape(0, 3)), d.number(0)])[0]])),
  IsNaN: flat((d) => emit("IsNaN", [d.x(d.shape(0, 3))])),
  IsInf: flat((d) => emit("IsInf", [d.x(d.shape(0, 3))])),
  Where: [
    {
      write: (d) => {
        const [c, a, b] = d.broadcast(3);
        const bits = Array.from({ length: c.reduce((p, n) => p * n, 1) }, () => d.int(0, 1));
        return emit("Where", [d.fixed("bool", c, bits), d.x(a), d.x(b)]);
      },
    },
  ],
  Cast: [
    {
      name: "to float32 and back",
      dtype: "float32",
      write: (d) => emit("Cast", [emit("Cast", [d.x(d.shape(0, 3))], { to: "float64" })[0]], { to: "float32" }),
    },
    {
      name: "to an integer",
      write: (d) => {
        const x = d.x([5], "distinct");
        return add(cast(cast(emit("Mul", [x, d.number(10)])[0], "int64"), d.dtype), x);
      },
    },
  ],
  Dropout: [
    { name: "in evaluation", write: (d) => emit("Dropout", [d.x(d.shape(0, 3))]) },
    {
      name: "in training, nothing dropped",
      write: (d) =>
        emit(
          "Dropout",
          [d.x(d.shape(1, 3)), d.fixed("float32", [], [0]), d.fixed("bool", [], [1])],
          {},
          { outputs: 2 },
        )[0],
    },
  ],
  Neg: unary("Neg"),
  Abs: unary("Abs", "away"),
  Sign: unary("Sign", "away"),
  Exp: unary("Exp"),
  Log: unary("Log", "positive"),
  Sqrt: unary("Sqrt", "positive"),
  Reciprocal: unary("Reciprocal", "away"),
  Sin: unary("Sin"),
  Cos: unary("Cos"),
  Tan: unary("Tan", "unit", single),
  Asin: unary("Asin", "unit", steep),
  Acos: unary("Acos", "unit", steep),
  Atan: unary("Atan", "normal", single),
  Sinh: unary("Sinh", "normal", single),
  Cosh: unary("Cosh", "normal", single),
  Tanh: unary("Tanh"),
  Asinh: unary("Asinh", "normal", single),
  Acosh: unary("Acosh", "aboveOne", single),
  Atanh: unary("Atanh", "unit", steep),
  Sigmoid: unary("Sigmoid"),
  Relu: unary("Relu", "away"),
  LeakyRelu: withAlpha("LeakyRelu", 0.2, "away", single),
  ThresholdedRelu: [
    { ...single, write: (d) => emit("ThresholdedRelu", [d.x(d.shape(0, 3), "away")], { alpha: float(0.2) }) },
    { name: "default", ...single, write: (d) => emit("ThresholdedRelu", [d.x([7], d.pick(["aboveOne", "unit"]))]) },
  ],
  Elu: withAlpha("Elu", 1.5, "away", single),
  Selu: [
    ...unary("Selu", "away", single),
    {
      name: "own constants",
      ...single,
      write: (d) => emit("Selu", [d.x([7], "away")], { alpha: float(1.3), gamma: float(0.8) }),
    },
  ],
  Celu: withAlpha("Celu", 1.5, "away", single),
  Softplus: unary("Softplus", "normal", single),
  Softsign: unary("Softsign", "away", single),
  HardSigmoid: [
    ...unary("HardSigmoid", "unit", single),
    {
      name: "own constants",
      ...single,
      write: (d) => emit("HardSigmoid", [d.x([9], "unit")], { alpha: float(0.35), beta: float(0.45) }),
    },
    {
      name: "at its ends",
      ...single,
      write: (d) => emit("HardSigmoid", [d.x([9], "away")], { alpha: float(2.5), beta: float(0.5) }),
    },
  ],
  HardSwish: unary("HardSwish", "away", single),
  Mish: unary("Mish", "normal", single),
  Gelu: [
    ...unary("Gelu", "normal", single),
    { name: "tanh", ...single, write: (d) => emit("Gelu", [d.x(d.shape(1, 3))], { approximate: "tanh" }) },
  ],
  Erf: unary("Erf", "normal", single),
  Floor: flat((d) => emit("Floor", [d.x(d.shape(0, 3), "distinct")])),
  Ceil: flat((d) => emit("Ceil", [d.x(d.shape(0, 3), "distinct")])),
  Round: flat((d) => emit("Round", [d.x(d.shape(0, 3), "positive")]), { name: "away from halves" }).map((c) => ({
    ...c,
    write: (d: Draw) => {
      const x = d.x(d.shape(0, 3), "unit"); // 0.25 x stays within 0.2 of 0 or 3
      const [y] = emit("Round", [add(emit("Mul", [x, d.number(0.25)])[0], d.pick([0, 3]))]);
      return add(y, x);
    },
  })),
  Identity: unary("Identity"),
  Clip: [
    { name: "between", write: (d) => emit("Clip", [d.x(d.shape(0, 3), "away"), d.number(-0.2), d.number(0.25)]) },
    { name: "one side", write: (d) => emit("Clip", [d.x(d.shape(0, 3), "away"), undefined, d.number(0.2)]) },
    {
      name: "of bounds",
      write: (d) =>
        emit("Clip", [
          d.x(d.shape(0, 3), "distinct"),
          d.x([], "positive"),
          emit("Add", [d.x([], "positive"), d.number(2)])[0],
        ]),
    },
  ],
  CumSum: [
    {
      write: (d) => {
        const x = d.x(d.shape(1, 4));
        const rank = x.shape.length;
        return emit("CumSum", [x, d.fixed("int64", [], [d.int(-rank, rank - 1)])], {
          exclusive: d.int(0, 1),
          reverse: d.int(0, 1),
        });
      },
    },
  ],
  Trilu: [
    {
      write: (d) => {
        const x = d.x(d.shape(2, 4));
        return emit("Trilu", [x, d.pick([undefined, d.fixed("int64", [], [d.int(-2, 2)])])], { upper: d.int(0, 1) });
      },
    },
  ],
};

/** Both arguments move together where they are equal, so the derivative exists along them and the rule's halves add up to it. */
function tied(op: string, d: Draw): ReturnType<typeof emit> {
  const x = d.x(d.shape(1, 3));
  return emit(op, [x, x, emit("Identity", [x])[0]]);
}
