/** Bounding and blurring an update before it leaves a site (Gaussian mechanism; McMahan et al. 2018). */
import { type Random, random } from "../../tensor/random.js";
import { norm, scaled, tabulate, type Vector } from "../aggregate/rows.js";

/** Normal numbers from the machine's secure source. */
export function secretRandom(): Random {
  const words = crypto.getRandomValues(new Uint32Array(2));
  return random({ key: [words[0], words[1]], drawn: 0 });
}

/** The update, shortened to `bound` where it is longer. */
export function clipped(update: Vector, bound: number): Vector {
  const length = norm(update);
  return length > bound ? scaled(update, bound / length) : update;
}

/** Adds normal noise of deviation `deviation` to each number. */
export const noised = (update: Vector, deviation: number, rng: Random): Vector =>
  tabulate(update, (i) => update[i] + deviation * rng.normal());

/**
 * A site's share of the noise: where n sites each add N(0, (noise bound)^2 / n), their sum carries the whole. Valid where the hub
 * sees only the sum (secure aggregation); else each site must add all of it.
 */
export const noiseDeviation = (noise: number, bound: number, sitesSharing = 1): number =>
  (noise * bound) / Math.sqrt(sitesSharing);
