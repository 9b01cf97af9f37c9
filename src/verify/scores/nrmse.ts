/** ClimateBench's normalised errors of an emulated climate: of the mean map, and of the global mean (Watson-Parris et al. 2022, eqs. 1-3). */

/** spatial, global, and total = spatial + 5 global. Fields are [time][cell]. */
export function climateBenchNrmse(
  forecast: readonly ArrayLike<number>[],
  truth: readonly ArrayLike<number>[],
  weights: ArrayLike<number>,
): { spatial: number; global: number; total: number } {
  const cells = weights.length;
  let area = 0;
  for (let i = 0; i < cells; i++) area += weights[i];
  const areaMean = (of: (i: number) => number) => {
    let sum = 0;
    for (let i = 0; i < cells; i++) sum += weights[i] * of(i);
    return sum / area;
  };
  const timeMean = (fields: readonly ArrayLike<number>[], i: number) =>
    fields.reduce((sum, field) => sum + field[i], 0) / fields.length;
  const scale = Math.abs(areaMean((i) => timeMean(truth, i)));
  const spatial = Math.sqrt(areaMean((i) => (timeMean(forecast, i) - timeMean(truth, i)) ** 2)) / scale;
  const squares = truth.map((o, t) => (areaMean((i) => forecast[t][i]) - areaMean((i) => o[i])) ** 2);
  const global = Math.sqrt(squares.reduce((a, b) => a + b, 0) / squares.length) / scale;
  return { spatial, global, total: spatial + 5 * global };
}
