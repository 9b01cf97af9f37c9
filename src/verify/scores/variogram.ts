/**
 * Variogram score: does the ensemble know how neighbouring cells differ? (Scheuerer and Hamill 2015, MWR 143, eq. 4, with pairs
 * limited to given offsets and weighted alike.)
 *
 *     mean over pairs (a, b) of (|o_a - o_b|^p - mean_m |x_m,a - x_m,b|^p)^2
 */

/** @param offsets steps [rows, columns] from a cell to its partner; partners outside the grid are left out */
export function variogramScore(
  members: readonly ArrayLike<number>[],
  truth: ArrayLike<number>,
  columns: number,
  options: { p?: number; offsets?: readonly (readonly [number, number])[] } = {},
): number {
  const {
    p = 0.5,
    offsets = [
      [0, 1],
      [1, 0],
      [1, 1],
      [1, -1],
    ],
  } = options;
  const rows = truth.length / columns;
  const difference = (x: ArrayLike<number>, a: number, b: number) => Math.abs(x[a] - x[b]) ** p;
  let sum = 0;
  let count = 0;
  for (const [down, right] of offsets)
    for (let i = 0; i < rows - down; i++)
      for (let j = Math.max(0, -right); j < columns - Math.max(0, right); j++) {
        const [a, b] = [i * columns + j, (i + down) * columns + j + right];
        const expected = members.reduce((total, x) => total + difference(x, a, b), 0) / members.length;
        const d = difference(truth, a, b) - expected;
        if (d !== d) continue;
        sum += d * d;
        count++;
      }
  return sum / count;
}
