/** Errors of wind as a vector. */

export interface WindPair {
  readonly u: ArrayLike<number>;
  readonly v: ArrayLike<number>;
}

/** <(du)^2 + (dv)^2> (WeatherBench 2 `WindVectorMSE`; its root is the vector RMSE). In (m s-1)^2. */
export function windVectorMse(forecast: WindPair, truth: WindPair, weights: ArrayLike<number>): number {
  let sum = 0;
  let total = 0;
  for (let i = 0; i < weights.length; i++) {
    const square = (forecast.u[i] - truth.u[i]) ** 2 + (forecast.v[i] - truth.v[i]) ** 2;
    if (square !== square || weights[i] === 0) continue;
    sum += weights[i] * square;
    total += weights[i];
  }
  return sum / total;
}

/** Mean absolute difference of direction in degrees (0..180) where both winds blow at `least` m s-1 or more. */
export function windDirectionError(
  forecast: WindPair,
  truth: WindPair,
  weights: ArrayLike<number>,
  options: { least?: number } = {},
): number {
  const { least = 2 } = options;
  let sum = 0;
  let total = 0;
  for (let i = 0; i < weights.length; i++) {
    const calm = Math.min(Math.hypot(forecast.u[i], forecast.v[i]), Math.hypot(truth.u[i], truth.v[i])) < least;
    const turn = Math.atan2(forecast.v[i], forecast.u[i]) - Math.atan2(truth.v[i], truth.u[i]);
    if (calm || turn !== turn) continue;
    sum += weights[i] * Math.abs(Math.atan2(Math.sin(turn), Math.cos(turn)));
    total += weights[i];
  }
  return ((sum / total) * 180) / Math.PI;
}
