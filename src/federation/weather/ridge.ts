/**
 * What a straight line makes of it: ridge regression on the very numbers that the network is shown at a point, one fit for each
 * variable and lead, from the site's own training part. Like the network it learns the error z of damped persistence:
 *
 *     z = B x,   B = Y X^T (X X^T + r n s I)^-1,   x: every map of every variable at the point, and the condition
 *
 * s is the mean square of the numbers x. The strength r is the one with the least error on the validation part.
 */
import { CholeskyDecomposition, Matrix } from "ml-matrix";
import { CONDITION } from "../../tasks/forecast/features.js";
import type { FittedMember, Member } from "./member.js";
import { mapsPerVariable, type Pick, type Sample, sampleOf } from "./samples.js";
import { PARTS } from "./split.js";
import type { SharedTask } from "./task.js";

/** Tried strengths, in units of the mean square of x. */
const STRENGTHS = [1e-4, 1e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1, 10];
/** Points that a fit and its validation are made from, at most about. */
const MOST_POINTS = { train: 20_000, validation: 5000 } as const;

/** B for each variable: from the whole training part, and from it without each fold. */
interface Fit {
  readonly whole: Float64Array[];
  readonly without: readonly Float64Array[][];
}

/** The members of one site with the ridge regression of them all. */
export function withRidge(task: SharedTask, fitted: readonly FittedMember[]): Member[] {
  const members: Member[] = fitted.map((member, m) => ({
    ...member,
    ridge: (start, lead) => ridge({ member: members[m], start, lead }),
  }));
  const ridge = siteRidge(task, members);
  return members;
}

/**
 * Ridge regression of a site's members, each lead fitted when it is first asked for. From a start of the training part it is
 * that of a fit which has not seen the start's fold: what a network learns to add must be what is missing on days that the line
 * has not seen (stacked generalisation, Wolpert 1992).
 */
function siteRidge(task: SharedTask, members: readonly Member[]): (pick: Pick) => Float32Array {
  const fits = new Map<number, Fit>();
  return (pick) => {
    const fitted = fits.get(pick.lead) ?? fit(task, members, pick.lead);
    fits.set(pick.lead, fitted);
    const seen = pick.member.parts[pick.start] === PARTS.indexOf("train");
    const slopes = seen ? fitted.without[foldOf(pick)] : fitted.whole;
    const points = pointsOf(task, pick);
    const out = new Float32Array(slopes.length * points.cells);
    for (let cell = 0; cell < points.cells; cell++) {
      const x = points.at(cell);
      slopes.forEach((slope, c) => (out[c * points.cells + cell] = product(slope, x)));
    }
    return out;
  };
}

/** Folds, and stretches of the record that they take turns in, so that each has all seasons. */
const FOLDS = 4;
const STRETCHES = 12;

const foldOf = ({ member, start }: Pick): number => Math.floor((start * STRETCHES) / member.parts.length) % FOLDS;

function product(slope: Float64Array, x: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < x.length; i++) sum += slope[i] * x[i];
  return sum;
}

/** The numbers x of each cell of a sample. */
function pointsOf(task: SharedTask, pick: Pick): { sample: Sample; cells: number; at: (cell: number) => Float64Array } {
  const { series } = pick.member;
  const cells = series.latitudes.length * series.longitudes.length;
  const rows = mapsPerVariable(task) * series.channels.length;
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

/** X X^T, X z and z^2 of one variable over the points of a part of the record where the truth is there. */
interface Products {
  readonly xx: Float64Array[];
  readonly xz: Float64Array;
  zz: number;
  n: number;
}

/** Products of samples, for each variable. */
function productsOf(task: SharedTask, picks: readonly Pick[], channels: number): Products[] {
  const width = mapsPerVariable(task) * channels + CONDITION;
  const products = Array.from({ length: channels }, () => nothing(width));
  for (const pick of picks) {
    const { sample, cells, at } = pointsOf(task, pick);
    for (let cell = 0; cell < cells; cell++) {
      const x = at(cell);
      products.forEach((p, c) => {
        if (sample.weight[c * cells + cell] > 0) add(p, x, sample.truth[c * cells + cell]);
      });
    }
  }
  return products;
}

const nothing = (width: number): Products => ({
  xx: Array.from({ length: width }, () => new Float64Array(width)),
  xz: new Float64Array(width),
  zz: 0,
  n: 0,
});

/** Products of several sets of samples together. */
function summed(sets: readonly Products[]): Products {
  const sum = nothing(sets[0].xz.length);
  for (const { xx, xz, zz, n } of sets) {
    xx.forEach((row, i) => row.forEach((v, j) => (sum.xx[i][j] += v)));
    xz.forEach((v, i) => (sum.xz[i] += v));
    sum.zz += zz;
    sum.n += n;
  }
  return sum;
}

function add(products: Products, x: Float64Array, z: number): void {
  const { xx, xz } = products;
  for (let i = 0; i < x.length; i++) {
    const [row, xi] = [xx[i], x[i]];
    if (xi === 0) continue;
    for (let j = 0; j < x.length; j++) row[j] += xi * x[j];
    xz[i] += xi * z;
  }
  products.zz += z * z;
  products.n++;
}

/** The starts of a part, evenly thinned to the points that a fit is made from. */
function thinned(members: readonly Member[], lead: number, part: keyof typeof MOST_POINTS): Pick[] {
  const { latitudes, longitudes } = members[0].series;
  const all = members.flatMap((member) =>
    Array.from(member.starts[part][lead], (start): Pick => ({ member, start, lead })),
  );
  const every = Math.ceil((all.length * latitudes.length * longitudes.length) / MOST_POINTS[part]);
  return all.filter((_, k) => k % every === 0);
}

/** The fits of one lead: the strength is chosen once, for the whole training part. */
function fit(task: SharedTask, members: readonly Member[], lead: number): Fit {
  const channels = members[0].series.channels.length;
  const held = productsOf(task, thinned(members, lead, "validation"), channels);
  const seen = thinned(members, lead, "train");
  const folds = Array.from({ length: FOLDS }, (_, f) =>
    productsOf(
      task,
      seen.filter((pick) => foldOf(pick) === f),
      channels,
    ),
  );
  const fits = Array.from({ length: channels }, (_, c) => {
    const ofVariable = folds.map((products) => products[c]);
    const whole = summed(ofVariable);
    const errors = STRENGTHS.map((strength) => squaredError(solved(whole, strength), held[c]));
    const strength = STRENGTHS[errors.indexOf(Math.min(...errors))];
    const others = (f: number) => summed(ofVariable.filter((_, k) => k !== f));
    return { whole: solved(whole, strength), without: ofVariable.map((_, f) => solved(others(f), strength)) };
  });
  return {
    whole: fits.map(({ whole }) => whole),
    without: folds.map((_, f) => fits.map(({ without }) => without[f])),
  };
}

function solved({ xx, xz, n }: Products, strength: number): Float64Array {
  if (n === 0) return new Float64Array(xz.length);
  const left = new Matrix(xx); // a copy
  const ridge = (strength * left.trace()) / xz.length;
  for (let i = 0; i < xz.length; i++) left.set(i, i, left.get(i, i) + ridge);
  return Float64Array.from(new CholeskyDecomposition(left).solve(Matrix.columnVector(xz)).getColumn(0));
}

/** sum (B x - z)^2 from the products: B X X^T B^T - 2 B X z + z^2. */
function squaredError(slope: Float64Array, { xx, xz, zz }: Products): number {
  let error = zz;
  slope.forEach((b, i) => {
    error -= 2 * b * xz[i];
    for (let j = 0; j < slope.length; j++) error += b * slope[j] * xx[i][j];
  });
  return error;
}
