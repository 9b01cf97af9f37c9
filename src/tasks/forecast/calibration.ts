/**
 * Calibration by lead. A roll-out that was trained for two days is too sure of itself on the fifth: its departures from
 * climatology are too large. On the validation period each lead's forecast is therefore regressed on the roll-out and on damped
 * persistence, the usual linear correction of model output (Glahn and Lowry 1972) with the first guess as second predictor:
 *
 *     u(t + L) = alpha_L rollout(t + L) + beta_L a_L u(t)
 *
 * Two numbers a lead and channel, from data that the networks never saw. Where these are few, two are one too many: how large
 * departures are in a half-year is not how large they are in the next. `blend` asks only how far the roll-out is believed beyond
 * the first guess, alpha_L + beta_L = 1:
 *
 *     u(t + L) = a_L u(t) + w_L (rollout(t + L) - a_L u(t))
 *
 * Such a weight is still uncertain, so it is drawn towards 0 by as much, as in downscaling (the positive part of James and Stein 1961,
 * with the variance of w by a jackknife over blocks of starts, Künsch 1989):
 *
 *     w <- max(0, w - Var(w) / w)
 */
import { latitudeWeights } from "../../earth/weights.js";
import { float32, type NdArray } from "../../tensor/ndarray.js";
import type { Normaliser } from "./normaliser.js";

/** Two weights, or one that goes from the first guess to the roll-out. */
export type CalibrationForm = "free" | "blend";

/** alpha and beta, [lead, channel, 2], leads of 1, 2, ... steps; the last stands for all that follow. */
export interface Calibration {
  readonly leads: number;
  readonly weights: Float32Array;
}

/**
 * Weighted sums of products for one lead and channel: rollout^2, rollout damped, damped^2, rollout truth, damped truth, truth^2,
 * (start - truth)^2, and the weights themselves.
 */
const SUMS = 8;
/** Stretches of starts that are left out in turn to see how uncertain a weight is. */
export const BLOCKS = 8;

/** Area-weighted root mean square errors of one channel at one lead, in its units. */
export interface CalibrationScore {
  readonly lead: number;
  readonly channel: string;
  readonly model: number;
  /** The departure kept as it is. */
  readonly anomalyPersistence: number;
  readonly climatology: number;
  readonly damped: number;
}

export interface CalibrationFit {
  /** Adds one forecast at a lead; everything in departures. `block` (below BLOCKS) says which stretch of the period it starts in. */
  add(lead: number, rollout: Float32Array, start: Float32Array, truth: Float32Array, block?: number): void;
  result(): Calibration;
  /** The calibrated forecast beside its baselines, over what was added. Leads without any are left out. */
  scores(): CalibrationScore[];
}

export function fitCalibration(n: Normaliser, form: CalibrationForm = "free"): CalibrationFit {
  const channels = n.channels.length;
  const width = n.longitudes.length;
  const cells = n.latitudes.length * width;
  const size = channels * cells;
  const rows = latitudeWeights(n.latitudes, "exact");
  const pairs = n.leadSteps * channels;
  const sums = new Float64Array(BLOCKS * pairs * SUMS);
  const at = (block: number, k: number) => sums.subarray((block * pairs + k) * SUMS, (block * pairs + k + 1) * SUMS);
  const blocksOf = (k: number) => Array.from({ length: BLOCKS }, (_, block) => at(block, k));
  const of = (k: number) => total(blocksOf(k));
  const weightsOf = (k: number) => (form === "blend" ? blend(blocksOf(k)) : solve(of(k)));
  return {
    add(lead, rollout, start, truth, block = 0) {
      const damping = n.damping.subarray((lead - 1) * size);
      for (let c = 0; c < channels; c++) {
        const s = at(block, (lead - 1) * channels + c);
        for (let i = 0; i < cells; i++) {
          const p = c * cells + i;
          const area = rows[Math.floor(i / width)];
          const w = area * n.anomaly[p] ** 2; // so that the sums are in the channel's units
          const [f, d, y] = [rollout[p], damping[p] * start[p], truth[p]];
          s[0] += w * f * f;
          s[1] += w * f * d;
          s[2] += w * d * d;
          s[3] += w * f * y;
          s[4] += w * d * y;
          s[5] += w * y * y;
          s[6] += w * (start[p] - y) ** 2;
          s[7] += area;
        }
      }
    },
    result() {
      const weights = new Float32Array(pairs * 2);
      for (let k = 0; k < pairs; k++) weights.set(weightsOf(k), 2 * k);
      return { leads: n.leadSteps, weights };
    },
    scores() {
      const rows: CalibrationScore[] = [];
      for (let k = 0; k < pairs; k++) {
        const [ff, fd, dd, fy, dy, yy, changed, area] = of(k);
        if (area === 0) continue;
        const [a, b] = weightsOf(k);
        const rmse = (sum: number) => Math.sqrt(Math.max(0, sum) / area);
        rows.push({
          lead: Math.floor(k / channels) + 1,
          channel: n.channels[k % channels],
          model: rmse(a * a * ff + 2 * a * b * fd + b * b * dd - 2 * a * fy - 2 * b * dy + yy),
          anomalyPersistence: rmse(changed),
          climatology: rmse(yy),
          damped: rmse(dd - 2 * dy + yy),
        });
      }
      return rows;
    },
  };
}

/** Least squares of two predictors, drawn slightly towards the roll-out alone (1, 0): a lead with few samples stays near it. */
function solve([ff, fd, dd, fy, dy]: Float64Array): [number, number] {
  const pull = 0.01 * (ff + dd);
  if (!(pull > 0)) return [1, 0];
  const [a, c, p, q] = [ff + pull, dd + pull, fy + pull, dy];
  const determinant = a * c - fd * fd;
  return [(p * c - fd * q) / determinant, (a * q - fd * p) / determinant];
}

/** Least squares along the line from the first guess (0, 1) to the roll-out (1, 0) and beyond, drawn towards the first guess. */
function blend(blocks: readonly Float64Array[]): [number, number] {
  const used = blocks.filter((s) => s[7] > 0);
  const w = along(total(blocks));
  if (used.length < 2 || !(w > 0)) return [0, 1]; // one stretch proves nothing
  const others = used.map((left) => along(total(used.filter((s) => s !== left))));
  const middle = others.reduce((a, b) => a + b, 0) / others.length;
  const variance = ((others.length - 1) / others.length) * others.reduce((sum, x) => sum + (x - middle) ** 2, 0);
  const drawn = Math.max(0, w - variance / w);
  return [drawn, 1 - drawn];
}

/** How far to go from the first guess towards the roll-out for the least squared error; 0 where they are the same. */
function along([ff, fd, dd, fy, dy]: Float64Array): number {
  const size = ff - 2 * fd + dd;
  return size > 0 ? (fy - dy - fd + dd) / size : 0;
}

/** Sums over several blocks. */
const total = (blocks: readonly Float64Array[]): Float64Array =>
  blocks.reduce((a, b) => a.map((v, i) => v + b[i]), new Float64Array(SUMS));

/** The calibrated departure at a lead. */
export function calibrated(
  n: Normaliser,
  { leads, weights }: Calibration,
  lead: number,
  rollout: Float32Array,
  start: Float32Array,
): Float32Array {
  const at = Math.min(lead, leads) - 1;
  const size = rollout.length;
  const cells = n.latitudes.length * n.longitudes.length;
  const damping = n.damping.subarray(Math.min(lead, n.leadSteps) * size - size);
  return rollout.map((f, p) => {
    const k = 2 * (at * n.channels.length + Math.floor(p / cells));
    return weights[k] * f + weights[k + 1] * damping[p] * start[p];
  });
}

export const packCalibration = ({ leads, weights }: Calibration): [string, NdArray][] => [
  ["weights", float32([leads, weights.length / leads / 2, 2], weights)],
];

export function unpackCalibration(arrays: ReadonlyMap<string, NdArray>): Calibration {
  const weights = arrays.get("weights")!;
  return { leads: weights.shape[0], weights: weights.data as Float32Array };
}
