/**
 * The report: one page that needs no network, made to be printed. What was compared with what, what came out, and every number.
 *
 *     await writeFile("report.html", reportHtml(result));
 */
import { metricTitle } from "../metrics.js";
import { SCORES } from "../scores/index.js";
import type { Score } from "../scores/sums.js";
import { channelName } from "../table.js";
import type { Verification } from "../verify.js";
import { firstRegion, scorecardFigures, scoreFigures, short } from "./figures.js";
import { headline } from "./headline.js";
import { caseFigures, errorFigures, rivalFigures } from "./map-figures.js";
import { baseName, factList, grid, pageHtml, paragraph, section } from "./page.js";
import { structureFigures } from "./structure-figures.js";
import { escape, prettyUnits } from "./svg.js";
import { breakdownTables, everyScore, keyTable, regionTable, stationTable } from "./tables.js";

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
  const { meta, rows, drawnLeads, rival } = result;
  const sections = meta.variables.map((variable, channel) => {
    const curves = scoreFigures(result, variable.name);
    const maps = channel < mostMaps ? drawnLeads.map((lead) => mapSection(result, channel, lead)) : [];
    return section(
      heading(variable),
      channel > 0 ? paragraph(headline(result, variable.name).evidence) : "", // the first one's stands at the top
      grid("charts", [...curves, ...structureFigures(result, channel)]),
      ...maps,
    );
  });
  const changes = rival
    ? meta.variables.flatMap((_, channel) => {
        const all = drawnLeads.map((lead) => rivalFigures(result, channel, lead));
        return [0, 1].flatMap((kind) => all.flatMap((of) => of.slice(kind, kind + 1)));
      })
    : [];
  const groups = meta.groups.map((group) => {
    const charts = scoreFigures(result, group.name);
    return charts.length ? `<h3>${escape(group.label)}</h3>${grid("charts", charts)}` : "";
  });
  const [breakdown, regions] = [breakdownTables(result), regionTable(result)];
  const others = result.regions.filter((region) => region !== firstRegion(result));
  // Of many variables the scorecards say it at a glance, of few the numbers.
  const glance = [keyTable(result), grid("cards", scorecardFigures(result))];
  if (meta.variables.length > 4) glance.reverse();
  const body = [
    header(title, result),
    rows.some((row) => row.metric === "rmse") ? section("At a glance", ...glance) : "",
    changes.length
      ? section(
          `Where it changed beside ${rival!.name}`,
          paragraph(
            `Each cell's RMSE minus that of ${rival!.name} (${rival!.forecast}); red is worse. A better mean may hide places that lost.`,
          ),
          grid("maps", changes),
        )
      : "",
    ...sections,
    groups.some(Boolean) ? section("Wind, balances and budgets", ...groups) : "",
    regions
      ? section(
          "By region",
          regions,
          grid(
            "cards",
            others.flatMap((region) => scorecardFigures(result, region)),
          ),
        )
      : "",
    breakdown ? section("By season and hour of the valid time", breakdown) : "",
    result.stations
      ? section(
          "Every station",
          ...meta.variables.flatMap((_, channel) => drawnLeads.map((lead) => stationTable(result, channel, lead))),
        )
      : "",
    section("Every score", everyScore(result)),
    section("How to read this", readingNotes(result)),
  ];
  return pageHtml(title, body);
}

const heading = ({ name, label, units }: { name: string; label: string; units: string }): string =>
  `${label}${label === name ? "" : ` (${name})`}${units ? `, ${prettyUnits(units)}` : ""}`;

function header(title: string, result: Verification): string {
  const { meta } = result;
  const facts: [string, string][] = [
    ["Forecast", baseName(meta.forecast)],
    ["Truth", baseName(meta.truth)],
    ["Members", `${meta.members}`],
    ["Starts", `${meta.starts}, from ${short(meta.firstStart)} to ${short(meta.lastStart)}`],
    ["Leads", `${meta.leadHours[0]} to ${meta.leadHours[meta.leadHours.length - 1]} h (${meta.leadHours.length})`],
    [
      result.stations ? "Places" : "Grid",
      `${meta.grid}; ${result.stations ? "every report counts once" : WEIGHT_WORDS[meta.weights]}`,
    ],
    ["Baselines fitted on", `${short(meta.training[0])} to ${short(meta.training[1])}`],
    ["Intervals", meta.intervals],
  ];
  if (meta.members === 1) facts.splice(2, 1);
  if (meta.reference) facts.push(["Counted from", meta.reference]);
  const { title: named, model, source, institution, version, software } = meta.provenance;
  const versions = [...new Set([named, model, source, institution, version, software])].filter(Boolean).join("; ");
  if (versions) facts.push(["The forecast says of itself", versions]);
  const claims = meta.variables.map(({ name }) => headline(result, name).claim);
  const lead = claims.length > 3 ? [summaryClaim(result)] : claims;
  return `<header>
<p class="kicker">${escape(title)}</p>
${lead.map((claim) => `<h1>${escape(claim)}</h1>`).join("\n")}
<p class="standfirst">${escape(headline(result, meta.variables[0].name).evidence)}</p>
${factList(facts)}
${meta.notes.map((note) => `<p class="note">${escape(note)}</p>`).join("\n")}
</header>`;
}

const WEIGHT_WORDS = {
  exact: "weighted by exact cell areas",
  wb2: "weighted as in WeatherBench 2",
  cos: "weighted by the cosine of latitude",
} as const;

/** For many variables: how often the forecast wins. */
function summaryClaim(result: Verification): string {
  const { meta, comparisons } = result;
  const rmse = comparisons.filter((c) => c.metric === "rmse" && c.region === firstRegion(result));
  const cells = new Map<string, boolean>();
  for (const c of rmse) {
    const key = `${channelName(c)}|${c.lead_hours}`;
    cells.set(key, (cells.get(key) ?? true) && c.high !== null && c.high < 0);
  }
  const won = [...cells.values()].filter(Boolean).length;
  return `The forecast beats every baseline in ${won} of ${cells.size} pairs of variable and lead (${meta.variables.length} variables).`;
}

function mapSection(result: Verification, channel: number, lead: number): string {
  if (!result.cells.keeps(lead) && result.cases.length === 0) return "";
  const { name } = result.meta.variables[channel];
  const title = `${name} at ${result.meta.leadHours[lead]} h: a middling start, and errors over all starts`;
  const maps = [
    grid("maps", caseFigures(result, channel, lead)),
    grid("maps four", errorFigures(result, channel, lead)),
  ];
  return `<h3>${escape(title)}</h3>${maps.join("")}`;
}

function readingNotes({ meta, rows, plans }: Verification): string {
  const metrics = [...new Set(rows.map((r) => r.metric))];
  const scores = new Map<string, Score>();
  for (const score of [...SCORES, ...plans.flatMap((plan) => plan.scores)]) scores.set(score.name, score);
  const items = [
    ...meta.baselines.map((b) => `<li><b>${escape(b.name)}</b>: ${escape(b.description)}.</li>`),
    ...(rows.some((r) => r.baseline === "climatology-ensemble")
      ? ["<li><b>climatology-ensemble</b>: past states of the season as members, as many as the forecast has.</li>"]
      : []),
    ...metrics.map((m) => {
      const score = scores.get(m);
      const formula = score ? ` <code>${escape(score.formula)}</code> (${escape(score.source)})` : "";
      return `<li><b>${escape(m)}</b>: ${escape(metricTitle(m))}.${formula}</li>`;
    }),
  ];
  const tests =
    "Marks on scorecards hold at a false-discovery rate of 5 % over the whole card (Benjamini and Hochberg 1995); scores.json gives Diebold and Mariano's and Wilcoxon's tests beside the bootstrap.";
  return `<ul>${items.join("")}</ul><p class="evidence">Intervals: ${escape(meta.intervals)}. Differences are taken over the same starts, cells and resamples. ${tests} Forecast: ${escape(meta.forecast)}. Truth: ${escape(meta.truth)}.</p>`;
}
