/**
 * The gamma distribution: in a graph, the logarithm of the gamma function, which ONNX lacks; in numbers, the distribution
 * function and its inverse.
 */
import type { Tensor } from "../../graph/graph.js";
import { add, div, log, mul, reciprocal, square, sub } from "../../graph/ops.js";

/** ln Γ(x) for x > 0 as nodes: Stirling's series at x + 4 (error below 1e-7), brought back by Γ(x + 1) = x Γ(x). */
export function logGammaOf(x: Tensor): Tensor {
  const y = add(x, 4);
  const r = reciprocal(y);
  const r2 = square(r);
  // 1/(12 y) - 1/(360 y^3) + 1/(1260 y^5)
  const tail = mul(r, add(mul(r2, sub(mul(r2, 1 / 1260), 1 / 360)), 1 / 12));
  const stirling = add(sub(add(mul(sub(y, 0.5), log(y)), 0.5 * Math.log(2 * Math.PI)), y), tail);
  const product = mul(mul(x, add(x, 1)), mul(add(x, 2), add(x, 3)));
  return sub(stirling, log(product));
}

/** log density of a gamma law with this shape and mean at x > 0, as nodes: (k-1) ln x - x/θ - k ln θ - ln Γ(k), θ = mean / k. */
export function gammaLogDensity(x: Tensor, shape: Tensor, mean: Tensor): Tensor {
  const scale = div(mean, shape);
  const power = sub(mul(sub(shape, 1), log(x)), div(x, scale));
  return sub(power, add(mul(shape, log(scale)), logGammaOf(shape)));
}

/** ln Γ(x), the same series in double precision at x + 8. */
export function logGamma(x: number): number {
  let product = 1;
  let y = x;
  for (; y < 8; y++) product *= y;
  const r = 1 / y;
  const tail = r * (1 / 12 - r * r * (1 / 360 - r * r * (1 / 1260 - r * r * (1 / 1680))));
  return (y - 0.5) * Math.log(y) - y + 0.5 * Math.log(2 * Math.PI) + tail - Math.log(product);
}

/** P(k, x), the share of a gamma law of shape k and scale 1 below x (Abramowitz and Stegun 6.5.29 and 6.5.31). */
export function gammaShare(k: number, x: number, lgk = logGamma(k)): number {
  if (!(x > 0)) return 0;
  const front = Math.exp(k * Math.log(x) - x - lgk);
  if (x < k + 1) {
    let term = 1 / k;
    let sum = term;
    for (let n = k + 1; term > sum * 1e-10; n++) sum += term *= x / n;
    return front * sum;
  }
  // continued fraction by Lentz's method
  let b = x + 1 - k;
  let c = 1e300;
  let d = 1 / b;
  let h = d;
  for (let i = 1; i < 500; i++) {
    const a = -i * (i - k);
    b += 2;
    d = 1 / (a * d + b || 1e-300);
    c = b + a / c || 1e-300;
    const step = d * c;
    h *= step;
    if (Math.abs(step - 1) < 1e-10) break;
  }
  return 1 - front * h;
}

/** The x with P(k, x) = p: Wilson and Hilferty's start (or the small-x series), then Newton's steps kept inside a bracket. */
export function gammaQuantile(k: number, p: number, lgk = logGamma(k)): number {
  if (!(p > 0)) return 0;
  const z = normalQuantile(p);
  const c = 1 / (9 * k);
  let x = k * (1 - c + z * Math.sqrt(c)) ** 3;
  const small = Math.exp((Math.log(p) + Math.log(k) + lgk) / k); // P(k, x) ~ x^k / (k Γ(k))
  if (!(x > 0) || k < 0.5 || small < 0.1 * k) x = Math.max(small, 1e-300);
  let [low, high] = [0, Infinity];
  for (let i = 0; i < 60; i++) {
    const error = gammaShare(k, x, lgk) - p;
    if (error > 0) high = x;
    else low = x;
    const density = Math.exp((k - 1) * Math.log(x) - x - lgk);
    const next = x - error / density;
    const inside = next > low && next < high && Number.isFinite(next);
    const moved = inside ? next : high === Infinity ? 2 * x + 1e-6 : (low + high) / 2;
    if (Math.abs(moved - x) <= 1e-7 * x) return moved;
    x = moved;
  }
  return x;
}

/** The normal quantile to 4.5e-4 (Abramowitz and Stegun 26.2.23), good enough for a start. */
function normalQuantile(p: number): number {
  const tail = (q: number) => {
    const t = Math.sqrt(-2 * Math.log(q));
    return t - (2.515517 + 0.802853 * t + 0.010328 * t * t) / (1 + 1.432788 * t + 0.189269 * t * t + 0.001308 * t ** 3);
  };
  return p < 0.5 ? -tail(p) : tail(1 - p);
}
