/** Samples for grid and stations at once: what a place is, what it has now, what it will be, and how much that counts. */
import type { Feeds } from "../../engine/runtime.js";
import { latitudeWeights } from "../../earth/weights.js";
import { float32, type NdArray } from "../../tensor/ndarray.js";
import type { Random } from "../../tensor/random.js";
import { jumpArrays, variableNames } from "../forecast/features.js";
import type { Normaliser } from "../forecast/normaliser.js";
import { startsIn } from "../forecast/periods.js";
import { type Departures, departuresOf, startFeeds } from "../forecast/samples.js";
import type { TimeRange } from "../baselines/index.js";
import type { Series } from "../series.js";
import { aroundStations } from "./around.js";
import type { PointwiseRunConfig } from "./config.js";
import { lineAt, lineRow, type Lines } from "./lines.js";
import { type Places, stationTimes } from "./data.js";
import { observedCount, type Targets, targetsOf } from "./network.js";

/** Everything that samples are taken from. */
export interface PointData {
  readonly grid: Departures;
  readonly stations: Departures;
  readonly normalisers: { readonly grid: Normaliser; readonly stations: Normaliser };
  readonly places: Places;
  readonly targets: Targets;
  /** The stations' index at each time of the grid, -1 where they have none. */
  readonly at: Int32Array;
  /** Metres above the sea of each cell, as far as a fixed map says. */
  readonly ground: Float32Array;
  /** The gridded departures interpolated to the stations at an index of the grid's times, [channel, station]. */
  readonly around: (index: number) => Float32Array;
  /** For each station variable the grid's channel of the same name, or -1. */
  readonly alike: readonly number[];
  /** The stations' first guess. */
  readonly lines: Lines;
}

/** Starts in a period from which grid and stations have both the present and what follows `lead` steps later. */
export const startsOfBoth = (
  { grid: { series }, at }: Pick<PointData, "grid" | "at">,
  { forecast }: Pick<PointwiseRunConfig, "forecast">,
  period: TimeRange,
  lead: number,
): number[] => startsIn(series, period, forecast.history, lead).filter((i) => at[i] >= 0 && at[i + lead] >= 0);

/** All but the lines, which are fitted to it. */
export function pointBase(
  grid: Series,
  stations: Series,
  places: Places,
  normalisers: PointData["normalisers"],
  source: string,
): Omit<PointData, "lines"> {
  const onGrid = variableNames(normalisers.grid);
  const departures = departuresOf(normalisers.grid, grid);
  return {
    grid: departures,
    around: aroundStations(departures, normalisers.grid, places),
    stations: departuresOf(normalisers.stations, stations),
    normalisers,
    places,
    targets: targetsOf(normalisers.grid, normalisers.stations),
    at: stationTimes(grid, stations, source),
    ground: groundOf(normalisers.grid),
    alike: variableNames(normalisers.stations).map((name) => onGrid.indexOf(name)),
  };
}

const GRAVITY = 9.80665;

/** Heights of the cells from the fixed maps (a surface geopotential or an orography); the sea's where there is none. */
function groundOf({ statics, latitudes, longitudes }: Normaliser): Float32Array {
  const cells = latitudes.length * longitudes.length;
  const find = (names: readonly string[]) => statics?.names.findIndex((name) => names.includes(name)) ?? -1;
  const map = (k: number) => statics!.values.subarray(k * cells, (k + 1) * cells);
  const geopotential = find(["geopotential_at_surface", "surface_geopotential"]);
  if (geopotential >= 0) return map(geopotential).map((v) => v / GRAVITY);
  const heights = find(["orography", "surface_altitude", "elevation"]);
  return heights >= 0 ? map(heights) : new Float32Array(cells);
}

/** Starts of a jump by `lead` from index `start` of the grid's times. */
export interface PointPick {
  readonly start: number;
  readonly lead: number;
  /** Cells of the grid that are asked for, the same number in every pick of a batch. */
  readonly cells: Int32Array;
}

/** Cells drawn with the area they stand for. */
export function drawCells(rng: Random, n: Normaliser, count: number): Int32Array {
  const rows = latitudeWeights(n.latitudes, "exact");
  const most = rows.reduce((a, b) => Math.max(a, b), 0);
  return Int32Array.from({ length: count }, () => {
    for (;;) {
      const row = rng.integer(n.latitudes.length);
      if (rng.uniform() * most <= rows[row]) return row * n.longitudes.length + rng.integer(n.longitudes.length);
    }
  });
}

/**
 * The network's feeds for a batch: in each sample first the drawn cells, then all stations. `truth` false leaves the future out (a
 * forecast). `stationWeight` is the stations' share beside the grid's of 1; the whole loss of the first guess is 1.
 */
export function pointFeeds(
  data: PointData,
  picks: readonly PointPick[],
  options: { history: number; stationWeight: number; truth: boolean },
): Feeds {
  const { grid: n, stations: ns } = data.normalisers;
  const { names, ofGrid, ofStations } = data.targets;
  const [cells, stations] = [n.latitudes.length * n.longitudes.length, data.places.names.length];
  const asked = picks[0].cells.length;
  const [places, count] = [asked + stations, names.length];
  const { history } = options;
  const own = 2 * ns.channels.length;
  const size = ns.anomaly.length;
  const known = observedCount(data.normalisers, history);
  const shape = (last: number) => [picks.length, places, last];
  const array = (last: number) => new Float32Array(picks.length * places * last);
  const out = {
    queries: array(3),
    observed: array(known),
    guess: array(count),
    scale: array(count),
    truth: array(count),
    weight: array(count),
  };
  const shares = asked === 0 ? [0, 1] : [1, options.stationWeight].map((w) => w / (1 + options.stationWeight));
  /** One value of one place: the first guess, its error's size, what comes, and how much that counts. */
  const put = (to: number, guess: number, scale: number, then: number, weight: number) => {
    out.guess[to] = guess;
    out.scale[to] = scale;
    if (then !== then) return;
    out.truth[to] = then;
    out.weight[to] = weight;
  };
  const row = new Float64Array(data.lines.width);
  /** The gridded departures of the history at a place: position `p` of fields of `size`. */
  const around = (place: number, start: number, field: (index: number) => Float32Array, size: number, p: number) => {
    for (let j = 0; j < history; j++)
      n.channels.forEach((_, c) => {
        out.observed[place * known + own + j * n.channels.length + c] = field(start - j)[c * size + p];
      });
  };
  const reports = picks.reduce((sum, pick) => sum + (options.truth ? reported(data, pick) : 0), 0);
  picks.forEach(({ start, lead, cells: chosen }, b) => {
    const here = data.grid.at(start);
    const later = options.truth ? data.grid.at(start + lead) : undefined;
    const spread = meanSquares(n, lead);
    chosen.forEach((cell, q) => {
      const place = b * places + q;
      out.queries.set(
        [
          n.latitudes[Math.floor(cell / n.longitudes.length)],
          n.longitudes[cell % n.longitudes.length],
          data.ground[cell],
        ],
        place * 3,
      );
      data.alike.forEach((c, k) => c >= 0 && out.observed.set([here[c * cells + cell], 1], place * known + 2 * k));
      around(place, start, (index) => data.grid.at(index), cells, cell);
      ofGrid.forEach((target, c) => {
        const p = c * cells + cell;
        const table = (lead - 1) * n.anomaly.length + p;
        const weight = (shares[0] * n.anomaly[p] ** 2) / (picks.length * asked * ofGrid.length * spread[c]);
        const scale = n.residual[table] / n.anomaly[p];
        put(place * count + target, n.damping[table] * here[p], scale, later?.[p] ?? NaN, weight);
      });
    });
    const [i, j] = [data.at[start], options.truth ? data.at[start + lead] : -1];
    const now = i >= 0 ? data.stations.at(i) : undefined;
    const then = j >= 0 ? data.stations.at(j) : undefined;
    const error = lineSquares(data, lead);
    for (let s = 0; s < stations; s++) {
      const place = b * places + asked + s;
      around(place, start, data.around, stations, s);
      const { latitudes, longitudes, elevations } = data.places;
      out.queries.set([latitudes[s], longitudes[s], elevations[s]], place * 3);
      ofStations.forEach((target, k) => {
        const p = k * stations + s;
        const u = now?.[p] ?? NaN;
        if (u === u) out.observed.set([u, 1], place * known + 2 * k);
        lineRow(data, start, p, stations, row);
        const guess = lineAt(data.lines, lead, p, size, row);
        const weight = (shares[1] * ns.anomaly[p] ** 2) / (Math.max(1, reports) * error[k]);
        put(place * count + target, guess, data.lines.misses[(lead - 1) * size + p], then?.[p] ?? NaN, weight);
      });
    }
  });
  const { truth, weight, ...rest } = out;
  const feeds: Record<string, NdArray> = {
    ...(startFeeds(
      n,
      picks.map(({ start }) => data.grid.start(start, { history: options.history, slowDays: [] })),
    ) as Record<string, NdArray>),
    ...jumpArrays(
      n,
      picks.map(({ start, lead }) => ({ time: data.grid.series.times[start], lead, elapsed: 0 })),
    ),
  };
  for (const [name, values] of Object.entries(options.truth ? { ...rest, truth, weight } : rest))
    feeds[`at.${name}`] = float32(shape(values.length / (picks.length * places)), values);
  return feeds;
}

/** How many reports of the stations a pick has to be scored on. */
function reported({ at, stations }: PointData, { start, lead }: PointPick): number {
  const j = at[start + lead];
  return j < 0 ? 0 : stations.at(j).reduce((sum, v) => sum + (v === v ? 1 : 0), 0);
}

const cache = new WeakMap<Normaliser, Map<number, number[]>>();

/** The mean of r_L^2 over each channel's cells, with their area. */
function meanSquares(n: Normaliser, lead: number): number[] {
  const known = cache.get(n) ?? new Map<number, number[]>();
  cache.set(n, known);
  const before = known.get(lead);
  if (before) return before;
  const size = n.anomaly.length;
  const [width, cells] = [n.longitudes.length, size / n.channels.length];
  const area = latitudeWeights(n.latitudes, "exact");
  const residual = n.residual.subarray((lead - 1) * size, lead * size);
  const out = n.channels.map((_, c) => {
    let sum = 0;
    for (let i = 0; i < cells; i++) sum += area[Math.floor(i / width)] * residual[c * cells + i] ** 2;
    return sum / cells;
  });
  known.set(lead, out);
  return out;
}

/** The mean square of what the lines of each station variable miss, in its units. */
function lineSquares({ lines, normalisers: { stations: n } }: PointData, lead: number): number[] {
  const size = n.anomaly.length;
  const stations = size / n.channels.length;
  return n.channels.map((_, k) => {
    let sum = 0;
    for (let p = k * stations; p < (k + 1) * stations; p++)
      sum += (lines.misses[(lead - 1) * size + p] * n.anomaly[p]) ** 2;
    return sum / stations;
  });
}
