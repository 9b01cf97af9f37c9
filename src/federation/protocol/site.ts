/**
 * A site: watches the run's record, trains when invited, sends what the run's rules let leave, and keeps the rest.
 *
 *   const report = await runSite({ transport, site: "valley", trainer });
 *
 * site-run.ts has what it works with, local-round.ts trains, update.ts makes what leaves, outbox.ts sends it until the hub has
 * decided, masked-site.ts answers masked rounds.
 */
import { FoehnError, UsageError } from "../../errors.js";
import { NAME } from "../transport/transport.js";
import { siteReport } from "./local-round.js";
import { maskStep } from "./masked-site.js";
import { parsed, type RoundState, roundSchema } from "./messages.js";
import { contribute } from "./outbox.js";
import { PATIENCE, type SiteOptions, type SiteReport, SiteRun } from "./site-run.js";
import { Gone } from "./stored.js";

export type { SiteOptions, SiteReport, SiteRound, SiteSkill } from "./site-run.js";

/** Takes part until the run is done. Throws what `signal` was aborted with, after saying goodbye. */
export async function runSite(given: SiteOptions): Promise<SiteReport> {
  // A signal of its own: many sites in one process may share one, and each waits for it in several places
  const signal = given.signal && AbortSignal.any([given.signal]);
  const options = { ...given, signal };
  const { transport, site } = options;
  if (!NAME.test(site)) throw new UsageError(`'${site}' cannot name a site: use 1 to 64 letters, digits, - and _`);
  const run = await SiteRun.start(options);
  await run.register("here");
  let finished = false;
  try {
    let revision = 0;
    for (;;) {
      const entry = await transport.state.wait("round", revision, PATIENCE, signal);
      signal?.throwIfAborted();
      await run.beat();
      if (!entry) {
        // A decision may have come without a new record.
        if (run.awaiting) await act(run, run.awaiting);
        continue;
      }
      revision = entry.revision;
      await run.plan(); // says how often the hub wants to hear of it
      const state = parsed(roundSchema, entry.value);
      if (typeof state === "string")
        throw new FoehnError(`the hub's record cannot be read here: ${state}; use the hub's version of Foehn`);
      if (state.phase === "done") {
        const report = await siteReport(run, state);
        finished = true;
        return report;
      }
      try {
        await act(run, state);
      } catch (error) {
        // A slow site may find that the model it was to train from has been replaced meanwhile: the newer record says from which.
        const newer = error instanceof Gone ? await transport.state.get("round") : undefined;
        if (!newer || newer.revision === revision) throw error;
      }
    }
  } finally {
    if (!finished) await run.register("left").catch(() => undefined); // the connection may be what failed
  }
}

/** What the state asks of this site. */
async function act(run: SiteRun, state: RoundState): Promise<void> {
  run.awaiting = undefined;
  if (!state.invited.includes(run.options.site)) {
    // A registration may have been refused: that is told without a round.
    const decision = await run.decision();
    if (decision?.reason) run.note(decision.reason);
    return;
  }
  switch (state.phase) {
    case "keys":
    case "shares":
    case "unmask":
      return maskStep(run, state);
    case "train":
      return contribute(run, state);
    case "open":
    case "done":
      return;
  }
}
