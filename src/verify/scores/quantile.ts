/** Scores of quantiles and intervals. */

/** Pinball loss of the forecast q of quantile p (Koenker and Bassett 1978): p (o - q) where o >= q, (1 - p)(q - o) below. */
export const quantileLoss = (q: number, truth: number, p: number): number =>
  truth >= q ? p * (truth - q) : (1 - p) * (q - truth);

/** Share of area where low <= truth <= high. A reliable 90 % interval has 0.9. */
export function coverage(
  low: ArrayLike<number>,
  high: ArrayLike<number>,
  truth: ArrayLike<number>,
  weights: ArrayLike<number>,
): number {
  let inside = 0;
  let total = 0;
  for (let i = 0; i < truth.length; i++) {
    if (weights[i] === 0 || truth[i] !== truth[i] || low[i] !== low[i] || high[i] !== high[i]) continue;
    total += weights[i];
    if (truth[i] >= low[i] && truth[i] <= high[i]) inside += weights[i];
  }
  return inside / total;
}

/** Quantile p of an ensemble's members at every cell, linear between order statistics (Hyndman and Fan's type 7). */
export function ensembleQuantile(members: readonly ArrayLike<number>[], p: number): Float64Array {
  const sorted = new Float64Array(members.length);
  return Float64Array.from({ length: members[0].length }, (_, i) => {
    for (let m = 0; m < members.length; m++) sorted[m] = members[m][i];
    sorted.sort(); // missing values go last
    if (Number.isNaN(sorted[members.length - 1])) return NaN;
    const at = p * (members.length - 1);
    const k = Math.floor(at);
    return sorted[k] + (at - k) * ((sorted[k + 1] ?? sorted[k]) - sorted[k]);
  });
}
