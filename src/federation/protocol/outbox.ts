/** The update a site has made and the hub has not decided on: sent, sent again, and in the end resolved. Sent twice, it counts once. */
import { FoehnError } from "../../errors.js";
import { trainRound } from "./local-round.js";
import type { Manifest, RoundState } from "./messages.js";
import { PATIENCE, type SiteRun } from "./site-run.js";
import { type Pending, prepareUpdate } from "./update.js";

/** Milliseconds after which an update the hub has not acknowledged is sent again. */
const RESEND = 15_000;

/** Trains and sends, or goes on with what was sent before. */
export async function contribute(run: SiteRun, state: RoundState): Promise<void> {
  const pending = await pendingUpdate(run);
  if (pending?.round === state.round && pending.opened === state.opened) {
    // The event or the object may have been lost with a server, or this site was killed.
    run.awaiting = state;
    const decision = await run.decision();
    const told = decision && decision.round >= pending.round ? decision.outcome : "nothing";
    const wait = told === "lost" ? PATIENCE : told === "nothing" ? RESEND : Infinity;
    if (performance.now() - run.sentAt > wait) await send(run, pending);
    return;
  }
  if (pending && !(await resolved(run, pending, state))) {
    run.awaiting = state;
    return;
  }
  if (state.masking && run.maskKeys?.opened !== state.opened) return; // restarted since the keys were dealt: the next round
  const made = await prepareUpdate(run, state, await trainRound(run, state));
  run.awaiting = state;
  await send(run, made);
}

async function pendingUpdate({ store }: SiteRun): Promise<Pending | undefined> {
  const bytes = await store.get("pending.json");
  return bytes && (JSON.parse(new TextDecoder().decode(bytes)) as Pending);
}

/** Whether the hub's word on the pending update is known; moves the memory on accordingly. */
async function resolved(run: SiteRun, pending: Pending, state: RoundState): Promise<boolean> {
  const { config } = await run.plan();
  const decision = await run.decision();
  const told = decision && decision.round >= pending.round ? decision : undefined;
  const included = state.included.includes(run.options.site) && state.round > pending.round;
  if ((told?.outcome === "received" || told?.outcome === "lost") && !included) return false;
  const { mode, late, maxStaleness } = config.schedule;
  const lateCounts = late === "use" || mode === "buffered" || mode === "interval";
  const tooLate = state.round > pending.round + (lateCounts ? maxStaleness : -1);
  if (!told && !included && !tooLate) return false;
  const accepted = included || told?.outcome === "used";
  if (told?.reason) run.note(told.reason);
  const memory = await run.store.get(accepted ? "memory-accepted" : "memory-refused");
  if (memory) await run.store.put("memory", memory);
  await run.store.remove("pending.json");
  return true;
}

/** Object first, manifest last: only the manifest makes it count. */
async function send(run: SiteRun, { manifest, opened }: Pending): Promise<void> {
  const { transport, site } = run.options;
  const payload = await run.store.get("outbox");
  const { update, round } = JSON.parse(manifest) as Manifest;
  if (!payload)
    throw new FoehnError(
      `site '${site}' lost the update of round ${round} it was to send; its folder was changed while it ran`,
    );
  await transport.objects.put(update.object, payload);
  const id = `update.${site}.${round}.${opened}.${update.sha256}.${crypto.randomUUID()}`;
  await transport.events.publish(`update.${site}`, manifest, id);
  run.sentAt = performance.now();
}
