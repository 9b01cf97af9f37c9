/**
 * Gaussian latitudes and normalised associated Legendre functions: the two ingredients of a spherical harmonic transform.
 *
 * Normalisation: (1/2) integral of P_n^m(mu)^2 over mu in [-1, 1] is 1, so that coefficient (0, 0) of a field is its global mean.
 * Recurrences: Belousov (1962) in the stable three-term form of Press et al., "Numerical Recipes", 6.7.
 */

/** The nodes (sines of latitude, north to south) and weights (summing to 2) of Gaussian quadrature with `count` points. */
export function gaussianNodes(count: number): { mu: Float64Array; weights: Float64Array } {
  const mu = new Float64Array(count);
  const weights = new Float64Array(count);
  for (let j = 0; j < Math.ceil(count / 2); j++) {
    let x = Math.cos((Math.PI * (j + 0.75)) / (count + 0.5));
    let slope = 0;
    for (let iteration = 0; iteration < 100; iteration++) {
      // (n) P_n = (2n - 1) x P_{n-1} - (n - 1) P_{n-2}
      let [p0, p1] = [1, x];
      for (let n = 2; n <= count; n++) [p0, p1] = [p1, ((2 * n - 1) * x * p1 - (n - 1) * p0) / n];
      slope = (count * (x * p1 - p0)) / (x * x - 1);
      const change = p1 / slope;
      x -= change;
      if (Math.abs(change) < 1e-16) break;
    }
    mu[j] = x;
    mu[count - 1 - j] = -x;
    weights[j] = weights[count - 1 - j] = 2 / ((1 - x * x) * slope * slope);
  }
  if (count % 2 === 1) mu[(count - 1) / 2] = 0;
  return { mu, weights };
}

/** epsilon_n^m = sqrt((n^2 - m^2) / (4 n^2 - 1)), of which every recurrence in n is made. */
export const epsilon = (m: number, n: number): number => (n <= m ? 0 : Math.sqrt((n * n - m * m) / (4 * n * n - 1)));

/**
 * P_n^m(mu) for n = m .. last at one mu, into `out[0 .. last - m]`.
 *
 *     P_m^m     = sqrt((2m + 1) / (2m)) cos(phi) P_{m-1}^{m-1}
 *     P_{n+1}^m = (mu P_n^m - epsilon_n^m P_{n-1}^m) / epsilon_{n+1}^m
 */
export function legendreColumn(m: number, last: number, mu: number, out: Float64Array): void {
  const cosine = Math.sqrt(1 - mu * mu);
  let diagonal = 1;
  for (let k = 1; k <= m; k++) diagonal *= Math.sqrt((2 * k + 1) / (2 * k)) * cosine;
  let below = 0;
  let here = diagonal;
  for (let n = m; n <= last; n++) {
    out[n - m] = here;
    const next = (mu * here - epsilon(m, n) * below) / epsilon(m, n + 1);
    below = here;
    here = next;
  }
}
