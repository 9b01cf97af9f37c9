/**
 * A scorecard: how much of a baseline's error the forecast removes, a row a variable and a column a lead. Blue is better than the
 * baseline, red worse; a filled mark says that chance is no likely reason.
 */
import { interpolateRdBu } from "d3-scale-chromatic";
import { el, figure, INK, label, MUTED, PAPER } from "./svg.js";

export interface ScorecardCell {
  readonly row: string;
  readonly lead: number;
  /** Share of the baseline's error that is gone; below 0 the forecast is worse. */
  readonly skill: number;
  readonly significant: boolean;
}

/** The skill of the deepest colours, at most. */
const MOST_REACH = 0.8;

export function scorecard(options: {
  readonly title: string;
  readonly subtitle: string;
  readonly cells: readonly ScorecardCell[];
}): string {
  const { title, subtitle, cells } = options;
  const rows = [...new Set(cells.map((c) => c.row))];
  const leads = [...new Set(cells.map((c) => c.lead))].sort((a, b) => a - b);
  const left = 24 + 7.2 * Math.max(...rows.map((r) => r.length));
  const cellWidth = Math.max(24, Math.min(64, 640 / leads.length));
  const cellHeight = 30;
  const top = 46;
  const width = Math.max(420, left + cellWidth * leads.length + 12);
  const bottom = top + cellHeight * rows.length;
  // One very bad cell must not pale all others.
  const reach = Math.min(MOST_REACH, Math.max(0.05, ...cells.map((c) => Math.abs(c.skill))));
  const every = Math.ceil(30 / cellWidth);
  const boxes = cells.map(({ row, lead, skill, significant }) => {
    const x = left + leads.indexOf(lead) * cellWidth;
    const y = top + rows.indexOf(row) * cellHeight;
    const share = Math.max(-1, Math.min(1, skill / reach));
    const fill = interpolateRdBu(0.5 + 0.46 * share);
    const dark = Math.abs(share) > 0.62;
    return [
      el("rect", { x, y, width: cellWidth - 1.5, height: cellHeight - 1.5, rx: 2, fill }),
      label(
        x + cellWidth / 2 - 0.75,
        y + cellHeight / 2 + 3,
        `${skill > 0 ? "+" : skill < 0 ? "−" : ""}${Math.abs(100 * skill).toFixed(0)}`,
        {
          "text-anchor": "middle",
          "font-size": cellWidth < 30 ? 9.5 : 11.5,
          "font-weight": significant ? 700 : 400,
          fill: dark ? PAPER : INK,
        },
      ),
      significant ? el("circle", { cx: x + cellWidth - 6, cy: y + 5, r: 2, fill: dark ? PAPER : INK }) : "",
    ].join("");
  });
  return figure(
    width,
    bottom + 26,
    title,
    el("rect", { width, height: bottom + 26, fill: PAPER }),
    label(0, 15, title, { "font-size": 14, "font-weight": 600 }),
    label(0, 32, subtitle, { fill: MUTED, "font-size": 11.5 }),
    ...rows.map((row, i) => label(0, top + i * cellHeight + cellHeight / 2 + 3, row, { "font-size": 12 })),
    ...boxes,
    ...leads.map((lead, i) =>
      i % every === 0
        ? label(left + (i + 0.5) * cellWidth, bottom + 15, `${lead} h`, {
            "text-anchor": "middle",
            "font-size": 11,
            fill: MUTED,
          })
        : "",
    ),
  );
}
