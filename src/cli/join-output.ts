/** What a site's person sees: its own skill alone, together and personal, on its own held-back data. */
import type { SiteReport, SiteRound, SiteSkill } from "../federation/protocol/site.js";
import type { SkillRow } from "../federation/protocol/trainer.js";

const text = (row: SkillRow | undefined): string => {
  if (!row) return "-";
  const interval =
    row.low === undefined || row.high === undefined ? "" : ` [${row.low.toPrecision(3)}, ${row.high.toPrecision(3)}]`;
  return `${row.value.toPrecision(4)}${interval}`;
};

const titleOf = ({ metric, variable }: SkillRow): string => (variable === undefined ? metric : `${metric} ${variable}`);

/** A line for each metric; scores of baselines (`... of persistence`) are the same for every model and have one column. */
function rowsOf({ alone, together, personal }: SiteSkill): string[][] {
  const same = (list: readonly SkillRow[] | undefined, row: SkillRow): SkillRow | undefined =>
    list?.find((r) => titleOf(r) === titleOf(row));
  return together.map((row) =>
    row.metric.includes(" of ")
      ? [titleOf(row), text(row)]
      : [titleOf(row), text(same(alone, row)), text(row), text(same(personal, row))],
  );
}

/** The site's skill as a table: lower is better. */
export function skillTable({ site, skill, rounds }: Pick<SiteReport, "site" | "skill" | "rounds">): string {
  const lines = [["", "alone", "together", "personal"], ...rowsOf(skill)];
  const widths = [0, 1, 2, 3].map((c) =>
    Math.max(
      ...lines.filter((l) => l.length > 2).map((l) => l[c].length),
      ...(c === 0 ? lines.map((l) => l[0].length) : []),
    ),
  );
  const table = lines.map((line) =>
    line
      .map((cell, c) => cell.padEnd(widths[c]))
      .join("  ")
      .trimEnd(),
  );
  return [`${site} after ${rounds} rounds (on its own held-back data; lower is better):`, ...table].join("\n");
}

/** One line of a round. */
export function roundLine({ round, skill, bytes, seconds }: SiteRound): string {
  const first = (list: readonly SkillRow[] | undefined): string => text(list?.[0]);
  const metric = skill.together[0] ? `${titleOf(skill.together[0])} ` : "";
  const alone = skill.alone ? `alone ${first(skill.alone)}, ` : "";
  return `round ${round}: trained ${seconds.toFixed(1)} s, sent ${bytes} bytes; ${metric}${alone}together ${first(skill.together)}, personal ${first(skill.personal)}`;
}
