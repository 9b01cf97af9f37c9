/**
 * How forecast values are spread beside the truth's, over all times and cells of a held-back period: their quantiles, where the
 * truth falls in the forecast distribution (PIT), and how often a strong value comes when it is forecast at p.
 */
import { addProbabilities, type ProbabilityTable, probabilityTable } from "./scores/probability.js";

export interface DownscaleShape {
  /** null: the model. */
  readonly name: string | null;
  /** RMSE of each time. */
  readonly errors: Float64Array;
  /** Of the mean, and of all values, at `SHAPE_LEVELS`. */
  readonly quantilesOfMean: Float64Array;
  readonly quantiles: Float64Array;
  /** Where there is a distribution: shares of the truth's places in it, and chances of more than the threshold. */
  readonly pit?: Float64Array;
  readonly chances?: ProbabilityTable;
}

/** From one in a thousand below to one in ten thousand above. */
export const SHAPE_LEVELS: readonly number[] = [
  ...[0.001, 0.003, 0.01, 0.03, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8],
  ...[1, 1.25, 1.5, 1.75, 2, 2.25, 2.5, 2.75, 3, 3.25, 3.5, 3.75, 4].map((k) => 1 - 10 ** -k),
];

const PIT_BINS = 10;

/** Quantiles at `SHAPE_LEVELS` of all values of all fields; as far into the tail as ten values lie beyond. */
export function quantilesOf(fields: readonly Float32Array[]): Float64Array {
  const all = new Float32Array(fields.reduce((sum, f) => sum + f.length, 0));
  let n = 0;
  for (const field of fields) for (const x of field) if (x === x) all[n++] = x;
  const sorted = all.subarray(0, n).sort();
  return Float64Array.from(SHAPE_LEVELS, (p) => (Math.min(p, 1 - p) * n < 10 ? NaN : sorted[Math.floor(p * n)]));
}

/**
 * One forecaster's shape.
 *
 * @param means [time] of cells; @param members [time] of member x cell
 */
export function shapeOf(
  name: string | null,
  errors: Float64Array,
  means: readonly Float32Array[],
  members: readonly Float32Array[],
  truths: readonly Float32Array[],
  threshold: number,
): DownscaleShape {
  const shape = { name, errors, quantilesOfMean: quantilesOf(means), quantiles: quantilesOf(members) };
  const cells = truths[0].length;
  const n = members[0].length / cells;
  if (n < 2) return shape;
  const pit = new Float64Array(PIT_BINS);
  const chances = probabilityTable(n);
  const equal = new Float32Array(cells).fill(1);
  truths.forEach((truth, t) => {
    const fields = Array.from({ length: n }, (_, m) => members[t].subarray(m * cells, (m + 1) * cells));
    for (let i = 0; i < cells; i++) addPlace(pit, fields, i, truth[i]);
    addProbabilities(chances, fields, truth, equal, threshold);
  });
  const total = pit.reduce((a, b) => a + b, 0);
  return { ...shape, pit: pit.map((x) => x / total), chances };
}

/**
 * The place of a truth among equally likely values that each stand for 1 / n of the chance. Where it equals some of them (no rain
 * and several dry quantiles) it is spread over all of these (Czado et al. 2009), between two of them over half of both.
 */
function addPlace(bins: Float64Array, fields: readonly Float32Array[], i: number, truth: number): void {
  const n = fields.length;
  let [below, equal] = [0, 0];
  for (const field of fields) {
    if (!(field[i] === field[i] && truth === truth)) return;
    if (field[i] < truth) below++;
    else if (field[i] === truth) equal++;
  }
  const from = Math.max(0, equal > 0 ? below : below - 0.5) / n;
  const to = Math.min(n, equal > 0 ? below + equal : below + 0.5) / n;
  for (let b = Math.floor(from * bins.length); b < bins.length && b < to * bins.length; b++) {
    const inside = Math.min(to, (b + 1) / bins.length) - Math.max(from, b / bins.length);
    bins[b] += Math.max(0, inside) / (to - from);
  }
}
