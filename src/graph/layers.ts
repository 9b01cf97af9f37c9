/** Layers of several nodes that models share: attention, root-mean-square norm, real Fourier pair, recurrent layers. */
import { GraphError } from "../errors.js";
import { checkpoint } from "./checkpoint.js";
import type { Tensor } from "./graph.js";
import {
  add,
  concat,
  customGradient,
  div,
  emit,
  identity,
  matmul,
  mul,
  neg,
  reduceMean,
  reduceSum,
  reshape,
  scalar,
  slice,
  softmax,
  sqrt,
  square,
  sub,
} from "./ops.js";
import { lastTwoSwapped, unbroadcast } from "./vjp/vjp.js";

export interface AttentionOptions {
  /** Of the scores; 1 / sqrt(d) where left out. */
  scale?: number;
  /** Added to the scores (relative positions, masks of large negative numbers); broadcasts to [..., queries, keys]. */
  bias?: Tensor;
  /** Keeps no probabilities for the derivative but computes them again: memory linear in the sequence. */
  recompute?: boolean;
}

/**
 * Scaled dot-product attention softmax(q k^T scale + bias) v: q [..., L, d], k [..., S, d], v [..., S, e] give [..., L, e].
 * With p the probabilities and o = p v, what flows into the scores is p (do v^T - D), where D = sum_j p do v^T = sum(do o) needs
 * no pass over [L, S] (Dao et al. 2022, appendix B.2).
 */
export function attention(q: Tensor, k: Tensor, v: Tensor, options: AttentionOptions = {}): Tensor {
  const { scale = 1 / Math.sqrt(q.shape[q.shape.length - 1]), bias, recompute = false } = options;
  const write = (a: Tensor, b: Tensor, c: Tensor, d?: Tensor): Tensor => {
    const scaled = mul(a, scale);
    const scores = matmul(scaled, lastTwoSwapped(b)); // [..., L, S]
    const p = softmax(d ? add(scores, d) : scores);
    const o = matmul(p, c);
    // o and what it is made of are handed to the rule too, so that a checkpoint around it can put recomputed ones in their place
    return customGradient(
      identity(o),
      [a, b, c, d ?? a, scaled, p, o],
      (dy, [, key, value, given, query, prob, out]) => {
        const inner = reduceSum(mul(dy, out), { axes: [-1], keepDims: true });
        const ds = mul(prob, sub(matmul(dy, lastTwoSwapped(value)), inner));
        const turned = (t: Tensor, by: Tensor) => lastTwoSwapped(matmul(lastTwoSwapped(t), by)); // by^T t, the small one turned round
        return [
          unbroadcast(mul(matmul(ds, key), scale), a.shape),
          unbroadcast(turned(query, ds), key.shape),
          unbroadcast(turned(dy, prob), value.shape),
          d && unbroadcast(ds, given.shape),
        ];
      },
    );
  };
  return recompute ? checkpoint(write, bias ? [q, k, v, bias] : [q, k, v]) : write(q, k, v, bias);
}

/**
 * h g with h = x r, r = 1 / sqrt(mean(x^2) + epsilon) over the axes from `axis` on (Zhang and Sennrich 2019).
 * With dh = dy g: dx = r (dh - h mean(dh h)), dg = sum dy h.
 */
export function rmsNorm(x: Tensor, scale: Tensor, options: { axis?: number; epsilon?: number } = {}): Tensor {
  const { axis = -1, epsilon = 1e-5 } = options;
  const rank = x.shape.length;
  const first = axis < 0 ? axis + rank : axis;
  const axes = x.shape.map((_, i) => i).slice(first);
  const rootOf = (t: Tensor) => sqrt(add(reduceMean(square(t), { axes, keepDims: true }), epsilon));
  return customGradient(mul(div(x, rootOf(x)), scale), [x, scale], (dy, [input, gain]) => {
    const root = rootOf(input);
    const h = div(input, root);
    const dh = mul(dy, gain);
    const lead = Array.from({ length: rank - gain.shape.length }, (_, i) => i);
    const dx = div(sub(dh, mul(h, reduceMean(mul(dh, h), { axes, keepDims: true }))), root);
    return [dx, reshape(reduceSum(mul(dy, h), { axes: lead }), gain.shape)];
  });
}

/** Coefficients k = 0 .. n/2 of a real signal along `axis`: [..., n, ...] gives [..., n/2 + 1, ..., 2], real and imaginary part last. */
export function rfft(x: Tensor, options: { axis: number }): Tensor {
  const rank = x.shape.length;
  const axis = options.axis < 0 ? options.axis + rank : options.axis;
  return emit("DFT", [reshape(x, [...x.shape, 1]), undefined, scalar(x.graph, axis, "int64")], { onesided: 1 })[0];
}

/** The real signal of `n` points whose coefficients those are: the inverse of `rfft`. */
export function irfft(coefficients: Tensor, options: { axis: number; n: number }): Tensor {
  const { n } = options;
  const rank = coefficients.shape.length - 1;
  const axis = options.axis < 0 ? options.axis + rank : options.axis;
  const half = Math.floor(n / 2) + 1;
  if (coefficients.shape[axis] !== half)
    throw new GraphError(`irfft: a signal of ${n} points has ${half} coefficients, not ${coefficients.shape[axis]}`);
  // c[n - k] = conj c[k]
  const mirrored = slice(coefficients, [{ axis, start: n - half, end: 0, step: -1 }]);
  const part = (t: Tensor, i: number) => slice(t, [{ axis: rank, start: i, end: i + 1 }]);
  const conjugate = concat([part(mirrored, 0), neg(part(mirrored, 1))], rank);
  const whole = n > half ? concat([coefficients, conjugate], axis) : coefficients;
  const [signal] = emit("DFT", [whole, undefined, scalar(whole.graph, axis, "int64")], { inverse: 1 });
  return reshape(part(signal, 0), signal.shape.slice(0, -1));
}

export interface RecurrentOptions {
  direction?: "forward" | "reverse" | "bidirectional";
  /** Biases [directions, 2 gates hidden]: those of the inputs, then those of the state. */
  bias?: Tensor;
}
/** x [time, batch, in], w [directions, 4 hidden, in], r [directions, 4 hidden, hidden]; gates in the order i, o, f, c. Gives [time, directions, batch, hidden]. */
export const lstm = (x: Tensor, w: Tensor, r: Tensor, options: RecurrentOptions = {}): Tensor =>
  recurrent("LSTM", x, w, r, options);
/** As `lstm` with 3 gates in the order z, r, h. */
export const gru = (x: Tensor, w: Tensor, r: Tensor, options: RecurrentOptions = {}): Tensor =>
  recurrent("GRU", x, w, r, options);

function recurrent(
  op: "LSTM" | "GRU",
  x: Tensor,
  w: Tensor,
  r: Tensor,
  { direction = "forward", bias }: RecurrentOptions,
): Tensor {
  return emit(op, [x, w, r, bias], { hidden_size: r.shape[2], direction })[0];
}
