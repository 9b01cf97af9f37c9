/**
 * Gaussian latitudes: arcsines of the roots of the Legendre polynomial of degree 2N, by Newton's method from Tricomi's
 * estimate (Abramowitz and Stegun 22.16.6).
 */
import { GribError } from "./octets.js";

const MAX_N = 8000;
const known = new Map<number, Float64Array>();

/** The 2N latitudes of a Gaussian grid with N parallels between a pole and the equator, in degrees from north to south. */
export function gaussianLatitudes(n: number): Float64Array {
  if (n < 1 || n > MAX_N) throw new GribError(`a Gaussian grid of N = ${n} is not computed; N is from 1 to ${MAX_N}`);
  const found = known.get(n);
  if (found) return found;
  const degree = 2 * n;
  const latitudes = new Float64Array(degree);
  for (let i = 0; i < n; i++) {
    let x = (1 - 1 / (8 * degree ** 2) + 1 / (8 * degree ** 3)) * Math.cos((Math.PI * (4 * i + 3)) / (4 * degree + 2));
    for (let step = 0, dx = 1; step < 10 && Math.abs(dx) > 1e-15; step++) {
      // k P_k = (2k-1) x P_{k-1} - (k-1) P_{k-2};  (1-x^2) P'_n = n (P_{n-1} - x P_n)
      let [before, at] = [1, x];
      for (let k = 2; k <= degree; k++) [before, at] = [at, ((2 * k - 1) * x * at - (k - 1) * before) / k];
      dx = (at * (1 - x * x)) / (degree * (before - x * at));
      x -= dx;
    }
    latitudes[i] = (Math.asin(x) * 180) / Math.PI;
    latitudes[degree - 1 - i] = -latitudes[i];
  }
  known.set(n, latitudes);
  return latitudes;
}
