/**
 * The hub's step: from the accepted updates of a round to the next model. The same updates give the same bits.
 *
 * Arrays that the same sites trained are stepped together, apart from the others: mean, robust rule and strategy see these sites
 * and these arrays alone. What nobody trained in a round stays as it is, in the model and in the strategy's memory.
 */
import { aggregate, type BlockKernels, type Rule } from "../aggregate/aggregate.js";
import { memoryRows, type Rows, type Vector, zeroVector } from "../aggregate/rows.js";
import { reputationMix } from "../strategy/reputation.js";
import { staleness } from "../strategy/schedule.js";
import { equally, type Memory, type UpdateFacts } from "../strategy/strategy.js";
import type { Plan } from "./config.js";
import {
  coverageFrom,
  type CoverageGroup,
  coverageGroups,
  coveredSegments,
  gathered,
  partOfRows,
  scattered,
  segmentsLength,
  sharedArrays,
} from "./coverage.js";
import type { Accepted } from "./messages.js";
import { layoutLength, layoutSegments, type Layout } from "./parameters.js";

export interface StepInput {
  readonly plan: Plan;
  readonly layout: Layout;
  readonly model: Float32Array;
  readonly memory: Memory;
  readonly accepted: readonly Accepted[];
  /** One row an accepted update, in that order: changed parameters, then extras. */
  readonly rows: Rows;
  /** What each member of the run trains, as far as is known: an entry a member. */
  readonly members: readonly (string | undefined)[];
  /** How much of the run is over, 0 to 1. */
  readonly progress?: number;
  readonly kernels?: BlockKernels;
  /** The change that rules of trust measure the updates by. */
  readonly trusted?: Float32Array;
  /** A site's reputation so far, where the run keeps any. */
  readonly reputation?: (site: string) => number | undefined;
}

export interface Stepped {
  readonly model: Float32Array;
  /** The aggregate of the updates; zeros where nobody trained. */
  readonly mean: Float32Array;
  /** Arrays that too few sites trained for the robust rule to guard: a hostile one among them would not be outvoted. */
  readonly unguarded: string[];
  /** Reputations after the round, by site. */
  readonly reputations: ReadonlyMap<string, number>;
}

/** Weights of the updates in the mean, late ones by their age; they sum to what the strategy's sum to. */
export function updateWeights(plan: Plan, accepted: readonly Accepted[]): number[] {
  const facts: readonly UpdateFacts[] = accepted;
  // With noise, one site must not count more than another: the noise is measured against equal shares.
  const weights = plan.config.privacy?.noise ? equally(facts) : plan.strategy.weights(facts);
  const age = staleness.polynomial(plan.config.schedule.staleness);
  const aged = weights.map((w, i) => w * age(facts[i].staleness));
  const [before, after] = [weights, aged].map((list) => list.reduce((s, w) => s + w, 0));
  return after > 0 ? aged.map((w) => (w * before) / after) : aged;
}

/** The next model; changes `memory`. */
export async function hubStep(input: StepInput): Promise<Stepped> {
  const { plan, layout, rows, accepted, members, kernels } = input;
  const length = layoutLength(layout);
  const shared = sharedArrays(layout, plan.config.personal);
  const flags = (texts: readonly (string | undefined)[]) => texts.map((text) => coverageFrom(text, shared));
  const groups = coverageGroups(layout, flags(accepted.map(({ coverage }) => coverage)), flags(members));
  const out = begun(input);
  const unguarded: string[] = [];
  const standing = new Standing();
  for (const group of groups) {
    const some = group.updates.map((i) => accepted[i]);
    const weights = updateWeights(plan, some);
    const reputed = reputedRule(input, some, weights);
    const rule = reputed?.rule ?? plan.rule(some.length);
    const trusted = input.trusted && rule.trusts ? memoryRows([gathered(input.trusted, group.segments)]) : undefined;
    const combined = (part: number, weights: readonly number[]): Promise<Vector> => {
      const own = partOfRows(rows, group.updates, group.segments, part * length);
      if (!rule.mix && !rule.columns) return aggregate(own, { name: rule.name, weights }, { kernels });
      const segments = rule.byLayer ? layersOf(layout, group) : undefined;
      return aggregate(own, rule, { kernels, segments, references: part === 0 ? trusted : undefined });
    };
    if (plan.unguarded(some.length)) unguarded.push(...group.arrays.map((i) => layout[i].name));
    const mean = await combined(0, weights);
    if (reputed) standing.add(some, reputed.after(), segmentsLength(group.segments));
    const extras = new Map<string, Vector>();
    for (const [i, name] of (plan.strategy.extras ?? []).entries())
      extras.set(name, await combined(i + 1, equally(some)));
    stepGroup(input, out, group, mean, extras);
  }
  return { model: out.model, mean: out.mean, unguarded, reputations: standing.all() };
}

/** The strategy's step with a mean of all shared arrays at hand: masked rounds have no rows. */
export function maskedStep(input: Omit<StepInput, "rows">, mean: Vector): Stepped {
  const { plan, layout, accepted, members } = input;
  const shared = sharedArrays(layout, plan.config.personal);
  const out = begun(input);
  const group = {
    updates: accepted.map((_, i) => i),
    arrays: layout.flatMap((_, i) => (shared[i] ? [i] : [])),
    segments: coveredSegments(layout, shared),
    members: Math.max(members.length, accepted.length),
  };
  stepGroup(input, out, group, mean, new Map());
  return { model: out.model, mean: out.mean, unguarded: [], reputations: new Map() };
}

interface Begun {
  readonly model: Float32Array;
  readonly mean: Float32Array;
  /** The memory as it was: every group steps from it. */
  readonly before: Memory;
}

const begun = ({ model, memory }: Omit<StepInput, "rows">): Begun => ({
  model: model.slice(),
  mean: new Float32Array(model.length),
  before: new Map(memory),
});

/** [from, to) of each layer among the group's gathered numbers. */
function layersOf(layout: Layout, { arrays }: CoverageGroup): [number, number][] {
  const all = layoutSegments(layout);
  let at = 0;
  return arrays.map((i) => [at, (at += all[i][1] - all[i][0])]);
}

/** The step on a group's numbers: the mean itself of arrays that are averaged, the strategy's for the others. */
function stepGroup(
  input: Omit<StepInput, "rows">,
  out: Begun,
  group: CoverageGroup,
  mean: Vector,
  extras: ReadonlyMap<string, Vector>,
): void {
  const { plan, layout, model } = input;
  const averaged = (i: number): boolean => plan.config.averaged.some((prefix) => layout[i].name.startsWith(prefix));
  const segmentsOf = (arrays: readonly number[]) =>
    coveredSegments(
      layout,
      layout.map((_, i) => arrays.includes(i)),
    );
  scattered(mean, group.segments, out.mean);
  for (const [from, to] of segmentsOf(group.arrays.filter(averaged)))
    for (let i = from; i < to; i++) out.model[i] = model[i] + out.mean[i];
  const arrays = group.arrays.filter((i) => !averaged(i));
  if (arrays.length === group.arrays.length) return stepLearnt(input, out, group, mean, extras);
  if (arrays.length === 0) return;
  const segments = segmentsOf(arrays);
  const part = (vector: Vector): Vector =>
    gathered(scattered(vector, group.segments, zeroVector(model.length, "float64")), segments);
  const parts = new Map([...extras].map(([name, vector]) => [name, part(vector)]));
  stepLearnt(input, out, { ...group, arrays, segments }, part(mean), parts);
}

/** The strategy's step on a group's numbers; writes the model and the memory in their places. */
function stepLearnt(
  { plan, model, memory, progress }: Omit<StepInput, "rows">,
  out: Begun,
  { updates, segments, members }: CoverageGroup,
  mean: Vector,
  extras: ReadonlyMap<string, Vector>,
): void {
  const { strategy } = plan;
  const single = (name: string): boolean => strategy.scalars?.includes(name) ?? false;
  const own: Memory = new Map(
    [...out.before].map(([name, vector]) => [name, single(name) ? vector : gathered(vector, segments)] as const),
  );
  const context = { extras, count: updates.length, members, progress };
  const next = strategy.step(own, gathered(model, segments), mean, context);
  scattered(next, segments, out.model);
  for (const [name, vector] of own) {
    if (single(name)) memory.set(name, vector);
    else {
      const precision = vector instanceof Float64Array ? "float64" : "float32";
      const before = memory.get(name) ?? zeroVector(model.length, precision);
      memory.set(name, scattered(vector, segments, before.slice()));
    }
  }
}

/** The mean by reputation, where the run keeps any. */
function reputedRule(
  { plan, reputation }: StepInput,
  accepted: readonly Accepted[],
  weights: readonly number[],
): { rule: Rule; after: () => number[] } | undefined {
  const options = plan.config.aggregation.reputation;
  if (!options || !reputation) return undefined;
  const before = accepted.map(({ site }) => reputation(site));
  const { mix, after } = reputationMix(before, weights, options);
  return { rule: { name: "reputation", mix }, after };
}

/** Reputations over the groups of arrays, each counted by its numbers. */
class Standing {
  readonly #sums = new Map<string, { total: number; size: number }>();

  add(accepted: readonly Accepted[], values: readonly number[], size: number): void {
    accepted.forEach(({ site }, i) => {
      const before = this.#sums.get(site) ?? { total: 0, size: 0 };
      this.#sums.set(site, { total: before.total + size * values[i], size: before.size + size });
    });
  }

  all(): Map<string, number> {
    return new Map([...this.#sums].map(([site, { total, size }]) => [site, total / size] as const));
  }
}
