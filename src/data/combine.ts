/** Many files as one dataset: those with the same variables follow each other in time, others lie side by side. */
import { DataError } from "../errors.js";
import { concatenate } from "./concatenate.js";
import { readCoordinate, readTimes } from "./coords.js";
import { type Dataset, dataVariables } from "./dataset.js";
import { withVariables } from "./views.js";

/**
 * Combines datasets: along `dim` where their variables are the same (files in order of their first time), then by name.
 *
 * @throws where dimensions of files side by side differ
 */
export async function combine(datasets: readonly Dataset[], options: { dim?: string } = {}): Promise<Dataset> {
  const { dim = "time" } = options;
  const groups = new Map<string, Dataset[]>();
  for (const dataset of datasets) {
    const key = dataVariables(dataset)
      .map((v) => v.name)
      .sort()
      .join();
    groups.set(key, [...(groups.get(key) ?? []), dataset]);
  }
  const joined: Dataset[] = [];
  for (const group of groups.values()) {
    if (group.length === 1) joined.push(group[0]);
    else if (!(dim in group[0].dims))
      throw new DataError(
        group[0].source,
        `${group.length} files have the same variables but no dimension '${dim}' to follow each other along; open one of them`,
      );
    else joined.push(concatenate(dim === "time" ? await inTime(group) : group, dim));
  }
  const [first, ...others] = joined;
  for (const other of others) await assertSamePlaces(first, other);
  if (others.length === 0) return first;
  const variables = joined.flatMap((each) => [...each.variables.values()]);
  return {
    ...withVariables(first, variables.reverse()),
    source: `${first.source} (and ${others.length} more)`,
    close: async () => void (await Promise.all(joined.map((each) => each.close()))),
  };
}

async function inTime(group: readonly Dataset[]): Promise<Dataset[]> {
  const starts = await Promise.all(group.map(async (dataset) => (await readTimes(dataset)).values[0]));
  return group
    .map((dataset, i) => ({ dataset, start: starts[i] }))
    .sort((a, b) => a.start - b.start)
    .map(({ dataset }) => dataset);
}

/** Datasets lie side by side only where their dimensions have the same coordinates. */
async function assertSamePlaces(first: Dataset, other: Dataset): Promise<void> {
  for (const [name, length] of Object.entries(other.dims)) {
    if (first.dims[name] === undefined) continue;
    if (first.dims[name] !== length)
      throw new DataError(
        other.source,
        `its dimension '${name}' is ${length} long, in ${first.source} it is ${first.dims[name]}; open them apart`,
      );
    const [a, b] = [first.variables.get(name), other.variables.get(name)];
    if (!a || !b || a.readStrings || b.readStrings) continue;
    const valuesOf = async (dataset: Dataset): Promise<Float64Array> =>
      name === "time" ? (await readTimes(dataset)).values : readCoordinate(dataset, name);
    const [here, there] = [await valuesOf(first), await valuesOf(other)];
    const at = here.findIndex((value, i) => Math.abs(value - there[i]) > 1e-6 * Math.max(1, Math.abs(value)));
    if (at >= 0)
      throw new DataError(
        other.source,
        `its '${name}' is not that of ${first.source} (they differ from index ${at} on); open them apart`,
      );
  }
}
