/**
 * Is joining worth it? The same model, the same number of steps a site, on the same records: each site alone, all together by the
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
import { BASELINES, type Errors, relativeError, resampledErrors } from "./scores.js";
import { personalise, trainAlone, type WeatherSite } from "./site.js";
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
  readonly baselines: Readonly<Record<(typeof BASELINES)[number], number>>;
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
  readonly rounds: readonly RoundRecord[];
}

/** The steps a site takes in the whole run. */
export const totalSteps = ({ rounds, budget }: RunConfigInput): number => rounds * (budget?.steps ?? 10);

/** Trains all owners together through the protocol in this process. */
export async function trainTogether(
  { config, task, owners }: Pick<ProofOptions, "config" | "task" | "owners">,
  options: { onRound?: (record: RoundRecord) => void; trainers?: readonly LocalTrainer[] } = {},
): Promise<{ params: Parameters; rounds: RoundRecord[] }> {
  const bus = localBus();
  const rounds: RoundRecord[] = [];
  const stop = new AbortController();
  const sites = owners.map(({ name, site }, i) =>
    runSite({
      transport: bus.connect(),
      site: name,
      trainer: unscored(options.trainers?.[i] ?? site),
      signal: stop.signal,
    }),
  );
  const params = await runHub({
    transport: bus.connect(),
    config: { ...config, task, schedule: { ...config.schedule, minSites: owners.length } },
    initial: initialParameters(task, config.seed),
    onRound(record) {
      rounds.push(record);
      options.onRound?.(record);
    },
  });
  await Promise.all(sites);
  return { params, rounds };
}

/** Scores after every round are for the curious; the proof scores once, at the end. */
const unscored = (trainer: LocalTrainer): LocalTrainer => ({
  describe: () => trainer.describe(),
  train: (params, task) => trainer.train(params, task),
  evaluate: async () => [],
});

export async function prove(options: ProofOptions): Promise<Proof> {
  const { config, task, owners, rates = [1, 0.3], testStarts = 600, log = () => {} } = options;
  const { seed = 0 } = config;
  const steps = totalSteps(config);
  const initial = initialParameters(task, seed);

  const { params: together, rounds } = await trainTogether(options, {
    onRound: ({ round, step, seconds }) => log(`round ${round}: step of ${step.toFixed(3)} in ${seconds.toFixed(1)} s`),
  });
  log(`together: validation ${(await meanValidation(owners, together)).toFixed(4)}`);
  const pooled = await centralTraining({ ...options, rates, steps, initial });
  log(`pooled: validation ${pooled.validation.toFixed(4)} (${pooled.how})`);

  const sites: SiteResult[] = [];
  for (const { name, site } of owners) {
    const tried = [];
    for (const rate of rates)
      tried.push(
        await trainAlone(site, task, initial, {
          steps,
          seed,
          learningRate: rate * task.training.learningRate,
          patience: 6,
        }),
      );
    const alone = tried.reduce((a, b) => (b.validation < a.validation ? b : a));
    const personal = await personalise(site, task, together, {
      steps: Math.max(20, Math.round(steps / 5)),
      seed,
      learningRate: 0.2 * task.training.learningRate,
      patience: 5,
    });
    const models: Record<Way, Parameters> = {
      alone: alone.params,
      together,
      personal: personal.params,
      pooled: pooled.params,
    };
    const baselines = site.baselines("test", testStarts);
    const errors = {} as Record<Way, Errors>;
    for (const way of WAYS) errors[way] = await site.errors(models[way], "test", testStarts);
    const result = siteResult(errors, baselines);
    sites.push({ site: name, ...site.describe(), ...result, personalSteps: personal.step });
    log(
      `${name}: ${WAYS.map((way) => `${way} ${(100 * result.ways[way].skill).toFixed(2)}`).join(", ")} (alone: step ${alone.step}; personal: ${personal.step})`,
    );
  }
  return { ...summary(sites), rounds };
}

/** Mean relative error of a model over the sites' validation parts. */
export async function meanValidation(owners: readonly Owner[], params: Parameters): Promise<number> {
  let total = 0;
  for (const { site } of owners)
    total += relativeError(await site.errors(params, "validation"), site.baselines("validation").damped);
  return total / owners.length;
}

function siteResult(
  errors: Readonly<Record<Way, Errors>>,
  baselines: Readonly<Record<(typeof BASELINES)[number], Errors>>,
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
    baselines: Object.fromEntries(BASELINES.map((name) => [name, skillOf(baselines[name])])) as SiteResult["baselines"],
  };
}

function summary(sites: readonly SiteResult[]): Omit<Proof, "rounds"> {
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
