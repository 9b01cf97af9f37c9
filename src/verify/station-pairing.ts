/**
 * Truth at stations: their reports after quality control, and how a forecast is brought to them. Everything done to either side is
 * said in a note.
 */
import { readCoordinate, readTimes } from "../data/coords.js";
import { type Dataset, type Variable } from "../data/dataset.js";
import { type Check, CHECKS, qualityFlags } from "../data/quality.js";
import { identify } from "../earth/variables.js";
import { DataError } from "../errors.js";
import { applyWeights } from "../earth/regrid/index.js";
import { toNumbers } from "../tensor/ndarray.js";
import type { RowMaker } from "../tensor/rows.js";
import type { Channel, StoredSeries } from "../tasks/series.js";
import { correctForElevation, LAPSE_RATE, type Station, type StationMethod, stationWeights } from "./stations.js";

export interface StationOptions {
  /** Grid to point; bilinear unless said. */
  readonly method?: StationMethod;
  /** Whether temperatures are brought from the model's height to the station's, where both are known. */
  readonly elevation?: boolean;
  /** Checks that every report must pass; all there are unless said. Its own flags are always honoured. */
  readonly checks?: readonly Check[];
  /** Lowest and highest report, in the variable's units, instead of what the catalogue of variables allows. */
  readonly range?: readonly [number, number];
  /** Reports farther than this from the forecast are taken for gross errors, in the variable's units. */
  readonly farthest?: number;
}

export interface StationPairing {
  readonly truth: StoredSeries;
  readonly stations: readonly Station[];
  /** A field of the forecast at the stations. */
  readonly toStations: (channel: number, field: Float32Array) => Float32Array;
  readonly farthest?: number;
  /** How fields came to the stations, for the report. */
  readonly words: string;
  readonly notes: readonly string[];
}

interface ReadOptions {
  /** Instants that are read, [start, end). */
  readonly times: readonly [number, number];
  readonly rows: RowMaker;
}

export async function pairStations(
  forecast: Dataset,
  truth: Dataset,
  channels: readonly Channel[],
  options: StationOptions & ReadOptions,
): Promise<StationPairing> {
  const stations = await stationsOf(truth);
  const notes: string[] = [];
  const { states, words: quality } = await readReports(truth, channels, stations.length, options);
  notes.push(...quality);
  if ("station" in forecast.dims) {
    const order = await matchStations(forecast, stations);
    const toStations = (_: number, field: Float32Array) => Float32Array.from(order, (k) => (k < 0 ? NaN : field[k]));
    const words = `${stations.length} stations; the forecast is given at the stations`;
    return { truth: seriesAt(states, stations), stations, toStations, farthest: options.farthest, words, notes };
  }
  const { method = "bilinear", elevation = true } = options;
  const grid = {
    latitudes: await readCoordinate(forecast, "latitude"),
    longitudes: await readCoordinate(forecast, "longitude"),
  };
  const weights = stationWeights(grid, stations, method);
  const ground = elevation ? await groundOf(forecast) : undefined;
  const modelHeights = ground && applyWeights(weights, ground);
  const warm = channels.map(
    ({ variable }) => /temperature/.test(identify(variable)?.name ?? "") && !variable.dims.includes("level"),
  );
  const known = stations.filter((s) => s.elevation !== undefined).length;
  const corrected = modelHeights !== undefined && known > 0 && warm.some(Boolean);
  if (warm.some(Boolean))
    notes.push(
      corrected
        ? `Temperatures are brought from the model's ground to the station's height at ${1000 * LAPSE_RATE} K a kilometre (${known} of ${stations.length} stations have one).`
        : elevation
          ? `Temperatures are not corrected for height: ${known === 0 ? "the stations have no elevation" : "the forecast has no orography"}.`
          : "Temperatures are not corrected for height, as asked.",
    );
  return {
    truth: seriesAt(states, stations),
    stations,
    farthest: options.farthest,
    words: `${stations.length} stations; ${method} interpolation from ${grid.latitudes.length} x ${grid.longitudes.length} points${corrected ? ", temperatures corrected for height" : ""}`,
    notes,
    toStations(channel, field) {
      const at = Float32Array.from(applyWeights(weights, field));
      return corrected && warm[channel] ? Float32Array.from(correctForElevation(at, modelHeights, stations)) : at;
    },
  };
}

async function stationsOf(truth: Dataset): Promise<Station[]> {
  const count = truth.dims["station"];
  const numbers = async (name: string) => {
    const v = truth.variables.get(name);
    return v && !v.readStrings && v.dims.join() === "station" ? toNumbers(await v.read()) : undefined;
  };
  const [latitudes, longitudes] = [await numbers("latitude"), await numbers("longitude")];
  if (!latitudes || !longitudes)
    throw new DataError(
      truth.source,
      "its stations have no latitude and longitude; give a table of the stations with --stations FILE",
    );
  const elevations = await numbers("elevation");
  const named = truth.variables.get("station");
  const ids = named?.readStrings
    ? await named.readStrings()
    : named && Array.from(toNumbers(await named.read()), String);
  return Array.from({ length: count }, (_, i) => ({
    id: ids?.[i] ?? `${i}`,
    latitude: latitudes[i],
    longitude: longitudes[i],
    ...(elevations && Number.isFinite(elevations[i]) ? { elevation: elevations[i] } : {}),
  }));
}

type Reports = Omit<StoredSeries, "latitudes" | "longitudes">;

const seriesAt = (reports: Reports, stations: readonly Station[]): StoredSeries => ({
  ...reports,
  latitudes: Float64Array.from(stations, (s) => s.latitude),
  longitudes: Float64Array.from(stations, (s) => s.longitude),
  scattered: true,
});

/** Reports as states [time][channel, station], what quality control refuses as NaN. */
async function readReports(
  truth: Dataset,
  channels: readonly Channel[],
  count: number,
  options: ReadOptions & Pick<StationOptions, "range" | "checks">,
): Promise<{ states: Reports; words: string[] }> {
  const { values: all, calendar } = await readTimes(truth);
  const start = all.findIndex((t) => t >= options.times[0]);
  const stop = all.findLastIndex((t) => t < options.times[1]) + 1;
  const times = all.slice(start, stop);
  const rows = options.rows.float32(times.length, channels.length * count);
  const words: string[] = [];
  const checks = Object.entries(CHECKS).filter(([check]) => options.checks?.includes(check as Check) ?? true);
  for (const [
    c,
    {
      variable: { name },
    },
  ] of channels.entries()) {
    const v = truth.variables.get(name)!;
    if (v.dims.join() !== "time,station")
      throw new DataError(truth.source, `'${name}' lies on (${v.dims.join(", ")}); reports need (time, station)`);
    const values = toNumbers(await v.read({ time: { start, stop } }));
    const own = await ownFlags(truth, v, { start, stop });
    const { flags } = await qualityFlags(truth, name, options.range ? { range: options.range } : {});
    const refused = { missing: 0, flagged: 0, ...Object.fromEntries(Object.keys(CHECKS).map((check) => [check, 0])) };
    const field = new Float32Array(count);
    for (let t = 0; t < times.length; t++) {
      for (let i = 0; i < count; i++) {
        const x = values[t * count + i];
        const bits = flags.data[(start + t) * count + i];
        const why = x !== x ? "missing" : own?.[t * count + i] ? "flagged" : checks.find(([, bit]) => bits & bit)?.[0];
        if (why) refused[why as keyof typeof refused]++;
        field[i] = why ? NaN : x;
      }
      rows.set(t, field, c * count);
    }
    const total = times.length * count;
    const { missing, ...others } = refused;
    const reasons = Object.entries(others).filter(([, n]) => n > 0);
    words.push(
      `${name}: ${total - missing} reports of ${count} stations${reasons.length ? `, of which quality control left out ${reasons.map(([why, n]) => `${n} (${WHY[why]})`).join(", ")}` : "; quality control left out none"}${own ? "" : "; they bring no flags of their own"}.`,
    );
  }
  const units = channels.map(({ variable: { name } }) => {
    const of = truth.variables.get(name)!.attrs["units"];
    return typeof of === "string" ? of : "";
  });
  return {
    states: { times, calendar, units, channels: channels.map((c) => c.name), state: (i) => rows.get(i) },
    words,
  };
}

const WHY: Readonly<Record<string, string>> = {
  flagged: "by their own flags",
  range: "out of range",
  step: "jump and back",
  persistence: "standing still",
  spatial: "no neighbour confirms",
};

/** MADIS's letters for reports that failed a check or are in question. */
const BAD_LETTERS = new Set(["X", "Q", "B"]);

/** 1 where a report's own flag speaks against it: a variable named in `ancillary_variables`, or `<name>_qc`, `<name>_flag`, `<name>DD`. */
async function ownFlags(
  dataset: Dataset,
  v: Variable,
  time: { start: number; stop: number },
): Promise<Uint8Array | undefined> {
  const ancillary = v.attrs["ancillary_variables"];
  const names = [
    ...(typeof ancillary === "string" ? ancillary.split(/\s+/) : []),
    ...["_qc", "_flag", "_quality", "DD"].map((ending) => v.name + ending),
  ];
  const flag = names.map((name) => dataset.variables.get(name)).find((found) => found?.dims.join() === "time,station");
  if (!flag) return undefined;
  if (flag.readStrings)
    return Uint8Array.from(await flag.readStrings({ time }), (letter) => Number(BAD_LETTERS.has(letter.trim())));
  return Uint8Array.from(toNumbers(await flag.read({ time })), (x) => Number(x !== 0 && x === x));
}

/** Model ground in metres [latitude, longitude], where the forecast's file has it. */
async function groundOf(forecast: Dataset): Promise<Float32Array | undefined> {
  for (const v of forecast.variables.values()) {
    if (v.readStrings || v.dims.join() !== "latitude,longitude") continue;
    const name = identify(v)?.name;
    if (name !== "orography" && name !== "geopotential_at_surface") continue;
    return Float32Array.from(toNumbers(await v.read()), (x) => (name === "orography" ? x : x / 9.80665));
  }
  return undefined;
}

/** For each station of the truth, its place among the forecast's; -1 where it has none. */
async function matchStations(forecast: Dataset, stations: readonly Station[]): Promise<Int32Array> {
  const theirs = await stationsOf(forecast);
  const at = new Map(theirs.map((s, i) => [s.id, i]));
  const order = Int32Array.from(stations, (s) => at.get(s.id) ?? -1);
  if (order.every((k) => k < 0))
    throw new DataError(
      forecast.source,
      `none of its ${theirs.length} stations (${theirs[0]?.id}, ...) is among those of the truth (${stations[0]?.id}, ...); name them alike`,
    );
  return order;
}
