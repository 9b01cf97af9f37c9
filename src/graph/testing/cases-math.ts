/** A case or more for every product, convolution, pooling, normalisation, reduction and recurrent operator. */
import type { Tensor } from "../graph.js";
import type { mathOps } from "../infer/math.js";
import { add, cast, emit, float, ints, mul } from "../ops.js";
import type { OpCase } from "./check.js";
import type { Draw, Values } from "./draw.js";

const single = { dtype: "float32" } as const;

/** Over random axes, with and without kept ones. */
const reduction = (op: string, values: Values = "normal", options: Partial<OpCase> = {}): OpCase[] => [
  {
    write: (d) => {
      const x = d.x(d.shape(1, 4), values);
      const rank = x.shape.length;
      const axes = d.pick([
        undefined,
        [d.int(-rank, rank - 1)],
        Array.from({ length: rank }, (_, i) => i).filter((i) => i % 2 === 0),
      ]);
      return emit(op, axes ? [x, ints(d.graph, axes)] : [x], { keepdims: d.int(0, 1) });
    },
    ...options,
  },
];
const alongAxis = (op: string, options: Partial<OpCase> = {}, values: Values = "normal"): OpCase[] => [
  {
    write: (d) => {
      const x = d.x(d.shape(1, 4), values);
      return emit(op, [x], { axis: d.int(-x.shape.length, x.shape.length - 1) });
    },
    ...options,
  },
];
const flat = (op: string, attributes = {}): OpCase[] => [
  {
    write: (d) => {
      const x = d.x(d.shape(1, 3), "distinct");
      return add(
        cast(emit(op, [x], { axis: d.int(0, x.shape.length - 1), keepdims: 1, ...attributes })[0], d.dtype),
        x,
      );
    },
  },
];

/** Kernel, stride, padding and dilation for one or two spatial axes, and an image that the window fits. */
function geometry(d: Draw): {
  spatial: number[];
  kernel: number[];
  strides: number[];
  dilations: number[];
  pads: number[];
} {
  const rank = d.int(1, 2);
  const each = (from: number, to: number) => Array.from({ length: rank }, () => d.int(from, to));
  const kernel = each(1, 3);
  const dilations = each(1, 2);
  const spatial = kernel.map((k, i) => (k - 1) * dilations[i] + d.int(1, 5));
  const pads = [...kernel, ...kernel].map((k) => d.int(0, k - 1));
  return { spatial, kernel, strides: each(1, 3), dilations, pads };
}

function conv(d: Draw, options: { group: number }): Tensor[] {
  const { spatial, kernel, strides, dilations, pads } = geometry(d);
  const { group } = options;
  const [n, c, m] = [d.int(1, 2), group * d.int(1, 2), group * d.int(1, 3)];
  const bias = d.int(0, 1) ? d.x([m]) : undefined;
  return emit("Conv", [d.x([n, c, ...spatial]), d.x([m, c / group, ...kernel]), bias], {
    strides,
    dilations,
    pads,
    group,
  });
}

function transposed(d: Draw, options: { group: number }): Tensor[] {
  const { spatial, kernel, strides, dilations, pads } = geometry(d);
  const { group } = options;
  const [n, c, m] = [d.int(1, 2), group * d.int(1, 2), d.int(1, 3)];
  const bias = d.int(0, 1) ? d.x([m * group]) : undefined;
  const output_padding = strides.map((s) => d.int(0, s - 1));
  return emit("ConvTranspose", [d.x([n, c, ...spatial]), d.x([c, m, ...kernel]), bias], {
    strides,
    dilations,
    pads,
    group,
    output_padding,
  });
}

const pooling = (op: string, d: Draw, attributes: Record<string, number>): Tensor[] => {
  const { spatial, kernel, strides, dilations, pads } = geometry(d);
  const x = d.x([d.int(1, 2), d.int(1, 2), ...spatial], "distinct");
  return emit(op, [x], { kernel_shape: kernel, strides, dilations, pads, ...attributes });
};

const einsum = (equation: string, ...shapes: number[][]): OpCase => ({
  name: equation,
  write: (d) =>
    emit(
      "Einsum",
      shapes.map((s) => d.x(s)),
      { equation },
    ),
});

const norm = (
  op: string,
  attributes: (d: Draw) => Record<string, number | { float: number }>,
  channels = 4,
): OpCase[] => [
  {
    ...single,
    write: (d) =>
      emit(op, [d.x([2, channels, ...d.shape(1, 2, 3), 3]), d.x([channels]), d.x([channels])], attributes(d)),
  },
];

export const mathCases: Readonly<Record<keyof typeof mathOps, readonly OpCase[]>> = {
  MatMul: [
    { name: "matrices", write: (d) => emit("MatMul", [d.x([d.int(1, 4), 3]), d.x([3, d.int(1, 4)])]) },
    {
      name: "vectors",
      write: (d) => {
        const [a, b] = d.pick([
          [[3], [3]],
          [[3], [3, 2]],
          [[4, 3], [3]],
          [[2, 4, 3], [3]],
          [[3], [2, 3, 4]],
        ]);
        return emit("MatMul", [d.x(a), d.x(b)]);
      },
    },
    {
      name: "stacks",
      write: (d) => {
        const [a, b] = d.pick([
          [
            [2, 4, 3],
            [2, 3, 2],
          ],
          [
            [2, 4, 3],
            [3, 2],
          ],
          [
            [4, 3],
            [2, 3, 2],
          ],
          [
            [2, 1, 4, 3],
            [5, 3, 2],
          ],
          [
            [1, 4, 3],
            [2, 3, 2],
          ],
        ]);
        return emit("MatMul", [d.x(a), d.x(b)]);
      },
    },
  ],
  Gemm: [
    {
      write: (d) => {
        const [m, k, n] = [d.int(1, 4), d.int(1, 4), d.int(1, 4)];
        const [transA, transB] = [d.int(0, 1), d.int(0, 1)];
        const c = d.pick([undefined, [n], [1, n], [m, 1], [m, n], [1], []]);
        return emit("Gemm", [d.x(transA ? [k, m] : [m, k]), d.x(transB ? [n, k] : [k, n]), c && d.x(c)], {
          transA,
          transB,
          alpha: float(d.pick([1, 0.7])),
          beta: float(d.pick([1, -1.5])),
        });
      },
    },
  ],
  Einsum: [
    einsum("ij,jk->ik", [2, 3], [3, 4]),
    einsum("bij,bjk->bik", [2, 3, 2], [2, 2, 4]),
    einsum("bhqd,bhkd->bhqk", [2, 2, 3, 2], [2, 2, 4, 2]),
    einsum("i,j->ij", [3], [2]),
    einsum("ij->ji", [2, 3]),
    einsum("ij->i", [2, 3]),
    einsum("ij,ij->", [2, 3], [2, 3]),
    einsum("ij,kj", [2, 3], [4, 3]),
    einsum("ab,bc,cd->ad", [2, 3], [3, 2], [2, 2]),
    einsum("bi,oi->bo", [3, 2], [4, 2]),
  ],
  Conv: [
    { name: "one group", ...single, write: (d) => conv(d, { group: 1 }) },
    { name: "groups", ...single, write: (d) => conv(d, { group: 2 }) },
    {
      name: "3x3 same",
      ...single,
      write: (d) => emit("Conv", [d.x([2, 3, 5, 4]), d.x([4, 3, 3, 3]), d.x([4])], { pads: [1, 1, 1, 1] }),
    },
    { name: "pointwise", ...single, write: (d) => emit("Conv", [d.x([2, 3, 4, 4]), d.x([5, 3, 1, 1]), d.x([5])]) },
    {
      name: "patches",
      ...single,
      write: (d) => emit("Conv", [d.x([2, 3, 4, 6]), d.x([5, 3, 2, 3])], { strides: [2, 3] }),
    },
    {
      name: "depthwise",
      ...single,
      write: (d) => emit("Conv", [d.x([2, 4, 5, 5]), d.x([4, 1, 3, 3])], { group: 4, pads: [1, 1, 1, 1] }),
    },
    {
      name: "auto_pad",
      ...single,
      write: (d) =>
        emit("Conv", [d.x([1, 2, 5, 6]), d.x([3, 2, 3, 2])], {
          auto_pad: d.pick(["SAME_UPPER", "SAME_LOWER", "VALID"]),
          strides: [d.int(1, 2), 2],
        }),
    },
    {
      name: "3x3 of many channels",
      ...single,
      write: (d) => {
        const pads = [d.int(0, 2), d.int(0, 2), d.int(0, 2), d.int(0, 2)];
        return emit("Conv", [d.x([d.int(1, 2), 36, d.int(15, 18), d.int(15, 18)]), d.x([48, 36, 3, 3])], { pads });
      },
    },
    {
      name: "3-D",
      ...single,
      write: (d) => emit("Conv", [d.x([1, 2, 3, 4, 3]), d.x([2, 2, 2, 3, 1])], { pads: [0, 1, 0, 1, 1, 0] }),
    },
  ],
  ConvTranspose: [
    { name: "one group", ...single, write: (d) => transposed(d, { group: 1 }) },
    { name: "groups", ...single, write: (d) => transposed(d, { group: 2 }) },
    {
      name: "patches",
      ...single,
      write: (d) => emit("ConvTranspose", [d.x([2, 3, 3, 2]), d.x([3, 2, 2, 2]), d.x([2])], { strides: [2, 2] }),
    },
  ],
  MaxPool: [
    { name: "with ceil_mode", ...single, write: (d) => pooling("MaxPool", d, { ceil_mode: 1 }) },
    { name: "", ...single, write: (d) => pooling("MaxPool", d, {}) },
  ],
  AveragePool: [
    { name: "", ...single, write: (d) => pooling("AveragePool", d, { count_include_pad: d.int(0, 1) }) },
    {
      name: "with ceil_mode",
      ...single,
      write: (d) => pooling("AveragePool", d, { ceil_mode: 1, count_include_pad: d.int(0, 1) }),
    },
    {
      name: "blocks",
      ...single,
      write: (d) => emit("AveragePool", [d.x([2, 3, 4, 6])], { kernel_shape: [2, 3], strides: [2, 3] }),
    },
  ],
  GlobalAveragePool: [{ ...single, write: (d) => emit("GlobalAveragePool", [d.x([2, 3, ...d.shape(1, 2)])]) }],
  GlobalMaxPool: [{ ...single, write: (d) => emit("GlobalMaxPool", [d.x([2, 3, ...d.shape(1, 2)], "distinct")]) }],
  LayerNormalization: [
    {
      name: "with statistics",
      write: (d) => {
        const shape = [...d.shape(1, 2), 3, 4];
        const axis = d.pick([-1, -2]);
        return emit(
          "LayerNormalization",
          [d.x(shape), d.x(shape.slice(axis)), d.pick([undefined, d.x(shape.slice(axis))])],
          { axis, epsilon: float(1e-3) },
          { outputs: 3 },
        )[0];
      },
    },
    {
      name: "alone",
      write: (d) => emit("LayerNormalization", [d.x([2, 3, 4]), d.x([4]), d.x([4])], { epsilon: float(1e-3) }),
    },
  ],
  InstanceNormalization: norm("InstanceNormalization", () => ({ epsilon: float(1e-2) })),
  GroupNormalization: norm("GroupNormalization", (d) => ({ num_groups: d.pick([1, 2, 4]), epsilon: float(1e-2) })),
  BatchNormalization: [
    {
      write: (d) =>
        emit("BatchNormalization", [d.x([2, 3, 4]), d.x([3]), d.x([3]), d.x([3]), d.x([3], "positive")], {
          epsilon: float(1e-3),
        }),
    },
  ],
  LpNormalization: [
    ...alongAxis("LpNormalization", { name: "p 2" }, "away"),
    { name: "p 1", write: (d) => emit("LpNormalization", [d.x([3, 4], "away")], { axis: d.int(-2, 1), p: 1 }) },
  ],
  MeanVarianceNormalization: [
    {
      ...single,
      tolerance: 3,
      write: (d) => emit("MeanVarianceNormalization", [d.x([2, 3, 2, 3])], d.pick([{}, { axes: [1, 3] }])),
    },
  ],
  Softmax: alongAxis("Softmax"),
  LogSoftmax: alongAxis("LogSoftmax"),
  Hardmax: [
    { ...single, write: (d) => add(emit("Hardmax", [d.x([3, 4], "distinct")], { axis: d.int(0, 1) })[0], d.x([3, 4])) },
  ],
  ReduceSum: reduction("ReduceSum"),
  ReduceMean: reduction("ReduceMean"),
  ReduceMax: reduction("ReduceMax", "distinct"),
  ReduceMin: reduction("ReduceMin", "distinct"),
  // A product of two dozen numbers bends faster than the other cases
  ReduceProd: reduction("ReduceProd", "away", { ...single, tolerance: 4 }),
  ReduceL1: reduction("ReduceL1", "away", single),
  ReduceL2: reduction("ReduceL2", "away", single),
  ReduceLogSum: reduction("ReduceLogSum", "positive", single),
  ReduceLogSumExp: reduction("ReduceLogSumExp"),
  ReduceSumSquare: reduction("ReduceSumSquare"),
  ArgMax: flat("ArgMax"),
  ArgMin: flat("ArgMin"),
  TopK: [
    {
      write: (d) => {
        const axis = d.int(-2, 1);
        return emit(
          "TopK",
          [mul(d.x([3, 4], "distinct"), d.number(1)), ints(d.graph, [2])],
          { axis, largest: d.int(0, 1) },
          { outputs: 2 },
        )[0];
      },
    },
  ],
};
