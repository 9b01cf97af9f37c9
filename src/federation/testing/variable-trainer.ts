/**
 * Sites with different variables: an array `trunk` that all train and an array a variable, each drawn towards the site's own
 * target, so that every mean is known. For tests.
 */
import { float32 } from "../../tensor/ndarray.js";
import type { Parameters } from "../protocol/parameters.js";
import type { LocalTrainer } from "../protocol/trainer.js";

export interface VariableOptions {
  /** The variables the site has, and the value each of their parameters is drawn to. */
  readonly targets: Readonly<Record<string, number>>;
  readonly trunk?: number;
  readonly samples?: number;
  readonly steps?: number;
}

/** Zeros: a trunk of 3 numbers, 2 a variable. */
export const variableModel = (variables: readonly string[]): Parameters =>
  new Map([
    ["trunk", float32([3], new Float32Array(3))],
    ...variables.map((v) => [`var.${v}`, float32([2], new Float32Array(2))] as const),
  ]);

/** Moves the arrays it has all the way to their targets, and returns these arrays alone. */
export function variableTrainer({ targets, trunk = 1, samples = 10, steps = 2 }: VariableOptions): LocalTrainer {
  const wanted = new Map([["trunk", trunk], ...Object.entries(targets).map(([v, t]) => [`var.${v}`, t] as const)]);
  return {
    describe: () => ({ samples, variables: Object.keys(targets), device: "test" }),
    async train(params) {
      const made = new Map(
        [...wanted].map(([name, target]) => {
          const { shape, data } = params.get(name)!;
          return [name, float32(shape, new Float32Array(data.length).fill(target))] as const;
        }),
      );
      return { params: made, arrays: [...wanted.keys()], steps, learningRate: 0.5, loss: 1 };
    },
    async evaluate(params) {
      return [...wanted].map(([name, target]) => {
        const { data } = params.get(name)!;
        const square = data.reduce((s, v) => s + (v - target) ** 2, 0) / data.length;
        return { metric: "rmse", variable: name.replace("var.", ""), value: Math.sqrt(square), n: 1 };
      });
    },
  };
}
