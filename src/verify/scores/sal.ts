/**
 * SAL: structure, amplitude and location of precipitation in a region (Wernli, Paulat, Hagen and Frei 2008, MWR 136).
 * Each is 0 for a perfect forecast. S > 0: objects too large or too flat; A > 0: too much rain; L in 0..2: misplaced.
 */
import { fieldObjects } from "./objects.js";

export interface Sal {
  readonly structure: number;
  readonly amplitude: number;
  readonly location: number;
}

/** Objects are where the field exceeds a fifteenth of its own maximum, the paper's choice, unless a threshold is given. */
export function sal(
  forecast: ArrayLike<number>,
  truth: ArrayLike<number>,
  columns: number,
  options: { threshold?: number } = {},
): Sal {
  const [f, o] = [forecast, truth].map((field) => describe(field, columns, options.threshold));
  const rows = truth.length / columns;
  const diagonal = Math.hypot(rows - 1, columns - 1);
  const amplitude = (f.mean - o.mean) / (0.5 * (f.mean + o.mean)); // eq. 2
  const apart = Math.hypot(f.row - o.row, f.column - o.column) / diagonal; // eq. 4
  const scatter = (2 * Math.abs(f.scatter - o.scatter)) / diagonal; // eq. 6
  const structure = (f.volume - o.volume) / (0.5 * (f.volume + o.volume)); // eq. 9
  return { structure, amplitude, location: apart + scatter };
}

function describe(field: ArrayLike<number>, columns: number, threshold?: number) {
  let [total, row, column, largest, count] = [0, 0, 0, 0, 0];
  for (let i = 0; i < field.length; i++) {
    const x = field[i];
    if (x !== x) continue;
    count++;
    total += x;
    row += x * Math.floor(i / columns);
    column += x * (i % columns);
    largest = Math.max(largest, x);
  }
  [row, column] = [row / total, column / total];
  const objects = fieldObjects(field, columns, threshold ?? largest / 15);
  const amount = objects.reduce((sum, x) => sum + x.amount, 0);
  const average = (of: (x: (typeof objects)[number]) => number) =>
    objects.reduce((sum, x) => sum + x.amount * of(x), 0) / amount;
  return {
    mean: total / count,
    row,
    column,
    /** Mean distance of objects from the centre of all rain, eq. 5. */
    scatter: average((x) => Math.hypot(x.row - row, x.column - column)),
    /** Mean of amount over maximum, eqs. 7 and 8. */
    volume: average((x) => x.amount / x.largest),
  };
}
