/**
 * Yes-no forecasts of an event: the contingency table and its scores (Jolliffe and Stephenson 2012, chapter 3). Tables add.
 */

export interface Contingency {
  /** Weight of cases where it was forecast and happened. */
  hits: number;
  /** Forecast, did not happen. */
  falseAlarms: number;
  /** Happened, not forecast. */
  misses: number;
  correctNegatives: number;
}

export const contingency = (): Contingency => ({ hits: 0, falseAlarms: 0, misses: 0, correctNegatives: 0 });

/** Adds a field; the event is to exceed the threshold (one number, or one a cell: a climatological quantile). */
export function addContingency(
  table: Contingency,
  forecast: ArrayLike<number>,
  truth: ArrayLike<number>,
  weights: ArrayLike<number>,
  threshold: number | ArrayLike<number>,
): Contingency {
  for (let i = 0; i < truth.length; i++) {
    const limit = typeof threshold === "number" ? threshold : threshold[i];
    const [f, o] = [forecast[i], truth[i]];
    if (weights[i] === 0 || f !== f || o !== o || limit !== limit) continue;
    if (f > limit) table[o > limit ? "hits" : "falseAlarms"] += weights[i];
    else table[o > limit ? "misses" : "correctNegatives"] += weights[i];
  }
  return table;
}

type Table = Readonly<Contingency>;

/** Critical success index (threat score): hits / (hits + misses + false alarms). */
export const csi = ({ hits, misses, falseAlarms }: Table): number => hits / (hits + misses + falseAlarms);

/** Equitable threat score (Gilbert): CSI without the hits that chance gives. */
export function ets({ hits, misses, falseAlarms, correctNegatives }: Table): number {
  const random = ((hits + falseAlarms) * (hits + misses)) / (hits + misses + falseAlarms + correctNegatives);
  return (hits - random) / (hits + misses + falseAlarms - random);
}

/** Frequency bias: how often forecast over how often it happened. 1 is unbiased. */
export const frequencyBias = ({ hits, misses, falseAlarms }: Table): number => (hits + falseAlarms) / (hits + misses);

/** Probability of detection (hit rate). */
export const detection = ({ hits, misses }: Table): number => hits / (hits + misses);

/** False-alarm ratio: of the forecasts, those in vain. (WeatherBench-X calls this one `FalseAlarmRate`.) */
export const falseAlarmRatio = ({ hits, falseAlarms }: Table): number => falseAlarms / (hits + falseAlarms);

/** False-alarm rate: of the cases without the event, those with a warning. */
export const falseAlarmRate = ({ falseAlarms, correctNegatives }: Table): number =>
  falseAlarms / (falseAlarms + correctNegatives);

/** Heidke skill score: correct forecasts beyond chance. */
export function hss({ hits: a, falseAlarms: b, misses: c, correctNegatives: d }: Table): number {
  return (2 * (a * d - b * c)) / ((a + c) * (c + d) + (a + b) * (b + d));
}

/** Symmetric extremal dependence index (Ferro and Stephenson 2011): keeps its meaning as events become rare. */
export function sedi(table: Table): number {
  const clip = (rate: number) => Math.min(1 - 1e-6, Math.max(1e-6, rate));
  const [h, f] = [clip(detection(table)), clip(falseAlarmRate(table))];
  const { log } = Math;
  return (log(f) - log(h) - log(1 - f) + log(1 - h)) / (log(f) + log(h) + log(1 - f) + log(1 - h));
}

export const CONTINGENCY_SCORES = {
  csi,
  ets,
  fbi: frequencyBias,
  pod: detection,
  far: falseAlarmRatio,
  hss,
  sedi,
} as const;
