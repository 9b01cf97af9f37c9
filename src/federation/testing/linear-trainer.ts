/**
 * Trainers with exact answers, for tests and simulations: least squares by full-batch descent on made-up samples. Sites share a
 * true slope; each has its own shift (climate) and volume.
 */
import { float32 } from "../../tensor/ndarray.js";
import { random } from "../../tensor/random.js";
import type { Parameters } from "../protocol/parameters.js";
import type { LocalTrainer, SkillRow, Trained } from "../protocol/trainer.js";

export interface LinearOptions {
  readonly seed: number;
  readonly features?: number;
  readonly samples?: number;
  /** How far the site's truth is from the others'. */
  readonly shift?: number;
  /** Whether the truth is the others' turned round: another climate. */
  readonly turned?: boolean;
  readonly noise?: number;
  readonly rate?: number;
  /** Milliseconds a training takes at least. */
  readonly delay?: number;
  /** Labels turned round, or a way to spoil what was trained. */
  readonly hostile?: "label-flip" | ((trained: Float32Array, model: Float32Array) => Float32Array);
  readonly variables?: readonly string[];
}

/** Parameters of the linear model, zeros. */
export const linearModel = (features = 5): Parameters =>
  new Map([["w", float32([features], new Float32Array(features))]]);

export function linearTrainer({
  seed,
  features = 5,
  samples = 40,
  shift = 0,
  turned = false,
  noise = 0.1,
  rate = 0.1,
  delay = 0,
  hostile,
  variables = ["t2m"],
}: LinearOptions): LocalTrainer {
  const common = random(77);
  const rng = random(seed).split("site");
  const truth = Float64Array.from(
    { length: features },
    () => (turned ? -1 : 1) * common.normal() + shift * rng.normal(),
  );
  const draw = (n: number): { x: Float64Array; y: number }[] =>
    Array.from({ length: n }, () => {
      const x = Float64Array.from({ length: features }, () => rng.normal());
      return { x, y: x.reduce((s, v, i) => s + v * truth[i], 0) + noise * rng.normal() };
    });
  const [training, held] = [draw(samples), draw(features > 1000 ? 2 : 200)];
  if (hostile === "label-flip") training.forEach((s) => (s.y = -s.y));
  const error = (w: Float32Array, { x, y }: { x: Float64Array; y: number }): number =>
    x.reduce((s, v, i) => s + v * w[i], 0) - y;

  return {
    describe: () => ({ samples, variables, device: "test" }),
    async train(params, { budget, offset, proximal, signal }): Promise<Trained> {
      const model = params.get("w")!.data;
      let w = model.slice();
      const steps = budget.steps ?? 10;
      for (let k = 0; k < steps; k++) {
        const g = new Float64Array(features);
        for (const s of training) {
          const e = error(w, s) / training.length;
          for (let i = 0; i < features; i++) g[i] += e * s.x[i];
        }
        const extra = (i: number): number =>
          (offset?.get("w")?.data[i] ?? 0) +
          (proximal ? proximal.weight * (w[i] - proximal.anchor.get("w")!.data[i]) : 0);
        w = w.map((v, i) => v - rate * (g[i] + extra(i)));
      }
      if (delay) await paused(delay, signal);
      signal?.throwIfAborted();
      if (typeof hostile === "function") w = hostile(w, model) as typeof w;
      return { params: new Map([["w", float32([features], w)]]), steps, learningRate: rate, loss: 1 };
    },
    async gradient(params, batch) {
      const w = params.get("w")!.data;
      const draws = random(batch.seed).permutation(training.length);
      const picked = batch.size === "large" ? training : [...draws.subarray(0, 8)].map((i) => training[i]);
      const g = new Float32Array(features);
      for (const s of picked) {
        const e = error(w, s) / picked.length;
        for (let i = 0; i < features; i++) g[i] += e * s.x[i];
      }
      return new Map([["w", float32([features], g)]]);
    },
    async evaluate(params): Promise<SkillRow[]> {
      const w = params.get("w")!.data;
      const squares = held.map((s) => error(w, s) ** 2);
      return [{ metric: "rmse", value: Math.sqrt(squares.reduce((a, b) => a + b, 0) / held.length), n: held.length }];
    },
  };
}

/** Waits, but not longer than until aborted. */
const paused = (milliseconds: number, signal?: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const done = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, milliseconds);
    signal?.addEventListener("abort", done);
  });
