/** A site's part in a masked round: its keys, its shares for the others, its masked update, and what it reveals in the end. */
import { FoehnError } from "../../errors.js";
import type { Vector } from "../aggregate/rows.js";
import * as masking from "../privacy/masking.js";
import { noiseDeviation, noised, secretRandom } from "../privacy/noise.js";
import { maskingRound, maskingScale } from "./masked-round.js";
import { type MaskMessage, type RoundState, signed } from "./messages.js";
import type { SiteRun } from "./site-run.js";

/** Answers the phase the round is in. */
export async function maskStep(run: SiteRun, state: RoundState): Promise<void> {
  const { transport, site } = run.options;
  const { round, opened, phase } = state;
  const step = `${phase} ${opened}`;
  if (run.maskSteps.has(step)) return; // never twice: two answers to "unmask" could reveal both secrets of a site
  const publish = async (content: Partial<MaskMessage>): Promise<void> => {
    run.maskSteps.add(step);
    const message = await signed<MaskMessage>({ run: state.run, site, round, ...content }, run.identity);
    await transport.events.publish(`mask.${site}`, JSON.stringify(message), `mask.${site}.${step}`);
  };
  if (phase === "keys") {
    run.maskSteps.clear();
    run.maskKeys = { opened, keys: await masking.newMaskKeys() };
    return publish({ keys: run.maskKeys.keys.public });
  }
  const { masking: mask } = state;
  const keys = run.maskKeys?.opened === opened ? run.maskKeys.keys : undefined;
  if (!mask || !keys || !(site in mask.roster)) return; // it joined or was restarted halfway: the others' shares stand in for it
  const name = maskingRound(state.run, round, opened);
  if (phase === "shares") {
    const { threshold } = mask;
    return publish({ parcels: await masking.dealShares(site, keys, mask.roster, { threshold, round: name }) });
  }
  const box = await letterBox(run, state);
  if (mask.survivors.length < mask.threshold)
    throw new FoehnError(
      `the hub asks to unmask ${mask.survivors.length} sites, fewer than ${mask.threshold}; refused`,
    );
  return publish({
    revealed: await masking.revealed(site, keys, mask.roster, box, { survivors: mask.survivors, round: name }),
  });
}

async function letterBox({ options }: SiteRun, { opened, round }: RoundState): Promise<Record<string, string>> {
  const { transport, site } = options;
  const entry = await transport.state.get(`parcels.${site}`);
  const { opened: when, box } = JSON.parse(entry?.value ?? "{}") as { opened?: number; box?: Record<string, string> };
  if (!box || when !== opened)
    throw new FoehnError(`the parcels of masked round ${round} did not reach site '${site}'`);
  return box;
}

/** The bytes of an update that only the sum of all opens. */
export async function maskedUpdate(run: SiteRun, state: RoundState, change: Vector): Promise<Uint8Array> {
  const plan = await run.plan();
  const { site } = run.options;
  const { masking: mask, round, opened } = state;
  if (!mask || !run.maskKeys) throw new FoehnError(`masked round ${round} has no roster; the hub's record is broken`);
  const { clip, noise } = plan.config.privacy!;
  const weighted = change.map((v) => v * mask.weights[site]);
  // Each adds so much noise that the fewest survivors together still carry all of it.
  const deviation = noiseDeviation(noise, clip * mask.weights[site], mask.threshold);
  const safe = noise ? noised(weighted, deviation, secretRandom()) : weighted;
  const words = await masking.masked(site, run.maskKeys.keys, mask.roster, safe, {
    scale: maskingScale(plan, Object.keys(mask.roster).length),
    round: maskingRound(state.run, round, opened),
  });
  return new Uint8Array(words.buffer);
}
