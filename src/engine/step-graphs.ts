/** The three graphs of a training step: gradients of a micro-batch, their norm, the optimiser. See train.ts. */
import { exportOnnx } from "../graph/export.js";
import { gradients } from "../graph/grad.js";
import { Graph, type Tensor } from "../graph/graph.js";
import { withWinograd } from "../graph/winograd.js";
import { add, concat, emit, mul, reduceSum, reshape, sqrt, sub } from "../graph/ops.js";
import type { Optimiser } from "./optimiser.js";

/** Where an optimiser part keeps a slot: `1.m/blocks.0.w`. */
export const slotName = (part: number, slot: string, parameter: string): string => `${part}.${slot}/${parameter}`;

/** The model's loss and, for each trained parameter, what was summed so far plus this micro-batch's gradient. */
export function gradientGraph(loss: Tensor, trained: readonly Tensor[]): Uint8Array {
  const { graph } = loss;
  const grads = gradients(loss, trained);
  const outputs = new Map<string, Tensor>([["loss", loss]]);
  const known = new Map(graph.inputs.map((t) => [t.name, t])); // a second trainer on the same graph finds the first one's
  trained.forEach(({ name, shape }, i) => {
    const sum = known.get(`sum/${name}`) ?? graph.input(`sum/${name}`, "float32", shape);
    outputs.set(`gradient/${name}`, addTo(sum, grads[i]));
  });
  return exportOnnx(withWinograd(graph, outputs));
}

/** sum + gradient, where a matrix product can take the sum as its own third argument at no cost. */
function addTo(sum: Tensor, gradient: Tensor): Tensor {
  const made = gradient.producer;
  const product = made?.op === "Reshape" ? made.inputs[0]!.producer : made;
  if (product?.op !== "Gemm" || product.inputs[2]) return add(sum, gradient);
  const [a, b] = product.inputs;
  return reshape(emit("Gemm", [a, b, reshape(sum, product.outputs[0].shape)], product.attributes)[0], gradient.shape);
}

/**
 * sqrt of the sum of squares over all gradients (Pascanu et al. 2013). What each further replica summed (`sum1/...`, `sum2/...`)
 * is added first, in that order, and given back as `total/...`.
 */
export function normGraph(trained: readonly Tensor[], replicas: number): Uint8Array {
  const graph = new Graph("norm");
  const squares = trained.map(({ name, shape }) => {
    let total = graph.input(`sum/${name}`, "float32", shape);
    for (let i = 1; i < replicas; i++) total = add(total, graph.input(`sum${i}/${name}`, "float32", shape));
    if (replicas > 1) graph.output(`total/${name}`, total);
    return reshape(emit("ReduceSumSquare", [total], { keepdims: 0 })[0], [1]);
  });
  graph.output("norm", sqrt(reduceSum(concat(squares, 0))));
  return exportOnnx(graph);
}

/**
 * The optimiser: parameter - rate * update, and each part's new state. Every array is read by one node before its new value
 * is written, so that old and new may share memory.
 */
export function updateGraph(trained: readonly Tensor[], optimiser: Optimiser): Uint8Array {
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
