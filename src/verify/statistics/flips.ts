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

/** Counts flips start by start. Cells count by their weight; what is missing in either counts nowhere. */
export class FlipSums {
  readonly #negativeByCell: Float64Array;
  readonly #growth: Float64Array;
  readonly #count: Float64Array;
  #negative = 0;
  #positive = 0;
  #total = 0;

  constructor(
    readonly weights: ArrayLike<number>,
    /** An error up to this is right, in the variable's units. */
    readonly tolerance: number,
  ) {
    [this.#negativeByCell, this.#growth, this.#count] = [0, 1, 2].map(() => new Float64Array(weights.length));
  }

  /** @param oldErrors forecast minus truth of the old model at one start, [cell]; of the new one */
  add(oldErrors: ArrayLike<number>, newErrors: ArrayLike<number>): void {
    for (let i = 0; i < this.weights.length; i++) {
      const weight = this.weights[i];
      const [a, b] = [Math.abs(oldErrors[i]), Math.abs(newErrors[i])];
      if (weight === 0 || a !== a || b !== b) continue;
      this.#total += weight;
      this.#count[i]++;
      this.#growth[i] += b * b - a * a;
      if (a <= this.tolerance && b > this.tolerance) {
        this.#negative += weight;
        this.#negativeByCell[i]++;
      } else if (a > this.tolerance && b <= this.tolerance) this.#positive += weight;
    }
  }

  result(): Flips {
    let [worse, area] = [0, 0];
    for (let i = 0; i < this.weights.length; i++) {
      if (this.#count[i] === 0) continue;
      area += this.weights[i];
      if (this.#growth[i] > 0) worse += this.weights[i];
    }
    return {
      negative: this.#negative / this.#total,
      positive: this.#positive / this.#total,
      negativeByCell: this.#negativeByCell.map((n, i) => n / this.#count[i]), // NaN where nothing was compared
      worseCells: worse / area,
    };
  }
}

/** Of fields [cell], one a start, of the old and the new model against the same truth. */
export function modelFlips(
  oldErrors: readonly ArrayLike<number>[],
  newErrors: readonly ArrayLike<number>[],
  weights: ArrayLike<number>,
  options: { tolerance: number },
): Flips {
  const sums = new FlipSums(weights, options.tolerance);
  oldErrors.forEach((old, t) => sums.add(old, newErrors[t]));
  return sums.result();
}
