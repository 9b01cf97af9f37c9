/**
 * The hub: a state machine whose whole state lies in the message system. It reads the round's record, does one small thing, and
 * writes the record back by compare-and-set; killed anywhere and started again, it goes on from the record.
 *
 *   await runHub({ transport, config: { run: "valley", rounds: 20 }, initial: params })
 *
 *   open -> train -> open ... -> done            masked: open -> keys -> shares -> train -> unmask -> open
 *
 * hub-run.ts has the record, opening.ts chooses who trains, collecting.ts takes updates in, closing.ts makes the next model,
 * masked-phases.ts has what is between where updates are masked.
 */
import { UsageError } from "../../errors.js";
import { closeRound, voidRound } from "./closing.js";
import { collect } from "./collecting.js";
import { planOf } from "./config.js";
import { type HubOptions, HubRun, type RunModels } from "./hub-run.js";
import { takeLease } from "./lease.js";
import { maskedPhase } from "./masked-phases.js";
import { openRound } from "./opening.js";
import type { Parameters } from "./parameters.js";

export type { HubOptions, RunModels } from "./hub-run.js";

/** Coordinates the run to its end and returns the last model. Throws what `signal` was aborted with. */
export async function runHub(options: HubOptions): Promise<Parameters> {
  return (await coordinate(options)).model;
}

/** As `runHub`; returns the models of groups too. */
export async function coordinate(options: HubOptions): Promise<RunModels> {
  const { transport, signal, leaseTerm = 10_000, owner = crypto.randomUUID() } = options;
  const plan = await planOf(options.config);
  const { rule } = plan.config.aggregation;
  if (plan.rule(0).trusts && !options.trusted)
    throw new UsageError(
      `aggregation.rule '${rule}' measures updates by a training on the hub's own data; give the hub data (foehn hub --data)`,
    );
  const lease = await takeLease(transport, owner, { term: leaseTerm, signal });
  try {
    const hub = await HubRun.open(options, plan);
    while (hub.state.phase !== "done") {
      signal?.throwIfAborted();
      lease.check();
      await advance(hub);
    }
    return await hub.models();
  } finally {
    await lease.release();
  }
}

/** One small thing. */
async function advance(hub: HubRun): Promise<void> {
  switch (hub.state.phase) {
    case "open":
      return openRound(hub);
    case "keys":
    case "shares":
    case "unmask":
      return maskedPhase(hub);
    case "train": {
      const outcome = await collect(hub);
      if (outcome === "step") await closeRound(hub);
      else if (outcome === "void") await voidRound(hub);
      return;
    }
    case "done":
      return;
  }
}
