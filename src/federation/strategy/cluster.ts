/**
 * Groups of sites that train like one another, and models of their own. Where sites are as unlike as climates, grouping comes
 * before any robust rule: within a group the honest updates look alike again.
 */
import { UsageError } from "../../errors.js";
import { type Matrix, matrix, row } from "../aggregate/geometry.js";
import { tabulate, type Vector } from "../aggregate/rows.js";

/** Cosines between updates, from their Gram matrix. */
export function cosines(gram: Matrix): Matrix {
  const n = gram.rows;
  const out = matrix(n, n);
  for (let i = 0; i < n; i++)
    for (let j = 0; j < n; j++) {
      const lengths = Math.sqrt(gram.data[i * n + i] * gram.data[j * n + j]);
      out.data[i * n + j] = lengths > 0 ? gram.data[i * n + j] / lengths : 0;
    }
  return out;
}

/**
 * Hierarchical clustering by average cosine (Briggs et al. 2020): the two most similar groups are joined while their mean
 * cosine is at least `threshold`. Returns the group of each update, numbered by first appearance.
 */
export function clusterByDirection(gram: Matrix, threshold: number): number[] {
  if (!(threshold > -1 && threshold <= 1))
    throw new UsageError(`a cosine threshold lies in (-1, 1], but ${threshold} was given`);
  const similarity = cosines(gram);
  let groups = Array.from({ length: gram.rows }, (_, i) => [i]);
  const link = (a: readonly number[], b: readonly number[]): number =>
    a.reduce((s, i) => s + b.reduce((t, j) => t + row(similarity, i)[j], 0), 0) / (a.length * b.length);
  for (;;) {
    let best = { value: threshold, a: -1, b: -1 };
    for (let a = 0; a < groups.length; a++)
      for (let b = a + 1; b < groups.length; b++) {
        const value = link(groups[a], groups[b]);
        if (value > best.value || (value === best.value && best.a < 0)) best = { value, a, b };
      }
    if (best.a < 0) break;
    const joined = [...groups[best.a], ...groups[best.b]].sort((x, y) => x - y);
    groups = groups.filter((_, g) => g !== best.a && g !== best.b);
    groups.push(joined);
    groups.sort((x, y) => x[0] - y[0]);
  }
  const out = new Array<number>(gram.rows);
  groups.forEach((members, g) => members.forEach((i) => (out[i] = g)));
  return out;
}

/**
 * The parameters a site's training is most sensitive to (FedCAC, Wu et al. 2023): the `share` of each layer with the largest
 * |change x value|. 1 where critical.
 */
export function criticalMask(
  before: Vector,
  after: Vector,
  layers: readonly (readonly [number, number])[],
  share = 0.5,
): Uint8Array {
  const mask = new Uint8Array(after.length);
  for (const [from, to] of layers) {
    const sensitivity = Float64Array.from({ length: to - from }, (_, i) =>
      Math.abs((after[from + i] - before[from + i]) * after[from + i]),
    );
    const sorted = sensitivity.slice().sort();
    const positive = sorted.find((v) => v > 0) ?? Infinity;
    const threshold =
      Math.max(sorted[Math.min(sorted.length - 1, Math.floor((1 - share) * sorted.length))], 0) || positive;
    for (let i = 0; i < sensitivity.length; i++) mask[from + i] = sensitivity[i] >= threshold ? 1 : 0;
  }
  return mask;
}

/** How far two sites find the same parameters critical: 1 - |M_i - M_j|_1 / (2 |M_i|_1). */
export function maskOverlap(a: Uint8Array, b: Uint8Array): number {
  let [apart, size] = [0, 0];
  for (let i = 0; i < a.length; i++) {
    apart += a[i] === b[i] ? 0 : 1;
    size += a[i];
  }
  return 1 - apart / (2 * Math.max(size, 1));
}

/** Sites whose overlap with site i is at least mean + (round + 1) / beta (max - mean), itself included (FedCAC). */
export function companions(masks: readonly Uint8Array[], i: number, round: number, beta: number): number[] {
  const pairs = masks.flatMap((a, x) => masks.flatMap((b, y) => (x === y ? [] : [maskOverlap(a, b)])));
  if (pairs.length === 0) return [i];
  const average = pairs.reduce((s, v) => s + v, 0) / pairs.length;
  const threshold = average + ((round + 1) / beta) * (Math.max(...pairs) - average);
  return masks.flatMap((mask, j) => (j === i || maskOverlap(masks[i], mask) >= threshold ? [j] : []));
}

/** Critical parameters from the companions' mean, the others from the shared model. */
export const personalised = (shared: Vector, companionsMean: Vector, mask: Uint8Array): Vector =>
  tabulate(shared, (i) => (mask[i] ? companionsMean[i] : shared[i]));
