/**
 * A site: watches the run's record, trains when invited, sends what the run's rules let leave, and keeps the rest.
 *
 *   const report = await runSite({ transport, site: "valley", trainer });
 */
import { FoehnError, UsageError } from "../../errors.js";
import { allFinite, difference, type Vector, zerosLike } from "../aggregate/rows.js";
import { ByteWriter } from "../compress/bytes.js";
import { compress } from "../compress/feedback.js";
import { sha256 } from "../compress/hash.js";
import * as masking from "../privacy/masking.js";
import { clipped, noiseDeviation, noised } from "../privacy/noise.js";
import { exportIdentity, type Identity, importIdentity, newIdentity } from "../privacy/signature.js";
import { type Random, random } from "../../tensor/random.js";
import type { Memory } from "../strategy/strategy.js";
import { NAME, type Transport } from "../transport/transport.js";
import { partsOf, updateSeed } from "./arrival.js";
import { type Plan, planOf, type RunConfigInput } from "./config.js";
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
import { maskingRound, maskingScale } from "./masked-round.js";
import {
  type Decision,
  decisionSchema,
  type Manifest,
  type MaskMessage,
  type Member,
  parsed,
  type RoundState,
  roundSchema,
  signed,
} from "./messages.js";
import {
  decodeMemory,
  encodeMemory,
  flatten,
  flattenOnto,
  type Layout,
  type Parameters,
  personalSegments,
  unflatten,
  withSegments,
} from "./parameters.js";
import { memorySiteStore, type SiteStore } from "./site-store.js";
import { getObject, getVector } from "./stored.js";
import type { LocalTrainer, SkillRow, Trained } from "./trainer.js";

export interface SiteSkill {
  /** A model trained here alone, with the same budget each round. */
  readonly alone?: SkillRow[];
  /** The shared model. */
  readonly together: SkillRow[];
  /** The shared model after local training. */
  readonly personal: SkillRow[];
}

export interface SiteRound {
  readonly round: number;
  readonly skill: SiteSkill;
  readonly bytes: number;
  readonly seconds: number;
}

export interface SiteReport {
  readonly site: string;
  readonly rounds: number;
  /** Skill of the run's last model. */
  readonly skill: SiteSkill;
  readonly refusals: readonly string[];
}

export interface SiteOptions {
  readonly transport: Transport;
  readonly site: string;
  readonly trainer: LocalTrainer;
  /** Where the site keeps its own; in memory where absent. */
  readonly store?: SiteStore;
  /** Also train a model alone, to see what joining gains; costs a second training a round. */
  readonly compareAlone?: boolean;
  /** Send the scores to the hub; without, it gets none. */
  readonly shareSkill?: boolean;
  readonly signal?: AbortSignal;
  readonly onRound?: (round: SiteRound) => void;
  readonly onRefusal?: (reason: string) => void;
}

/** Milliseconds between looks at the record when nothing happens. */
const PATIENCE = 1000;
/** Milliseconds after which an update the hub has not acknowledged is sent again. */
const RESEND = 15_000;

/** Takes part until the run is done. Throws what `signal` was aborted with, after saying goodbye. */
export async function runSite(options: SiteOptions): Promise<SiteReport> {
  const { transport, site, signal } = options;
  if (!NAME.test(site)) throw new UsageError(`'${site}' cannot name a site: use 1 to 64 letters, digits, - and _`);
  const self = new Site(options, await ownIdentity(options.store ?? memorySiteStore()));
  await self.register("here");
  try {
    let revision = 0;
    for (;;) {
      const entry = await transport.state.wait("round", revision, PATIENCE, signal);
      signal?.throwIfAborted();
      await self.beat();
      if (!entry) {
        await self.tryAgain();
        continue;
      }
      revision = entry.revision;
      const state = parsed(roundSchema, entry.value);
      if (typeof state === "string")
        throw new FoehnError(`the hub's record cannot be read here: ${state}; use the hub's version of Foehn`);
      if (state.phase === "done") return await self.report(state);
      await self.act(state);
    }
  } finally {
    if (!self.finished) await self.register("left").catch(() => undefined); // the connection may be what failed
  }
}

async function ownIdentity(store: SiteStore): Promise<{ store: SiteStore; identity: Identity }> {
  const kept = await store.get("identity.json");
  if (kept) return { store, identity: await importIdentity(new TextDecoder().decode(kept)) };
  const identity = await newIdentity();
  await store.put("identity.json", new TextEncoder().encode(await exportIdentity(identity)));
  return { store, identity };
}

/** An update that was sent and on which the hub has not decided. */
interface Pending {
  readonly round: number;
  /** The attempt at the round: when the hub opened it. */
  readonly opened: number;
  readonly manifest: string;
}

/** What local training in a round gave. */
interface LocalRound {
  readonly model: Float32Array;
  readonly shared: Memory;
  readonly memory: Memory;
  readonly trained: Trained;
  readonly seconds: number;
  readonly skill: SiteSkill;
}

class Site {
  readonly #store: SiteStore;
  readonly #identity: Identity;
  #plan: Plan | undefined;
  readonly #session = crypto.randomUUID();
  #beats = 0;
  #lastBeat = 0;
  #rounds = 0;
  #refusals: string[] = [];
  /** The last state acted on, to look at again while a decision is awaited. */
  #awaiting: RoundState | undefined;
  #maskKeys: { opened: number; keys: masking.MaskKeys } | undefined;
  #maskSteps = new Set<string>();
  #sentAt = -Infinity;
  finished = false;

  constructor(
    readonly options: SiteOptions,
    own: { store: SiteStore; identity: Identity },
  ) {
    this.#store = own.store;
    this.#identity = own.identity;
  }

  async register(status: "here" | "left"): Promise<void> {
    const { transport, site, trainer } = this.options;
    const { samples, variables, device } = trainer.describe();
    const member = await signed<Member>(
      {
        site,
        publicKey: this.#identity.publicKey,
        samples,
        variables: [...variables],
        device,
        status,
        session: this.#session,
        beat: this.#beats++,
      },
      this.#identity,
    );
    this.#lastBeat = performance.now();
    await transport.state.put(`member.${site}`, JSON.stringify(member));
    if (this.#beats === 1 || status === "left")
      await transport.events.publish(`hello.${site}`, status, `hello.${site}.${crypto.randomUUID()}`);
  }

  /** Says now and then that it is here. */
  async beat(): Promise<void> {
    const every = 1000 * ((this.#plan?.config.schedule.away ?? 120) / 4);
    if (performance.now() - this.#lastBeat > every) await this.register("here");
  }

  async #planOfRun(): Promise<Plan> {
    if (this.#plan) return this.#plan;
    const entry = await this.options.transport.state.get("config");
    if (!entry) throw new FoehnError("the run has a record but no configuration; restart its hub");
    return (this.#plan = await planOf(JSON.parse(entry.value) as RunConfigInput));
  }

  /** Looks again at what it waits for: a decision may have come without a new record. */
  async tryAgain(): Promise<void> {
    if (this.#awaiting) await this.act(this.#awaiting);
  }

  /** What the state asks of this site. */
  async act(state: RoundState): Promise<void> {
    this.#awaiting = undefined;
    const { site } = this.options;
    if (!state.invited.includes(site)) return this.#hearRefusal();
    switch (state.phase) {
      case "keys":
      case "shares":
      case "unmask":
        return this.#mask(state);
      case "train":
        return this.#contribute(state);
      case "open":
      case "done":
        return;
    }
  }

  /** A registration may have been refused: that is told without a round. */
  async #hearRefusal(): Promise<void> {
    const decision = await this.#decision();
    if (decision?.reason) this.#note(decision.reason);
  }

  #note(reason: string): void {
    if (this.#refusals.at(-1) === reason) return;
    this.#refusals.push(reason);
    this.options.onRefusal?.(reason);
  }

  async #decision(): Promise<Decision | undefined> {
    const entry = await this.options.transport.state.get(`decision.${this.options.site}`);
    const decision = entry && parsed(decisionSchema, entry.value);
    return typeof decision === "string" ? undefined : decision;
  }

  // --- one round -----------------------------------------------------------------------------------------------------------

  async #contribute(state: RoundState): Promise<void> {
    const pending = await this.#pending();
    if (pending?.round === state.round && pending.opened === state.opened) {
      // Sent before; the event or the object may have been lost with a server, or this site was killed: sent again, it counts once.
      this.#awaiting = state;
      const decision = await this.#decision();
      const told = decision && decision.round >= pending.round ? decision.outcome : "nothing";
      const wait = told === "lost" ? PATIENCE : told === "nothing" ? RESEND : Infinity;
      if (performance.now() - this.#sentAt > wait) await this.#send(pending);
      return;
    }
    if (pending && !(await this.#resolved(pending, state))) {
      this.#awaiting = state;
      return;
    }
    if (state.masking && this.#maskKeys?.opened !== state.opened) return; // restarted since the keys were dealt: the next round
    const trained = await this.#train(state);
    await this.#prepare(state, trained);
    this.#awaiting = state;
    this.#awaiting = state;
    await this.#send((await this.#pending())!);
  }

  async #pending(): Promise<Pending | undefined> {
    const bytes = await this.#store.get("pending.json");
    return bytes && (JSON.parse(new TextDecoder().decode(bytes)) as Pending);
  }

  /** Whether the hub's word on the pending update is known; moves the memory on accordingly. */
  async #resolved(pending: Pending, state: RoundState): Promise<boolean> {
    const { config } = await this.#planOfRun();
    const decision = await this.#decision();
    const told = decision && decision.round >= pending.round ? decision : undefined;
    const included = state.included.includes(this.options.site) && state.round > pending.round;
    if ((told?.outcome === "received" || told?.outcome === "lost") && !included) return false;
    const { mode, late, maxStaleness } = config.schedule;
    const lateCounts = late === "use" || mode === "buffered" || mode === "interval";
    const tooLate = state.round > pending.round + (lateCounts ? maxStaleness : -1);
    if (!told && !included && !tooLate) return false;
    const accepted = included || told?.outcome === "used";
    if (told?.reason) this.#note(told.reason);
    const memory = await this.#store.get(accepted ? "memory-accepted" : "memory-refused");
    if (memory) await this.#store.put("memory", memory);
    await this.#store.remove("pending.json");
    return true;
  }

  async #memory(): Promise<Memory> {
    const bytes = await this.#store.get("memory");
    return bytes ? decodeMemory(bytes, "memory of this site") : new Map<string, Vector>();
  }

  /** Local training under the strategy's rule. */
  async #train(state: RoundState): Promise<LocalRound> {
    const { transport, site, trainer, signal, compareAlone = false } = this.options;
    const plan = await this.#planOfRun();
    const { layout } = state;
    const model = await this.#withOwnParts(await getVector(transport, state.model, layout), layout);
    const shared: Memory = state.shared
      ? decodeMemory(await getObject(transport, state.shared), state.shared.object)
      : new Map<string, Vector>();
    const memory = await this.#memory();
    const rule = plan.strategy.begin?.(memory, model, shared) ?? {};
    const named = (vector: Vector): Parameters =>
      unflatten(vector instanceof Float32Array ? vector : Float32Array.from(vector), layout);
    const seed = updateSeed(plan.config.seed, state.round, site);
    const budget = { ...plan.config.budget, ...(state.steps?.[site] ? { steps: state.steps[site] } : {}) };
    const progress = state.round / plan.config.rounds;
    const started = performance.now();
    const result = await trainer.train(unflatten(model, layout), {
      budget,
      seed,
      progress,
      signal,
      ...(rule.offset ? { offset: named(rule.offset) } : {}),
      ...(rule.proximal ? { proximal: { weight: rule.proximal.weight, anchor: named(rule.proximal.anchor) } } : {}),
    });
    const seconds = (performance.now() - started) / 1000;
    const trained = { ...result, params: unflatten(flattenOnto(result.params, layout, model), layout) };
    const skill: SiteSkill = {
      ...(compareAlone ? { alone: await this.#alone(state, model, { budget, seed, progress }) } : {}),
      together: await trainer.evaluate(unflatten(model, layout)),
      personal: await trainer.evaluate(trained.params),
    };
    return { model, shared, memory, trained, seconds, skill };
  }

  /** The shared model with this site's own arrays in their places. */
  async #withOwnParts(model: Float32Array, layout: Layout): Promise<Float32Array> {
    const { config } = await this.#planOfRun();
    const own = await this.#store.get("personal");
    if (!own) return model;
    return withSegments(model, personalSegments(layout, config.personal), new Float32Array(own.slice().buffer));
  }

  /** One more round of the model that never saw another site. */
  async #alone(
    { layout }: RoundState,
    model: Float32Array,
    task: { budget: Plan["config"]["budget"]; seed: number; progress: number },
  ): Promise<SkillRow[]> {
    const { trainer, signal } = this.options;
    const kept = await this.#store.get("alone");
    const before = kept ? new Float32Array(kept.slice().buffer) : model;
    const { params } = await trainer.train(unflatten(before, layout), { ...task, signal });
    const after = flattenOnto(params, layout, before);
    await this.#store.put("alone", new Uint8Array(after.buffer));
    return trainer.evaluate(unflatten(after, layout));
  }

  /** Makes the update ready to send and keeps it, with both outcomes of the site's memory, before anything leaves. */
  async #prepare(state: RoundState, round: LocalRound): Promise<void> {
    const { site, trainer, shareSkill = true, onRound } = this.options;
    const plan = await this.#planOfRun();
    const { model, shared: vectors, memory, trained, seconds, skill } = round;
    const { samples } = trainer.describe();
    const params = flatten(trained.params, state.layout);
    if (!allFinite(params))
      throw new FoehnError(
        `training at site '${site}' diverged in round ${state.round}; lower its learning rate or check its data`,
      );
    // What stays here, and what was not trained here, is to the strategy as if it had not moved.
    const shared = sharedArrays(state.layout, plan.config.personal);
    const covered = coveredArrays(state.layout, shared, trained.arrays);
    const kept = personalSegments(state.layout, plan.config.personal);
    const still = coveredSegments(
      state.layout,
      covered.map((c) => !c),
    );
    const leaving = withSegments(params, still, model);
    const coverage = coverageText(covered, shared);
    if (plan.config.masking && coverage !== undefined)
      throw new FoehnError(
        `site '${site}' trains only some arrays of the model, but this run masks updates, for which every site must train all; give the site all variables or ask the hub for a run without masking`,
      );
    const done = plan.strategy.finish?.(memory, model, { ...trained, params: leaving, samples }, vectors);
    const change = difference(leaving, model);
    const { payload, accepted, refused } = await this.#pack(state, covered, change, done?.extras, memory);
    if (kept.length > 0) await this.#store.put("personal", new Uint8Array(params.buffer));
    for (const [name, vector] of done?.memory ?? [])
      accepted.set(name, scattered(gatheredOrZeros(memory.get(name), still), still, vector.slice()));
    const update = { object: `site.${site}.${state.round}`, sha256: await sha256(payload), bytes: payload.length };
    const { steps, learningRate, momentum, loss } = trained;
    const manifest = await signed<Manifest>(
      {
        run: state.run,
        site,
        round: state.round,
        base: state.model.sha256,
        update,
        ...(coverage === undefined ? {} : { coverage }),
        samples,
        steps,
        learningRate,
        ...(momentum === undefined ? {} : { momentum }),
        ...(loss === undefined ? {} : { loss }),
        seconds,
        skill: shareSkill ? skill : { together: [], personal: [] },
      },
      this.#identity,
    );
    const pending: Pending = { round: state.round, opened: state.opened, manifest: JSON.stringify(manifest) };
    await this.#store.put("outbox", payload);
    if (accepted.size > 0) await this.#store.put("memory-accepted", encodeMemory(accepted));
    if (refused.size > 0) await this.#store.put("memory-refused", encodeMemory(refused));
    await this.#store.put("pending.json", new TextEncoder().encode(JSON.stringify(pending)));
    this.#rounds++;
    onRound?.({ round: state.round, skill, bytes: payload.length, seconds });
  }

  /** The update as it leaves: clipped, noised, and either masked or compressed. */
  async #pack(
    state: RoundState,
    covered: Covered,
    change: Vector,
    extras: ReadonlyMap<string, Vector> | undefined,
    memory: Memory,
  ): Promise<{ payload: Uint8Array; accepted: Memory; refused: Memory }> {
    const plan = await this.#planOfRun();
    const { site } = this.options;
    const { privacy, seed, compression } = plan.config;
    const bounded = privacy ? clipped(change, privacy.clip) : change;
    const segments = coveredSegments(state.layout, covered);
    if (plan.config.masking)
      return {
        payload: await this.#masked(state, gathered(bounded, segments)),
        accepted: new Map(memory),
        refused: new Map(memory),
      };
    // Noise must be secret: it comes from the machine, not from the run's seed.
    const safe = privacy?.noise
      ? noised(bounded, noiseDeviation(privacy.noise, privacy.clip), secretRandom())
      : bounded;
    const accepted: Memory = new Map(memory);
    const refused: Memory = new Map(memory);
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
        updateSeed(seed, state.round, site),
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

  /** Object first, manifest last: only the manifest makes it count. */
  async #send({ manifest, opened }: Pending): Promise<void> {
    const { transport, site } = this.options;
    const payload = await this.#store.get("outbox");
    const { update, round } = JSON.parse(manifest) as Manifest;
    if (!payload)
      throw new FoehnError(
        `site '${site}' lost the update of round ${round} it was to send; its folder was changed while it ran`,
      );
    await transport.objects.put(update.object, payload);
    await transport.events.publish(
      `update.${site}`,
      manifest,
      `update.${site}.${round}.${opened}.${update.sha256}.${crypto.randomUUID()}`,
    );
    this.#sentAt = performance.now();
  }

  // --- masked rounds -------------------------------------------------------------------------------------------------------

  async #mask(state: RoundState): Promise<void> {
    const { transport, site } = this.options;
    const { round, opened, run, phase } = state;
    const step = `${phase} ${opened}`;
    if (this.#maskSteps.has(step)) return; // never twice: two answers to "unmask" could reveal both secrets of a site
    const publish = async (content: Partial<MaskMessage>): Promise<void> => {
      this.#maskSteps.add(step);
      const message = await signed<MaskMessage>({ run, site, round, ...content }, this.#identity);
      await transport.events.publish(`mask.${site}`, JSON.stringify(message), `mask.${site}.${step}`);
    };
    if (phase === "keys") {
      this.#maskSteps.clear();
      this.#maskKeys = { opened, keys: await masking.newMaskKeys() };
      return publish({ keys: this.#maskKeys.keys.public });
    }
    const { masking: mask } = state;
    const keys = this.#maskKeys?.opened === opened ? this.#maskKeys.keys : undefined;
    if (!mask || !keys || !(site in mask.roster)) return; // it joined or was restarted halfway: the others' shares stand in for it
    const name = maskingRound(run, round, opened);
    if (phase === "shares") {
      const { threshold } = mask;
      return publish({ parcels: await masking.dealShares(site, keys, mask.roster, { threshold, round: name }) });
    }
    const box = await this.#letterBox(state);
    if (mask.survivors.length < mask.threshold)
      throw new FoehnError(
        `the hub asks to unmask ${mask.survivors.length} sites, fewer than ${mask.threshold}; refused`,
      );
    return publish({
      revealed: await masking.revealed(site, keys, mask.roster, box, { survivors: mask.survivors, round: name }),
    });
  }

  async #letterBox({ opened, round }: RoundState): Promise<Record<string, string>> {
    const { transport, site } = this.options;
    const entry = await transport.state.get(`parcels.${site}`);
    const { opened: when, box } = JSON.parse(entry?.value ?? "{}") as { opened?: number; box?: Record<string, string> };
    if (!box || when !== opened)
      throw new FoehnError(`the parcels of masked round ${round} did not reach site '${site}'`);
    return box;
  }

  async #masked(state: RoundState, change: Vector): Promise<Uint8Array> {
    const plan = await this.#planOfRun();
    const { site } = this.options;
    const { masking: mask, run, round, opened } = state;
    if (!mask || !this.#maskKeys)
      throw new FoehnError(`masked round ${round} has no roster; the hub's record is broken`);
    const { clip, noise } = plan.config.privacy!;
    const weighted = change.map((v) => v * mask.weights[site]);
    // Each adds so much noise that the fewest survivors together still carry all of it.
    const deviation = noiseDeviation(noise, clip * mask.weights[site], mask.threshold);
    const safe = noise ? noised(weighted, deviation, secretRandom()) : weighted;
    const words = await masking.masked(site, this.#maskKeys.keys, mask.roster, safe, {
      scale: maskingScale(plan, Object.keys(mask.roster).length),
      round: maskingRound(run, round, opened),
    });
    return new Uint8Array(words.buffer);
  }

  // --- the end -------------------------------------------------------------------------------------------------------------

  /** What this site gained, with the run's last model. */
  async report(state: RoundState): Promise<SiteReport> {
    const { transport, site, trainer, signal } = this.options;
    const plan = await this.#planOfRun();
    const { layout } = state;
    const params = unflatten(await this.#withOwnParts(await getVector(transport, state.model, layout), layout), layout);
    const alone = await this.#store.get("alone");
    const { params: personal } = await trainer.train(params, {
      budget: plan.config.budget,
      seed: updateSeed(plan.config.seed, state.round, site),
      progress: 1,
      signal,
    });
    const skill: SiteSkill = {
      ...(alone ? { alone: await trainer.evaluate(unflatten(new Float32Array(alone.slice().buffer), layout)) } : {}),
      together: await trainer.evaluate(params),
      personal: await trainer.evaluate(personal),
    };
    this.finished = true;
    return { site, rounds: this.#rounds, skill, refusals: this.#refusals };
  }
}

/** Normal numbers from the machine's secure source. */
function secretRandom(): Random {
  const words = crypto.getRandomValues(new Uint32Array(2));
  return random({ key: [words[0], words[1]], drawn: 0 });
}
