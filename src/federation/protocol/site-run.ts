/** What every step of a site works with: its options, identity and store, the run's plan, and the hub's word on its updates. */
import { FoehnError } from "../../errors.js";
import type { Vector } from "../aggregate/rows.js";
import { exportIdentity, type Identity, importIdentity, newIdentity } from "../privacy/signature.js";
import type { MaskKeys } from "../privacy/masking.js";
import type { Memory } from "../strategy/strategy.js";
import type { Transport } from "../transport/transport.js";
import { type Plan, planOf, type RunConfigInput } from "./config.js";
import { type Decision, decisionSchema, type Member, parsed, type RoundState, signed } from "./messages.js";
import { decodeMemory, type Layout, type Parameters, personalSegments, withSegments } from "./parameters.js";
import { memorySiteStore, type SiteStore } from "./site-store.js";
import type { LocalTrainer, SkillRow } from "./trainer.js";

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
  /** The run's last model with this site's own arrays, and the same after local training. */
  readonly models: { readonly together: Parameters; readonly personal: Parameters };
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
export const PATIENCE = 1000;

export class SiteRun {
  #plan: Plan | undefined;
  readonly #session = crypto.randomUUID();
  #beats = 0;
  #lastBeat = 0;
  readonly refusals: string[] = [];
  /** Rounds this site has trained in since it was started. */
  rounds = 0;
  /** The last state acted on, to look at again while a decision is awaited. */
  awaiting: RoundState | undefined;
  /** When the pending update was last sent. */
  sentAt = -Infinity;
  maskKeys: { opened: number; keys: MaskKeys } | undefined;
  readonly maskSteps = new Set<string>();

  private constructor(
    readonly options: SiteOptions,
    readonly store: SiteStore,
    readonly identity: Identity,
  ) {}

  static async start(options: SiteOptions): Promise<SiteRun> {
    const { store = memorySiteStore() } = options;
    const kept = await store.get("identity.json");
    if (kept) return new SiteRun(options, store, await importIdentity(new TextDecoder().decode(kept)));
    const identity = await newIdentity();
    await store.put("identity.json", new TextEncoder().encode(await exportIdentity(identity)));
    return new SiteRun(options, store, identity);
  }

  async register(status: "here" | "left"): Promise<void> {
    const { transport, site, trainer } = this.options;
    const { samples, variables, device } = trainer.describe();
    const member = await signed<Member>(
      {
        site,
        publicKey: this.identity.publicKey,
        samples,
        variables: [...variables],
        device,
        status,
        session: this.#session,
        beat: this.#beats++,
      },
      this.identity,
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

  /** What the run's configuration stands for. */
  async plan(): Promise<Plan> {
    if (this.#plan) return this.#plan;
    const entry = await this.options.transport.state.get("config");
    if (!entry) throw new FoehnError("the run has a record but no configuration; restart its hub");
    return (this.#plan = await planOf(JSON.parse(entry.value) as RunConfigInput));
  }

  /** The hub's last word to this site. */
  async decision(): Promise<Decision | undefined> {
    const entry = await this.options.transport.state.get(`decision.${this.options.site}`);
    const decision = entry && parsed(decisionSchema, entry.value);
    return typeof decision === "string" ? undefined : decision;
  }

  note(reason: string): void {
    if (this.refusals.at(-1) === reason) return;
    this.refusals.push(reason);
    this.options.onRefusal?.(reason);
  }

  /** What the strategy and compression remember here. */
  async memory(): Promise<Memory> {
    const bytes = await this.store.get("memory");
    return bytes ? decodeMemory(bytes, "memory of this site") : new Map<string, Vector>();
  }

  /** The shared model with this site's own arrays in their places. */
  async withOwnParts(model: Float32Array, layout: Layout): Promise<Float32Array> {
    const { config } = await this.plan();
    const own = await this.store.get("personal");
    if (!own) return model;
    return withSegments(model, personalSegments(layout, config.personal), new Float32Array(own.slice().buffer));
  }
}
