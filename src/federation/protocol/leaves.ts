/** What leaves a site, listed before it joins: `foehn join --dry-run`. */
import { type RunConfigInput, planOf } from "./config.js";
import { byteLimit, partsOf } from "./arrival.js";
import { coveredSegments, segmentsLength, sharedArrays } from "./coverage.js";
import type { Layout } from "./parameters.js";
import { readableBytes, spentPrivacy } from "./records.js";
import type { LocalTrainer } from "./trainer.js";

export interface Leaving {
  readonly what: string;
  readonly when: string;
  readonly who: string;
  readonly size: string;
}

/** Every kind of message this site would send, who can read it, and what never leaves. */
export async function whatLeaves(
  input: RunConfigInput,
  layout: Layout,
  trainer: LocalTrainer,
  { site, shareSkill = true }: { site: string; shareSkill?: boolean },
): Promise<{ leaves: Leaving[]; stays: string[]; epsilon: number | null }> {
  const plan = await planOf(input);
  const { privacy, masking, compression, rounds, personal } = plan.config;
  const { samples, variables, device } = trainer.describe();
  const parts = partsOf(plan);
  const numbers = segmentsLength(coveredSegments(layout, sharedArrays(layout, personal)));
  const protections = [
    privacy && `shortened to length ${privacy.clip}`,
    privacy?.noise && `blurred with normal noise of ${privacy.noise} times that`,
    masking && "masked: the hub can open the sum of all sites alone",
    compression.codec !== "float32" && `compressed as ${compression.codec}`,
  ].filter((p) => typeof p === "string");
  const extras = plan.strategy.extras?.length
    ? ` and, for ${plan.strategy.name}, its ${plan.strategy.extras.join(", ")}`
    : "";
  const atMost = masking
    ? 4 * numbers
    : compression.codec === "float32"
      ? parts * (4 * numbers + 5)
      : byteLimit(numbers, parts);
  return {
    leaves: [
      {
        what: `registration: the name '${site}', a public key, ${samples} samples, variables ${variables.join(", ")}, device '${device}'`,
        when: "on joining, then as a sign of life",
        who: "the hub",
        size: "under 2 kB",
      },
      {
        what: `the change of the ${numbers} model parameters by local training${extras} (of these only the arrays that this site's variables train, and which they are)${protections.length ? `; ${protections.join("; ")}` : "; as it is: it can tell about the data"}`,
        when: "each round it is invited to",
        who: masking ? "nobody singly" : "the hub",
        size: `at most ${readableBytes(atMost)}`,
      },
      {
        what: "count of samples and steps, learning rate, mean loss before training, seconds taken, a signature",
        when: "with each update",
        who: "the hub",
        size: "under 1 kB",
      },
      ...(shareSkill
        ? [
            {
              what: "scores of the shared, own and personal model on held-back data (numbers, not data); without them with --no-share-skill",
              when: "with each update",
              who: "the hub",
              size: "under 10 kB",
            },
          ]
        : []),
      ...(masking
        ? [
            {
              what: "public mask keys, and shares of mask secrets sealed for each other site",
              when: "each round",
              who: "the hub passes them on; each other site opens its own",
              size: "about 200 B a site",
            },
          ]
        : []),
    ],
    stays: [
      "the data, their times and places",
      "the private key",
      "the model trained alone and the personal model",
      ...(personal.length > 0 ? [`all parameters named ${personal.map((p) => `${p}*`).join(", ")}`] : []),
      ...(shareSkill ? [] : ["all scores"]),
    ],
    epsilon: spentPrivacy(plan, rounds),
  };
}

/** The list as a person reads it. */
export function leavesText(site: string, { leaves, stays, epsilon }: Awaited<ReturnType<typeof whatLeaves>>): string {
  return [
    `What would leave '${site}':`,
    ...leaves.map(({ what, when, who, size }) => `  - ${what}\n      ${when}; read by ${who}; ${size}`),
    "What stays:",
    ...stays.map((s) => `  - ${s}`),
    epsilon === null
      ? "No noise is added: there is no differential privacy."
      : `Privacy after all rounds: epsilon ${epsilon.toFixed(2)} for one site's whole data.`,
  ].join("\n");
}
