/**
 * Dropout (Srivastava et al. 2014) with masks that are fed: drawn from the run's own random numbers, they are the same in a
 * resumed run and on every device.
 */
import type { Graph, Tensor } from "../graph/graph.js";
import { mul } from "../graph/ops.js";
import { type NdArray, sizeOf } from "../tensor/ndarray.js";
import type { Random } from "../tensor/random.js";

export interface FedDropout {
  /** x with entries along `axes` dropped at the rate (the same ones along all other axes) and the rest scaled up. */
  apply(x: Tensor, options: { rate: number; axes: readonly number[] }): Tensor;
  /** Masks for one run. */
  draw(rng: Random): Record<string, NdArray>;
}

export function feedDropout(graph: Graph): FedDropout {
  const masks: { tensor: Tensor; rate: number }[] = [];
  return {
    apply(x, { rate, axes }) {
      if (rate === 0) return x;
      const tensor = graph.input(
        `dropout.${masks.length}`,
        "float32",
        x.shape.map((n, i) => (axes.includes(i) ? n : 1)),
      );
      masks.push({ tensor, rate });
      return mul(x, tensor);
    },
    draw: (rng) =>
      Object.fromEntries(
        masks.map(({ tensor: { name, shape }, rate }) => {
          const data = new Float32Array(sizeOf(shape)).map(() => (rng.uniform() < rate ? 0 : 1 / (1 - rate)));
          return [name, { dtype: "float32", shape, data } satisfies NdArray];
        }),
      ),
  };
}
