/**
 * The message system in one process: for the demo, for simulations of up to a thousand sites, and for tests.
 *
 *   const bus = localBus();
 *   const hub = bus.connect(), site = bus.connect();
 */
import { FoehnError } from "../../errors.js";
import { Signal } from "./signal.js";
import { Conflict, type Entry, type FederationEvent, type Transport } from "./transport.js";

export interface LocalBus {
  /** A connection of its own, with its own count of traffic. */
  connect(): Transport;
  /** Names of the objects held, for tests. */
  objectNames(): string[];
}

export function localBus(): LocalBus {
  const entries = new Map<string, Entry>();
  const objects = new Map<string, Uint8Array>();
  const log: FederationEvent[] = [];
  const ids = new Set<string>();
  const keySignals = new Map<string, Signal>();
  const logged = new Signal();
  let revision = 0;

  const signalOf = (key: string): Signal => {
    let signal = keySignals.get(key);
    if (!signal) keySignals.set(key, (signal = new Signal()));
    return signal;
  };
  const write = (key: string, value: string): number => {
    entries.set(key, { value, revision: ++revision });
    signalOf(key).changed();
    return revision;
  };
  /** What `find` gives, looked for again whenever the signal changes, until the time is over. */
  const eventually = async <T>(
    find: () => T | undefined,
    changed: () => Signal,
    milliseconds: number,
    signal?: AbortSignal,
  ): Promise<T | undefined> => {
    const end = performance.now() + milliseconds;
    for (;;) {
      const found = find();
      const left = end - performance.now();
      if (found !== undefined || left <= 0 || signal?.aborted) return found;
      await changed().wait(left, signal);
    }
  };

  const connect = (): Transport => {
    let [sent, received] = [0, 0];
    const got = <T extends { length: number }>(value: T): T => {
      received += value.length;
      return value;
    };
    return {
      name: "local",
      state: {
        async get(key) {
          const entry = entries.get(key);
          if (entry) got(entry.value);
          return entry;
        },
        async update(key, value, expected) {
          if ((entries.get(key)?.revision ?? 0) !== expected) throw new Conflict(key);
          sent += value.length;
          return write(key, value);
        },
        async put(key, value) {
          sent += value.length;
          return write(key, value);
        },
        keys: async (prefix) => [...entries.keys()].filter((key) => key.startsWith(prefix)),
        async wait(key, after, milliseconds, signal) {
          const newer = (): Entry | undefined => {
            const entry = entries.get(key);
            return entry && entry.revision > after ? entry : undefined;
          };
          const entry = await eventually(newer, () => signalOf(key), milliseconds, signal);
          if (entry) got(entry.value);
          return entry;
        },
      },
      objects: {
        async put(name, bytes) {
          sent += bytes.length;
          objects.set(name, bytes.slice());
        },
        async get(name, limit) {
          const bytes = objects.get(name);
          if (bytes && bytes.length > limit) throw tooLarge(name, bytes.length, limit);
          return bytes && got(bytes);
        },
        async remove(name) {
          objects.delete(name);
        },
      },
      events: {
        async publish(subject, payload, id) {
          sent += payload.length;
          if (ids.has(id)) return;
          ids.add(id);
          log.push({ sequence: log.length + 1, subject, payload });
          logged.changed();
        },
        async read(after, { limit, milliseconds, signal }) {
          const newer = (): FederationEvent[] | undefined =>
            log.length > after ? log.slice(after, after + limit) : undefined;
          const found = (await eventually(newer, () => logged, milliseconds, signal)) ?? [];
          for (const { payload } of found) got(payload);
          return found;
        },
      },
      traffic: () => ({ sent, received }),
      close: async () => undefined,
    };
  };
  return { connect, objectNames: () => [...objects.keys()] };
}

/** The error for an object beyond what its reader will take. */
export const tooLarge = (name: string, bytes: number, limit: number): FoehnError =>
  new FoehnError(`object '${name}' has ${bytes} bytes, more than the ${limit} an update of this model can have`);
