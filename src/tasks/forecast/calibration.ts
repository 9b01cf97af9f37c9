/**
 * Calibration by lead. A roll-out that was trained for two days is too sure of itself on the fifth: its departures from
 * climatology are too large. On the validation period each lead's forecast is therefore regressed on the roll-out and on damped
 * persistence, the usual linear correction of model output (Glahn and Lowry 1972) with the first guess as second predictor:
 *
 *     u(t + L) = alpha_L rollout(t + L) + beta_L a_L u(t)
 *
 * Two numbers a lead and channel, from data that the networks never saw.
 */
import { latitudeWeights } from "../../earth/weights.js";
import { float32, type NdArray } from "../../tensor/ndarray.js";
import type { Normaliser } from "./normaliser.js";

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
  /** Adds one forecast at a lead; everything in departures. */
  add(lead: number, rollout: Float32Array, start: Float32Array, truth: Float32Array): void;
  result(): Calibration;
  /** The calibrated forecast beside its baselines, over what was added. Leads without any are left out. */
  scores(): CalibrationScore[];
}

export function fitCalibration(n: Normaliser): CalibrationFit {
  const channels = n.channels.length;
  const width = n.longitudes.length;
  const cells = n.latitudes.length * width;
  const size = channels * cells;
  const rows = latitudeWeights(n.latitudes, "exact");
  const sums = new Float64Array(n.leadSteps * channels * SUMS);
  const of = (k: number) => sums.subarray(k * SUMS, (k + 1) * SUMS);
  return {
    add(lead, rollout, start, truth) {
      const damping = n.damping.subarray((lead - 1) * size);
      for (let c = 0; c < channels; c++) {
        const s = sums.subarray(((lead - 1) * channels + c) * SUMS);
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
      const weights = new Float32Array(n.leadSteps * channels * 2);
      for (let k = 0; k < n.leadSteps * channels; k++) weights.set(solve(of(k)), 2 * k);
      return { leads: n.leadSteps, weights };
    },
    scores() {
      const rows: CalibrationScore[] = [];
      for (let k = 0; k < n.leadSteps * channels; k++) {
        const [ff, fd, dd, fy, dy, yy, changed, area] = of(k);
        if (area === 0) continue;
        const [a, b] = solve(of(k));
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
