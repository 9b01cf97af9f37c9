/**
 * Parameters by name, with how each starts. A model asks a scope for what it needs:
 *
 *     const p = scope(graph);
 *     const y = linear(x, p.param("w", [4, 16], normal(0.02)), p.param("b", [16], zero));
 *     const numbers = initialise(p, random(1));
 */
import { GraphError } from "../errors.js";
import type { Graph, Tensor } from "../graph/graph.js";
import { type NdArray, type Shape, sizeOf } from "../tensor/ndarray.js";
import { type Random, random } from "../tensor/random.js";

/** Fills an array of the given shape with starting values. */
export type Initialiser = (shape: Shape, rng: Random) => Float32Array;

export const zero: Initialiser = (shape) => new Float32Array(sizeOf(shape));
export const one: Initialiser = (shape) => new Float32Array(sizeOf(shape)).fill(1);
/** Normal of the given deviation, redrawn beyond two deviations (the "trunc_normal" of vision transformers). */
export const truncatedNormal =
  (deviation: number): Initialiser =>
  (shape, rng) =>
    new Float32Array(sizeOf(shape)).map(() => {
      for (;;) {
        const z = rng.normal();
        if (Math.abs(z) <= 2) return z * deviation;
      }
    });
/** Uniform in +-sqrt(6 / (in + out)) for a matrix [in, out] (Glorot and Bengio 2010). */
export const glorot: Initialiser = (shape, rng) => {
  const limit = Math.sqrt(6 / (shape[0] + shape[shape.length - 1]));
  return new Float32Array(sizeOf(shape)).map(() => (2 * rng.uniform() - 1) * limit);
};
/** Normal of variance 2 / fan-in for a kernel [out, in, ...] before a rectifier (He et al. 2015). */
export const he: Initialiser = (shape, rng) => {
  const deviation = Math.sqrt(2 / sizeOf(shape.slice(1)));
  return new Float32Array(sizeOf(shape)).map(() => rng.normal() * deviation);
};
/** Uniform in +-1 / sqrt(fan-in) for a kernel [out, in, ...] (LeCun et al. 1998). */
export const lecun: Initialiser = (shape, rng) => {
  const limit = 1 / Math.sqrt(sizeOf(shape.slice(1)));
  return new Float32Array(sizeOf(shape)).map(() => (2 * rng.uniform() - 1) * limit);
};
/** The given numbers. */
export const values =
  (array: ArrayLike<number>): Initialiser =>
  () =>
    Float32Array.from(array);

export interface Scope {
  readonly graph: Graph;
  /** A parameter named within this scope; asked for again, the same one (a network applied twice shares its weights). */
  param(name: string, shape: Shape, init: Initialiser): Tensor;
  /** A scope whose names begin with `name.` */
  child(name: string): Scope;
  /** How every parameter of the graph starts, by full name. */
  readonly initialisers: ReadonlyMap<string, { shape: Shape; init: Initialiser }>;
}

/** The outermost scope of a graph. */
export function scope(graph: Graph): Scope {
  const initialisers = new Map<string, { shape: Shape; init: Initialiser }>();
  const tensors = new Map<string, Tensor>();
  const within = (prefix: string): Scope => ({
    graph,
    initialisers,
    param(name, shape, init) {
      const full = prefix + name;
      const known = tensors.get(full);
      if (known && known.shape.join() !== shape.join())
        throw new GraphError(
          `parameter '${full}' is [${known.shape.join(", ")}], but is asked for again as [${shape.join(", ")}]`,
        );
      const tensor = known ?? graph.parameter(full, shape);
      tensors.set(full, tensor);
      initialisers.set(full, { shape, init });
      return tensor;
    },
    child: (name) => within(`${prefix}${name}.`),
  });
  return within("");
}

export type Parameters = Map<string, NdArray<"float32">>;

/** Starting numbers of every parameter; each has its own stream, so adding one does not change the others. */
export function initialise(from: Scope, options: { seed: number }): Parameters {
  const rng = random(options.seed).split("parameters");
  const entries = [...from.initialisers].map(([name, { shape, init }]): [string, NdArray<"float32">] => {
    const data = init(shape, rng.split(name));
    if (data.length !== sizeOf(shape))
      throw new GraphError(
        `parameter '${name}' of shape [${shape.join(", ")}] was started with ${data.length} numbers`,
      );
    return [name, { dtype: "float32", shape, data }];
  });
  return new Map(entries);
}
