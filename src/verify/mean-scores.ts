/**
 * Scores of the mean over starts rather than of each start: ClimateBench's errors of an emulated climate, ChaosBench's distances
 * between spectra. They come from mean fields and have no intervals.
 */
import type { CellSums } from "./cell-sums.js";
import { F, O, type Row, W } from "./scores/sums.js";
import { spectralDivergence, spectralResidual } from "./spectra/divergence.js";

/** One score of a channel, lead and forecaster. NaN where a mean field has gaps. */
export function meanScore(
  name: string,
  cells: CellSums,
  of: { channel: number; lead: number; forecaster: number },
  /** The forecaster's rows and the weights of the whole grid. */
  { rows, weights, columns }: { rows: readonly Row[]; weights: Float64Array; columns: number },
): number {
  const errors = cells.of(of.channel, of.lead, of.forecaster);
  const [f, o] = [errors.meanForecast(), errors.meanTruth()];
  if (name === "spectral-divergence") return spectralDivergence(f, o, columns);
  if (name === "spectral-residual") return spectralResidual(f, o, columns);
  let square = 0;
  let mean = 0;
  let area = 0;
  for (let i = 0; i < weights.length; i++) {
    const d = f[i] - o[i];
    if (d !== d) continue;
    square += weights[i] * d * d;
    mean += weights[i] * o[i];
    area += weights[i];
  }
  const scale = Math.abs(mean / area);
  // Watson-Parris et al. 2022, eqs. 1-3
  const spatial = Math.sqrt(square / area) / scale;
  const global = Math.sqrt(rows.reduce((sum, s) => sum + (s[F] / s[W] - s[O] / s[W]) ** 2, 0) / rows.length) / scale;
  if (name === "nrmse:climatebench-spatial") return spatial;
  return name === "nrmse:climatebench-global" ? global : spatial + 5 * global;
}
