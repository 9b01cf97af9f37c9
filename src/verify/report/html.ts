/**
 * The report: one page that needs no network, made to be printed. What was compared with what, what came out, and every number.
 *
 *     await writeFile("report.html", reportHtml(result));
 */
import type { ScoreRow } from "../rows.js";
import { SCORES } from "../scores/index.js";
import { channelName, digits } from "../table.js";
import type { Verification } from "../verify.js";
import {
  caseFigures,
  errorFigures,
  type Figure,
  structureFigures,
  metricTitle,
  scorecardFigures,
  scoreFigures,
  short,
} from "./figures.js";
import { headline } from "./headline.js";
import { STYLE } from "./style.js";
import { escape, prettyUnits } from "./svg.js";

export interface ReportOptions {
  /** The page's title. */
  readonly title?: string;
  /** Variables with maps; the others have curves and the table alone. */
  readonly mostMaps?: number;
}

export function reportHtml(
  result: Verification,
  { title = "Forecast verification", mostMaps = 4 }: ReportOptions = {},
): string {
  const { meta, rows } = result;
  const leads = [...new Set(result.maps.map((m) => m.lead))];
  const sections = meta.variables.map((variable, channel) => {
    const curves = scoreFigures(result, variable.name);
    const maps = channel < mostMaps ? leads.map((lead) => mapSection(result, channel, lead)) : [];
    return section(
      heading(variable),
      channel > 0 ? paragraph(headline(result, variable.name).evidence) : "", // the first one's stands at the top
      grid("charts", [...curves, ...structureFigures(result, channel)]),
      ...maps,
    );
  });
  const body = [
    header(title, result),
    rows.some((row) => row.metric === "rmse")
      ? section("At a glance", keyTable(result), grid("cards", scorecardFigures(result)))
      : "",
    ...sections,
    section("Every score", everyScore(result)),
    section("How to read this", readingNotes(result)),
  ];
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
${body.join("\n")}
</main>
</body>
</html>
`;
}

const heading = ({ name, label, units }: { name: string; label: string; units: string }): string =>
  `${label}${label === name ? "" : ` (${name})`}${units ? `, ${prettyUnits(units)}` : ""}`;

const section = (title: string, ...parts: readonly string[]): string =>
  `<section><h2>${escape(title)}</h2>\n${parts.join("\n")}</section>`;
const paragraph = (words: string): string => words && `<p class="evidence">${escape(words)}</p>`;
const grid = (kind: string, figures: readonly Figure[]): string =>
  `<div class="${kind}">${figures.map(({ name, svg }) => `<figure id="${name}">${svg}</figure>`).join("")}</div>`;

function header(title: string, result: Verification): string {
  const { meta } = result;
  const facts: [string, string][] = [
    ["Forecast", baseName(meta.forecast)],
    ["Truth", baseName(meta.truth)],
    ["Members", `${meta.members}`],
    ["Starts", `${meta.starts}, from ${short(meta.firstStart)} to ${short(meta.lastStart)}`],
    ["Leads", `${meta.leadHours[0]} to ${meta.leadHours[meta.leadHours.length - 1]} h (${meta.leadHours.length})`],
    ["Grid", `${meta.grid}; ${WEIGHT_WORDS[meta.weights]}`],
    ["Baselines fitted on", `${short(meta.training[0])} to ${short(meta.training[1])}`],
    ["Intervals", meta.intervals],
  ];
  if (meta.members === 1) facts.splice(2, 1);
  const claims = meta.variables.map(({ name }) => headline(result, name).claim);
  const lead = claims.length > 3 ? [summaryClaim(result)] : claims;
  return `<header>
<p class="kicker">${escape(title)}</p>
${lead.map((claim) => `<h1>${escape(claim)}</h1>`).join("\n")}
<p class="standfirst">${escape(headline(result, meta.variables[0].name).evidence)}</p>
<dl>${facts.map(([term, words]) => `<div><dt>${term}</dt><dd>${escape(words)}</dd></div>`).join("")}</dl>
${meta.notes.map((note) => `<p class="note">${escape(note)}</p>`).join("\n")}
</header>`;
}

/** Paths are long; the last part names the data. */
const baseName = (path: string): string => path.replace(/[\\/]+$/, "").replace(/^.*[\\/]/, "");

const WEIGHT_WORDS = {
  exact: "weighted by exact cell areas",
  wb2: "weighted as in WeatherBench 2",
  cos: "weighted by the cosine of latitude",
} as const;

/** For many variables: how often the forecast wins. */
function summaryClaim({ meta, comparisons }: Verification): string {
  const rmse = comparisons.filter((c) => c.metric === "rmse" && c.region === "all");
  const cells = new Map<string, boolean>();
  for (const c of rmse) {
    const key = `${channelName(c)}|${c.lead_hours}`;
    cells.set(key, (cells.get(key) ?? true) && c.high !== null && c.high < 0);
  }
  const won = [...cells.values()].filter(Boolean).length;
  return `The forecast beats every baseline in ${won} of ${cells.size} pairs of variable and lead (${meta.variables.length} variables).`;
}

/** A few leads, side by side: the forecast with its interval, the baselines, the gain over the best of them. */
function keyTable({ meta, rows, comparisons }: Verification): string {
  const wanted = [24, 48, 72, 120, 240];
  const leads = meta.leadHours.filter((l) => wanted.includes(l));
  const shown = leads.length ? leads : meta.leadHours.slice(0, 4);
  const names = meta.baselines.map((b) => b.name);
  const lines = meta.variables.flatMap(({ name, units }) =>
    shown.map((lead) => {
      const at = rows.filter(
        (r) => channelName(r) === name && r.lead_hours === lead && r.metric === "rmse" && r.region === "all",
      );
      const own = at.find((r) => r.baseline === null);
      if (!own) return "";
      const best = at.filter((r) => r.baseline !== null).reduce((a, b) => (b.value < a.value ? b : a));
      const gain = comparisons.find(
        (c) =>
          channelName(c) === name &&
          c.lead_hours === lead &&
          c.metric === "rmse" &&
          c.region === "all" &&
          c.baseline === best.baseline,
      )!;
      const cells = names.map((b) => {
        const row = at.find((r) => r.baseline === b);
        return `<td${row === best ? ' class="best"' : ""}>${row ? digits(row.value) : "–"}</td>`;
      });
      const sure = gain.low !== null && (gain.high! < 0 || gain.low > 0);
      return `<tr><th>${escape(name)}${units ? `, ${prettyUnits(units)}` : ""}</th><td>${lead} h</td><td class="own">${value(own)}</td>${cells.join("")}<td class="${sure ? (gain.value < 0 ? "won" : "lost") : ""}">${value(gain)}</td></tr>`;
    }),
  );
  if (lines.every((line) => line === "")) return ""; // RMSE was not asked for
  return `<div class="scroll"><table class="key"><thead><tr><th>RMSE</th><th>lead</th><th>forecast</th>${names.map((n) => `<th>${n}</th>`).join("")}<th>forecast minus best baseline</th></tr></thead><tbody>${lines.join("")}</tbody></table></div>`;
}

const value = (row: ScoreRow): string => {
  const sign = (x: number) => digits(x).replace("-", "−");
  const range = row.low === null ? "" : ` <small>[${sign(row.low)}, ${sign(row.high!)}]</small>`;
  return `${sign(row.value)}${range}`;
};

function mapSection(result: Verification, channel: number, lead: number): string {
  const { name } = result.meta.variables[channel];
  const title = `${name} at ${result.meta.leadHours[lead]} h: a middling start, and errors over all starts`;
  const maps = [
    grid("maps", caseFigures(result, channel, lead)),
    grid("maps four", errorFigures(result, channel, lead)),
  ];
  return `<h3>${escape(title)}</h3>${maps.join("")}`;
}

function everyScore({ meta, rows }: Verification): string {
  const names = [null, ...meta.baselines.map((b) => b.name)];
  const tables = meta.variables.map(({ name }) => {
    const own = rows.filter((r) => channelName(r) === name);
    const regions = [...new Set(own.map((r) => r.region))];
    const metrics = [...new Set(own.map((r) => r.metric))];
    const byKey = new Map(own.map((r) => [`${r.region}|${r.metric}|${r.lead_hours}|${r.baseline}`, r]));
    const lines = regions.flatMap((region) =>
      metrics.flatMap((metric) =>
        meta.leadHours.map((lead) => {
          const cells = names.map((b) => byKey.get(`${region}|${metric}|${lead}|${b}`));
          const n = cells.find(Boolean)?.n;
          return n === undefined
            ? ""
            : `<tr><td>${escape(metric)}</td><td>${region}</td><td>${lead} h</td>${cells.map((c) => `<td>${c ? value(c) : "–"}</td>`).join("")}<td>${n}</td></tr>`;
        }),
      ),
    );
    return `<details><summary>${escape(name)}: ${own.length} scores</summary><div class="scroll"><table><thead><tr><th>score</th><th>region</th><th>lead</th>${names.map((n) => `<th>${n ?? "forecast"}</th>`).join("")}<th>starts</th></tr></thead><tbody>${lines.join("")}</tbody></table></div></details>`;
  });
  return tables.join("\n");
}

function readingNotes({ meta, rows }: Verification): string {
  const metrics = [...new Set(rows.map((r) => r.metric))];
  const items = [
    ...meta.baselines.map((b) => `<li><b>${b.name}</b>: ${escape(b.description)}.</li>`),
    ...(rows.some((r) => r.baseline === "climatology-ensemble")
      ? ["<li><b>climatology-ensemble</b>: past states of the season as members, as many as the forecast has.</li>"]
      : []),
    ...metrics.map((m) => `<li><b>${escape(m)}</b>: ${escape(metricTitle(m))}. ${formulaOf(m)}</li>`),
  ];
  return `<ul>${items.join("")}</ul><p class="evidence">Intervals: ${escape(meta.intervals)}. Differences are taken over the same starts and the same resamples. Forecast: ${escape(meta.forecast)}. Truth: ${escape(meta.truth)}.</p>`;
}

function formulaOf(metric: string): string {
  const score = SCORES.find((s) => s.name === metric);
  return score ? `<code>${escape(score.formula)}</code> (${escape(score.source)})` : "";
}
