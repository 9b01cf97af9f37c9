/** From a dataset to a site's members: which of the run's variables it has, on its grid or at its stations, at the run's time step. */
import { canonical } from "../../data/coords.js";
import type { Dataset } from "../../data/dataset.js";
import { DataError } from "../../errors.js";
import { variableNames } from "../../tasks/forecast/features.js";
import { channelsOf, readSeries, type Series, stepOf } from "../../tasks/series.js";
import { hasStations, readStations, type StationSeries, stationVariables } from "../../tasks/stations.js";
import { fitMember, type Member } from "./member.js";
import { withRidge } from "./ridge.js";
import type { SharedTask } from "./task.js";

export interface SiteData {
  readonly members: Member[];
  /** Names of the task's vocabulary, in its order; the members' channels are these. */
  readonly variables: string[];
}

/** The members a dataset holds. `only` keeps stations by name. */
export async function siteMembers(
  dataset: Dataset,
  task: SharedTask,
  options: { only?: readonly string[] } = {},
): Promise<SiteData> {
  const { records, variables } = await siteRecords(dataset, task, options);
  const fitted = records.map(({ station, series }) => fitMember(station, series, task));
  return { members: withRidge(task, fitted), variables };
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
  const chosen = matching(dataset, task, channels);
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

const unitOf = (units: unknown): string => (typeof units === "string" ? units : "");

/** The channel of each of the task's variables that the data has: by its own name, else by the catalogue's. */
function matching(
  dataset: Dataset,
  task: SharedTask,
  channels: readonly { name: string; units: string }[],
): { variable: string; channel: string }[] {
  const catalogue = variableNames({ channels: channels.map((c) => c.name), units: channels.map((c) => c.units) });
  const own = channels.map((c) => c.name);
  const found = task.variables.flatMap((variable) => {
    const at = own.includes(variable) ? own.indexOf(variable) : catalogue.indexOf(variable);
    return at < 0 ? [] : [{ variable, channel: own[at] }];
  });
  if (found.length === 0)
    throw new DataError(
      dataset.source,
      `it has none of the run's variables (${task.variables.join(", ")}); it has ${own.join(", ") || "nothing on a grid or at stations"}`,
    );
  return found;
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
