/** What is left of a run's skill under hostile sites, other rules and compressed rounds: one case after the other, each from the same start. */
import type { RunConfigInput } from "../protocol/config.js";
import type { RoundRecord } from "../protocol/records.js";
import { type Attack, hostileTrainers } from "./hostile.js";
import { meanValidation, type Owner, type ProofOptions, trainTogether } from "./proof.js";
import { relativeError } from "./scores.js";

export interface RobustCase {
  readonly rule?: string;
  /** The first `hostile` share of the owners attack; without an attack all are honest. */
  readonly attack?: Attack;
  readonly compression?: RunConfigInput["compression"];
  /** The owners that would attack are left out instead: what the others reach among themselves. */
  readonly without?: boolean;
}

/** Of the last round's model (no round is chosen), over the owners that are never hostile. */
export interface RobustRow {
  readonly rule: string;
  readonly attack: string;
  readonly codec: string;
  readonly sites: number;
  /** Mean relative error on the validation parts, and mean skill on the test parts. */
  readonly validation: number;
  readonly skill: number;
  /** Bytes of all updates, and of as many full float32 updates. */
  readonly bytes: number;
  readonly fullBytes: number;
}

/** A case by what it is, as in its row. */
export function caseNames({
  rule = "mean",
  attack,
  compression,
  without,
}: RobustCase): Pick<RobustRow, "rule" | "attack" | "codec"> {
  return {
    rule,
    attack: without ? "left out" : attack ? `${attack.kind} x ${attack.strength}` : "none",
    codec: compression ? `${compression.codec}, ${compression.feedback}` : "float32",
  };
}

/** Trains one case through the protocol and scores it. */
export async function robustRun(
  { config, task, owners, testStarts = 300 }: ProofOptions,
  given: RobustCase,
  hostile = 0.3,
): Promise<RobustRow> {
  const count = Math.round(hostile * owners.length);
  const [bad, honest] = [owners.slice(0, count), owners.slice(count)];
  const names = caseNames(given);
  const part = given.without ? honest : owners;
  const bads = bad.map(({ site }) => site);
  const spoilt = given.attack ? hostileTrainers(bads, given.attack) : bads;
  const { last, rounds } = await trainTogether(
    {
      task,
      owners: part,
      config: {
        ...config,
        // The share is rounded down to a number of sites: it must not fall short of those that attack
        aggregation: { rule: names.rule, hostile: names.rule === "mean" ? 0 : (count + 0.5) / owners.length },
        compression: given.compression ?? config.compression,
      },
    },
    { trainers: given.without ? undefined : [...spoilt, ...honest.map(({ site }) => site)] },
  );
  const sum = (f: (r: RoundRecord) => number) => rounds.reduce((s, r) => s + f(r), 0);
  return {
    ...names,
    sites: part.length,
    validation: await meanValidation(honest, last),
    skill: await meanSkill(honest, last, testStarts),
    bytes: sum((r) => r.bytes),
    fullBytes: sum((r) => r.fullBytes * r.sites.length),
  };
}

/** Mean skill of a model over owners' test parts. */
async function meanSkill(
  owners: readonly Owner[],
  params: Parameters<typeof meanValidation>[1],
  starts: number,
): Promise<number> {
  let total = 0;
  for (const { site } of owners)
    total += 1 - relativeError(await site.errors(params, "test", starts), site.baseline("damped", "test", starts));
  return total / owners.length;
}

/** Rows as a table; what is kept is measured by the plain mean's row without attack. */
export function robustMarkdown(rows: readonly RobustRow[]): string {
  const clean = rows.find(({ rule, attack, codec }) => rule === "mean" && attack === "none" && codec === "float32");
  const percent = (v: number): string => (Number.isFinite(v) && v > -10 ? `${(100 * v).toFixed(1)}` : "destroyed");
  const kept = (v: number, of: number | undefined): string =>
    of === undefined || !(v > 0) ? "-" : `${((100 * v) / of).toFixed(0)} %`;
  return [
    "| rule | attack | codec | skill, validation | kept | skill, test | kept | fewer bytes |",
    "|---|---|---|---|---|---|---|---|",
    ...rows.map((r) => {
      const cells = [
        r.rule,
        r.attack,
        r.codec,
        percent(1 - r.validation),
        kept(1 - r.validation, clean && 1 - clean.validation),
        percent(r.skill),
        kept(r.skill, clean?.skill),
        `${(r.fullBytes / r.bytes).toFixed(1)} x`,
      ];
      return `| ${cells.join(" | ")} |`;
    }),
    "",
  ].join("\n");
}
