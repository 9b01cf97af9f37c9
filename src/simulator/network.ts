/**
 * A synthetic observing network: stations placed in a simulated world, each with its flaws, shared out among owners. What ten
 * more stations would bring is then a question with an answer.
 *
 *     const network = observingNetwork({ count: 40, density: "population", owners: ["met office", "roads"], seed: 1 });
 *     const observations = await observe(dataset, network, { seed: 1 });
 */
import { type Dataset, memoryDataset, type MemoryVariable, type Variable, variable } from "../data/dataset.js";
import { DataError, UsageError } from "../errors.js";
import { type NdArray, ndarray, toNumbers } from "../tensor/ndarray.js";
import { type Random, random } from "../tensor/random.js";
import { EARTH } from "./planet.js";
import { LAPSE_RATE } from "./pressure-levels.js";

export interface Station {
  readonly name: string;
  /** Degrees; longitude 0 to 360. */
  readonly latitude: number;
  readonly longitude: number;
  /** Metres by which the station stands above the model's ground. */
  readonly elevationMismatch: number;
  readonly owner: string;
  /** Constant error of each variable, in its units. */
  readonly bias: Readonly<Record<string, number>>;
}

/** Standard deviations of what goes wrong, by variable, in its units. */
export interface Flaws {
  /** Of every single reading. */
  readonly noise: Readonly<Record<string, number>>;
  /** Among stations, constant in time. */
  readonly bias: Readonly<Record<string, number>>;
  /** Of elevation against the model's ground, m. */
  readonly elevation: number;
  /** Share of time in outages, and their mean length in output times. */
  readonly gaps: { readonly share: number; readonly length: number };
  /** Share of readings that are grossly wrong, and by how many times the noise. */
  readonly outliers: { readonly share: number; readonly size: number };
}

/** WMO-No. 8 (Guide to Instruments), annex 1.A, operational uncertainties: 0.2 K, 0.5 m/s, 0.15 hPa; outages and outliers as commonly met. */
export const USUAL_FLAWS: Flaws = {
  noise: {
    "2m_temperature": 0.2,
    "10m_u_component_of_wind": 0.5,
    "10m_v_component_of_wind": 0.5,
    mean_sea_level_pressure: 15,
  },
  bias: {
    "2m_temperature": 0.3,
    "10m_u_component_of_wind": 0.3,
    "10m_v_component_of_wind": 0.3,
    mean_sea_level_pressure: 20,
  },
  elevation: 80,
  gaps: { share: 0.03, length: 8 },
  outliers: { share: 0.001, size: 30 },
};

export interface NetworkOptions {
  readonly count: number;
  readonly seed: number;
  /** Even over the sphere, clustered like people, or a weight (>= 0, at most 1) of latitude and longitude in degrees. */
  readonly density?: "uniform" | "population" | ((latitude: number, longitude: number) => number);
  /** South, north, west and east edges, degrees. */
  readonly region?: readonly [south: number, north: number, west: number, east: number];
  readonly owners?: readonly string[];
  readonly flaws?: Flaws;
}

/** Where people cluster in this world: centres of weight, degrees. */
const TOWNS = [
  [50, 8],
  [28, 78],
  [33, 113],
  [40, 280],
  [-23, 313],
  [7, 5],
  [36, 138],
  [-34, 150],
] as const;

const population = (latitude: number, longitude: number): number => {
  let weight = 0.03;
  for (const [lat, lon] of TOWNS) {
    const dx = (((longitude - lon + 540) % 360) - 180) * Math.cos((latitude * Math.PI) / 180);
    weight += Math.exp(-((latitude - lat) ** 2 + dx ** 2) / (2 * 9 ** 2));
  }
  return Math.min(1, weight);
};

/** A density from weights on a regular grid [latitude][longitude]: the nearest point's, over the greatest; `source` names it in errors. */
export function densityFrom(
  grid: { latitudes: NdArray; longitudes: NdArray; weights: NdArray },
  source: string,
): (latitude: number, longitude: number) => number {
  const [latitudes, longitudes, weights] = [grid.latitudes, grid.longitudes, grid.weights].map((array) =>
    Float64Array.from(toNumbers(array)),
  );
  const bad = weights.findIndex((w) => w < 0);
  if (bad >= 0)
    throw new DataError(
      source,
      `its weight number ${bad + 1} is ${weights[bad]}: a density needs weights of 0 and more`,
    );
  const most = weights.reduce((a, b) => (b > a ? b : a), 0); // past missing values
  if (!(most > 0)) throw new DataError(source, "no weight is above 0: a density needs some that are");
  const nearestTo = (values: ArrayLike<number>, wanted: number, circle: number): number => {
    let best = 0;
    const distance = (i: number): number => {
      const d = Math.abs(values[i] - wanted) % circle;
      return Math.min(d, circle - d);
    };
    for (let i = 1; i < values.length; i++) if (distance(i) < distance(best)) best = i;
    return best;
  };
  return (latitude, longitude) => {
    const w = weights[nearestTo(latitudes, latitude, 1e9) * longitudes.length + nearestTo(longitudes, longitude, 360)];
    return w > 0 ? w / most : 0; // a missing weight is none
  };
}

/** Draws a network; the same seed gives the same stations. */
export function observingNetwork(options: NetworkOptions): Station[] {
  const {
    count,
    seed,
    density = "uniform",
    region = [-90, 90, 0, 360],
    owners = ["owner 1"],
    flaws = USUAL_FLAWS,
  } = options;
  if (!Number.isInteger(count) || count < 1)
    throw new UsageError(`a network of ${count} stations: give a whole number from 1`);
  if (owners.length === 0) throw new UsageError("a network needs at least one owner: give their names");
  const [south, north, west, east] = region;
  if (!(south < north && south >= -90 && north <= 90 && west < east))
    throw new UsageError(`region [${region.join(", ")}] is none: give south < north and west < east in degrees`);
  const draw = random(seed).split("network");
  const weight = density === "uniform" ? () => 1 : density === "population" ? population : density;
  const [low, high] = [south, north].map((degrees) => Math.sin((degrees * Math.PI) / 180));
  const stations: Station[] = [];
  let tried = 0;
  while (stations.length < count) {
    if (++tried > 100_000 * count)
      throw new UsageError(
        `the density leaves no room for ${count} stations: make it greater than 0 somewhere in the region`,
      );
    const latitude = (Math.asin(low + (high - low) * draw.uniform()) * 180) / Math.PI;
    const longitude = (west + (east - west) * draw.uniform() + 360) % 360;
    if (draw.uniform() >= weight(latitude, longitude)) continue;
    const i = stations.length;
    stations.push({
      name: `S${String(i + 1).padStart(4, "0")}`,
      latitude,
      longitude,
      elevationMismatch: flaws.elevation * draw.normal(),
      owner: owners[draw.integer(owners.length)],
      bias: Object.fromEntries(Object.entries(flaws.bias).map(([name, sd]) => [name, sd * draw.normal()])),
    });
  }
  return stations;
}

/** Four grid points around a station and their weights. */
interface Neighbours {
  readonly rows: readonly [number, number];
  readonly columns: readonly [number, number];
  readonly south: number;
  readonly east: number;
}

function neighbours(latitudes: ArrayLike<number>, longitudes: ArrayLike<number>, station: Station): Neighbours {
  const nlat = latitudes.length;
  const nlon = longitudes.length;
  const down = latitudes[0] > latitudes[nlat - 1];
  let row = 0;
  while (row < nlat - 2 && (down ? latitudes[row + 1] > station.latitude : latitudes[row + 1] < station.latitude))
    row++;
  const share = (station.latitude - latitudes[row]) / (latitudes[row + 1] - latitudes[row]);
  const spacing = 360 / nlon;
  const x = ((station.longitude - longitudes[0] + 360) % 360) / spacing;
  const column = Math.floor(x) % nlon;
  return {
    rows: [row, row + 1],
    columns: [column, (column + 1) % nlon],
    south: Math.min(1, Math.max(0, share)), // beyond the last latitude: its value
    east: x - Math.floor(x),
  };
}

/** What the stations report of a dataset's surface fields on a global grid: [time, station] in the variables' own units. */
export async function observe(
  world: Dataset,
  stations: readonly Station[],
  options: { seed: number; variables?: readonly string[]; flaws?: Flaws },
): Promise<Dataset> {
  const { seed, flaws = USUAL_FLAWS } = options;
  const names = options.variables ?? Object.keys(flaws.noise).filter((name) => world.variables.has(name));
  const latitudes = toNumbers(await variable(world, "latitude").read());
  const longitudes = toNumbers(await variable(world, "longitude").read());
  const time = variable(world, "time");
  const around = stations.map((station) => neighbours(latitudes, longitudes, station));
  const out: Record<string, MemoryVariable> = {
    time: { dims: ["time"], data: await time.read(), attrs: time.attrs },
  };
  const draw = random(seed).split("observations");
  for (const name of names) {
    const source = variable(world, name);
    const data = await readAt(source, around, longitudes.length);
    const times = data.length / stations.length;
    stations.forEach((station, s) => {
      const rand = draw.split(`${name} ${station.name}`);
      const missing = outages(rand, times, flaws);
      const shift =
        (station.bias[name] ?? 0) - (name === "2m_temperature" ? LAPSE_RATE * station.elevationMismatch : 0);
      for (let t = 0; t < times; t++) {
        const gross = rand.uniform() < flaws.outliers.share ? flaws.outliers.size : 0;
        const error = (flaws.noise[name] ?? 0) * (rand.normal() + gross * rand.normal());
        const at = t * stations.length + s;
        data[at] = missing[t] ? Number.NaN : data[at] + shift + error;
      }
    });
    out[name] = {
      dims: ["time", "station"],
      data: ndarray("float32", [times, stations.length], data),
      attrs: source.attrs,
    };
  }
  const owners = [...new Set(stations.map((s) => s.owner))];
  const ground = world.variables.get("geopotential_at_surface");
  const heights = ground ? heightsAt(toNumbers(await ground.read()), around, longitudes.length) : undefined;
  const perStation = (values: readonly number[], attrs: Record<string, string>): MemoryVariable => ({
    dims: ["station"],
    data: ndarray("float64", [stations.length], Float64Array.from(values)),
    attrs,
  });
  return memoryDataset(
    {
      ...out,
      latitude: perStation(
        stations.map((s) => s.latitude),
        { standard_name: "latitude", units: "degrees_north" },
      ),
      longitude: perStation(
        stations.map((s) => s.longitude),
        { standard_name: "longitude", units: "degrees_east" },
      ),
      ...(heights
        ? {
            elevation: perStation(
              stations.map((s, i) => heights[i] + s.elevationMismatch),
              { standard_name: "surface_altitude", long_name: "height of the station above sea level", units: "m" },
            ),
          }
        : {}),
      elevation_mismatch: perStation(
        stations.map((s) => s.elevationMismatch),
        { long_name: "height of the station above the model's ground", units: "m" },
      ),
      owner: perStation(
        stations.map((s) => owners.indexOf(s.owner)),
        { long_name: "owner", flag_meanings: owners.map((o) => o.replaceAll(" ", "_")).join(" ") },
      ),
    },
    { source: `observations of ${world.source}`, attrs: { Conventions: "CF-1.11", featureType: "timeSeries" } },
  );
}

/** Bilinear value of a field at one place. */
function valueAt(field: ArrayLike<number>, { rows, columns, south, east }: Neighbours, nlon: number): number {
  const along = (row: number): number =>
    field[row * nlon + columns[0]] * (1 - east) + field[row * nlon + columns[1]] * east;
  return along(rows[0]) * (1 - south) + along(rows[1]) * south;
}

/** Heights (m) of the model's ground under the stations. */
const heightsAt = (geopotential: ArrayLike<number>, around: readonly Neighbours[], nlon: number): number[] =>
  around.map((place) => valueAt(geopotential, place, nlon) / EARTH.gravity);

/** Bilinear values [time][station]. */
async function readAt(source: Variable, around: readonly Neighbours[], nlon: number): Promise<Float32Array> {
  if (source.dims.join() !== "time,latitude,longitude")
    throw new UsageError(
      `stations report surface fields (time, latitude, longitude), but '${source.name}' has (${source.dims.join(", ")})`,
    );
  const [times, nlat] = source.shape;
  const out = new Float32Array(times * around.length);
  for (let t = 0; t < times; t++) {
    const field = toNumbers(await source.read({ time: t }));
    if (field.length !== nlat * nlon) throw new UsageError(`'${source.name}' is not on the grid of its coordinates`);
    around.forEach((place, s) => (out[t * around.length + s] = valueAt(field, place, nlon)));
  }
  return out;
}

/** Outages as a chain of two states with the given share and mean length. */
function outages(rand: Random, times: number, { gaps }: Flaws): boolean[] {
  const recover = 1 / gaps.length;
  const fail = (recover * gaps.share) / (1 - gaps.share);
  let out = rand.uniform() < gaps.share;
  return Array.from({ length: times }, () => {
    const now = out;
    out = rand.uniform() < (out ? 1 - recover : fail);
    return now;
  });
}

/** The stations of each owner. */
export function byOwner(stations: readonly Station[]): Map<string, Station[]> {
  const out = new Map<string, Station[]>();
  for (const station of stations) out.set(station.owner, [...(out.get(station.owner) ?? []), station]);
  return out;
}
