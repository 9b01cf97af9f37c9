import { describe, expect, it } from "vitest";
import { openInline } from "../engine/runtime.node.js";
import { float32, int64, type NdArray } from "../tensor/ndarray.js";
import { exportOnnx } from "./export.js";
import { gradients } from "./grad.js";
import { Graph } from "./graph.js";
import { add, emit, gelu, ints, linear, mul, reduceSum, relu, reshape, stopGradient, tanh } from "./ops.js";
import { foldConstants, freeze, prune, replaceNodes, share } from "./rewrite.js";

const runtime = await openInline({ threads: 1 });
const x = float32([2, 3], [1, -2, 3, -4, 5, -6]);
const w = float32([3, 2], [0.1, 0.2, 0.3, -0.4, 0.5, 0.6]);

function network(): Graph {
  const graph = new Graph("net");
  const input = graph.input("x", "float32", [2, 3]);
  const weight = graph.parameter("w", [3, 2]);
  const hidden = relu(linear(input, weight));
  gelu(hidden); // leads nowhere
  graph.output("y", add(tanh(hidden), tanh(hidden)));
  return graph;
}
async function y(graph: Graph, feeds: Record<string, NdArray> = { x, w }): Promise<number[]> {
  const session = await runtime.load(exportOnnx(graph));
  const results = await session.run(feeds);
  return Array.from(results["y"].data as Float32Array);
}

describe("rewrites leave the first graph alone", () => {
  it("replaces nodes", async () => {
    const graph = network();
    const swapped = replaceNodes(graph, (node, [a]) => (node.op === "Relu" ? [mul(a!, 2)] : undefined));
    expect(swapped.nodes.map((n) => n.op)).toEqual(["Gemm", "Mul", "Tanh", "Tanh", "Add"]);
    expect(graph.nodes.map((n) => n.op)).toContain("Relu");
    const product = [0, 1].flatMap((r) =>
      [0, 1].map((c) => [0, 1, 2].reduce((s, k) => s + x.data[3 * r + k] * w.data[2 * k + c], 0)),
    );
    (await y(swapped)).forEach((v, i) => expect(v).toBeCloseTo(2 * Math.tanh(2 * product[i]), 5));
  });

  it("freezes parameters, which then need no feeding", async () => {
    const frozen = freeze(network(), new Map([["w", w]]));
    expect(frozen.parameters).toEqual([]);
    expect(await y(frozen, { x })).toEqual(await y(network()));
    expect(() => freeze(network(), new Map([["v", w]]))).toThrow(/no parameter 'v'/);
  });

  it("prunes what leads nowhere and shares what is equal", async () => {
    expect(prune(network()).nodes.map((n) => n.op)).toEqual(["Gemm", "Relu", "Tanh", "Tanh", "Add"]);
    const shared = share(network());
    expect(shared.nodes.map((n) => n.op)).toEqual(["Gemm", "Relu", "Tanh", "Add"]);
    expect(await y(shared)).toEqual(await y(network()));
  });

  it("folds what is known", () => {
    const graph = new Graph();
    const input = graph.input("x", "float32", [2, 3]);
    const one = graph.constant(int64([1], [1]));
    const [six] = emit("Mul", [emit("Add", [one, one])[0], ints(graph, [3])]);
    graph.output("y", reshape(input, [6]));
    graph.output("n", six);
    const folded = foldConstants(graph);
    expect(folded.nodes.map((n) => n.op)).toEqual(["Reshape"]);
    expect(folded.outputs.get("n")!.value!.data[0]).toBe(6n);
  });

  it("keeps the derivatives that users gave", () => {
    const graph = new Graph();
    const input = graph.input("x", "float32", [2]);
    graph.output("y", reduceSum(mul(input, stopGradient(input))));
    const copy = prune(graph);
    const before = copy.nodes.length;
    gradients(copy.outputs.get("y")!, [copy.inputs[0]]);
    expect(copy.nodes.slice(before).map((n) => n.op)).not.toContain("Add"); // one path only
  });
});
