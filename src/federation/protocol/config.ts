/** A run's configuration, checked in one place. Unknown keys are errors. */
import { z } from "zod";
import { UsageError } from "../../errors.js";
import { robustRule, type Rule } from "../aggregate/aggregate.js";
import { type Codec, codecNamed } from "../compress/codecs.js";
import { FEEDBACK } from "../compress/feedback.js";
import { canonical } from "../privacy/signature.js";
import { sha256 } from "../compress/hash.js";
import { bySamples, equally, type Strategy } from "../strategy/strategy.js";
import { STRATEGY_NAMES, strategyNamed } from "../strategy/strategies.js";
import { NAME } from "../transport/transport.js";

const positive = z.number().positive();
const count = z.number().int().positive();

export const runConfigSchema = z.strictObject({
  run: z.string().regex(NAME),
  seed: z.number().int().nonnegative().default(0),
  rounds: count,
  /** What is trained; its own trainer checks it (weather: `sharedTaskSchema`). */
  task: z.unknown().optional(),
  /** Variables a site must have at least one of; empty: any. */
  variables: z.array(z.string()).default([]),
  /** Arrays whose names begin with one of these are not shared: each site keeps its own (a shared trunk with local heads). */
  personal: z.array(z.string().min(1)).default([]),
  /**
   * Arrays whose names begin with one of these are solved for at the sites and not learnt in steps: the hub takes their mean (by
   * the run's rule) whatever the strategy does with the others. `line/` are the slopes of a weather run's shared ridge regression.
   */
  averaged: z.array(z.string().min(1)).default(["line/"]),
  strategy: z
    .strictObject({ name: z.enum(STRATEGY_NAMES), options: z.record(z.string(), z.number()).default({}) })
    .default({ name: "fedavg", options: {} }),
  aggregation: z
    .strictObject({
      rule: z.string().default("mean"),
      /** Hostile updates to withstand, as a share of those in a round. */
      hostile: z.number().min(0).lt(0.5).default(0),
      /** Updates longer than this are refused. */
      maxNorm: positive.optional(),
      /** Sites count by how far they have agreed with the others (with rule mean). */
      reputation: z
        .strictObject({
          memory: z.number().min(0).lt(1).default(0.8),
          least: z
            .number()
            .min(0)
            .lt(1)
            .default(1 / 3),
        })
        .optional(),
    })
    .prefault({}),
  schedule: z
    .strictObject({
      /** Wait for the invited; for a number of updates; for a tick; or by each site's speed. */
      mode: z.enum(["synchronous", "buffered", "interval", "compass"]).default("synchronous"),
      /** Sites the first round waits for; sites invited each round (all where absent). */
      minSites: count.default(1),
      invite: count.optional(),
      sampling: z.enum(["uniform", "data", "availability", "modest"]).default("uniform"),
      /** Seconds a round waits; then `quorum` (a share of the invited) is enough. */
      deadline: positive.default(3600),
      quorum: z.number().min(0).max(1).default(0.5),
      /** Updates that make a step in buffered mode. */
      buffer: count.default(10),
      /** Updates of an older model: refused, or used with the weight of their age up to `maxStaleness` versions. */
      late: z.enum(["refuse", "use"]).default("refuse"),
      maxStaleness: z.number().int().nonnegative().default(10),
      staleness: z.number().nonnegative().default(0.5),
      /** A site not heard of for so many seconds is away. */
      away: positive.default(120),
    })
    .prefault({}),
  /** A model for each group of sites: named by hand, or found after some rounds by the cosine of the updates. */
  groups: z
    .union([
      z.strictObject({ given: z.record(z.string().regex(NAME), z.array(z.string().regex(NAME)).min(1)) }),
      z.strictObject({ similarity: z.number().gt(-1).max(1), after: count.default(1) }),
    ])
    .optional(),
  /** Each site starts from a mixture of its own: its most sensitive parameters from sites like it (FedCAC). */
  sensitivity: z.strictObject({ share: z.number().gt(0).max(1).default(0.5), beta: positive.default(100) }).optional(),
  budget: z
    .strictObject({ steps: count.optional(), samples: count.optional(), seconds: positive.optional() })
    .default({ steps: 10 }),
  /** Rounds from one scoring of the models at the sites to the next. */
  evaluateEvery: count.default(1),
  compression: z
    .strictObject({ codec: z.string().default("float32"), feedback: z.enum(FEEDBACK).default("none") })
    .prefault({}),
  privacy: z
    .strictObject({
      /** Updates are shortened to this length before they leave the site. */
      clip: positive,
      /** Deviation of the noise over `clip`; 0: none. */
      noise: z.number().nonnegative().default(0),
      delta: z.number().positive().lt(1).default(1e-5),
    })
    .optional(),
  /** The hub sees sums alone; `threshold`: share of the sites needed to unmask. */
  masking: z.strictObject({ threshold: z.number().gt(0.5).max(1).default(0.6) }).optional(),
  /** Public keys of the sites that may take part; absent: the first key a name comes with is kept. */
  sites: z.record(z.string().regex(NAME), z.string()).optional(),
});
export type RunConfig = z.infer<typeof runConfigSchema>;
export type RunConfigInput = z.input<typeof runConfigSchema>;

/** What a configuration stands for. */
export interface Plan {
  readonly config: RunConfig;
  readonly hash: string;
  readonly strategy: Strategy;
  readonly codec: Codec;
  /** The rule for a number of updates. */
  rule(updates: number): Rule;
  /** Whether so few updates are too few for one hostile among them to be outvoted, though the run asks for it. */
  unguarded(updates: number): boolean;
}

/** Checks a configuration and resolves its names; UsageError says which key is wrong, or which parts do not go together. */
export async function planOf(input: RunConfigInput): Promise<Plan> {
  const parsed = runConfigSchema.safeParse(input);
  if (!parsed.success) {
    const { path, message } = parsed.error.issues[0];
    throw new UsageError(`federation configuration, ${path.length ? `'${path.join(".")}'` : "top level"}: ${message}`);
  }
  const config = parsed.data;
  const strategy = strategyNamed(config.strategy.name, config.strategy.options);
  const { rule, hostile } = config.aggregation;
  robustRule(rule, { f: 0 }); // an unknown name fails now, not after the first round
  if (strategy.units && robustRule(rule, { f: 0 }).trusts)
    throw new UsageError(
      `the rule '${rule}' measures updates by a training at the hub, which is not in strategy.options.units; leave these out or take another rule`,
    );
  if (config.aggregation.reputation && rule !== "mean")
    throw new UsageError(`aggregation.reputation weighs the mean, not '${rule}'; set aggregation.rule to mean`);
  if (config.groups && config.sensitivity)
    throw new UsageError("groups and sensitivity both say which model a site starts from; leave one out");
  if (config.groups && "given" in config.groups) {
    const named = Object.values(config.groups.given).flat();
    const twice = named.find((site, i) => named.indexOf(site) !== i);
    if (twice) throw new UsageError(`site '${twice}' is named in two groups; name it in one`);
  }
  if (config.masking) {
    const clash = (what: string, remedy: string): never => {
      throw new UsageError(`masking hides single updates from the hub, so ${what}; ${remedy}`);
    };
    if (rule !== "mean")
      clash(`the rule '${rule}', which compares them, cannot be used`, "set aggregation.rule to mean");
    if (config.aggregation.maxNorm)
      clash("their length cannot be checked", "remove aggregation.maxNorm; privacy.clip bounds it at the site");
    if (!config.privacy) clash("each must be bounded at the site", "set privacy.clip");
    if (config.compression.codec !== "float32")
      clash("they cannot be compressed one by one", "set compression.codec to float32");
    if (strategy.extras?.length || (strategy.weights !== bySamples && strategy.weights !== equally))
      clash(
        `'${strategy.name}', which weighs them by what is inside, cannot be used`,
        "use fedavg, fedprox, fedavgm, fedadam or diloco",
      );
    if (config.groups || config.sensitivity || config.aggregation.reputation)
      clash("sites cannot be told apart by them", "remove groups, sensitivity and aggregation.reputation");
    if (config.schedule.mode !== "synchronous")
      clash("all masks of a round must meet", "set schedule.mode to synchronous");
    if (config.schedule.late !== "refuse") clash("a late one cannot be opened", "set schedule.late to refuse");
  }
  return {
    config,
    strategy,
    codec: codecNamed(config.compression.codec),
    hash: await sha256(new TextEncoder().encode(canonical(config))),
    rule: (updates) => robustRule(rule, { f: Math.floor(hostile * updates), seed: config.seed }),
    unguarded: (updates) => hostile > 0 && Math.floor(hostile * updates) === 0,
  };
}
