import { grad, init, lax, nn, numpy as np, defaultDevice } from "@jax-js/jax";
import { beforeAll, describe, expect, it } from "vitest";
import { openInline } from "../engine/runtime.node.js";
import { float32, type NdArray, sizeOf } from "../tensor/ndarray.js";
import { random } from "../tensor/random.js";
import { exportOnnx } from "./export.js";
import { gradients } from "./grad.js";
import { Graph, type Tensor } from "./graph.js";
import {
  add,
  conv,
  customGradient,
  emit,
  gelu,
  layerNorm,
  matmul,
  mul,
  reduceMean,
  reduceSum,
  softmax,
  square,
  stopGradient,
  sub,
  tanh,
  transpose,
} from "./ops.js";

const runtime = await openInline({ threads: 1 });
const numbers = (seed: number, shape: number[]): NdArray<"float32"> => {
  const rng = random(seed);
  return float32(
    shape,
    Array.from({ length: sizeOf(shape) }, () => rng.normal()),
  );
};
async function evaluate(outputs: Record<string, Tensor>, feeds: Record<string, NdArray>) {
  const session = await runtime.load(
    exportOnnx(Object.values(outputs)[0].graph, { outputs: new Map(Object.entries(outputs)) }),
  );
  const results = await session.run(feeds);
  await session.close();
  return results;
}
/** Loss and gradient by x of a function of x [shape] and fixed arrays. */
async function ours(x: NdArray, f: (x: Tensor, fixed: Tensor[]) => Tensor, fixed: NdArray[]): Promise<number[]> {
  const graph = new Graph();
  const input = graph.input("x", "float32", x.shape);
  const loss = f(
    input,
    fixed.map((a) => graph.constant(a)),
  );
  const { dx } = await evaluate({ dx: gradients(loss, [input])[0] }, { x });
  return Array.from(dx.data as Float32Array);
}

describe("gradients agree with an independent autodiff (jax-js)", () => {
  beforeAll(async () => {
    await init("wasm");
    defaultDevice("wasm");
  });
  const jaxArray = (a: NdArray) => np.array(Array.from(a.data as Float32Array)).reshape([...a.shape]);
  type JaxArray = ReturnType<typeof np.array>;
  const theirs = async (
    x: NdArray,
    f: (x: JaxArray, fixed: JaxArray[]) => JaxArray,
    fixed: NdArray[],
  ): Promise<number[]> => {
    const held = fixed.map(jaxArray);
    const result = grad((a: JaxArray) =>
      f(
        a,
        held.map((h) => h.ref),
      ),
    )(jaxArray(x));
    return Array.from((await result.data()) as Float32Array);
  };
  const compare = async (
    x: NdArray,
    fixed: NdArray[],
    a: (x: Tensor, fixed: Tensor[]) => Tensor,
    b: (x: JaxArray, fixed: JaxArray[]) => JaxArray,
  ) => {
    const [got, expected] = [await ours(x, a, fixed), await theirs(x, b, fixed)];
    // Both sides compute in float32; sums run over at most some hundred terms of size 1
    const scale = Math.max(...expected.map(Math.abs));
    got.forEach((v, i) => expect(Math.abs(v - expected[i])).toBeLessThan(2e-5 * scale));
  };

  it("for a perceptron with tanh", () =>
    compare(
      numbers(1, [5, 3]),
      [numbers(2, [3, 4]), numbers(3, [4])],
      (x, [w, b]) => reduceSum(square(tanh(add(matmul(x, w), b)))),
      (x, [w, b]) => np.sum(np.square(np.tanh(np.matmul(x, w).add(b)))),
    ));
  it("for softmax attention", () =>
    compare(
      numbers(4, [6, 4]),
      [numbers(5, [6, 4])],
      (x, [v]) => reduceSum(mul(matmul(softmax(matmul(x, transpose(x, [1, 0]))), v), v)),
      (x, [v]) => np.sum(np.matmul(nn.softmax(np.matmul(x.ref, np.transpose(x)), -1), v.ref).mul(v)),
    ));
  it("for a strided, padded convolution by its kernel", () =>
    compare(
      numbers(6, [4, 3, 3, 3]),
      [numbers(7, [2, 3, 6, 7])],
      (w, [x]) => reduceSum(square(conv(x, w, undefined, { strides: [2, 1], pads: [1, 0, 1, 2] }))),
      (w, [x]) =>
        np.sum(
          np.square(
            lax.convGeneralDilated(
              x,
              w,
              [2, 1],
              [
                [1, 1],
                [0, 2],
              ],
            ),
          ),
        ),
    ));
  it("for layer normalisation and GELU", () =>
    compare(
      numbers(8, [4, 8]),
      [numbers(9, [8]), numbers(10, [4, 8])],
      (x, [g, v]) => reduceSum(mul(gelu(layerNorm(x, g, undefined, { epsilon: 1e-5 })), v)),
      (x, [g, v]) => np.sum(nn.gelu(nn.standardize(x, -1, { epsilon: 1e-5 }).mul(g), { approximate: false }).mul(v)),
    ));
});

describe("gradients", () => {
  it("stop at stopGradient", async () => {
    const graph = new Graph();
    const x = graph.input("x", "float32", [2]);
    const [dx] = gradients(reduceSum(mul(x, stopGradient(square(x)))), [x]);
    const results = await evaluate({ dx }, { x: float32([2], [3, -2]) });
    expect([...(results["dx"].data as Float32Array)]).toEqual([9, 4]); // x^2, not 3 x^2
  });

  it("follow a custom rule, which is handed its inputs", async () => {
    const graph = new Graph();
    const x = graph.input("x", "float32", [2]);
    // A straight-through estimator: the forward pass rounds, the gradient passes doubled
    const rounded = customGradient(emit("Round", [x])[0], [x], (g, [input]) => [mul(mul(g, 2), input)]);
    const [dx] = gradients(reduceSum(mul(rounded, 5)), [x]);
    const results = await evaluate({ dx }, { x: float32([2], [0.5, 4]) });
    expect([...(results["dx"].data as Float32Array)]).toEqual([5, 40]);
  });

  it("count a tensor used before and inside a decomposed operator once each", async () => {
    // The scale of two instance norms in a row is one parameter: the second norm's rule must not walk into the first
    const graph = new Graph();
    const x = graph.input("x", "float32", [1, 1, 3]);
    const g = graph.parameter("g", [1]);
    const zero = graph.constant(float32([1], [0]));
    const norm = (t: Tensor) => emit("InstanceNormalization", [t, g, zero], { epsilon: { float: 0.5 } })[0];
    const loss = reduceSum(mul(norm(norm(x)), x));
    const feeds = (v: number) => ({ x: float32([1, 1, 3], [1, 2, 4]), g: float32([1], [v]) });
    const [dg] = gradients(loss, [g]);
    const at = async (v: number) => Number((await evaluate({ loss }, feeds(v)))["loss"].data[0]);
    const expected = ((await at(1.01)) - (await at(0.99))) / 0.02;
    expect(Number((await evaluate({ dg }, feeds(1)))["dg"].data[0])).toBeCloseTo(expected, 3);
  });

  it("end at the tensor asked for, without writing the derivative of what gave it", () => {
    const graph = new Graph();
    const hidden = tanh(graph.input("x", "float32", [3]));
    const loss = reduceMean(square(hidden));
    const before = graph.nodes.length;
    gradients(loss, [hidden]);
    expect(graph.nodes.slice(before).some((n) => n.inputs.some((t) => t?.name === "x"))).toBe(false);
  });

  it("are zeros of the right shape where nothing depends on the argument", () => {
    const graph = new Graph();
    const [x, y] = [graph.input("x", "float32", [3]), graph.input("y", "float32", [2, 2])];
    expect(gradients(reduceSum(x), [y])[0].shape).toEqual([2, 2]);
  });

  it("name the operator and shapes that do not fit, and the line that wrote them", () => {
    const graph = new Graph();
    const a = graph.input("a", "float32", [2, 3]);
    expect(() => matmul(a, a)).toThrow(
      /MatMul: \[2, 3\] by \[2, 3\]: the inner sizes differ \(MatMul of a: float32 \[2, 3\]; .*written at grad\.test\.ts:\d+/,
    );
  });

  it("refuse what is no scalar, and tensors of two graphs", () => {
    const graph = new Graph("one");
    const a = graph.input("a", "float32", [2, 3]);
    expect(() => gradients(a, [a])).toThrow(/of shape \[2, 3\] needs a scalar or a seed/);
    expect(() => sub(a, new Graph("two").input("b", "float32", [2, 3]))).toThrow(/belong to different graphs/);
  });
});
