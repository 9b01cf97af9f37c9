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
import { type Attack, hostileTrainer } from "./hostile.js";
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
}

/** The steps a site takes in the whole run. */
export const totalSteps = ({ rounds, budget }: RunConfigInput): number => rounds * (budget?.steps ?? 10);

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
  const sites = owners.map(({ name, site }, i) => {
    const trainer = options.trainers?.[i] ?? site;
    return runSite({ transport: bus.connect(), site: name, trainer: i === 0 ? first(trainer) : unscored(trainer) });
  });
  const last = await runHub({
    transport: bus.connect(),
    config: { ...config, task, schedule: { ...config.schedule, minSites: owners.length } },
    initial: initialParameters(task, config.seed),
    async onRound(record) {
      rounds.push(record);
      options.onRound?.(record, await shown);
    },
  });
  await Promise.all(sites);
  await shown;
  await judge(last, config.rounds);
  return { ...best!, last, rounds };
}

const copied = (params: Parameters): Parameters =>
  new Map([...params].map(([name, array]) => [name, { ...array, data: array.data.slice() }]));

/** Scores after every round are for the curious; the proof scores the test parts once, at the end. */
const unscored = (trainer: LocalTrainer): LocalTrainer => ({
  describe: () => trainer.describe(),
  train: (params, task) => trainer.train(params, task),
  evaluate: async () => [],
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
    const tried = [];
    for (const rate of rates)
      tried.push(
        await trainAlone(way.site, task, initial, {
          steps,
          seed,
          learningRate: rate * task.training.learningRate,
          patience: 6,
        }),
      );
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
    const personal = await personalise(site, task, together, {
      steps: 40,
      seed,
      learningRate: 0.1 * task.training.learningRate,
      validateEvery: 4,
      patience: 4,
    });
    const models: Record<Way, Parameters> = { alone, together, personal: personal.params, pooled };
    const baselines = site.baselines("test", testStarts);
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

/** Mean skill of a model over owners' test parts. */
export async function meanSkill(owners: readonly Owner[], params: Parameters, starts: number): Promise<number> {
  let total = 0;
  for (const { site } of owners)
    total += 1 - relativeError(await site.errors(params, "test", starts), site.baselines("test", starts).damped);
  return total / owners.length;
}

/** One run of `robustness`: what of the clean run's skill the last model keeps at the honest sites, and what the sites sent. */
export interface RobustRow {
  readonly rule: string;
  readonly attack: string;
  readonly skill: number;
  readonly kept: number;
  /** Bytes of all updates, and of as many full float32 updates. */
  readonly bytes: number;
  readonly fullBytes: number;
}

/**
 * The same run under other rules with hostile sites, and with other compressions: first clean with the plain mean, then every
 * rule under every attack. The first `hostile` share of the owners attack; the others' test parts are scored.
 */
export async function robustness(
  { config, task, owners, testStarts = 300, log = () => {} }: ProofOptions,
  cases: readonly { rule?: string; attack?: Attack; compression?: RunConfigInput["compression"] }[],
  hostile = 0.3,
): Promise<RobustRow[]> {
  const count = Math.round(hostile * owners.length);
  const honest = owners.slice(count);
  const rows: RobustRow[] = [];
  for (const { rule = "mean", attack, compression } of [{}, ...cases]) {
    const name = attack ? `${attack.kind} x ${attack.strength}` : "none";
    const { last, rounds } = await trainTogether(
      {
        task,
        owners,
        config: {
          ...config,
          aggregation: { rule, hostile: rule === "mean" ? 0 : hostile },
          compression: compression ?? config.compression,
        },
      },
      { trainers: owners.map(({ site }, i) => (attack && i < count ? hostileTrainer(site, attack) : site)) },
    );
    const skill = await meanSkill(honest, last, testStarts);
    const sum = (f: (r: RoundRecord) => number) => rounds.reduce((s, r) => s + f(r), 0);
    rows.push({
      rule: compression ? `${rule}, ${compression.codec}` : rule,
      attack: name,
      skill,
      kept: rows.length > 0 ? skill / rows[0].skill : 1,
      bytes: sum((r) => r.bytes),
      fullBytes: sum((r) => r.fullBytes * r.sites.length),
    });
    const row = rows.at(-1)!;
    log(
      `${row.rule} under ${row.attack}: skill ${(100 * skill).toFixed(2)} %, kept ${(100 * row.kept).toFixed(1)} %, ${row.bytes} of ${row.fullBytes} bytes`,
    );
  }
  return rows;
}
