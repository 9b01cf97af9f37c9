/**
 * Somebody else's model, trained further: parameters chosen by pattern, a loss attached to its outputs.
 *
 *     const model = importOnnx(bytes, { source: "fuxi.onnx" });
 *     const task = fineTune(model, {
 *       train: ["head.*", /norm/],
 *       loss: (outputs, graph) => reduceMean(square(sub(outputs.y, graph.input("target", "float32", outputs.y.shape)))),
 *     });
 *     const trainer = await createTrainer(runtime, { ...task, optimiser: adamW() });
 */
import { GraphError, nearest } from "../errors.js";
import type { Graph, Tensor } from "../graph/graph.js";
import type { ImportedModel } from "../graph/import.js";
import type { NdArray } from "../tensor/ndarray.js";

/** A name in which `*` stands for any letters, or a regular expression. */
export type Pattern = string | RegExp;

export interface FineTuneOptions {
  /** Which parameters train: all that match one of these. */
  train: readonly Pattern[];
  /** From the model's outputs to a scalar; writes the inputs it needs (targets) into the graph. */
  loss: (outputs: Readonly<Record<string, Tensor>>, graph: Graph) => Tensor;
}

export interface FineTuneTask {
  readonly loss: Tensor;
  readonly parameters: ReadonlyMap<string, NdArray>;
  readonly trainable: (name: string) => boolean;
  /** Names that train, in the file's order. */
  readonly trained: readonly string[];
}

/** Whether a name matches one of the patterns. */
export const matches = (name: string, patterns: readonly Pattern[]): boolean =>
  patterns.some((p) => (typeof p === "string" ? globOf(p) : p).test(name));

const globOf = (glob: string): RegExp =>
  new RegExp(
    `^${glob
      .split("*")
      .map((part) => part.replace(/[.+?^${}()|[\]\\]/g, "\\$&"))
      .join(".*")}$`,
  );

/** What `createTrainer` needs to train the chosen parameters of an imported model. */
export function fineTune(model: ImportedModel, options: FineTuneOptions): FineTuneTask {
  const { graph, parameters } = model;
  const names = graph.parameters.map((p) => p.name);
  for (const pattern of options.train)
    if (!names.some((name) => matches(name, [pattern]))) {
      const near = typeof pattern === "string" ? nearest(pattern, names) : undefined;
      const few = names.slice(0, 5).join("', '");
      throw new GraphError(
        `no parameter of '${graph.name}' matches ${pattern instanceof RegExp ? String(pattern) : `'${pattern}'`}; ${near ? `did you mean '${near}'?` : `there are '${few}'${names.length > 5 ? `, ... (${names.length})` : ""}`}`,
      );
    }
  const trained = names.filter((name) => matches(name, options.train));
  const odd = graph.parameters.find((p) => trained.includes(p.name) && p.dtype !== "float32");
  if (odd) throw new GraphError(`parameter '${odd.name}' is ${odd.dtype}; only float32 parameters train`);
  const loss = options.loss(Object.fromEntries(graph.outputs), graph);
  return { loss, parameters, trained, trainable: (name) => trained.includes(name) };
}
