/** Scores as text: a table a terminal shows. */
import type { ScoreRow } from "./rows.js";

/** One table a variable, region and metric: leads down, the forecast and its baselines across; `*` marks the best, and (n) a rival with other starts. */
export function formatScores(rows: readonly ScoreRow[], options: { metrics?: readonly string[] } = {}): string {
  const { metrics = ["rmse", "bias", "acc:wb2"] } = options;
  const groups = new Map<string, ScoreRow[]>();
  for (const row of rows) {
    const key = `${channelName(row)}|${row.region}|${row.metric}`;
    groups.set(key, [...(groups.get(key) ?? []), row]);
  }
  return [...groups.values()]
    .filter(([first]) => metrics.includes(first.metric))
    .map(formatGroup)
    .join("\n\n");
}
/** `air`, or `z@500`. */
export const channelName = ({ variable, level }: Pick<ScoreRow, "variable" | "level">): string =>
  level === null ? variable : `${variable}@${level}`;

function formatGroup(rows: readonly ScoreRow[]): string {
  const [first] = rows;
  const forecasters = [...new Set(rows.map((row) => row.baseline))];
  const leads = [...new Set(rows.map((row) => row.lead_hours))];
  const better = betterOf(first.metric);
  const body = leads.map((lead) => {
    const at = rows.filter((row) => row.lead_hours === lead);
    const own = at.find((row) => row.baseline === null) ?? at[0];
    // A rival that has other starts is not compared by its number alone.
    const alike = at.filter((row) => row.n === own.n);
    const best = better && alike.reduce((a, b) => (better(b.value, a.value) ? b : a));
    const cells = forecasters.map((name) => {
      const row = at.find((r) => r.baseline === name);
      if (!row) return "-";
      const range = row.baseline === null && row.low !== null ? ` [${digits(row.low)}, ${digits(row.high!)}]` : "";
      const starts = row.n === own.n ? "" : ` (${row.n})`;
      return `${digits(row.value)}${row === best ? "*" : ""}${range}${starts}`;
    });
    return [`${lead} h`, ...cells];
  });
  const head = [first.metric, ...forecasters.map((name) => name ?? "forecast")];
  const widths = head.map((_, k) => Math.max(...[head, ...body].map((cells) => cells[k].length)));
  const line = (cells: readonly string[]) =>
    cells.map((cell, k) => (k === 0 ? cell.padEnd(widths[k]) : cell.padStart(widths[k]))).join("  ");
  const title = `${channelName(first)}, ${first.region === "all" ? "whole grid" : first.region}, ${first.n} ${first.n === 1 ? "start" : "starts"}`;
  return [title, line(head), ...body.map(line)].join("\n");
}

const betterOf = (metric: string): ((a: number, b: number) => boolean) | undefined => {
  if (/^(rmse|mae|mse|crps)/.test(metric)) return (a, b) => a < b;
  if (/^(acc|r2|pearson)/.test(metric)) return (a, b) => a > b;
  if (metric === "bias") return (a, b) => Math.abs(a) < Math.abs(b);
  return undefined;
};

/** Three to four significant digits, never in exponents for everyday sizes. */
export function digits(value: number): string {
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e6)) return value.toExponential(2);
  if (size !== 0 && size < 0.1) return value.toPrecision(size < 0.01 ? 3 : 2);
  return value.toFixed(size >= 1000 ? 0 : size >= 100 ? 1 : size >= 10 ? 2 : 3);
}
