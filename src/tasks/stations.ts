/**
 * A station is a grid of one point: each station of a dataset on (time, station) becomes a `Series` of one latitude and one
 * longitude, on a regular time axis, missing reports as NaN. Whatever trains on maps then trains on stations.
 *
 *     const stations = await readStations(await openDataset("obs.csv", { table: { stations: "stations.csv" } }));
 */
import { canonical, readTimes } from "../data/coords.js";
import { type Dataset, dataVariables, type Variable } from "../data/dataset.js";
import { DataError } from "../errors.js";
import { toNumbers } from "../tensor/ndarray.js";
import { type Series, stepOf } from "./series.js";

export interface StationSeries {
  readonly station: string;
  readonly series: Series;
}

/** Whether a dataset holds reports of stations. */
export const hasStations = (dataset: Dataset): boolean =>
  stationVariables(dataset).length > 0 && dataset.dims["station"] !== undefined;

/** Variables on time and station that hold numbers. */
export const stationVariables = (dataset: Dataset): Variable[] =>
  dataVariables(dataset).filter((v) => v.dims.join() === "time,station" && !v.readStrings);

/**
 * The stations of a dataset, each with the named variables (all where left out). Throws DataError where a variable is missing or
 * the stations have no places.
 */
export async function readStations(dataset: Dataset, names?: readonly string[]): Promise<StationSeries[]> {
  dataset = canonical(dataset);
  const all = stationVariables(dataset);
  const chosen = (names ?? all.map((v) => v.name)).map((name) => {
    const found = all.find((v) => v.name === name);
    if (!found)
      throw new DataError(
        dataset.source,
        `there is no '${name}' on time and station; it has ${all.map((v) => v.name).join(", ") || "none"}`,
      );
    return found;
  });
  const { values: times, calendar } = await readTimes(dataset);
  const step = stepOf({ times });
  const count = Math.round((times[times.length - 1] - times[0]) / step) + 1;
  const regular = Float64Array.from({ length: count }, (_, i) => times[0] + i * step);
  const places = await readPlaces(dataset);
  const stations = await readNames(dataset, places.latitudes.length);
  const columns: Float64Array[] = [];
  for (const v of chosen) columns.push(Float64Array.from(toNumbers(await v.read())));
  const units = chosen.map((v) => (typeof v.attrs["units"] === "string" ? v.attrs["units"] : ""));
  return stations.map((station, s) => {
    const values = new Float32Array(count * chosen.length).fill(NaN);
    times.forEach((time, t) => {
      const at = (time - times[0]) / step;
      if (!Number.isInteger(at)) return; // a report between two times of the axis belongs to none
      columns.forEach((column, c) => (values[at * chosen.length + c] = column[t * stations.length + s]));
    });
    const series: Series = {
      times: regular,
      values,
      channels: chosen.map((v) => v.name),
      units,
      latitudes: places.latitudes.subarray(s, s + 1),
      longitudes: places.longitudes.subarray(s, s + 1),
      calendar,
    };
    return { station, series };
  });
}

async function readPlaces(dataset: Dataset): Promise<{ latitudes: Float64Array; longitudes: Float64Array }> {
  const [latitude, longitude] = ["latitude", "longitude"].map((name) => dataset.variables.get(name));
  if (!latitude || !longitude)
    throw new DataError(
      dataset.source,
      "it does not say where its stations are; name a table of stations with latitude and longitude (--stations)",
    );
  const read = async (v: Variable) => Float64Array.from(toNumbers(await v.read()));
  return { latitudes: await read(latitude), longitudes: await read(longitude) };
}

/** The names of the stations; their numbers where they have none. */
async function readNames(dataset: Dataset, count: number): Promise<string[]> {
  const names = dataset.variables.get("station");
  if (!names) return Array.from({ length: count }, (_, i) => `${i}`);
  return names.readStrings ? names.readStrings() : Array.from(toNumbers(await names.read()), String);
}
