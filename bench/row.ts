/** One measured figure beside its yardstick, as `npm run bench -- --json` gives it. */
export interface BenchRow {
  name: string;
  ours: number;
  /** null where the yardstick is not installed. */
  yardstick: number | null;
  /** How many times better than the yardstick; above 1 is better. */
  ratio: number | null;
  unit: string;
  /** What the ratio is to reach; null where the row is there to be known. */
  goal: number | null;
  met: boolean | null;
}

/** A row whose ratio is `yardstick / ours` where less is better (seconds), or `ours / yardstick` where more is. */
export function row(
  name: string,
  unit: string,
  better: "less" | "more",
  ours: number,
  yardstick: number | null,
  goal: number | null,
): BenchRow {
  const ratio = yardstick === null ? null : better === "less" ? yardstick / ours : ours / yardstick;
  return { name, ours, yardstick, ratio, unit, goal, met: ratio === null || goal === null ? null : ratio >= goal };
}

export function formatRows(rows: readonly BenchRow[]): string {
  const figure = (v: number | null) => (v === null ? "-" : v >= 100 ? v.toFixed(0) : v.toPrecision(3));
  const lines = rows.map((r) => [
    r.name,
    figure(r.ours),
    figure(r.yardstick),
    r.unit,
    r.ratio === null ? "-" : `${figure(r.ratio)}x`,
    figure(r.goal),
    r.goal === null ? "" : r.met === null ? "not measured" : r.met ? "met" : "NOT met",
  ]);
  const table = [["", "ours", "yardstick", "unit", "ratio", "goal", ""], ...lines];
  const widths = table[0].map((_, c) => Math.max(...table.map((l) => l[c].length)));
  return table
    .map((l) =>
      l
        .map((cell, c) => (c === 0 ? cell.padEnd(widths[c]) : cell.padStart(widths[c])))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}
