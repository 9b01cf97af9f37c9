/**
 * What every deterministic score of a field is made from: weighted sums over its cells, one row of numbers a start.
 *
 * Sums add: over pieces of a field, over fields, over starts. So a score streams in any order of pieces, halves of a
 * verification merge by adding, and a block bootstrap over starts redraws rows instead of fields. A score (one file each beside
 * this one) is a formula on such a row; `evaluate` applies it to one row or many.
 *
 *     const row = addField(new Float64Array(WIDTH), { forecast, truth, weights });
 *     evaluate(rmse, [row]); // in the field's units
 */
import { FoehnError } from "../../errors.js";
import type { EnsembleFields } from "../ensemble/kernel.js";

/**
 * The places of a row. With e = forecast - truth, f = forecast, o = truth (observed), f' and o' their differences from
 * climatology, w = a cell's weight: `W` Σw, `N` the number of cells, `E` Σwe, `AE` Σw|e|, `EE` Σwe², `F` Σwf, `O` Σwo, `FF` Σwf²,
 * `OO` Σwo², `FO` Σwfo, `FA` Σwf', `OA` Σwo', `FAFA` Σwf'², `OAOA` Σwo'², `FAOA` Σwf'o', `UFA` Σf', `UOA` Σo' (unweighted).
 *
 * Of an ensemble of M members x, whose mean is f: `ABS` Σw mean|x - o|, `PAIRS` Σw mean|x_i - x_j| over different members,
 * `VAR` Σw s² (unbiased variance), `VARM` Σw s²/M, `WM` Σw/M, and from `RANK` on M + 1 places: Σw by the truth's rank. A point
 * forecast is an ensemble of one.
 */
export const W = 0;
export const N = 1;
export const E = 2;
export const AE = 3;
export const EE = 4;
export const F = 5;
export const O = 6;
export const FF = 7;
export const OO = 8;
export const FO = 9;
export const FA = 10;
export const OA = 11;
export const FAFA = 12;
export const OAOA = 13;
export const FAOA = 14;
export const UFA = 15;
export const UOA = 16;
export const ABS = 17;
export const PAIRS = 18;
export const VAR = 19;
export const VARM = 20;
export const WM = 21;
export const RANK = 22;
/** Of a row for point forecasts. */
export const WIDTH = 24;
/** Of a row for ensembles. */
export const rowWidth = (members: number): number => RANK + members + 1;

export type Row = Float64Array;

export interface FieldPair {
  readonly forecast: ArrayLike<number>;
  readonly truth: ArrayLike<number>;
  /** A weight for each cell (row weight, times region and mask); cells of weight 0 are left out. */
  readonly weights: ArrayLike<number>;
  /** Needed for anomaly scores; the sums of anomalies stay 0 without it. */
  readonly climatology?: ArrayLike<number>;
  /** Where the forecast is the mean of an ensemble. `row` must then be `rowWidth(members)` long. */
  readonly ensemble?: EnsembleFields;
}

/** Adds the cells of a field to `row` and gives it back. Cells where any of the fields is missing (NaN) count nowhere. */
export function addField(row: Row, { forecast, truth, weights, climatology, ensemble }: FieldPair): Row {
  const size = weights.length;
  for (const [name, field] of Object.entries({ forecast, truth, climatology }))
    if (field && field.length !== size)
      throw new FoehnError(`the ${name} has ${field.length} cells and the weights ${size}; they must lie on one grid`);
  const masked = holesOf(forecast)
    ? Float64Array.from(truth, (o, i) => (forecast[i] === forecast[i] ? o : NaN))
    : truth;
  addErrors(row, truthSums(masked, weights, climatology), { forecast, truth: masked, weights, climatology });
  if (ensemble) addEnsemble(row, ensemble, masked, weights, climatology);
  return row;
}

/** Whether a value is missing. */
export function holesOf(field: ArrayLike<number>): boolean {
  // Two sums, so that an addition need not wait for the one before.
  let even = 0;
  let odd = 0;
  for (let i = 1; i < field.length; i += 2) {
    even += field[i - 1];
    odd += field[i];
  }
  const sum = even + odd + (field.length % 2 ? field[field.length - 1] : 0);
  if (sum === sum) return false;
  for (let i = 0; i < field.length; i++) if (field[i] !== field[i]) return true;
  return false; // opposite infinities
}

/** What the truth alone contributes to a row, whoever forecasts it: `W`, `N`, Σwo, Σwo², Σwo', Σwo'², Σo'. */
export type TruthSums = readonly [number, number, number, number, number, number, number];

export function truthSums(
  truth: ArrayLike<number>,
  weights: ArrayLike<number>,
  climatology?: ArrayLike<number>,
): TruthSums {
  // Declared one by one: sums that come out of an array stay boxed in V8, at five times the cost.
  let w = 0;
  let n = 0;
  let o1 = 0;
  let oo = 0;
  let oa = 0;
  let oaoa = 0;
  let uoa = 0;
  const normal = climatology ?? truth;
  for (let i = 0; i < weights.length; i++) {
    const weight = weights[i];
    const o = truth[i];
    const q = o - normal[i];
    if (weight === 0 || o !== o || q !== q) continue;
    w += weight;
    n++;
    o1 += weight * o;
    oo += weight * o * o;
    oa += weight * q;
    oaoa += weight * q * q;
    uoa += q;
  }
  return [w, n, o1, oo, oa, oaoa, uoa];
}

/** Adds a point forecast, whose missing cells must be missing in the truth too. The rest of a row follows from f = o + e. */
export function addErrors(
  row: Row,
  [w, n, o1, oo, oa, oaoa, uoa]: TruthSums,
  { forecast, truth, weights, climatology }: Omit<FieldPair, "ensemble">,
): Row {
  let e1 = 0;
  let ae = 0;
  let ee = 0;
  let oe = 0;
  let qe = 0;
  let ue = 0;
  const normal = climatology ?? truth; // without one q is 0, and missing where the truth is
  if (n === weights.length)
    for (let i = 0; i < n; i++) {
      // Nothing is missing and every cell counts.
      const o = truth[i];
      const e = forecast[i] - o;
      const we = weights[i] * e;
      e1 += we;
      ae += Math.abs(we);
      ee += we * e;
      oe += we * o;
      qe += we * (o - normal[i]);
      ue += e;
    }
  else
    for (let i = 0; i < weights.length; i++) {
      const o = truth[i];
      const e = forecast[i] - o;
      const q = o - normal[i];
      if (weights[i] === 0 || e !== e || q !== q) continue;
      const we = weights[i] * e;
      e1 += we;
      ae += Math.abs(we);
      ee += we * e;
      oe += we * o;
      qe += we * q;
      ue += e;
    }
  const clean = (square: number, of: number) => (square > 1e-13 * of ? square : 0); // what is equal leaves no rounding
  const sums = [w, n, e1, ae, ee, e1 + o1, o1, oo + 2 * oe + ee, oo, oo + oe];
  const anomalies = climatology
    ? [oa + e1, oa, clean(oaoa + 2 * qe + ee, oaoa + ee), oaoa, oaoa + qe, uoa + ue, uoa]
    : [0, 0, 0, 0, 0, 0, 0];
  const spread = [ae, 0, 0, 0, w];
  let k = 0;
  for (const x of sums) row[k++] += x;
  for (const x of anomalies) row[k++] += x;
  for (const x of spread) row[k++] += x;
  return row;
}

/** Puts what an ensemble's members say in the place of what its mean said as a point forecast. */
export function addEnsemble(
  row: Row,
  ensemble: EnsembleFields,
  truth: ArrayLike<number>,
  weights: ArrayLike<number>,
  climatology?: ArrayLike<number>,
): Row {
  const { mean, absolute, pairs, variance, below, members } = ensemble;
  let ae = 0;
  let abs = 0;
  let between = 0;
  let spread = 0;
  let w = 0;
  for (let i = 0; i < weights.length; i++) {
    const weight = weights[i];
    const e = mean[i] - truth[i];
    if (weight === 0 || e !== e || (climatology && climatology[i] !== climatology[i])) continue;
    ae += weight * Math.abs(e);
    abs += weight * absolute[i];
    between += weight * pairs[i];
    spread += weight * variance[i];
    w += weight;
    row[RANK + below[i]] += weight;
  }
  row[ABS] += abs - ae;
  row[PAIRS] += between;
  row[VAR] += spread;
  row[VARM] += spread / members;
  row[WM] += w / members - w;
  return row;
}

/** The sum of rows. */
export function addRows(rows: Iterable<Row>, width: number = WIDTH): Row {
  const total = new Float64Array(width);
  for (const row of rows) for (let k = 0; k < width; k++) total[k] += row[k];
  return total;
}

/** One number that says how good a forecast is. */
export interface Score {
  readonly name: string;
  /** As a person writes it; <x> is the area-weighted mean, overbar (mean over starts) as `mean_t`. */
  readonly formula: string;
  /** `field`: the variable's own; `field^2`: its square; `1`: none. */
  readonly units: "field" | "field^2" | "1";
  /** Which way is better: `low`, `high`, or the value a perfect forecast has (0 or 1) from either side. */
  readonly better: "low" | "high" | 0 | 1;
  /** Paper or code that defines it. */
  readonly source: string;
  /** `all`: of the sums over every start; `each`: the mean over starts of each start's own. */
  readonly over: "all" | "each";
  readonly needsClimatology?: boolean;
  readonly needsEnsemble?: boolean;
  /** Whether it judges a distribution: a baseline that is an ensemble joins in. */
  readonly probabilistic?: boolean;
  readonly value: (row: ArrayLike<number>) => number;
  /** Where the score over starts is the ratio of two scores over starts. */
  readonly ratio?: readonly [Score, Score];
}

/** A score over starts, one row each. NaN where it is not defined (no cell, or a constant field where a variance divides). */
export function evaluate(score: Score, rows: readonly Row[]): number {
  if (score.ratio) return evaluate(score.ratio[0], rows) / evaluate(score.ratio[1], rows);
  if (score.over === "all") return score.value(addRows(rows, rows[0]?.length ?? WIDTH));
  let sum = 0;
  for (const row of rows) sum += score.value(row);
  return sum / rows.length;
}

/** Which places of a row some scores read, told by watching them read one; what a resample need not sum is left out by it. */
export function usedPlaces(scores: readonly Score[], width: number): number[] {
  const used = new Set<number>([W]);
  const row = new Proxy(new Float64Array(width).fill(1), {
    get(target, key) {
      const place = typeof key === "string" ? Number(key) : NaN;
      if (Number.isInteger(place)) used.add(place);
      return Reflect.get(target, key, target) as unknown;
    },
  });
  for (const score of scores) for (const part of score.ratio ?? [score]) part.value(row);
  return [...used].filter((place) => place < width).sort((a, b) => a - b);
}
