/** The beginning of a round: who is here, who is invited, and how much each is asked to train. */
import { type Candidate, invite } from "../strategy/schedule.js";
import { BATCH, type HubRun, PATIENCE } from "./hub-run.js";
import type { Member } from "./messages.js";

/** Refusals one after another after which a site is no longer invited, until it is started anew. */
const STRIKES = 3;

/** Invites sites to the next round, or waits for company. */
export async function openRound(hub: HubRun): Promise<void> {
  const { schedule, seed, masking } = hub.plan.config;
  await hub.members.refresh();
  const { history, round } = hub.state;
  const active = hub.members.active().filter(({ site, session }) => {
    const { strikes } = history[site] ?? {};
    return strikes?.session !== session || strikes.count < STRIKES;
  });
  // The first round waits for company; a run that has begun goes on with whoever is there.
  const fewest = Object.keys(history).length === 0 ? schedule.minSites : 1;
  if (active.length < fewest) {
    hub.waitsFor(waitingText(active, fewest, hub.members.refused));
    return pause(hub);
  }
  hub.waitsFor("");
  const candidates: Candidate[] = active.map(({ site, samples }) => {
    const { invited = 0, answered = 0 } = history[site] ?? {};
    return { site, samples, availability: invited ? answered / invited : 1 };
  });
  const everyone = schedule.mode === "buffered" || schedule.mode === "interval" || schedule.invite === undefined;
  const count = everyone ? active.length : schedule.invite!;
  const invited = await invite(candidates, count, { sampling: schedule.sampling, seed, round });
  const opened = hub.now();
  const counted = { ...history };
  for (const site of invited) {
    const { invited: before, ...rest } = history[site] ?? { invited: 0, answered: 0 };
    counted[site] = { ...rest, invited: before + 1 };
  }
  hub.gathered = { keys: {}, parcels: {}, revealed: {} };
  hub.ahead = hub.state.cursor;
  await hub.commit({
    phase: masking ? "keys" : "train",
    invited,
    steps: stepsBySpeed(hub, invited),
    opened,
    deadline: opened + 1000 * schedule.deadline,
    history: counted,
    masking: undefined,
  });
}

function waitingText(active: readonly Member[], fewest: number, refused: ReadonlyMap<string, string>): string {
  const here = active.length > 0 ? ` (${active.map(({ site }) => site).join(", ")})` : "";
  const odd = [...refused].map(([site, reason]) => `\n  refused ${site}: ${reason}`).join("");
  return `${active.length} of ${fewest} sites are here${here}; waiting for more${odd}`;
}

/** Steps for each site so that fast and slow arrive together (FedCompass's idea for a synchronous round). */
function stepsBySpeed({ plan, state }: HubRun, invited: readonly string[]): Record<string, number> | undefined {
  const most = plan.config.budget.steps;
  if (plan.config.schedule.mode !== "compass" || most === undefined) return undefined;
  const speeds = invited.flatMap((site) => state.history[site]?.speed ?? []);
  if (speeds.length === 0) return undefined;
  const fastest = Math.min(...speeds);
  return Object.fromEntries(
    invited.map((site) => {
      const speed = state.history[site]?.speed ?? fastest;
      return [site, Math.max(1, Math.round((most * fastest) / speed))];
    }),
  );
}

/** Waits for something to happen, without taking it into account. */
async function pause(hub: HubRun): Promise<void> {
  const { signal } = hub.options;
  const events = await hub.transport.events.read(hub.state.cursor, { limit: BATCH, milliseconds: PATIENCE, signal });
  if (events.length > 0) await hub.commit({ cursor: events.at(-1)!.sequence });
}
