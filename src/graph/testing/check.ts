/**
 * The check of a derivative rule: for outputs y(x) with fixed random weights w, the derivative of s(x) = sum w y along a
 * random direction d by central differences, (s(x + h d) - s(x - h d)) / 2h, against the rule's sum of gradient times d.
 * Three directions: a wrong element escapes all of them with probability zero. Sums are taken here in float64.
 *
 * Steps and tolerances: in float64 h = 1e-5 leaves an error near 1e-10 from h^2 and 1e-11 from rounding, so 1e-7 of the
 * terms' size is safe. In float32 a value is rounded by 6e-8 of itself; h = 0.02 makes that 3e-6 and the third derivative's
 * share h^2 / 6 = 7e-5 of it, so 3e-3 of the terms' size tells a right rule from a wrong one.
 */
import { FoehnError } from "../../errors.js";
import { type NdArray, sizeOf, TYPED_ARRAYS, toNumbers } from "../../tensor/ndarray.js";
import { random } from "../../tensor/random.js";
import { exportOnnx } from "../export.js";
import { gradients } from "../grad.js";
import type { Tensor } from "../graph.js";
import { add, mul, reduceSum } from "../ops.js";
import { type Draw, draw } from "./draw.js";

/** The part of an engine's runtime that the check needs. */
export interface Evaluator {
  load(model: Uint8Array): Promise<{
    run(feeds: Readonly<Record<string, NdArray>>): Promise<Record<string, NdArray>>;
    close(): Promise<void>;
  }>;
}

export interface OpCase {
  /** Tells several cases of one operator apart. */
  readonly name?: string;
  /** float32 where ONNX Runtime's CPU kernels take no float64. */
  readonly dtype?: "float32";
  /** Whether the second derivative is checked too; false with the reason where it does not exist or is not written. */
  readonly second?: string;
  /** Relative to the default tolerance, with its reason beside it. */
  readonly tolerance?: number;
  readonly write: (d: Draw) => Tensor | readonly Tensor[];
}

const DIRECTIONS = 3;

/** Runs one case from one seed; throws where shapes or derivatives do not agree. `order` 2 checks the gradient's own gradient. */
export async function checkCase(
  evaluator: Evaluator,
  spec: OpCase,
  options: { seed: number; order: 1 | 2 },
): Promise<void> {
  const { seed, order } = options;
  const d = draw(seed, spec.dtype ?? "float64");
  const first = [spec.write(d)].flat();
  const xs = d.inputs.map((i) => i.tensor);
  let ys = first.filter((y) => y.dtype === d.dtype);
  if (order === 2) ys = gradientsOf(ys, xs, seed + 1);
  const weights = ys.map((y, i) => weightsFor(y, seed + 10 * i));
  const grads = weightedGradients(ys, weights, xs);
  const outputs = new Map<string, Tensor>();
  ys.forEach((y, i) => outputs.set(`y${i}`, y));
  grads.forEach((g, i) => outputs.set(`g${i}`, g));
  if (order === 1) first.forEach((y, i) => outputs.set(`first${i}`, y));
  const session = await evaluator.load(exportOnnx(d.graph, { outputs }));
  try {
    const at = (values: readonly NdArray[]) =>
      session.run(Object.fromEntries(d.inputs.map(({ tensor }, i) => [tensor.name, values[i]])));
    const here = await at(d.inputs.map((i) => i.value));
    for (const [name, tensor] of outputs)
      if (here[name].shape.join() !== tensor.shape.join() || here[name].dtype !== tensor.dtype)
        throw new FoehnError(
          `${name} was inferred as ${tensor.dtype} [${tensor.shape.join()}], ONNX Runtime gave ${here[name].dtype} [${here[name].shape.join()}]`,
        );
    const weighted = (results: Record<string, NdArray>): { sum: number; size: number } => {
      let [sum, size] = [0, 0];
      ys.forEach((_, i) => {
        const y = toNumbers(results[`y${i}`]);
        const w = toNumbers(weights[i].value!);
        for (let k = 0; k < y.length; k++) {
          sum += y[k] * w[k];
          size += Math.abs(y[k] * w[k]);
        }
      });
      return { sum, size };
    };
    const double = d.dtype === "float64";
    const h = double ? 1e-5 : 0.02;
    const rng = random(seed).split("directions");
    for (let k = 0; k < DIRECTIONS; k++) {
      const direction = d.inputs.map(({ value }) =>
        Float64Array.from({ length: sizeOf(value.shape) }, () => 2 * rng.uniform() - 1),
      );
      const moved = (sign: number) =>
        d.inputs.map(({ value }, i): NdArray => {
          const x = toNumbers(value);
          const data = new TYPED_ARRAYS[d.dtype](x.length);
          for (let j = 0; j < x.length; j++) data[j] = x[j] + sign * h * direction[i][j];
          return { ...value, data };
        });
      const [plus, minus] = [weighted(await at(moved(1))), weighted(await at(moved(-1)))];
      const expected = (plus.sum - minus.sum) / (2 * h);
      let [got, size] = [0, 1e-3];
      d.inputs.forEach((_, i) => {
        const g = toNumbers(here[`g${i}`]);
        for (let j = 0; j < g.length; j++) {
          got += g[j] * direction[i][j];
          size += Math.abs(g[j] * direction[i][j]);
        }
      });
      const tolerance = (double ? 1e-7 : 3e-3) * (spec.tolerance ?? 1);
      // Of the sums, and of terms of size 1 that may cancel within the graph
      const rounding = ((double ? 1e-14 : 1e-7) * (plus.size + 1)) / h;
      if (!(Math.abs(got - expected) <= tolerance * size + rounding))
        throw new FoehnError(
          `seed ${seed}: along direction ${k} the rule gives ${got}, finite differences ${expected} (shapes ${xs.map((x) => `[${x.shape.join()}]`).join(" ")})`,
        );
    }
  } finally {
    await session.close();
  }
}

function weightsFor(y: Tensor, seed: number): Tensor {
  const rng = random(seed).split("weights");
  const data = new TYPED_ARRAYS[y.dtype as "float64"](sizeOf(y.shape)).map(() => rng.normal());
  return y.graph.constant({ dtype: y.dtype, shape: y.shape, data }, y.graph.fresh("weights"));
}

/** Gradients by xs of the sum over ys of weights times y. */
function weightedGradients(ys: readonly Tensor[], weights: readonly Tensor[], xs: readonly Tensor[]): Tensor[] {
  if (ys.length === 1) return gradients(ys[0], xs, { seed: weights[0] });
  return gradients(ys.map((y, i) => reduceSum(mul(y, weights[i]))).reduce(add), xs);
}

function gradientsOf(ys: readonly Tensor[], xs: readonly Tensor[], seed: number): Tensor[] {
  return weightedGradients(
    ys,
    ys.map((y, i) => weightsFor(y, seed + 10 * i)),
    xs,
  );
}
