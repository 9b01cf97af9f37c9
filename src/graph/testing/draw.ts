/** Random shapes, attributes and numbers for the checks of operators: one `Draw` writes one small graph with its inputs. */
import { type DType, type NdArray, type Shape, sizeOf, TYPED_ARRAYS } from "../../tensor/ndarray.js";
import { random, type Random } from "../../tensor/random.js";
import { Graph, type Tensor } from "../graph.js";
import { scalar } from "../ops.js";

/** Where an input's numbers lie: kinks and poles of the operator under test are kept away from. */
export type Values =
  | "normal"
  /** 0.5 to 2 */
  | "positive"
  /** of either sign, at least 0.3 from 0 */
  | "away"
  /** no two nearer than 0.15, none nearer than 0.07 to 0 */
  | "distinct"
  /** -0.8 to 0.8 */
  | "unit"
  /** 1.3 to 3 */
  | "aboveOne";

export interface Draw {
  readonly graph: Graph;
  readonly dtype: "float32" | "float64";
  /** Inputs that the derivative is taken by, with their numbers. */
  readonly inputs: { readonly tensor: Tensor; readonly value: NdArray }[];
  int(from: number, to: number): number;
  pick<T>(list: readonly T[]): T;
  /** Sizes 1 to `size`, `from` to `to` of them. */
  shape(from: number, to: number, size?: number): number[];
  /** A differentiable input. */
  x(shape: Shape, values?: Values): Tensor;
  /** An integer or Boolean constant. */
  fixed(dtype: DType, shape: Shape, values: ArrayLike<number>): Tensor;
  /** A constant of the float type under test. */
  number(value: number): Tensor;
  /** Two to `count` shapes that broadcast to one another. */
  broadcast(count?: number): number[][];
}

export function draw(seed: number, dtype: "float32" | "float64"): Draw {
  const rng = random(seed);
  const graph = new Graph(`case-${seed}`);
  const inputs: Draw["inputs"] = [];
  const int = (from: number, to: number) => from + rng.integer(to - from + 1);
  const shape = (from: number, to: number, size = 4) => Array.from({ length: int(from, to) }, () => int(1, size));
  return {
    graph,
    dtype,
    inputs,
    int,
    shape,
    pick: (list) => list[rng.integer(list.length)],
    x(of, values = "normal") {
      const data = new TYPED_ARRAYS[dtype](numbers(rng, sizeOf(of), values));
      const tensor = graph.input(`x${inputs.length}`, dtype, of);
      inputs.push({ tensor, value: { dtype, shape: of, data } });
      return tensor;
    },
    fixed(type, of, values) {
      const list = Array.from(values);
      const data =
        type === "int64" ? BigInt64Array.from(list, BigInt) : new TYPED_ARRAYS[type as "int32"](list as never);
      return graph.constant({ dtype: type, shape: of, data });
    },
    number: (value) => scalar(graph, value, dtype),
    broadcast(count = 2) {
      const full = shape(1, 4);
      return Array.from({ length: count }, () => {
        const lead = rng.uniform() < 0.3 ? int(0, full.length) : 0;
        return full.slice(lead).map((n) => (rng.uniform() < 0.3 ? 1 : n));
      });
    },
  };
}

function numbers(rng: Random, count: number, values: Values): number[] {
  const order = values === "distinct" ? rng.permutation(count) : undefined;
  return Array.from({ length: count }, (_, i) => {
    const u = rng.uniform();
    switch (values) {
      case "normal":
        return rng.normal();
      case "positive":
        return 0.5 + 1.5 * u;
      case "away":
        return (rng.uniform() < 0.5 ? -1 : 1) * (0.3 + 1.7 * u);
      case "distinct":
        return 0.2 * (order![i] - Math.floor(count / 2)) + 0.1 + 0.05 * (u - 0.5);
      case "unit":
        return 1.6 * u - 0.8;
      case "aboveOne":
        return 1.3 + 1.7 * u;
    }
  });
}
