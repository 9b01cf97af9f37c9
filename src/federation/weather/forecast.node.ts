/**
 * Forecasts of a site with its own model, from any record of its stations or its region: from the newest time, from a range of
 * times, or over the test part of the record that it joined with.
 */
import type { Dataset } from "../../data/dataset.js";
import { formatTime } from "../../earth/time.js";
import type { Runtime } from "../../engine/runtime.js";
import { DataError, UsageError } from "../../errors.js";
import { stateOf } from "../../tasks/forecast/features.js";
import { createForecastFile } from "../../tasks/forecast/forecast-file.node.js";
import { forecastLayout } from "../../tasks/forecast/layout.js";
import type { StationSeries } from "../../tasks/stations.js";
import type { Parameters } from "../protocol/parameters.js";
import { readSurroundings, siteRecords } from "./data.js";
import { createForecaster } from "./forecaster.js";
import { departuresOf, type Member, type MemberRidge, partsOf } from "./member.js";
import { forecastOf } from "./ridge.js";
import type { Pick } from "./samples.js";
import { scoredStarts } from "./scores.js";
import type { KeptMember, KeptSite } from "./site-folder.node.js";
import { type Field, knownSurroundings } from "./surroundings.js";
import { inSteps, lookBack } from "./task.js";

export interface SiteForecastOptions {
  readonly site: KeptSite;
  readonly model: Parameters;
  /** A record of the site's stations or its grid, with the past that the model looks back at. */
  readonly dataset: Dataset;
  /** The fields around them, where the run's task looks at them. */
  readonly surroundings?: Dataset;
  readonly runtime: Runtime;
  /** Zarr store, or NetCDF where it ends in .nc. */
  readonly out: string;
  /** The newest time, the test part of the record that the site joined with, or instants in a range. */
  readonly starts: "latest" | "test" | readonly [from: number, to: number];
  /** Hours between starts. */
  readonly everyStart?: number;
  /** Longest lead in hours, among those that the task has. */
  readonly maxLead?: number;
  readonly onProgress?: (done: number, total: number) => void;
}

/** Writes the forecasts; [time, prediction_timedelta, station], or on the site's grid. */
export async function writeSiteForecast(options: SiteForecastOptions): Promise<{ starts: number; leads: number[] }> {
  const { site, model, dataset, surroundings, runtime, out, maxLead = Infinity, onProgress } = options;
  const { task, variables } = site;
  const members = await liveMembers(site, dataset, surroundings);
  const [{ series, normaliser }] = members;
  const leads = task.forecast.leads.map((hours, lead) => ({ hours, lead })).filter(({ hours }) => hours <= maxLead);
  if (leads.length === 0)
    throw new UsageError(
      `the run's leads are ${task.forecast.leads.join(", ")} h; ask for at least ${Math.min(...task.forecast.leads)} h`,
    );
  const starts = chosenStarts(options, members);
  const stations = series.latitudes.length * series.longitudes.length === 1 ? members.map((m) => m.name) : undefined;
  const layout = forecastLayout(
    {
      ...normaliser,
      latitudes: stations ? Float64Array.from(members, (m) => m.series.latitudes[0]) : series.latitudes,
      longitudes: stations ? Float64Array.from(members, (m) => m.series.longitudes[0]) : series.longitudes,
      stations,
    },
    starts.map((t) => series.times[t]),
    leads.map(({ hours }) => hours),
    { title: `Foehn forecast (a site's own model, ${task.model.name})`, source: dataset.source },
  );
  const forecaster = await createForecaster(runtime, task, variables, members[0]);
  const file = await createForecastFile(out, layout);
  try {
    for (const [k, start] of starts.entries()) {
      for (const [l, { lead }] of leads.entries()) {
        const picks = members.map((member) => ({ member, start, lead }));
        const found = await forecaster.correct(model, picks);
        const states = members.map((member, m) => stateAhead(member, start, inSteps(task, "leads")[lead], found[m]));
        await file.write(stations ? transposed(states) : states[0], { time: k, lead: l });
      }
      onProgress?.(k + 1, starts.length);
    }
    await file.close();
  } catch (error) {
    await file.abort();
    throw error;
  } finally {
    await forecaster.close();
  }
  return { starts: starts.length, leads: leads.map(({ hours }) => hours) };
}

/** In the channels' units; missing where the start's own value is. */
function stateAhead({ departures, normaliser: n, series }: Member, start: number, lead: number, z: Float32Array) {
  const size = n.anomaly.length;
  const at = (lead - 1) * size;
  const now = departures.subarray(start * size, (start + 1) * size);
  const ahead = now.map((u, p) => n.damping[at + p] * u + (z[p] * n.residual[at + p]) / n.anomaly[p]);
  return stateOf(n, ahead, series.times[start] + lead * n.step);
}

/** [station][channel] as [channel, station]. */
const transposed = (states: readonly Float32Array[]): Float32Array =>
  Float32Array.from({ length: states.length * states[0].length }, (_, i) => {
    const c = Math.floor(i / states.length);
    return states[i % states.length][c];
  });

/** The kept members with the records of a dataset, which are fitted to nothing anew. */
async function liveMembers(site: KeptSite, dataset: Dataset, surroundings?: Dataset): Promise<Member[]> {
  const { records, variables } = await siteRecords(dataset, site.task, { only: site.source.only });
  const lacking = site.variables.filter((v) => !variables.includes(v));
  if (lacking.length > 0)
    throw new DataError(
      dataset.source,
      `it has no ${lacking.join(", ")}, which this site joined with; give data that have ${site.variables.join(", ")}`,
    );
  const grid = site.members.length === 1 && site.members[0].normaliser.latitudes.length > 1;
  const around = await readSurroundings(surroundings, site.task);
  return site.members.map((kept) => {
    const found = grid ? records[0] : records.find(({ station }) => station === kept.name);
    if (!found)
      throw new DataError(
        dataset.source,
        `it has no station '${kept.name}', which this site joined with; add its reports`,
      );
    return liveMember(site, kept, { ...found, source: dataset.source, around });
  });
}

function liveMember(
  site: KeptSite,
  kept: KeptMember,
  { series, source, around }: StationSeries & { source: string; around?: Field },
): Member {
  const { normaliser: n, name, absent } = kept;
  const same = (a: Float64Array, b: Float64Array) =>
    a.length === b.length && a.every((v, i) => Math.abs(v - b[i]) < 1e-4);
  if (!same(series.latitudes, n.latitudes) || !same(series.longitudes, n.longitudes))
    throw new DataError(
      source,
      `'${name}' is not where it was when the site joined (${n.latitudes[0]} N, ${n.longitudes[0]} E); give the same places, or join again`,
    );
  const cells = n.anomaly.length / n.channels.length;
  const values = series.values.map((v, i) => (absent[Math.floor(i / cells) % absent.length] ? NaN : v));
  const own = { ...series, values };
  const member: Member = {
    name,
    series: own,
    normaliser: n,
    parts: new Int8Array(series.times.length).fill(-1),
    departures: departuresOf(own, n),
    starts: { train: [], validation: [], test: [] },
    surroundings: around && knownSurroundings(own, kept.around!, around, site.task.surroundings!),
    ridge: fixedRidge(site, (start, lead) => ({ member, start, lead })),
  };
  return member;
}

/** The regression with the slopes that the site kept. */
function fixedRidge(site: KeptSite, pickOf: (start: number, lead: number) => Pick<Member>): MemberRidge {
  const ridge: MemberRidge = {
    slopes: (lead) => site.slopes[lead],
    at: (start, lead) => forecastOf(site.task, pickOf(start, lead), site.slopes[lead]),
    towards: () => ridge,
  };
  return ridge;
}

function chosenStarts(
  { site, dataset, starts, everyStart }: SiteForecastOptions,
  members: readonly Member[],
): number[] {
  const { task, record } = site;
  const { series } = members[0];
  const { times, calendar } = series;
  const every = everyStart === undefined ? 1 : Math.max(1, Math.round(everyStart / task.forecast.step));
  if (starts === "test") {
    if (times[0] !== record.first || times.length !== record.count)
      throw new DataError(
        dataset.source,
        `it is not the record that the site joined with (${record.count} times from ${formatTime(record.first, calendar)}), so its test part is not known; give --from and --to`,
      );
    const tested = { ...members[0], parts: partsOf(times.length, task) };
    return scoredStarts(tested, task, "test", Infinity).filter((_, k) => k % every === 0);
  }
  const earliest = lookBack(task);
  const present = (t: number) =>
    members.some(({ departures, normaliser: { anomaly } }) =>
      departures.subarray(t * anomaly.length, (t + 1) * anomaly.length).some((u) => u === u),
    );
  const [from, to] = starts === "latest" ? [-Infinity, Infinity] : starts;
  const all = [...times.keys()].filter((t) => t >= earliest && times[t] >= from && times[t] < to && present(t));
  if (all.length === 0)
    throw new UsageError(
      `no start lies there: reports of the ${earliest * task.forecast.step} h before it are needed, and the data runs from ${formatTime(times[0], calendar)} to ${formatTime(times[times.length - 1], calendar)}`,
    );
  return starts === "latest" ? all.slice(-1) : all.filter((_, k) => k % every === 0);
}
