/**
 * What a model of stations is worth beside what needs no network: persistence, each station's climatology, its damped departure, and a
 * linear regression of each station, variable and lead on the gridded fields interpolated to it and on its own report, which is the first
 * guess that the network corrects (lines.ts).
 */
import type { CardTable } from "../card.js";
import { resolvePeriods } from "../forecast/periods.js";
import type { PointwiseRunConfig } from "./config.js";
import type { StationPredictor } from "./predict.js";
import { lineAt, lineRow } from "./lines.js";
import { type PointData, startsOfBoth } from "./samples.js";

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
  const period = resolvePeriods(data.grid.series, config).test;
  const scores: StationScore[] = [];
  for (let lead = 1; lead <= n.leadSteps; lead++) {
    if (lead > 1 && (lead * hours) % 24 !== 0) continue;
    const test = startsOfBoth(data, config, period, lead);
    const states = await predictor.at(data, test, lead);
    n.channels.forEach((variable, k) => scores.push(scored(data, { variable, k, lead, test, states })));
  }
  return scores;
}

interface Case {
  readonly variable: string;
  readonly k: number;
  readonly lead: number;
  readonly test: readonly number[];
  readonly states: readonly Float32Array[];
}

function scored(data: PointData, { variable, k, lead, test, states }: Case): StationScore {
  const n = data.normalisers.stations;
  const stations = data.places.names.length;
  const sums = new Float64Array(5);
  const row = new Float64Array(data.lines.width);
  let count = 0;
  test.forEach((start, at) => {
    const [now, then] = [data.stations.at(data.at[start]), data.stations.at(data.at[start + lead])];
    const time = data.grid.series.times[start];
    const [before, usual] = [n.climatology.at(time), n.climatology.at(time + lead * n.step)];
    for (let p = k * stations; p < (k + 1) * stations; p++) {
      if (!lineRow(data, start, p, stations, row) || then[p] !== then[p]) continue;
      const scale = n.anomaly[p];
      const truth = usual[p] + scale * then[p];
      const linear = lineAt(data.lines, lead, p, n.anomaly.length, row);
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
