/** Figures beyond scores by lead: spectra, rank histograms, reliability and ROC of events, fractions skill over scales. */
import { tableAt } from "../measures/events.js";
import { rankHistogram } from "../scores/rank-histogram.js";
import { type ProbabilityTable, reliabilityDiagram, rocArea, rocCurve } from "../scores/probability.js";
import { addRows } from "../scores/sums.js";
import { channelName } from "../table.js";
import type { Verification } from "../verify.js";
import { type Figure, fileName, metricTitle } from "./figures.js";
import { lineChart } from "./line-chart.js";
import { rankChart } from "./rank-chart.js";
import { spectrumChart } from "./spectrum-chart.js";
import { squareChart } from "./square-chart.js";
import { prettyUnits } from "./svg.js";

/** Of one variable at the drawn leads, where there are any. */
export function structureFigures(result: Verification, channel: number): Figure[] {
  return [
    ...spectrumFigures(result, channel),
    ...rankFigures(result, channel),
    ...eventFigures(result, channel),
    ...scaleFigures(result, channel),
  ];
}

function spectrumFigures({ meta, spectra }: Verification, channel: number): Figure[] {
  const { name, units } = meta.variables[channel];
  return spectra
    .filter((s) => s.channel === channel && s.count() > 0)
    .map((s) => {
      const { km, whole } = s.resolution();
      return {
        name: fileName("spectrum", name, `${meta.leadHours[s.lead]}h`),
        svg: spectrumChart({
          title: `Spectrum at ${meta.leadHours[s.lead]} h`,
          units: `(${prettyUnits(units)})²${s.units && ` ${s.units}`}`,
          words: whole
            ? "keeps half the truth's power at every scale"
            : `less than half the truth's power below ${km.toFixed(0)} km`,
          axis: s.axis,
          forecast: s.forecast(),
          truth: s.truth(),
        }),
      };
    })
    .filter(({ svg }) => svg !== "");
}

function rankFigures({ meta, sums, drawnLeads }: Verification, channel: number): Figure[] {
  if (meta.members === 1) return [];
  return drawnLeads.flatMap((lead) => {
    const [rows] = sums.samples(channel, lead, 0);
    if (rows.length === 0) return [];
    const histogram = rankHistogram(addRows(rows, rows[0].length), meta.members);
    const hours = meta.leadHours[lead];
    return {
      name: fileName("ranks", meta.variables[channel].name, `${hours}h`),
      svg: rankChart({ title: `Rank histogram at ${hours} h`, histogram }),
    };
  });
}

/** Reliability and ROC of every event of an ensemble; climatology's members beside it. */
function eventFigures({ meta, sums, plans, drawnLeads }: Verification, channel: number): Figure[] {
  if (meta.members === 1) return [];
  const { name, units } = meta.variables[channel];
  return [...plans[channel].events].flatMap(([key, at]) =>
    drawnLeads.flatMap((lead) => {
      const samples = sums.samples(channel, lead, 0);
      if (samples[0].length === 0) return [];
      const tables = samples.map((rows): ProbabilityTable => tableAt(addRows(rows, rows[0].length), at, meta.members));
      const total = (x: Float64Array) => x.reduce((a, b) => a + b, 0);
      const happened = total(tables[0].happened);
      const rate = happened / (happened + total(tables[0].not));
      if (!(rate > 0 && rate < 1)) return []; // it always happens or never does
      const shown = sums.forecasters.flatMap((forecaster, f) =>
        f === 0 || forecaster === "climatology-ensemble"
          ? [{ name: f === 0 ? null : forecaster, table: tables[f] }]
          : [],
      );
      const hours = meta.leadHours[lead];
      const limit = key.startsWith(">q") ? `the ${key.slice(2)} quantile` : `${key.slice(1)} ${prettyUnits(units)}`;
      const words = `above ${limit}; it happens in ${(100 * rate).toPrecision(2)} % of cases`;
      return [
        {
          name: fileName("reliability", name, key, `${hours}h`),
          svg: squareChart({
            title: `Reliability at ${hours} h`,
            subtitle: words,
            xLabel: "forecast probability (dots: share of cases)",
            yLabel: "observed frequency",
            rate,
            lines: shown.map(({ name: of, table }) => ({
              name: of,
              points: reliabilityDiagram(table).map((p) => ({ x: p.forecast, y: p.observed, share: p.share })),
            })),
          }),
        },
        {
          name: fileName("roc", name, key, `${hours}h`),
          svg: squareChart({
            title: `ROC at ${hours} h`,
            subtitle: `${words}; area ${rocArea(tables[0]).toFixed(3)}`,
            xLabel: "false-alarm rate",
            yLabel: "hit rate",
            lines: shown.map(({ name: of, table }) => ({
              name: of,
              points: rocCurve(table).map((p) => ({ x: p.falseAlarmRate, y: p.hitRate })),
            })),
          }),
        },
      ];
    }),
  );
}

/** FSS by window at the drawn leads, one chart a threshold and lead. */
function scaleFigures({ meta, rows, drawnLeads }: Verification, channel: number): Figure[] {
  const { name } = meta.variables[channel];
  const own = rows.filter((r) => channelName(r) === name && r.region === rows[0].region && r.metric.startsWith("fss>"));
  const limits = [...new Set(own.map((r) => r.metric.split("@")[0]))];
  return limits.flatMap((limit) =>
    drawnLeads.flatMap((lead) => {
      const hours = meta.leadHours[lead];
      const here = own.filter((r) => r.metric.split("@")[0] === limit && r.lead_hours === hours);
      const windowOf = (metric: string) => Number(metric.split("@")[1] ?? 1);
      const windows = [...new Set(here.map((r) => windowOf(r.metric)))].sort((a, b) => a - b);
      if (windows.length < 2) return [];
      const lines = [...new Set(here.map((r) => r.baseline))].map((baseline) => ({
        name: baseline,
        points: here
          .filter((r) => r.baseline === baseline)
          .map((r) => ({ x: windows.indexOf(windowOf(r.metric)), y: r.value, low: r.low, high: r.high }))
          .sort((a, b) => a.x - b.x),
      }));
      return {
        name: fileName("fss", name, limit, `${hours}h`),
        svg: lineChart({
          title: `Fractions skill over scales at ${hours} h`,
          yLabel: metricTitle(limit).replace(" in 1 x 1 cells", ""),
          lines,
          fromZero: true,
          xLabel: `window, cells: ${windows.join(", ")}`,
          xTicks: [],
        }),
      };
    }),
  );
}
