/** From what was trained to what leaves: clipped, noised, and either masked or compressed; kept before anything is sent. */
import { FoehnError } from "../../errors.js";
import { allFinite, difference, tabulate, type Vector, zerosLike } from "../aggregate/rows.js";
import { ByteWriter } from "../compress/bytes.js";
import { compress } from "../compress/feedback.js";
import { sha256 } from "../compress/hash.js";
import { clipped, noiseDeviation, noised, secretRandom } from "../privacy/noise.js";
import type { Memory } from "../strategy/strategy.js";
import { partsOf, updateSeed } from "./arrival.js";
import {
  coverageText,
  type Covered,
  coveredArrays,
  coveredSegments,
  gathered,
  gatheredOrZeros,
  scattered,
  sharedArrays,
} from "./coverage.js";
import type { LocalRound } from "./local-round.js";
import { maskedUpdate } from "./masked-site.js";
import { type Manifest, type RoundState, signed } from "./messages.js";
import { encodeMemory, flatten, personalSegments, withSegments } from "./parameters.js";
import type { SiteRun } from "./site-run.js";

/** An update that was made ready, and on which the hub has not decided. */
export interface Pending {
  readonly round: number;
  /** The attempt at the round: when the hub opened it. */
  readonly opened: number;
  readonly manifest: string;
}

/** Makes the update ready to send and keeps it, with both outcomes of the site's memory, before anything leaves. */
export async function prepareUpdate(run: SiteRun, state: RoundState, round: LocalRound): Promise<Pending> {
  const { site, trainer, shareSkill = true, onRound } = run.options;
  const { store, identity } = run;
  const plan = await run.plan();
  const { layout } = state;
  const { model, shared: vectors, memory, trained, seconds, skill } = round;
  const { samples } = trainer.describe();
  const params = flatten(trained.params, layout);
  if (!allFinite(params))
    throw new FoehnError(
      `training at site '${site}' diverged in round ${state.round}; lower its learning rate or check its data`,
    );
  // What stays here, and what was not trained here, is to the strategy as if it had not moved.
  const shared = sharedArrays(layout, plan.config.personal);
  const covered = coveredArrays(layout, shared, trained.arrays);
  const still = coveredSegments(
    layout,
    covered.map((c) => !c),
  );
  const leaving = withSegments(params, still, model);
  const coverage = coverageText(covered, shared);
  if (plan.config.masking && coverage !== undefined)
    throw new FoehnError(
      `site '${site}' trains only some arrays of the model, but this run masks updates, for which every site must train all; give the site all variables or ask the hub for a run without masking`,
    );
  const done = round.walked ?? plan.strategy.finish?.(memory, model, { ...trained, params: leaving, samples }, vectors);
  const units = plan.strategy.units?.(vectors);
  const moved = difference(leaving, model);
  const change = units ? tabulate(moved, (i) => moved[i] / (units[i] || 1)) : moved;
  const { payload, accepted, refused } = await pack(run, state, covered, change, done?.extras, memory);
  if (personalSegments(layout, plan.config.personal).length > 0)
    await store.put("personal", new Uint8Array(params.buffer));
  for (const [name, vector] of done?.memory ?? [])
    accepted.set(name, scattered(gatheredOrZeros(memory.get(name), still), still, vector.slice()));
  const update = { object: `site.${site}.${state.round}`, sha256: await sha256(payload), bytes: payload.length };
  const { steps, learningRate, momentum, loss } = trained;
  const manifest = await signed<Manifest>(
    {
      run: state.run,
      site,
      round: state.round,
      base: (state.models?.[site] ?? state).model.sha256,
      update,
      ...(coverage === undefined ? {} : { coverage }),
      samples,
      steps,
      learningRate,
      ...(momentum === undefined ? {} : { momentum }),
      ...(loss === undefined ? {} : { loss }),
      ...(round.walked ? { role: round.walked.role } : {}),
      seconds,
      skill: shareSkill ? skill : { together: [], personal: [] },
    },
    identity,
  );
  const pending: Pending = { round: state.round, opened: state.opened, manifest: JSON.stringify(manifest) };
  await store.put("outbox", payload);
  if (accepted.size > 0) await store.put("memory-accepted", encodeMemory(accepted));
  if (refused.size > 0) await store.put("memory-refused", encodeMemory(refused));
  await store.put("pending.json", new TextEncoder().encode(JSON.stringify(pending)));
  run.rounds++;
  onRound?.({ round: state.round, skill, bytes: payload.length, seconds });
  return pending;
}

/** The payload, and the site's memory if the hub takes it or refuses it. */
async function pack(
  run: SiteRun,
  state: RoundState,
  covered: Covered,
  change: Vector,
  extras: ReadonlyMap<string, Vector> | undefined,
  memory: Memory,
): Promise<{ payload: Uint8Array; accepted: Memory; refused: Memory }> {
  const plan = await run.plan();
  const { privacy, seed, compression, masking } = plan.config;
  const bounded = privacy ? clipped(change, privacy.clip) : change;
  const segments = coveredSegments(state.layout, covered);
  const [accepted, refused]: Memory[] = [new Map(memory), new Map(memory)];
  if (masking) return { payload: await maskedUpdate(run, state, gathered(bounded, segments)), accepted, refused };
  // Noise must be secret: it comes from the machine, not from the run's seed.
  const safe = privacy?.noise ? noised(bounded, noiseDeviation(privacy.noise, privacy.clip), secretRandom()) : bounded;
  const writer = new ByteWriter();
  const names = ["", ...(plan.strategy.extras ?? [])];
  if (names.length !== partsOf(plan))
    throw new FoehnError(`strategy '${plan.strategy.name}' names its extras differently here and at the hub`);
  for (const name of names) {
    const part = name === "" ? safe : (extras?.get(name) ?? zerosLike(change));
    const key = `feedback${name && `.${name}`}`;
    const known = memory.get(key);
    const packed = compress(
      plan.codec,
      compression.feedback,
      gathered(part, segments),
      known && gathered(known, segments),
      updateSeed(seed, state.round, run.options.site),
    );
    writer.varint(packed.payload.length);
    writer.bytes(packed.payload);
    if (compression.feedback !== "none") {
      const whole = (kept: Vector): Vector => scattered(kept, segments, known?.slice() ?? zerosLike(change));
      accepted.set(key, whole(packed.memory));
      refused.set(key, whole(packed.refused));
    }
  }
  return { payload: writer.done(), accepted, refused };
}
