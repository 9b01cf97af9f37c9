/** What an update must be before it counts. Nothing a site sends is believed; each refusal is a sentence that the site is told. */
import { FoehnError } from "../../errors.js";
import { allFinite, norm } from "../aggregate/rows.js";
import { restored } from "../compress/feedback.js";
import { sha256 } from "../compress/hash.js";
import { ByteReader } from "../compress/bytes.js";
import type { Transport } from "../transport/transport.js";
import type { Plan } from "./config.js";
import { coverageFrom, coveredSegments, scattered, segmentsLength, sharedArrays } from "./coverage.js";
import { modelOf } from "./grouping.js";
import { layoutLength } from "./parameters.js";
import {
  type Accepted,
  type Manifest,
  type Member,
  manifestSchema,
  type Pointer,
  parsed,
  type HubState,
  verified,
} from "./messages.js";

/** Parts of an update: the changed parameters, then the strategy's extras, each as long as the model. */
export const partsOf = (plan: Plan): number => 1 + (plan.strategy.extras?.length ?? 0);

/** The most bytes an update can have: float32, one length a part, and what block scales and positions add. */
export const byteLimit = (length: number, parts: number): number => Math.ceil(parts * (5.1 * length + 1024));

/** The seed of what a site draws at random in a round; both ends must agree. */
export const updateSeed = (seed: number, round: number, site: string): number =>
  [...site].reduce((h, c) => (Math.imul(h, 31) + c.codePointAt(0)!) >>> 0, (seed * 0x9e3779b1 + round) >>> 0);

/** What the checks look at. */
export interface Gate {
  readonly transport: Transport;
  readonly plan: Plan;
  readonly state: HubState;
  readonly member: Member | undefined;
}

export interface Arrived {
  readonly manifest: Manifest;
  readonly accepted: Accepted;
  /** The update as numbers; its masked words where the hub sees sums alone. */
  readonly row: Float32Array;
}

/** The update is of a round gone by: its site may still answer this one. */
export interface Late {
  readonly late: string;
}

/** The update an event announces, checked; or the reason why it is refused. */
export async function examine(
  gate: Gate,
  payload: string,
  sequence: number,
  subjectSite: string,
): Promise<Arrived | Late | string> {
  const { plan, state, member, transport } = gate;
  const manifest = parsed(manifestSchema, payload);
  if (typeof manifest === "string") return manifest;
  const { site, round, update } = manifest;
  if (site !== subjectSite) return `the update of '${subjectSite}' speaks for '${site}'`;
  if (!member) return `site '${site}' is not registered with this run`;
  if (!(await verified(manifest, member.publicKey))) return `the update is not signed by site '${site}'`;
  const staleness = state.round - round;
  const { mode, late, maxStaleness } = plan.config.schedule;
  const lateOnes = late === "use" || mode === "buffered" || mode === "interval";
  if (staleness < 0) return `the update is for round ${round}, but the run is at round ${state.round}`;
  // Message systems repeat themselves: what has made a step already is no news in a later round, and no fault.
  if (staleness > 0 && state.history[site]?.last === update.sha256) return DUPLICATE;
  if (staleness > 0 && !lateOnes)
    return { late: `the update for round ${round} came in round ${state.round}, and late updates are refused here` };
  if (staleness > maxStaleness)
    return { late: `the update is ${staleness} rounds old, more than the ${maxStaleness} allowed` };
  if (!lateOnes && !state.invited.includes(site)) return `site '${site}' was not invited to round ${round}`;
  if (state.accepted.some((a) => a.site === site && a.round >= round)) return DUPLICATE;
  const base = staleness === 0 ? modelOf(state, site).sha256 : await pastBase(transport, round, site);
  if (manifest.base !== base)
    return `the update was trained from another model (${manifest.base.slice(0, 12)}) than that of round ${round} (${base?.slice(0, 12)})`;
  if (manifest.samples > member.samples)
    return `the update claims ${manifest.samples} samples, but site '${site}' registered ${member.samples}`;
  if (update.object !== `site.${site}.${round}`)
    return `the update of site '${site}' lies under '${update.object}', not under its own name`;
  const memory = state.memories?.[site];
  let row: Float32Array;
  try {
    row = await fetchRow(gate, update, { site, round, coverage: manifest.coverage, memory });
  } catch (error) {
    if (error instanceof FoehnError) return error.message;
    throw error;
  }
  const length = norm(plan.config.masking ? new Float32Array(0) : row.subarray(0, layoutLength(state.layout)));
  if (!Number.isFinite(length)) return "the update holds values that are not finite";
  const { maxNorm } = plan.config.aggregation;
  if (maxNorm !== undefined && length > maxNorm)
    return `the update has length ${length.toPrecision(4)}, more than the ${maxNorm} allowed`;
  const { coverage, samples, steps, learningRate, momentum, loss, role, seconds } = manifest;
  return {
    manifest,
    row,
    accepted: {
      site,
      round,
      update,
      ...(coverage === undefined ? {} : { coverage }),
      samples,
      steps,
      learningRate,
      momentum,
      loss,
      ...(role === undefined ? {} : { role }),
      seconds,
      norm: length,
      staleness,
      sequence,
    },
  };
}

/** The model a site was given in a past round. */
async function pastBase({ state }: Transport, round: number, site: string): Promise<string | undefined> {
  const entry = await state.get(`version.${round}`);
  if (!entry) return undefined;
  const { model, sites } = JSON.parse(entry.value) as { model: string; sites?: Record<string, string> };
  return sites?.[site] ?? model;
}

/** The reason that is no fault: the same update twice. */
export const DUPLICATE = "duplicate";

/** Fetches and decodes an update; FoehnError says what is wrong with it. */
export async function fetchRow(
  { transport, plan, state }: Omit<Gate, "member">,
  { object, sha256: hash, bytes: size }: Pointer,
  { site, round, coverage, memory }: { site: string; round: number; coverage?: string; memory?: number },
): Promise<Float32Array> {
  const length = layoutLength(state.layout);
  const parts = partsOf(plan);
  const shared = sharedArrays(state.layout, plan.config.personal);
  const segments = coveredSegments(state.layout, coverageFrom(coverage, shared));
  const sent = segmentsLength(segments);
  if (sent === 0 && shared.includes(true)) throw new FoehnError("the update holds no array of the model");
  const limit = byteLimit(sent, parts);
  if (size > limit) throw new FoehnError(`the update claims ${size} bytes; one of this model has at most ${limit}`);
  const bytes = await transport.objects.get(object, limit);
  if (!bytes) throw new FoehnError("the update's numbers did not arrive; send it again");
  if (bytes.length !== size || (await sha256(bytes)) !== hash)
    throw new FoehnError("the update's numbers are not those its manifest names; send it again");
  if (plan.config.masking) {
    if (coverage !== undefined)
      throw new FoehnError("the update holds only some arrays, but where updates are masked all sites must train all");
    if (size !== 4 * sent) throw new FoehnError(`a masked update of this model has ${4 * sent} bytes, not ${size}`);
    return new Float32Array(bytes.slice().buffer);
  }
  const reader = new ByteReader(bytes);
  const row = new Float32Array(parts * length);
  for (let part = 0; part < parts; part++) {
    const values = plan.codec.decode(reader.bytes(reader.varint()), sent, updateSeed(plan.config.seed, round, site));
    scattered(values, segments, row.subarray(part * length, (part + 1) * length));
  }
  reader.end();
  if (!allFinite(row)) throw new FoehnError("the update holds values that are not finite");
  if (memory === undefined) return row;
  const kept = await transport.objects.get(`memory.${site}.${memory}`, 4 * row.length);
  if (!kept)
    throw new FoehnError(`the hub lost its copy of what site '${site}' sent before; set compression.feedback to ef14`);
  return restored(plan.config.compression.feedback, row, new Float32Array(kept.slice().buffer)) as Float32Array;
}
