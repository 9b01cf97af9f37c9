/**
 * What a model of stations is worth beside what needs no network: persistence, each station's climatology, its damped departure, and a
 * linear regression of each station, variable and lead on the gridded fields interpolated to it and on its own report, fitted to the
 * training period by least squares.
 */
import type { CardTable } from "../card.js";
import { resolvePeriods, startsIn } from "../forecast/periods.js";
import { solveSymmetric } from "../forecast/solve.js";
import type { PointwiseRunConfig } from "./config.js";
import type { StationPredictor } from "./predict.js";
import type { PointData } from "./samples.js";

export const STATION_BASELINES = ["persistence", "climatology", "damped", "linear"] as const;

export interface StationScore {
  readonly variable: string;
  readonly lead_hours: number;
  /** Root mean square errors over stations and starts, in the variable's units, all on the same reports. */
  readonly model: number;
  readonly baselines: Readonly<Record<(typeof STATION_BASELINES)[number], number>>;
  /** How many reports. */
  readonly n: number;
}

/** Scores on every start of the test period, for the first lead and whole days. */
export async function scoreStations(
  data: PointData,
  config: PointwiseRunConfig,
  predictor: StationPredictor,
): Promise<StationScore[]> {
  const n = data.normalisers.stations;
  const hours = n.step / 3_600_000;
  const periods = resolvePeriods(data.grid.series, config);
  const starts = (period: readonly [number, number], lead: number): number[] =>
    startsIn(data.grid.series, period, config.forecast.history, lead).filter(
      (i) => data.at[i] >= 0 && data.at[i + lead] >= 0,
    );
  const scores: StationScore[] = [];
  for (let lead = 1; lead <= n.leadSteps; lead++) {
    if (lead > 1 && (lead * hours) % 24 !== 0) continue;
    const fit = regressions(data, starts(periods.train, lead), lead);
    const test = starts(periods.test, lead);
    const states = await predictor.at(data, test, lead);
    n.channels.forEach((variable, k) => scores.push(scored(data, { variable, k, lead, test, states, fit })));
  }
  return scores;
}

/** Coefficients of each variable and station: one for every gridded channel, the own departure and the constant. */
type Fit = readonly (Float64Array | undefined)[];

/** What a regression sees at a station: fields, own departure, 1. Undefined where the station has no report. */
function row(data: PointData, start: number, p: number): Float64Array | undefined {
  const stations = data.places.names.length;
  const own = data.stations.at(data.at[start])[p];
  if (own !== own) return undefined;
  const fields = data.around(start);
  const channels = fields.length / stations;
  const out = new Float64Array(channels + 2).fill(1);
  for (let c = 0; c < channels; c++) out[c] = fields[c * stations + (p % stations)];
  out[channels] = own;
  return out;
}

function regressions(data: PointData, starts: readonly number[], lead: number): Fit {
  const size = data.normalisers.stations.anomaly.length;
  return Array.from({ length: size }, (_, p) => {
    let normal: Float64Array | undefined;
    let right = new Float64Array(0);
    let count = 0;
    for (const start of starts) {
      const y = data.stations.at(data.at[start + lead])[p];
      const x = y === y ? row(data, start, p) : undefined;
      if (!x) continue;
      normal ??= new Float64Array(x.length ** 2);
      if (right.length === 0) right = new Float64Array(x.length);
      for (let i = 0; i < x.length; i++) {
        right[i] += x[i] * y;
        for (let j = 0; j < x.length; j++) normal[i * x.length + j] += x[i] * x[j];
      }
      count++;
    }
    if (!normal) return undefined;
    // A touch of ridge, so that fields that go together share what they explain
    for (let i = 0; i < right.length; i++) normal[i * right.length + i] += 1e-4 * count;
    return solveSymmetric(normal, right, right.length);
  });
}

interface Case {
  readonly variable: string;
  readonly k: number;
  readonly lead: number;
  readonly test: readonly number[];
  readonly states: readonly Float32Array[];
  readonly fit: Fit;
}

function scored(data: PointData, { variable, k, lead, test, states, fit }: Case): StationScore {
  const n = data.normalisers.stations;
  const stations = data.places.names.length;
  const sums = new Float64Array(5);
  let count = 0;
  test.forEach((start, at) => {
    const [now, then] = [data.stations.at(data.at[start]), data.stations.at(data.at[start + lead])];
    const time = data.grid.series.times[start];
    const [before, usual] = [n.climatology.at(time), n.climatology.at(time + lead * n.step)];
    for (let p = k * stations; p < (k + 1) * stations; p++) {
      const x = row(data, start, p);
      const coefficients = fit[p];
      if (then[p] !== then[p] || !x || !coefficients) continue;
      const scale = n.anomaly[p];
      const truth = usual[p] + scale * then[p];
      const linear = coefficients.reduce((sum, b, i) => sum + b * x[i], 0);
      const guesses = [
        states[at][p],
        before[p] + scale * now[p],
        usual[p],
        usual[p] + scale * n.damping[(lead - 1) * n.anomaly.length + p] * now[p],
        usual[p] + scale * linear,
      ];
      guesses.forEach((guess, i) => (sums[i] += (guess - truth) ** 2));
      count++;
    }
  });
  const [model, ...rest] = Array.from(sums, (sum) => Math.sqrt(sum / count));
  return {
    variable,
    lead_hours: (lead * n.step) / 3_600_000,
    model,
    baselines: Object.fromEntries(STATION_BASELINES.map((name, i) => [name, rest[i]])) as StationScore["baselines"],
    n: count,
  };
}

/** The scores as a card has them. */
export const stationTable = (scores: readonly StationScore[], period: string): CardTable => ({
  note: `Root mean square error at the stations over the test period (${period}), which nothing was fitted to or chosen on; linear is each station's regression on the gridded fields interpolated to it and on its own report.`,
  columns: ["variable", "lead h", "this model", ...STATION_BASELINES, "reports"],
  rows: scores.map((s) => [
    s.variable,
    String(s.lead_hours),
    s.model,
    ...STATION_BASELINES.map((name) => s.baselines[name]),
    String(s.n),
  ]),
});
