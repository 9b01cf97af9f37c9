/** What is left of a run's skill under hostile sites, other rules and compressed rounds: one case after the other, each from the same start. */
import type { RunConfigInput } from "../protocol/config.js";
import type { Parameters } from "../protocol/parameters.js";
import type { RoundRecord } from "../protocol/records.js";
import { type Attack, hostileTrainers } from "./hostile.js";
import { meanValidation, type ProofOptions, trainTogether } from "./proof.js";
import { personalise } from "./own.js";
import { type Errors, relativeError } from "./scores.js";

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
  /** Mean skill of the sites' own models, which take as much of the shared one as their validation parts bear. */
  readonly personal: number;
  /** Mean skill of ridge regression alone. */
  readonly ridge: number;
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
    ...(await meanSkills({ config, task, owners: honest, testStarts }, last)),
    bytes: sum((r) => r.bytes),
    fullBytes: sum((r) => r.fullBytes * r.sites.length),
  };
}

/** Mean skills over the owners' test parts: of a shared model, of what each makes of it, of ridge regression. */
async function meanSkills(
  { config, task, owners, testStarts }: Pick<ProofOptions, "config" | "task" | "owners"> & { testStarts: number },
  shared: Parameters,
): Promise<Pick<RobustRow, "skill" | "personal" | "ridge">> {
  const sums = { skill: 0, personal: 0, ridge: 0 };
  for (const { site } of owners) {
    const damped = site.baseline("damped", "test", testStarts);
    const skill = (errors: Errors): number => (1 - relativeError(errors, damped)) / owners.length;
    const own = await personalise(site, task, shared, { seed: config.seed ?? 0 });
    sums.skill += skill(await site.errors(shared, "test", testStarts));
    sums.personal += skill(await site.errors(own.params, "test", testStarts));
    sums.ridge += skill(site.baseline("ridge", "test", testStarts));
  }
  return sums;
}

/** Rows as a table; what is kept is measured by the plain mean's row without attack. */
export function robustMarkdown(rows: readonly RobustRow[]): string {
  const clean = rows.find(({ rule, attack, codec }) => rule === "mean" && attack === "none" && codec === "float32");
  const percent = (v: number): string => (Number.isFinite(v) && v > -10 ? `${(100 * v).toFixed(1)}` : "destroyed");
  const kept = (v: number, of: number | undefined): string =>
    of === undefined || !(v > 0) ? "-" : `${((100 * v) / of).toFixed(0)} %`;
  return [
    "| rule | attack | codec | skill, validation | kept | skill, test | kept | personal | kept | fewer bytes |",
    "|---|---|---|---|---|---|---|---|---|---|",
    ...rows.map((r) => {
      const cells = [
        r.rule,
        r.attack,
        r.codec,
        percent(1 - r.validation),
        kept(1 - r.validation, clean && 1 - clean.validation),
        percent(r.skill),
        kept(r.skill, clean?.skill),
        percent(r.personal),
        kept(r.personal, clean?.personal),
        `${(r.fullBytes / r.bytes).toFixed(1)} x`,
      ];
      return `| ${cells.join(" | ")} |`;
    }),
    "",
    `Ridge regression alone: ${percent(rows[0]?.ridge ?? NaN)} %.`,
    "",
  ].join("\n");
}
