/** What must be in place before a step: every accepted update at hand, though the hub or the message system was killed meanwhile. */
import { FoehnError } from "../../errors.js";
import { fetchRow, partsOf } from "./arrival.js";
import { DiskFull, type HubRun, PATIENCE, rowName } from "./hub-run.js";
import { type HubState, manifestSchema, parsed } from "./messages.js";
import { layoutLength } from "./parameters.js";
import type { RowStore } from "./row-store.js";

/**
 * Fetches again what a restarted hub does not hold; returns the sites whose accepted updates the message system lost (an
 * acknowledged write is not yet on disk).
 */
export async function fetchMissing(hub: HubRun): Promise<string[]> {
  const lost: string[] = [];
  const { transport, state } = hub;
  for (const { site, round, update, coverage, sequence } of state.accepted) {
    if (!hub.rows.has(rowName(update))) {
      try {
        const memory = state.memories?.[site];
        await hub.keepRow(update, await fetchRow(hub, update, { site, round, coverage, memory }));
      } catch (error) {
        if (!(error instanceof FoehnError) || error instanceof DiskFull) throw error;
        lost.push(site);
      }
    }
    if (!hub.manifests.has(sequence)) {
      const [event] = await transport.events.read(sequence - 1, { limit: 1, milliseconds: PATIENCE });
      const manifest = event && parsed(manifestSchema, event.payload);
      if (manifest && typeof manifest !== "string") hub.manifests.set(sequence, manifest);
    }
  }
  return lost;
}

/** What was lost no longer counts as accepted, and its sites are asked to send it again. */
export async function askAgain(hub: HubRun, lost: readonly string[]): Promise<void> {
  const { accepted, round } = hub.state;
  await hub.commit({ accepted: accepted.filter(({ site }) => !lost.includes(site)) });
  await Promise.all(lost.map((site) => hub.decide(site, { round, outcome: "lost" })));
}

/** For EF21 the hub's copies of what each site has sent so far: the rounds at which they were written, by site. */
export async function keepMemories(
  { plan, state, transport }: HubRun,
  accepted: HubState["accepted"],
  rows: Awaited<ReturnType<RowStore["open"]>>,
): Promise<Record<string, number> | undefined> {
  if (plan.config.compression.feedback !== "ef21") return undefined;
  const memories = { ...state.memories };
  const row = new Float32Array(partsOf(plan) * layoutLength(state.layout));
  for (const [i, { site }] of accepted.entries()) {
    await rows.read(i, 0, row);
    await transport.objects.put(`memory.${site}.${state.round}`, new Uint8Array(row.buffer));
    memories[site] = state.round;
  }
  return memories;
}
