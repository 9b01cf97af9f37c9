/** Every figure of a report as standalone SVG, by file name: what the page shows and `foehn verify` writes beside it. */
import type { ScoreRow } from "../rows.js";
import { SCORES } from "../scores/index.js";
import { channelName } from "../table.js";
import type { Verification } from "../verify.js";
import { metricTitle } from "../metrics.js";
import { type ChartLine, lineChart } from "./line-chart.js";
import { caseFigures, errorFigures, rivalFigures } from "./map-figures.js";
import { scorecard, type ScorecardCell } from "./scorecard.js";
import { structureFigures } from "./structure-figures.js";
import { prettyUnits } from "./svg.js";

export { metricTitle } from "../metrics.js";

export interface Figure {
  /** Without the ending. */
  readonly name: string;
  readonly svg: string;
}

/** Charts of every score by lead, for one variable and region. */
export function scoreFigures(result: Verification, channel: string, region = firstRegion(result)): Figure[] {
  const { meta, rows } = result;
  const variable = [...meta.variables, ...meta.groups].find((v) => v.name === channel)!;
  // Drift is one number, and fractions skill has charts over scales.
  const here = rows.filter(
    (r) => channelName(r) === channel && r.region === region && r.metric !== "drift" && !/^fss>.*@/.test(r.metric),
  );
  const metrics = [...new Set(here.map((r) => r.metric))];
  return metrics.map((metric) => {
    const of = here.filter((r) => r.metric === metric);
    const names = [...new Set(of.map((r) => r.baseline))];
    const lines = names.map((name): ChartLine => ({ name, points: pointsOf(of.filter((r) => r.baseline === name)) }));
    return {
      name: fileName("score", channel, metric, region),
      svg: lineChart({
        title: metricTitle(metric),
        yLabel: unitsOfMetric(metric, variable.units),
        lines,
        fromZero: /^(rmse|mae|mse|crps|activity|effective)/.test(metric),
      }),
    };
  });
}

/** The one that tables and charts begin with: the whole grid, if it was asked for. */
export const firstRegion = ({ regions }: Pick<Verification, "regions">): string =>
  regions.includes("all") ? "all" : regions[0];

const pointsOf = (rows: readonly ScoreRow[]) =>
  rows.map(({ lead_hours: x, value: y, low, high }) => ({ x, y, low, high })).sort((a, b) => a.x - b.x);

/** `K`, `K²` or how the score is defined where it has no units. */
export function unitsOfMetric(metric: string, units: string): string {
  const score = SCORES.find((s) => s.name === metric);
  if (!score || score.units === "1") return metric;
  const pretty = prettyUnits(units);
  return `${metric}, ${score.units === "field" ? pretty : `(${pretty})²`}`;
}

/** One scorecard for each baseline, the one of reference first: the share of its RMSE that the forecast removes. */
export function scorecardFigures(result: Verification, region = firstRegion(result)): Figure[] {
  const { meta, comparisons } = result;
  const names = meta.baselines
    .map((b) => b.name)
    .sort((a, b) => Number(b === meta.reference) - Number(a === meta.reference));
  const labels = new Map(meta.groups.map((g) => [g.name, g.name]));
  return names.flatMap((name) => {
    const cells = comparisons
      .filter(
        (c) =>
          c.baseline === name &&
          (c.metric === "rmse" || c.metric === "wind-rmse") &&
          c.region === region &&
          c.skill !== null &&
          c.lead_hours > 0,
      )
      .map((c): ScorecardCell => ({
        row: labels.get(channelName(c)) ?? channelName(c),
        lead: c.lead_hours,
        skill: c.skill!,
        significant: c.q !== null && c.q < 0.05,
      }));
    if (cells.length === 0) return []; // RMSE was not asked for
    return {
      name: fileName("scorecard", name, region),
      svg: scorecard({
        title: `Against ${name}${region === "all" ? "" : `, ${region}`}`,
        subtitle: "RMSE removed, %; bold with a dot: real at a false-discovery rate of 5 %",
        cells,
      }),
    };
  });
}

/** Every figure of the result, for writing to files. */
export function allFigures(result: Verification): Figure[] {
  const { meta, drawnLeads } = result;
  const regions = [...new Set(result.rows.map((r) => r.region))];
  return [
    ...regions.flatMap((region) => scorecardFigures(result, region)),
    ...[...meta.variables, ...meta.groups].flatMap(({ name }) =>
      regions.flatMap((region) => scoreFigures(result, name, region)),
    ),
    ...meta.variables.flatMap((_, channel) => structureFigures(result, channel)),
    ...meta.variables.flatMap((_, channel) =>
      drawnLeads.flatMap((lead) => [
        ...caseFigures(result, channel, lead),
        ...errorFigures(result, channel, lead),
        ...rivalFigures(result, channel, lead),
      ]),
    ),
  ];
}

/** `2014-07-01 06 UTC`. */
export const short = (time: string): string =>
  time.replace(
    /T(\d\d):(\d\d).*$/,
    (_, hour: string, minute: string) => ` ${hour}${minute === "00" ? "" : `:${minute}`} UTC`,
  );

export const fileName = (...parts: readonly string[]): string => parts.join("-").replace(/[^a-zA-Z0-9.-]+/g, "-");
