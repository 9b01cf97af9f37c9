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
import type { Member } from "./member.js";
import { mapsPerVariable, type Pick, type Sample, sampleOf } from "./samples.js";
import type { SharedTask } from "./task.js";

/** Tried strengths, in units of the mean square of x. */
const STRENGTHS = [1e-4, 1e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1, 10];
/** Points that a fit and its validation are made from, at most about. */
const MOST_POINTS = { train: 20_000, validation: 5000 } as const;

/** The learnt part of the forecasts, [variable, latitude, longitude] for each pick, as `Descent.correct` gives it. */
export type Ridge = (picks: readonly Pick[]) => Float32Array[];

/** Fits each lead when it is first asked for. */
export function siteRidge(task: SharedTask, members: readonly Member[]): Ridge {
  const fits = new Map<number, Float64Array[]>();
  const fitted = (lead: number): Float64Array[] => {
    const known = fits.get(lead) ?? fit(task, members, lead);
    fits.set(lead, known);
    return known;
  };
  return (picks) =>
    picks.map((pick) => {
      const slopes = fitted(pick.lead);
      const points = pointsOf(task, pick);
      const out = new Float32Array(slopes.length * points.cells);
      for (let cell = 0; cell < points.cells; cell++) {
        const x = points.at(cell);
        slopes.forEach((slope, c) => (out[c * points.cells + cell] = slope.reduce((s, b, i) => s + b * x[i], 0)));
      }
      return out;
    });
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

/** Products for each variable at one lead. */
function productsOf(
  task: SharedTask,
  members: readonly Member[],
  lead: number,
  part: keyof typeof MOST_POINTS,
): Products[] {
  const channels = members[0].series.channels.length;
  const width = mapsPerVariable(task) * channels + CONDITION;
  const products = Array.from({ length: channels }, (): Products => ({
    xx: Array.from({ length: width }, () => new Float64Array(width)),
    xz: new Float64Array(width),
    zz: 0,
    n: 0,
  }));
  for (const pick of thinned(members, lead, part)) {
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

/** B of one lead, a row for each variable. */
function fit(task: SharedTask, members: readonly Member[], lead: number): Float64Array[] {
  const held = productsOf(task, members, lead, "validation");
  return productsOf(task, members, lead, "train").map((products, c) => {
    const tried = STRENGTHS.map((strength) => solved(products, strength));
    const errors = tried.map((slope) => squaredError(slope, held[c]));
    return tried[errors.indexOf(Math.min(...errors))];
  });
}

function solved({ xx, xz, n }: Products, strength: number): Float64Array {
  if (n === 0) return new Float64Array(xz.length);
  const left = new Matrix(xx);
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
