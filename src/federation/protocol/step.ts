/** The hub's step: from the accepted updates of a round to the next model. The same updates give the same bits. */
import { aggregate, type BlockKernels } from "../aggregate/aggregate.js";
import { norm, type Rows, type Vector } from "../aggregate/rows.js";
import { staleness } from "../strategy/schedule.js";
import { equally, type Memory, type UpdateFacts } from "../strategy/strategy.js";
import type { Plan } from "./config.js";
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
  readonly members: number;
  readonly kernels?: BlockKernels;
}

/** Weights of the updates in the mean, late ones by their age; they sum to what the strategy's sum to. */
export function updateWeights(plan: Plan, accepted: readonly Accepted[]): number[] {
  const facts: readonly UpdateFacts[] = accepted;
  // With noise, one site must not count more than another: the noise is measured against equal shares.
  const weights = plan.config.privacy?.noise ? equally(facts) : plan.strategy.weights(facts);
  const age = staleness.polynomial(plan.config.schedule.staleness);
  const aged = weights.map((w, i) => w * age(facts[i].staleness));
  const [before, after] = [weights, aged].map((list) => list.reduce((s, w) => s + w, 0));
  return aged.map((w) => (w * before) / after);
}

/** The next model; changes `memory`. */
export async function hubStep(input: StepInput): Promise<{ model: Float32Array; length: number }> {
  const { plan, layout, rows, accepted, kernels } = input;
  const length = layoutLength(layout);
  const rule = plan.rule(accepted.length);
  const plain = rule.mix === undefined && rule.columns === undefined;
  const byLayer = rule.name === "principal-directions";
  const part = (index: number): Rows => ({
    ...rows,
    length,
    read: (row, from, into) => rows.read(row, index * length + from, into),
  });
  const combined = (index: number, weights: readonly number[]): Promise<Vector> =>
    plain
      ? aggregate(part(index), { name: rule.name, weights }, { kernels })
      : aggregate(part(index), rule, { kernels, segments: byLayer ? layoutSegments(layout) : undefined });
  const mean = await combined(0, updateWeights(plan, accepted));
  const extras = new Map<string, Vector>();
  for (const [i, name] of (plan.strategy.extras ?? []).entries())
    extras.set(name, await combined(i + 1, equally(accepted)));
  return finishStep(input, mean, extras);
}

/** The strategy's step with a mean at hand (masked rounds have no rows). */
export function finishStep(
  { plan, model, memory, accepted, members }: Omit<StepInput, "rows">,
  mean: Vector,
  extras: ReadonlyMap<string, Vector> = new Map(),
): { model: Float32Array; length: number } {
  const context = { extras, count: accepted.length, members: Math.max(members, accepted.length) };
  const next = plan.strategy.step(memory, model, mean, context);
  return { model: next instanceof Float32Array ? next : Float32Array.from(next), length: norm(mean) };
}
