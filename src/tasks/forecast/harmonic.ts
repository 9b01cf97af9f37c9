/**
 * Climatology as a few harmonics: an annual cycle, a daily cycle, and the daily cycle's change through the year, fitted by
 * least squares at each point. A dozen numbers a point stand for every hour of the year, so that a model carries its climatology
 * with it, and a year or two of data suffice (a moving window over so few years keeps the weather it should smooth away).
 *
 *     c(t) = sum_k b_k(t) beta_k,   b = (1, annual cos and sin, ...) x (1, daily cos and sin, ...)
 */
import { dayOfYear, hourOfDay, type Calendar } from "../../earth/time.js";
import type { Climatology, TimeRange } from "../baselines/index.js";
import { trainingIndices } from "../baselines/baseline.js";
import { type Series, stateAt, stateSize, stepOf } from "../series.js";
import { solveSymmetric } from "./solve.js";

const DAY = 86_400_000;
const YEAR_DAYS = 365.2425;

export interface Harmonics {
  /** Annual harmonics of the mean. */
  readonly annual: number;
  /** Daily harmonics, each with two annual harmonics of its own; none for data once a day. */
  readonly daily: number;
}

/** The harmonics that a record can bear: no annual cycle from less than ten months, one from less than three years. */
export function bearable(series: Pick<Series, "times">, range: TimeRange): Harmonics {
  const inside = series.times.filter((t) => t >= range[0] && t < range[1]);
  const years = (inside[inside.length - 1] - inside[0]) / (YEAR_DAYS * DAY);
  const perDay = DAY / stepOf(series);
  return { annual: years < 0.8 ? 0 : years < 2.9 ? 1 : 3, daily: perDay < 2 ? 0 : perDay < 4 ? 1 : 2 };
}

/** b(t): the values of the harmonics at an instant. */
export function harmonicsAt(time: number, { annual, daily }: Harmonics, calendar: Calendar): Float64Array {
  const year = (2 * Math.PI * (dayOfYear(time, calendar) - 1 + hourOfDay(time) / 24)) / YEAR_DAYS;
  const day = (2 * Math.PI * hourOfDay(time)) / 24;
  const count = 1 + 2 * annual + 2 * daily * (annual > 0 ? 5 : 1);
  const out = new Float64Array(count);
  let at = 0;
  const put = (v: number): void => {
    out[at++] = v;
  };
  put(1);
  for (let k = 1; k <= annual; k++) {
    put(Math.cos(k * year));
    put(Math.sin(k * year));
  }
  // At the Nyquist frequency of the daily cycle (two samples a cycle) the sine vanishes; the least squares leave it at zero
  for (let k = 1; k <= daily; k++)
    for (const d of [Math.cos(k * day), Math.sin(k * day)]) {
      put(d);
      // The daily cycle's change through the year: two annual harmonics of its own
      for (let j = 1; annual > 0 && j <= 2; j++) {
        put(Math.cos(j * year) * d);
        put(Math.sin(j * year) * d);
      }
    }
  return out;
}

export interface HarmonicClimatology extends Climatology {
  readonly harmonics: Harmonics;
  /** [harmonic, channel x latitude x longitude]. */
  readonly coefficients: Float32Array;
  /** Size of a channel's daily cycle at each of its `cells` points; undefined where there is none. */
  dailyAmplitude(channel: number, cells: number): Float32Array | undefined;
}

/** A climatology from its coefficients (a run on disk), or fresh from `fitHarmonics`. */
export function harmonicClimatology(
  coefficients: Float32Array,
  harmonics: Harmonics,
  calendar: Calendar,
): HarmonicClimatology {
  const count = harmonicsAt(0, harmonics, calendar).length;
  const size = coefficients.length / count;
  const known = new Map<number, Float32Array>();
  return {
    harmonics,
    coefficients,
    description: `${harmonics.annual} annual and ${harmonics.daily} daily harmonics fitted to the training period`,
    dailyAmplitude(channel, cells) {
      if (harmonics.daily === 0) return undefined;
      // The first daily cosine and sine, each followed by its annual modulation (see harmonicsAt)
      const first = 1 + 2 * harmonics.annual;
      const row = (k: number) => coefficients.subarray(k * size + channel * cells, k * size + (channel + 1) * cells);
      const [cosine, sine] = [row(first), row(first + (harmonics.annual > 0 ? 5 : 1))];
      return cosine.map((v, i) => Math.hypot(v, sine[i]));
    },
    at(time) {
      const key = dayOfYear(time, calendar) * 24 + hourOfDay(time);
      const before = known.get(key);
      if (before) return before;
      const b = harmonicsAt(time, harmonics, calendar);
      const out = new Float32Array(size);
      for (let k = 0; k < count; k++) {
        const row = coefficients.subarray(k * size, (k + 1) * size);
        for (let p = 0; p < size; p++) out[p] += b[k] * row[p];
      }
      known.set(key, out);
      return out;
    },
  };
}

/** Least squares over the training period, the same harmonics for every point. Missing values are left out, point by point. */
export function fitHarmonics(
  series: Series,
  trainRange: TimeRange,
  harmonics = bearable(series, trainRange),
): HarmonicClimatology {
  const size = stateSize(series);
  const indices = trainingIndices(series, trainRange);
  const count = harmonicsAt(0, harmonics, series.calendar).length;
  const normal = new Float64Array(count * count);
  const right = new Float64Array(count * size);
  const gaps = new Uint8Array(size);
  for (const i of indices) {
    const b = harmonicsAt(series.times[i], harmonics, series.calendar);
    const state = stateAt(series, i);
    addOuter(normal, b);
    for (let p = 0; p < size; p++) if (state[p] !== state[p]) gaps[p] = 1;
    for (let k = 0; k < count; k++) {
      const row = right.subarray(k * size, (k + 1) * size);
      for (let p = 0; p < size; p++) row[p] += b[k] * state[p];
    }
  }
  const solved = solveSymmetric(ridged(normal, count, indices.length), right, count);
  for (let p = 0; p < size; p++) if (gaps[p]) fitWithGaps(series, indices, harmonics, p, solved);
  return harmonicClimatology(Float32Array.from(solved), harmonics, series.calendar);
}

function addOuter(normal: Float64Array, b: Float64Array): void {
  const count = b.length;
  for (let k = 0; k < count; k++) for (let j = 0; j < count; j++) normal[k * count + j] += b[k] * b[j];
}

/** A touch of ridge: harmonics that the sampling cannot tell apart share what they explain. */
function ridged(normal: Float64Array, count: number, samples: number): Float64Array {
  for (let k = 1; k < count; k++) normal[k * count + k] += 1e-6 * samples;
  return normal;
}

/** The fit of one point from the times it has, into its column of `out`; zeros where it has none. */
function fitWithGaps(
  series: Series,
  indices: readonly number[],
  harmonics: Harmonics,
  point: number,
  out: Float64Array,
): void {
  const size = stateSize(series);
  const count = out.length / size;
  const have = indices.filter((i) => !Number.isNaN(stateAt(series, i)[point]));
  const normal = new Float64Array(count * count);
  const right = new Float64Array(count);
  for (const i of have) {
    const b = harmonicsAt(series.times[i], harmonics, series.calendar);
    addOuter(normal, b);
    for (let k = 0; k < count; k++) right[k] += b[k] * stateAt(series, i)[point];
  }
  const solved = have.length > 0 ? solveSymmetric(ridged(normal, count, have.length), right, count) : right;
  for (let k = 0; k < count; k++) out[k * size + point] = solved[k];
}
