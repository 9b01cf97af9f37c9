/** A round at a site: training under the strategy's rule, and what the site sees of its gain. */
import { FoehnError } from "../../errors.js";
import type { Vector } from "../aggregate/rows.js";
import type { GradientOracle } from "../strategy/anchors.js";
import type { Memory, Walked } from "../strategy/strategy.js";
import { updateSeed } from "./arrival.js";
import type { RoundState } from "./messages.js";
import { decodeMemory, flattenOnto, type Layout, type Parameters, unflatten } from "./parameters.js";
import type { SiteReport, SiteRun, SiteSkill } from "./site-run.js";
import { getObject, getVector } from "./stored.js";
import type { SkillRow, Trained, TrainingTask } from "./trainer.js";

/** What local training in a round gave. */
export interface LocalRound {
  /** What it began with, as the hub knows it but for the site's own arrays. */
  readonly model: Float32Array;
  readonly shared: Memory;
  readonly memory: Memory;
  readonly trained: Trained;
  /** What a strategy's own local training gave. */
  readonly walked?: Walked;
  readonly seconds: number;
  readonly skill: SiteSkill;
}

/** Local training under the strategy's rule, and scores before and after it. */
export async function trainRound(run: SiteRun, state: RoundState): Promise<LocalRound> {
  const { transport, site, trainer, signal, compareAlone = false } = run.options;
  const plan = await run.plan();
  const { layout } = state;
  const own = state.models?.[site] ?? state;
  const model = await run.withOwnParts(await getVector(transport, own.model, layout), layout);
  const shared: Memory = own.shared
    ? decodeMemory(await getObject(transport, own.shared), own.shared.object)
    : new Map<string, Vector>();
  const memory = await run.memory();
  const rule = plan.strategy.begin?.(memory, model, shared) ?? {};
  const named = (vector: Vector): Parameters =>
    unflatten(vector instanceof Float32Array ? vector : Float32Array.from(vector), layout);
  const task = {
    budget: { ...plan.config.budget, ...(state.steps?.[site] ? { steps: state.steps[site] } : {}) },
    seed: updateSeed(plan.config.seed, state.round, site),
    progress: state.round / plan.config.rounds,
    round: state.round,
    signal,
  };
  const started = performance.now();
  const walked = await plan.strategy.walk?.({
    site: memory,
    model,
    shared,
    seed: task.seed,
    steps: task.budget.steps ?? 10,
    oracle: gradientsOf(run, layout, task.seed),
  });
  const result: Trained = walked
    ? { ...walked, params: named(walked.params) }
    : await trainer.train(unflatten(model, layout), {
        ...task,
        ...(rule.offset ? { offset: named(rule.offset) } : {}),
        ...(rule.proximal ? { proximal: { weight: rule.proximal.weight, anchor: named(rule.proximal.anchor) } } : {}),
      });
  const seconds = (performance.now() - started) / 1000;
  const trained = { ...result, params: unflatten(flattenOnto(result.params, layout, model), layout) };
  const scored = state.round % plan.config.evaluateEvery === 0;
  const score = async (params: Parameters): Promise<SkillRow[]> => (scored ? trainer.evaluate(params) : []);
  const skill: SiteSkill = {
    ...(compareAlone ? { alone: await score(await trainAlone(run, state, model, task)) } : {}),
    together: await score(unflatten(model, layout)),
    personal: trained.gradient ? [] : await score(trained.params),
  };
  return { model, shared, memory, trained, walked, seconds, skill };
}

/** Gradients as a strategy's own training asks for them. */
function gradientsOf({ options }: SiteRun, layout: Layout, seed: number): GradientOracle {
  const at = async (w: Vector, size: "large" | "small", drawn: number): Promise<Vector> => {
    if (!options.trainer.gradient)
      throw new FoehnError(
        `the strategy of this run needs gradients, which the trainer of site '${options.site}' does not give; ask the hub for another strategy`,
      );
    const params = unflatten(w instanceof Float32Array ? w : Float32Array.from(w), layout);
    const gradient = await options.trainer.gradient(params, { size, seed: drawn });
    return flattenOnto(gradient, layout, new Float32Array(w.length));
  };
  return { large: (w) => at(w, "large", seed), small: (w, step) => at(w, "small", seed + step) };
}

/** One more round of the model that never saw another site. */
async function trainAlone(
  { options, store }: SiteRun,
  { layout }: RoundState,
  model: Float32Array,
  task: TrainingTask,
): Promise<Parameters> {
  const { trainer } = options;
  const kept = await store.get("alone");
  const before = kept ? new Float32Array(kept.slice().buffer) : model;
  const { params } = await trainer.train(unflatten(before, layout), { ...task, own: true });
  const after = flattenOnto(params, layout, before);
  await store.put("alone", new Uint8Array(after.buffer));
  return unflatten(after, layout);
}

/** What this site gained, with the run's last model. */
export async function siteReport(run: SiteRun, state: RoundState): Promise<SiteReport> {
  const { transport, site, trainer, signal } = run.options;
  const plan = await run.plan();
  const { layout } = state;
  const { model } = state.models?.[site] ?? state;
  const vector = await run.withOwnParts(await getVector(transport, model, layout), layout);
  const params = unflatten(vector, layout);
  const alone = await run.store.get("alone");
  const seed = updateSeed(plan.config.seed, state.round, site);
  const { budget } = plan.config;
  const tuned = trainer.personalise
    ? await trainer.personalise(params, { seed, signal })
    : (await trainer.train(params, { budget, seed, progress: 1, signal, own: true })).params;
  const own = flattenOnto(tuned, layout, vector);
  // A personal model may have arrays of its own beside the shared one's
  const beside = [...tuned].filter(([name]) => !params.has(name));
  const personal = new Map([...unflatten(own, layout), ...beside]);
  await run.store.put("model-personal", new Uint8Array(own.buffer));
  const skill: SiteSkill = {
    ...(alone ? { alone: await trainer.evaluate(unflatten(new Float32Array(alone.slice().buffer), layout)) } : {}),
    together: await trainer.evaluate(params),
    personal: await trainer.evaluate(personal),
  };
  return {
    site,
    rounds: run.rounds,
    skill,
    refusals: run.refusals,
    models: { together: params, personal },
  };
}
