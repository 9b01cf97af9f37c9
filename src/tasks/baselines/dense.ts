/** The few dense products that baselines live on: dots of long vectors and sums of them, several at a time so that memory is read once. */

export type Numbers = Float32Array | Float64Array;

export function dot(a: Numbers, b: Numbers): number {
  // Four sums, so that an addition need not wait for the one before.
  let [s0, s1, s2, s3] = [0, 0, 0, 0];
  const whole = a.length - (a.length % 4);
  for (let i = 0; i < whole; i += 4) {
    s0 += a[i] * b[i];
    s1 += a[i + 1] * b[i + 1];
    s2 += a[i + 2] * b[i + 2];
    s3 += a[i + 3] * b[i + 3];
  }
  for (let i = whole; i < a.length; i++) s0 += a[i] * b[i];
  return s0 + s1 + (s2 + s3);
}

/** The dots of one vector with each of some. */
export function dots<A extends Numbers>(vector: A, of: readonly A[]): Float64Array {
  const out = new Float64Array(of.length);
  const whole = of.length - (of.length % 4);
  for (let k = 0; k < whole; k += 4) {
    const [a, b, c, d] = [of[k], of[k + 1], of[k + 2], of[k + 3]];
    let [s0, s1, s2, s3] = [0, 0, 0, 0];
    for (let i = 0; i < vector.length; i++) {
      const x = vector[i];
      s0 += a[i] * x;
      s1 += b[i] * x;
      s2 += c[i] * x;
      s3 += d[i] * x;
    }
    out[k] = s0;
    out[k + 1] = s1;
    out[k + 2] = s2;
    out[k + 3] = s3;
  }
  for (let k = whole; k < of.length; k++) out[k] = dot(of[k], vector);
  return out;
}

/** out += Σ_k factors[k] vectors[k]. Eight at a time: the sum is fetched and put back once for all of them. */
export function combine<A extends Numbers>(out: Numbers, vectors: readonly A[], factors: ArrayLike<number>): void {
  const whole = vectors.length - (vectors.length % 8);
  for (let k = 0; k < whole; k += 8) {
    const [a, b, c, d] = [vectors[k], vectors[k + 1], vectors[k + 2], vectors[k + 3]];
    const [e, f, g, h] = [vectors[k + 4], vectors[k + 5], vectors[k + 6], vectors[k + 7]];
    const [fa, fb, fc, fd] = [factors[k], factors[k + 1], factors[k + 2], factors[k + 3]];
    const [fe, ff, fg, fh] = [factors[k + 4], factors[k + 5], factors[k + 6], factors[k + 7]];
    for (let i = 0; i < out.length; i++)
      out[i] += fa * a[i] + fb * b[i] + (fc * c[i] + fd * d[i]) + (fe * e[i] + ff * f[i] + (fg * g[i] + fh * h[i]));
  }
  for (let k = whole; k < vectors.length; k++) {
    const [x, f] = [vectors[k], factors[k]];
    for (let i = 0; i < out.length; i++) out[i] += f * x[i];
  }
}
