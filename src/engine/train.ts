/**
 * A training step in three small graphs, all run by ONNX Runtime on arrays that never leave it:
 *
 * 1. `gradient`: the model, its loss and their derivatives for one micro-batch, added to what earlier micro-batches gave;
 * 2. `norm`: the sums of all replicas added up, and their global norm, so that a bad step is seen before it is taken;
 * 3. `update`: clipping and the optimiser, one chain of nodes a parameter, written over the parameters in place.
 *
 * A step over many samples runs graph 1 several times on few: activations then fit the processor's caches and memory does
 * not grow with the batch. Several micro-batches are worked on at once where there are threads for it (replicas.ts).
 *
 *     const trainer = await createTrainer(runtime, { loss, parameters, optimiser: adamW() });
 *     const { loss, gradientNorm } = await trainer.step(microBatches, { learningRate: 1e-3 });
 */
import { FoehnError, GraphError } from "../errors.js";
import { exportOnnx } from "../graph/export.js";
import type { Tensor } from "../graph/graph.js";
import { withWinograd } from "../graph/winograd.js";
import type { NdArray } from "../tensor/ndarray.js";
import { firstNonFinite } from "./diagnose.js";
import type { Optimiser } from "./optimiser.js";
import type { Parameters } from "./parameters.js";
import { keepReplica, openTeam, prefixed, replicasFor, type Team } from "./replicas.js";
import type { Feeds, Resident, Runtime, Session } from "./runtime.js";
import { gradientGraph, normGraph, slotName, updateGraph } from "./step-graphs.js";

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
  /**
   * How many micro-batches are worked on at once, each on an equal part of the runtime's threads. Where left out, one a thread of
   * a CPU (at most 8), as far as the first step's micro-batches share out equally. Sums of another number of replicas are
   * rounded otherwise: a run that is to be repeated to the bit keeps the number.
   */
  replicas?: number;
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
  /** Milliseconds spent so far in each of the three graphs, and in carrying gradients and parameters between replicas. */
  readonly timings: Readonly<Record<"gradient" | "norm" | "update" | "exchange", number>>;
  /** One optimiser step over equally large micro-batches; throws, changing nothing, where the loss or gradient is not finite. */
  train(microBatches: readonly Feeds[], options: { learningRate: number }): Promise<StepResult>;
  /** The evaluation loss of a micro-batch with the parameters as they stand, or with their running average. */
  evaluate(microBatch: Feeds, options?: { average?: boolean }): Promise<number>;
  /** A copy of the parameters; `average` gives their running average where the optimiser tracks one. */
  parameters(options?: { average?: boolean }): Promise<Parameters>;
  state(): Promise<TrainerState>;
  close(): Promise<void>;
}

export async function createTrainer(runtime: Runtime, options: TrainerOptions): Promise<Trainer> {
  const { loss, evaluation = loss, optimiser, clipNorm = Infinity, trainable = () => true, state } = options;
  const { graph } = loss;
  for (const { name } of graph.parameters)
    if (!options.parameters.has(name))
      throw new GraphError(`parameter '${name}' of graph '${graph.name}' has no numbers`);
  const trained = graph.parameters.filter((p) => trainable(p.name));
  if (trained.length === 0) throw new GraphError(`no parameter of graph '${graph.name}' is trainable`);

  const model = gradientGraph(loss, trained);
  const updateSession = await runtime.load(updateGraph(trained, optimiser));
  const lossSession = await runtime.load(exportOnnx(withWinograd(evaluation.graph, new Map([["loss", evaluation]]))));

  // Everything that lives beside the sessions
  const numbers = new Map(graph.parameters.map(({ name }) => [name, options.parameters.get(name)!]));
  const first = await keepReplica(runtime, numbers, trained);
  const { parameters: kept, sums } = first;
  const slots = new Map<string, Resident>();
  for (const p of trained)
    for (const [part, transform] of optimiser.entries())
      for (const [slot, { shape, start = "zero" }] of Object.entries(transform.slots(p.shape))) {
        const name = slotName(part, slot, p.name);
        const saved = state?.arrays.get(name);
        if (state && !saved)
          throw new FoehnError(`the saved optimiser state has no '${name}': it belongs to another optimiser or model`);
        const from = saved ?? (start === "parameter" ? options.parameters.get(p.name)! : undefined);
        slots.set(name, await (from ? runtime.keep(from) : runtime.zeros(shape)));
      }
  const parameterFeeds = Object.fromEntries(kept);
  const sumFeeds = prefixed("sum/", sums);
  const slotFeeds = Object.fromEntries(slots);
  const updateTargets: Record<string, Resident> = {};
  for (const p of trained) updateTargets[`next/${p.name}`] = kept.get(p.name)!;
  for (const [name, resident] of slots) updateTargets[`next/${name}`] = resident;

  /** The running averages of the trained parameters, by parameter. */
  const averages = (): Record<string, Resident> => {
    const part = optimiser.findIndex((t) => "average" in t.slots([1]));
    if (part < 0) throw new FoehnError("this optimiser keeps no average of the weights; add trackAverage()");
    return Object.fromEntries(trained.map((p) => [p.name, slots.get(slotName(part, "average", p.name))!]));
  };

  /** Opened by the first step, which tells how many micro-batches there are to share out. */
  const openAll = async (microBatches: number): Promise<{ team: Team; normSession: Session }> => {
    const size = options.replicas ?? replicasFor(microBatches, runtime);
    const team = await openTeam(first, { model, size, trained });
    return { team, normSession: await runtime.load(normGraph(trained, size)) };
  };
  let opened: ReturnType<typeof openAll> | undefined;

  let step = state?.step ?? 0;
  const timings = { gradient: 0, norm: 0, update: 0, exchange: 0 };
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
      const { team, normSession } = await (opened ??= openAll(microBatches.length));
      const losses = await timed("gradient", team.gradient(microBatches));
      const others = await timed("exchange", team.otherSums());
      const into = team.size > 1 ? prefixed("total/", sums) : {};
      const { norm } = await timed("norm", normSession.run({ ...sumFeeds, ...others }, { into }));
      const total = losses.reduce((a, b) => a + b, 0);
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
      await timed("exchange", team.share(sums.keys()));
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
    async close() {
      const { team, normSession } = (await opened?.catch(() => undefined)) ?? {}; // its own failure was told by train()
      await team?.close();
      for (const session of [normSession, updateSession, lossSession]) await session?.close();
      for (const resident of [...kept.values(), ...sums.values(), ...slots.values()]) await runtime.release(resident);
    },
  };
}

const number = (value: number): NdArray => ({ dtype: "float32", shape: [], data: Float32Array.of(value) });
