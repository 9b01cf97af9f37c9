/**
 * A small benchmark of robust rules that gives the same numbers on every machine: ten honest sites and three hostile ones train
 * a softmax regression (20 features, 10 classes) for 400 rounds with worker momentum 0.9, rate 0.1, batches of 25. `gamma` is the
 * share of the data dealt at random; the rest is dealt sorted by label: at 0, sites are as unlike as can be.
 * Settings after ByzFL (Gonzalez et al. 2025). A cell is the test accuracy at the end; its standard error is about 0.006.
 *
 *   byzantineBenchmark(robustRule("median", { f: 3 }), { attack: "sign-flip", gamma: 1 })
 */
import { UsageError } from "../../errors.js";
import { aggregate, type Rule } from "./aggregate.js";
import { aLittleIsEnough, innerProduct, signFlip, workerMomentum } from "./attacks.js";
import { argsort, mean, memoryRows, type Vector } from "./rows.js";

const [FEATURES, CLASSES, TRAINING, TESTING, HONEST, HOSTILE] = [20, 10, 4000, 2000, 10, 3];
const WEIGHTS = (FEATURES + 1) * CLASSES;
const BATCH = 25;

/** The benchmark's own uniform numbers (mulberry32), so that its data are the same in any language. */
export function mulberry32(seed: number): () => number {
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = Math.imul(a ^ (a >>> 15), a | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

function normals(uniform: () => number, n: number): Float64Array {
  const out = new Float64Array(n);
  for (let i = 0; i < n; i += 2) {
    const u = Math.max(uniform(), 1e-12);
    const v = uniform();
    const radius = Math.sqrt(-2 * Math.log(u));
    out[i] = radius * Math.cos(2 * Math.PI * v);
    if (i + 1 < n) out[i + 1] = radius * Math.sin(2 * Math.PI * v);
  }
  return out;
}

interface Samples {
  readonly x: Float64Array;
  readonly y: Uint8Array;
}

let made: { training: Samples; testing: Samples } | undefined;
/** Ten Gaussian clouds, from seed 42. */
export function clouds(): { training: Samples; testing: Samples } {
  if (made) return made;
  const uniform = mulberry32(42);
  const centres = normals(uniform, CLASSES * FEATURES).map((v) => v * 0.9);
  const draw = (n: number): Samples => {
    const y = Uint8Array.from({ length: n }, () => Math.floor(uniform() * CLASSES));
    const noise = normals(uniform, n * FEATURES);
    return { y, x: noise.map((v, i) => centres[y[Math.floor(i / FEATURES)] * FEATURES + (i % FEATURES)] + 1.2 * v) };
  };
  const training = draw(TRAINING);
  return (made = { training, testing: draw(TESTING) });
}

/** The samples of each site; numpy's `array_split` gives the first sites one more where it does not divide. */
export function dealt(gamma: number, sites = HONEST): number[][] {
  const { y } = clouds().training;
  const all = Array.from({ length: TRAINING }, (_, i) => i);
  const mixedUp = Math.floor(TRAINING * gamma);
  const byLabel = argsort(y.subarray(mixedUp)).map((i) => i + mixedUp);
  const parts = (items: readonly number[]): number[][] => {
    const [size, more] = [Math.floor(items.length / sites), items.length % sites];
    return Array.from({ length: sites }, (_, s) => {
      const start = s * size + Math.min(s, more);
      return items.slice(start, start + size + (s < more ? 1 : 0));
    });
  };
  const labelled = parts(byLabel);
  return parts(all.slice(0, mixedUp)).map((part, s) => [...part, ...labelled[s]]);
}

/** Class probabilities of one sample under weights W ((features + 1) x classes, the last row the bias). */
function softmax({ x }: Samples, sample: number, W: Vector, out: Float64Array): void {
  for (let c = 0; c < CLASSES; c++) {
    let z = W[FEATURES * CLASSES + c];
    for (let j = 0; j < FEATURES; j++) z += x[sample * FEATURES + j] * W[j * CLASSES + c];
    out[c] = z;
  }
  const top = Math.max(...out);
  let total = 0;
  for (let c = 0; c < CLASSES; c++) total += out[c] = Math.exp(out[c] - top);
  for (let c = 0; c < CLASSES; c++) out[c] /= total;
}

/** The gradient of the mean cross-entropy over a batch; `label` may lie about a sample. */
export function softmaxGradient(
  samples: Samples,
  W: Vector,
  batch: readonly number[],
  label = (sample: number): number => samples.y[sample],
): Float64Array {
  const gradient = new Float64Array(WEIGHTS);
  const p = new Float64Array(CLASSES);
  for (const sample of batch) {
    softmax(samples, sample, W, p);
    p[label(sample)] -= 1;
    for (let c = 0; c < CLASSES; c++) {
      const error = p[c] / batch.length;
      for (let j = 0; j < FEATURES; j++) gradient[j * CLASSES + c] += samples.x[sample * FEATURES + j] * error;
      gradient[FEATURES * CLASSES + c] += error;
    }
  }
  return gradient;
}

export function softmaxAccuracy(samples: Samples, W: Vector): number {
  const p = new Float64Array(CLASSES);
  let right = 0;
  for (let i = 0; i < samples.y.length; i++) {
    softmax(samples, i, W, p);
    if (p.indexOf(Math.max(...p)) === samples.y[i]) right++;
  }
  return right / samples.y.length;
}

export const ATTACKS = [
  "none",
  "sign-flip",
  "inner-product-2",
  "alie-1.5",
  "label-flip",
  "gaussian-1",
  "inner-product-10",
  "gaussian-30",
] as const;
export type Attack = (typeof ATTACKS)[number];

export interface BenchmarkOptions {
  readonly attack: Attack;
  readonly gamma: number;
  readonly rounds?: number;
  /** The last aggregate is handed to the rule as a reference (centred clipping). */
  readonly remember?: boolean;
}

/** Test accuracy after training under attack. */
export async function byzantineBenchmark(rule: Rule, options: BenchmarkOptions): Promise<number> {
  const { attack, gamma, rounds = 400, remember = false } = options;
  const { training, testing } = clouds();
  const parts = dealt(gamma);
  const uniform = mulberry32(9);
  const W = new Float64Array(WEIGHTS);
  const memories = parts.map(() => new Float64Array(WEIGHTS));
  let last: Vector = new Float64Array(WEIGHTS);
  for (let round = 0; round < rounds; round++) {
    const batches = parts.map((part) => Array.from({ length: BATCH }, () => part[Math.floor(uniform() * part.length)]));
    batches.forEach((batch, i) => workerMomentum(memories[i], softmaxGradient(training, W, batch)));
    const hostile = (): Vector => {
      switch (attack) {
        case "sign-flip":
          return signFlip(memories);
        case "inner-product-2":
          return innerProduct(memories, 2);
        case "inner-product-10":
          return innerProduct(memories, 10);
        case "alie-1.5":
          return aLittleIsEnough(memories, 1.5);
        case "label-flip":
          return mean(batches.map((b) => softmaxGradient(training, W, b, (i) => CLASSES - 1 - training.y[i])));
        case "gaussian-1":
          return normals(uniform, WEIGHTS);
        case "gaussian-30":
          return normals(uniform, WEIGHTS).map((v) => 30 * v);
        case "none":
          throw new UsageError("no attack, no hostile update");
      }
    };
    const sent: Vector[] = attack === "none" ? memories : [...memories, ...Array<Vector>(HOSTILE).fill(hostile())];
    last = await aggregate(memoryRows(sent), rule, remember ? { references: memoryRows([last]) } : {});
    // x <- x - rate (aggregate + decay x)
    for (let i = 0; i < WEIGHTS; i++) W[i] -= 0.1 * (last[i] + 1e-4 * W[i]);
  }
  return softmaxAccuracy(testing, W);
}
