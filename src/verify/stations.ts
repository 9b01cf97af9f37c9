/**
 * Verification at stations: grid to point, height, quality, and scores of every station and of the network.
 *
 *     const at = interpolateToStations(field, grid, stations, { method: "bilinear" });
 *     const scored = scoreStations(cases, stations, { variable: "t2m" });
 */
import { applyWeights, points, rectilinear, regridWeights } from "../earth/regrid/index.js";
import { UsageError } from "../errors.js";
import { type EnsembleFields, ensembleKernel } from "./ensemble/kernel.js";
import { rowsOf, type ScoreRow } from "./rows.js";
import { bias } from "./scores/bias.js";
import { crpsFair } from "./scores/crps.js";
import { mae } from "./scores/mae.js";
import { rmse } from "./scores/rmse.js";
import { spread, spreadSkill } from "./scores/spread.js";
import { addField, addRows, type Row, rowWidth, type Score, W } from "./scores/sums.js";

export interface Station {
  readonly id: string;
  readonly latitude: number;
  readonly longitude: number;
  /** Metres above the sea. */
  readonly elevation?: number;
}

export interface LatLonGrid {
  readonly latitudes: ArrayLike<number>;
  readonly longitudes: ArrayLike<number>;
}

/**
 * A field [latitude, longitude] at the stations. Outside a regional grid `bilinear` gives NaN, `nearest` the value at its rim.
 * For many fields make the weights once (`regridWeights` in earth/regrid).
 */
export function interpolateToStations(
  field: Float32Array | Float64Array,
  { latitudes, longitudes }: LatLonGrid,
  stations: readonly Station[],
  options: { method?: "nearest" | "bilinear" } = {},
): Float32Array | Float64Array {
  const { method = "bilinear" } = options;
  const places = points(
    stations.map((s) => s.latitude),
    stations.map((s) => s.longitude),
  );
  return applyWeights(regridWeights(rectilinear(latitudes, longitudes), places, method), field);
}

/** The standard atmosphere's fall of temperature with height, K/m. */
export const LAPSE_RATE = 0.0065;

/**
 * A temperature brought from the model's height to the station's: T + rate (model - station). Stations whose height is not known stay
 * as they are.
 */
export const correctForElevation = (
  temperatures: ArrayLike<number>,
  modelElevations: ArrayLike<number>,
  stations: readonly Station[],
  options: { lapseRate?: number } = {},
): Float64Array => {
  const { lapseRate = LAPSE_RATE } = options;
  return Float64Array.from(stations, ({ elevation }, i) =>
    elevation === undefined ? temperatures[i] : temperatures[i] + lapseRate * (modelElevations[i] - elevation),
  );
};

/** One start and lead at every station. */
export interface StationCase {
  readonly leadHours: number;
  /** By member, then station. One member for a single forecast. */
  readonly members: readonly ArrayLike<number>[];
  readonly observed: ArrayLike<number>;
  /** 0 good; any other value is left out (a report's own quality flags). */
  readonly flags?: ArrayLike<number>;
}

export interface QualityOptions {
  /** What the instrument and the climate allow, in the variable's units. */
  readonly range?: readonly [number, number];
  /** Observations farther from the forecast than this are taken for gross errors. */
  readonly farthest?: number;
}

export interface StationSummary extends Station {
  readonly n: number;
  readonly rmse: number;
  readonly mae: number;
  readonly bias: number;
  readonly crps: number;
}

export interface StationScores {
  /** Over all stations, each report counting once; intervals are bootstraps over cases. */
  readonly network: readonly ScoreRow[];
  readonly stations: readonly StationSummary[];
  /** How many reports were left out, and why. */
  readonly refused: {
    readonly missing: number;
    readonly flagged: number;
    readonly outOfRange: number;
    readonly gross: number;
  };
}

/** Scores reports at stations by lead and by station. Cases are in time order. Throws where no report is left. */
export function scoreStations(
  cases: readonly StationCase[],
  stations: readonly Station[],
  options: { variable: string; quality?: QualityOptions; confidence?: number; resamples?: number; seed?: number },
): StationScores {
  const { variable, quality = {}, confidence = 0.95, resamples = 1000, seed = 0 } = options;
  const members = cases[0].members.length;
  const width = rowWidth(members);
  const refused = { missing: 0, flagged: 0, outOfRange: 0, gross: 0 };
  const byStation = stations.map(() => new Float64Array(width));
  const byLead = new Map<number, Row[]>();
  for (const one of cases) {
    const ensemble = ensembleKernel(members).run(one.members, one.observed);
    const weights = new Float64Array(stations.length);
    for (let i = 0; i < stations.length; i++) {
      const why = refusal(one, i, ensemble.mean[i], quality);
      if (why) refused[why]++;
      else weights[i] = 1;
    }
    const pair = { forecast: ensemble.mean, truth: one.observed, ensemble };
    const row = addField(new Float64Array(width), { ...pair, weights });
    if (row[W] > 0) byLead.set(one.leadHours, [...(byLead.get(one.leadHours) ?? []), row]);
    for (let i = 0; i < stations.length; i++)
      if (weights[i] > 0)
        addField(byStation[i], {
          forecast: [ensemble.mean[i]],
          truth: [one.observed[i]],
          weights: [1],
          ensemble: onlyCell(ensemble, i),
        });
  }
  if (byLead.size === 0)
    throw new UsageError(
      `no report of '${variable}' at ${stations.length} stations could be scored (${refused.missing} missing, ${refused.flagged} flagged, ${refused.outOfRange} out of range, ${refused.gross} gross errors); check units and the quality limits`,
    );
  const scores: Score[] = [rmse, mae, bias, crpsFair, ...(members > 1 ? [spread, spreadSkill] : [])];
  const network = [...byLead].flatMap(
    ([leadHours, forecast]) =>
      rowsOf(
        { variable, level: null, leadHours, region: "stations", forecast, baselines: new Map() },
        { scores, confidence, resamples, seed },
      ).rows,
  );
  const summaries = stations.flatMap((station, i) => {
    const row = addRows([byStation[i]], width);
    if (row[W] === 0) return [];
    const [r, m, b, c] = [rmse, mae, bias, crpsFair].map((score) => score.value(row));
    return [{ ...station, n: row[W], rmse: r, mae: m, bias: b, crps: c }];
  });
  return { network, stations: summaries, refused };
}

const onlyCell = ({ members, ...fields }: EnsembleFields, i: number): EnsembleFields => ({
  members,
  mean: fields.mean.subarray(i, i + 1),
  variance: fields.variance.subarray(i, i + 1),
  absolute: fields.absolute.subarray(i, i + 1),
  pairs: fields.pairs.subarray(i, i + 1),
  below: fields.below.subarray(i, i + 1),
});

/** Why a report is left out, if it is. */
function refusal(
  { observed, flags }: StationCase,
  i: number,
  forecast: number,
  { range, farthest }: QualityOptions,
): keyof StationScores["refused"] | undefined {
  const o = observed[i];
  if (o !== o || forecast !== forecast) return "missing";
  if (flags && flags[i] !== 0) return "flagged";
  if (range && (o < range[0] || o > range[1])) return "outOfRange";
  if (farthest !== undefined && Math.abs(o - forecast) > farthest) return "gross";
  return undefined;
}
