/**
 * What the protocol needs of a message system, and no more: a key-value store with compare-and-set, an object store, and a log of
 * events. `local.ts` has it in one process, `nats.node.ts` over NATS JetStream. An acknowledged write may still be lost (a
 * server's power cut): what counts is decided by the hub's round record, and sites send again what it does not name.
 */
import { FoehnError } from "../../errors.js";

export interface Entry {
  readonly value: string;
  /** Grows with every write. */
  readonly revision: number;
}

export interface KeyValue {
  get(key: string): Promise<Entry | undefined>;
  /** Writes if the key is at `revision` (0: does not exist); the new revision. Throws Conflict otherwise. */
  update(key: string, value: string, revision: number): Promise<number>;
  /** Writes, whatever is there: for keys with one writer. */
  put(key: string, value: string): Promise<number>;
  /** Every key that begins with `prefix`. */
  keys(prefix: string): Promise<string[]>;
  /** The entry once its revision is above `after`; undefined when `milliseconds` pass before. */
  wait(key: string, after: number, milliseconds: number, signal?: AbortSignal): Promise<Entry | undefined>;
}

/** Named bytes. Names are dot-separated words; the first two of a site's objects are `site.NAME`. */
export interface Objects {
  put(name: string, bytes: Uint8Array): Promise<void>;
  /** Whole, or undefined where (a part of) it is missing. Fails where it is larger than `limit` bytes, before reading it. */
  get(name: string, limit: number): Promise<Uint8Array | undefined>;
  remove(name: string): Promise<void>;
}

export interface FederationEvent {
  readonly sequence: number;
  /** `KIND.SITE` */
  readonly subject: string;
  readonly payload: string;
}

export interface Events {
  /** Appends; an `id` already seen lately is not appended again. */
  publish(subject: string, payload: string, id: string): Promise<void>;
  /** Up to `limit` events after a sequence number, waiting for the first one at most `milliseconds`. */
  read(
    after: number,
    options: { limit: number; milliseconds: number; signal?: AbortSignal },
  ): Promise<FederationEvent[]>;
}

export interface Transport {
  readonly name: string;
  readonly state: KeyValue;
  readonly objects: Objects;
  readonly events: Events;
  /** Bytes of payload sent and received over this connection. */
  traffic(): { sent: number; received: number };
  close(): Promise<void>;
}

/** Somebody else has written the key meanwhile. */
export class Conflict extends FoehnError {
  constructor(readonly key: string) {
    super(`'${key}' was written by somebody else meanwhile; read it again`);
  }
}

/** Names of sites and runs: one word of a subject. */
export const NAME = /^[A-Za-z0-9_-]{1,64}$/;
