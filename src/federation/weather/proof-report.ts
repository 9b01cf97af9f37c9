/** A proof as tables and as a picture. */
import { type Proof, type Scored, type SiteResult, WAYS, type Way } from "./proof.js";

const percent = (v: number): string => (100 * v).toFixed(1);
const scored = ({ skill, low, high }: Scored): string => `${percent(skill)} [${percent(low)}, ${percent(high)}]`;

/** Means, what follows from them, and a row a site; skill in percent of damped persistence's squared error. */
export function proofMarkdown({ sites, mean, worse, share }: Proof): string {
  const row = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  const better = sites.filter(({ gain }) => gain.low > 0).length;
  const straight = sites.filter(({ ways, baselines }) => ways.together.skill > baselines.ridge).length;
  const lines = [
    row(["site", "samples", ...WAYS, "together - alone", "persistence", "climatology", "ridge"]),
    row(Array.from({ length: WAYS.length + 6 }, () => "---")),
    ...sites.map((s) =>
      row([
        s.site,
        `${s.samples}`,
        ...WAYS.map((way) => scored(s.ways[way])),
        scored(s.gain),
        percent(s.baselines.persistence),
        percent(s.baselines.climatology),
        percent(s.baselines.ridge),
      ]),
    ),
    row([
      "**mean**",
      "",
      ...WAYS.map((way) => `**${percent(mean[way])}**`),
      `**${percent(mean.together - mean.alone)}**`,
      ...(["persistence", "climatology", "ridge"] as const).map((name) =>
        percent(sites.reduce((sum, s) => sum + s.baselines[name], 0) / sites.length),
      ),
    ]),
  ];
  return [
    `Together beats alone at ${sites.length - worse.length} of ${sites.length} sites${worse.length > 0 ? ` (not at ${worse.join(", ")})` : ""}; at ${better} the 95 % interval of the difference lies above zero. Together reaches ${percent(share)} % of the pooled model's improvement over alone. It beats the site's own ridge regression at ${straight} sites.`,
    "",
    ...lines,
    "",
  ].join("\n");
}

const COLOURS: Readonly<Record<Way, string>> = {
  alone: "#b8bec6",
  together: "#2b6cb0",
  personal: "#dd6b20",
  pooled: "#1a202c",
};

const RIDGE = "#2f855a";

/**
 * Skill of each site alone and together as bars, personal as a dot, pooled as a line and the site's own ridge regression as a
 * dashed one, in the order of what alone reaches.
 */
export function proofSvg({ sites }: Proof, title: string): string {
  const ordered = [...sites].sort((a, b) => a.ways.alone.skill - b.ways.alone.skill);
  const values = ordered.flatMap(({ ways, baselines }) => [
    100 * baselines.ridge,
    ...WAYS.map((way) => 100 * ways[way].skill),
  ]);
  const [least, most] = [Math.min(0, ...values), Math.max(...values)];
  const [left, top, height, step] = [56, 44, 260, Math.max(14, Math.min(60, 900 / ordered.length))];
  const width = left + step * ordered.length + 24;
  const y = (v: number): number => top + (height * (most - v)) / (most - least);
  const tick = [1, 2, 5, 10, 20, 50].find((t) => (most - least) / t <= 7) ?? 100;
  const ticks = Array.from({ length: 60 }, (_, i) => (i - 30) * tick).filter((v) => v >= least && v <= most);
  const text = (x: number, at: number, what: string, extra = ""): string =>
    `<text x="${x.toFixed(1)}" y="${at.toFixed(1)}" ${extra}>${what}</text>`;
  const bar = (site: SiteResult, way: Way, x: number): string => {
    const v = 100 * site.ways[way].skill;
    const [a, b] = [y(Math.max(v, 0)), y(Math.min(v, 0))];
    return `<rect x="${x.toFixed(1)}" y="${a.toFixed(1)}" width="${(0.36 * step).toFixed(1)}" height="${(b - a).toFixed(1)}" fill="${COLOURS[way]}"/>`;
  };
  const parts = ordered.map((site, i) => {
    const x = left + i * step;
    const middle = x + 0.5 * step;
    const at = (way: Way): string => y(100 * site.ways[way].skill).toFixed(1);
    const across = (at: string, style: string): string =>
      `<line x1="${(x + 0.08 * step).toFixed(1)}" x2="${(x + 0.92 * step).toFixed(1)}" y1="${at}" y2="${at}" stroke-width="1.5" ${style}/>`;
    return [
      bar(site, "alone", x + 0.12 * step),
      bar(site, "together", x + 0.5 * step),
      across(at("pooled"), `stroke="${COLOURS.pooled}"`),
      across(y(100 * site.baselines.ridge).toFixed(1), `stroke="${RIDGE}" stroke-dasharray="3 2"`),
      `<circle cx="${(x + 0.68 * step).toFixed(1)}" cy="${at("personal")}" r="${Math.min(3.5, 0.15 * step).toFixed(1)}" fill="${COLOURS.personal}"/>`,
      text(
        middle,
        top + height + 10,
        site.site,
        `text-anchor="end" transform="rotate(-55 ${middle.toFixed(1)} ${top + height + 10})"`,
      ),
    ].join("");
  });
  const legend = [...Object.entries(COLOURS), ["ridge", RIDGE]].map(([name, colour], i) => {
    const x = left + 90 * i;
    return `<rect x="${x}" y="26" width="10" height="10" fill="${colour}"/>${text(x + 14, 35, name)}`;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width.toFixed(0)}" height="${top + height + 90}" font-family="sans-serif" font-size="11">`,
    `<rect width="100%" height="100%" fill="#ffffff"/>`,
    text(left, 16, title, 'font-size="13" font-weight="bold"'),
    ...legend,
    ...ticks.map(
      (v) =>
        `<line x1="${left}" x2="${(width - 12).toFixed(0)}" y1="${y(v).toFixed(1)}" y2="${y(v).toFixed(1)}" stroke="${v === 0 ? "#4a5568" : "#e2e8f0"}"/>${text(left - 6, y(v) + 4, `${v} %`, 'text-anchor="end"')}`,
    ),
    ...parts,
    "</svg>",
    "",
  ].join("\n");
}
