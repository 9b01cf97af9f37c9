/**
 * Fractions skill score: is the event forecast about as often within n cells of where it happened? (Roberts and Lean 2008, MWR 136,
 * eq. 6; area-weighted and pooled over starts as in WeatherBench-X.)
 *
 *     FSS = 1 - mean (pf - po)^2 / (mean pf^2 + mean po^2),   p the share of an n x n window
 */

/** Sums that add over starts. */
export interface FractionSums {
  difference: number;
  forecast: number;
  truth: number;
}

export const fractionSums = (): FractionSums => ({ difference: 0, forecast: 0, truth: 0 });

export const fss = ({ difference, forecast, truth }: Readonly<FractionSums>): number =>
  1 - difference / (forecast + truth);

export interface WindowOptions {
  /** Odd number of cells along a side. */
  readonly window: number;
  readonly columns: number;
  /** Joins the ends of rows. */
  readonly wrap?: boolean;
}

/**
 * Adds a pair of fields [rows, columns].
 *
 * @param options.threshold one number, or one a cell
 */
export function addFractions(
  sums: FractionSums,
  forecast: ArrayLike<number>,
  truth: ArrayLike<number>,
  weights: ArrayLike<number>,
  options: { threshold: number | ArrayLike<number> } & WindowOptions,
): FractionSums {
  const pf = eventFractions(forecast, options.threshold, options);
  const po = eventFractions(truth, options.threshold, options);
  for (let i = 0; i < weights.length; i++) {
    const d = pf[i] - po[i];
    if (d !== d) continue;
    sums.difference += weights[i] * d * d;
    sums.forecast += weights[i] * pf[i] * pf[i];
    sums.truth += weights[i] * po[i] * po[i];
  }
  return sums;
}

/** Share of the window around each cell that exceeds the threshold; a window with a missing cell is missing. */
export function eventFractions(
  field: ArrayLike<number>,
  threshold: number | ArrayLike<number>,
  options: WindowOptions,
): Float64Array {
  const limit = (i: number) => (typeof threshold === "number" ? threshold : threshold[i]);
  const event = Float64Array.from(field, (x, i) => (x !== x ? NaN : Number(x > limit(i))));
  return windowMean(event, options);
}

/** Mean over the window around each cell, of events or of their chances; a window with a missing cell is missing. */
export function windowMean(event: Float64Array, { window, columns, wrap = false }: WindowOptions): Float64Array {
  if (window === 1) return event;
  const rows = event.length / columns;
  const half = (window - 1) / 2;
  const along = boxMean(event, rows, columns, half, 1, columns);
  const box = boxMean(along, columns, rows, half, columns, 1);
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < columns; j++) {
      const edge = i < half || i >= rows - half || (!wrap && (j < half || j >= columns - half));
      if (edge) box[i * columns + j] = 0;
    }
  return box;
}

/** Mean over 2 half + 1 neighbours along lines of `length` elements `step` apart; `lines` of them `stride` apart; ends joined. */
function boxMean(
  x: Float64Array,
  lines: number,
  length: number,
  half: number,
  step: number,
  stride: number,
): Float64Array {
  const out = new Float64Array(x.length);
  for (let line = 0; line < lines; line++)
    for (let k = 0; k < length; k++) {
      let sum = 0;
      for (let d = -half; d <= half; d++) {
        sum += x[line * stride + ((k + d + length) % length) * step];
      }
      out[line * stride + k * step] = sum / (2 * half + 1);
    }
  return out;
}
