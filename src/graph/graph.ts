/**
 * The symbolic graph: `Tensor`s stand for arrays, `Node`s are ONNX operators between them. Shapes are concrete numbers and
 * are known when a node is written, so a wrong shape fails on the line that wrote it.
 *
 * A graph only grows; rewriting (rewrite.ts) makes a new one. Operators come from ONNX opset 21 (`OPSET`); older files are
 * brought to it on import, so that every rule knows one form.
 */
import { GraphError } from "../errors.js";
import { type DType, type NdArray, type Shape, sizeOf } from "../tensor/ndarray.js";

/** The opset every graph is written in: the newest that ONNX tools of the last two years accept. */
export const OPSET = 21;

/** A plain number is an integer; floating point is said (`{ float: 1 }`), since ONNX tells them apart. */
export type AttributeValue =
  | number
  | string
  | readonly number[]
  | readonly string[]
  | NdArray
  | { readonly float: number }
  | { readonly floats: readonly number[] };
export type NodeAttributes = Readonly<Record<string, AttributeValue | undefined>>;

export interface TensorType {
  readonly dtype: DType;
  readonly shape: Shape;
}

/** A symbolic array: what a node gives, what a graph takes, or a constant that holds its `value`. */
export interface Tensor extends TensorType {
  readonly graph: Graph;
  readonly name: string;
  /** The node that gives it; undefined for inputs, parameters and constants. */
  readonly producer?: GraphNode;
  /** A constant's numbers, known at build time. */
  readonly value?: NdArray;
}

export interface GraphNode {
  readonly op: string;
  /** `""` for ONNX's own operators, otherwise the extension (`com.microsoft`). */
  readonly domain: string;
  /** An optional input that is left out is undefined. */
  readonly inputs: readonly (Tensor | undefined)[];
  readonly outputs: readonly Tensor[];
  readonly attributes: NodeAttributes;
}

/**
 * Overrides the derivative of a tensor: `gradient` is what flows into it, the answer what flows into each of `inputs`.
 * A rule written in terms of the `inputs` it is handed (they may be recomputed ones) keeps no activation alive under
 * `checkpoint`.
 */
export interface CustomGradient {
  readonly inputs: readonly Tensor[];
  readonly vjp: (gradient: Tensor, inputs: readonly Tensor[]) => readonly (Tensor | undefined)[];
}

export class Graph {
  readonly nodes: GraphNode[] = [];
  readonly inputs: Tensor[] = [];
  /** Trainable or frozen arrays that are fed (training) or written into the file (inference). */
  readonly parameters: Tensor[] = [];
  readonly constants: Tensor[] = [];
  readonly outputs = new Map<string, Tensor>();
  /** By tensor name; written by `stopGradient` and `customGradient`. */
  readonly customGradients = new Map<string, CustomGradient>();
  readonly #names = new Set<string>();
  readonly #reserved = new Set<string>();
  readonly #constantsByContent = new Map<string, Tensor>();

  constructor(readonly name = "graph") {}

  /** An array fed at every run. */
  input(name: string, dtype: DType, shape: Shape): Tensor {
    const tensor = this.#tensor(name, { dtype, shape });
    this.inputs.push(tensor);
    return tensor;
  }

  /** An array that training changes, or that an adapter freezes. Its numbers live outside the graph, under the same name. */
  parameter(name: string, shape: Shape, dtype: DType = "float32"): Tensor {
    const tensor = this.#tensor(name, { dtype, shape });
    this.parameters.push(tensor);
    return tensor;
  }

  /** Numbers fixed when the graph is written; small equal ones are kept once. */
  constant(value: NdArray, name?: string): Tensor {
    const key = name === undefined && sizeOf(value.shape) <= 64 ? contentKey(value) : undefined;
    const known = key === undefined ? undefined : this.#constantsByContent.get(key);
    if (known) return known;
    const tensor = this.#tensor(name ?? this.fresh("const"), value, { value });
    this.constants.push(tensor);
    if (key !== undefined) this.#constantsByContent.set(key, tensor);
    return tensor;
  }

  /** Names a tensor as a result of the graph. */
  output(name: string, tensor: Tensor): Tensor {
    if (this.outputs.has(name)) throw new GraphError(`graph '${this.name}' already has an output '${name}'`);
    this.outputs.set(name, tensor);
    return tensor;
  }

  /** Appends a node whose output types are already known; `emit` (ops.ts) infers them first. */
  append(
    op: string,
    inputs: readonly (Tensor | undefined)[],
    attributes: NodeAttributes,
    types: readonly TensorType[],
    options: { domain?: string; names?: readonly string[] } = {},
  ): GraphNode {
    const { domain = "", names } = options;
    const outputs: Tensor[] = [];
    const node: GraphNode = { op, domain, inputs, outputs, attributes };
    types.forEach((type, i) => outputs.push(this.#tensor(names?.[i] || this.fresh(op), type, { producer: node })));
    this.nodes.push(node);
    return node;
  }

  /** A name not yet taken. */
  fresh(stem: string): string {
    for (let i = this.#names.size; ; i++) {
      const name = `${stem}_${i}`;
      if (!this.#names.has(name) && !this.#reserved.has(name)) return name;
    }
  }

  /** Keeps names from being given by `fresh`: a file's, whose tensors are written later. */
  reserve(names: Iterable<string>): void {
    for (const name of names) this.#reserved.add(name);
  }

  #tensor(name: string, type: TensorType, extra: { producer?: GraphNode; value?: NdArray } = {}): Tensor {
    if (this.#names.has(name)) throw new GraphError(`graph '${this.name}' already has a tensor named '${name}'`);
    this.#names.add(name);
    return { graph: this, name, dtype: type.dtype, shape: [...type.shape], ...extra };
  }
}

const contentKey = ({ dtype, shape, data }: NdArray): string =>
  `${dtype}[${shape.join()}]${Array.from(data as ArrayLike<unknown>).join()}`;

/** `float32 [2, 3]`, for messages. */
export const describeType = ({ dtype, shape }: TensorType): string => `${dtype} [${shape.join(", ")}]`;

/** The graph that a list of tensors belongs to; an error where they belong to two. */
export function graphOf(tensors: readonly (Tensor | undefined)[]): Graph {
  const present = tensors.filter((t): t is Tensor => t !== undefined);
  const [first] = present;
  if (!first) throw new GraphError("an operator needs at least one tensor");
  const other = present.find((t) => t.graph !== first.graph);
  if (other)
    throw new GraphError(
      `tensors '${first.name}' and '${other.name}' belong to different graphs ('${first.graph.name}', '${other.graph.name}')`,
    );
  return first.graph;
}
