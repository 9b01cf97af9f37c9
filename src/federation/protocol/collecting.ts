/** Collecting the updates of a round: each is examined as it comes, and the site is told. */
import { updatedSpeed } from "../strategy/schedule.js";
import type { FederationEvent } from "../transport/transport.js";
import { DUPLICATE, examine } from "./arrival.js";
import { BATCH, type HubRun, PATIENCE } from "./hub-run.js";
import type { HubState } from "./messages.js";

type Known = HubState["history"][string];

/** Takes in what has come; whether the updates at hand make a step, are too few for ever, or are to be waited for. */
export async function collect(hub: HubRun): Promise<"step" | "void" | undefined> {
  const { signal } = hub.options;
  const left = Math.max(0, hub.state.deadline - hub.now());
  if (!ready(hub)) {
    const events = await hub.transport.events.read(hub.state.cursor, {
      limit: BATCH,
      milliseconds: Math.min(left, PATIENCE),
      signal,
    });
    if (events.length > 0) await takeIn(hub, events);
    else await hub.members.refresh();
  }
  return ready(hub);
}

/** Examines a batch of events; one write for all of them. */
async function takeIn(hub: HubRun, events: readonly FederationEvent[]): Promise<void> {
  const { state, transport, plan, members } = hub;
  const { round } = state;
  const accepted = [...state.accepted];
  const refused = { ...state.refused };
  const late = { ...state.late };
  const history = { ...state.history };
  const received: string[] = [];
  await members.refresh();
  for (const { subject, payload, sequence } of events) {
    const [kind, site] = subject.split(".");
    if (kind !== "update") continue;
    const gate = { transport, plan, state: { ...state, accepted }, member: members.get(site) };
    const arrived = await examine(gate, payload, sequence, site);
    if (arrived === DUPLICATE) continue;
    if (typeof arrived === "string" || "late" in arrived) {
      const reason = typeof arrived === "string" ? arrived : arrived.late;
      (typeof arrived === "string" ? refused : late)[site] = reason;
      history[site] = struck(history[site], members.get(site)?.session ?? "");
      await hub.decide(site, { round, outcome: "refused", reason });
      continue;
    }
    await hub.keepRow(arrived.accepted.update, arrived.row);
    hub.manifests.set(sequence, arrived.manifest);
    // A newer update of the same site takes the place of its older one.
    const older = accepted.findIndex((a) => a.site === site);
    if (older >= 0) accepted.splice(older, 1);
    accepted.push(arrived.accepted);
    received.push(site);
    const { seconds, steps, coverage, update } = arrived.accepted;
    const { reputation, ...known } = history[site] ?? { invited: 0, answered: 0 };
    history[site] = {
      invited: known.invited,
      answered: known.answered + 1,
      last: update.sha256,
      speed: updatedSpeed(known.speed, seconds, steps),
      ...(coverage === undefined ? {} : { coverage }),
      ...(reputation === undefined ? {} : { reputation }),
    };
  }
  await hub.commit({ accepted, refused, late, history, cursor: events.at(-1)!.sequence });
  await Promise.all(received.map((site) => hub.decide(site, { round, outcome: "received" })));
}

/** A refusal more, of those one after another in a session. */
function struck(known: Known | undefined, session: string): Known {
  const { strikes, ...rest } = known ?? { invited: 0, answered: 0 };
  return { ...rest, strikes: { session, count: strikes?.session === session ? strikes.count + 1 : 1 } };
}

function ready({ plan, state, members, now }: HubRun): "step" | "void" | undefined {
  const { schedule } = plan.config;
  const { accepted, invited, refused, deadline } = state;
  const active = new Set(members.active().map(({ site }) => site));
  const over = now() >= deadline;
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
      const come = new Set(accepted.map(({ site }) => site));
      const waitedFor = invited.filter((site) => !come.has(site) && !(site in refused) && active.has(site));
      if (waitedFor.length > 0 && !over) return undefined;
      const enough = Math.max(1, Math.ceil(schedule.quorum * invited.length), state.masking?.threshold ?? 0);
      return accepted.length >= enough ? "step" : "void";
    }
  }
}
