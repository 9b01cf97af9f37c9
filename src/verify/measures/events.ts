/**
 * Scores of events: `csi>285` (above 285 in the variable's units), `ets>q0.95` (above each cell's own 95 % quantile over the training
 * period). The share of members above is the probability; the yes-no scores take a warning from half of the members on. All come
 * from one table: the weight of cases with and without the event, by the number of members above.
 */
import { type Contingency, CONTINGENCY_SCORES } from "../scores/contingency.js";
import {
  addProbabilities,
  brier,
  brierDebiased,
  brierParts,
  brierSkill,
  economicValue,
  ignorance,
  type ProbabilityTable,
  rocArea,
} from "../scores/probability.js";
import type { Score } from "../scores/sums.js";
import { aboveWords, type Asked, type EventLimit, type Family, type Measure } from "./measure.js";

/** The table of an event in a row's places: [happened by k = 0..M, not by k = 0..M]. */
export const tableAt = (row: ArrayLike<number>, at: number, members: number): ProbabilityTable => {
  const part = (from: number) => Float64Array.from({ length: members + 1 }, (_, k) => row[from + k]);
  return { members, happened: part(at), not: part(at + members + 1) };
};

export const eventKey = ({ limit, quantile }: EventLimit): string => `>${quantile ? "q" : ""}${limit}`;

export function eventMeasure(event: EventLimit, limit: number | Float32Array, members: number): Measure {
  const size = members + 1;
  return {
    key: eventKey(event),
    width: 2 * size,
    add(places, { members: fields, truth, weights }) {
      const [happened, not] = [places.subarray(0, size), places.subarray(size)];
      if (fields.length === members) addProbabilities({ members, happened, not }, fields, truth, weights, limit);
      else {
        // A point forecast among ensembles: as if all members agreed.
        const table = { members: 1, happened: new Float64Array(2), not: new Float64Array(2) };
        addProbabilities(table, fields, truth, weights, limit);
        for (const k of [0, 1]) {
          happened[k * members] += table.happened[k];
          not[k * members] += table.not[k];
        }
      }
    },
  };
}

/** Warned when half of the members or more are above. */
export function contingencyOf({ members, happened, not }: ProbabilityTable): Contingency {
  const table = { hits: 0, falseAlarms: 0, misses: 0, correctNegatives: 0 };
  for (let k = 0; k <= members; k++) {
    const warned = k >= members / 2;
    table[warned ? "hits" : "misses"] += happened[k];
    table[warned ? "falseAlarms" : "correctNegatives"] += not[k];
  }
  return table;
}

interface Kind {
  readonly title: string;
  readonly formula: string;
  readonly source: string;
  readonly better: Score["better"];
  /** Judges probabilities: an ensemble of climatology joins in. */
  readonly probabilistic?: boolean;
  readonly value: (table: ProbabilityTable, at: number | undefined) => number;
}

const yesNo = (
  name: keyof typeof CONTINGENCY_SCORES,
  title: string,
  formula: string,
  better: Score["better"] = "high",
  source = "Jolliffe and Stephenson 2012, chapter 3",
): Kind => ({ title, formula, better, source, value: (table) => CONTINGENCY_SCORES[name](contingencyOf(table)) });

const probability = { probabilistic: true, source: "Murphy 1973, J. Appl. Met. 12" } as const;

const KINDS: Readonly<Record<string, Kind>> = {
  csi: yesNo("csi", "Critical success index", "hits / (hits + misses + false alarms)"),
  ets: yesNo("ets", "Equitable threat score", "(hits - chance) / (hits + misses + false alarms - chance)"),
  fbi: yesNo("fbi", "Frequency bias", "(hits + false alarms) / (hits + misses)", 1),
  pod: yesNo("pod", "Probability of detection", "hits / (hits + misses)"),
  far: yesNo("far", "False-alarm ratio", "false alarms / (hits + false alarms)", "low"),
  hss: yesNo("hss", "Heidke skill score", "correct beyond chance / possible beyond chance"),
  sedi: yesNo(
    "sedi",
    "Symmetric extremal dependence index",
    "(ln F - ln H - ln(1-F) + ln(1-H)) / (ln F + ln H + ln(1-F) + ln(1-H))",
    "high",
    "Ferro and Stephenson 2011, Wea. Forecasting 26",
  ),
  brier: {
    ...probability,
    title: "Brier score",
    formula: "mean (p - event)^2",
    better: "low",
    source: "Brier 1950, MWR 78",
    value: brier,
  },
  "brier:debiased": {
    ...probability,
    title: "Brier score without the ensemble's sampling",
    formula: "brier - mean p (1 - p) / (M - 1)",
    better: "low",
    source: "WeatherBench 2 `DebiasedEnsembleBrierScore`",
    value: (table) => (table.members > 1 ? brierDebiased(table) : NaN),
  },
  "brier-skill": {
    ...probability,
    title: "Brier skill against the sample's rate",
    formula: "1 - brier / uncertainty",
    better: "high",
    value: brierSkill,
  },
  reliability: {
    ...probability,
    title: "Reliability (Brier's; 0: what is forecast at p happens at p)",
    formula: "mean (p - rate given p)^2",
    better: "low",
    value: (table) => brierParts(table).reliability,
  },
  resolution: {
    ...probability,
    title: "Resolution (Brier's)",
    formula: "mean (rate given p - rate)^2",
    better: "high",
    value: (table) => brierParts(table).resolution,
  },
  uncertainty: {
    ...probability,
    title: "Uncertainty (Brier's; of the sample, not the forecast)",
    formula: "rate (1 - rate)",
    better: "low",
    value: (table) => brierParts(table).uncertainty,
  },
  "roc-area": {
    ...probability,
    title: "ROC area (0.5: no discrimination)",
    formula: "area under hit rate over false-alarm rate",
    better: "high",
    source: "Mason 1982, Aust. Met. Mag. 30",
    value: rocArea,
  },
  ignorance: {
    ...probability,
    title: "Ignorance",
    formula: "-mean ln p of what happened, p = (k + 1/2) / (M + 1)",
    better: "low",
    source: "Good 1952; Roulston and Smith 2002, MWR 130",
    value: ignorance,
  },
  value: {
    ...probability,
    title: "Relative economic value",
    formula: "saving over climatology / saving of a perfect forecast, at the cost-loss ratio behind @ (0.1)",
    better: "high",
    source: "Richardson 2000, QJRMS 126, eq. 8",
    value: (table, at = 0.1) => economicValue(table, at),
  },
};

export const eventFamily: Family = {
  names: Object.keys(KINDS),
  form: "csi>285, csi>q0.95, value>285@0.2",
  title: ({ base, event, at }) =>
    `${KINDS[base].title} above ${aboveWords(event!)}${base === "value" ? `, cost-loss ratio ${at ?? 0.1}` : ""}`,
  make(asked: Asked, { members, limitOf }) {
    const { base, event, at: argument, name } = asked;
    if (!event) return `'${name}' needs an event: write ${base}>285 or ${base}>q0.95`;
    if (base === "value" && argument !== undefined && !(argument > 0 && argument < 1))
      return `'${name}' has the cost-loss ratio ${argument}; it must lie between 0 and 1`;
    const { formula, source, better, probabilistic, value } = KINDS[base];
    return {
      measure: eventMeasure(event, limitOf(event), members),
      score: (at) => ({
        name,
        formula,
        source,
        better,
        probabilistic,
        units: "1",
        over: "all",
        value: (row) => value(tableAt(row, at, members), argument),
      }),
    };
  },
};
