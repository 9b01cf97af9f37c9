/** Where the truth falls among the members: flat for a reliable ensemble, U-shaped for one too narrow (Hamill 2001). */
import { RANK, W } from "./sums.js";

/** The share of area and starts with the truth above 0, 1, ... M members. Sums to 1. Ties count as above (WeatherBench-X). */
export const rankHistogram = (row: ArrayLike<number>, members: number): Float64Array =>
  Float64Array.from({ length: members + 1 }, (_, rank) => row[RANK + rank] / row[W]);

/** 0 where the histogram is flat: mean absolute departure from 1 / (M + 1), times M + 1. */
export const rankUnevenness = (histogram: ArrayLike<number>): number => {
  const bins = histogram.length;
  let sum = 0;
  for (let i = 0; i < bins; i++) sum += Math.abs(histogram[i] * bins - 1);
  return sum / bins;
};
