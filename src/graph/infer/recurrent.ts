/** Shapes of RNN, LSTM, GRU (time first) and the discrete Fourier transform. */
import { GraphError } from "../../errors.js";
import {
  axisOf,
  constantInts,
  type InferContext,
  type InferRule,
  intAttribute,
  need,
  stringAttribute,
} from "./infer.js";

export const directionsOf = (c: Pick<InferContext, "attributes">): number =>
  stringAttribute(c, "direction", "forward") === "bidirectional" ? 2 : 1;

const recurrent =
  (gates: number, states: number): InferRule =>
  (c) => {
    const [x, w, r] = [need(c, 0), need(c, 1), need(c, 2)];
    const directions = directionsOf(c);
    const hidden = intAttribute(c, "hidden_size", r.shape[2]);
    if (intAttribute(c, "layout", 0) !== 0) throw new GraphError(`${c.op}: layout 1 (batch first) is not supported`);
    const [time, batch, size] = x.shape;
    if (x.shape.length !== 3 || w.shape.join() !== [directions, gates * hidden, size].join())
      throw new GraphError(
        `${c.op}: weights [${w.shape.join(", ")}] do not fit x [${x.shape.join(", ")}] with ${hidden} hidden values and ${directions} direction(s)`,
      );
    if (r.shape.join() !== [directions, gates * hidden, hidden].join())
      throw new GraphError(
        `${c.op}: recurrent weights [${r.shape.join(", ")}] are not [${directions}, ${gates * hidden}, ${hidden}]`,
      );
    const state = { dtype: x.dtype, shape: [directions, batch, hidden] };
    const all = [{ dtype: x.dtype, shape: [time, directions, batch, hidden] }, state, state];
    return all.slice(0, Math.min(c.outputCount, states + 1));
  };

/** Axis and length of a DFT-20, and how many coefficients it gives. */
export function transformOf(c: InferContext): {
  axis: number;
  n: number;
  count: number;
  inverse: boolean;
  onesided: boolean;
} {
  const { shape } = need(c, 0);
  const axis = axisOf(c.op, constantInts(c, 2)?.[0] ?? -2, shape.length);
  const n = constantInts(c, 1)?.[0] ?? shape[axis];
  const inverse = intAttribute(c, "inverse", 0) !== 0;
  const onesided = intAttribute(c, "onesided", 0) !== 0;
  if (inverse && onesided) throw new GraphError("DFT: an inverse one-sided transform is not supported; use irfft()");
  return { axis, n, count: onesided ? Math.floor(n / 2) + 1 : n, inverse, onesided };
}

export const recurrentOps = {
  RNN: recurrent(1, 1),
  LSTM: recurrent(4, 2),
  GRU: recurrent(3, 1),
  DFT: ((c) => {
    const x = need(c, 0);
    const { axis, count } = transformOf(c);
    const parts = x.shape[x.shape.length - 1];
    if (parts !== 1 && parts !== 2)
      throw new GraphError(`DFT: the last axis of [${x.shape.join(", ")}] holds the real (and imaginary) part: 1 or 2`);
    return [{ dtype: x.dtype, shape: [...x.shape.slice(0, -1).map((k, i) => (i === axis ? count : k)), 2] }];
  }) as InferRule,
} as const;
