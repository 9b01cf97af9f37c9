/**
 * Damped anomaly persistence: the departure from climatology at the start, shrunk by its lag regression, on the climatology of
 * the valid time. The honest form of persistence: it knows how fast the atmosphere forgets.
 *
 *     forecast(t + L) = c(t + L) + a_L (x(t) - c(t)),   a_L = Σ x'(t) x'(t + L) / Σ x'(t)^2  over training times
 */
import { memoryRows, type RowMaker } from "../../tensor/rows.js";
import { type States, stateSize, stepOf } from "../series.js";
import { type Anomalies, anomaliesOf } from "./anomalies.js";
import { type Baseline, pairs, type TimeRange, trainingIndices } from "./baseline.js";
import type { Climatology } from "./climatology.js";

export interface DampedAnomalyOptions {
  readonly trainRange: TimeRange;
  /** One coefficient a grid point (the default), or one for the whole field of a channel, for very short records. */
  readonly coefficient?: "point" | "field";
  readonly rows?: RowMaker;
  readonly anomalies?: Anomalies;
  /** Leads that will be asked for, in steps: fitted together, so that the anomalies are fetched from memory once for all of them. */
  readonly leads?: readonly number[];
}

/** Cells whose anomalies of a year or two stay near the processor while all leads are fitted. */
const TILE = 256;

export function dampedAnomaly(series: States, climatology: Climatology, options: DampedAnomalyOptions): Baseline {
  const { trainRange, coefficient = "point", rows = memoryRows, leads = [] } = options;
  const { anomalies = anomaliesOf(series, climatology, rows) } = options;
  const size = stateSize(series);
  const cells = size / series.channels.length;
  const step = stepOf(series);
  const indices = trainingIndices(series, trainRange);
  const fitted = new Map<number, () => Float32Array>();

  const fit = (together: readonly number[]): void => {
    const place = new Map(indices.map((index, k) => [index, k]));
    const placesOf = (of: readonly number[]) => Int32Array.from(of, (index) => place.get(index)!);
    const all = together.map((lead) => {
      const { from, to } = pairs(series, indices, lead);
      const there = new Set(from);
      const rest = indices.filter((index) => !there.has(index));
      return { now: placesOf(from), later: placesOf(to), rest: placesOf(rest) };
    });
    const every = placesOf(indices);
    const kept = rows.float32(together.length, size);
    const gaps = indices.some((index) => anomalies.gaps(index));
    const ofField = together.map(() => new Float64Array(2 * series.channels.length));
    for (let from = 0; from < size; from += TILE) {
      const to = Math.min(size, from + TILE);
      const width = to - from;
      // [time, cell], side by side: rows a multiple of a page apart would push one another out of the cache.
      const tile = new Float32Array(indices.length * width);
      indices.forEach((index, k) => tile.set(anomalies.at(index, from, to), k * width));
      const ofAll = squares(tile, width, every);
      all.forEach(({ now, later, rest }, l) => {
        const product = lagProducts(tile, width, now, later, gaps);
        // Without gaps, what is nearly all of the training period is all of it less the rest.
        const square = gaps
          ? squares(tile, width, now, later)
          : rest.length < now.length
            ? squares(tile, width, rest).map((x, p) => ofAll[p] - x)
            : squares(tile, width, now);
        // A point that never departs from its climatology has nothing to persist.
        const ratio = product.map((p, i) => (square[i] > 0 ? p / square[i] : 0));
        if (coefficient === "point") kept.set(l, ratio, from);
        for (let i = 0; i < width; i++) {
          const channel = Math.floor((from + i) / cells);
          ofField[l][2 * channel] += product[i];
          ofField[l][2 * channel + 1] += square[i];
        }
      });
    }
    together.forEach((lead, l) => {
      if (coefficient === "field")
        series.channels.forEach((_, channel) => {
          const [product, square] = ofField[l].subarray(2 * channel);
          kept.set(l, new Float32Array(cells).fill(square > 0 ? product / square : 0), channel * cells);
        });
      fitted.set(lead, () => kept.get(l));
    });
  };
  const coefficientsOf = (lead: number): Float32Array => {
    if (!fitted.has(lead)) fit(leads.includes(lead) ? leads : [lead]);
    return fitted.get(lead)!();
  };

  return {
    name: "damped-anomaly",
    description: "the start's departure from climatology, damped by its lag regression over the training period",
    predict(initIndices, leadSteps) {
      const a = coefficientsOf(leadSteps);
      const out = new Float32Array(initIndices.length * size);
      for (let k = 0; k < initIndices.length; k++) {
        const valid = climatology.at(series.times[initIndices[k]] + leadSteps * step);
        const start = anomalies.at(initIndices[k]);
        const base = k * size;
        for (let p = 0; p < size; p++) out[base + p] = valid[p] + a[p] * start[p];
      }
      return out;
    },
  };
}

/** Σ x'(t) x'(t + L) of each cell of a tile [time, cell] over pairs of its rows, where both are there. */
function lagProducts(x: Float32Array, width: number, now: Int32Array, later: Int32Array, gaps: boolean): Float64Array {
  const out = new Float64Array(width);
  // Four pairs at a time, so that the sums are fetched and put back once for all of them.
  const whole = gaps ? 0 : now.length - (now.length % 4);
  for (let k = 0; k < whole; k += 4) {
    const [a, b, c, d] = [now[k] * width, now[k + 1] * width, now[k + 2] * width, now[k + 3] * width];
    const [e, f, g, h] = [later[k] * width, later[k + 1] * width, later[k + 2] * width, later[k + 3] * width];
    for (let p = 0; p < width; p++)
      out[p] += x[a + p] * x[e + p] + x[b + p] * x[f + p] + (x[c + p] * x[g + p] + x[d + p] * x[h + p]);
  }
  for (let k = whole; k < now.length; k++)
    for (let p = 0; p < width; p++) {
      const both = x[now[k] * width + p] * x[later[k] * width + p];
      if (both === both) out[p] += both;
    }
  return out;
}

/** Σ x'^2 of each cell over rows of a tile, where those beside them are there too. */
function squares(x: Float32Array, width: number, rows: Int32Array, beside = rows): Float64Array {
  const out = new Float64Array(width);
  for (let k = 0; k < rows.length; k++)
    for (let p = 0; p < width; p++) {
      const [a, b] = [x[rows[k] * width + p], x[beside[k] * width + p]];
      if (a === a && b === b) out[p] += a * a;
    }
  return out;
}
