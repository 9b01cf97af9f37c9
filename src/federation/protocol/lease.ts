/**
 * One hub at a time. The lease is a key that its owner rewrites; another hub takes it only when it has not changed for a whole
 * term by that hub's own clock, so clocks need not agree. Writes of the round state are fenced besides: by compare-and-set.
 */
import { FoehnError } from "../../errors.js";
import { Conflict, type Transport } from "../transport/transport.js";

export interface Lease {
  /** Throws where another hub has taken over. */
  check(): void;
  release(): Promise<void>;
}

const KEY = "lease";

/** Waits until the lease is free or expired, takes it, and keeps it until released. */
export async function takeLease(
  { state }: Transport,
  owner: string,
  { term, signal }: { term: number; signal?: AbortSignal },
): Promise<Lease> {
  let revision: number | undefined;
  while (revision === undefined) {
    const held = await state.get(KEY);
    const changed = held && held.value !== "" ? await state.wait(KEY, held.revision, term, signal) : undefined;
    signal?.throwIfAborted();
    if (changed && changed.value !== "") continue; // it lives: its owner wrote again
    try {
      revision = await state.update(KEY, owner, changed?.revision ?? held?.revision ?? 0);
    } catch (error) {
      if (!(error instanceof Conflict)) throw error;
    }
  }
  let lost: unknown;
  let renewal: Promise<void> = Promise.resolve();
  const renew = async (): Promise<void> => {
    try {
      revision = await state.update(KEY, owner, revision!);
    } catch (error) {
      if (error instanceof Conflict) lost = error; // any other failure: the connection; the next renewal may succeed
    }
  };
  const timer = setInterval(() => {
    renewal = renewal.then(renew);
  }, term / 3);
  return {
    check() {
      if (lost) throw new FoehnError("another hub has taken over this run; stop one of the two", { cause: lost });
    },
    async release() {
      clearInterval(timer);
      await renewal;
      if (!lost) await state.update(KEY, "", revision!).catch(() => undefined); // else it expires by itself
    },
  };
}
