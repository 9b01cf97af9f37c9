/**
 * Coarse and fine fields of the same times, in memory: what a downscaling model is trained and tested on. The coarse ones are
 * given, or made from the fine ones by area means over any number of rows and columns.
 */
import type { Dataset } from "../../data/dataset.js";
import { indicesInSpan } from "../../data/subset.js";
import { type Calendar, formatTime, MS_PER_HOUR } from "../../earth/time.js";
import { applyWeights, type RectilinearGrid, regridWeights } from "../../earth/regrid/index.js";
import { rectilinear } from "../../earth/regrid/index.js";
import { DataError, UsageError } from "../../errors.js";
import type { DownscaleConfig } from "./config.js";
import { type FieldGrid, openFields, readMaps } from "./fields.js";
import { coarsened, coarseGrid, interpolate, placesIn } from "./places.js";

/** Coarse fields on one grid. */
export interface CoarseSet {
  readonly grid: RectilinearGrid;
  /** [time, predictor, row, column]. */
  readonly values: Float32Array;
}

export interface Pairs {
  /** Of the fine fields. */
  readonly times: Float64Array;
  readonly calendar: Calendar;
  readonly grid: FieldGrid;
  readonly targets: readonly string[];
  readonly targetUnits: readonly string[];
  /** [time, target, row, column]; missing values are NaN. */
  readonly fine: Float32Array;
  readonly predictors: readonly string[];
  readonly predictorUnits: readonly string[];
  /** One, or one for each pair of factors. */
  readonly coarse: readonly CoarseSet[];
  readonly maps: readonly string[];
  /** [map, row, column]. */
  readonly mapValues: Float32Array;
}

export const cellsOf = ({ grid }: Pick<Pairs, "grid">): number => grid.rows * grid.columns;

/** The fine fields at a time index, [target, row, column], a view. */
export function fineAt(pairs: Pairs, time: number): Float32Array {
  const size = pairs.targets.length * cellsOf(pairs);
  return pairs.fine.subarray(time * size, (time + 1) * size);
}

/** The coarse fields of a set at a time index, [predictor, row, column], a view. */
export function coarseAt(
  { predictors }: Pick<Pairs, "predictors">,
  { grid, values }: CoarseSet,
  time: number,
): Float32Array {
  const size = predictors.length * grid.latitudes.length * grid.longitudes.length;
  return values.subarray(time * size, (time + 1) * size);
}

/** Reads what a configuration names. `open` opens a path; datasets are closed again. */
export async function readPairs({ data }: DownscaleConfig, open: (path: string) => Promise<Dataset>): Promise<Pairs> {
  if ((data.coarse.length === 0) === (data.factors.length === 0))
    throw new UsageError(
      "name either data.coarse (fields to start from) or data.factors (how far the fine fields are made coarse), not both",
    );
  const { accumulated } = data;
  const within = async <T>(path: string, use: (dataset: Dataset) => Promise<T>): Promise<T> => {
    const dataset = await open(path);
    try {
      return await use(dataset);
    } finally {
      await dataset.close();
    }
  };
  const read = (path: string, variables: readonly string[]) =>
    within(path, async (dataset) => {
      const source = await openFields(dataset, variables, { accumulated });
      return { ...source, values: await source.read(0, source.times.length) };
    });
  const fine = await read(data.fine.path, data.fine.variables);
  const given = [];
  for (const { path, variables } of data.coarse) given.push(await read(path, variables));
  const maps = [];
  for (const { path, variables } of data.static)
    maps.push(await within(path, async (dataset) => onGrid(await readMaps(dataset, variables), fine.grid, path)));

  // Times that all have
  const at = given.map(({ times }) => new Map(Array.from(times, (t, i) => [t - data.offset * MS_PER_HOUR, i])));
  const kept = [...fine.times.keys()].filter((i) => at.every((times) => times.has(fine.times[i])));
  if (kept.length === 0)
    throw new DataError(
      data.fine.path,
      `its times (from ${formatTime(fine.times[0], fine.calendar)}) are not those of the coarse fields (from ${formatTime(given[0].times[0], given[0].calendar)}) less data.offset = ${data.offset} h; set data.offset`,
    );
  const taken = (values: Float32Array, count: number, indices: readonly number[]): Float32Array => {
    const size = values.length / count;
    const out = new Float32Array(indices.length * size);
    indices.forEach((from, to) => out.set(values.subarray(from * size, (from + 1) * size), to * size));
    return out;
  };
  const fineValues = taken(fine.values, fine.times.length, kept);
  const times = Float64Array.from(kept, (i) => fine.times[i]);
  const common = {
    times,
    calendar: fine.calendar,
    grid: fine.grid,
    targets: fine.names,
    targetUnits: fine.units,
    fine: fineValues,
    maps: maps.flatMap((m) => m.names),
    mapValues: joined(maps.map((m) => m.values)),
  };
  if (given.length === 0)
    return {
      ...common,
      predictors: fine.names,
      predictorUnits: fine.units,
      coarse: data.factors.map(([rows, columns]) => areaMeans(fineValues, fine.grid, rows, columns)),
    };
  const grid = coarseGrid(given[0].grid, given[0].source);
  for (const { source, grid: other } of given)
    if (!sameAxes(coarseGrid(other, source), grid))
      throw new DataError(
        source,
        `its grid is not that of ${given[0].source}; bring it there with 'foehn convert --like'`,
      );
  const parts = given.map((g, k) =>
    taken(
      g.values,
      g.times.length,
      kept.map((i) => at[k].get(fine.times[i])!),
    ),
  );
  return {
    ...common,
    predictors: given.flatMap((g) => g.names),
    predictorUnits: given.flatMap((g) => g.units),
    coarse: [{ grid, values: interleaved(parts, times.length) }],
  };
}

/** The fields' means over `rows` x `columns` cells. */
export function areaMeans(values: Float32Array, grid: FieldGrid, rows: number, columns: number): CoarseSet {
  const coarse = coarsened(grid, rows, columns);
  const weights = regridWeights(rectilinear(grid.latitudes, grid.longitudes), coarse, "conservative");
  return { grid: coarse, values: applyWeights(weights, values) };
}

/** Maps brought to the fine grid where they lie on another. */
export function onGrid(
  { names, grid, values }: { names: string[]; grid: FieldGrid; values: Float32Array },
  fine: FieldGrid,
  source: string,
): { names: string[]; values: Float32Array } {
  const cells = fine.rows * fine.columns;
  if (sameGrid(grid, fine)) return { names, values };
  const own = coarseGrid(grid, source);
  const places = placesIn(own, fine);
  const size = grid.rows * grid.columns;
  const out = new Float32Array(names.length * cells);
  names.forEach((_, k) => interpolate(places, values.subarray(k * size, (k + 1) * size), out, k * cells));
  return { names, values: out };
}

const close = (a: Float64Array, b: Float64Array): boolean =>
  a.length === b.length && a.every((v, i) => Math.abs(v - b[i]) < 1e-4);
export const sameAxes = (a: RectilinearGrid, b: RectilinearGrid): boolean =>
  close(a.latitudes, b.latitudes) && close(a.longitudes, b.longitudes);
export const sameGrid = (a: FieldGrid, b: FieldGrid): boolean =>
  a.axes === b.axes && close(a.latitudes, b.latitudes) && close(a.longitudes, b.longitudes);

export function joined(parts: readonly Float32Array[]): Float32Array {
  const out = new Float32Array(parts.reduce((sum, p) => sum + p.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** Blocks of each time side by side: [time, a..., b...]. */
function interleaved(parts: readonly Float32Array[], times: number): Float32Array {
  if (parts.length === 1) return parts[0];
  return joined(
    Array.from({ length: times }, (_, t) =>
      parts.map((p) => p.subarray((t * p.length) / times, ((t + 1) * p.length) / times)),
    ).flat(),
  );
}

export interface Split {
  readonly train: readonly number[];
  readonly validation: readonly number[];
  readonly test: readonly number[];
}

/**
 * Indices of the periods that a configuration names, or of 70, 10 and 20 parts of the record. Of validation and test, times
 * within the gap of a training time are left out, and of the test those within it of the validation.
 */
export function splitOf({ times, calendar }: Pick<Pairs, "times" | "calendar">, { data }: DownscaleConfig): Split {
  const named = [data.train, data.validation, data.test].filter((p) => p !== undefined).length;
  if (named !== 0 && named !== 3)
    throw new UsageError("name all three of data.train, data.validation and data.test, or none of them");
  const part = (from: number, to: number): [string, string] => [
    formatTime(times[Math.floor(from * times.length)], calendar),
    formatTime(times[Math.floor(to * times.length) - 1], calendar),
  ];
  const before: number[] = [];
  const indices = (name: string, given: Periods): number[] => {
    const spans = (typeof given[0] === "string" ? [given] : given) as readonly (readonly [string, string])[];
    const inside = new Set(spans.flatMap(([start, end]) => indicesInSpan(times, { start, end }, calendar)));
    const twice = before.find((i) => inside.has(i));
    if (twice !== undefined)
      throw new UsageError(
        `data.${name} holds ${formatTime(times[twice], calendar)}, which an earlier period has already`,
      );
    const apart = (i: number) => before.every((j) => Math.abs(times[i] - times[j]) > data.gap * MS_PER_HOUR);
    const kept = [...inside].filter((i) => data.gap === 0 || apart(i)).sort((a, b) => a - b);
    if (kept.length === 0)
      throw new UsageError(
        `no time lies in data.${name} (with a gap of ${data.gap} h to those before it); the data have ${formatTime(times[0], calendar)} to ${formatTime(times[times.length - 1], calendar)}`,
      );
    before.push(...kept);
    return kept;
  };
  return {
    train: indices("train", data.train ?? part(0, 0.7)),
    validation: indices("validation", data.validation ?? part(0.7, 0.8)),
    test: indices("test", data.test ?? part(0.8, 1)),
  };
}

type Periods = NonNullable<DownscaleConfig["data"]["train"]>;

/** Times that a run learns from: cross-fitted, those of the validation too. */
export const learntTimes = ({ train, validation }: Split, { training }: DownscaleConfig): readonly number[] =>
  training.crossFit ? [...train, ...validation].sort((a, b) => a - b) : train;

/** What one of the run's networks (from 1) learns from and is chosen on. */
export function memberSplit(split: Split, config: DownscaleConfig, member: number): Omit<Split, "test"> {
  const { seeds, crossFit } = config.training;
  if (!crossFit) return split;
  if (seeds < 2)
    throw new UsageError("training.crossFit leaves another part out for each network; set training.seeds to 2 or more");
  if (config.downscale.localClimate)
    throw new UsageError(
      "training.crossFit: each cell's own climate would know the times that are left out; set downscale.localClimate to false",
    );
  const all = learntTimes(split, config);
  const isOut = (k: number) => Math.floor((k * seeds) / all.length) === member - 1;
  return { train: all.filter((_, k) => !isOut(k)), validation: all.filter((_, k) => isOut(k)) };
}
