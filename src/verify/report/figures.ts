/** Every figure of a report as standalone SVG, by file name: what the page shows and `foehn verify` writes beside it. */
import type { ScoreRow } from "../rows.js";
import { SCORES } from "../scores/index.js";
import { channelName, digits } from "../table.js";
import type { Verification } from "../verify.js";
import { type ChartLine, lineChart } from "./line-chart.js";
import { levelsFor, map, type MapKind } from "./map.js";
import { rankChart } from "./rank-chart.js";
import { scorecard, type ScorecardCell } from "./scorecard.js";
import { spectrumChart } from "./spectrum-chart.js";
import { prettyUnits } from "./svg.js";

export interface Figure {
  /** Without the ending. */
  readonly name: string;
  readonly svg: string;
}

/** Charts of every score by lead, for one variable and region. */
export function scoreFigures({ meta, rows }: Verification, channel: string, region = "all"): Figure[] {
  const variable = meta.variables.find((v) => v.name === channel)!;
  const here = rows.filter((r) => channelName(r) === channel && r.region === region);
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
        fromZero: /^(rmse|mae|mse|crps|activity)/.test(metric),
      }),
    };
  });
}

const pointsOf = (rows: readonly ScoreRow[]) =>
  rows.map(({ lead_hours: x, value: y, low, high }) => ({ x, y, low, high })).sort((a, b) => a.x - b.x);

const TITLES: Readonly<Record<string, string>> = {
  rmse: "Root mean square error",
  mae: "Mean absolute error",
  bias: "Bias (forecast minus truth)",
  "acc:wb2": "Anomaly correlation",
  "crps:fair": "Continuous ranked probability score (fair)",
  spread: "Ensemble spread",
  "spread-skill": "Spread over error (1: reliable)",
  activity: "Activity (how much it departs from climatology)",
  "log-variance-ratio": "Blur (log₁₀ of the variance ratio; 0: as lively as the truth)",
};
const EVENT_TITLES: Readonly<Record<string, string>> = {
  csi: "Critical success index",
  ets: "Equitable threat score",
  fbi: "Frequency bias",
  pod: "Probability of detection",
  far: "False-alarm ratio",
  hss: "Heidke skill score",
  sedi: "Extremal dependence (SEDI)",
  brier: "Brier score",
};

/** What a score is called in full; events say their threshold. */
export function metricTitle(metric: string): string {
  const [kind, limit] = metric.split(">");
  if (limit === undefined) return TITLES[metric] ?? metric;
  return `${EVENT_TITLES[kind]} above ${limit.startsWith("q") ? `the ${limit.slice(1)} quantile` : limit}`;
}

/** `K`, `K²` or how the score is defined where it has no units. */
export function unitsOfMetric(metric: string, units: string): string {
  const score = SCORES.find((s) => s.name === metric);
  if (!score || score.units === "1") return metric;
  const pretty = prettyUnits(units);
  return `${metric}, ${score.units === "field" ? pretty : `(${pretty})²`}`;
}

/** One scorecard for each baseline: the share of its RMSE that the forecast removes. */
export function scorecardFigures({ meta, comparisons }: Verification, region = "all"): Figure[] {
  return meta.baselines.flatMap(({ name }) => {
    const cells = comparisons
      .filter(
        (c) =>
          c.baseline === name && c.metric === "rmse" && c.region === region && c.skill !== null && c.lead_hours > 0,
      )
      .map((c): ScorecardCell => ({
        row: channelName(c),
        lead: c.lead_hours,
        skill: c.skill!,
        significant: c.q !== null && c.q < 0.05,
      }));
    if (cells.length === 0) return []; // RMSE was not asked for
    return {
      name: fileName("scorecard", name, region),
      svg: scorecard({
        title: `Against ${name}`,
        subtitle: "RMSE removed, %; bold with a dot: real at a false-discovery rate of 5 %",
        cells,
      }),
    };
  });
}

/** Spectra and rank histograms of one variable at the drawn leads, where there are any. */
export function structureFigures({ meta, spectra, ranks }: Verification, channel: number): Figure[] {
  const { name, units } = meta.variables[channel];
  const hours = (lead: number) => `${meta.leadHours[lead]} h`;
  return [
    ...spectra
      .filter((s) => s.channel === channel)
      .map((s) => ({
        name: fileName("spectrum", name, `${meta.leadHours[s.lead]}h`),
        svg: spectrumChart({
          title: `Spectrum at ${hours(s.lead)}`,
          units: `(${prettyUnits(units)})² m`,
          forecast: s.forecast(),
          truth: s.truth(),
        }),
      }))
      .filter(({ svg }) => svg !== ""),
    ...ranks
      .filter((r) => r.channel === channel)
      .map((r) => ({
        name: fileName("ranks", name, `${meta.leadHours[r.lead]}h`),
        svg: rankChart({ title: `Rank histogram at ${hours(r.lead)}`, histogram: r.histogram }),
      })),
  ];
}

/** A middling start's forecast and truth, on one scale, and its error. */
export function caseFigures(result: Verification, channel: number, lead: number): Figure[] {
  const { meta, latitudes, longitudes } = result;
  const { name } = meta.variables[channel];
  const units = prettyUnits(meta.variables[channel].units);
  const hours = meta.leadHours[lead];
  const grid = { latitudes, longitudes, units };
  const figures: Figure[] = [];
  const middling = result.cases.find((c) => c.channel === channel && c.lead === lead)?.cases[0];
  if (middling) {
    const { forecast, truth, start, valid, rmse } = middling;
    const levels = levelsFor("value", forecast, truth);
    const error = difference(forecast, truth);
    figures.push(
      {
        name: fileName("map", name, `${hours}h`, "forecast"),
        svg: map({ title: `Forecast, ${hours} h`, subtitle: `from ${short(start)}`, field: forecast, levels, ...grid }),
      },
      {
        name: fileName("map", name, `${hours}h`, "truth"),
        svg: map({ title: "Truth", subtitle: `at ${short(valid)}`, field: truth, levels, ...grid }),
      },
      {
        name: fileName("map", name, `${hours}h`, "error"),
        svg: map({
          title: "Error",
          subtitle: `forecast minus truth; RMSE ${digits(rmse)} ${units}`,
          field: error,
          levels: levelsFor("difference", error),
          ...grid,
        }),
      },
    );
  }
  return figures;
}

/** Bias and RMSE of each cell over all starts, and the errors of the best and the worst start on one scale. */
export function errorFigures(result: Verification, channel: number, lead: number): Figure[] {
  const { meta, latitudes, longitudes } = result;
  const { name } = meta.variables[channel];
  const units = prettyUnits(meta.variables[channel].units);
  const hours = `${meta.leadHours[lead]}h`;
  const common = { latitudes, longitudes, units, width: 290 };
  const errors = result.maps.find((m) => m.channel === channel && m.lead === lead)!;
  const [bias, rmse] = [errors.bias(), errors.rmse()];
  const found = result.cases.find((c) => c.channel === channel && c.lead === lead);
  const extremes = found?.cases.filter((c) => c.kind !== "middling") ?? [];
  const extremeErrors = extremes.map((c) => difference(c.forecast, c.truth));
  const extremeLevels = levelsFor("difference", ...extremeErrors);
  const averages: [string, string, Float32Array, MapKind][] = [
    ["bias", "Bias", bias, "difference"],
    ["rmse", "RMSE", rmse, "size"],
  ];
  return [
    ...averages.map(([key, title, field, kind]) => ({
      name: fileName("map", name, hours, key),
      svg: map({
        title: `${title}, ${meta.leadHours[lead]} h`,
        subtitle: `over ${meta.starts} starts`,
        field,
        levels: levelsFor(kind, field),
        ...common,
      }),
    })),
    ...extremes.map((c, i) => ({
      name: fileName("map", name, hours, c.kind),
      svg: map({
        title: `Error of the ${c.kind} start`,
        subtitle: `from ${short(c.start)}; RMSE ${digits(c.rmse)} ${units}`,
        field: extremeErrors[i],
        levels: extremeLevels,
        ...common,
      }),
    })),
  ];
}

/** Every figure of the result, for writing to files. */
export function allFigures(result: Verification): Figure[] {
  const { meta, maps } = result;
  const regions = [...new Set(result.rows.map((r) => r.region))];
  return [
    ...regions.flatMap((region) => scorecardFigures(result, region)),
    ...meta.variables.flatMap(({ name }) => regions.flatMap((region) => scoreFigures(result, name, region))),
    ...meta.variables.flatMap((_, channel) => structureFigures(result, channel)),
    ...maps.flatMap(({ channel, lead }) => [
      ...caseFigures(result, channel, lead),
      ...errorFigures(result, channel, lead),
    ]),
  ];
}

const difference = (a: Float32Array, b: Float32Array): Float32Array => a.map((x, i) => x - b[i]);

/** `2014-07-01 06 UTC`. */
export const short = (time: string): string =>
  time.replace(
    /T(\d\d):(\d\d).*$/,
    (_, hour: string, minute: string) => ` ${hour}${minute === "00" ? "" : `:${minute}`} UTC`,
  );

const fileName = (...parts: readonly string[]): string => parts.join("-").replace(/[^a-zA-Z0-9.-]+/g, "-");
