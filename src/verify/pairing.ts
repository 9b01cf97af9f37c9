/**
 * Brings a forecast and the truth together: the same grid, units and levels, and for every start and lead the truth at the valid
 * time. What cannot be compared is refused here, with what would fix it.
 */
import { canonical, ordered, readCoordinate, readLeadHours, readTimes } from "../data/coords.js";
import { type Dataset, dataVariables, type Selection, type Variable } from "../data/dataset.js";
import { formatTime, MS_PER_HOUR } from "../earth/time.js";
import { conversion, isUnit } from "../earth/units.js";
import { DataError, FoehnError } from "../errors.js";
import { sizeOf, stridesOf, toNumbers } from "../tensor/ndarray.js";
import { type Channel, channelsOf, readStates, type States } from "../tasks/series.js";
import { memoryRows, type RowMaker } from "../tensor/rows.js";
import { pairStations, type StationOptions, type StationPairing } from "./station-pairing.js";

export interface Pairing {
  readonly forecast: Dataset;
  /** Truth from the beginning of the training period to the last valid time, all compared channels. */
  readonly truth: States;
  /** In the order of the truth's channels. */
  readonly channels: readonly Channel[];
  readonly leadHours: Float64Array;
  /** Starts that have truth at the start itself and at one lead at least. */
  readonly starts: readonly Start[];
  /** Where the truth is stations: which, and how the forecast is brought to them. */
  readonly atStations?: StationPairing;
  /** Sayings about what was left out. */
  readonly notes: readonly string[];
}

export interface Start {
  /** Along the forecast's `time`. */
  readonly index: number;
  readonly time: number;
  /** Of the truth at the start. */
  readonly truthIndex: number;
  /** Of the truth at each lead; -1 where there is none. */
  readonly validIndices: Int32Array;
}

export interface PairOptions {
  readonly variables?: readonly string[];
  /** Truth is read from here on, milliseconds. */
  readonly from?: number;
  /** Where the truth is kept. */
  readonly rows?: RowMaker;
  readonly stations?: StationOptions;
}

/**
 * Pairs a forecast (time = start, lead_time, [member], [level], latitude, longitude) with truth on the same grid (time, [level],
 * latitude, longitude) or at stations (time, station), to which the forecast is then interpolated unless it lies there already.
 */
export async function pair(forecastData: Dataset, truthData: Dataset, options: PairOptions = {}): Promise<Pairing> {
  const { rows = memoryRows } = options;
  let forecast = canonical(forecastData);
  let truthSet = canonical(truthData);
  const scattered = "station" in truthSet.dims;
  requireDims(forecast, scattered);
  if ((truthSet.dims["member"] ?? 1) > 1)
    throw new DataError(
      truthSet.source,
      `it has ${truthSet.dims["member"]} members, and truth has one value at a place and time; take one member or their mean (xarray: .isel(number=0)) and give that`,
    );
  if (!scattered) [forecast, truthSet] = await sameGrid(forecast, truthSet);
  const channels = await channelsOf(forecast, options.variables ?? commonVariables(forecast, truthSet));
  for (const channel of channels) checkUnits(channel, forecast, truthSet);

  const { values: startTimes, calendar } = await readTimes(forecast);
  const leadHours = await readLeadHours(forecast);
  const truthTimes = await readTimes(truthSet);
  if (calendar !== truthTimes.calendar && !(isGregorian(calendar) && isGregorian(truthTimes.calendar)))
    throw new DataError(
      forecast.source,
      `its times are in the ${calendar} calendar, those of ${truthSet.source} in ${truthTimes.calendar}; convert one of them`,
    );
  const lastValid = Math.max(...startTimes) + Math.max(...leadHours) * MS_PER_HOUR;
  const names = channels.map((c) => c.name);
  const range = [Math.min(options.from ?? -Infinity, ...startTimes), lastValid + 1] as const;
  if (!truthTimes.values.some((t) => t >= range[0] && t < range[1])) throw noOverlap();
  const atStations = scattered
    ? await pairStations(forecast, truthSet, channels, { ...options.stations, times: range, rows })
    : undefined;
  const truth = atStations?.truth ?? (await readStates(truthSet, names, { range, rows: rows.float32 }));

  function noOverlap(): DataError {
    const span = (times: Float64Array) => `${formatTime(Math.min(...times))} to ${formatTime(Math.max(...times))}`;
    return new DataError(
      forecast.source,
      `no valid time of the forecast (starts ${span(startTimes)}, leads ${leadHours[0]} to ${leadHours[leadHours.length - 1]} h) is among the times of ${truthSet.source} (${span(truthTimes.values)}); give truth that covers the forecast's valid times`,
    );
  }

  const at = new Map(Array.from(truth.times, (time, index) => [time, index]));
  const starts: Start[] = [];
  let withoutTruth = 0;
  let withoutStart = 0;
  startTimes.forEach((time, index) => {
    const validIndices = Int32Array.from(leadHours, (lead) => at.get(Math.round(time + lead * MS_PER_HOUR)) ?? -1);
    const truthIndex = at.get(time);
    if (validIndices.every((v) => v < 0)) withoutTruth++;
    else if (truthIndex === undefined) withoutStart++;
    else starts.push({ index, time, truthIndex, validIndices });
  });
  if (starts.length === 0 && withoutStart === 0) throw noOverlap();
  if (starts.length === 0)
    throw new DataError(
      truthSet.source,
      `it has no value at any of the forecast's ${startTimes.length} start times, which persistence and the other baselines begin from; give truth that covers the starts`,
    );
  starts.sort((a, b) => a.time - b.time);
  const notes: string[] = [...(atStations?.notes ?? [])];
  if (withoutTruth)
    notes.push(`${withoutTruth} of ${startTimes.length} starts have no truth at any lead and are left out.`);
  if (withoutStart)
    notes.push(`${withoutStart} of ${startTimes.length} starts have no truth at the start itself and are left out.`);
  return { forecast, truth, channels, leadHours, starts, atStations, notes };
}

const isGregorian = (calendar: string) => calendar === "standard" || calendar === "proleptic_gregorian";

function requireDims(forecast: Dataset, scattered: boolean): void {
  const places = scattered && "station" in forecast.dims ? [] : PLACES;
  for (const [dim, what] of [
    ["time", "the start (`time` or `init_time`)"],
    ["lead_time", "the lead (`prediction_timedelta` or `lead_time`)"],
    ...places,
  ])
    if (!(dim in forecast.dims))
      throw new DataError(
        forecast.source,
        `a forecast needs a dimension for ${what}; it has ${Object.keys(forecast.dims).join(", ")}. 'foehn forecast' writes that layout`,
      );
}

const PLACES = [
  ["latitude", "`latitude`"],
  ["longitude", "`longitude`"],
];

function commonVariables(forecast: Dataset, truth: Dataset): string[] {
  const common = dataVariables(forecast)
    .filter((v) => v.dims.includes("lead_time") && truth.variables.has(v.name) && hasPlaces(v))
    .map((v) => v.name);
  if (common.length === 0)
    throw new DataError(
      forecast.source,
      `it shares no variable with ${truth.source}: ${names(forecast)} against ${names(truth)}; rename them with 'foehn convert --rename'`,
    );
  return common;
}

const hasPlaces = ({ dims }: Variable) => dims.includes("latitude") || dims.includes("station");

const names = (dataset: Dataset) =>
  dataVariables(dataset)
    .map((v) => v.name)
    .join(", ");

/** Both with the same order of rows; refuses grids that differ. */
async function sameGrid(forecast: Dataset, truth: Dataset): Promise<[Dataset, Dataset]> {
  [forecast, truth] = [await ordered(forecast, "latitude"), await ordered(truth, "latitude")];
  for (const [name, period] of [
    ["latitude", Infinity],
    ["longitude", 360],
  ] as const) {
    const [a, b] = [await readCoordinate(forecast, name), await readCoordinate(truth, name)];
    const apart = (i: number) => {
      const d = Math.abs(a[i] - b[i]) % period;
      return Math.min(d, period - d);
    };
    const differs = a.findIndex((_, i) => !(apart(i) < 1e-3));
    if (a.length !== b.length || differs >= 0)
      throw new DataError(
        forecast.source,
        `its ${name}s (${describe(a)}) are not those of ${truth.source} (${describe(b)}); bring one to the other's grid with 'foehn convert --regrid'`,
      );
  }
  return [forecast, truth];
}

const describe = (values: Float64Array) =>
  `${values.length} from ${+values[0].toFixed(4)} to ${+values[values.length - 1].toFixed(4)}`;

/** How numbers in one unit become numbers in the other; undefined where they measure different things. Texts that are no units must be equal. */
function change(a: string, b: string): { scale: number; offset: number } | undefined {
  if (a === b) return { scale: 1, offset: 0 };
  if (!isUnit(a) || !isUnit(b)) return undefined;
  try {
    return conversion(a, b);
  } catch (error) {
    if (error instanceof FoehnError) return undefined;
    throw error;
  }
}

function checkUnits({ name, variable }: Channel, forecast: Dataset, truth: Dataset): void {
  const other = truth.variables.get(variable.name);
  if (!other)
    throw new DataError(
      truth.source,
      `it has no variable '${variable.name}' to verify ${forecast.source} against; it has ${names(truth)}`,
    );
  const [a, b] = [variable.attrs["units"], other.attrs["units"]];
  if (typeof a !== "string" || typeof b !== "string") return;
  const between = change(a, b);
  if (between && Math.abs(between.scale - 1) < 1e-12 && between.offset === 0) return;
  const remedy = between
    ? `convert one with 'foehn convert --units ${variable.name}=${b}'`
    : `these measure different things: rename the variable that is another ('foehn convert --rename'), or mend its units attribute`;
  throw new DataError(forecast.source, `'${name}' is in '${a}' but in '${b}' in ${truth.source}; ${remedy}`);
}

/** Fields of a block read from a forecast: by position in the block's start, lead, member and level. */
export interface Block {
  field(lead: number, level: number, member: number): Float32Array;
}

/** Reads one variable at one start for a run of leads. Members are 1 where there is no such dimension. */
export async function readBlock(v: Variable, start: number, leads: { start: number; stop: number }): Promise<Block> {
  const selection: Selection = { time: start, lead_time: leads };
  const array = await v.read(selection);
  const dims = v.dims.filter((dim) => dim !== "time");
  const strides = stridesOf(array.shape);
  const strideOf = (dim: string) => (dims.includes(dim) ? strides[dims.indexOf(dim)] : 0);
  const sizeAlong = (dim: string) => (dims.includes(dim) ? array.shape[dims.indexOf(dim)] : 1);
  const [down, along] = dims.includes("station") ? ["", "station"] : ["latitude", "longitude"];
  const [rows, columns] = [sizeAlong(down), sizeAlong(along)];
  const numbers = toNumbers(array);
  const data = numbers instanceof Float32Array ? numbers : Float32Array.from(numbers);
  const packed = strideOf(along) === 1 && (rows === 1 || strideOf(down) === columns);
  return {
    field(lead, level, member) {
      const offset = lead * strideOf("lead_time") + level * strideOf("level") + member * strideOf("member");
      if (packed) return data.subarray(offset, offset + rows * columns);
      return Float32Array.from(
        { length: rows * columns },
        (_, i) => data[offset + Math.floor(i / columns) * strideOf(down) + (i % columns) * strideOf(along)],
      );
    },
  };
}

/** How many leads of a variable to read at once: whole chunks within `bytes`, at least one chunk. */
export function leadsPerBlock(v: Variable, bytes: number): number {
  const axis = v.dims.indexOf("lead_time");
  const perLead = 4 * sizeOf(v.shape.filter((_, i) => v.dims[i] !== "time" && v.dims[i] !== "lead_time"));
  const chunk = v.chunks?.[axis] ?? 1;
  return Math.max(chunk, Math.floor(bytes / perLead / chunk) * chunk);
}
