/** The report's tables. */
import { FEWEST_STARTS, type ScoreRow } from "../rows.js";
import { channelName, digits } from "../table.js";
import type { Verification } from "../verify.js";
import { firstRegion } from "./figures.js";
import { escape, prettyUnits } from "./svg.js";

const cell = (words: string, kind = ""): string => `<td${kind ? ` class="${kind}"` : ""}>${words}</td>`;
const table = (head: readonly string[], lines: readonly string[], kind = ""): string =>
  lines.length === 0
    ? ""
    : `<div class="scroll"><table${kind ? ` class="${kind}"` : ""}><thead><tr>${head.map((h) => `<th>${h}</th>`).join("")}</tr></thead><tbody>${lines.join("")}</tbody></table></div>`;

/** Leads that tables of a few show: whole days, or the first ones. */
export function fewLeads({ meta }: Verification): readonly number[] {
  const wanted = [24, 48, 72, 120, 240];
  const leads = meta.leadHours.filter((l) => wanted.includes(l));
  return leads.length ? leads : meta.leadHours.slice(0, 4);
}

/** Variables beyond which the first table has two leads of each only. */
const MANY_VARIABLES = 4;

/** A few leads, side by side: the forecast with its interval, the baselines, the gain over the best of them. */
export function keyTable(result: Verification): string {
  const { meta, rows, comparisons } = result;
  const few = fewLeads(result);
  const shown = meta.variables.length > MANY_VARIABLES ? [...new Set([few[0], few[few.length - 1]])] : few;
  const region = firstRegion(result);
  const names = meta.baselines.map((b) => b.name);
  const groups = meta.variables.map(({ name, units }) => {
    const lines = shown.flatMap((lead) => {
      const at = rows.filter(
        (r) => channelName(r) === name && r.lead_hours === lead && r.metric === "rmse" && r.region === region,
      );
      const own = at.find((r) => r.baseline === null);
      const rivals = at.filter((r) => r.baseline !== null);
      if (!own || rivals.length === 0) return [];
      const best = rivals.reduce((a, b) => (b.value < a.value ? b : a));
      const gain = comparisons.find(
        (c) =>
          channelName(c) === name &&
          c.lead_hours === lead &&
          c.metric === "rmse" &&
          c.region === region &&
          c.baseline === best.baseline,
      )!;
      const cells = names.map((b) => {
        const row = at.find((r) => r.baseline === b);
        return cell(row ? number(row.value) : "–", row === best ? "best" : "");
      });
      const sure = gain.low !== null && (gain.high! < 0 || gain.low > 0);
      const kind = sure ? (gain.value < 0 ? "won" : "lost") : "";
      return [`<td>${lead} h</td>${cell(value(own), "own")}${cells.join("")}${cell(value(gain), kind)}`];
    });
    const head = `<th rowspan="${lines.length}" scope="rowgroup">${escape(name)}${units ? `<small>${prettyUnits(units)}</small>` : ""}</th>`;
    return lines.map((line, k) => `<tr>${k === 0 ? head : ""}${line}</tr>`).join("");
  });
  if (groups.every((lines) => lines === "")) return ""; // RMSE was not asked for
  return `<div class="scroll"><table class="key"><thead><tr><th>RMSE</th><th>lead</th><th>forecast</th>${names.map((n) => `<th>${n}</th>`).join("")}<th>forecast minus best baseline</th></tr></thead>${groups.map((lines) => `<tbody>${lines}</tbody>`).join("")}</table></div>`;
}

/** Three to four digits, with a proper minus. */
const number = (x: number): string => digits(x).replaceAll("-", "−");

export const value = (row: ScoreRow): string => {
  const range = row.low === null ? "" : ` <small>[${number(row.low)}, ${number(row.high!)}]</small>`;
  return `${number(row.value)}${range}`;
};

export function everyScore({ meta, rows }: Verification): string {
  const known = new Set(rows.map((r) => r.baseline));
  const names = [null, ...[...known].filter((b) => b !== null)];
  const tables = [...meta.variables, ...meta.groups].map(({ name }) => {
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

/** Scores by season, hour and month at a few leads: the forecast, the best baseline, how many starts. */
export function breakdownTables({ breakdown, meta }: Verification): string {
  return meta.variables
    .flatMap(({ name, units }) => {
      const own = breakdown.filter((r) => channelName(r) === name);
      if (own.length === 0) return [];
      const metrics = [...new Set(own.map((r) => r.metric))].slice(0, 6);
      const keys = [...new Set(own.map((r) => `${r.by}|${r.group}|${r.lead_hours}|${r.region}`))];
      const lines = keys.map((key) => {
        const [by, group, lead, region] = key.split("|");
        const here = own.filter((r) => `${r.by}|${r.group}|${r.lead_hours}|${r.region}` === key);
        const cells = metrics.map((metric) => {
          const of = here.filter((r) => r.metric === metric);
          const mine = of.find((r) => r.baseline === null);
          const best = bestOf(
            of.filter((r) => r.baseline !== null),
            metric,
          );
          return (
            cell(mine ? value(mine) : "–", "own") +
            cell(best ? `${number(best.value)} <small>${escape(best.baseline!)}</small>` : "–")
          );
        });
        const n = here[0].n;
        return `<tr><td>${escape(group)}</td><td>${by}${region === "all" ? "" : `, ${escape(region)}`}</td><td>${lead} h</td>${cells.join("")}<td>${n}${n < FEWEST_STARTS ? " (few)" : ""}</td></tr>`;
      });
      const head = ["", "by", "lead", ...metrics.flatMap((m) => [escape(m), "best baseline"]), "starts"];
      return [`<h3>${escape(name)}${units ? `, ${prettyUnits(units)}` : ""}</h3>`, table(head, lines)];
    })
    .join("\n");
}

function bestOf(rows: readonly ScoreRow[], metric: string): ScoreRow | undefined {
  if (rows.length === 0) return undefined;
  const cost = (r: ScoreRow) =>
    metric === "bias" ? Math.abs(r.value) : /^(rmse|mae|mse|crps)/.test(metric) ? r.value : -r.value;
  return rows.reduce((a, b) => (cost(b) < cost(a) ? b : a));
}

/** RMSE by region at a few leads, where there are several. */
export function regionTable(result: Verification): string {
  const { rows, regions, meta } = result;
  if (regions.length < 2) return "";
  const leads = fewLeads(result);
  const lines = meta.variables.flatMap(({ name, units }) =>
    regions.map((region) => {
      const cells = leads.map((lead) => {
        const of = rows.filter(
          (r) => channelName(r) === name && r.region === region && r.lead_hours === lead && r.metric === "rmse",
        );
        const own = of.find((r) => r.baseline === null);
        const best = bestOf(
          of.filter((r) => r.baseline !== null),
          "rmse",
        );
        return (
          cell(own ? value(own) : "–", "own") +
          cell(best ? `${number(best.value)} <small>${escape(best.baseline!)}</small>` : "–")
        );
      });
      return `<tr><th>${escape(name)}${units ? `, ${prettyUnits(units)}` : ""}</th><td>${escape(region)}</td>${cells.join("")}</tr>`;
    }),
  );
  return table(["RMSE", "region", ...leads.flatMap((l) => [`${l} h`, "best baseline"])], lines, "key");
}

/** Every station's errors at one lead, worst first, beside its best baseline. */
export function stationTable({ stations, cells, meta }: Verification, channel: number, lead: number): string {
  if (!stations) return "";
  const own = cells.of(channel, lead);
  const [count, rmse, mae, bias] = [own.count(), own.rmse(), own.mae(), own.bias()];
  const rivals = meta.baselines
    .slice(0, cells.forecasters - 1)
    .map(({ name }, k) => ({ name, rmse: cells.of(channel, lead, k + 1).rmse() }));
  const order = [...stations.keys()].filter((i) => count[i] > 0).sort((a, b) => rmse[b] - rmse[a]);
  const lines = order.map((i) => {
    const { id, latitude, longitude, elevation } = stations[i];
    const best = rivals.length ? rivals.reduce((a, b) => (b.rmse[i] < a.rmse[i] ? b : a)) : undefined;
    const gain = best ? 1 - rmse[i] / best.rmse[i] : NaN;
    return `<tr><td>${escape(id)}</td>${[latitude, longitude].map((x) => cell(x.toFixed(2))).join("")}${cell(elevation === undefined ? "–" : elevation.toFixed(0))}${cell(`${count[i]}`)}${cell(number(rmse[i]), "own")}${cell(number(mae[i]))}${cell(number(bias[i]))}${cell(best ? `${number(best.rmse[i])} <small>${escape(best.name)}</small>` : "–")}${cell(gain === gain ? `${gain > 0 ? "+" : "−"}${Math.abs(100 * gain).toFixed(0)} %` : "–", gain > 0 ? "won" : "lost")}</tr>`;
  });
  const head = [
    "station",
    "latitude",
    "longitude",
    "height, m",
    "cases",
    "RMSE",
    "MAE",
    "bias",
    "best baseline",
    "RMSE removed",
  ];
  const { name, units } = meta.variables[channel];
  return `<details><summary>${escape(name)}${units ? `, ${prettyUnits(units)}` : ""}, ${meta.leadHours[lead]} h: ${lines.length} stations, worst first</summary>${table(head, lines)}</details>`;
}
