/**
 * Quality control of station data: flags, never deletions. Four checks, after WMO's guide (WMO-No. 488, app. VI.2, and
 * WMO-No. 8, vol. V): what no weather gives (range), jumps there and back (step), values that stand still (persistence),
 * values no neighbour confirms (spatial).
 *
 *     const { flags, counts } = await qualityFlags(dataset, "wind_speed");    // flags: [time, station], bits of CHECKS
 */
import { MS_PER_HOUR } from "../earth/time.js";
import { identify, toCanonical } from "../earth/variables.js";
import { DataError } from "../errors.js";
import { type NdArray, toNumbers } from "../tensor/ndarray.js";
import { readCoordinate, readTimes } from "./coords.js";
import { type Attributes, type Dataset, memoryDataset, type Variable, variable } from "./dataset.js";
import { withVariables } from "./views.js";

/** Bits of a flag; 0 is a value nothing speaks against. */
export const CHECKS = { range: 1, step: 2, persistence: 4, spatial: 8 } as const;
export type Check = keyof typeof CHECKS;

export interface QualityOptions {
  /** Lowest and highest value, in the variable's units; the catalogue's where it knows the quantity. */
  readonly range?: readonly [low: number, high: number];
  /** Largest change in an hour, in the variable's units. */
  readonly step?: number;
  /** Hours a value may stand still. */
  readonly persistence?: number;
  /** How many robust deviations a value may differ from its neighbours'. */
  readonly deviations?: number;
  /** Neighbours lie within this distance, km. */
  readonly radius?: number;
}

/** By quantity: the largest hourly change (in canonical units) and how long values may stand still, in hours. */
const LIMITS: Readonly<Record<string, { step: number; persistence: number }>> = {
  "2m_temperature": { step: 15, persistence: 24 },
  "2m_dewpoint_temperature": { step: 15, persistence: 24 },
  "2m_relative_humidity": { step: 0.6, persistence: 72 },
  mean_sea_level_pressure: { step: 1500, persistence: 24 },
  surface_pressure: { step: 1500, persistence: 24 },
  "10m_wind_speed": { step: 30, persistence: 48 },
  "10m_wind_gust": { step: 60, persistence: 48 },
};

/** Values that may stand still for ever: no rain, no wind, full or empty. */
const RESTFUL = 1e-9;

export interface Quality {
  /** [time, station] */
  readonly flags: NdArray<"uint8">;
  readonly counts: Readonly<Record<Check, number>>;
}

/** Flags of a variable on (time, station). */
export async function qualityFlags(dataset: Dataset, name: string, options: QualityOptions = {}): Promise<Quality> {
  const v = variable(dataset, name);
  if (v.dims.join() !== "time,station")
    throw new DataError(
      dataset.source,
      `'${name}' lies on (${v.dims.join(", ")}); quality control needs (time, station)`,
    );
  const [nTimes, nStations] = v.shape;
  const values = Float64Array.from(toNumbers(await v.read()));
  const { values: times } = await readTimes(dataset);
  const known = limitsOf(v, options);
  const flags = new Uint8Array(values.length);
  const column = (station: number): Float64Array =>
    Float64Array.from({ length: nTimes }, (_, t) => values[t * nStations + station]);
  const mark = (t: number, station: number, check: Check): void =>
    void (flags[t * nStations + station] |= CHECKS[check]);
  for (let station = 0; station < nStations; station++) {
    const series = column(station);
    series.forEach((x, t) => {
      if (x < known.range[0] || x > known.range[1]) mark(t, station, "range");
    });
    for (const t of spikes(series, times, known.step)) mark(t, station, "step");
    for (const t of standing(series, times, known.persistence)) mark(t, station, "persistence");
  }
  const neighbours = await neighboursOf(dataset, nStations, options.radius ?? 300);
  if (neighbours)
    for (const [t, station] of lonely(values, nTimes, nStations, flags, neighbours, options.deviations ?? 8))
      mark(t, station, "spatial");
  const counts = Object.fromEntries(
    Object.entries(CHECKS).map(([check, bit]) => [check, flags.reduce((n, flag) => n + (flag & bit ? 1 : 0), 0)]),
  ) as Record<Check, number>;
  return { flags: { dtype: "uint8", shape: v.shape, data: flags }, counts };
}

function limitsOf(
  v: { name: string; dims: readonly string[]; attrs: Record<string, unknown> },
  options: QualityOptions,
): Required<Pick<QualityOptions, "range" | "step" | "persistence">> {
  const quantity = identify(v);
  const units = v.attrs["units"];
  const toOwn = quantity && typeof units === "string" ? toCanonical(quantity, units) : undefined;
  const limits = quantity && LIMITS[quantity.name];
  const range =
    quantity && toOwn
      ? ([0, 1].map((i) => (quantity.range[i] - toOwn.offset) / toOwn.scale) as [number, number])
      : undefined;
  return {
    range: options.range ?? range ?? [-Infinity, Infinity],
    step: options.step ?? (limits && toOwn ? limits.step / toOwn.scale : Infinity),
    persistence: options.persistence ?? limits?.persistence ?? Infinity,
  };
}

/** Values that jump away and back: a change faster than the limit on both sides, in opposite directions. */
function* spikes(series: Float64Array, times: Float64Array, limit: number): Generator<number> {
  if (limit === Infinity) return;
  const present = presentIn(series);
  for (let k = 1; k + 1 < present.length; k++) {
    const [a, b, c] = [present[k - 1], present[k], present[k + 1]];
    const hours = (from: number, to: number): number => Math.max(1, (times[to] - times[from]) / MS_PER_HOUR);
    if (hours(a, c) > 12) continue; // a gap between: nothing can be said
    const [up, down] = [series[b] - series[a], series[c] - series[b]];
    if (up * down < 0 && Math.abs(up) > limit * hours(a, b) && Math.abs(down) > limit * hours(b, c)) yield b;
  }
}

/** Values that stand still longer than the limit. */
function* standing(series: Float64Array, times: Float64Array, limit: number): Generator<number> {
  if (limit === Infinity) return;
  const present = presentIn(series);
  for (let from = 0; from < present.length;) {
    let to = from;
    while (to + 1 < present.length && series[present[to + 1]] === series[present[from]]) to++;
    const hours = (times[present[to]] - times[present[from]]) / MS_PER_HOUR;
    if (hours > limit && to - from >= 3 && Math.abs(series[present[from]]) > RESTFUL)
      for (let k = from; k <= to; k++) yield present[k];
    from = to + 1;
  }
}

const presentIn = (series: Float64Array): number[] => Array.from(series.keys()).filter((t) => !Number.isNaN(series[t]));

/** Each station's nearest neighbours; undefined where places are not known. */
async function neighboursOf(dataset: Dataset, count: number, radius: number): Promise<number[][] | undefined> {
  if (!dataset.variables.has("latitude") || !dataset.variables.has("longitude")) return undefined;
  const [latitudes, longitudes] = [
    await readCoordinate(dataset, "latitude"),
    await readCoordinate(dataset, "longitude"),
  ];
  return Array.from({ length: count }, (_, i) =>
    Array.from({ length: count }, (_, j) => ({
      j,
      km: distance(latitudes[i], longitudes[i], latitudes[j], longitudes[j]),
    }))
      .filter(({ j, km }) => j !== i && km <= radius)
      .sort((a, b) => a.km - b.km)
      .slice(0, 8)
      .map(({ j }) => j),
  );
}

/** Great-circle distance in km on a sphere of 6371 km. */
function distance(lat1: number, lon1: number, lat2: number, lon2: number): number {
  const r = Math.PI / 180;
  const a =
    Math.sin(((lat2 - lat1) * r) / 2) ** 2 +
    Math.cos(lat1 * r) * Math.cos(lat2 * r) * Math.sin(((lon2 - lon1) * r) / 2) ** 2;
  return 2 * 6371 * Math.asin(Math.min(1, Math.sqrt(a)));
}

/**
 * Values far from their neighbours' median, measured by how far this station usually is from it: the difference's median
 * over time and its median absolute deviation. Values flagged already are no witnesses.
 */
function* lonely(
  values: Float64Array,
  nTimes: number,
  nStations: number,
  flags: Uint8Array,
  neighbours: readonly number[][],
  deviations: number,
): Generator<[number, number]> {
  for (let station = 0; station < nStations; station++) {
    const near = neighbours[station];
    if (near.length < 3) continue;
    const differences = new Float64Array(nTimes).fill(NaN);
    for (let t = 0; t < nTimes; t++) {
      const witnesses = near
        .map((j) => t * nStations + j)
        .filter((i) => !Number.isNaN(values[i]) && flags[i] === 0)
        .map((i) => values[i]);
      if (witnesses.length >= 3) differences[t] = values[t * nStations + station] - median(witnesses);
    }
    const known = Array.from(differences).filter((d) => !Number.isNaN(d));
    if (known.length < 30) continue;
    const middle = median(known);
    // 1.4826 makes the median absolute deviation of a normal distribution its standard deviation
    const spread = 1.4826 * median(known.map((d) => Math.abs(d - middle)));
    if (spread === 0) continue;
    for (let t = 0; t < nTimes; t++) if (Math.abs(differences[t] - middle) > deviations * spread) yield [t, station];
  }
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

/**
 * The dataset with `<name>_qc` beside each checked variable: CF's flag masks and meanings, named by the variable's
 * `ancillary_variables`. `all` is every variable on (time, station) whose limits are known.
 */
export async function withQualityFlags(dataset: Dataset, names: readonly string[]): Promise<Dataset> {
  const known = (v: Variable): boolean => v.dims.join() === "time,station" && (identify(v)?.name ?? "") in LIMITS;
  const chosen = names.join() === "all" ? [...dataset.variables.values()].filter(known).map(({ name }) => name) : names;
  if (chosen.length === 0)
    throw new DataError(
      dataset.source,
      "no variable on (time, station) is one whose limits are known; name those to check",
    );
  const variables = new Map(dataset.variables);
  for (const name of chosen) {
    const { flags } = await qualityFlags(dataset, name);
    const attrs: Attributes = {
      long_name: `quality control of ${name}`,
      flag_masks: Object.values(CHECKS),
      flag_meanings: Object.keys(CHECKS).join(" "),
    };
    const checks = memoryDataset({ [`${name}_qc`]: { dims: ["time", "station"], data: flags, attrs } });
    const v = variable(dataset, name);
    variables.set(name, { ...v, attrs: { ...v.attrs, ancillary_variables: `${name}_qc` } });
    variables.set(`${name}_qc`, variable(checks, `${name}_qc`));
  }
  return withVariables(dataset, variables.values());
}
