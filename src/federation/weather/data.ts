/** From a dataset to a site's members: which of the run's variables it has, on its grid or at its stations, at the run's time step. */
import { canonical } from "../../data/coords.js";
import type { Dataset } from "../../data/dataset.js";
import { DataError, UsageError } from "../../errors.js";
import { variableNames } from "../../tasks/forecast/features.js";
import { channelsOf, readSeries, type Series, stepOf } from "../../tasks/series.js";
import { hasStations, readStations, type StationSeries, stationVariables } from "../../tasks/stations.js";
import { fitMember, type Member } from "./member.js";
import { withRidge } from "./ridge.js";
import { type Field, fitSurroundings } from "./surroundings.js";
import type { SharedTask } from "./task.js";

export interface SiteData {
  readonly members: Member[];
  /** Names of the task's vocabulary, in its order; the members' channels are these. */
  readonly variables: string[];
}

/** The members a dataset holds. `only` keeps stations by name; `surroundings` are the fields that the run's task may ask for. */
export async function siteMembers(
  dataset: Dataset,
  task: SharedTask,
  options: { only?: readonly string[]; surroundings?: Dataset } = {},
): Promise<SiteData> {
  const { records, variables } = await siteRecords(dataset, task, options);
  return { members: fitMembers(records, task, await readSurroundings(options.surroundings, task)), variables };
}

/** Members from records, with the ridge regression of them all. */
export function fitMembers(records: readonly StationSeries[], task: SharedTask, around?: Field): Member[] {
  const fitted = records.map(({ station, series }) => {
    const member = fitMember(station, series, task);
    return around ? { ...member, surroundings: fitSurroundings(member, around, task) } : member;
  });
  return withRidge(task, fitted);
}

/** The records of a dataset's stations, or of its grid, at the task's step, with those of the task's variables that it has. */
export async function siteRecords(
  dataset: Dataset,
  task: SharedTask,
  { only }: { only?: readonly string[] } = {},
): Promise<{ records: StationSeries[]; variables: string[] }> {
  dataset = canonical(dataset);
  const stations = hasStations(dataset);
  const channels = stations
    ? stationVariables(dataset).map(({ name, attrs }) => ({ name, units: unitOf(attrs["units"]) }))
    : (await channelsOf(dataset)).map(({ name, variable }) => ({ name, units: unitOf(variable.attrs["units"]) }));
  const chosen = matching(task.variables, channels);
  if (chosen.length === 0)
    throw new DataError(
      dataset.source,
      `it has none of the run's variables (${task.variables.join(", ")}); it has ${channels.map((c) => c.name).join(", ") || "nothing on a grid or at stations"}`,
    );
  const names = chosen.map(({ channel }) => channel);
  const all = stations
    ? await readStations(dataset, names)
    : [{ station: dataset.source, series: await readSeries(dataset, names) }];
  const kept = only ? all.filter(({ station }) => only.includes(station)) : all;
  const absent = only?.find((name) => !all.some(({ station }) => station === name));
  if (absent !== undefined)
    throw new DataError(
      dataset.source,
      `there is no station '${absent}'; it has ${all
        .map(({ station }) => station)
        .slice(0, 8)
        .join(", ")}${all.length > 8 ? ", ..." : ""}`,
    );
  return {
    records: kept.map(({ station, series }) => ({ station, series: atStep(series, task, dataset.source) })),
    variables: chosen.map(({ variable }) => variable),
  };
}

/**
 * The coarse fields that the run's task asks for; undefined where it asks for none. Throws where it asks and there are none, or
 * where they lack a variable.
 */
export async function readSurroundings(dataset: Dataset | undefined, task: SharedTask): Promise<Field | undefined> {
  if (!task.surroundings) return undefined;
  const { variables } = task.surroundings;
  if (!dataset)
    throw new UsageError(
      `the run's sites look at the fields around them (${variables.join(", ")}); name the file that has them: --surroundings <path>`,
    );
  const fields = canonical(dataset);
  const channels = (await channelsOf(fields)).map(({ name, variable }) => ({
    name,
    units: unitOf(variable.attrs["units"]),
  }));
  const chosen = matching(variables, channels);
  const lacking = variables.filter((v) => !chosen.some(({ variable }) => variable === v));
  if (lacking.length > 0)
    throw new DataError(
      fields.source,
      `it has no ${lacking.join(", ")}, which the run's sites look at around them; give fields with ${variables.join(", ")}`,
    );
  const series = await readSeries(
    fields,
    chosen.map(({ channel }) => channel),
  );
  return { series: atStep(series, task, fields.source), source: fields.source };
}

const unitOf = (units: unknown): string => (typeof units === "string" ? units : "");

/** The channel of each of the wanted variables that the data has: by its own name, else by the catalogue's. */
function matching(
  wanted: readonly string[],
  channels: readonly { name: string; units: string }[],
): { variable: string; channel: string }[] {
  const catalogue = variableNames({ channels: channels.map((c) => c.name), units: channels.map((c) => c.units) });
  const own = channels.map((c) => c.name);
  return wanted.flatMap((variable) => {
    const at = own.includes(variable) ? own.indexOf(variable) : catalogue.indexOf(variable);
    return at < 0 ? [] : [{ variable, channel: own[at] }];
  });
}

/** The states that lie on the run's time step. */
function atStep(series: Series, task: SharedTask, source: string): Series {
  const wanted = task.forecast.step * 3_600_000;
  const step = stepOf(series);
  const every = wanted / step;
  if (!Number.isInteger(every))
    throw new DataError(
      source,
      `it has a state every ${step / 3_600_000} h, but the run's step is ${task.forecast.step} h; resample it, or ask the hub for a run with another step`,
    );
  if (every === 1) return series;
  const size = series.values.length / series.times.length;
  const kept = [...series.times.keys()].filter((t) => t % every === 0);
  const values = new Float32Array(kept.length * size);
  kept.forEach((t, k) => values.set(series.values.subarray(t * size, (t + 1) * size), k * size));
  return { ...series, times: Float64Array.from(kept, (t) => series.times[t]), values };
}
