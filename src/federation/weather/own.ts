/** What a site trains for itself: a model of its own data alone, and the shared model made its own. */
import { float32 } from "../../tensor/ndarray.js";
import { random } from "../../tensor/random.js";
import { interval } from "../../verify/bootstrap.js";
import type { Parameters } from "../protocol/parameters.js";
import { annealed } from "../strategy/schedule.js";
import { relativeError, resampledErrors } from "./scores.js";
import { AMPLITUDE } from "./forecaster.js";
import type { WeatherSite } from "./site.js";
import type { SharedTask } from "./task.js";

export interface AloneOptions {
  readonly steps: number;
  readonly seed: number;
  readonly learningRate?: number;
  /** Steps between validations; the numbers with the best validation are kept. */
  readonly validateEvery?: number;
  /** Validations without a better one before it stops. */
  readonly patience?: number;
}

/** What a training at one site ended with. */
export interface LocalModel {
  readonly params: Parameters;
  /** Relative error on the site's validation part. */
  readonly validation: number;
  /** The step the kept numbers are of. */
  readonly step: number;
}

/**
 * A fair competitor: the same model trained on the site's data alone, the optimiser's state kept all the way, the rate along a
 * cosine, and the numbers with the best validation kept.
 */
export async function trainAlone(
  site: WeatherSite,
  task: SharedTask,
  initial: Parameters,
  options: AloneOptions,
): Promise<LocalModel> {
  const { steps, seed, learningRate = task.training.learningRate, patience = Infinity } = options;
  const validateEvery = options.validateEvery ?? Math.max(1, Math.round(steps / 20));
  const rng = random(seed).split("alone");
  const score = async (params: Parameters) =>
    relativeError(await site.errors(params, "validation"), site.baseline("damped", "validation"));
  site.steps.begin(initial);
  let best: LocalModel = { params: site.steps.parameters(), validation: await score(initial), step: 0 };
  let waited = 0;
  for (let step = 1; step <= steps && waited < patience; step++) {
    await site.steps.step(rng.split(`step ${step}`), learningRate * annealed(step / steps, task.training.floor));
    if (step % validateEvery !== 0 && step !== steps) continue;
    const params = site.steps.parameters();
    const validation = await score(params);
    waited = validation < best.validation ? 0 : waited + 1;
    if (validation < best.validation) best = { params, validation, step };
  }
  return best;
}

/** How the shared model is made a site's own: steps at a tenth of the task's rate, looked at often. */
const FINE_TUNING = { steps: 40, validateEvery: 4, patience: 4, rate: 0.1 } as const;

/**
 * The site's own model. First as much of the shared network as has the least error on the site's validation part, from all of it
 * to nothing: hostile sites may have spoilt it, or this site's weather may be too unlike the others'. Then the shared one trained
 * further on the site's data, at a small rate, kept only where the validation says with the given confidence that it is better.
 */
export async function personalise(
  site: WeatherSite,
  task: SharedTask,
  shared: Parameters,
  options: Partial<AloneOptions> & { readonly seed: number; readonly confidence?: number },
): Promise<LocalModel> {
  const { confidence = 0.9 } = options;
  const learningRate = FINE_TUNING.rate * task.training.learningRate;
  const damped = site.baseline("damped", "validation");
  const judged = async ({ params, step }: Pick<LocalModel, "params" | "step">) => {
    const errors = await site.errors(params, "validation");
    return { params, step, errors, validation: relativeError(errors, damped) };
  };
  const scaled = (amplitude: number) => judged({ params: withAmplitude(shared, amplitude), step: 0 });
  const [none, half, whole] = [await scaled(0), await scaled(0.5), await judged({ params: shared, step: 0 })];
  const amplitude = leastOf([none.validation, half.validation, whole.validation]);
  const begun = amplitude === 1 ? whole : await scaled(amplitude);
  const tuned = await judged(await trainAlone(site, task, shared, { ...FINE_TUNING, learningRate, ...options }));
  const [a, b] = resampledErrors([begun.errors, tuned.errors], damped);
  const [low] = interval(
    a.map((v, r) => v - b[r]),
    2 * confidence - 1,
  );
  const { params, step, validation } = tuned.step > 0 && low > 0 ? tuned : begun;
  return { params, step, validation };
}

const withAmplitude = (params: Parameters, amplitude: number): Parameters =>
  new Map([...params, [AMPLITUDE, float32([1], [amplitude])]]);

/** Where in [0, 1] the parabola through its values at 0, 1/2 and 1 is least. */
function leastOf([none, half, whole]: readonly [number, number, number]): number {
  const curvature = 2 * (none + whole - 2 * half);
  const slope = whole - none - curvature;
  if (!(curvature > 0)) return whole < none ? 1 : 0;
  return Math.min(1, Math.max(0, -slope / (2 * curvature)));
}
