/** Optimisers against PyTorch 1.13's numbers, and where it has none against the papers' formulas worked by hand. */
import { describe, expect, it } from "vitest";
import { Graph } from "../graph/graph.js";
import { mul, reduceSum } from "../graph/ops.js";
import { float32 } from "../tensor/ndarray.js";
import {
  adamW,
  addDecayedWeights,
  chain,
  type Optimiser,
  scaleByAdam,
  scaleByFactoredRms,
  scaleByGroup,
  scaleByLion,
  sgd,
  trackAverage,
} from "./optimiser.js";
import { openInline } from "./runtime.node.js";
import { createTrainer } from "./train.js";

const runtime = await openInline({ threads: 1 });
const START = [1, -2, 0.5, 3];
const GRADIENTS = [
  [0.5, -1, 2, 0.1],
  [0.2, 0.3, -0.4, -2],
  [-1, 0, 0.7, 0.3],
];

/** Parameters [2, 2] after each step along the given gradients: the loss is sum w g, so that its gradient is g. */
async function steps(
  optimiser: Optimiser,
  options: { rate?: number; gradients?: number[][]; clipNorm?: number; name?: string } = {},
) {
  const { rate = 0.1, gradients = GRADIENTS, clipNorm, name = "w" } = options;
  const graph = new Graph();
  const w = graph.parameter(name, [2, 2]);
  const loss = reduceSum(mul(w, graph.input("g", "float32", [2, 2])));
  const parameters = new Map([[name, float32([2, 2], START)]]);
  const trainer = await createTrainer(runtime, { loss, parameters, optimiser, clipNorm });
  const path: number[][] = [];
  for (const g of gradients) {
    await trainer.train([{ g: float32([2, 2], g) }], { learningRate: rate });
    path.push([...(await trainer.parameters()).get(name)!.data]);
  }
  const average = await trainer.parameters({ average: true }).catch(() => undefined);
  await trainer.close();
  return { path, average: average && [...average.get(name)!.data] };
}
const near = (got: number[][], expected: number[][]) =>
  got.forEach((row, i) =>
    row.forEach((v, j) => expect(v, `step ${i + 1}, element ${j}`).toBeCloseTo(expected[i][j], 5)),
  );

describe("take PyTorch's steps", () => {
  it("SGD with momentum", async () => {
    near((await steps(sgd({ momentum: 0.9 }))).path, [
      [0.95, -1.9, 0.3, 2.99],
      [0.885, -1.84, 0.16, 3.181],
      [0.9265, -1.786, -0.03599999, 3.3229],
    ]);
  });
  it("AdamW", async () => {
    near((await steps(adamW({ beta1: 0.9, beta2: 0.95, weightDecay: 0.05 }))).path, [
      [0.895, -1.89, 0.3975, 2.885],
      [0.7998379, -1.837309, 0.3438061, 2.940681],
      [0.8188469, -1.794264, 0.2828488, 2.970764],
    ]);
  });
});

it("Lion moves by the sign of its blend (Chen et al. 2023, algorithm 2)", async () => {
  const w = [...START];
  const m = [0, 0, 0, 0];
  const expected = GRADIENTS.map((g) => {
    g.forEach((v, i) => {
      w[i] -= 0.1 * Math.sign(0.9 * m[i] + 0.1 * v);
      m[i] = 0.99 * m[i] + 0.01 * v;
    });
    return [...w];
  });
  near((await steps(chain(scaleByLion()))).path, expected);
});

it("Adafactor's rows and columns give the whole second moment where it has rank one", async () => {
  // g^2 = a b^T: then r c / mean(r) = g^2, the first update is sign(g), whose root mean square is 1
  const { path } = await steps(chain(scaleByFactoredRms()), { gradients: [[2, -4, 1, 2]] });
  near(path, [[START[0] - 0.1, START[1] + 0.1, START[2] - 0.1, START[3] - 0.1]]);
});

it("weight decay leaves vectors and position embeddings alone", async () => {
  const still = [[0, 0, 0, 0]];
  const decayed = await steps(chain(addDecayedWeights(0.5)), { gradients: still });
  near(decayed.path, [START.map((v) => v * 0.95)]);
  const position = await steps(chain(addDecayedWeights(0.5)), { gradients: still, name: "embed.position" });
  near(position.path, [START]);
});

it("groups have rates of their own; 0 freezes", async () => {
  const optimiser = chain(
    sgd(),
    scaleByGroup((name) => (name === "w" ? 0.5 : 0)),
  );
  near((await steps(optimiser, { gradients: [[1, 1, 1, 1]] })).path, [START.map((v) => v - 0.05)]);
  near((await steps(optimiser, { gradients: [[1, 1, 1, 1]], name: "frozen" })).path, [START]);
});

it("clips to a global norm", async () => {
  near((await steps(sgd(), { gradients: [[3, 0, 4, 0]], clipNorm: 1 })).path, [[1 - 0.06, -2, 0.5 - 0.08, 3]]);
});

it("tracks an average that leans on recent weights at first", async () => {
  const { path, average } = await steps(chain(sgd(), trackAverage(0.999)));
  const expected = [...START];
  path.forEach((row, t) => {
    const keep = Math.min(0.999, (2 + t) / (11 + t)); // steps are counted from 1
    row.forEach((v, i) => (expected[i] = keep * expected[i] + (1 - keep) * v));
  });
  near([average!], [expected]);
});

it("parts keep their own state side by side", async () => {
  const { path } = await steps(chain(scaleByAdam(), scaleByAdam()));
  expect(path.flat().every(Number.isFinite)).toBe(true);
  expect(path[2]).not.toEqual((await steps(chain(scaleByAdam()))).path[2]);
});
