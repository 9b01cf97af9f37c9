/**
 * A **Series**: fields on one grid through time, in memory: what baselines are fitted to and small trainings read from.
 *
 * A channel is a variable on one level, named `air` or, with a level, `z@500`.
 *
 *     const series = await readSeries(dataset, ["air"]);
 */
import { assertOrdered, canonical, readCoordinate, readTimes } from "../data/coords.js";
import { type Dataset, dataVariables, type Variable, variable } from "../data/dataset.js";
import { type Calendar, formatTime } from "../earth/time.js";
import { DataError } from "../errors.js";
import { toNumbers } from "../tensor/ndarray.js";
import { type RowMaker, tableOver } from "../tensor/rows.js";

export interface Series {
  /** Instants, ascending, in milliseconds of `calendar`. */
  readonly times: Float64Array;
  /** [time, channel, latitude, longitude]; missing values are NaN. */
  readonly values: Float32Array;
  readonly channels: readonly string[];
  /** Of each channel, as the dataset spells them. */
  readonly units: readonly string[];
  /** Degrees, in the dataset's order. */
  readonly latitudes: Float64Array;
  readonly longitudes: Float64Array;
  readonly calendar: Calendar;
  /** Where the cells are stations, in no grid: latitudes and longitudes are theirs, one each. */
  readonly scattered?: boolean;
}

/** A series whose states lie elsewhere than in one array: a scratch file, or a network of stations. */
export interface StoredSeries extends Omit<Series, "values"> {
  /** The state at a time index, [channel, cell]; do not write into it. */
  readonly state: (index: number) => Float32Array;
}

/** Fields through time, wherever they are kept. */
export type States = Series | StoredSeries;

type Places = Pick<Series, "latitudes" | "longitudes" | "scattered">;

/** How many cells one field has: latitudes x longitudes, or stations. */
export const cellCount = ({ latitudes, longitudes, scattered }: Places): number =>
  scattered ? latitudes.length : latitudes.length * longitudes.length;

/** How many numbers one state has: channels x cells. */
export const stateSize = (series: Pick<Series, "channels"> & Places): number =>
  series.channels.length * cellCount(series);

/** The state at a time index, [channel, latitude, longitude]; do not write into it. */
export const stateAt = (series: States, index: number): Float32Array => {
  if ("state" in series) return series.state(index);
  const size = stateSize(series);
  return series.values.subarray(index * size, (index + 1) * size);
};

/** The usual spacing of the times in milliseconds (their median). Throws where there are fewer than two. */
export function stepOf(series: Pick<Series, "times">): number {
  const gaps = Array.from(series.times.subarray(1), (t, i) => t - series.times[i]).sort((a, b) => a - b);
  if (gaps.length === 0)
    throw new DataError("series", "it has fewer than two times, so no time step; give a longer one");
  return gaps[gaps.length >> 1];
}

/** One variable on one level of a dataset. */
export interface Channel {
  readonly name: string;
  readonly variable: Variable;
  /** Index along `level`, where the variable has that dimension. */
  readonly level?: number;
  readonly levelValue?: number;
}

/** The channels of a dataset with canonical dimensions that `names` ask for (`z` means all its levels, `z@500` one); without names, every variable with a time and a grid. */
export async function channelsOf(dataset: Dataset, names?: readonly string[]): Promise<Channel[]> {
  const wanted = names ?? gridded(dataset).map((v) => v.name);
  if (wanted.length === 0)
    throw new DataError(dataset.source, "no variable has the dimensions time, latitude and longitude");
  const channels: Channel[] = [];
  for (const wish of wanted) {
    const [name, at] = wish.split("@");
    const found = variable(dataset, name);
    if (!found.dims.includes("level")) {
      if (at !== undefined)
        throw new DataError(dataset.source, `variable '${name}' has no levels, so '${wish}' names none of its values`);
      channels.push({ name, variable: found });
      continue;
    }
    const levels = [...(await readCoordinate(dataset, "level"))];
    const chosen = at === undefined ? [...levels.keys()] : [levels.indexOf(Number(at))];
    if (chosen[0] === -1)
      throw new DataError(dataset.source, `variable '${name}' has no level ${at}; it has ${levels.join(", ")}`);
    for (const level of chosen)
      channels.push({ name: `${name}@${levels[level]}`, variable: found, level, levelValue: levels[level] });
  }
  return channels;
}

const gridded = (dataset: Dataset): Variable[] =>
  dataVariables(dataset).filter((v) => ["time", "latitude", "longitude"].every((dim) => v.dims.includes(dim)));

/**
 * Reads channels of a dataset into memory. `range` keeps the instants in [start, end). Throws where the times are not ascending,
 * nothing is left, or the variable does not lie on time, [level], latitude and longitude.
 */
export async function readSeries(
  dataset: Dataset,
  names?: readonly string[],
  options: { range?: readonly [number, number] } = {},
): Promise<Series> {
  let values = new Float32Array(0);
  const { state: _, ...about } = await readStates(dataset, names, {
    ...options,
    rows: (times, size) => {
      values = new Float32Array(times * size);
      return tableOver(values, times, size);
    },
  });
  return { ...about, values };
}

/** As `readSeries`, with the states kept where `rows` says: [time][channel, latitude, longitude]. */
export async function readStates(
  dataset: Dataset,
  names: readonly string[] | undefined,
  options: { range?: readonly [number, number]; rows: RowMaker["float32"] },
): Promise<StoredSeries> {
  dataset = canonical(dataset);
  const channels = await channelsOf(dataset, names);
  const latitudes = await readCoordinate(dataset, "latitude");
  const longitudes = await readCoordinate(dataset, "longitude");
  const { values: all, calendar } = await readTimes(dataset);
  assertOrdered(all, "time", dataset.source);
  const [from, to] = options.range ?? [-Infinity, Infinity];
  const start = all.findIndex((t) => t >= from);
  const stop = all.findLastIndex((t) => t < to) + 1;
  if (start < 0 || stop <= start)
    throw new DataError(
      dataset.source,
      `no time lies in the asked range; it has ${formatTime(all[0], calendar)} to ${formatTime(all[all.length - 1], calendar)}`,
    );
  const times = all.slice(start, stop);
  const cells = latitudes.length * longitudes.length;
  const states = options.rows(times.length, channels.length * cells);
  for (const [c, channel] of channels.entries())
    await readChannel(dataset, channel, start, stop, (time, field) => states.set(time - start, field, c * cells));
  const units = channels.map(({ variable: v }) => (typeof v.attrs["units"] === "string" ? v.attrs["units"] : ""));
  const about = { times, channels: channels.map((c) => c.name), units, latitudes, longitudes, calendar };
  return { ...about, state: (index) => states.get(index) };
}

/** Hands over the fields of a channel one time after the other, reading along the file's chunks. */
async function readChannel(
  dataset: Dataset,
  { variable: v, level }: Channel,
  start: number,
  stop: number,
  take: (time: number, field: Float32Array) => void,
): Promise<void> {
  const dims = v.dims.filter((dim) => dim !== "level");
  if (dims.join() !== "time,latitude,longitude")
    throw new DataError(
      dataset.source,
      `variable '${v.name}' lies on (${v.dims.join(", ")}); a series needs (time, [level], latitude, longitude)`,
    );
  const cells = v.shape[v.dims.indexOf("latitude")] * v.shape[v.dims.indexOf("longitude")];
  const chunk = v.chunks?.[v.dims.indexOf("time")] ?? 64;
  for (let from = start; from < stop;) {
    const to = Math.min(stop, (Math.floor(from / chunk) + 1) * chunk);
    const data = toNumbers(
      await v.read({ time: { start: from, stop: to }, ...(level === undefined ? {} : { level }) }),
    );
    const floats = data instanceof Float32Array ? data : Float32Array.from(data);
    for (let time = from; time < to; time++)
      take(time, floats.subarray((time - from) * cells, (time - from + 1) * cells));
    from = to;
  }
}
