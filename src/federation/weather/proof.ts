/**
 * Is joining worth it? The same model, on the same records: each site alone, all together by the
 * federation's own protocol, each with its personal model, and pooled, as if all data lay in one place (the bound). Every figure
 * is of the sites' own test parts; whatever is chosen is chosen on their validation parts.
 */
import type { Runtime } from "../../engine/runtime.js";
import { interval } from "../../verify/bootstrap.js";
import type { RunConfigInput } from "../protocol/config.js";
import { runHub } from "../protocol/hub.js";
import type { Parameters } from "../protocol/parameters.js";
import type { RoundRecord } from "../protocol/records.js";
import { runSite } from "../protocol/site.js";
import type { LocalTrainer } from "../protocol/trainer.js";
import { localBus } from "../transport/local.js";
import { initialParameters } from "./network.js";
import { centralTraining } from "./pooled.js";
import { type BaselineName, type Errors, everyBaseline, relativeError, resampledErrors } from "./scores.js";
import { personalise, trainAlone } from "./own.js";
import { createWeatherSite, type WeatherSite } from "./site.js";
import type { SharedTask } from "./task.js";

export type Way = "alone" | "together" | "personal" | "pooled";
export const WAYS: readonly Way[] = ["alone", "together", "personal", "pooled"];

export interface Owner {
  readonly name: string;
  readonly site: WeatherSite;
}

export interface ProofOptions {
  readonly config: RunConfigInput;
  readonly task: SharedTask;
  readonly owners: readonly Owner[];
  readonly runtime: Runtime;
  /** Rates tried alone and for pooling, as factors of the task's; the validation parts choose. */
  readonly rates?: readonly number[];
  /** Starts of each site's test part that are scored, at most. */
  readonly testStarts?: number;
  readonly store?: ModelStore;
  readonly log?: (line: string) => void;
}

/** Skill 1 - (squared error / that of damped persistence) with a 95 % interval. */
export interface Scored {
  readonly skill: number;
  readonly low: number;
  readonly high: number;
}

export interface SiteResult {
  readonly site: string;
  readonly samples: number;
  readonly variables: readonly string[];
  readonly ways: Readonly<Record<Way, Scored>>;
  /** Together less alone, from the same resamples. */
  readonly gain: Scored;
  readonly baselines: Readonly<Record<BaselineName, number>>;
  /** Steps of the site's own fine-tuning that were kept; 0 where its validation preferred the shared model. */
  readonly personalSteps: number;
}

export interface Proof {
  readonly sites: readonly SiteResult[];
  readonly mean: Readonly<Record<Way, number>>;
  /** Sites where together is not better than alone. */
  readonly worse: readonly string[];
  /** Mean improvement of together over alone as a share of the pooled model's. */
  readonly share: number;
}

/** The steps a site takes in the whole run. */
export const totalSteps = ({ rounds, budget }: RunConfigInput): number => rounds * (budget?.steps ?? 10);

/** The task with batches of another size. */
export const withBatch = (task: SharedTask, batch: number): SharedTask => ({
  ...task,
  training: { ...task.training, batch },
});

/** Batches of a site alone: larger than those of rounds may be, whose noise the other sites' batches average out. */
const ALONE_BATCH = 128;

/** The shared model with the best mean score on the sites' validation parts, as alone and pooled trainings choose theirs. */
export interface Together {
  readonly params: Parameters;
  readonly validation: number;
  /** The round that the chosen model was shown in; as many as there are rounds for the last. */
  readonly round: number;
  /** The last round's model. */
  readonly last: Parameters;
  readonly rounds: readonly RoundRecord[];
}

/** Rounds whose models are scored on the validation parts, about. */
const JUDGED = 25;

/** Trains all owners together through the protocol in this process. */
export async function trainTogether(
  { config, task, owners }: Pick<ProofOptions, "config" | "task" | "owners">,
  options: {
    onRound?: (record: RoundRecord, validation: number) => void;
    /** In place of the owners' own trainers: hostile ones. */
    trainers?: readonly LocalTrainer[];
  } = {},
): Promise<Together> {
  const bus = localBus();
  const rounds: RoundRecord[] = [];
  let best: Omit<Together, "rounds" | "last"> | undefined;
  const judge = async (params: Parameters, round: number): Promise<number> => {
    const validation = await meanValidation(owners, params);
    if (!best || validation < best.validation) best = { params: copied(params), validation, round };
    return validation;
  };
  let shown = Promise.resolve(0);
  /** Scores the model of a round when the first site is given it. */
  const first = (trainer: LocalTrainer): LocalTrainer => ({
    ...unscored(trainer),
    train(params, given) {
      if (given.progress !== undefined && given.progress < 1) {
        const round = Math.round(given.progress * config.rounds);
        if (round % Math.ceil(config.rounds / JUDGED) === 0) {
          const model = copied(params);
          shown = shown.then(() => judge(model, round));
        }
      }
      return trainer.train(params, given);
    },
  });
  // Who fails ends it for all
  const stop = new AbortController();
  const { signal } = stop;
  const sites = owners.map(({ name, site }, i) => {
    const given = options.trainers?.[i] ?? site;
    const trainer = i === 0 ? first(given) : unscored(given);
    return runSite({ transport: bus.connect(), site: name, trainer, signal });
  });
  const hub = runHub({
    transport: bus.connect(),
    config: { ...config, task, schedule: { ...config.schedule, minSites: owners.length } },
    initial: initialParameters(task, config.seed),
    async onRound(record) {
      rounds.push(record);
      options.onRound?.(record, await shown);
    },
    signal,
  });
  let last: Parameters;
  try {
    [last] = await Promise.all([hub, ...sites]);
  } catch (error) {
    stop.abort(error);
    await Promise.allSettled([hub, ...sites]);
    throw error;
  }
  await shown;
  await judge(last, config.rounds);
  return { ...best!, last, rounds };
}

const copied = (params: Parameters): Parameters =>
  new Map([...params].map(([name, array]) => [name, { ...array, data: array.data.slice() }]));

/** Scores after every round are for the curious; the proof scores the test parts once, at the end, and personal models then. */
const unscored = (trainer: LocalTrainer): LocalTrainer => ({
  ...trainer,
  evaluate: async () => [],
  personalise: async (params) => params,
});

/** Where trained models wait, so that a proof that was stopped goes on and parts of it may be trained side by side. */
export interface ModelStore {
  load(name: string): Promise<Parameters | undefined>;
  save(name: string, params: Parameters): Promise<void>;
}

/** What is trained: all together, pooled, or a site alone; each once, and kept. */
export async function trainWay(options: ProofOptions, way: "together" | "pooled" | Owner): Promise<Parameters> {
  const { config, task, rates = [1, 0.4], store, log = () => {} } = options;
  const name = typeof way === "string" ? way : `alone-${way.name}`;
  const before = await store?.load(name);
  if (before) return before;
  const { seed = 0 } = config;
  const steps = totalSteps(config);
  const initial = initialParameters(task, seed);
  const train = async (): Promise<Parameters> => {
    if (way === "together") {
      const { params, validation, round } = await trainTogether(options, {
        onRound: ({ round: r, step, seconds }, v) =>
          log(`round ${r}: ${v.toFixed(4)} before it, a step of ${step.toFixed(3)} in ${seconds.toFixed(1)} s`),
      });
      log(`together: validation ${validation.toFixed(4)}, the model of round ${round}`);
      return params;
    }
    if (way === "pooled") {
      const { params, validation, how } = await centralTraining({ ...options, rates, steps, initial });
      log(`pooled: validation ${validation.toFixed(4)} (${how})`);
      return params;
    }
    const { members, variables } = way.site;
    const own = withBatch(task, Math.max(ALONE_BATCH, task.training.batch));
    const site = await createWeatherSite({ task: own, members, variables, runtime: options.runtime, source: way.name });
    const tried = [];
    for (const rate of rates) {
      const learningRate = rate * task.training.learningRate;
      tried.push(await trainAlone(site, own, initial, { steps, seed, learningRate, patience: 6 }));
    }
    await site.close();
    const { params, validation, step } = tried.reduce((a, b) => (b.validation < a.validation ? b : a));
    log(`${way.name} alone: validation ${validation.toFixed(4)} at step ${step} of ${steps}`);
    return params;
  };
  const params = await train();
  await store?.save(name, params);
  return params;
}

export async function prove(options: ProofOptions): Promise<Proof> {
  const { config, task, owners, testStarts = 400, log = () => {} } = options;
  const { seed = 0 } = config;
  const [together, pooled] = [await trainWay(options, "together"), await trainWay(options, "pooled")];
  const sites: SiteResult[] = [];
  for (const owner of owners) {
    const { name, site } = owner;
    const alone = await trainWay(options, owner);
    const personal = await personalise(site, task, together, { seed });
    const models: Record<Way, Parameters> = { alone, together, personal: personal.params, pooled };
    const baselines = everyBaseline((b) => site.baseline(b, "test", testStarts));
    const errors = {} as Record<Way, Errors>;
    for (const way of WAYS) errors[way] = await site.errors(models[way], "test", testStarts);
    const { samples, variables } = site.describe();
    const result = siteResult(errors, baselines);
    sites.push({ site: name, samples, variables, ...result, personalSteps: personal.step });
    log(
      `${name}: ${WAYS.map((way) => `${way} ${(100 * result.ways[way].skill).toFixed(2)}`).join(", ")} (personal: ${personal.step} steps)`,
    );
  }
  return summary(sites);
}

/** Mean relative error of a model over the sites' validation parts. */
export async function meanValidation(owners: readonly Owner[], params: Parameters): Promise<number> {
  let total = 0;
  for (const { site } of owners)
    total += relativeError(await site.errors(params, "validation"), site.baseline("damped", "validation"));
  return total / owners.length;
}

function siteResult(
  errors: Readonly<Record<Way, Errors>>,
  baselines: Readonly<Record<BaselineName, Errors>>,
): Pick<SiteResult, "ways" | "gain" | "baselines"> {
  const skillOf = (e: Errors) => 1 - relativeError(e, baselines.damped);
  const samples = resampledErrors(
    WAYS.map((way) => errors[way]),
    baselines.damped,
  );
  const scored = (skill: number, values: readonly number[]): Scored => {
    const [low, high] = interval(values);
    return { skill, low, high };
  };
  const [alone, together] = samples;
  return {
    ways: Object.fromEntries(
      WAYS.map((way, i) => [
        way,
        scored(
          skillOf(errors[way]),
          samples[i].map((v) => 1 - v),
        ),
      ]),
    ) as Record<Way, Scored>,
    gain: scored(
      skillOf(errors.together) - skillOf(errors.alone),
      alone.map((v, r) => v - together[r]),
    ),
    baselines: everyBaseline((name) => skillOf(baselines[name])),
  };
}

function summary(sites: readonly SiteResult[]): Proof {
  const mean = Object.fromEntries(
    WAYS.map((way) => [way, sites.reduce((s, r) => s + r.ways[way].skill, 0) / sites.length]),
  ) as Record<Way, number>;
  return {
    sites,
    mean,
    worse: sites.filter(({ ways }) => ways.together.skill <= ways.alone.skill).map(({ site }) => site),
    share: (mean.together - mean.alone) / (mean.pooled - mean.alone),
  };
}
