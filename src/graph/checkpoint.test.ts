import { existsSync, readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { openInline } from "../engine/runtime.node.js";
import type { NdArray } from "../tensor/ndarray.js";
import { random } from "../tensor/random.js";
import { checkpoint } from "./checkpoint.js";
import { exportOnnx } from "./export.js";
import { gradients } from "./grad.js";
import { Graph, type Tensor } from "./graph.js";
import { add, gelu, linear, reduceMean, square } from "./ops.js";

const [ROWS, WIDTH, LAYERS] = [1024, 128, 12];

/** A stack of residual perceptrons; its loss and gradients, with or without recomputation. */
function stack(recompute: boolean): { model: Uint8Array; feeds: Record<string, NdArray> } {
  const graph = new Graph();
  const rng = random(1);
  const feeds: Record<string, NdArray> = {};
  const fill = (t: Tensor) => {
    const data = new Float32Array(t.shape.reduce((a, b) => a * b, 1)).map(() => 0.1 * rng.normal());
    feeds[t.name] = { dtype: "float32", shape: t.shape, data };
    return t;
  };
  let x = fill(graph.input("x", "float32", [ROWS, WIDTH]));
  for (let i = 0; i < LAYERS; i++) {
    const up = fill(graph.parameter(`up${i}`, [WIDTH, 4 * WIDTH]));
    const down = fill(graph.parameter(`down${i}`, [4 * WIDTH, WIDTH]));
    const block = (t: Tensor) => add(t, linear(gelu(linear(t, up)), down));
    x = recompute ? checkpoint(block, [x]) : block(x);
  }
  const loss = reduceMean(square(x));
  const outputs = new Map([["loss", loss]]);
  gradients(loss, graph.parameters).forEach((g, i) => outputs.set(`d${i}`, g));
  return { model: exportOnnx(graph, { outputs }), feeds };
}

/** The most memory this process has held, in KiB. On Linux `maxRSS` begins at what the parent held, so the system is asked itself. */
function peakMemory(): number {
  const status = existsSync("/proc/self/status") ? readFileSync("/proc/self/status", "utf8") : "";
  return Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? process.resourceUsage().maxRSS);
}

it("recomputes to the same loss and gradients, without the memory of what lies within", async () => {
  const runtime = await openInline({ threads: 1 });
  const peaks: number[] = [peakMemory()];
  const results = [];
  for (const recompute of [true, false]) {
    const { model, feeds } = stack(recompute);
    const session = await runtime.load(model);
    results.push(await session.run(feeds));
    await session.close();
    peaks.push(peakMemory());
  }
  const [lean, whole] = results;
  for (const name of Object.keys(whole)) {
    const [a, b] = [lean[name].data as Float32Array, whole[name].data as Float32Array];
    expect(
      a.every((v, i) => v === b[i]),
      name,
    ).toBe(true);
  }
  // Two arrays [ROWS, 4 WIDTH] a layer are not kept. The peak only rises, so the second run adds what it needs more; the
  // allocator's own reserves blur that by some megabytes
  const spared = (LAYERS * 2 * ROWS * 4 * WIDTH * 4) / 1024;
  expect(peaks[2] - peaks[1]).toBeGreaterThan(spared / 2);
});
