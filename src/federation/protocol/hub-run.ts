/** What every step of the hub works with: the run's record and how it is written, the members, the updates at hand. */
import { FoehnError, UsageError } from "../../errors.js";
import type { BlockKernels } from "../aggregate/aggregate.js";
import type { Vector } from "../aggregate/rows.js";
import type { Memory } from "../strategy/strategy.js";
import type { Entry, Transport } from "../transport/transport.js";
import type { Plan, RunConfigInput } from "./config.js";
import type { Gathered } from "./masked-round.js";
import { type Members, trackMembers } from "./members.js";
import {
  type Decision,
  type HubState,
  hubSchema,
  type Manifest,
  parsed,
  type Pointer,
  publicState,
} from "./messages.js";
import { decodeMemory, flatten, layoutOf, type Parameters, unflatten } from "./parameters.js";
import type { RoundRecord } from "./records.js";
import { memoryRowStore, type RowStore } from "./row-store.js";
import { getObject, getVector, putObject } from "./stored.js";
import type { LocalTrainer } from "./trainer.js";

export interface HubOptions {
  readonly transport: Transport;
  readonly config: RunConfigInput;
  /** The model of round 0; a run that has begun goes on with its own. */
  readonly initial: Parameters;
  /** The hub's own trainer, by whose direction updates are trusted (rule `fltrust`). */
  readonly trusted?: LocalTrainer;
  /** Where decoded updates wait; in memory where absent. */
  readonly rows?: RowStore;
  readonly kernels?: BlockKernels;
  readonly owner?: string;
  /** Milliseconds after which a silent hub's place is free. */
  readonly leaseTerm?: number;
  readonly signal?: AbortSignal;
  /** After each round; `models` reads the models as they now are. */
  readonly onRound?: (record: RoundRecord, models: () => Promise<RunModels>) => void | Promise<void>;
  /** What it waits for, in words, when that changes. */
  readonly onWait?: (why: string) => void;
  readonly now?: () => number;
}

/** The run's model, and those of groups of sites where they have their own. */
export interface RunModels {
  readonly model: Parameters;
  readonly groups: Readonly<Record<string, Parameters>>;
}

/** Events taken at a time, and the longest wait for one, milliseconds. */
export const [BATCH, PATIENCE] = [256, 1000];

/** Two sites may send the same bytes that stand for different rows: on top of another memory, for other arrays. */
export const rowName = ({ object, sha256 }: Pointer): string => `${object}.${sha256}`;

/** The hub's disk is full: no fault of the update in hand. */
export class DiskFull extends FoehnError {}

export class HubRun {
  readonly now: () => number;
  readonly rows: RowStore;
  readonly members: Members;
  /** Manifests of the accepted updates, for the record; read again from the log after a restart. */
  readonly manifests = new Map<number, Manifest>();
  /** Messages of a masked phase; the cursor stands still meanwhile, so that a restarted hub reads them again. */
  gathered: Gathered = { keys: {}, parcels: {}, revealed: {} };
  ahead = 0;
  #shown: Entry | undefined;
  #waiting = "";

  private constructor(
    readonly options: HubOptions,
    readonly plan: Plan,
    public state: HubState,
    private revision: number,
  ) {
    this.now = options.now ?? Date.now;
    this.rows = options.rows ?? memoryRowStore();
    this.members = trackMembers(options.transport, plan, this.now);
  }

  /** Goes on with the run's record, or begins one. */
  static async open(options: HubOptions, plan: Plan): Promise<HubRun> {
    const entry = await options.transport.state.get("hub");
    return entry ? HubRun.#resume(options, plan, entry) : HubRun.#begin(options, plan);
  }

  static async #resume(options: HubOptions, plan: Plan, entry: Entry): Promise<HubRun> {
    const { run } = plan.config;
    const state = parsed(hubSchema, entry.value);
    if (typeof state === "string")
      throw new FoehnError(`run '${run}': its record cannot be read: ${state}; start a run of another name`);
    if (state.configHash !== plan.hash)
      throw new UsageError(
        `run '${run}' was begun with another configuration (${state.configHash.slice(0, 12)}, now ${plan.hash.slice(0, 12)}); restore it or choose another run name`,
      );
    const hub = new HubRun(options, plan, state, entry.revision);
    await hub.members.refresh();
    await hub.#show();
    await hub.tellSites();
    return hub;
  }

  static async #begin(options: HubOptions, plan: Plan): Promise<HubRun> {
    const { transport, initial, now = Date.now } = options;
    const layout = layoutOf(initial);
    const model = await putObject(transport, "model", flatten(initial, layout));
    await transport.state.put("config", JSON.stringify(plan.config));
    await transport.state.put("version.0", JSON.stringify({ model: model.sha256 }));
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
      retired: [],
    };
    const hub = new HubRun(options, plan, state, await transport.state.update("hub", JSON.stringify(state), 0));
    await hub.#show();
    return hub;
  }

  get transport(): Transport {
    return this.options.transport;
  }

  /** Writes the record with a change, by compare-and-set; then shows the sites their part of it. */
  async commit(change: Partial<HubState>): Promise<void> {
    const next = { ...this.state, ...change };
    this.revision = await this.transport.state.update("hub", JSON.stringify(next), this.revision);
    this.state = next;
    await this.#show();
  }

  /** Shows the sites their part of the state where it has changed. */
  async #show(): Promise<void> {
    const text = JSON.stringify(publicState(this.state));
    this.#shown ??= await this.transport.state.get("round");
    if (this.#shown?.value === text) return;
    const revision = await this.transport.state.update("round", text, this.#shown?.revision ?? 0);
    this.#shown = { value: text, revision };
  }

  async decide(site: string, decision: Decision): Promise<void> {
    await this.transport.state.put(`decision.${site}`, JSON.stringify(decision));
  }

  /** Tells those whose updates made the last step; written again after a restart, since it may have been cut off. */
  async tellSites(): Promise<void> {
    const round = this.state.round - 1;
    await Promise.all(this.state.included.map((site) => this.decide(site, { round, outcome: "used" })));
  }

  /** Says what is waited for, once. */
  waitsFor(why: string): void {
    if (why !== this.#waiting && why !== "") this.options.onWait?.(why);
    this.#waiting = why;
  }

  /** Keeps a decoded update until the step; FoehnError where there is no room for it. */
  async keepRow(update: Pointer, row: Float32Array): Promise<void> {
    try {
      await this.rows.add(rowName(update), row);
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== "ENOSPC") throw cause;
      throw new DiskFull(
        `the hub has no room left for the updates of round ${this.state.round} (${4 * row.length} bytes each): free some on its disk and start the hub again; no site need do anything`,
        { cause },
      );
    }
  }

  vector(pointer: Pointer): Promise<Float32Array> {
    return getVector(this.transport, pointer, this.state.layout);
  }

  async memory(pointer: Pointer | undefined): Promise<Memory> {
    if (!pointer) return new Map<string, Vector>();
    return decodeMemory(await getObject(this.transport, pointer), pointer.object);
  }

  /** The models as they now are. */
  async models(): Promise<RunModels> {
    const { layout, model, groups = {} } = this.state;
    const named = async (pointer: Pointer): Promise<Parameters> => unflatten(await this.vector(pointer), layout);
    const own = Object.entries(groups).map(async ([name, group]) => [name, await named(group.model)] as const);
    return { model: await named(model), groups: Object.fromEntries(await Promise.all(own)) };
  }
}
