/**
 * Energy score: the CRPS of whole fields, with the root of their area-mean square difference as distance
 * (Gneiting and Raftery 2007, JASA 102, eq. 22). It sees whether members have the right patterns, not only the right spread.
 */

export interface EnergyScore {
  /** skill - spread / 2. */
  readonly score: number;
  /** Mean distance of a member from the truth. */
  readonly skill: number;
  /** Mean distance between members. */
  readonly spread: number;
}

/**
 * Of one start, in the field's units. `all`: every pair of different members (fair, WeatherBench-X); `adjacent`: members next to
 * each other in order (WeatherBench 2's, which depends on the order).
 */
export function energyScore(
  members: readonly ArrayLike<number>[],
  truth: ArrayLike<number>,
  weights: ArrayLike<number>,
  options: { pairs?: "all" | "adjacent" } = {},
): EnergyScore {
  const { pairs = "all" } = options;
  const mean = (values: number[]) => values.reduce((a, b) => a + b, 0) / values.length;
  const skill = mean(members.map((x) => distance(x, truth, weights)));
  const between = members.flatMap((x, i) =>
    members.slice(i + 1, pairs === "adjacent" ? i + 2 : undefined).map((y) => distance(x, y, weights)),
  );
  const spread = between.length ? mean(between) : 0;
  return { score: skill - spread / 2, skill, spread };
}

/** sqrt(<(a - b)^2>) over cells where both are there. */
function distance(a: ArrayLike<number>, b: ArrayLike<number>, weights: ArrayLike<number>): number {
  let sum = 0;
  let total = 0;
  for (let i = 0; i < weights.length; i++) {
    const d = a[i] - b[i];
    if (d !== d || weights[i] === 0) continue;
    sum += weights[i] * d * d;
    total += weights[i];
  }
  return Math.sqrt(sum / total);
}
