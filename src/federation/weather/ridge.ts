/**
 * What a straight line makes of it: ridge regression on the very numbers that the network is shown at a point, one fit for each
 * variable and lead, from the site's own training part. Like the network it learns the error z of damped persistence:
 *
 *     z = B x,   B = Y X^T (X X^T + r n s I)^-1,   x: every map of every variable at the point, what is around, the condition
 *
 * s is the mean square of the numbers x. The strength r is the one with the least error on the validation part. Slopes may be
 * drawn towards a part of others' in place of zero (line.ts): B = B0 + (Y - B0 X) X^T (X X^T + r n s I)^-1.
 */
import { CholeskyDecomposition, Matrix } from "ml-matrix";
import { CONDITION } from "../../tasks/forecast/features.js";
import { dots } from "../../tasks/baselines/dense.js";
import type { FittedMember, Member, MemberRidge } from "./member.js";
import { mapsAround, mapsPerVariable, type Pick, type Sample, sampleOf } from "./samples.js";
import { PARTS } from "./split.js";
import type { SharedTask } from "./task.js";

/** Tried strengths, in units of the mean square of x. */
const STRENGTHS = [1e-4, 1e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1, 3, 10, 100];
/** Tried parts of the slopes that a site's are drawn towards: none of them where this site is unlike the others. */
const TRUSTS = [0, 0.5, 1];

/** How strongly slopes are drawn, and towards which part of those given. */
interface Pull {
  readonly strength: number;
  readonly trust: number;
}

/** Points that a fit and its validation are made from, at most about. */
const MOST_POINTS = { train: 20_000, validation: 5000 } as const;

/**
 * B for each variable: from the whole training part, and from it without each fold. From a start of the training part the
 * regression is that of the fit which has not seen the start's fold: what a network learns to add must be what is missing on
 * days that the line has not seen (stacked generalisation, Wolpert 1992).
 */
export interface Fit {
  readonly whole: Float64Array[];
  readonly without: readonly Float64Array[][];
}

/** Slopes that a site's are drawn towards, one row for each of its variables. */
export type Prior = (lead: number) => readonly Float64Array[];

/** The members of one site with the ridge regression of them all. Each lead is fitted when it is first asked for. */
export function withRidge(task: SharedTask, fitted: readonly FittedMember[]): Member[] {
  const sums = remembered((lead: number) => sumsOf(task, fitted, lead));
  const regression = remembered((prior: Prior | undefined): ((member: FittedMember) => MemberRidge) => {
    const fitOf = remembered((lead: number) => fit(sums(lead), prior?.(lead)));
    return (member) => ({
      slopes: (lead) => fitOf(lead).whole,
      at(start, lead) {
        const pick = { member, start, lead };
        const seen = member.parts[start] === PARTS.indexOf("train");
        return forecastOf(task, pick, seen ? fitOf(lead).without[foldOf(pick)] : fitOf(lead).whole);
      },
      towards: (other) => regression(other)(member),
    });
  });
  return fitted.map((member) => ({ ...member, ridge: regression(undefined)(member) }));
}

/** The function with its last few results remembered. */
function remembered<K, V>(of: (key: K) => V): (key: K) => V {
  const known = new Map<K, V>();
  return (key) => {
    const found = known.get(key) ?? of(key);
    if (!known.has(key) && known.size >= MOST_REMEMBERED) known.delete(known.keys().next().value!);
    known.set(key, found);
    return found;
  };
}
const MOST_REMEMBERED = 16;

/** Slopes applied to a sample: z of a forecast, [variable, cell]. */
export function forecastOf(task: SharedTask, pick: Pick<FittedMember>, slopes: readonly Float64Array[]): Float32Array {
  const points = pointsOf(task, pick);
  const out = new Float32Array(slopes.length * points.cells);
  for (let cell = 0; cell < points.cells; cell++) {
    const x = points.at(cell);
    slopes.forEach((slope, c) => (out[c * points.cells + cell] = product(slope, x)));
  }
  return out;
}

/** Folds, and stretches of the record that they take turns in, so that each has all seasons. */
export const FOLDS = 4;
const STRETCHES = 12;

const foldOf = ({ member, start }: Pick<FittedMember>): number =>
  Math.floor((start * STRETCHES) / member.parts.length) % FOLDS;

function product(slope: Float64Array, x: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < x.length; i++) sum += slope[i] * x[i];
  return sum;
}

const cellsOf = ({ member: { series } }: Pick<FittedMember>): number =>
  series.latitudes.length * series.longitudes.length;

/** The numbers x of each cell of a sample. */
function pointsOf(
  task: SharedTask,
  pick: Pick<FittedMember>,
): { sample: Sample; cells: number; at: (cell: number) => Float64Array } {
  const { series } = pick.member;
  const cells = cellsOf(pick);
  const rows = mapsPerVariable(task) * series.channels.length + mapsAround(task);
  const sample = sampleOf(task, pick);
  const x = new Float64Array(rows + CONDITION);
  x.set(sample.condition, rows);
  return {
    sample,
    cells,
    at(cell) {
      for (let r = 0; r < rows; r++) x[r] = sample.fields[r * cells + cell];
      return x;
    },
  };
}

/** X X^T [number, number], X z and z^2 of one variable over the points of some samples where the truth is there. */
export interface Products {
  readonly xx: Float64Array;
  readonly xz: Float64Array;
  readonly zz: number;
  readonly n: number;
}

/** Products of samples, for each variable. */
function productsOf(task: SharedTask, picks: readonly Pick<FittedMember>[], channels: number): Products[] {
  const cells = picks.length > 0 ? cellsOf(picks[0]) : 0;
  const width = mapsPerVariable(task) * channels + mapsAround(task) + CONDITION;
  const columns = (count: number) => Array.from({ length: count }, () => new Float32Array(picks.length * cells));
  const [xs, zs, there] = [columns(width), columns(channels), columns(channels)];
  picks.forEach((pick, k) => {
    const { sample, at } = pointsOf(task, pick);
    for (let cell = 0, i = k * cells; cell < cells; cell++, i++) {
      at(cell).forEach((v, r) => (xs[r][i] = v));
      for (let c = 0; c < channels; c++) {
        zs[c][i] = sample.truth[c * cells + cell];
        there[c][i] = sample.weight[c * cells + cell] > 0 ? 1 : 0;
      }
    }
  });
  const every = dots(xs, xs);
  return zs.map((z, c) => {
    const n = there[c].reduce((sum, v) => sum + v, 0);
    // A missing truth is zero: only the product of the numbers themselves must be taken anew without it
    const xx = n === z.length ? every : dots(seenOnly(xs, there[c]), xs);
    return { xx, xz: dots(xs, [z]), zz: dots([z], [z])[0], n };
  });
}

const seenOnly = (xs: readonly Float32Array[], there: Float32Array): Float32Array[] =>
  xs.map((x) => x.map((v, i) => v * there[i]));

/** Products of several sets of samples together. */
export const summed = (sets: readonly Products[]): Products => ({
  xx: sets[0].xx.map((_, i) => sets.reduce((sum, { xx }) => sum + xx[i], 0)),
  xz: sets[0].xz.map((_, i) => sets.reduce((sum, { xz }) => sum + xz[i], 0)),
  zz: sets.reduce((sum, { zz }) => sum + zz, 0),
  n: sets.reduce((sum, { n }) => sum + n, 0),
});

/** The starts of a part, evenly thinned to the points that a fit is made from. */
function thinned(members: readonly FittedMember[], lead: number, part: keyof typeof MOST_POINTS): Pick<FittedMember>[] {
  const { latitudes, longitudes } = members[0].series;
  const all = members.flatMap((member) =>
    Array.from(member.starts[part][lead], (start): Pick<FittedMember> => ({ member, start, lead })),
  );
  const every = Math.ceil((all.length * latitudes.length * longitudes.length) / MOST_POINTS[part]);
  return all.filter((_, k) => k % every === 0);
}

/** What the fits of one lead are made from: products of the training part's folds and of the validation part, for each variable. */
export interface Sums {
  readonly folds: readonly Products[][];
  readonly held: readonly Products[];
}

export function sumsOf(task: SharedTask, members: readonly FittedMember[], lead: number): Sums {
  const channels = members[0].series.channels.length;
  const seen = thinned(members, lead, "train");
  const folds = Array.from({ length: FOLDS }, (_, f) =>
    productsOf(
      task,
      seen.filter((pick) => foldOf(pick) === f),
      channels,
    ),
  );
  return { folds, held: productsOf(task, thinned(members, lead, "validation"), channels) };
}

/** The fits of one lead: strength and trust are chosen once, for the whole training part. */
export function fit({ folds, held }: Sums, prior?: readonly Float64Array[]): Fit {
  const fits = held.map((products, c) => {
    const ofVariable = folds.map((fold) => fold[c]);
    const whole = summed(ofVariable);
    const drawn = (sums: Products, { strength, trust }: Pull) =>
      solved(
        sums,
        strength,
        prior?.[c].map((b) => trust * b),
      );
    const pulls = STRENGTHS.flatMap((strength) => (prior ? TRUSTS : [0]).map((trust): Pull => ({ strength, trust })));
    const errors = pulls.map((pull) => squaredError(drawn(whole, pull), products));
    const pull = pulls[errors.indexOf(Math.min(...errors))];
    const others = (f: number) => summed(ofVariable.filter((_, k) => k !== f));
    return { whole: drawn(whole, pull), without: ofVariable.map((_, f) => drawn(others(f), pull)) };
  });
  return {
    whole: fits.map(({ whole }) => whole),
    without: folds.map((_, f) => fits.map(({ without }) => without[f])),
  };
}

/** Slopes drawn towards those given: b0 + (X X^T + r I)^-1 (X z - X X^T b0). */
function solved(
  { xx, xz, n }: Products,
  strength: number,
  prior: Float64Array = new Float64Array(xz.length),
): Float64Array {
  const width = xz.length;
  if (n === 0) return prior;
  const left = Matrix.from1DArray(width, width, xx);
  const beyond = Matrix.columnVector(xz).sub(left.mmul(Matrix.columnVector(prior)));
  const ridge = (strength * left.trace()) / width;
  for (let i = 0; i < width; i++) left.set(i, i, left.get(i, i) + ridge);
  const change = new CholeskyDecomposition(left).solve(beyond).getColumn(0);
  return prior.map((b, i) => b + change[i]);
}

/** sum (B x - z)^2 from the products: B X X^T B^T - 2 B X z + z^2. */
function squaredError(slope: Float64Array, { xx, xz, zz }: Products): number {
  const width = slope.length;
  let error = zz;
  for (let i = 0; i < width; i++) {
    error -= 2 * slope[i] * xz[i];
    for (let j = 0; j < width; j++) error += slope[i] * slope[j] * xx[i * width + j];
  }
  return error;
}
