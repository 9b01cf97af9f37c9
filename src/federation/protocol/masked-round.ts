/** The hub's side of a masked round: keys, parcels and revealed shares gathered from signed messages. */
import { FoehnError } from "../../errors.js";
import { norm, type Rows } from "../aggregate/rows.js";
import { fixedPointScale, maskedSum, type MaskPublic, type Revealed, unmaskedSum } from "../privacy/masking.js";
import { bySamples } from "../strategy/strategy.js";
import type { FederationEvent } from "../transport/transport.js";
import type { Plan } from "./config.js";
import { maskMessageSchema, parsed, type RoundState, verified } from "./messages.js";

export interface Gathered {
  readonly keys: Record<string, MaskPublic>;
  readonly parcels: Record<string, Record<string, string>>;
  readonly revealed: Record<string, Revealed>;
}

/** Adds the masking messages among the events; what is malformed, unsigned, or for another round is passed over. */
export async function gather(
  into: Gathered,
  events: readonly FederationEvent[],
  state: RoundState,
  keyOf: (site: string) => string | undefined,
): Promise<void> {
  for (const { subject, payload } of events) {
    const [kind, site] = subject.split(".");
    if (kind !== "mask") continue;
    const message = parsed(maskMessageSchema, payload);
    const key = keyOf(site);
    if (typeof message === "string" || message.site !== site || message.round !== state.round || !key) continue;
    if (!(await verified(message, key))) continue;
    const { keys, parcels, revealed } = message;
    if (keys && state.phase === "keys" && state.invited.includes(site)) into.keys[site] = keys;
    const roster = Object.keys(state.masking?.roster ?? {});
    if (parcels && roster.includes(site) && roster.every((to) => to in parcels)) into.parcels[site] = parcels;
    if (revealed && state.masking?.survivors.includes(site)) into.revealed[site] = revealed;
  }
}

/** Who takes part in the masked round, with weights and threshold; undefined where they are too few. */
export function maskingRoster(
  plan: Plan,
  keys: Record<string, MaskPublic>,
  samplesOf: (site: string) => number,
): RoundState["masking"] | undefined {
  const sites = Object.keys(keys).sort();
  if (sites.length < 3) return undefined; // of two, each would know the other's update from the sum
  const samples = sites.map(samplesOf);
  const total = samples.reduce((a, b) => a + b, 0);
  const byData = plan.strategy.weights === bySamples && !plan.config.privacy?.noise;
  const weights = Object.fromEntries(sites.map((site, i) => [site, byData ? samples[i] / total : 1 / sites.length]));
  const threshold = Math.max(
    Math.floor(sites.length / 2) + 1,
    Math.ceil(plan.config.masking!.threshold * sites.length),
  );
  return { roster: Object.fromEntries(sites.map((site) => [site, keys[site]])), weights, threshold, survivors: [] };
}

/** What masked numbers are multiplied by: room for every site's clipped update and eight deviations of its noise. */
export function maskingScale(plan: Plan, sites: number): number {
  const { clip, noise } = plan.config.privacy!;
  return fixedPointScale(clip * (1 + 8 * noise), sites);
}

/** The mean of the survivors' updates, from their masked rows and what was revealed; or why it could not be opened. */
export async function maskedMean(
  plan: Plan,
  state: RoundState,
  rows: Rows,
  revealed: Readonly<Record<string, Revealed>>,
): Promise<Float32Array | string> {
  const { masking, run, round, opened } = state;
  if (!masking) throw new FoehnError(`round ${round} of run '${run}' is not masked; the hub's record is broken`);
  const { length } = rows;
  const row = new Float32Array(length);
  let sum = new Uint32Array(length);
  for (let i = 0; i < rows.count; i++) {
    await rows.read(i, 0, row);
    sum = maskedSum([sum, new Uint32Array(row.buffer)], length) as typeof sum;
  }
  const { roster, survivors, threshold, weights } = masking;
  const scale = maskingScale(plan, Object.keys(roster).length);
  const options = { survivors, threshold, scale, round: maskingRound(run, round, opened) };
  let total: Float32Array;
  try {
    total = await unmaskedSum(sum, roster, revealed, options);
  } catch (error) {
    if (error instanceof FoehnError) return error.message;
    throw error;
  }
  const share = survivors.reduce((s, site) => s + weights[site], 0);
  const mean = total.map((v) => v / share);
  // Every site bounded its update; a longer mean is what wrong shares leave of the masks: noise over all 32 bits.
  const { clip, noise } = plan.config.privacy!;
  if (norm(mean) > clip * (1.01 + 8 * noise * Math.sqrt(length)))
    return "what was unmasked is longer than any honest mean: a site revealed wrong shares";
  return mean;
}

/** The name masks of a round are bound to; a round held again has another. */
export const maskingRound = (run: string, round: number, opened: number): string => `${run} ${round} ${opened}`;
