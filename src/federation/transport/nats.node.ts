/**
 * The message system over NATS JetStream (nats-server 2.9 or later). Of a run `valley`:
 *
 *   state    key-value bucket `foehn-valley` (stream KV_foehn-valley), compare-and-set by expected sequence
 *   objects  stream FOEHN-valley-OBJ: chunks of 512 KiB on foehn.valley.obj.NAME.I, a window of them unacknowledged at a time
 *            (the stock object store waits for each: 2 MB/s at 50 ms; this gives over 100)
 *   events   stream FOEHN-valley-EVENTS on foehn.valley.ev.KIND.SITE
 *
 * Sites need no consumers: they read by direct get on subjects of their own, and hear of a new record on foehn.valley.tick.KEY.
 */
import {
  type Consumer,
  jetstream,
  JetStreamApiError,
  type JetStreamClient,
  type JetStreamManager,
  jetstreamManager,
  type StoredMsg,
  type StreamConfig,
} from "@nats-io/jetstream";
import {
  headers,
  type NatsConnection,
  nanos,
  nkeyAuthenticator,
  NoRespondersError,
  PermissionViolationError,
  TimeoutError,
} from "@nats-io/transport-node";
import { FoehnError, UsageError } from "../../errors.js";
import { tooLarge } from "./local.js";
import { connected } from "./nats-connect.node.js";
import { Signal } from "./signal.js";
import { Conflict, type Entry, type FederationEvent, NAME, type Transport } from "./transport.js";

export interface NatsOptions {
  /** e.g. nats://hub.example:4222 or tls://... */
  readonly servers: string | string[];
  readonly run: string;
  /** The hub creates the run's streams; a site finds them. */
  readonly role: "hub" | "site";
  /** Name of the site; its private inbox follows from it. */
  readonly site?: string;
  /** The secret seed of the NKey (SU...). */
  readonly seed?: string;
  /** Certificate authority that signed the server's certificate, PEM file. */
  readonly caFile?: string;
  /** The same as text. */
  readonly ca?: string;
  /**
   * Through a leaf node: a server keeps JetStream's own subjects from crossing to another, so the run's have other names there
   * (nats-config.node.ts maps them).
   */
  readonly leaf?: boolean;
  /** Milliseconds during which a vanished server is waited for. */
  readonly patience?: number;
}

/** Names of what a run has on the server, shared with the configuration writer. */
export const natsNames = (run: string) => ({
  bucket: `foehn-${run}`,
  stateStream: `KV_foehn-${run}`,
  stateSubject: `$KV.foehn-${run}`,
  objectStream: `FOEHN-${run}-OBJ`,
  objectSubject: `foehn.${run}.obj`,
  eventStream: `FOEHN-${run}-EVENTS`,
  eventSubject: `foehn.${run}.ev`,
  tick: `foehn.${run}.tick`,
  leafApi: `foehn.${run}.api`,
  leafState: `foehn.${run}.st`,
  inbox: (site: string) => `_INBOX_${site}`,
});

const CHUNK = 512 * 1024;
/** Chunks under way at a time. */
const WINDOW = 32;
const WRONG_LAST_SEQUENCE = 10071;
/** A key is looked at without having heard of a change this often, milliseconds: a tick may be lost. */
const LOOK_AGAIN = 10_000;
/** Events read ahead. */
const AHEAD = 1024;

/** Connects; FoehnError says where the server was sought and why it refused. */
export async function natsTransport(options: NatsOptions): Promise<Transport> {
  const { servers, run, role, site, seed, caFile, ca, leaf = false, patience = 300_000 } = options;
  if (!NAME.test(run)) throw new UsageError(`'${run}' cannot name a run: use 1 to 64 letters, digits, - and _`);
  const names = natsNames(run);
  const api = leaf ? { apiPrefix: names.leafApi } : {};
  const connection = await connected(servers, {
    servers,
    name: `foehn ${role} ${site ?? ""}`.trim(),
    maxReconnectAttempts: -1,
    reconnectTimeWait: 250,
    timeout: 10_000,
    ...(site ? { inboxPrefix: names.inbox(site) } : {}),
    ...(seed ? { authenticator: nkeyAuthenticator(new TextEncoder().encode(seed)) } : {}),
    ...(caFile ? { tls: { caFile } } : ca ? { tls: { ca } } : {}),
  });
  const js = jetstream(connection, { timeout: 5000, ...api });
  const manager = await jetstreamManager(connection, { checkAPI: false, timeout: 5000, ...api });
  const link = new Link(connection, js, manager, patience);
  if (role === "hub")
    for (const config of streamsOf(run)) await link.steadily(`stream ${config.name}`, () => ensure(manager, config));
  return {
    name: "nats",
    state: stateOver(link, names, leaf ? names.leafState : names.stateSubject),
    objects: objectsOver(link, names),
    events: eventsOver(link, names),
    traffic() {
      const { inBytes, outBytes } = connection.stats();
      return { sent: outBytes, received: inBytes };
    },
    async close() {
      link.closed = true;
      link.ticked.changed();
      await connection.close();
    },
  };
}

type Names = ReturnType<typeof natsNames>;
type StreamSettings = Partial<StreamConfig> & { name: string };

function streamsOf(run: string): StreamSettings[] {
  const names = natsNames(run);
  const common = { storage: "file", num_replicas: 1, allow_direct: true, discard: "new" } as const;
  return [
    {
      ...common,
      name: names.stateStream,
      subjects: [`${names.stateSubject}.>`],
      max_msgs_per_subject: 1,
      allow_rollup_hdrs: true,
      deny_delete: true,
    },
    {
      ...common,
      name: names.objectStream,
      subjects: [`${names.objectSubject}.>`],
      max_msgs_per_subject: 1,
      allow_rollup_hdrs: true,
      discard: "old",
    },
    {
      ...common,
      name: names.eventStream,
      subjects: [`${names.eventSubject}.>`],
      duplicate_window: nanos(600_000),
      max_age: nanos(30 * 86_400_000),
      max_msg_size: 512 * 1024,
      discard: "old",
    },
  ] as StreamSettings[];
}

async function ensure(manager: JetStreamManager, config: StreamSettings): Promise<void> {
  try {
    await manager.streams.info(config.name);
  } catch (error) {
    if (!(error instanceof JetStreamApiError && error.status === 404)) throw error;
    await manager.streams.add(config);
  }
}

/** A connection that waits out a vanished server. */
class Link {
  closed = false;
  /** Something on this connection may have changed. */
  readonly ticked = new Signal();

  constructor(
    readonly connection: NatsConnection,
    readonly js: JetStreamClient,
    readonly manager: JetStreamManager,
    readonly patience: number,
  ) {}

  /** Repeats an operation while the server cannot be reached. */
  async steadily<T>(what: string, operation: () => Promise<T>): Promise<T> {
    const begun = performance.now();
    for (let wait = 50; ; wait = Math.min(2 * wait, 2000)) {
      if (this.closed) throw new FoehnError(`${what}: the connection to NATS was closed`);
      try {
        return await operation();
      } catch (error) {
        const denied = permissionIn(error);
        if (denied)
          throw new FoehnError(
            `${what}: NATS does not allow this credential to use '${denied}'; ask the hub for one with the right permissions`,
            { cause: error },
          );
        if (!isTransient(error)) throw error;
        if (performance.now() - begun > this.patience)
          throw new FoehnError(
            `${what}: NATS has not answered for ${Math.round(this.patience / 1000)} s; is the server up?`,
            { cause: error },
          );
        await new Promise((resolve) => setTimeout(resolve, wait));
      }
    }
  }
}

function permissionIn(error: unknown): string | undefined {
  for (let e = error; e instanceof Error; e = e.cause) if (e instanceof PermissionViolationError) return e.subject;
  return undefined;
}

/** No answer, or a server that is still starting. */
function isTransient(error: unknown): boolean {
  for (let e = error; e instanceof Error; e = e.cause) {
    if (e instanceof TimeoutError || e instanceof NoRespondersError) return true;
    if (e instanceof JetStreamApiError) return e.status === 503 || e.status === 504;
    if (["ConnectionError", "RequestError", "JetStreamStatusError"].includes(e.name)) return true;
  }
  return false;
}

const decodeText = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

/** `written` is the subject under which keys are written; they lie under `names.stateSubject`. */
function stateOver(link: Link, names: Names, written: string): Transport["state"] {
  const subject = (key: string): string => `${names.stateSubject}.${key}`;
  const lastLook = new Map<string, number>();
  const listening = new Set<string>();

  const get = async (key: string): Promise<Entry | undefined> => {
    lastLook.set(key, performance.now());
    const message: StoredMsg | null = await link.steadily(`key '${key}'`, () =>
      link.manager.direct.getMessage(names.stateStream, { last_by_subj: subject(key) }),
    );
    return message ? { value: decodeText(message.data), revision: message.seq } : undefined;
  };
  const write = async (key: string, value: string, revision?: number): Promise<number> => {
    const expect = revision === undefined ? undefined : { lastSubjectSequence: revision };
    let tries = 0;
    const sequence = await link.steadily(`key '${key}'`, async () => {
      tries++;
      try {
        return (await link.js.publish(`${written}.${key}`, value, { expect })).seq;
      } catch (error) {
        if (!(error instanceof JetStreamApiError && error.code === WRONG_LAST_SEQUENCE)) throw error;
        // An earlier try may have been stored without its acknowledgement reaching us.
        const now = tries > 1 ? await get(key) : undefined;
        if (now?.value === value) return now.revision;
        throw new Conflict(key);
      }
    });
    link.connection.publish(`${names.tick}.${key}`);
    return sequence;
  };
  /** Hears of changes of a key; without the permission to, it is looked at now and then. */
  const listen = (key: string): void => {
    if (listening.has(key)) return;
    listening.add(key);
    link.connection.subscribe(`${names.tick}.${key}`, {
      callback: () => {
        lastLook.delete(key);
        link.ticked.changed();
      },
    });
  };
  return {
    get,
    put: (key, value) => write(key, value),
    update: write,
    async keys(prefix) {
      const head = subject(prefix);
      const { state } = await link.steadily("keys", () =>
        link.manager.streams.info(names.stateStream, { subjects_filter: `${head.replace(/\.$/, "")}.>` }),
      );
      return Object.keys(state.subjects ?? {}).map((s) => s.slice(names.stateSubject.length + 1));
    },
    async wait(key, after, milliseconds, signal) {
      listen(key);
      const end = performance.now() + milliseconds;
      for (;;) {
        if (performance.now() - (lastLook.get(key) ?? -Infinity) > LOOK_AGAIN || after === 0) {
          const entry = await get(key);
          if (entry && entry.revision > after) return entry;
        }
        const left = end - performance.now();
        if (left <= 0 || signal?.aborted || link.closed) return undefined;
        if (lastLook.has(key)) await link.ticked.wait(left, signal);
        after ||= -1; // looked at: now wait for a tick
      }
    },
  };
}

function objectsOver(link: Link, names: Names): Transport["objects"] {
  const subject = (name: string, chunk: number): string => `${names.objectSubject}.${name}.${chunk}`;
  /** Runs `task(i)` for i in [from, to), a window at a time. */
  const inWindow = async (from: number, to: number, task: (i: number) => Promise<void>): Promise<void> => {
    let next = from;
    const lane = async (): Promise<void> => {
      while (next < to) await task(next++);
    };
    await Promise.all(Array.from({ length: Math.min(WINDOW, to - from) }, lane));
  };
  const read = (name: string, chunk: number): Promise<StoredMsg | null> =>
    link.steadily(`object '${name}'`, () =>
      link.manager.direct.getMessage(names.objectStream, { last_by_subj: subject(name, chunk) }),
    );
  return {
    async put(name, bytes) {
      const chunks = Math.max(1, Math.ceil(bytes.length / CHUNK));
      const send = (i: number): Promise<void> =>
        link.steadily(`object '${name}'`, async () => {
          const head = headers();
          head.set("Foehn-Chunks", `${chunks}`);
          head.set("Foehn-Bytes", `${bytes.length}`);
          await link.js.publish(subject(name, i), bytes.subarray(i * CHUNK, (i + 1) * CHUNK), { headers: head });
        });
      await inWindow(1, chunks, send);
      await send(0); // the first chunk last: with it the object is there
    },
    async get(name, limit) {
      const first = await read(name, 0);
      if (!first) return undefined;
      const chunks = Number(first.header.get("Foehn-Chunks"));
      const size = Number(first.header.get("Foehn-Bytes"));
      if (!(size >= 0 && chunks >= 1 && chunks <= size / CHUNK + 1)) return undefined;
      if (size > limit) throw tooLarge(name, size, limit);
      const out = new Uint8Array(size);
      let whole = true;
      const place = (message: StoredMsg | null, i: number): void => {
        const room = Math.min(CHUNK, size - i * CHUNK);
        if (message?.data.length === room) out.set(message.data, i * CHUNK);
        else whole = false;
      };
      place(first, 0);
      await inWindow(1, chunks, async (i) => place(await read(name, i), i));
      return whole ? out : undefined;
    },
    async remove(name) {
      await link.steadily(`object '${name}'`, () =>
        link.manager.streams.purge(names.objectStream, { filter: `${names.objectSubject}.${name}.>` }),
      );
    },
  };
}

function eventsOver(link: Link, names: Names): Transport["events"] {
  const strip = (subject: string): string => subject.slice(names.eventSubject.length + 1);
  let feed: { buffer: FederationEvent[]; position: number; stop: () => void } | undefined;

  /** A consumer that reads ahead from a position on. */
  const openFeed = async (after: number): Promise<NonNullable<typeof feed>> => {
    const consumer: Consumer = await link.steadily("events", () =>
      link.js.consumers.get(names.eventStream, { opt_start_seq: after + 1, deliver_policy: "by_start_sequence" }),
    );
    const messages = await consumer.consume({ max_messages: 256 });
    const opened = { buffer: [] as FederationEvent[], position: after, stop: () => messages.stop() };
    void (async () => {
      for await (const m of messages) {
        opened.buffer.push({ sequence: m.seq, subject: strip(m.subject), payload: m.string() });
        link.ticked.changed();
        while (opened.buffer.length > AHEAD && !link.closed) await link.ticked.wait(100);
      }
    })().catch(() => undefined); // it ended with the connection; `read` opens another
    return opened;
  };
  /** The event with a sequence number, if it is there. */
  const single = async (sequence: number): Promise<FederationEvent[]> => {
    const message = await link.steadily("events", () =>
      link.manager.direct.getMessage(names.eventStream, { seq: sequence }),
    );
    return message ? [{ sequence, subject: strip(message.subject), payload: decodeText(message.data) }] : [];
  };

  return {
    async publish(subject, payload, id) {
      await link.steadily(`event '${subject}'`, () =>
        link.js.publish(`${names.eventSubject}.${subject}`, payload, { msgID: id }),
      );
    },
    async read(after, { limit, milliseconds, signal }) {
      if (limit === 1) return single(after + 1);
      if (feed?.position !== after) {
        feed?.stop();
        feed = await openFeed(after);
      }
      const end = performance.now() + milliseconds;
      while (feed.buffer.length === 0 && performance.now() < end && !signal?.aborted && !link.closed)
        await link.ticked.wait(end - performance.now(), signal);
      const found = feed.buffer.splice(0, limit);
      if (found.length > 0) {
        feed.position = found.at(-1)!.sequence;
        return found;
      }
      // Nothing came: is there nothing, or did the consumer die with the server?
      const { state } = await link.steadily("events", () => link.manager.streams.info(names.eventStream));
      if (state.last_seq > after && feed.buffer.length === 0) {
        feed.stop();
        feed = undefined;
      }
      return [];
    },
  };
}
