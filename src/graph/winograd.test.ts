import { describe, expect, it } from "vitest";
import { openInline } from "../engine/runtime.node.js";
import { gradientGraph } from "../engine/step-graphs.js";
import { type NdArray, sizeOf } from "../tensor/ndarray.js";
import { random } from "../tensor/random.js";
import { checkpoint } from "./checkpoint.js";
import { exportOnnx } from "./export.js";
import { gradients } from "./grad.js";
import { Graph, type Tensor } from "./graph.js";
import { conv, gelu, reduceMean, square, sub } from "./ops.js";
import { withWinograd } from "./winograd.js";

const runtime = await openInline({ threads: 1 });

const noise = (shape: readonly number[], seed: number): NdArray => {
  const rng = random(seed);
  return { dtype: "float32", shape, data: new Float32Array(sizeOf(shape)).map(() => rng.normal()) };
};

/** Root mean square of the difference beside that of the values. */
function difference(a: NdArray, b: NdArray): number {
  expect(a.shape).toEqual(b.shape);
  let [d, s] = [0, 0];
  for (let i = 0; i < a.data.length; i++) {
    d += (Number(a.data[i]) - Number(b.data[i])) ** 2;
    s += Number(b.data[i]) ** 2;
  }
  return Math.sqrt(d / s);
}

const feedsOf = (graph: Graph) =>
  Object.fromEntries([...graph.inputs, ...graph.parameters].map((t, i) => [t.name, noise(t.shape, i + 1)] as const));

/** Ten times the rounding that the module states. */
const ROUNDING = 1e-5;

describe("a convolution by kernels of 3 x 3", () => {
  const rng = random(5);
  const draws = Array.from({ length: 6 }, () => ({
    n: 1 + rng.integer(3),
    channels: [40 + rng.integer(30), 44 + rng.integer(30)],
    size: [16 + rng.integer(9), 16 + rng.integer(9)],
    pads: Array.from({ length: 4 }, () => rng.integer(3)),
  }));
  it.each(draws)("gives what ONNX Runtime's own gives: %o", async ({ n, channels: [c, m], size, pads }) => {
    const graph = new Graph("convolution");
    const x = graph.input("x", "float32", [n, c, ...size]);
    const y = conv(x, graph.parameter("w", [m, c, 3, 3]), graph.parameter("b", [m]), { pads });
    const outputs = new Map([["y", y]]);
    const fast = withWinograd(graph, outputs);
    expect(fast.nodes.some((node) => node.op === "MatMul")).toBe(true);
    const feeds = feedsOf(graph);
    const [plain, quick] = await Promise.all(
      [exportOnnx(graph, { outputs }), exportOnnx(fast)].map(async (model) => (await runtime.load(model)).run(feeds)),
    );
    expect(difference(quick["y"], plain["y"])).toBeLessThan(ROUNDING);
  });

  it("is left alone where it would not gain: few channels, small images, strides, dilations, groups, other kernels", () => {
    const left = (shape: number[], w: number[], options = {}): boolean => {
      const graph = new Graph("left");
      const y = conv(graph.input("x", "float32", shape), graph.parameter("w", w), undefined, options);
      return withWinograd(graph, new Map([["y", y]])).nodes.every((node) => node.op === "Conv");
    };
    expect(left([1, 64, 32, 32], [64, 64, 3, 3])).toBe(false);
    expect(left([1, 16, 32, 32], [64, 16, 3, 3])).toBe(true);
    expect(left([1, 64, 8, 8], [64, 64, 3, 3])).toBe(true);
    expect(left([1, 64, 32, 32], [64, 64, 3, 3], { strides: [2, 2] })).toBe(true);
    expect(left([1, 64, 32, 32], [64, 64, 3, 3], { dilations: [2, 2] })).toBe(true);
    expect(left([1, 64, 32, 32], [64, 32, 3, 3], { group: 2 })).toBe(true);
    expect(left([1, 64, 32, 32], [64, 64, 1, 1])).toBe(true);
    expect(left([1, 64, 32, 32], [64, 64, 5, 5])).toBe(true);
  });
});

describe.each([
  [false, 18, 21],
  [true, 18, 21],
  [false, 20, 24],
])("the gradients of a network of such layers, recomputed: %s, on %i x %i", (recompute, height, width) => {
  it("are those that the plain graph gives", async () => {
    const graph = new Graph("network");
    const x = graph.input("x", "float32", [2, 48, height, width]);
    const layer = (t: Tensor, name: string) =>
      gelu(
        conv(t, graph.parameter(`${name}.w`, [48, 48, 3, 3]), graph.parameter(`${name}.b`, [48]), {
          pads: [1, 1, 1, 1],
        }),
      );
    const both = (t: Tensor) => layer(layer(t, "a"), "b");
    const y = recompute ? checkpoint(both, [x]) : both(x);
    const loss = reduceMean(square(sub(y, graph.input("y", "float32", y.shape))));
    const feeds = feedsOf(graph);
    const plain = await runtime.load(
      exportOnnx(graph, {
        outputs: new Map([
          ["loss", loss],
          ...gradients(loss, graph.parameters).map((g, i) => [`gradient/${graph.parameters[i].name}`, g] as const),
        ]),
      }),
    );
    const quick = await runtime.load(gradientGraph(loss, graph.parameters));
    const sums = Object.fromEntries(
      graph.parameters.map(({ name, shape }) => {
        const data = new Float32Array(sizeOf(shape));
        return [`sum/${name}`, { dtype: "float32", shape, data } as const];
      }),
    );
    const [expected, got] = [await plain.run(feeds), await quick.run({ ...feeds, ...sums })];
    expect(Object.keys(got).sort()).toEqual(Object.keys(expected).sort());
    for (const name of Object.keys(expected))
      expect(difference(got[name], expected[name]), name).toBeLessThan(ROUNDING);
  });
});
