/** Everything hub and sites write to one another. All of it is checked on reading: a site may send anything. */
import { z } from "zod";
import { canonical, type Identity, sign, verify } from "../privacy/signature.js";
import { NAME } from "../transport/transport.js";

const text = z.string().max(256);
const whole = z.number().int().nonnegative();
const name = z.string().regex(NAME);
const hash = z.string().regex(/^[0-9a-f]{64}$/);
const pointer = z.strictObject({ object: text, sha256: hash, bytes: whole });
export type Pointer = z.infer<typeof pointer>;

const skillRow = z.strictObject({
  metric: text,
  variable: text.optional(),
  value: z.number(),
  low: z.number().optional(),
  high: z.number().optional(),
  n: whole,
});

/** A site's registration, under `member.SITE`; it alone writes it. */
export const memberSchema = z.strictObject({
  site: name,
  publicKey: text,
  samples: whole,
  variables: z.array(text).max(1000),
  device: text,
  status: z.enum(["here", "left"]),
  /** Changes each time the site is started. */
  session: text,
  /** Counts up: the hub sees by its own clock when a site was heard of. */
  beat: whole,
  signature: text,
});
export type Member = z.infer<typeof memberSchema>;

/** The one message that makes an update count; the numbers lie in the object it names. */
export const manifestSchema = z.strictObject({
  run: name,
  site: name,
  round: whole,
  /** SHA-256 of the model it was trained from. */
  base: hash,
  update: pointer,
  /** The arrays it holds (coverage.ts); absent: all that are shared. */
  coverage: z.string().max(65536).optional(),
  samples: z.number().int().positive(),
  steps: z.number().int().positive(),
  learningRate: z.number().nonnegative(),
  momentum: z.number().min(0).lt(1).optional(),
  loss: z.number().optional(),
  role: z.enum(["anchor", "miner"]).optional(),
  seconds: z.number().nonnegative(),
  /** Scores on the site's held-back data with the model it was sent, and with its own after training. */
  skill: z.strictObject({
    alone: z.array(skillRow).max(100).optional(),
    together: z.array(skillRow).max(100),
    personal: z.array(skillRow).max(100),
  }),
  signature: text,
});
export type Manifest = z.infer<typeof manifestSchema>;

const record = <T extends z.ZodType>(value: T) => z.record(name, value);
const maskPublic = z.strictObject({ channel: text, mask: text });

/** A site's part in a masked round: its keys, its parcels for the others, or its shares of what is to be taken off. */
export const maskMessageSchema = z.strictObject({
  run: name,
  site: name,
  round: whole,
  keys: maskPublic.optional(),
  parcels: record(text).optional(),
  revealed: z.strictObject({ own: record(text), pair: record(text) }).optional(),
  signature: text,
});
export type MaskMessage = z.infer<typeof maskMessageSchema>;

/** What the hub notes of an accepted update. */
const acceptedSchema = z.strictObject({
  site: name,
  round: whole,
  update: pointer,
  coverage: z.string().optional(),
  samples: whole,
  steps: whole,
  learningRate: z.number(),
  momentum: z.number().optional(),
  loss: z.number().optional(),
  role: z.enum(["anchor", "miner"]).optional(),
  seconds: z.number(),
  norm: z.number(),
  staleness: whole,
  /** Number of the event that brought the manifest. */
  sequence: whole,
});
export type Accepted = z.infer<typeof acceptedSchema>;

/** What sites see of the run, under `round`; only the hub writes it. */
export const roundSchema = z.strictObject({
  run: name,
  layout: z.array(z.strictObject({ name: text, shape: z.array(whole) })),
  /** Rounds finished so far = version of the model. */
  round: whole,
  phase: z.enum(["open", "keys", "shares", "train", "unmask", "done"]),
  /** When the hub opened this attempt at the round, by its own clock, milliseconds: the attempt's name. */
  opened: z.number(),
  model: pointer,
  /** The strategy's vectors that sites receive. */
  shared: pointer.optional(),
  invited: z.array(name),
  /** What single sites train from, where it is not the run's model. */
  models: record(z.strictObject({ model: pointer, shared: pointer.optional() })).optional(),
  /** Steps for each site, where they differ. */
  steps: record(whole).optional(),
  /** Sites whose updates made the last step. */
  included: z.array(name),
  masking: z
    .strictObject({
      roster: record(maskPublic),
      /** Share of each site in the mean: what it multiplies its update by. */
      weights: record(z.number()),
      /** Sites needed to unmask. */
      threshold: whole,
      survivors: z.array(name),
    })
    .optional(),
});
export type RoundState = z.infer<typeof roundSchema>;

/** The hub's whole state between steps, under `hub`; only the hub writes it, by compare-and-set. */
export const hubSchema = roundSchema.omit({ models: true }).extend({
  configHash: hash,
  /** The strategy's vectors that the hub keeps. */
  memory: pointer.optional(),
  /** Groups of sites with a model of their own. */
  groups: record(
    z.strictObject({ sites: z.array(name), model: pointer, memory: pointer.optional(), shared: pointer.optional() }),
  ).optional(),
  /** Models that single sites start from. */
  starts: record(pointer).optional(),
  /** Objects of the last round, to be removed after this one. */
  retired: z.array(text),
  deadline: z.number(),
  /** Last event taken into account. */
  cursor: whole,
  accepted: z.array(acceptedSchema),
  /** What sites were refused for in this round: no other update of theirs is waited for. */
  refused: record(z.string()),
  /** Sites whose update of a round before came too late in this one, with the reason. */
  late: record(z.string()).optional(),
  /** Rounds at which each site's EF21 memory was last written. */
  memories: record(whole).optional(),
  /** Invitations and answers of each site so far, and its seconds a step. */
  history: record(
    z.strictObject({
      invited: whole,
      answered: whole,
      speed: z.number().optional(),
      /** Hash of its last accepted update. */
      last: hash.optional(),
      /** The arrays its last update held. */
      coverage: z.string().optional(),
      reputation: z.number().optional(),
      /** Refusals one after another in a session. */
      strikes: z.strictObject({ session: text, count: whole }).optional(),
    }),
  ),
});
export type HubState = z.infer<typeof hubSchema>;

/** The part of the hub's state that sites see. */
export function publicState(state: HubState): RoundState {
  const { run, layout, round, phase, opened, model, shared, invited, steps, included, masking } = state;
  const grouped = Object.values(state.groups ?? {}).flatMap((group) =>
    group.sites.map((site) => [site, { model: group.model, shared: group.shared }] as const),
  );
  const single = Object.entries(state.starts ?? {}).map(([site, start]) => [site, { model: start, shared }] as const);
  const own = [...grouped, ...single];
  const models = own.length > 0 ? Object.fromEntries(own) : undefined;
  return { run, layout, round, phase, opened, model, shared, models, invited, steps, included, masking };
}

/** What the hub says of a site's last update, under `decision.SITE`: it has it, it used it, why not, or that it was lost. */
export const decisionSchema = z.strictObject({
  round: whole,
  outcome: z.enum(["received", "used", "refused", "lost"]),
  reason: z.string().optional(),
});
export type Decision = z.infer<typeof decisionSchema>;

/** A message with the signature of its content. */
export async function signed<T extends { signature: string }>(
  content: Omit<T, "signature">,
  identity: Identity,
): Promise<T> {
  return { ...content, signature: await sign(identity, canonical(content)) } as T;
}

/** Whether the message's signature is that of the key's owner on the rest of it. */
export function verified(message: { signature: string }, publicKey: string): Promise<boolean> {
  const { signature, ...content } = message;
  return verify(publicKey, canonical(content), signature);
}

/** The message in a text, or the sentence why it is none. */
export function parsed<T>(schema: z.ZodType<T>, value: string): T | string {
  let json: unknown;
  try {
    json = JSON.parse(value);
  } catch {
    return "the message is not JSON";
  }
  const result = schema.safeParse(json);
  if (result.success) return result.data;
  const { path, message } = result.error.issues[0];
  return `the message's '${path.join(".")}' is wrong: ${message}`;
}
