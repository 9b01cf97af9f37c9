import { describe, expect, it } from "vitest";
import { Graph } from "../graph/graph.js";
import { linear, reduceMean, square, sub, tanh } from "../graph/ops.js";
import { float32 } from "../tensor/ndarray.js";
import { random } from "../tensor/random.js";
import { adamW, chain, trackAverage } from "./optimiser.js";
import { initialise, scope, truncatedNormal, zero } from "./parameters.js";
import { replicasFor } from "./replicas.js";
import { openInline, openRuntime } from "./runtime.node.js";
import { createTrainer, type TrainerState } from "./train.js";

function regression(options: { rows: number }) {
  const graph = new Graph("regression");
  const p = scope(graph);
  const x = graph.input("x", "float32", [options.rows, 3]);
  const y = graph.input("y", "float32", [options.rows, 1]);
  const hidden = tanh(linear(x, p.param("w1", [3, 8], truncatedNormal(0.5)), p.param("b1", [8], zero)));
  const out = linear(hidden, p.param("w2", [8, 1], truncatedNormal(0.5)), p.param("b2", [1], zero));
  return { loss: reduceMean(square(sub(out, y))), parameters: initialise(p, { seed: 1 }) };
}

const rng = random(3);
const rows = 16;
const x = float32(
  [rows, 3],
  Array.from({ length: rows * 3 }, () => rng.normal()),
);
const y = float32(
  [rows, 1],
  Array.from({ length: rows }, (_, i) => Math.sin(x.data[3 * i]) + 0.5 * x.data[3 * i + 1]),
);

describe("createTrainer", () => {
  it("learns, in a worker thread", async () => {
    const runtime = await openRuntime({ threads: 1 });
    const trainer = await createTrainer(runtime, { ...regression({ rows }), optimiser: adamW({ weightDecay: 0 }) });
    const first = await trainer.train([{ x, y }], { learningRate: 0.02 });
    let last = first;
    for (let i = 0; i < 200; i++) last = await trainer.train([{ x, y }], { learningRate: 0.02 });
    expect(last.loss).toBeLessThan(0.05 * first.loss);
    await runtime.close();
  });

  it("gives one large batch's step from small ones summed up", async () => {
    const runtime = await openInline({ threads: 1 });
    const whole = await createTrainer(runtime, { ...regression({ rows }), optimiser: adamW() });
    const parts = await createTrainer(runtime, { ...regression({ rows: rows / 4 }), optimiser: adamW() });
    const cut = (a: typeof x, i: number) =>
      float32([rows / 4, a.shape[1]], a.data.subarray((i * a.data.length) / 4, ((i + 1) * a.data.length) / 4));
    const a = await whole.train([{ x, y }], { learningRate: 0.01 });
    const b = await parts.train(
      [0, 1, 2, 3].map((i) => ({ x: cut(x, i), y: cut(y, i) })),
      { learningRate: 0.01 },
    );
    expect(b.loss).toBeCloseTo(a.loss, 5);
    expect(b.gradientNorm).toBeCloseTo(a.gradientNorm, 5);
    const [pa, pb] = [await whole.parameters(), await parts.parameters()];
    for (const [name, { data }] of pa) data.forEach((v, i) => expect(pb.get(name)!.data[i]).toBeCloseTo(v, 4));
  });

  it("gives the one replica's step from two, and the same bits every time, resumed or not", async () => {
    const runtime = await openRuntime({ threads: 2 });
    const optimiser = chain(adamW(), trackAverage(0.9));
    const task = regression({ rows: rows / 4 });
    const cut = (a: typeof x, i: number) =>
      float32([rows / 4, a.shape[1]], a.data.subarray((i * a.data.length) / 4, ((i + 1) * a.data.length) / 4));
    const batches = [0, 1, 2, 3].map((i) => ({ x: cut(x, i), y: cut(y, i) }));
    const run = async (options: { replicas?: number }, breakAfter = Infinity) => {
      let trainer = await createTrainer(runtime, { ...task, optimiser, clipNorm: 0.5, ...options });
      const losses: number[] = [];
      for (let i = 0; i < 6; i++) {
        losses.push((await trainer.train(batches, { learningRate: 0.01 })).loss);
        if (i + 1 !== breakAfter) continue;
        const saved = { parameters: await trainer.parameters(), state: await trainer.state() };
        await trainer.close();
        trainer = await createTrainer(runtime, { ...task, optimiser, clipNorm: 0.5, ...saved, ...options });
      }
      const end = {
        losses,
        parameters: await trainer.parameters(),
        average: await trainer.parameters({ average: true }),
      };
      await trainer.close();
      return end;
    };
    const one = await run({ replicas: 1 });
    const two = await run({});
    two.losses.forEach((v, i) => expect(v).toBeCloseTo(one.losses[i], 5));
    for (const [name, { data }] of two.parameters)
      data.forEach((v, i) => expect(v).toBeCloseTo(one.parameters.get(name)!.data[i], 4));
    expect(two.parameters).not.toEqual(one.parameters); // summed in another order: two replicas did run
    expect(await run({})).toEqual(two);
    expect(await run({}, 3)).toEqual(two);
    await runtime.close();
  });

  it("shares micro-batches out equally, one a thread at most", () => {
    const count = (microBatches: number, threads: number, device = "cpu") =>
      replicasFor(microBatches, { device, threads, peers: async () => [] });
    expect([count(8, 2), count(6, 4), count(7, 4), count(1, 4), count(64, 64)]).toEqual([2, 3, 1, 1, 8]);
    expect(count(8, 2, "cuda")).toBe(1);
    expect(replicasFor(8, { device: "cpu", threads: 2 })).toBe(1); // one thread of compute
  });

  it("refuses replicas where there is one thread of compute", async () => {
    const runtime = await openInline({ threads: 2 });
    const trainer = await createTrainer(runtime, { ...regression({ rows }), optimiser: adamW(), replicas: 2 });
    await expect(
      trainer.train(
        [
          { x, y },
          { x, y },
        ],
        { learningRate: 0.01 },
      ),
    ).rejects.toThrow(/openRuntime/);
  });

  it("resumed from its saved state takes the very steps of the unbroken run", async () => {
    const runtime = await openInline({ threads: 1 });
    const optimiser = chain(adamW(), trackAverage(0.9));
    const start = async (state?: TrainerState, parameters = regression({ rows }).parameters) =>
      createTrainer(runtime, { loss: regression({ rows }).loss, parameters, optimiser, state, clipNorm: 0.5 });
    const unbroken = await start();
    for (let i = 0; i < 6; i++) await unbroken.train([{ x, y }], { learningRate: 0.01 });
    const first = await start();
    for (let i = 0; i < 3; i++) await first.train([{ x, y }], { learningRate: 0.01 });
    const second = await start(await first.state(), await first.parameters());
    for (let i = 0; i < 3; i++) await second.train([{ x, y }], { learningRate: 0.01 });
    expect(await second.parameters()).toEqual(await unbroken.parameters());
    expect(await second.parameters({ average: true })).toEqual(await unbroken.parameters({ average: true }));
  });

  it("matches Adam's published update on the first step: every parameter moves by the rate", async () => {
    // m / (1 - b1) = g and v / (1 - b2) = g^2, so the step is rate * g / (|g| + epsilon) (Kingma and Ba 2015, section 2)
    const runtime = await openInline({ threads: 1 });
    const { loss, parameters } = regression({ rows });
    const trainer = await createTrainer(runtime, { loss, parameters, optimiser: adamW({ weightDecay: 0 }) });
    await trainer.train([{ x, y }], { learningRate: 0.01 });
    for (const [name, { data }] of await trainer.parameters())
      data.forEach((v, i) => expect(Math.abs(v - parameters.get(name)!.data[i])).toBeCloseTo(0.01, 4));
  });

  it("stops at a loss that is not finite, names the tensor and keeps the parameters", async () => {
    const runtime = await openInline({ threads: 1 });
    const { loss, parameters } = regression({ rows });
    const trainer = await createTrainer(runtime, { loss, parameters, optimiser: adamW() });
    const bad = { ...x, data: x.data.map((v, i) => (i === 7 ? NaN : v)) };
    await expect(trainer.train([{ x: bad, y }], { learningRate: 0.01 })).rejects.toThrow(
      /step 1: the loss is not finite; micro-batch 1 of 1 .* input 'x'/,
    );
    await expect(
      trainer.train([{ x, y: { ...y, data: y.data.map(() => 3e38) } }], { learningRate: 0.01 }),
    ).rejects.toThrow(/first such tensor is '.*' \(Mul/);
    expect(await trainer.parameters()).toEqual(parameters);
  });
});

it("refuses a device this machine does not have", async () => {
  await expect(openInline({ device: "tpu" })).rejects.toThrow(/no device 'tpu'; it has .*cpu/);
});
