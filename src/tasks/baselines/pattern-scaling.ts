/**
 * Linear pattern scaling, the line that climate emulators must beat: the global mean follows the cumulative emissions, and each
 * cell follows the global mean (Santer et al. 1990; Lütjens et al. 2024 show that it beats published networks on temperature).
 */
import { UsageError } from "../../errors.js";

export interface PatternScaling {
  /** The field of a year from its driver, [cell]. */
  predict(driver: number): Float32Array;
  /** Change of each cell for a unit of the global mean. */
  readonly pattern: Float64Array;
}

/**
 * @param drivers one number a year (cumulative CO2 emissions); @param fields the truth of the same years, [cell]
 * @param weights a weight for each cell, for the global mean
 */
export function fitPatternScaling(
  drivers: ArrayLike<number>,
  fields: readonly ArrayLike<number>[],
  weights: ArrayLike<number>,
): PatternScaling {
  if (drivers.length !== fields.length || fields.length < 3)
    throw new UsageError(
      `pattern scaling needs a driver for each field, three at least; it has ${drivers.length} drivers and ${fields.length} fields`,
    );
  const cells = weights.length;
  let area = 0;
  for (let i = 0; i < cells; i++) area += weights[i];
  const means = fields.map((field) => {
    let sum = 0;
    for (let i = 0; i < cells; i++) sum += weights[i] * field[i];
    return sum / area;
  });
  const global = line(drivers, means);
  const local = Array.from({ length: cells }, (_, i) =>
    line(
      means,
      fields.map((field) => field[i]),
    ),
  );
  return {
    pattern: Float64Array.from(local, (l) => l.slope),
    predict(driver) {
      const mean = global.intercept + global.slope * driver;
      return Float32Array.from(local, ({ slope, intercept }) => intercept + slope * mean);
    },
  };
}

/** Least squares. */
function line(x: ArrayLike<number>, y: ArrayLike<number>): { slope: number; intercept: number } {
  const n = x.length;
  let [mx, my] = [0, 0];
  for (let k = 0; k < n; k++) [mx, my] = [mx + x[k] / n, my + y[k] / n];
  let [xy, xx] = [0, 0];
  for (let k = 0; k < n; k++) {
    xy += (x[k] - mx) * (y[k] - my);
    xx += (x[k] - mx) ** 2;
  }
  const slope = xx > 0 ? xy / xx : 0;
  return { slope, intercept: my - slope * mx };
}
