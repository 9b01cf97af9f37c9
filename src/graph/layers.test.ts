import { describe, expect, it } from "vitest";
import { openInline } from "../engine/runtime.node.js";
import { float32 } from "../tensor/ndarray.js";
import { checkpoint } from "./checkpoint.js";
import { exportOnnx } from "./export.js";
import { Graph } from "./graph.js";
import { attention, gru, irfft, lstm, rfft, rmsNorm } from "./layers.js";
import { linear, mul, tanh } from "./ops.js";
import { checkCase, type OpCase } from "./testing/check.js";

const runtime = await openInline({ threads: 1 });
const layers: Record<string, OpCase["write"]> = {
  attention: (d) => {
    const [n, l, s, size] = [d.int(1, 3), d.int(1, 4), d.int(1, 4), d.int(1, 3)];
    const bias = d.int(0, 1) ? d.x([l, s]) : undefined;
    return attention(d.x([n, l, size]), d.x([n, s, size]), d.x([n, s, 2]), { bias });
  },
  "attention that recomputes": (d) =>
    attention(d.x([2, 3, 2]), d.x([2, 4, 2]), d.x([2, 4, 3]), { bias: d.x([3, 4]), recompute: true }),
  rmsNorm: (d) => {
    const axis = d.pick([-1, -2]);
    const shape = [...d.shape(1, 2), 3, 4];
    return rmsNorm(d.x(shape), d.x(shape.slice(axis)), { axis, epsilon: 1e-3 });
  },
  rfft: (d) => rfft(d.x([2, d.int(1, 7), 2]), { axis: 1 }),
  irfft: (d) => {
    const n = d.int(1, 7);
    return irfft(d.x([2, Math.floor(n / 2) + 1, 2]), { axis: -1, n });
  },
  "checkpoint with weights and a nested one": (d) => {
    const [x, w] = [d.x([3, 2]), d.x([2, 2])];
    return checkpoint(
      (t) =>
        mul(
          checkpoint((u) => tanh(linear(u, w)), [rmsNorm(t, d.x([2]))]),
          w.shape[0],
        ),
      [x],
    );
  },
};

describe.each(Object.entries(layers))("%s", (_name, write) => {
  it("has right first and second derivatives", async () => {
    for (let seed = 1; seed <= 4; seed++)
      for (const order of [1, 2] as const) await checkCase(runtime, { write }, { seed, order });
  });
});

it("irfft undoes rfft, for even and odd lengths", async () => {
  for (const n of [1, 2, 5, 8]) {
    const graph = new Graph();
    const x = graph.input("x", "float32", [2, n]);
    graph.output("y", irfft(rfft(x, { axis: 1 }), { axis: 1, n }));
    const session = await runtime.load(exportOnnx(graph));
    const value = float32(
      [2, n],
      Array.from({ length: 2 * n }, (_, i) => Math.sin(3 * i)),
    );
    const { y } = await session.run({ x: value });
    value.data.forEach((v, i) => expect(Number(y.data[i])).toBeCloseTo(v, 5));
  }
});

it("writes recurrent layers in both directions", () => {
  const graph = new Graph();
  const x = graph.input("x", "float32", [5, 2, 3]);
  const w = (name: string, shape: number[]) => graph.parameter(name, shape);
  expect(lstm(x, w("w", [2, 16, 3]), w("r", [2, 16, 4]), { direction: "bidirectional" }).shape).toEqual([5, 2, 2, 4]);
  expect(gru(x, w("wg", [1, 12, 3]), w("rg", [1, 12, 4])).shape).toEqual([5, 1, 2, 4]);
});
