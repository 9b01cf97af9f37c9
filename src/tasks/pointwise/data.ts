/**
 * Gridded fields and stations of one period, side by side. Stations stand in a column: their series has one row a station and a single
 * column, so that what is fitted to grids (climatology, deviations, damping) is fitted to each station; where they really are is in
 * `Places`.
 */
import { canonical } from "../../data/coords.js";
import type { Dataset } from "../../data/dataset.js";
import { DataError } from "../../errors.js";
import { toNumbers } from "../../tensor/ndarray.js";
import { fitNormaliser, type Normaliser } from "../forecast/normaliser.js";
import { resolvePeriods } from "../forecast/periods.js";
import type { StaticMaps } from "../forecast/statics.js";
import { type Series, stateAt, stepOf } from "../series.js";
import { readStations } from "../stations.js";
import type { PointwiseRunConfig } from "./config.js";

/** Where stations are. */
export interface Places {
  readonly names: readonly string[];
  /** Degrees. */
  readonly latitudes: Float64Array;
  readonly longitudes: Float64Array;
  /** Metres above the sea. */
  readonly elevations: Float64Array;
}

export interface StationsData {
  /** [time, channel, station, 1]; missing reports are NaN. */
  readonly series: Series;
  readonly places: Places;
}

/** The named variables of a dataset's stations (all where none is named). Throws DataError where a station has no place or elevation. */
export async function readStationsData(given: Dataset, variables: readonly string[]): Promise<StationsData> {
  const dataset = canonical(given);
  const all = await readStations(dataset, variables.length > 0 ? variables : undefined);
  const found = dataset.variables.get("elevation");
  const elevations = found && Float64Array.from(toNumbers(await found.read()));
  const bad = elevations ? elevations.findIndex((v) => !Number.isFinite(v)) : 0;
  if (!elevations || bad >= 0)
    throw new DataError(
      dataset.source,
      `station '${all[bad].station}' has no elevation, by which the model knows places; add a variable 'elevation' in metres, or a table of stations that has it (data.stations.table)`,
    );
  const [{ series: first }] = all;
  const [times, channels, stations] = [first.times.length, first.channels.length, all.length];
  const values = new Float32Array(times * channels * stations);
  all.forEach(({ series }, s) => {
    for (let i = 0; i < times * channels; i++) values[i * stations + s] = series.values[i];
  });
  const latitudes = Float64Array.from(all, ({ series }) => series.latitudes[0]);
  return {
    series: { ...first, values, latitudes, longitudes: Float64Array.of(0) },
    places: {
      names: all.map(({ station }) => station),
      latitudes,
      longitudes: Float64Array.from(all, ({ series }) => series.longitudes[0]),
      elevations,
    },
  };
}

/** The index of the stations' state at each time of the grid; -1 where there is none. Throws where the two have other steps or no time in common. */
export function stationTimes(grid: Series, stations: Series, source: string): Int32Array {
  const [step, own] = [stepOf(grid), stepOf(stations)].map((ms) => ms / 3_600_000);
  if (step !== own)
    throw new DataError(
      source,
      `its stations report every ${own} h, but the gridded data has a state every ${step} h; bring both to one step with 'foehn convert --resample'`,
    );
  const index = new Map(Array.from(stations.times, (time, i) => [time, i]));
  const out = Int32Array.from(grid.times, (time) => index.get(time) ?? -1);
  if (out.every((i) => i < 0))
    throw new DataError(source, "its stations report at none of the gridded data's times; name data of one period");
  return out;
}

/** What the model knows of grid and stations before it learns, both of the training period alone. */
export function normalisersFor(
  grid: Series,
  stations: Series,
  config: PointwiseRunConfig,
  statics: StaticMaps | undefined,
): { grid: Normaliser; stations: Normaliser } {
  const options = {
    trainRange: resolvePeriods(grid, config).train,
    step: stepOf(grid),
    leadSteps: Math.round((config.forecast.maxLead * 3_600_000) / stepOf(grid)),
    firstGuess: "damped-anomaly" as const,
    annualHarmonics: config.forecast.annualHarmonics,
  };
  refuseSilent(stations, options.trainRange, config.data.stations.path);
  return {
    grid: { ...fitNormaliser(grid, options), statics },
    stations: fitNormaliser(stations, { ...options, missing: "skip" }),
  };
}

/** A station without a report in the training period has no climate to depart from. */
function refuseSilent(series: Series, [from, to]: readonly [number, number], source: string): void {
  const inside = [...series.times.keys()].filter((t) => series.times[t] >= from && series.times[t] < to);
  const stations = series.latitudes.length;
  for (let p = 0; p < series.channels.length * stations; p++)
    if (inside.every((t) => Number.isNaN(stateAt(series, t)[p])))
      throw new DataError(
        source,
        `station number ${(p % stations) + 1} has no report of '${series.channels[Math.floor(p / stations)]}' in the training period; leave that station or variable out ('foehn convert')`,
      );
}
