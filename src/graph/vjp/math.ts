/** Derivatives of products, convolutions, pooling, normalisation, reductions and recurrent layers. */
import { sizeOf } from "../../tensor/ndarray.js";
import type { Tensor } from "../graph.js";
import { axisOf, floatAttribute, intAttribute, need } from "../infer/infer.js";
import { einsumTerms, type mathOps, reducedAxes } from "../infer/math.js";
import {
  abs,
  add,
  asMatrix,
  cast,
  div,
  einsum,
  emit,
  equal,
  exp,
  expand,
  gemm,
  matmul,
  mul,
  neg,
  reduceMean,
  reciprocal,
  reduceSum,
  reshape,
  sign,
  sqrt,
  square,
  sub,
  unsqueeze,
  where,
  zerosLike,
} from "../ops.js";
import { convTransposeVjp, convVjp } from "./conv.js";
import { averagePoolVjp, maxPoolVjp } from "./pool.js";
import { lastTwoSwapped, noGradient, countOver, spread, unbroadcast, type VjpContext, type VjpRule } from "./vjp.js";

/** A derivative that only follows the elements with the reduction's extreme value, shared where several have it. */
const extreme: VjpRule = (c) => {
  const x = need(c, 0);
  const axes = reducedAxes(c);
  const hit = cast(equal(x, spread(c.outputs[0], x.shape, axes)), x.dtype);
  const count = reduceSum(hit, { axes, keepDims: true });
  return [mul(hit, div(spread(c.dy, x.shape, axes), count))];
};

/** dx of a reduction from dy and y spread over the input, given f. */
const reduced =
  (f: (dy: Tensor, x: Tensor, y: Tensor, c: VjpContext) => Tensor): VjpRule =>
  (c) => {
    const x = need(c, 0);
    const axes = reducedAxes(c);
    return [f(spread(c.dy, x.shape, axes), x, spread(c.outputs[0], x.shape, axes), c)];
  };

/** A rule that writes the operator in simpler ones and differentiates those. */
const byDecomposition =
  (f: (c: VjpContext) => Tensor): VjpRule =>
  (c) =>
    c.pullback([f(c)], [c.dy], c.inputs);

/** (x - mean) / sqrt(variance + epsilon) over `axes`, the population variance. */
function standardise(x: Tensor, axes: readonly number[], epsilon: number): Tensor {
  const centred = sub(x, reduceMean(x, { axes, keepDims: true }));
  return div(centred, sqrt(add(reduceMean(square(centred), { axes, keepDims: true }), epsilon)));
}

/** A constant of ones, such as the scale of a normalisation without one. */
const isOnes = ({ value }: Tensor): boolean =>
  value !== undefined && (value.data as Float32Array).every((v) => v === 1);

const spatialAxes = (x: Tensor): number[] => x.shape.map((_, i) => i).slice(2);
/** A vector over channels, shaped to broadcast over [N, C, ...]. */
const perChannel = (v: Tensor, x: Tensor): Tensor => reshape(v, [v.shape[0], ...spatialAxes(x).map(() => 1)]);

export const mathVjp = {
  // Y = A B: dA = dY B^T, dB = A^T dY, summed over broadcast axes. A matrix B shared by a stack is one product.
  MatMul: (c) => {
    const [a, b] = [need(c, 0), need(c, 1)];
    const left = a.shape.length === 1 ? unsqueeze(a, [0]) : a;
    const right = b.shape.length === 1 ? unsqueeze(b, [1]) : b;
    let dy = c.dy;
    if (a.shape.length === 1) dy = unsqueeze(dy, [dy.shape.length - (b.shape.length === 1 ? 0 : 1)]);
    if (b.shape.length === 1) dy = unsqueeze(dy, [dy.shape.length]);
    if (right.shape.length === 2) {
      const flatDy = asMatrix(dy);
      return [
        c.wanted[0] ? reshape(gemm(flatDy, right, undefined, { transB: true }), a.shape) : undefined,
        c.wanted[1] ? reshape(gemm(asMatrix(left), flatDy, undefined, { transA: true }), b.shape) : undefined,
      ];
    }
    return [
      c.wanted[0] ? reshape(unbroadcast(matmul(dy, lastTwoSwapped(right)), left.shape), a.shape) : undefined,
      c.wanted[1] ? reshape(unbroadcast(matmul(lastTwoSwapped(left), dy), right.shape), b.shape) : undefined,
    ];
  },
  // Y = alpha A' B' + beta C, where ' transposes or not
  Gemm: (c) => {
    const [a, b] = [need(c, 0), need(c, 1)];
    const transA = intAttribute(c, "transA", 0) !== 0;
    const transB = intAttribute(c, "transB", 0) !== 0;
    const alpha = floatAttribute(c, "alpha", 1);
    const beta = floatAttribute(c, "beta", 1);
    const dy = alpha === 1 ? c.dy : mul(c.dy, alpha);
    const bias = c.inputs[2];
    return [
      c.wanted[0]
        ? transA
          ? gemm(b, dy, undefined, { transA: transB, transB: true })
          : gemm(dy, b, undefined, { transB: !transB })
        : undefined,
      c.wanted[1]
        ? transB
          ? gemm(dy, a, undefined, { transA: true, transB: transA })
          : gemm(a, dy, undefined, { transA: !transA })
        : undefined,
      bias && c.wanted[2] ? unbroadcast(beta === 1 ? c.dy : mul(c.dy, beta), bias.shape) : undefined,
    ];
  },
  // Each term's gradient is the Einsum of dy with the other terms; letters only that term had are spread afterwards
  Einsum: (c) => {
    const { terms, output } = einsumTerms(c);
    return terms.map((term, i) => {
      if (!c.wanted[i]) return undefined;
      if (new Set(term).size !== term.length) return c.unsupported(`of '${term}', which repeats a letter`)[0];
      const others = terms.flatMap((t, k) => (k === i ? [] : [{ letters: t, tensor: need(c, k) }]));
      const available = new Set([output, ...others.map((o) => o.letters)].join(""));
      const present = [...term].filter((l) => available.has(l)).join("");
      const partial = einsum(
        `${[output, ...others.map((o) => o.letters)].join()}->${present}`,
        c.dy,
        ...others.map((o) => o.tensor),
      );
      const kept = [...term].map((l, axis) => (available.has(l) ? need(c, i).shape[axis] : 1));
      return expand(reshape(partial, kept), need(c, i).shape);
    });
  },
  Conv: convVjp,
  ConvTranspose: convTransposeVjp,
  MaxPool: maxPoolVjp,
  AveragePool: averagePoolVjp,
  GlobalAveragePool: (c) => {
    const x = need(c, 0);
    return [expand(mul(c.dy, 1 / sizeOf(x.shape.slice(2))), x.shape)];
  },
  GlobalMaxPool: (c) => {
    const x = need(c, 0);
    const hit = cast(equal(x, c.outputs[0]), x.dtype);
    return [mul(hit, div(c.dy, reduceSum(hit, { axes: spatialAxes(x), keepDims: true })))];
  },
  // h = (x - mean) r, y = h g + b:  dx = r (dh - mean(dh) - h mean(dh h)), dh = dy g.
  // Where the mean and r are used too (second derivatives): d mean = dx / n, d r = -r^2 h dx / n
  LayerNormalization: (c) => {
    const [x, scale] = [need(c, 0), need(c, 1)];
    const first = axisOf(c.op, intAttribute(c, "axis", -1), x.shape.length);
    const axes = x.shape.map((_, i) => i).slice(first);
    const n = countOver(x.shape, axes);
    const kept = c.outputs[2] !== undefined && x.dtype === "float32"; // the forward pass gave them
    const mean = kept ? c.outputs[1] : reduceMean(x, { axes, keepDims: true });
    const centred = sub(x, mean);
    const epsilon = floatAttribute(c, "epsilon", 1e-5);
    const inverse = kept
      ? c.outputs[2]
      : reciprocal(sqrt(add(reduceMean(square(centred), { axes, keepDims: true }), epsilon)));
    const h = mul(centred, inverse);
    const dh = isOnes(scale) ? c.dy : mul(c.dy, scale);
    const [, dMean, dInverse] = c.gradients;
    let dx = mul(
      inverse,
      sub(sub(dh, reduceMean(dh, { axes, keepDims: true })), mul(h, reduceMean(mul(dh, h), { axes, keepDims: true }))),
    );
    if (dMean) dx = add(dx, mul(dMean, 1 / n));
    if (dInverse) dx = sub(dx, mul(h, mul(mul(dInverse, square(inverse)), 1 / n)));
    return [
      dx,
      c.wanted[1] ? unbroadcast(mul(c.dy, h), scale.shape) : undefined,
      c.inputs[2] && c.wanted[2] ? unbroadcast(c.dy, c.inputs[2].shape) : undefined,
    ];
  },
  InstanceNormalization: byDecomposition((c) => {
    const x = need(c, 0);
    const h = standardise(x, spatialAxes(x), floatAttribute(c, "epsilon", 1e-5));
    return add(mul(h, perChannel(need(c, 1), x)), perChannel(need(c, 2), x));
  }),
  // GroupNormalization-21: scale and bias per channel
  GroupNormalization: byDecomposition((c) => {
    const x = need(c, 0);
    const groups = intAttribute(c, "num_groups", 1);
    const grouped = reshape(x, [x.shape[0], groups, sizeOf(x.shape) / (x.shape[0] * groups)]);
    const h = reshape(standardise(grouped, [2], floatAttribute(c, "epsilon", 1e-5)), x.shape);
    return add(mul(h, perChannel(need(c, 1), x)), perChannel(need(c, 2), x));
  }),
  // y = (x - mean) / sqrt(variance + epsilon) scale + bias with the running statistics
  BatchNormalization: byDecomposition((c) => {
    const x = need(c, 0);
    const [scale, bias, mean, variance] = [1, 2, 3, 4].map((i) => perChannel(need(c, i), x));
    return add(mul(div(sub(x, mean), sqrt(add(variance, floatAttribute(c, "epsilon", 1e-5)))), scale), bias);
  }),
  LpNormalization: byDecomposition((c) => {
    const x = need(c, 0);
    const axes = [axisOf(c.op, intAttribute(c, "axis", -1), x.shape.length)];
    const norm =
      intAttribute(c, "p", 2) === 1
        ? reduceSum(abs(x), { axes, keepDims: true })
        : sqrt(reduceSum(square(x), { axes, keepDims: true }));
    return div(x, norm);
  }),
  MeanVarianceNormalization: byDecomposition((c) => {
    const axes = (c.attributes["axes"] as number[] | undefined) ?? [0, 2, 3];
    return standardise(need(c, 0), axes, 1e-9);
  }),
  // dx = (dy - sum(dy y)) y
  Softmax: (c) => {
    const y = c.outputs[0];
    const axes = [axisOf(c.op, intAttribute(c, "axis", -1), y.shape.length)];
    return [mul(sub(c.dy, reduceSum(mul(c.dy, y), { axes, keepDims: true })), y)];
  },
  // dx = dy - e^y sum(dy)
  LogSoftmax: (c) => {
    const y = c.outputs[0];
    const axes = [axisOf(c.op, intAttribute(c, "axis", -1), y.shape.length)];
    return [sub(c.dy, mul(exp(y), reduceSum(c.dy, { axes, keepDims: true })))];
  },
  Hardmax: noGradient,
  ReduceSum: reduced((dy) => dy),
  ReduceMean: (c) => {
    const x = need(c, 0);
    const axes = reducedAxes(c);
    return [spread(mul(c.dy, 1 / countOver(x.shape, axes)), x.shape, axes)];
  },
  ReduceMax: extreme,
  ReduceMin: extreme,
  // d prod = prod / x; inputs that hold a zero have no such form
  ReduceProd: reduced((dy, x, y) => mul(dy, div(y, x))),
  ReduceL1: reduced((dy, x) => mul(dy, sign(x))),
  // x / |x|, and 0 at the origin
  ReduceL2: reduced((dy, x, y) => mul(dy, div(x, where(equal(y, 0), 1, y)))),
  // y = ln sum x: dx = dy e^-y
  ReduceLogSum: reduced((dy, _x, y) => mul(dy, exp(neg(y)))),
  ReduceLogSumExp: reduced((dy, x, y) => mul(dy, exp(sub(x, y)))),
  ReduceSumSquare: reduced((dy, x) => mul(mul(dy, x), 2)),
  ArgMax: noGradient,
  ArgMin: noGradient,
  TopK: (c) => {
    const x = need(c, 0);
    const axis = axisOf(c.op, intAttribute(c, "axis", -1), x.shape.length);
    return [emit("ScatterElements", [zerosLike(x), c.outputs[1], c.dy], { axis })[0]];
  },
} satisfies Record<keyof typeof mathOps, VjpRule>;
