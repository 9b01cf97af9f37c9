/** A small model trained for some steps: the same work in Node and in a browser. */
import { adamW } from "../src/engine/optimiser.js";
import { initialise, scope, truncatedNormal, zero } from "../src/engine/parameters.js";
import type { Runtime } from "../src/engine/runtime.js";
import { createTrainer } from "../src/engine/train.js";
import { Graph } from "../src/graph/graph.js";
import { attention } from "../src/graph/layers.js";
import { add, conv, gelu, layerNorm, linear, reduceMean, reshape, square, sub, transpose } from "../src/graph/ops.js";
import { float32 } from "../src/tensor/ndarray.js";
import { random } from "../src/tensor/random.js";

const STEPS = 20;

/** The loss of every step, and the seconds they took. */
export async function lossCurve(runtime: Runtime): Promise<{ losses: number[]; seconds: number }> {
  const graph = new Graph("small");
  const p = scope(graph);
  const x = graph.input("x", "float32", [4, 2, 8, 8]);
  const y = graph.input("y", "float32", [4, 2, 8, 8]);
  const field = gelu(
    conv(x, p.param("conv", [8, 2, 3, 3], truncatedNormal(0.2)), p.param("conv.b", [8], zero), { pads: [1, 1, 1, 1] }),
  );
  const tokens = transpose(reshape(field, [4, 8, 64]), [0, 2, 1]); // [N, 64, 8]
  const scale = p.param("norm", [8], (shape) => new Float32Array(shape[0]).fill(1));
  const h = layerNorm(tokens, scale, p.param("norm.b", [8], zero));
  const part = (name: string) => linear(h, p.param(name, [8, 8], truncatedNormal(0.3)));
  const mixed = add(tokens, attention(part("q"), part("k"), part("v"), { recompute: true }));
  const out = transpose(
    linear(mixed, p.param("head", [8, 2], truncatedNormal(0.3)), p.param("head.b", [2], zero)),
    [0, 2, 1],
  );
  const loss = reduceMean(square(sub(reshape(out, y.shape), y)));
  const trainer = await createTrainer(runtime, {
    loss,
    parameters: initialise(p, { seed: 1 }),
    optimiser: adamW(),
    clipNorm: 1,
  });
  const rng = random(2);
  const numbers = () =>
    float32(
      [4, 2, 8, 8],
      Array.from({ length: 512 }, () => rng.normal()),
    );
  const batch = { x: numbers(), y: numbers() };
  const losses: number[] = [];
  const began = performance.now();
  for (let i = 0; i < STEPS; i++) losses.push((await trainer.train([batch], { learningRate: 0.01 })).loss);
  await trainer.close();
  return { losses, seconds: (performance.now() - began) / 1000 };
}
