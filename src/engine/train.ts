/**
 * A training step in three small graphs, all run by ONNX Runtime on arrays that never leave it:
 *
 * 1. `gradient`: the model, its loss and their derivatives for one micro-batch, added to what earlier micro-batches gave;
 * 2. `norm`: the global norm of the sum, so that a bad step is seen before it is taken;
 * 3. `update`: clipping and the optimiser, one chain of nodes a parameter, written over the parameters in place.
 *
 * A step over many samples runs graph 1 several times on few: activations then fit the processor's caches and memory does
 * not grow with the batch.
 *
 *     const trainer = await createTrainer(runtime, { loss, parameters, optimiser: adamW() });
 *     const { loss, gradientNorm } = await trainer.step(microBatches, { learningRate: 1e-3 });
 */
import { FoehnError, GraphError } from "../errors.js";
import { exportOnnx } from "../graph/export.js";
import { gradients } from "../graph/grad.js";
import { Graph, type Tensor } from "../graph/graph.js";
import { add, concat, emit, mul, reduceSum, reshape, sqrt, sub } from "../graph/ops.js";
import { type NdArray, zeros } from "../tensor/ndarray.js";
import { firstNonFinite } from "./diagnose.js";
import type { Optimiser } from "./optimiser.js";
import type { Parameters } from "./parameters.js";
import type { Feeds, Resident, Runtime } from "./runtime.js";

export interface TrainerOptions {
  /** A scalar: the mean loss of one micro-batch. Its graph is the model. */
  loss: Tensor;
  /** The loss that `evaluate` gives, from a graph of its own with the same parameters (without dropout, say); `loss` where left out. */
  evaluation?: Tensor;
  /** Numbers of every parameter of the graph. */
  parameters: ReadonlyMap<string, NdArray>;
  optimiser: Optimiser;
  /** Which parameters change; all where left out. */
  trainable?: (name: string) => boolean;
  /** Gradients are scaled down to this global norm where theirs is greater. */
  clipNorm?: number;
  /** State saved by `state()`, to go on from. */
  state?: TrainerState;
}

/** What a resumed run needs besides the parameters: the optimiser's arrays and how many steps were taken. */
export interface TrainerState {
  readonly step: number;
  readonly arrays: ReadonlyMap<string, NdArray>;
}

export interface StepResult {
  /** Mean over the micro-batches. */
  readonly loss: number;
  /** Before clipping. */
  readonly gradientNorm: number;
}

export interface Trainer {
  /** Steps taken so far. */
  readonly step: number;
  /** Milliseconds spent so far in each of the three graphs. */
  readonly timings: { readonly gradient: number; readonly norm: number; readonly update: number };
  /** One optimiser step over equally large micro-batches; throws, changing nothing, where the loss or gradient is not finite. */
  train(microBatches: readonly Feeds[], options: { learningRate: number }): Promise<StepResult>;
  /** The evaluation loss of a micro-batch with the parameters as they stand, or with their running average. */
  evaluate(microBatch: Feeds, options?: { average?: boolean }): Promise<number>;
  /** A copy of the parameters; `average` gives their running average where the optimiser tracks one. */
  parameters(options?: { average?: boolean }): Promise<Parameters>;
  state(): Promise<TrainerState>;
  /**
   * Begins anew from other numbers, as a fresh trainer would but without loading the graphs again: no step taken, the optimiser's
   * state as at the start, but for the arrays in `slots` (named as in `state()`).
   */
  reset(parameters: ReadonlyMap<string, NdArray>, slots?: ReadonlyMap<string, NdArray>): Promise<void>;
  close(): Promise<void>;
}

/** Where an optimiser part keeps a slot: `1.m/blocks.0.w`. */
const slotName = (part: number, slot: string, parameter: string): string => `${part}.${slot}/${parameter}`;

export async function createTrainer(runtime: Runtime, options: TrainerOptions): Promise<Trainer> {
  const { loss, evaluation = loss, optimiser, clipNorm = Infinity, trainable = () => true, state } = options;
  const { graph } = loss;
  for (const { name } of graph.parameters)
    if (!options.parameters.has(name))
      throw new GraphError(`parameter '${name}' of graph '${graph.name}' has no numbers`);
  const trained = graph.parameters.filter((p) => trainable(p.name));
  if (trained.length === 0) throw new GraphError(`no parameter of graph '${graph.name}' is trainable`);

  const gradientSession = await runtime.load(gradientGraph(loss, trained));
  const normSession = await runtime.load(normGraph(trained));
  const updateSession = await runtime.load(updateGraph(trained, optimiser));
  const lossSession = await runtime.load(exportOnnx(evaluation.graph, { outputs: new Map([["loss", evaluation]]) }));

  // Everything that lives beside the sessions
  const kept = new Map<string, Resident>();
  for (const { name } of graph.parameters) kept.set(name, await runtime.keep(options.parameters.get(name)!));
  const sums = new Map<string, Resident>();
  const slots = new Map<string, Resident>();
  /** How every slot begins, given the parameters' numbers. */
  const freshSlots = (parameters: ReadonlyMap<string, NdArray>): [string, NdArray][] =>
    trained.flatMap((p) =>
      optimiser.flatMap((transform, part) =>
        Object.entries(transform.slots(p.shape)).map(([slot, { shape, start = "zero" }]): [string, NdArray] => [
          slotName(part, slot, p.name),
          start === "parameter" ? parameters.get(p.name)! : zeros("float32", shape),
        ]),
      ),
    );
  for (const p of trained) sums.set(p.name, await runtime.keep(zeros("float32", p.shape)));
  for (const [name, fresh] of freshSlots(options.parameters)) {
    const saved = state?.arrays.get(name);
    if (state && !saved)
      throw new FoehnError(`the saved optimiser state has no '${name}': it belongs to another optimiser or model`);
    slots.set(name, await runtime.keep(saved ?? fresh));
  }
  const parameterFeeds = Object.fromEntries(kept);
  const sumFeeds = Object.fromEntries([...sums].map(([name, r]) => [`sum/${name}`, r]));
  const slotFeeds = Object.fromEntries(slots);
  const gradientTargets = Object.fromEntries([...sums].map(([name, r]) => [`gradient/${name}`, r]));
  const updateTargets: Record<string, Resident> = {};
  for (const p of trained) updateTargets[`next/${p.name}`] = kept.get(p.name)!;
  for (const [name, resident] of slots) updateTargets[`next/${name}`] = resident;

  /** The running averages of the trained parameters, by parameter. */
  const averages = (): Record<string, Resident> => {
    const part = optimiser.findIndex((t) => "average" in t.slots([1]));
    if (part < 0) throw new FoehnError("this optimiser keeps no average of the weights; add trackAverage()");
    return Object.fromEntries(trained.map((p) => [p.name, slots.get(slotName(part, "average", p.name))!]));
  };

  let step = state?.step ?? 0;
  const timings = { gradient: 0, norm: 0, update: 0 };
  const timed = async <T>(part: keyof typeof timings, work: Promise<T>): Promise<T> => {
    const began = performance.now();
    const result = await work;
    timings[part] += performance.now() - began;
    return result;
  };
  return {
    get step() {
      return step;
    },
    timings,
    async train(microBatches, { learningRate }) {
      for (const p of trained) await runtime.write(sums.get(p.name)!, zeros("float32", p.shape));
      let total = 0;
      for (const batch of microBatches) {
        const { loss: value } = await timed(
          "gradient",
          gradientSession.run({ ...batch, ...parameterFeeds, ...sumFeeds }, { into: gradientTargets }),
        );
        total += Number(value.data[0]);
      }
      const { norm } = await timed("norm", normSession.run(sumFeeds));
      const mean = 1 / microBatches.length;
      const result = { loss: total * mean, gradientNorm: Number(norm.data[0]) * mean };
      if (!Number.isFinite(result.loss) || !Number.isFinite(result.gradientNorm)) {
        const place = await firstNonFinite(runtime, loss, microBatches, parameterFeeds);
        throw new FoehnError(
          `step ${step + 1}: the ${Number.isFinite(result.loss) ? "gradient" : "loss"} is not finite; ${place}. The parameters of step ${step} are kept: lower the learning rate or look at that batch`,
        );
      }
      const clip = result.gradientNorm > clipNorm ? clipNorm / result.gradientNorm : 1;
      const scalars: Record<string, number> = { scale: mean * clip, rate: learningRate };
      optimiser.forEach((transform, part) => {
        for (const [name, value] of Object.entries(transform.scalars?.(step + 1) ?? {}))
          scalars[`${part}.${name}`] = value;
      });
      const scalarFeeds = Object.fromEntries(
        updateSession.inputs.flatMap((name) => (name in scalars ? [[name, number(scalars[name])]] : [])),
      );
      await timed(
        "update",
        updateSession.run({ ...parameterFeeds, ...sumFeeds, ...slotFeeds, ...scalarFeeds }, { into: updateTargets }),
      );
      step++;
      return result;
    },
    async evaluate(microBatch, { average = false } = {}) {
      const { loss: value } = await lossSession.run({
        ...microBatch,
        ...parameterFeeds,
        ...(average ? averages() : {}),
      });
      return Number(value.data[0]);
    },
    async parameters({ average = false } = {}) {
      const from = { ...parameterFeeds, ...(average ? averages() : {}) };
      const entries = graph.parameters.map(async ({ name }) => [name, await runtime.read(from[name])] as const);
      return new Map(await Promise.all(entries)) as Parameters;
    },
    async state() {
      const arrays = await Promise.all(
        [...slots].map(async ([name, resident]) => [name, await runtime.read(resident)] as const),
      );
      return { step, arrays: new Map(arrays) };
    },
    async reset(parameters, given = new Map()) {
      for (const [name, resident] of kept) await runtime.write(resident, parameters.get(name)!);
      for (const [name, fresh] of freshSlots(parameters))
        await runtime.write(slots.get(name)!, given.get(name) ?? fresh);
      step = 0;
    },
    async close() {
      for (const session of [gradientSession, normSession, updateSession, lossSession]) await session.close();
    },
  };
}

const number = (value: number): NdArray => ({ dtype: "float32", shape: [], data: Float32Array.of(value) });

/** The model's loss and, for each trained parameter, what was summed so far plus this micro-batch's gradient. */
function gradientGraph(loss: Tensor, trained: readonly Tensor[]): Uint8Array {
  const { graph } = loss;
  const grads = gradients(loss, trained);
  const outputs = new Map<string, Tensor>([["loss", loss]]);
  trained.forEach((p, i) =>
    outputs.set(`gradient/${p.name}`, addTo(graph.input(`sum/${p.name}`, "float32", p.shape), grads[i])),
  );
  return exportOnnx(graph, { outputs });
}

/** sum + gradient, where a matrix product can take the sum as its own third argument at no cost. */
function addTo(sum: Tensor, gradient: Tensor): Tensor {
  const made = gradient.producer;
  const product = made?.op === "Reshape" ? made.inputs[0]!.producer : made;
  if (product?.op !== "Gemm" || product.inputs[2]) return add(sum, gradient);
  const [a, b] = product.inputs;
  return reshape(emit("Gemm", [a, b, reshape(sum, product.outputs[0].shape)], product.attributes)[0], gradient.shape);
}

/** sqrt of the sum of squares over all gradients (Pascanu et al. 2013). */
function normGraph(trained: readonly Tensor[]): Uint8Array {
  const graph = new Graph("norm");
  const squares = trained.map(
    (p) => emit("ReduceSumSquare", [graph.input(`sum/${p.name}`, "float32", p.shape)], { keepdims: 0 })[0],
  );
  graph.output(
    "norm",
    sqrt(
      reduceSum(
        concat(
          squares.map((s) => reshape(s, [1])),
          0,
        ),
      ),
    ),
  );
  return exportOnnx(graph);
}

/**
 * The optimiser: parameter - rate * update, and each part's new state. Every array is read by one node before its new value
 * is written, so that old and new may share memory.
 */
function updateGraph(trained: readonly Tensor[], optimiser: Optimiser): Uint8Array {
  const graph = new Graph("update");
  const scale = graph.input("scale", "float32", []);
  const rate = graph.input("rate", "float32", []);
  const scalars = optimiser.map((transform, part) =>
    Object.fromEntries(
      Object.keys(transform.scalars?.(1) ?? {}).map((name) => [name, graph.input(`${part}.${name}`, "float32", [])]),
    ),
  );
  for (const { name, shape } of trained) {
    const parameter = graph.input(name, "float32", shape);
    let update = mul(graph.input(`sum/${name}`, "float32", shape), scale);
    const contexts = optimiser.map((transform, part) => ({
      name,
      parameter,
      scalars: scalars[part],
      slots: Object.fromEntries(
        Object.entries(transform.slots(shape)).map(([slot, s]) => [
          slot,
          graph.input(slotName(part, slot, name), "float32", s.shape),
        ]),
      ),
    }));
    optimiser.forEach((transform, part) => {
      const written = transform.write(update, contexts[part]);
      update = written.update;
      for (const [slot, next] of Object.entries(written.slots ?? {}))
        graph.output(`next/${slotName(part, slot, name)}`, next);
    });
    const next = sub(parameter, mul(update, rate));
    graph.output(`next/${name}`, next);
    optimiser.forEach((transform, part) => {
      for (const [slot, value] of Object.entries(transform.after?.(next, contexts[part]) ?? {}))
        graph.output(`next/${slotName(part, slot, name)}`, value);
    });
  }
  return exportOnnx(graph);
}
