/**
 * The report of a downscaling run on its test period: scores beside every baseline, maps of a good, a middling and a bad time,
 * tails and calibration. One page that needs no network.
 *
 *     await writeFile("report.html", downscaleReportHtml(result, facts));
 */
import { cost, type DownscaleVerification } from "../downscale-run.js";
import type { DownscaleView } from "../downscale-views.js";
import type { ScoreRow } from "../rows.js";
import { digits } from "../table.js";
import { pickFigures, shapeFigures } from "./downscale-figures.js";
import { factList, grid, pageHtml, paragraph, section } from "./page.js";
import { escape, prettyUnits } from "./svg.js";
import { value } from "./tables.js";

/** `facts`: what was compared with what, as terms and words. */
export function downscaleReportHtml(
  result: DownscaleVerification,
  facts: readonly (readonly [string, string])[],
): string {
  const title = "Downscaling, verified";
  return pageHtml(title, [
    `<header>
<p class="kicker">${title}</p>
${result.views.map((view) => `<h1>${escape(claim(result, view))}</h1>`).join("\n")}
${factList(facts)}
</header>`,
    ...result.views.map((view) => viewSection(result, view)),
    section("How to read this", readingNotes(result)),
  ]);
}

function viewSection(result: DownscaleVerification, view: DownscaleView): string {
  return section(
    `${nameOf(view)}${view.units ? `, ${prettyUnits(view.units)}` : ""}`,
    scoreTable(result, view),
    ...view.picks.flatMap((pick) => {
      const { fields, errors } = pickFigures(view, pick);
      return [`<h3>${escape(pick.label)}</h3>`, grid("maps four", [...fields, ...errors])];
    }),
    `<h3>All values, and how far the distribution can be trusted</h3>`,
    grid("charts", shapeFigures(view)),
  );
}

const nameOf = ({ variable, region }: Pick<DownscaleView, "variable" | "region">): string =>
  region === "all" ? variable : `${variable} from means of ${region.replace("x", " x ")} cells`;

const isOf =
  ({ variable, region }: DownscaleView) =>
  (row: ScoreRow): boolean =>
    row.variable === variable && row.region === region;

/** In which scores the model is better than every baseline, clear of chance, and in which a baseline is. */
function claim({ comparisons }: DownscaleVerification, view: DownscaleView): string {
  const rows = comparisons.filter(isOf(view));
  const metrics = [...new Set(rows.map((r) => r.metric))].filter((metric) => !/bias$/.test(metric));
  const gain = (r: ScoreRow): "better" | "worse" | "unsure" => {
    if (r.low === null || r.high === null || (r.low <= 0 && r.high >= 0)) return "unsure";
    return cost(r.metric, r.value) < 0 ? "better" : "worse";
  };
  const where = (test: (gains: string[]) => boolean) =>
    metrics
      .filter((metric) => test(rows.filter((r) => r.metric === metric).map(gain)))
      .map((metric) => titleOf(metric).replace(/ above \S+ in (.*) cells/, " ($1)"));
  const [won, lost] = [where((g) => g.every((x) => x === "better")), where((g) => g.includes("worse"))];
  const parts = [
    ...(won.length > 0 ? [`better than every baseline in ${listed(won)}`] : []),
    ...(lost.length > 0 ? [`behind one of them in ${listed(lost)}`] : []),
    ...(won.length + lost.length < metrics.length ? ["elsewhere not to be told from the best"] : []),
  ];
  return `${nameOf(view)}: ${parts.join("; ")}.`;
}

const listed = (words: readonly string[]): string =>
  words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words[words.length - 1]}`;

/** `fss>10.1:3` as people say it. */
function titleOf(metric: string): string {
  const fss = /^fss>(.*):(\d+)$/.exec(metric);
  if (fss) return `FSS above ${fss[1]} in ${fss[2]} x ${fss[2]} cells`;
  const names: Readonly<Record<string, string>> = {
    rmse: "RMSE",
    crps: "CRPS",
    seeps: "SEEPS",
    bias: "bias",
    "p95:bias": "bias of the 95th percentile",
    "p95:abs": "error of the 95th percentile",
  };
  return names[metric] ?? metric;
}

/** Scores down, model and baselines across. Green: the model is better than this one, red: worse, each clear of chance. */
function scoreTable({ scores, comparisons }: DownscaleVerification, view: DownscaleView): string {
  const own = scores.filter(isOf(view));
  const differences = comparisons.filter(isOf(view));
  const names = [...new Set(own.map((r) => r.baseline))].filter((name) => name !== null);
  const lines = [...new Set(own.map((r) => r.metric))].map((metric) => {
    const at = own.filter((r) => r.metric === metric);
    const least = (rows: readonly ScoreRow[]) =>
      rows.reduce((a, b) => (cost(metric, b.value) < cost(metric, a.value) ? b : a));
    const best = least(at);
    const rival = least(at.filter((r) => r.baseline !== null));
    const difference = (name: string | null) => differences.find((c) => c.metric === metric && c.baseline === name)!;
    const cells = names.map((name) => {
      const row = at.find((r) => r.baseline === name)!;
      return `<td class="${verdict(metric, difference(name), at[0], row)}${row === best ? " best" : ""}">${digits(row.value).replace("-", "−")}${row === best ? " ★" : ""}</td>`;
    });
    const gain = difference(rival.baseline);
    return `<tr><th>${escape(titleOf(metric))}</th><td class="own">${value(at[0])}${at[0] === best ? " ★" : ""}</td>${cells.join("")}<td class="${verdict(metric, gain, at[0], rival)}">${value(gain)}</td></tr>`;
  });
  return `<div class="scroll"><table class="key"><thead><tr><th>${own[0].n} times</th><th>model</th>${names.map((n) => `<th>${escape(n)}</th>`).join("")}<th>model less best baseline</th></tr></thead><tbody>${lines.join("")}</tbody></table></div>
${paragraph("★ the best; green: the model is better than this baseline, red: it is worse, each with a 95 % interval of the difference clear of 0; black: it may be chance.")}`;
}

function verdict(metric: string, { low, high }: ScoreRow, own: ScoreRow, other: ScoreRow): "won" | "lost" | "" {
  if (low === null || high === null || (low <= 0 && high >= 0)) return "";
  return cost(metric, own.value) < cost(metric, other.value) ? "won" : "lost";
}

function readingNotes({ baselines }: DownscaleVerification): string {
  const items = [
    ["RMSE, bias", "of the mean, weighted by the cells' areas."],
    ["CRPS", "of all quantiles (Gneiting and Raftery 2007); the absolute error of a single guess."],
    ["SEEPS", "rain in categories of each cell's climate (Rodwell et al. 2010); 0 is perfect."],
    [
      "FSS",
      "fractions skill score (Roberts and Lean 2008) of the chance of more than what 5 % of training values exceed; 1 is perfect.",
    ],
    [
      "95th percentile",
      "over the period, of all values at a cell, less the truth's: its area mean (bias), and the area mean of its size (error).",
    ],
    ...baselines.map(({ name, description }) => [name, `${description}.`]),
    [
      "Rare values",
      "the model's line holds all its quantiles, each counted alike; the line of its mean is flatter, as a mean must be.",
    ],
    [
      "Where the truth falls",
      "even bars: the distribution is as wide as it should be; high ends: too narrow; a high middle: too wide.",
    ],
  ];
  return `<ul>${items.map(([term, words]) => `<li><b>${escape(term)}</b>: ${escape(words)}</li>`).join("")}</ul>${paragraph("Intervals: moving-block bootstrap over times, paired between forecasters. Baselines are fitted to the training period, what they have to choose is chosen on the validation period; nothing was fitted to or chosen on the test period.")}`;
}
