/**
 * The line that the sites of a run have in common: slopes of their ridge regressions, averaged over the sites that have them, and
 * every site's own drawn towards that mean as far as its validation part bears (empirical Bayes: Lindley and Smith 1972; as rounds
 * of federated averaging with an exact proximal step, Li et al. 2020). A site with a short record so begins from what the
 * others know.
 *
 * In a shared model it is the arrays `line/<variable>/<from>`, [lead, map], of how the forecast of a variable depends on the maps
 * of another, and `line/<variable>/around`, [lead, number], of how it depends on the fields around and on the condition.
 */
import { CONDITION } from "../../tasks/forecast/features.js";
import { float32 } from "../../tensor/ndarray.js";
import type { Parameters } from "../protocol/parameters.js";
import type { Prior } from "./ridge.js";
import { mapsAround, mapsPerVariable } from "./samples.js";
import type { SharedTask } from "./task.js";

/** What the names of the line's arrays begin with. */
export const LINE = "line/";

/** Where each array of the line lies among the numbers x of a site with these variables: [name, its columns]. */
function columns(task: SharedTask, variables: readonly string[], of: string): [name: string, columns: number[]][] {
  const maps = mapsPerVariable(task);
  const around = mapsAround(task) + CONDITION;
  const range = (length: number, at: (i: number) => number) => Array.from({ length }, (_, i) => at(i));
  return [
    ...variables.map((from, c): [string, number[]] => [
      `${LINE}${of}/${from}`,
      range(maps, (k) => k * variables.length + c),
    ]),
    [`${LINE}${of}/around`, range(around, (i) => maps * variables.length + i)],
  ];
}

/** Where each number x of a site with these variables lies among those of one that has all of the task's. */
export function placesAmongAll(task: SharedTask, variables: readonly string[]): number[] {
  const maps = mapsPerVariable(task);
  const all = task.variables.length;
  return Array.from({ length: maps * variables.length + mapsAround(task) + CONDITION }, (_, i) => {
    const [map, c] = [Math.floor(i / variables.length), i % variables.length];
    return map < maps ? map * all + task.variables.indexOf(variables[c]) : maps * (all - variables.length) + i;
  });
}

/** The line's arrays for a site's variables from its slopes; zeros where there are none. Float32, as all of a shared model. */
export function lineOf(task: SharedTask, variables: readonly string[], slopes?: Prior): Parameters {
  const leads = task.forecast.leads.map((_, lead) => slopes?.(lead));
  return new Map(
    variables.flatMap((variable, c) =>
      columns(task, variables, variable).map(([name, at]) => [
        name,
        float32(
          [leads.length, at.length],
          leads.flatMap((rows) => at.map((i) => rows?.[c][i] ?? 0)),
        ),
      ]),
    ),
  );
}

/** The slopes for a site's variables that a shared model's line says; undefined where it has none yet. */
export function priorOf(task: SharedTask, variables: readonly string[], model: Parameters): Prior | undefined {
  const arrays = variables.map((variable) =>
    columns(task, variables, variable).map(([name, at]) => ({ at, array: model.get(name) })),
  );
  if (!arrays.some((row) => row.some(({ array }) => array?.data.some((v) => v !== 0)))) return undefined;
  return (lead) =>
    arrays.map((row) => {
      const slopes = new Float64Array(row.reduce((sum, { at }) => sum + at.length, 0));
      for (const { at, array } of row)
        if (array) at.forEach((column, i) => (slopes[column] = array.data[lead * at.length + i]));
      return slopes;
    });
}

/** A model with the line of another. */
export const withLine = (model: Parameters, other: Parameters): Parameters =>
  new Map([...model, ...[...other].filter(([name]) => name.startsWith(LINE))]);

/** The line of a model as text, to tell lines apart. */
export const lineText = (model: Parameters): string =>
  [...model].flatMap(([name, { data }]) => (name.startsWith(LINE) ? [`${name} ${data.join()}`] : [])).join("\n");
