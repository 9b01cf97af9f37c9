/** Ranked probability score: squared differences of the cumulative distributions at ordered thresholds (Epstein 1969; WeatherBench 2). */

/** Area mean over cells of Σ over thresholds of (share of members below - [truth below])^2; below is strict. */
export function rankedProbabilityScore(
  members: readonly ArrayLike<number>[],
  truth: ArrayLike<number>,
  weights: ArrayLike<number>,
  thresholds: readonly number[],
): number {
  let sum = 0;
  let total = 0;
  for (let i = 0; i < truth.length; i++) {
    const o = truth[i];
    if (weights[i] === 0 || o !== o || members.some((x) => x[i] !== x[i])) continue;
    total += weights[i];
    for (const limit of thresholds) {
      const below = members.reduce((count, x) => count + Number(x[i] < limit), 0) / members.length;
      sum += weights[i] * (below - Number(o < limit)) ** 2;
    }
  }
  return sum / total;
}
