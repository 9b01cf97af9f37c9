/** What a site trains for itself: a model of its own data alone, and the shared model made its own. */
import { random } from "../../tensor/random.js";
import { interval } from "../../verify/bootstrap.js";
import type { Parameters } from "../protocol/parameters.js";
import { annealed } from "../strategy/schedule.js";
import { relativeError, resampledErrors } from "./scores.js";
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
 * The site's own model: the shared one trained further on the site's data, at a small rate, kept only where the site's validation
 * says with the given confidence that it is better; the shared model otherwise. Where the validation says so of the first guess
 * alone (hostile sites may have spoilt the shared model, or this site's weather is too unlike the others'), the network is silenced.
 */
export async function personalise(
  site: WeatherSite,
  task: SharedTask,
  shared: Parameters,
  options: Partial<AloneOptions> & { readonly seed: number; readonly confidence?: number },
): Promise<LocalModel> {
  const { confidence = 0.9 } = options;
  const learningRate = FINE_TUNING.rate * task.training.learningRate;
  const tuned = await trainAlone(site, task, shared, { ...FINE_TUNING, learningRate, ...options });
  const damped = site.baseline("damped", "validation");
  const given = await site.errors(shared, "validation");
  /** The model where it is surely better than the shared one. */
  const ifBetter = async ({ params, step }: Pick<LocalModel, "params" | "step">): Promise<LocalModel | undefined> => {
    const errors = await site.errors(params, "validation");
    const [a, b] = resampledErrors([given, errors], damped);
    const [low] = interval(
      a.map((v, r) => v - b[r]),
      2 * confidence - 1,
    );
    return low > 0 ? { params, step, validation: relativeError(errors, damped) } : undefined;
  };
  const better = [
    tuned.step > 0 ? await ifBetter(tuned) : undefined,
    await ifBetter({ params: silenced(shared), step: 0 }),
  ].filter((model) => model !== undefined);
  const kept = { params: shared, validation: relativeError(given, damped), step: 0 };
  return better.reduce<LocalModel>((a, b) => (b.validation < a.validation ? b : a), kept);
}

/** A model that adds nothing to the first guess. */
const silenced = (params: Parameters): Parameters =>
  new Map([...params].map(([name, array]) => [name, { ...array, data: new Float32Array(array.data.length) }]));
