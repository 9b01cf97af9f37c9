/**
 * Sites that have agreed with the others count, those that have not do not (after RFFL, Xu & Lyu 2021): a site's reputation is an
 * exponential mean of the cosine between its update and the reputation-weighted sum of all directions.
 *
 *   r_i <- memory r_i + (1 - memory) max(0, cos(x_i, sum r_j x_j / |x_j|));   weight ~ share_i r_i;   left out: r_i < least mean(r)
 *
 * No update counts for more than the median length of the round. An honest site that is unlike the others loses reputation too.
 */
import { type Mix, matrixFromRows, norms, row } from "../aggregate/geometry.js";
import { argsort } from "../aggregate/rows.js";

export interface ReputationOptions {
  /** How much of the old reputation stays. */
  readonly memory: number;
  /** A site below this share of the mean reputation is left out. */
  readonly least: number;
}

/** The mix of a round, and the reputations after it (once the mix has been called). `before` is undefined for a new site. */
export function reputationMix(
  before: readonly (number | undefined)[],
  shares: readonly number[],
  { memory, least }: ReputationOptions,
): { mix: Mix; after: () => number[] } {
  let after: number[] = [];
  const mix: Mix = (points) => {
    const { n, references, gram } = points;
    const lengths = norms(points).map((length) => Math.max(length, 1e-300));
    const trust = before.map((r) => r ?? 1);
    // s = sum r_j u_j with u_j = x_j / |x_j|: <u_i, s> and |s| from the Gram matrix
    const along = trust.map((_, i) =>
      trust.reduce((s, r, j) => s + (r * row(gram, i)[j]) / (lengths[i] * lengths[j]), 0),
    );
    const length = Math.sqrt(
      Math.max(
        1e-300,
        trust.reduce((s, r, i) => s + r * along[i], 0),
      ),
    );
    after = trust.map((_, i) => {
      const agreement = Math.max(0, along[i] / length);
      const old = before[i];
      return old === undefined ? agreement : memory * old + (1 - memory) * agreement;
    });
    const mean = after.reduce((s, r) => s + r, 0) / n;
    const median = lengths[argsort(lengths)[n >> 1]];
    const counted = after.map((r, i) => (r >= least * mean ? shares[i] * r : 0));
    const total = counted.reduce((s, w) => s + w, 0);
    const whole = shares.reduce((s, w) => s + w, 0);
    const weights = new Float64Array(n + references);
    if (total > 0) counted.forEach((w, i) => (weights[i] = (w / total) * whole * Math.min(1, median / lengths[i])));
    return matrixFromRows([weights]);
  };
  return { mix, after: () => after };
}
