/** Cases of RNN, LSTM, GRU and the Fourier transform. */
import type { recurrentOps } from "../infer/recurrent.js";
import type { NodeAttributes } from "../graph.js";
import { emit } from "../ops.js";
import type { OpCase } from "./check.js";
import type { Draw } from "./draw.js";

const single = { dtype: "float32" } as const;

function recurrent(op: string, gates: number, states: number, d: Draw, attributes: NodeAttributes = {}) {
  const [time, batch, size, hidden] = [d.int(1, 4), d.int(1, 3), d.int(1, 3), d.int(1, 3)];
  const direction = d.pick(["forward", "reverse", "bidirectional"]);
  const directions = direction === "bidirectional" ? 2 : 1;
  const x = d.x([time, batch, size]);
  const [w, r] = [d.x([directions, gates * hidden, size]), d.x([directions, gates * hidden, hidden])];
  const bias = d.int(0, 1) ? d.x([directions, 2 * gates * hidden]) : undefined;
  const start = d.int(0, 1) ? Array.from({ length: states }, () => d.x([directions, batch, hidden])) : [];
  return emit(
    op,
    [x, w, r, bias, undefined, ...start],
    { hidden_size: hidden, direction, ...attributes },
    { outputs: states + 1 },
  );
}

export const recurrentCases: Readonly<Record<keyof typeof recurrentOps, readonly OpCase[]>> = {
  RNN: [
    { ...single, write: (d) => recurrent("RNN", 1, 1, d) },
    // One activation a direction; the list may be longer than the directions
    { name: "sigmoid", ...single, write: (d) => recurrent("RNN", 1, 1, d, { activations: ["Sigmoid", "Sigmoid"] }) },
  ],
  // Gates of gates bend faster than the other cases
  LSTM: [{ ...single, tolerance: 4, write: (d) => recurrent("LSTM", 4, 2, d) }],
  GRU: [
    { ...single, write: (d) => recurrent("GRU", 3, 1, d) },
    { name: "linear before reset", ...single, write: (d) => recurrent("GRU", 3, 1, d, { linear_before_reset: 1 }) },
  ],
  DFT: [
    { name: "complex", write: (d) => emit("DFT", [d.x([2, d.int(1, 7), 2])], { inverse: d.int(0, 1) }) },
    { name: "one-sided", write: (d) => emit("DFT", [d.x([2, d.int(1, 7), 1])], { onesided: 1 }) },
    {
      name: "other length and axis",
      write: (d) =>
        emit(
          "DFT",
          [d.x([5, 3, d.int(1, 2)]), d.fixed("int64", [], [d.int(3, 7)]), d.fixed("int64", [], [d.pick([0, -3])])],
          { inverse: 0 },
        ),
    },
  ],
};
