/**
 * Robust aggregation by distances. With n updates, `f` of which may be hostile.
 *
 *   multiKrum(f)                      Blanchard et al. 2017
 *   compose(nearestNeighbourMixing(f), geometricMedian())      Allouah et al. 2023 before Pillutla et al. 2022
 *
 * Each is a `Mix` (geometry.ts): it never sees the updates, only their inner products.
 */
import { EigenvalueDecomposition, Matrix as MlMatrix } from "ml-matrix";
import { UsageError } from "../../errors.js";
import { random } from "../../tensor/random.js";
import {
  distancesTo,
  identity,
  type Matrix,
  type Mix,
  matrix,
  matrixFromRows,
  multiply,
  norms,
  type Points,
  row,
  squaredDistances,
  transpose,
} from "./geometry.js";
import { argsort } from "./rows.js";

const width = ({ n, references }: Points): number => n + references;

/** A one-row mix: the mean of the chosen updates. */
function meanOf(points: Points, chosen: readonly number[]): Float64Array {
  const weights = new Float64Array(width(points));
  for (const i of chosen) weights[i] = 1 / chosen.length;
  return weights;
}

/** Fails where the rule cannot tolerate f of n. */
function demand(name: string, points: Points, f: number, atLeast: number): void {
  const least = f === 0 ? 1 : atLeast; // with nobody to withstand, one update is enough
  if (!Number.isInteger(f) || f < 0 || points.n < least)
    throw new UsageError(
      `${name} against f = ${f} needs at least ${least} updates, but there are ${points.n}; lower f`,
    );
}

/** How Krum scores are formed: `mean-squares` over the n-f-1 nearest others (ByzFL), `sum-squares` over n-f-2 (Flower, the paper). */
export type KrumConvention = "byzfl" | "flower";

/** Krum's score of each update: the sum of squared distances to its nearest others. */
export function krumScores(points: Points, f: number, convention: KrumConvention = "byzfl"): Float64Array {
  const distances = squaredDistances(points);
  const neighbours = convention === "byzfl" ? points.n - f - 1 : Math.max(1, points.n - f - 2);
  return Float64Array.from({ length: points.n }, (_, i) =>
    row(distances, i)
      .slice(0, points.n)
      .sort()
      .subarray(1, neighbours + 1) // the first is the distance to itself
      .reduce((total, d) => total + d, 0),
  );
}

/** The `m` updates with the least Krum scores, averaged (m = n - f); m = 1 is Krum. Blanchard et al. 2017. */
export function multiKrum(
  f: number,
  { m, convention = "byzfl" }: { m?: number; convention?: KrumConvention } = {},
): Mix {
  return (points) => {
    demand("Krum", points, f, f + 2);
    const chosen = argsort(krumScores(points, f, convention)).slice(0, m ?? points.n - f);
    return matrixFromRows([meanOf(points, chosen)]);
  };
}

/** Bulyan's first stage (El Mhamdi et al. 2018): the n - 2f updates multi-Krum trusts most. Then `closestToMedian(n - 4f)`. */
export function bulyanSelection(f: number): Mix {
  return (points) => {
    demand("Bulyan", points, f, 4 * f + 3);
    const chosen = argsort(krumScores(points, f, "flower")).slice(0, points.n - 2 * f);
    return matrixFromRows(chosen.map((i) => meanOf(points, [i])));
  };
}

/** Each update becomes the mean of its n - f nearest, itself included (NNM, Allouah et al. 2023). */
export function nearestNeighbourMixing(f: number): Mix {
  return (points) => {
    demand("nearest-neighbour mixing", points, f, f + 1);
    const distances = squaredDistances(points);
    return matrixFromRows(
      Array.from({ length: points.n }, (_, i) =>
        meanOf(points, argsort(row(distances, i).subarray(0, points.n)).slice(0, points.n - f)),
      ),
    );
  };
}

/** The mean of the n - f updates nearest to the trusted one at `trusted` (MoNNA, Farhadkhani et al. 2023). */
export function monna(f: number, { trusted = 0 }: { trusted?: number } = {}): Mix {
  return (points) => {
    demand("MoNNA", points, f, f + 1);
    const near = argsort(row(squaredDistances(points), trusted).subarray(0, points.n)).slice(0, points.n - f);
    return matrixFromRows([meanOf(points, near)]);
  };
}

/** The n - f updates of least diameter, averaged (MDA, El Mhamdi et al. 2018). Tries every subset: for few updates only. */
export function minimumDiameter(f: number): Mix {
  return (points) => {
    demand("minimum-diameter averaging", points, f, f + 1);
    const { n } = points;
    let subsets = 1;
    for (let i = 1; i <= f; i++) subsets *= (n - f + i) / i;
    if (subsets > 1e6)
      throw new UsageError(
        `minimum-diameter averaging of ${n} updates against f = ${f} would try ${subsets.toExponential(1)} subsets; use geometric-median`,
      );
    const distances = squaredDistances(points);
    let best = { diameter: Infinity, chosen: [] as number[] };
    const grow = (chosen: number[], from: number, diameter: number): void => {
      if (diameter >= best.diameter) return;
      if (chosen.length === n - f) {
        best = { diameter, chosen };
        return;
      }
      for (let i = from; i <= n - (n - f - chosen.length); i++)
        grow([...chosen, i], i + 1, Math.max(diameter, ...chosen.map((j) => row(distances, i)[j])));
    };
    grow([], 0, 0);
    return matrixFromRows([meanOf(points, best.chosen)]);
  };
}

/** The point of least summed distance to all updates, by smoothed Weiszfeld steps from 0 (RFA, Pillutla et al. 2022). */
export function geometricMedian({ smoothing = 0.1, steps = 3 }: { smoothing?: number; steps?: number } = {}): Mix {
  return (points) => {
    let weights: Float64Array = new Float64Array(width(points));
    for (let t = 0; t < steps; t++) {
      // z <- sum x_i / max(|x_i - z|, nu)  /  sum 1 / max(|x_i - z|, nu)
      const inverse = distancesTo(points, weights).map((d) => 1 / Math.max(d, smoothing));
      const total = inverse.reduce((a, b) => a + b, 0);
      weights = new Float64Array(width(points));
      inverse.forEach((b, i) => (weights[i] = b / total));
    }
    return matrixFromRows([weights]);
  };
}

/** Every update longer than `bound` is shortened to it. */
export function clipping(bound: number): Mix {
  return (points) =>
    scaledBy(
      points,
      norms(points).map((length) => Math.min(1, bound / Math.max(length, 1e-300))),
    );
}

/** The longest floor(2f/n (n-f)) updates are shortened to the length of the next one (ARC, Allouah et al. 2024). */
export function adaptiveClipping(f: number): Mix {
  return (points) => {
    const lengths = norms(points);
    const order = argsort(lengths);
    const clipped = Math.floor(((2 * f) / points.n) * (points.n - f));
    const bound = lengths[order[points.n - clipped - 1]];
    const factors = new Float64Array(points.n).fill(1);
    for (const i of order.slice(points.n - clipped)) factors[i] = Math.min(1, bound / lengths[i]);
    return scaledBy(points, factors);
  };
}

function scaledBy(points: Points, factors: Float64Array): Matrix {
  const out = identity(points);
  for (let i = 0; i < points.n; i++) row(out, i)[i] = factors[i];
  return out;
}

/**
 * Centred clipping (Karimireddy et al. 2021): v <- v + mean((x_i - v) min(1, radius / |x_i - v|)).
 * Starts from the first reference (the last aggregate), or from 0 where there is none.
 */
export function centredClipping({ radius = 100, steps = 1 }: { radius?: number; steps?: number } = {}): Mix {
  return (points) => {
    const weights = new Float64Array(width(points));
    if (points.references > 0) weights[points.n] = 1;
    for (let t = 0; t < steps; t++) {
      const shares = distancesTo(points, weights).map((d) => Math.min(1, radius / Math.max(d, 1e-300)) / points.n);
      const kept = 1 - shares.reduce((a, b) => a + b, 0);
      for (let j = 0; j < weights.length; j++) weights[j] *= kept;
      shares.forEach((share, i) => (weights[i] += share));
    }
    return matrixFromRows([weights]);
  };
}

/** Random groups of `size` updates are averaged (Karimireddy et al. 2022). */
export function bucketing(size: number, { seed }: { seed: number }): Mix {
  return (points) => {
    const order = random(seed).split("bucketing").permutation(points.n);
    const buckets = Math.ceil(points.n / size);
    return matrixFromRows(
      Array.from({ length: buckets }, (_, b) => meanOf(points, [...order.subarray(b * size, (b + 1) * size)])),
    );
  };
}

/**
 * FLTrust (Cao et al. 2021). The first reference is a trusted direction g_0 (trained on the hub's own data):
 * sum relu(cos(g_i, g_0)) |g_0| / |g_i| g_i  /  sum relu(cos(g_i, g_0)).
 */
export function trustedDirection(): Mix {
  return (points) => {
    if (points.references === 0) throw new UsageError("FLTrust needs a trusted direction; give one as a reference");
    const { gram, n } = points;
    const own = Math.sqrt(gram.data[n * gram.rows + n]);
    const lengths = norms(points);
    const trust = lengths.map((length, i) => Math.max(0, row(gram, i)[n] / Math.max(length * own, 1e-300)));
    const total = Math.max(
      trust.reduce((a, b) => a + b, 0),
      1e-300,
    );
    const weights = new Float64Array(width(points));
    trust.forEach((t, i) => (weights[i] = (t * own) / Math.max(lengths[i], 1e-300) / total));
    return matrixFromRows([weights]);
  };
}

/**
 * Flag aggregation (Almansoori et al. 2024): the updates' directions are projected onto the subspace of `rank` dimensions that
 * fits most of them, found by reweighted least squares. `pairs` > 0 adds the directions of all differences.
 * References, where given, are `rank` orthonormal rows from which the reweighting starts; else it starts from equal weights.
 * The paper's rule keeps no length: `keepLength` gives the result the median length of the updates times the share it explains.
 */
export function flag({
  rank,
  pairs = 0,
  keepLength = false,
}: {
  rank: number;
  pairs?: number;
  keepLength?: boolean;
}): Mix {
  return (points) => {
    const { n, references, gram } = points;
    const lengths = norms(points);
    const unit = (i: number, sign = 1): Float64Array => {
      const c = new Float64Array(n + references);
      c[i] = sign / Math.max(lengths[i], 1e-300);
      return c;
    };
    const columns = Array.from({ length: n }, (_, i) => unit(i));
    const scales = columns.map(() => 1);
    if (pairs > 0)
      for (let i = 0; i < n; i++)
        for (let j = 0; j < n; j++) {
          if (i === j) continue;
          columns.push(unit(i).map((v, k) => v + unit(j, -1)[k]));
          scales.push(pairs / (n * (n - 1)));
        }
    const C = matrixFromRows(columns);
    const CK = multiply(C, gram);
    // w = (|1 - |Y^T c|^2| + 1e-7)^(-1/4)
    const weights = scales.map((scale, c) => {
      if (references === 0) return scale;
      const explained = row(CK, c)
        .subarray(n)
        .reduce((total, v) => total + v * v, 0);
      return scale * (Math.abs(1 - explained) + 1e-7) ** -0.25;
    });
    const W = matrixFromRows(columns.map((c, i) => c.map((v) => v * weights[i])));
    const inner = multiply(multiply(W, gram), transpose(W));
    const { values, vectors } = symmetricEigen(inner);
    const units = new Float64Array(n + references);
    for (let i = 0; i < n; i++) units[i] = 1 / Math.max(lengths[i], 1e-300);
    const Ku = multiply(gram, matrix(units.length, 1, units)).data;
    const out = new Float64Array(n + references);
    for (const k of argsort(values).reverse().slice(0, Math.min(rank, n))) {
      // y = W^T v / sqrt(value);  out += y (y . sum of unit updates) / rank
      if (values[k] <= 1e-14) continue;
      const y = multiply(matrix(1, W.rows, vectors[k]), W).data.map((v) => v / Math.sqrt(values[k]));
      const along = y.reduce((total, v, i) => total + v * Ku[i], 0);
      for (let i = 0; i < out.length; i++) out[i] += (y[i] * along) / rank;
    }
    if (!keepLength) return matrixFromRows([out]);
    const median = lengths[argsort(lengths)[n >> 1]];
    const middle = n % 2 ? median : (median + lengths[argsort(lengths)[n / 2 - 1]]) / 2;
    return matrixFromRows([out.map((v) => ((v * rank) / n) * middle)]);
  };
}

/**
 * Principal-direction coordination (FedLD, Zeng et al. 2023): each update keeps its length but points along the shared
 * principal directions, each turned to the side where most updates lie, weighted by singular value.
 * Meant layer by layer (`segments` of `aggregate`). `keep` is the share of directions kept.
 */
export function principalDirections({ keep = 0.5 }: { keep?: number } = {}): Mix {
  return (points) => {
    const { n, references, gram } = points;
    const K = matrix(n, n);
    for (let i = 0; i < n; i++) row(K, i).set(row(gram, i).subarray(0, n));
    const { values, vectors } = symmetricEigen(K);
    const lengths = norms(points);
    const kept = argsort(values)
      .reverse()
      .slice(0, Math.max(1, Math.floor(n * keep)))
      .filter((k) => values[k] > 1e-14);
    const total = kept.reduce((s, k) => s + Math.sqrt(values[k]), 0);
    const out = new Float64Array(n + references);
    for (const k of kept) {
      // w = X^T e / sqrt(value), <x_i, w> = sqrt(value) e_i
      const signs = vectors[k].map(Math.sign);
      const share = Math.sqrt(values[k]) / total;
      const along = signs.reduce((s, sign, i) => s + sign * lengths[i], 0) / n;
      for (let i = 0; i < n; i++) out[i] += (share * along * vectors[k][i]) / Math.sqrt(values[k]);
    }
    return matrixFromRows([out]);
  };
}

/** Eigenvalues and eigenvectors (as rows) of a symmetric matrix. */
function symmetricEigen(a: Matrix): { values: number[]; vectors: Float64Array<ArrayBuffer>[] } {
  const decomposed = new EigenvalueDecomposition(MlMatrix.from1DArray(a.rows, a.cols, a.data), {
    assumeSymmetric: true,
  });
  const columns = decomposed.eigenvectorMatrix;
  return {
    values: decomposed.realEigenvalues,
    vectors: decomposed.realEigenvalues.map((_, k) => Float64Array.from(columns.getColumn(k))),
  };
}
