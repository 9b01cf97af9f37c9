/** Derivatives of RNN, LSTM and GRU, by writing the steps out and differentiating those, and of the Fourier transform, by its own inverse. */
import type { Tensor } from "../graph.js";
import { intAttribute, need, stringAttribute } from "../infer/infer.js";
import { directionsOf, type recurrentOps, transformOf } from "../infer/recurrent.js";
import {
  add,
  concat,
  emit,
  expand,
  gemm,
  mul,
  pad,
  relu,
  reshape,
  scalar,
  sigmoid,
  slice,
  split,
  sub,
  tanh,
} from "../ops.js";
import type { VjpContext, VjpRule } from "./vjp.js";

interface Cell {
  readonly gates: number;
  /** One step from the gates' input part [batch, gates hidden] (biases of the inputs added), the state and the weights. */
  step(c: VjpContext, given: StepInput): { h: Tensor; cell?: Tensor };
}
interface StepInput {
  readonly input: Tensor;
  readonly h: Tensor;
  readonly cell: Tensor;
  /** [gates hidden, hidden] */
  readonly r: Tensor;
  /** [gates hidden] or undefined */
  readonly bias?: Tensor;
}

const ACTIVATIONS: Readonly<Record<string, (t: Tensor) => Tensor>> = { tanh, relu, sigmoid };

/** h = f(x + h R), f = tanh unless said (ONNX RNN-14). */
const plainCell: Cell = {
  gates: 1,
  step(c, { input, h, r, bias }) {
    const [name = "tanh"] = activationsOf(c);
    return { h: ACTIVATIONS[name](add(input, gemm(h, r, bias, { transB: true }))) };
  },
};

/** i, o, f, g = gates; c = f c + i g; h = o tanh(c) (ONNX LSTM-14, default activations). */
const lstmCell: Cell = {
  gates: 4,
  step(_c, { input, h, cell, r, bias }) {
    const size = h.shape[1];
    const all = add(input, gemm(h, r, bias, { transB: true }));
    const [i, o, f, g] = split(all, [size, size, size, size], 1);
    const next = add(mul(sigmoid(f), cell), mul(sigmoid(i), tanh(g)));
    return { h: mul(sigmoid(o), tanh(next)), cell: next };
  },
};

/** z, r = gates; h' = tanh(x + (r h) R) or, with the product first, tanh(x + r (h R + b)); h = (1 - z) h' + z h (ONNX GRU-14). */
const gruCell: Cell = {
  gates: 3,
  step(c, { input, h, r, bias }) {
    const size = h.shape[1];
    const [inputZr, inputH] = split(input, [2 * size, size], 1);
    const [zr, rh] = split(r, [2 * size, size], 0);
    const [biasZr, biasH] = bias ? split(bias, [2 * size, size], 0) : [];
    const gates = sigmoid(add(inputZr, gemm(h, zr, biasZr, { transB: true })));
    const [z, reset] = split(gates, [size, size], 1);
    const after = intAttribute(c, "linear_before_reset", 0) !== 0;
    const recurrent = after
      ? mul(reset, gemm(h, rh, biasH, { transB: true }))
      : gemm(mul(reset, h), rh, biasH, { transB: true });
    const fresh = tanh(add(inputH, recurrent));
    return { h: add(mul(sub(1, z), fresh), mul(z, h)) };
  },
};

/** The operator's outputs, written step by step. */
function unrolled(c: VjpContext, kind: Cell): Tensor[] {
  const [x, w, r] = [need(c, 0), need(c, 1), need(c, 2)];
  const [time, batch, size] = x.shape;
  const hidden = r.shape[2];
  const directions = directionsOf(c);
  const rows = kind.gates * hidden;
  const at = (t: Tensor, i: number): Tensor => reshape(slice(t, [{ axis: 0, start: i, end: i + 1 }]), t.shape.slice(1));
  const zero = expand(scalar(x.graph, 0, x.dtype), [batch, hidden]);
  const sequences: Tensor[] = [];
  const lastH: Tensor[] = [];
  const lastCell: Tensor[] = [];
  for (let d = 0; d < directions; d++) {
    const backwards = d === 1 || stringAttribute(c, "direction", "forward") === "reverse";
    const biases = c.inputs[3] && split(at(c.inputs[3], d), [rows, rows], 0);
    const inputs = reshape(gemm(reshape(x, [time * batch, size]), at(w, d), biases?.[0], { transB: true }), [
      time,
      batch,
      rows,
    ]);
    let h = c.inputs[5] ? at(c.inputs[5], d) : zero;
    let cell = c.inputs[6] ? at(c.inputs[6], d) : zero;
    const steps: Tensor[] = [];
    for (let k = 0; k < time; k++) {
      const t = backwards ? time - 1 - k : k;
      const next = kind.step(c, { input: at(inputs, t), h, cell, r: at(r, d), bias: biases?.[1] });
      h = next.h;
      cell = next.cell ?? cell;
      steps[t] = reshape(h, [1, 1, batch, hidden]);
    }
    sequences.push(concat(steps, 0));
    lastH.push(reshape(h, [1, batch, hidden]));
    lastCell.push(reshape(cell, [1, batch, hidden]));
  }
  return [concat(sequences, 1), concat(lastH, 0), concat(lastCell, 0)];
}

const recurrent =
  (kind: Cell): VjpRule =>
  (c) => {
    if (c.inputs[4]) return c.unsupported("with sequence lengths");
    if (c.inputs[7]) return c.unsupported("with peepholes");
    const given = activationsOf(c);
    const usual = USUAL_ACTIVATIONS[kind.gates] ?? (given[0] in ACTIVATIONS ? [given[0]] : []);
    if (given.some((name, i) => name !== usual[i % usual.length]))
      return c.unsupported(`with the activations ${given.join(", ")}`);
    if (c.attributes["clip"] !== undefined || intAttribute(c, "input_forget", 0) !== 0)
      return c.unsupported("with clip or input_forget");
    return c.pullback(unrolled(c, kind).slice(0, c.outputs.length), c.gradients, c.inputs);
  };

/** By number of gates; a plain cell has one of its own choice, the same in both directions. */
const USUAL_ACTIVATIONS: Readonly<Record<number, readonly string[]>> = {
  3: ["sigmoid", "tanh"],
  4: ["sigmoid", "tanh", "tanh"],
};
const activationsOf = (c: VjpContext): string[] =>
  ((c.attributes["activations"] ?? []) as readonly string[]).map((name) => name.toLowerCase());

/** y = F x: dx = F^H dy. The transform's own inverse is F^H / n, so dx = n inverse(dy); that of the inverse is forward(dy) / n. */
const dft: VjpRule = (c) => {
  const x = need(c, 0);
  const { axis, n, count, inverse, onesided } = transformOf(c);
  const rank = x.shape.length;
  const widen = (t: Tensor, by: number) =>
    pad(
      t,
      t.shape.map(() => 0),
      t.shape.map((_, i) => (i === axis ? by : 0)),
    );
  const whole = onesided ? widen(c.dy, n - count) : c.dy; // coefficients not given have no gradient
  const [turned] = emit("DFT", [whole, undefined, scalar(x.graph, axis, "int64")], inverse ? {} : { inverse: 1 });
  let dx = mul(turned, inverse ? 1 / n : n);
  if (x.shape[rank - 1] === 1) dx = slice(dx, [{ axis: rank - 1, start: 0, end: 1 }]);
  const m = x.shape[axis]; // longer signals were cut, shorter ones filled with zeros
  if (m < n) dx = slice(dx, [{ axis, start: 0, end: m }]);
  return [m > n ? widen(dx, m - n) : dx];
};

export const recurrentVjp = {
  RNN: recurrent(plainCell),
  LSTM: recurrent(lstmCell),
  GRU: recurrent(gruCell),
  DFT: dft,
} satisfies Record<keyof typeof recurrentOps, VjpRule>;
