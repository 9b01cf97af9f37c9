/** CRPS of a normal distribution with mean mu and standard deviation sigma (Gneiting et al. 2005, MWR 133, eq. 5). */

/** sigma (z (2 Phi(z) - 1) + 2 phi(z) - 1 / sqrt(pi)), z = (o - mu) / sigma. In the field's units; sigma > 0. */
export function gaussianCrps(mu: number, sigma: number, truth: number): number {
  const z = (truth - mu) / sigma;
  return sigma * (z * (2 * normalDistribution(z) - 1) + 2 * normalDensity(z) - 1 / Math.sqrt(Math.PI));
}

export const normalDensity = (z: number): number => Math.exp(-0.5 * z * z) / Math.sqrt(2 * Math.PI);

/** Phi(z), the probability integral transform of a normal forecast; to 1e-15 of its value. */
export const normalDistribution = (z: number): number => 0.5 * erfc(-z / Math.SQRT2);

/** The complementary error function: its series near 0, its continued fraction beyond (Abramowitz and Stegun 7.1.6, 7.1.14). */
export function erfc(x: number): number {
  if (x < 0) return 2 - erfc(-x);
  if (x < 2.5) {
    let term = x;
    let sum = x;
    for (let n = 1; Math.abs(term) > 1e-17 * sum; n++) sum += term *= (2 * x * x) / (2 * n + 1);
    return 1 - (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
  }
  let tail = x;
  for (let n = 60; n >= 1; n--) tail = x + n / 2 / tail;
  return Math.exp(-x * x) / Math.sqrt(Math.PI) / tail;
}
