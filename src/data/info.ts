/**
 * What a dataset is, in one screen: `describe` gives it as data (the JSON of `foehn info --json`), `table` as text.
 *
 *     const info = await describe(dataset);
 *     console.log(table(info));
 */
import { type Calendar, formatTime } from "../earth/time.js";
import { isUnit } from "../earth/units.js";
import { identify, toCanonical } from "../earth/variables.js";
import { DataError } from "../errors.js";
import { isText } from "./cf.js";
import { direction, readCoordinate, readTimes } from "./coords.js";
import { type Dataset, type Variable } from "./dataset.js";
import { coordinateProblems, isData, type Problem, usualStep, variableProblems } from "./problems.js";
import { derivable } from "./derive.js";
import { type Sample, sampleOf } from "./sample.js";

export interface VariableInfo {
  readonly name: string;
  readonly standard_name: string | null;
  readonly units: string | null;
  readonly dims: readonly string[];
  readonly shape: readonly number[];
  /** How many values are missing among those looked at. */
  readonly missing: number;
  readonly min: number | null;
  readonly max: number | null;
  /** The catalogue's name of the quantity, and how to come to its units; null where it is not known. */
  readonly quantity: string | null;
  readonly conversion: { readonly units: string; readonly scale: number; readonly offset: number } | null;
  /** True where only some slices were looked at. */
  readonly sampled: boolean;
}

export interface DatasetInfo {
  readonly source: string;
  readonly format: string;
  readonly dims: Readonly<Record<string, number>>;
  readonly time: {
    readonly start: string;
    readonly end: string;
    readonly step: string | null;
    readonly calendar: Calendar;
  } | null;
  /** First and last value of each numeric coordinate but time. */
  readonly coordinates: Readonly<
    Record<string, { readonly first: number; readonly last: number; readonly units: string | null }>
  >;
  readonly variables: readonly VariableInfo[];
  readonly problems: readonly Problem[];
  /** What Foehn can do with it. */
  readonly uses: readonly string[];
}

/** Looks at a dataset; values are read within a bound (`maxValues` of each variable). */
export async function describe(dataset: Dataset, options: { maxValues?: number } = {}): Promise<DatasetInfo> {
  const found: Problem[] = await coordinateProblems(dataset);
  const variables: VariableInfo[] = [];
  const coordinates: Record<string, { first: number; last: number; units: string | null }> = {};
  for (const v of dataset.variables.values()) {
    if (v.name in dataset.dims && v.dims.length === 1) {
      if (!isText(v) && v.name !== "time") {
        const values = await readCoordinate(dataset, v.name);
        coordinates[v.name] = { first: values[0], last: values[values.length - 1], units: textOf(v, "units") };
      }
      continue;
    }
    // the empty carrier of a grid mapping has nothing to look at
    const isMapping =
      "grid_mapping_name" in v.attrs || "crs_wkt" in v.attrs || (v.dims.length === 0 && v.name === "crs");
    if (isMapping) continue;
    const sample = isText(v) ? undefined : await sampleOf(v, options);
    if (sample && isData(v, dataset)) found.push(...variableProblems(v, sample));
    // a single instant is told with the dimensions
    if (v.name !== "time" || v.dims.length > 0) variables.push(variableInfo(v, sample, isData(v, dataset)));
  }
  const time = await timeInfo(dataset);
  if (!time && !("time" in dataset.dims)) found.push(...unnamedTime(dataset));
  return {
    source: dataset.source,
    format: dataset.format,
    dims: dataset.dims,
    time,
    coordinates,
    variables,
    problems: found,
    uses: await usesOf(dataset, time?.step ?? null),
  };
}

/** A dimension that is time by its name, but does not say from when it counts. */
function unnamedTime(dataset: Dataset): Problem[] {
  const dim = Object.keys(dataset.dims).find((name) => /time(?!_?bnds)/i.test(name) && name !== "lead_time");
  if (dim === undefined) return [];
  return [
    {
      kind: "times",
      variable: dim,
      message: `'${dim}' does not say from when it counts; if it is time, say so: --units-are "${dim}=hours since 2000-01-01"`,
    },
  ];
}

const textOf = (v: Variable, name: string): string | null => {
  const value = v.attrs[name];
  return typeof value === "string" && value !== "" ? value : null;
};

function variableInfo(v: Variable, sample: Sample | undefined, holdsData: boolean): VariableInfo {
  const units = textOf(v, "units");
  const quantity = holdsData ? identify(v) : undefined;
  const conversion =
    quantity && units !== null && isUnit(units) ? { units: quantity.units, ...toCanonical(quantity, units) } : null;
  const number = (x: number | undefined): number | null => (x === undefined || Number.isNaN(x) ? null : x);
  return {
    name: v.name,
    standard_name: textOf(v, "standard_name"),
    units,
    dims: v.dims,
    shape: v.shape,
    missing: sample?.missing ?? 0,
    min: number(sample?.min),
    max: number(sample?.max),
    quantity: quantity?.name ?? null,
    conversion,
    sampled: sample ? !sample.whole : false,
  };
}

async function timeInfo(dataset: Dataset): Promise<DatasetInfo["time"]> {
  const v = dataset.variables.get("time");
  if (!v || isText(v)) return null;
  try {
    const { values, calendar } = await readTimes(dataset);
    if (!values.some(Number.isFinite)) return null;
    const step = usualStep(values)?.name ?? null;
    return {
      start: formatTime(values[0], calendar),
      end: formatTime(values[values.length - 1], calendar),
      step,
      calendar,
    };
  } catch (error) {
    if (error instanceof DataError) return null; // told among the problems
    throw error;
  }
}

async function usesOf(dataset: Dataset, step: string | null): Promise<string[]> {
  const has = (dim: string): boolean => dim in dataset.dims;
  const uses: string[] = [];
  const names = derivableNames(dataset);
  if (has("latitude") && has("longitude")) {
    const rows = dataset.variables.has("latitude") ? await readCoordinate(dataset, "latitude") : [];
    const inOrder = direction(rows) !== 0;
    if (has("time") && dataset.dims["time"] > 1 && step && inOrder)
      uses.push(
        `train and initialise gridded forecasts (a state every ${step})`,
        "verify forecasts of the same variables",
      );
    if (has("lead_time")) uses.push("verify as a forecast");
    if (has("member")) uses.push("verify as an ensemble");
    uses.push("regrid, downscale");
  } else if (isCurvilinear(dataset)) uses.push("regrid to rows and columns (--grid), then all that needs those");
  if (has("station") && has("time")) uses.push("train at stations, verify against them, quality control");
  if (has("station") && dataset.variables.has("latitude"))
    uses.push("interpolate between stations (--method delaunay)");
  if (has("time") && dataset.dims["time"] > 1 && step) uses.push("resample to coarser steps (--resample)");
  if (names.length > 0) uses.push(`derive ${names.join(", ")} (--derive)`);
  const formats = ["Zarr", "NetCDF", "npz"];
  if (has("latitude") && has("longitude") && has("time")) formats.push("GRIB 2");
  if (has("time") && [...dataset.variables.values()].some((v) => ["time,station", "time"].includes(v.dims.join())))
    formats.push("CSV", "Parquet");
  uses.push(`convert to ${formats.slice(0, -1).join(", ")} and ${formats.at(-1)!}`);
  return uses;
}

/** What can be derived; nothing where the dataset's names or units do not let one tell. */
function derivableNames(dataset: Dataset): string[] {
  const names = derivable(dataset);
  return names.length > 6 ? [...names.slice(0, 6), `${names.length - 6} more`] : names;
}

function isCurvilinear(dataset: Dataset): boolean {
  const [latitude, longitude] = [dataset.variables.get("latitude"), dataset.variables.get("longitude")];
  return latitude?.dims.length === 2 && longitude?.dims.join() === latitude.dims.join();
}

/** More than these are told by their number. */
const SHOWN_VARIABLES = 40;

/** The same as text of at most a screen's width. */
export function table(info: DatasetInfo): string {
  const lines = [`${info.source}   ${info.format}`];
  for (const [dim, length] of Object.entries(info.dims)) {
    const c = info.coordinates[dim];
    const span =
      dim === "time" && info.time
        ? `${minutes(info.time.start)} to ${minutes(info.time.end)}${info.time.step ? ` every ${info.time.step}` : ""}${info.time.calendar === "standard" ? "" : ` (${info.time.calendar} calendar)`}`
        : c
          ? `${degrees(c.first)} to ${degrees(c.last)}${c.units ? ` ${c.units}` : ""}`
          : "";
    lines.push(`  ${dim.padEnd(12)}${String(length).padStart(8)}   ${span}`.trimEnd());
  }
  if (info.time && !("time" in info.dims)) lines.push(`  time                   ${minutes(info.time.start)}`);
  const shownVariables = info.variables.slice(0, SHOWN_VARIABLES);
  const rows = shownVariables.map((v) => [
    v.name,
    v.units ?? "-",
    v.dims.join(" ") || "-",
    shown(v.min),
    shown(v.max),
    v.missing ? String(v.missing) : "0",
    v.quantity?.replaceAll("_", " ") ?? v.standard_name ?? "",
  ]);
  lines.push("", ...aligned([["variable", "units", "dimensions", "min", "max", "missing", "is"], ...rows]));
  if (info.variables.length > SHOWN_VARIABLES)
    lines.push(`... and ${info.variables.length - SHOWN_VARIABLES} more variables (--json lists all)`);
  if (info.variables.some((v) => v.sampled)) lines.push("(min, max and missing of evenly spaced slices)");
  lines.push("", info.problems.length ? "Problems:" : "No problems found.");
  const problems = problemLines(info);
  for (const line of problems.slice(0, 12)) lines.push(`  - ${line}`);
  if (problems.length > 12) lines.push(`  ... and ${problems.length - 12} more (--json lists all)`);
  if (info.uses.length) lines.push("", "Foehn can:", ...info.uses.map((use) => `  - ${use}`));
  return lines.join("\n");
}

/** More variables than these with the same problem are told in one line. */
const SHOWN_ALIKE = 3;

/** The problems in their order; what many variables share is told once. */
function problemLines({ problems: found, variables }: DatasetInfo): string[] {
  const alike = (kind: Problem["kind"]): Problem[] => found.filter((problem) => problem.kind === kind);
  const told = new Map<Problem["kind"], string>();
  const missing = alike("missing");
  if (missing.length > SHOWN_ALIKE) {
    const shares = variables.map((v) => ({ name: v.name, share: v.missing / v.shape.reduce((a, b) => a * b, 1) }));
    const most = shares.reduce((a, b) => (b.share > a.share ? b : a));
    told.set(
      "missing",
      `values are missing in ${missing.length} variables, most in '${most.name}' (${(100 * most.share).toPrecision(3)} %)`,
    );
  }
  const unnamed = alike("no units");
  if (unnamed.length > SHOWN_ALIKE)
    told.set(
      "no units",
      `${unnamed.length} variables have no units (${unnamed
        .slice(0, SHOWN_ALIKE)
        .map(({ variable }) => variable)
        .join(", ")}, ...); name them: ${/--units-are [^)]+/.exec(unnamed[0].message)![0]}`,
    );
  return found.flatMap(({ kind, message }) => {
    const line = told.get(kind);
    if (!told.has(kind)) return [message];
    if (line === "") return [];
    told.set(kind, "");
    return [line!];
  });
}

const minutes = (time: string): string => time.replace(/:00Z$/, "Z");
/** Without the last digits of 2.0080000000000001. */
const degrees = (x: number): number => Number(x.toPrecision(10));
const shown = (x: number | null): string => (x === null ? "-" : String(Number(x.toPrecision(6))));

/** Columns side by side; numbers (min, max, missing) to the right. */
function aligned(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0].map((_, i) => Math.min(i === 0 ? 40 : 32, Math.max(...rows.map((row) => row[i].length))));
  return rows.map((row) =>
    row
      .map((cell, i) => (i >= 3 && i <= 5 ? cell.padStart(widths[i]) : cell.slice(0, widths[i]).padEnd(widths[i])))
      .join("  ")
      .trimEnd(),
  );
}
