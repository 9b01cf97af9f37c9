/** What the engine's benchmarks share: numbers to work on, and the median time of repeated work. */
import { type NdArray, sizeOf } from "../src/tensor/ndarray.js";
import { random } from "../src/tensor/random.js";

/** Standard normal numbers. */
export const noise = (shape: readonly number[], seed: number): NdArray => {
  const rng = random(seed);
  return { dtype: "float32", shape, data: new Float32Array(sizeOf(shape)).map(() => rng.normal()) };
};

export const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];

/** Median milliseconds of `count` repetitions after two that do not count. */
export async function times(count: number, work: () => Promise<unknown>): Promise<number> {
  const out: number[] = [];
  for (let i = 0; i < count + 2; i++) {
    const began = performance.now();
    await work();
    if (i >= 2) out.push(performance.now() - began);
  }
  return median(out);
}
