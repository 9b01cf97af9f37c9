/**
 * What is wrong with a dataset, each in one sentence: gaps and duplicates in time, coordinates out of order, units that do
 * not fit the values, missing and infinite values.
 */
import { type Calendar, formatTime, MS_PER_DAY, MS_PER_HOUR } from "../earth/time.js";
import { isUnit } from "../earth/units.js";
import { identify, toCanonical } from "../earth/variables.js";
import { DataError } from "../errors.js";
import { isText } from "./cf.js";
import { coordinateKind, direction, readCoordinate, readTimes } from "./coords.js";
import { type Dataset, dataVariables, type Variable } from "./dataset.js";
import { sampleOf, type Sample } from "./sample.js";

export interface Problem {
  readonly kind: "reading" | "times" | "coordinates" | "units" | "no units" | "missing" | "values";
  readonly variable: string;
  readonly message: string;
}

/** What is wrong, most basic first. Values are looked at within a bound (`maxValues` of each variable). */
export async function problems(dataset: Dataset, options: { maxValues?: number } = {}): Promise<Problem[]> {
  const found: Problem[] = [...(await coordinateProblems(dataset))];
  for (const v of dataVariables(dataset)) {
    if (!isData(v, dataset)) continue;
    found.push(...variableProblems(v, await sampleOf(v, options)));
  }
  return found;
}

/** True of what holds data: no text, no coordinate, no bounds of one, no empty carrier of a grid mapping. */
export function isData(v: Variable, dataset: Dataset): boolean {
  if (isText(v) || coordinateKind(v) !== undefined || "grid_mapping_name" in v.attrs || "crs_wkt" in v.attrs)
    return false;
  return ![...dataset.variables.values()].some(
    ({ attrs }) => attrs["bounds"] === v.name || attrs["climatology"] === v.name,
  );
}

/** What the reader had to leave out, and what is wrong with time, latitude and longitude. */
export async function coordinateProblems(dataset: Dataset): Promise<Problem[]> {
  const said = dataset.attrs["problems"];
  const fromReader = said === undefined ? [] : Array.isArray(said) ? (said as readonly string[]) : [String(said)];
  const found: Problem[] = fromReader.map((message) => ({ kind: "reading", variable: "", message }));
  const time = dataset.variables.get("time");
  if (time && !isText(time))
    try {
      const { values, calendar } = await readTimes(dataset);
      found.push(...timeProblems(values, calendar));
    } catch (error) {
      if (!(error instanceof DataError)) throw error;
      const prefix = `${dataset.source}: `;
      found.push({ kind: "times", variable: "time", message: error.message.replace(prefix, "") });
    }
  else if ("time" in dataset.dims)
    found.push({
      kind: "times",
      variable: "time",
      message: "the dimension 'time' has no coordinate, so its instants are not known",
    });
  for (const name of ["latitude", "longitude", "level"] as const) {
    const v = dataset.variables.get(name);
    if (!v || isText(v) || v.dims.length !== 1) continue;
    const values = await readCoordinate(dataset, name);
    const complain = (message: string): void => void found.push({ kind: "coordinates", variable: name, message });
    if (v.dims[0] === name && direction(values) === 0)
      complain(`${name} values neither rise nor fall throughout; sort them`);
    if (name === "latitude" && values.some((y) => Math.abs(y) > 90.001))
      complain("some latitudes lie beyond the poles");
    if (name === "longitude" && values.some((x) => x < -180.001 || x > 360.001))
      complain("some longitudes lie outside -180 to 360");
    if (values.some((x) => Number.isNaN(x))) complain(`some ${name} values are missing`);
  }
  return found;
}

/** The step most times keep. Months and years are told by their lengths in days. */
export function usualStep(times: ArrayLike<number>): { ms: number; name: string } | undefined {
  if (times.length < 2) return undefined;
  const counts = new Map<number, number>();
  for (let i = 1; i < times.length; i++)
    counts.set(times[i] - times[i - 1], (counts.get(times[i] - times[i - 1]) ?? 0) + 1);
  const [ms] = [...counts].reduce((best, each) => (each[1] > best[1] ? each : best));
  const days = ms / MS_PER_DAY;
  if (days >= 28 && days <= 31) return { ms, name: "month" };
  if (days >= 360 && days <= 366) return { ms, name: "year" };
  if (days >= 1 && Number.isInteger(days)) return { ms, name: days === 1 ? "day" : `${days} days` };
  const hours = ms / MS_PER_HOUR;
  if (hours >= 1) return { ms, name: hours === 1 ? "hour" : `${Number(hours.toFixed(3))} hours` };
  return { ms, name: `${Number((ms / 60_000).toFixed(3))} minutes` };
}

function timeProblems(times: Float64Array, calendar: Calendar): Problem[] {
  const found: Problem[] = [];
  const complain = (message: string): void => void found.push({ kind: "times", variable: "time", message });
  if (times.some((t) => Number.isNaN(t)))
    complain(`${plural(times.filter((t) => Number.isNaN(t)).length, "time")} missing`);
  const step = usualStep(times);
  if (!step) return found;
  const slack = step.name === "month" ? 3 * MS_PER_DAY : step.name === "year" ? 6 * MS_PER_DAY : 0.001 * step.ms;
  const at = { duplicate: [] as number[], backward: [] as number[], gap: [] as number[], close: [] as number[] };
  for (let i = 1; i < times.length; i++) {
    const d = times[i] - times[i - 1];
    if (d === 0) at.duplicate.push(i);
    else if (d < 0) at.backward.push(i);
    else if (d > step.ms + slack) at.gap.push(i);
    else if (d < step.ms - slack) at.close.push(i);
  }
  const show = (i: number): string => formatTime(times[i], calendar);
  if (at.duplicate.length)
    complain(`${plural(at.duplicate.length, "time")} there twice, first ${show(at.duplicate[0])}`);
  if (at.backward.length)
    complain(`times run backwards ${at.backward.length} times, first at ${show(at.backward[0])}; sort them`);
  if (at.gap.length)
    complain(
      `${at.gap.length === 1 ? "one gap" : `${at.gap.length} gaps`} in the times (step: ${step.name}), first between ${show(at.gap[0] - 1)} and ${show(at.gap[0])}`,
    );
  if (at.close.length)
    complain(`${plural(at.close.length, "step")} shorter than the usual ${step.name}, first at ${show(at.close[0])}`);
  return found;
}

const plural = (n: number, what: string): string => (n === 1 ? `one ${what} is` : `${n} ${what}s are`);

/** Units and values of one variable. */
export function variableProblems(v: Variable, { count, missing, infinite, min, max }: Sample): Problem[] {
  const found: Problem[] = [];
  const complain = (kind: Problem["kind"], message: string): void =>
    void found.push({ kind, variable: v.name, message });
  const total = count + missing;
  if (count === 0 && total > 0) complain("missing", `every value of '${v.name}' is missing`);
  else if (missing > 0)
    complain(
      "missing",
      `${((100 * missing) / total).toPrecision(3)} % of '${v.name}' is missing (${missing} of ${total} values)`,
    );
  if (infinite > 0) complain("values", `'${v.name}' has ${infinite} infinite values`);
  const units = v.attrs["units"];
  if (typeof units !== "string" || units.trim() === "") {
    if (v.dims.length > 1 && !("flag_meanings" in v.attrs))
      complain(
        "no units",
        `'${v.name}' has no units; name them (--units-are ${said(`${v.name}=${identify(v)?.units ?? "K"}`)})`,
      );
    return found;
  }
  if (!isUnit(units)) {
    if (!/since/.test(units)) complain("units", `the units '${units}' of '${v.name}' are not known`);
    return found;
  }
  const quantity = identify(v);
  if (!quantity || count === 0) return found;
  const { scale, offset } = toCanonical(quantity, units);
  const [low, high] = [min * scale + offset, max * scale + offset];
  if (low < quantity.range[0] || high > quantity.range[1])
    complain(
      "units",
      `'${v.name}' lies between ${short(min)} and ${short(max)} ${units}, which ${quantity.name.replaceAll("_", " ")} does not (${quantity.range.map((x) => short((x - offset) / scale)).join(" to ")} ${units}): wrong units or bad values`,
    );
  return found;
}

/** As a shell wants it. */
const said = (word: string): string => (word.includes(" ") ? `"${word}"` : word);
const short = (x: number): string => String(Number(x.toPrecision(4)));
