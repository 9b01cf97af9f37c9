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
  let [w, n, e1, ae, ee, f1, o1, ff, oo, fo] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
  let [fa, oa, fafa, oaoa, faoa, ufa, uoa] = [0, 0, 0, 0, 0, 0, 0];
  let [abs, pairs, variance] = [0, 0, 0];
  for (let i = 0; i < size; i++) {
    const weight = weights[i];
    if (weight === 0) continue;
    const f = forecast[i];
    const o = truth[i];
    const c = climatology ? climatology[i] : 0;
    const e = f - o;
    if (e !== e || c !== c) continue;
    w += weight;
    n++;
    e1 += weight * e;
    ae += weight * Math.abs(e);
    ee += weight * e * e;
    f1 += weight * f;
    o1 += weight * o;
    ff += weight * f * f;
    oo += weight * o * o;
    fo += weight * f * o;
    if (ensemble) {
      abs += weight * ensemble.absolute[i];
      pairs += weight * ensemble.pairs[i];
      variance += weight * ensemble.variance[i];
      row[RANK + ensemble.below[i]] += weight;
    }
    if (!climatology) continue;
    const p = f - c;
    const q = o - c;
    fa += weight * p;
    oa += weight * q;
    fafa += weight * p * p;
    oaoa += weight * q * q;
    faoa += weight * p * q;
    ufa += p;
    uoa += q;
  }
  const members = ensemble?.members ?? 1;
  const spread = [ensemble ? abs : ae, pairs, variance, variance / members, w / members];
  const add = [w, n, e1, ae, ee, f1, o1, ff, oo, fo, fa, oa, fafa, oaoa, faoa, ufa, uoa, ...spread];
  for (let k = 0; k < add.length; k++) row[k] += add[k];
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
