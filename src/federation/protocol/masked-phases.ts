/** The phases of a masked round that a plain one does not have: keys, shares, and opening the sum. */
import { closeRound, voidRound } from "./closing.js";
import { BATCH, type HubRun, PATIENCE } from "./hub-run.js";
import { gather, maskingRoster } from "./masked-round.js";

/** Takes in the messages of the phase and goes on to the next one when all, or enough in time, have come. */
export async function maskedPhase(hub: HubRun): Promise<void> {
  const { signal } = hub.options;
  const { phase, deadline, invited, masking } = hub.state;
  const left = Math.max(0, deadline - hub.now());
  hub.ahead = Math.max(hub.ahead, hub.state.cursor);
  const events = await hub.transport.events.read(hub.ahead, {
    limit: BATCH,
    milliseconds: Math.min(left, PATIENCE),
    signal,
  });
  await hub.members.refresh();
  await gather(hub.gathered, events, hub.state, (site) => hub.members.get(site)?.publicKey);
  hub.ahead = events.at(-1)?.sequence ?? hub.ahead;
  const over = hub.now() >= deadline;
  const active = new Set(hub.members.active().map(({ site }) => site));
  const missing = (from: readonly string[], of: Record<string, unknown>): number =>
    from.filter((site) => !(site in of) && active.has(site)).length;
  const next = { deadline: hub.now() + 1000 * hub.plan.config.schedule.deadline, cursor: hub.ahead };
  if (phase === "keys") {
    if (missing(invited, hub.gathered.keys) > 0 && !over) return;
    const roster = maskingRoster(hub.plan, hub.gathered.keys, (site) => hub.members.get(site)?.samples ?? 0);
    if (roster) await hub.commit({ ...next, phase: "shares", masking: roster });
    else await voidRound(hub);
    return;
  }
  const sites = Object.keys(masking!.roster);
  if (phase === "shares") {
    if (sites.every((site) => site in hub.gathered.parcels)) {
      await deliver(hub, sites);
      await hub.commit({ ...next, phase: "train", invited: sites });
    } else if (over || sites.some((site) => !(site in hub.gathered.parcels) && !active.has(site))) await voidRound(hub); // a site that dealt no shares cannot be unmasked later
    return;
  }
  if (missing(masking!.survivors, hub.gathered.revealed) > 0 && !over) return;
  if (Object.keys(hub.gathered.revealed).length >= masking!.threshold) {
    hub.state = { ...hub.state, cursor: hub.ahead };
    await closeRound(hub);
  } else await voidRound(hub);
}

/** Each site's letter box: what the others dealt to it. */
async function deliver({ gathered, transport, state }: HubRun, sites: readonly string[]): Promise<void> {
  const { round, opened } = state;
  await Promise.all(
    sites.map((to) => {
      const box = Object.fromEntries(sites.map((from) => [from, gathered.parcels[from][to]]));
      return transport.state.put(`parcels.${to}`, JSON.stringify({ round, opened, box }));
    }),
  );
}
