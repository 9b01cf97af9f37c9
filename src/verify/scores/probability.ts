/**
 * Forecasts of events as probabilities: one table from which the Brier score and its parts, the reliability diagram, the ROC
 * curve and economic value all follow. The table has a line for each probability k / M that M members can give, with the weight
 * of cells where the event happened and where it did not. Tables add, as rows of sums do.
 */

export interface ProbabilityTable {
  readonly members: number;
  /** By k = 0..M, weight of cases with the event. */
  readonly happened: Float64Array;
  /** By k, weight of cases without. */
  readonly not: Float64Array;
}

export const probabilityTable = (members: number): ProbabilityTable => ({
  members,
  happened: new Float64Array(members + 1),
  not: new Float64Array(members + 1),
});

/** Adds a field: the event is to exceed the threshold (one number, or one a cell). Cells with anything missing are left out. */
export function addProbabilities(
  table: ProbabilityTable,
  members: readonly ArrayLike<number>[],
  truth: ArrayLike<number>,
  weights: ArrayLike<number>,
  threshold: number | ArrayLike<number>,
): ProbabilityTable {
  for (let i = 0; i < truth.length; i++) {
    const limit = typeof threshold === "number" ? threshold : threshold[i];
    const o = truth[i];
    if (weights[i] === 0 || o !== o || limit !== limit) continue;
    let k = 0;
    let missing = false;
    for (const x of members) {
      if (x[i] !== x[i]) missing = true;
      if (x[i] > limit) k++;
    }
    if (!missing) (o > limit ? table.happened : table.not)[k] += weights[i];
  }
  return table;
}

interface Totals {
  readonly happened: number;
  readonly not: number;
  readonly all: number;
}
const totals = ({ happened, not }: ProbabilityTable): Totals => {
  const sum = (x: Float64Array) => x.reduce((a, b) => a + b, 0);
  return { happened: sum(happened), not: sum(not), all: sum(happened) + sum(not) };
};

/** Mean of (p - event)^2 (Brier 1950; WeatherBench 2 `EnsembleBrierScore`). */
export function brier(table: ProbabilityTable): number {
  const { members, happened, not } = table;
  let sum = 0;
  for (let k = 0; k <= members; k++) {
    const p = k / members;
    sum += happened[k] * (p - 1) ** 2 + not[k] * p ** 2;
  }
  return sum / totals(table).all;
}

/** Less what a finite ensemble's sampling adds, p (1 - p) / (M - 1) (WeatherBench 2 `DebiasedEnsembleBrierScore`). */
export function brierDebiased(table: ProbabilityTable): number {
  const { members, happened, not } = table;
  let sum = 0;
  for (let k = 0; k <= members; k++) {
    const p = k / members;
    sum += ((happened[k] + not[k]) * p * (1 - p)) / (members - 1);
  }
  return brier(table) - sum / totals(table).all;
}

/** Brier = reliability - resolution + uncertainty (Murphy 1973). Small reliability and large resolution are good. */
export function brierParts(table: ProbabilityTable): { reliability: number; resolution: number; uncertainty: number } {
  const { members, happened, not } = table;
  const total = totals(table);
  const rate = total.happened / total.all;
  let reliability = 0;
  let resolution = 0;
  for (let k = 0; k <= members; k++) {
    const weight = happened[k] + not[k];
    if (weight === 0) continue;
    const observed = happened[k] / weight;
    reliability += weight * (k / members - observed) ** 2;
    resolution += weight * (observed - rate) ** 2;
  }
  return { reliability: reliability / total.all, resolution: resolution / total.all, uncertainty: rate * (1 - rate) };
}

/** 1 - Brier / uncertainty: against always forecasting the sample's rate. */
export const brierSkill = (table: ProbabilityTable): number => 1 - brier(table) / brierParts(table).uncertainty;

/** For each probability that was forecast: how often the event followed, and the share of cases. */
export function reliabilityDiagram(table: ProbabilityTable): { forecast: number; observed: number; share: number }[] {
  const { all } = totals(table);
  return [...table.happened.keys()]
    .map((k) => ({ k, weight: table.happened[k] + table.not[k] }))
    .filter(({ weight }) => weight > 0)
    .map(({ k, weight }) => ({
      forecast: k / table.members,
      observed: table.happened[k] / weight,
      share: weight / all,
    }));
}

/** Hit rate against false-alarm rate when warning at k members or more, k = M + 1 .. 0 (Mason 1982). */
export function rocCurve(table: ProbabilityTable): { hitRate: number; falseAlarmRate: number }[] {
  const total = totals(table);
  const points = [{ hitRate: 0, falseAlarmRate: 0 }];
  let hits = 0;
  let alarms = 0;
  for (let k = table.members; k >= 0; k--) {
    hits += table.happened[k];
    alarms += table.not[k];
    points.push({ hitRate: hits / total.happened, falseAlarmRate: alarms / total.not });
  }
  return points;
}

/** Area under the ROC curve by the trapezoidal rule: 1 perfect, 0.5 without discrimination. */
export function rocArea(table: ProbabilityTable): number {
  const points = rocCurve(table);
  let area = 0;
  for (let i = 1; i < points.length; i++)
    area +=
      ((points[i].falseAlarmRate - points[i - 1].falseAlarmRate) * (points[i].hitRate + points[i - 1].hitRate)) / 2;
  return area;
}

/**
 * Relative economic value for a user who loses L without protection that costs C (Richardson 2000, QJRMS 126, eq. 8), warned at
 * the best probability for him: 1 a perfect forecast, 0 no better than always or never protecting.
 */
export function economicValue(table: ProbabilityTable, costLoss: number): number {
  const total = totals(table);
  const rate = total.happened / total.all;
  const climate = Math.min(costLoss, rate);
  const values = rocCurve(table).map(
    ({ hitRate, falseAlarmRate }) =>
      (climate - falseAlarmRate * (1 - rate) * costLoss + hitRate * rate * (1 - costLoss) - rate) /
      (climate - rate * costLoss),
  );
  return Math.max(...values);
}

/** -mean ln p of what happened (Good 1952), p = (k + 1/2) / (M + 1) so that a miss by a small ensemble costs no infinity. */
export function ignorance(table: ProbabilityTable): number {
  const { members, happened, not } = table;
  let sum = 0;
  for (let k = 0; k <= members; k++) {
    const p = (k + 0.5) / (members + 1);
    sum -= happened[k] * Math.log(p) + not[k] * Math.log(1 - p);
  }
  return sum / totals(table).all;
}
