/**
 * SEEPS, stable equitable error in probability space, for precipitation: dry, light or heavy, judged by each place's own climate
 * (Rodwell, Richardson, Hewson and Haiden 2010, QJRMS 136, eq. 15). 0 is perfect, about 1 no skill.
 */

export interface SeepsClimate {
  /** Share of dry cases at each cell, 0..1. */
  readonly dryFraction: ArrayLike<number>;
  /** Between light and heavy at each cell: 2/3 quantile of wet amounts, in the field's units. */
  readonly heavyFrom: ArrayLike<number>;
}

/** Area mean over cells with 0.1 <= dry fraction <= 0.85. `dryUpTo`: 0.25 mm for 24 h, 0.1 mm for 6 h, in the field's units. */
export function seeps(
  forecast: ArrayLike<number>,
  truth: ArrayLike<number>,
  weights: ArrayLike<number>,
  { dryFraction, heavyFrom }: SeepsClimate,
  options: { dryUpTo: number },
): number {
  const { sum, total } = seepsSums(forecast, truth, weights, { dryFraction, heavyFrom }, options);
  return sum / total;
}

/** Σ w cost and Σ w over the cells that count. */
export function seepsSums(
  forecast: ArrayLike<number>,
  truth: ArrayLike<number>,
  weights: ArrayLike<number>,
  { dryFraction, heavyFrom }: SeepsClimate,
  { dryUpTo }: { dryUpTo: number },
): { sum: number; total: number } {
  const category = (amount: number, heavy: number) => (amount <= dryUpTo ? 0 : amount < heavy ? 1 : 2);
  let sum = 0;
  let total = 0;
  for (let i = 0; i < truth.length; i++) {
    const p = dryFraction[i];
    if (!(p >= 0.1 && p <= 0.85) || weights[i] === 0 || forecast[i] !== forecast[i] || truth[i] !== truth[i]) continue;
    const cost = seepsCosts(p)[category(forecast[i], heavyFrom[i])][category(truth[i], heavyFrom[i])];
    sum += weights[i] * cost;
    total += weights[i];
  }
  return { sum, total };
}

/** [forecast][truth], dry, light, heavy; p is the dry fraction. */
export const seepsCosts = (p: number): number[][] => [
  [0, 0.5 / (1 - p), 2 / (1 - p)],
  [0.5 / p, 0, 1.5 / (1 - p)],
  [0.5 / p + 1.5 / (2 + p), 1.5 / (2 + p), 0],
];
