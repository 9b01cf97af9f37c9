/**
 * The hub: a state machine whose whole state lies in the message system. It reads the round's record, does one small thing, and
 * writes the record back by compare-and-set; killed anywhere and started again, it goes on from the record.
 *
 *   await runHub({ transport, config: { run: "valley", rounds: 20 }, initial: params })
 *
 *   open -> train -> open ... -> done            masked: open -> keys -> shares -> train -> unmask -> open
 */
import { FoehnError, UsageError } from "../../errors.js";
import type { BlockKernels } from "../aggregate/aggregate.js";
import type { Vector } from "../aggregate/rows.js";
import { type Candidate, invite, updatedSpeed } from "../strategy/schedule.js";
import type { Memory } from "../strategy/strategy.js";
import type { Entry, FederationEvent, Transport } from "../transport/transport.js";
import { type Arrived, DUPLICATE, examine, fetchRow, partsOf } from "./arrival.js";
import { type Plan, planOf, type RunConfigInput } from "./config.js";
import { sharedArrays } from "./coverage.js";
import { takeLease } from "./lease.js";
import { type Gathered, gather, maskedMean, maskingRoster } from "./masked-round.js";
import { trackMembers } from "./members.js";
import {
  type Decision,
  type Manifest,
  manifestSchema,
  type Pointer,
  parsed,
  publicState,
  type HubState,
  hubSchema,
} from "./messages.js";
import {
  decodeMemory,
  encodeMemory,
  flatten,
  layoutLength,
  layoutOf,
  type Parameters,
  unflatten,
} from "./parameters.js";
import { type RoundRecord, siteRecord, spentPrivacy } from "./records.js";
import { memoryRowStore, type RowStore } from "./row-store.js";
import { getObject, getVector, putObject } from "./stored.js";
import { hubStep, maskedStep, type Stepped, stepLength } from "./step.js";

export interface HubOptions {
  readonly transport: Transport;
  readonly config: RunConfigInput;
  /** The model of round 0; a run that has begun goes on with its own. */
  readonly initial: Parameters;
  /** Where decoded updates wait; in memory where absent. */
  readonly rows?: RowStore;
  readonly kernels?: BlockKernels;
  readonly owner?: string;
  /** Milliseconds after which a silent hub's place is free. */
  readonly leaseTerm?: number;
  readonly signal?: AbortSignal;
  readonly onRound?: (record: RoundRecord) => void | Promise<void>;
  readonly now?: () => number;
}

/** Two sites may send the same bytes that stand for different rows: on top of another memory, for other arrays. */
const rowName = ({ object, sha256 }: Pointer): string => `${object}.${sha256}`;
/** Events taken at a time, and the longest wait for one, milliseconds. */
const [BATCH, PATIENCE] = [256, 1000];
/** Refusals one after another after which a site is no longer invited, until it is started anew. */
const STRIKES = 3;

/** Coordinates the run to its end and returns the last model. Throws what `signal` was aborted with. */
export async function runHub(options: HubOptions): Promise<Parameters> {
  const { transport, signal, leaseTerm = 10_000, owner = crypto.randomUUID() } = options;
  const plan = await planOf(options.config);
  const lease = await takeLease(transport, owner, { term: leaseTerm, signal });
  try {
    const hub = await Hub.open(options, plan);
    while (hub.state.phase !== "done") {
      signal?.throwIfAborted();
      lease.check();
      await hub.advance();
    }
    return hub.model();
  } finally {
    await lease.release();
  }
}

class Hub {
  readonly #now: () => number;
  readonly #rows: RowStore;
  readonly #members;
  /** Manifests of the accepted updates, for the record; read again from the log after a restart. */
  readonly #manifests = new Map<number, Manifest>();
  /** Messages of a masked phase; the cursor stands still meanwhile, so that a restarted hub reads them again. */
  #gathered: Gathered = { keys: {}, parcels: {}, revealed: {} };
  #ahead = 0;
  #shown: Entry | undefined;

  private constructor(
    readonly options: HubOptions,
    readonly plan: Plan,
    public state: HubState,
    private revision: number,
  ) {
    this.#now = options.now ?? Date.now;
    this.#rows = options.rows ?? memoryRowStore();
    this.#members = trackMembers(options.transport, plan, this.#now);
  }

  /** Goes on with the run's record, or begins one. */
  static async open(options: HubOptions, plan: Plan): Promise<Hub> {
    const { transport, initial, now = Date.now } = options;
    const entry = await transport.state.get("hub");
    if (entry) {
      const state = parsed(hubSchema, entry.value);
      if (typeof state === "string")
        throw new FoehnError(
          `run '${plan.config.run}': its record cannot be read: ${state}; start a run of another name`,
        );
      if (state.configHash !== plan.hash)
        throw new UsageError(
          `run '${plan.config.run}' was begun with another configuration (${state.configHash.slice(0, 12)}, now ${plan.hash.slice(0, 12)}); restore it or choose another run name`,
        );
      const hub = new Hub(options, plan, state, entry.revision);
      await hub.#members.refresh();
      await hub.#show();
      await hub.#tellSites();
      return hub;
    }
    const layout = layoutOf(initial);
    const model = await putObject(transport, "model", flatten(initial, layout));
    await transport.state.put("config", JSON.stringify(plan.config));
    await transport.state.put("version.0", model.sha256);
    const state: HubState = {
      run: plan.config.run,
      configHash: plan.hash,
      layout: layout.map(({ name, shape }) => ({ name, shape: [...shape] })),
      round: 0,
      phase: "open",
      model,
      invited: [],
      opened: now(),
      deadline: now(),
      cursor: 0,
      accepted: [],
      included: [],
      refused: {},
      history: {},
    };
    const hub = new Hub(options, plan, state, await transport.state.update("hub", JSON.stringify(state), 0));
    await hub.#show();
    return hub;
  }

  get #transport(): Transport {
    return this.options.transport;
  }

  async #commit(change: Partial<HubState>): Promise<void> {
    const next = { ...this.state, ...change };
    this.revision = await this.#transport.state.update("hub", JSON.stringify(next), this.revision);
    this.state = next;
    await this.#show();
  }

  /** Shows the sites their part of the state where it has changed. */
  async #show(): Promise<void> {
    const text = JSON.stringify(publicState(this.state));
    this.#shown ??= await this.#transport.state.get("round");
    if (this.#shown?.value === text) return;
    const revision = await this.#transport.state.update("round", text, this.#shown?.revision ?? 0);
    this.#shown = { value: text, revision };
  }

  /** One small thing. */
  async advance(): Promise<void> {
    switch (this.state.phase) {
      case "open":
        return this.#open();
      case "keys":
      case "shares":
      case "unmask":
        return this.#masked();
      case "train":
        return this.#train();
      case "done":
        return;
    }
  }

  async model(): Promise<Parameters> {
    return unflatten(await getVector(this.#transport, this.state.model, this.state.layout), this.state.layout);
  }

  // --- open: choose who trains ---------------------------------------------------------------------------------------------

  async #open(): Promise<void> {
    const { schedule, seed, masking } = this.plan.config;
    await this.#members.refresh();
    const active = this.#members.active().filter(({ site, session }) => {
      const { strikes } = this.state.history[site] ?? {};
      return strikes?.session !== session || strikes.count < STRIKES;
    });
    // The first round waits for company; a run that has begun goes on with whoever is there.
    const fewest = Object.keys(this.state.history).length === 0 ? schedule.minSites : 1;
    if (active.length < fewest) {
      await this.#pause();
      return;
    }
    const { history, round } = this.state;
    const candidates: Candidate[] = active.map(({ site, samples }) => {
      const { invited = 0, answered = 0 } = history[site] ?? {};
      return { site, samples, availability: invited ? answered / invited : 1 };
    });
    const everyone = schedule.mode === "buffered" || schedule.mode === "interval" || schedule.invite === undefined;
    const invited = await invite(candidates, everyone ? active.length : schedule.invite!, {
      sampling: schedule.sampling,
      seed,
      round,
    });
    const opened = this.#now();
    const counted = { ...history };
    for (const site of invited) {
      const { invited: before, ...rest } = history[site] ?? { invited: 0, answered: 0 };
      counted[site] = { ...rest, invited: before + 1 };
    }
    this.#gathered = { keys: {}, parcels: {}, revealed: {} };
    this.#ahead = this.state.cursor;
    await this.#commit({
      phase: masking ? "keys" : "train",
      invited,
      steps: this.#stepsBySpeed(invited),
      opened,
      deadline: opened + 1000 * schedule.deadline,
      history: counted,
      masking: undefined,
    });
  }

  /** Steps for each site so that fast and slow arrive together (FedCompass's idea for a synchronous round). */
  #stepsBySpeed(invited: readonly string[]): Record<string, number> | undefined {
    const most = this.plan.config.budget.steps;
    if (this.plan.config.schedule.mode !== "compass" || most === undefined) return undefined;
    const speeds = invited.flatMap((site) => this.state.history[site]?.speed ?? []);
    if (speeds.length === 0) return undefined;
    const fastest = Math.min(...speeds);
    return Object.fromEntries(
      invited.map((site) => {
        const speed = this.state.history[site]?.speed ?? fastest;
        return [site, Math.max(1, Math.round((most * fastest) / speed))];
      }),
    );
  }

  /** Waits for something to happen, without taking it into account. */
  async #pause(): Promise<void> {
    const { signal } = this.options;
    const events = await this.#transport.events.read(this.state.cursor, {
      limit: BATCH,
      milliseconds: PATIENCE,
      signal,
    });
    if (events.length > 0) await this.#commit({ cursor: events.at(-1)!.sequence });
  }

  // --- train: collect updates ----------------------------------------------------------------------------------------------

  async #train(): Promise<void> {
    const { signal } = this.options;
    const left = Math.max(0, this.state.deadline - this.#now());
    if (!this.#ready()) {
      const events = await this.#transport.events.read(this.state.cursor, {
        limit: BATCH,
        milliseconds: Math.min(left, PATIENCE),
        signal,
      });
      if (events.length > 0) await this.#takeIn(events);
      else await this.#members.refresh();
    }
    const outcome = this.#ready();
    if (outcome === "step") await this.#finish();
    else if (outcome === "void") await this.#void();
  }

  /** Examines a batch of events; one write for all of them. */
  async #takeIn(events: readonly FederationEvent[]): Promise<void> {
    const accepted = [...this.state.accepted];
    const refused = { ...this.state.refused };
    const history = { ...this.state.history };
    const received: string[] = [];
    await this.#members.refresh();
    for (const { subject, payload, sequence } of events) {
      const [kind, site] = subject.split(".");
      if (kind !== "update") continue;
      const gate = {
        transport: this.#transport,
        plan: this.plan,
        state: { ...this.state, accepted },
        member: this.#members.get(site),
      };
      const arrived = await examine(gate, payload, sequence, site);
      if (arrived === DUPLICATE) continue;
      if (typeof arrived === "string") {
        refused[site] = arrived;
        const { strikes, ...rest } = history[site] ?? { invited: 0, answered: 0 };
        const session = this.#members.get(site)?.session ?? "";
        history[site] = { ...rest, strikes: { session, count: strikes?.session === session ? strikes.count + 1 : 1 } };
        await this.#decide(site, { round: this.state.round, outcome: "refused", reason: arrived });
        continue;
      }
      await this.#keep(arrived);
      // A newer update of the same site takes the place of its older one.
      const older = accepted.findIndex((a) => a.site === site);
      if (older >= 0) accepted.splice(older, 1);
      accepted.push(arrived.accepted);
      received.push(site);
      const known = history[site] ?? { invited: 0, answered: 0 };
      const { seconds, steps, coverage } = arrived.accepted;
      history[site] = {
        invited: known.invited,
        answered: known.answered + 1,
        speed: updatedSpeed(known.speed, seconds, steps),
        ...(coverage === undefined ? {} : { coverage }),
      };
    }
    await this.#commit({ accepted, refused, history, cursor: events.at(-1)!.sequence });
    await Promise.all(received.map((site) => this.#decide(site, { round: this.state.round, outcome: "received" })));
  }

  async #keep({ accepted, manifest, row }: Arrived): Promise<void> {
    await this.#rows.add(rowName(accepted.update), row);
    this.#manifests.set(accepted.sequence, manifest);
  }

  /** Whether the updates at hand make a step, are too few for ever, or are to be waited for. */
  #ready(): "step" | "void" | undefined {
    const { schedule } = this.plan.config;
    const { accepted, invited, refused, deadline } = this.state;
    const active = new Set(this.#members.active().map(({ site }) => site));
    const over = this.#now() >= deadline;
    const come = new Set(accepted.map(({ site }) => site));
    switch (schedule.mode) {
      case "buffered": {
        const wanted = Math.min(schedule.buffer, Math.max(1, active.size));
        if (accepted.length >= wanted || (over && accepted.length > 0)) return "step";
        return over ? "void" : undefined;
      }
      case "interval":
        if (!over) return undefined;
        return accepted.length > 0 ? "step" : "void";
      case "synchronous":
      case "compass": {
        const waitedFor = invited.filter((site) => !come.has(site) && !(site in refused) && active.has(site));
        if (waitedFor.length > 0 && !over) return undefined;
        const enough = Math.max(1, Math.ceil(schedule.quorum * invited.length), this.state.masking?.threshold ?? 0);
        return accepted.length >= enough ? "step" : "void";
      }
    }
  }

  // --- the step ------------------------------------------------------------------------------------------------------------

  async #finish(): Promise<void> {
    if (this.plan.config.masking && this.state.phase === "train") {
      const survivors = this.state.accepted.map(({ site }) => site).sort();
      this.#ahead = this.state.cursor;
      await this.#commit({
        phase: "unmask",
        deadline: this.#now() + 1000 * this.plan.config.schedule.deadline,
        masking: { ...this.state.masking!, survivors },
      });
      return;
    }
    if (await this.#dropLost()) return;
    const accepted = [...this.state.accepted].sort((a, b) => (a.site < b.site ? -1 : 1));
    const { layout } = this.state;
    const [model, memory] = [await getVector(this.#transport, this.state.model, layout), await this.#memory()];
    const input = {
      plan: this.plan,
      layout,
      model,
      memory,
      accepted,
      members: Object.values(this.state.history).map(({ coverage }) => coverage),
      kernels: this.options.kernels,
    };
    const rows = await this.#rows.open(accepted.map(({ update }) => rowName(update)));
    try {
      const masked = this.plan.config.masking
        ? await maskedMean(this.plan, this.state, rows, this.#gathered.revealed)
        : undefined;
      if (typeof masked === "string") return await this.#void(masked);
      const stepped = masked ? maskedStep(input, masked) : await hubStep({ ...input, rows });
      const memories = await this.#keepMemories(accepted, rows);
      await this.#publish(memory, accepted, memories, stepped);
    } finally {
      await rows.close();
    }
    await this.#rows.keep([]);
  }

  async #memory(): Promise<Memory> {
    const { memory } = this.state;
    if (!memory) return new Map<string, Vector>();
    return decodeMemory(await getObject(this.#transport, memory), memory.object);
  }

  /**
   * Fetches again what a restarted hub does not hold. What the message system lost (an acknowledged write is not yet on disk)
   * no longer counts as accepted, and its site is asked to send it again. Whether there was any such.
   */
  async #dropLost(): Promise<boolean> {
    const lost: string[] = [];
    for (const { site, round, update, coverage, sequence } of this.state.accepted) {
      if (!this.#rows.has(rowName(update))) {
        const gate = { transport: this.#transport, plan: this.plan, state: this.state };
        try {
          const row = await fetchRow(gate, update, { site, round, coverage, memory: this.state.memories?.[site] });
          await this.#rows.add(rowName(update), row);
        } catch (error) {
          if (!(error instanceof FoehnError)) throw error;
          lost.push(site);
        }
      }
      if (!this.#manifests.has(sequence)) {
        const [event] = await this.#transport.events.read(sequence - 1, { limit: 1, milliseconds: PATIENCE });
        const manifest = event && parsed(manifestSchema, event.payload);
        if (manifest && typeof manifest !== "string") this.#manifests.set(sequence, manifest);
      }
    }
    if (lost.length === 0) return false;
    if (this.state.phase === "unmask") {
      await this.#void(); // its masks are in the sum to be opened: without it there is none
      return true;
    }
    await this.#commit({ accepted: this.state.accepted.filter(({ site }) => !lost.includes(site)) });
    await Promise.all(lost.map((site) => this.#decide(site, { round: this.state.round, outcome: "lost" })));
    return true;
  }

  /** For EF21 the hub's copies of what each site has sent so far. */
  async #keepMemories(
    accepted: HubState["accepted"],
    rows: Awaited<ReturnType<RowStore["open"]>>,
  ): Promise<Record<string, number> | undefined> {
    if (this.plan.config.compression.feedback !== "ef21") return undefined;
    const memories = { ...this.state.memories };
    const row = new Float32Array(partsOf(this.plan) * layoutLength(this.state.layout));
    for (const [i, { site }] of accepted.entries()) {
      await rows.read(i, 0, row);
      await this.#transport.objects.put(`memory.${site}.${this.state.round}`, new Uint8Array(row.buffer));
      memories[site] = this.state.round;
    }
    return memories;
  }

  /** Writes the new model and, with one compare-and-set, makes it the run's; then tells the sites. */
  async #publish(
    memory: Memory,
    accepted: HubState["accepted"],
    memories: Record<string, number> | undefined,
    stepped: Stepped,
  ): Promise<void> {
    const before = this.state;
    const round = before.round + 1;
    const model = await putObject(this.#transport, "model", stepped.model);
    const kept = memory.size > 0 ? await putObject(this.#transport, "hub", encodeMemory(memory)) : undefined;
    const names = (this.plan.strategy.shared ?? []).filter((name) => memory.has(name));
    const sharedVectors = new Map(names.map((name) => [name, memory.get(name)!]));
    const shared =
      names.length > 0 ? await putObject(this.#transport, "shared", encodeMemory(sharedVectors)) : undefined;
    await this.#transport.state.put(`version.${round}`, model.sha256);
    const record = this.#record(accepted, { step: stepLength(stepped), unguarded: stepped.unguarded });
    await this.#commit({
      round,
      phase: round >= this.plan.config.rounds ? "done" : "open",
      model,
      memory: kept,
      shared,
      accepted: [],
      included: accepted.map(({ site }) => site),
      refused: {},
      memories,
      masking: undefined,
    });
    await this.#tellSites();
    for (const { update } of accepted) await this.#transport.objects.remove(update.object);
    for (const old of [before.memory, before.shared]) if (old) await this.#transport.objects.remove(old.object);
    for (const [site, old] of Object.entries(before.memories ?? {}))
      if (memories?.[site] !== old) await this.#transport.objects.remove(`memory.${site}.${old}`);
    this.#manifests.clear();
    await this.options.onRound?.(record);
  }

  /** Tells those whose updates made the last step; written again after a restart, since it may have been cut off. */
  async #tellSites(): Promise<void> {
    const round = this.state.round - 1;
    await Promise.all(this.state.included.map((site) => this.#decide(site, { round, outcome: "used" })));
  }

  async #decide(site: string, decision: Decision): Promise<void> {
    await this.#transport.state.put(`decision.${site}`, JSON.stringify(decision));
  }

  /** Too few came: the round is opened again, with whoever is there then. */
  async #void(why?: string): Promise<void> {
    const { accepted, invited, round } = this.state;
    const reason = `${why ?? `${accepted.length} of ${invited.length} sites answered in time`}; the round is held again`;
    const record = this.#record([], { step: 0, void: reason });
    await this.#commit({ phase: "open", accepted: [], refused: {}, masking: undefined });
    await Promise.all(accepted.map(({ site }) => this.#decide(site, { round, outcome: "refused", reason })));
    await this.#rows.keep([]);
    await this.options.onRound?.(record);
  }

  #record(
    accepted: HubState["accepted"],
    { step, unguarded = [], void: reason }: { step: number; unguarded?: readonly string[]; void?: string },
  ): RoundRecord {
    const { run, round, opened, invited, refused, layout } = this.state;
    const shared = sharedArrays(layout, this.plan.config.personal);
    const sites = accepted.map((a) => siteRecord(a, this.#manifests.get(a.sequence), layout, shared));
    return {
      run,
      round,
      seconds: (this.#now() - opened) / 1000,
      invited: invited.length,
      sites,
      refused,
      step,
      ...(unguarded.length > 0 ? { unguarded } : {}),
      bytes: sites.reduce((s, { bytes }) => s + bytes, 0),
      fullBytes: 4 * partsOf(this.plan) * layoutLength(layout),
      epsilon: spentPrivacy(this.plan, round + 1),
      ...(reason === undefined ? {} : { void: reason }),
    };
  }

  // --- masked rounds -------------------------------------------------------------------------------------------------------

  async #masked(): Promise<void> {
    const { signal } = this.options;
    const { phase, deadline, invited, masking } = this.state;
    const left = Math.max(0, deadline - this.#now());
    this.#ahead = Math.max(this.#ahead, this.state.cursor);
    const events = await this.#transport.events.read(this.#ahead, {
      limit: BATCH,
      milliseconds: Math.min(left, PATIENCE),
      signal,
    });
    await this.#members.refresh();
    await gather(this.#gathered, events, this.state, (site) => this.#members.get(site)?.publicKey);
    this.#ahead = events.at(-1)?.sequence ?? this.#ahead;
    const over = this.#now() >= deadline;
    const active = new Set(this.#members.active().map(({ site }) => site));
    const missing = (from: readonly string[], of: Record<string, unknown>): number =>
      from.filter((site) => !(site in of) && active.has(site)).length;
    const next = { deadline: this.#now() + 1000 * this.plan.config.schedule.deadline, cursor: this.#ahead };
    if (phase === "keys") {
      if (missing(invited, this.#gathered.keys) > 0 && !over) return;
      const roster = maskingRoster(this.plan, this.#gathered.keys, (site) => this.#members.get(site)?.samples ?? 0);
      if (roster) await this.#commit({ ...next, phase: "shares", masking: roster });
      else await this.#void();
      return;
    }
    const sites = Object.keys(masking!.roster);
    if (phase === "shares") {
      if (sites.every((site) => site in this.#gathered.parcels)) {
        // Each site's letter box: what the others dealt to it.
        await Promise.all(
          sites.map((to) => {
            const box = Object.fromEntries(sites.map((from) => [from, this.#gathered.parcels[from][to]]));
            return this.#transport.state.put(
              `parcels.${to}`,
              JSON.stringify({ round: this.state.round, opened: this.state.opened, box }),
            );
          }),
        );
        await this.#commit({ ...next, phase: "train", invited: sites });
      } else if (over || sites.some((site) => !(site in this.#gathered.parcels) && !active.has(site)))
        await this.#void(); // a site that dealt no shares cannot be unmasked later
      return;
    }
    if (missing(masking!.survivors, this.#gathered.revealed) > 0 && !over) return;
    if (Object.keys(this.#gathered.revealed).length >= masking!.threshold) {
      this.state = { ...this.state, cursor: this.#ahead };
      await this.#finish();
    } else await this.#void();
  }
}
