/**
 * Model updates: a new model that is better on average may be worse where someone relies on it. A negative flip is a case the old
 * model had right (error within a tolerance) and the new one has wrong (Yan et al. 2021, positive-congruent training).
 */

export interface Flips {
  /** Share of cases that became wrong, and right. */
  readonly negative: number;
  readonly positive: number;
  /** By cell, the share of its starts that became wrong. */
  readonly negativeByCell: Float64Array;
  /** Share of cells whose mean square error grew. */
  readonly worseCells: number;
}

/** Errors are fields [cell], one a start, of the old and the new model against the same truth. Cells count by their weight. */
export function modelFlips(
  oldErrors: readonly ArrayLike<number>[],
  newErrors: readonly ArrayLike<number>[],
  weights: ArrayLike<number>,
  options: { tolerance: number },
): Flips {
  const { tolerance } = options;
  const cells = weights.length;
  const negativeByCell = new Float64Array(cells);
  const growth = new Float64Array(cells);
  const count = new Float64Array(cells);
  let [negative, positive, total, worse, area] = [0, 0, 0, 0, 0];
  oldErrors.forEach((old, t) => {
    for (let i = 0; i < cells; i++) {
      const [a, b] = [Math.abs(old[i]), Math.abs(newErrors[t][i])];
      if (weights[i] === 0 || a !== a || b !== b) continue;
      total += weights[i];
      count[i]++;
      growth[i] += b * b - a * a;
      if (a <= tolerance && b > tolerance) {
        negative += weights[i];
        negativeByCell[i]++;
      } else if (a > tolerance && b <= tolerance) positive += weights[i];
    }
  });
  for (let i = 0; i < cells; i++) {
    negativeByCell[i] /= count[i]; // NaN where nothing was compared
    if (count[i] === 0) continue;
    area += weights[i];
    if (growth[i] > 0) worse += weights[i];
  }
  return { negative: negative / total, positive: positive / total, negativeByCell, worseCells: worse / area };
}
