/** The discrete Fourier transform of any length: radix 2 where it fits, otherwise Bluestein's chirp (1970) through radix 2. */

/** X_k = Σ_n x_n exp(-2 pi i k n / N), in place. */
export function fourier(re: Float64Array, im: Float64Array): void {
  const n = re.length;
  if ((n & (n - 1)) === 0) powerOfTwo(re, im);
  else bluestein(re, im);
}

/** cos and sin of -2 pi k / n for k below n / 2. */
const turns = kept((n): readonly [Float64Array, Float64Array] => {
  const angle = (_: unknown, k: number) => (-2 * Math.PI * k) / n;
  const angles = Array.from({ length: n / 2 }, angle);
  return [Float64Array.from(angles, Math.cos), Float64Array.from(angles, Math.sin)];
});

function powerOfTwo(re: Float64Array, im: Float64Array): void {
  const n = re.length;
  for (let i = 1, j = 0; i < n; i++) {
    let bit = n >> 1;
    for (; j & bit; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i < j) {
      const [r, m] = [re[i], im[i]];
      re[i] = re[j];
      im[i] = im[j];
      re[j] = r;
      im[j] = m;
    }
  }
  if (n < 2) return;
  const [cosines, sines] = turns(n);
  for (let length = 2; length <= n; length *= 2) {
    const half = length / 2;
    const stride = n / length;
    for (let k = 0; k < half; k++) {
      const c = cosines[k * stride];
      const s = sines[k * stride];
      for (let from = k; from < n; from += length) {
        const to = from + half;
        const r = re[to] * c - im[to] * s;
        const i = re[to] * s + im[to] * c;
        re[to] = re[from] - r;
        im[to] = im[from] - i;
        re[from] += r;
        im[from] += i;
      }
    }
  }
}

/** exp(-i pi k² / n), and the transform of its conjugate for a convolution of `size`. */
const chirps = kept((n) => {
  let size = 1;
  while (size < 2 * n) size *= 2;
  const angles = Array.from({ length: n }, (_, k) => (Math.PI * ((k * k) % (2 * n))) / n);
  const [c, s] = [Float64Array.from(angles, Math.cos), Float64Array.from(angles, (a) => -Math.sin(a))];
  const [br, bi] = [new Float64Array(size), new Float64Array(size)];
  for (let k = 0; k < n; k++) {
    br[k] = c[k];
    bi[k] = -s[k];
    if (k > 0) [br[size - k], bi[size - k]] = [c[k], -s[k]];
  }
  powerOfTwo(br, bi);
  return { size, c, s, br, bi };
});

/** k n = (k^2 + n^2 - (k - n)^2) / 2 turns the transform into a convolution. */
function bluestein(re: Float64Array, im: Float64Array): void {
  const n = re.length;
  const { size, c, s, br, bi } = chirps(n);
  const [ar, ai] = [new Float64Array(size), new Float64Array(size)];
  for (let k = 0; k < n; k++) {
    ar[k] = re[k] * c[k] - im[k] * s[k];
    ai[k] = re[k] * s[k] + im[k] * c[k];
  }
  powerOfTwo(ar, ai);
  for (let k = 0; k < size; k++) {
    // The conjugate, so that a forward transform of it goes back.
    const r = ar[k] * br[k] - ai[k] * bi[k];
    ai[k] = -(ar[k] * bi[k] + ai[k] * br[k]);
    ar[k] = r;
  }
  powerOfTwo(ar, ai);
  for (let k = 0; k < n; k++) {
    const [r, i] = [ar[k] / size, -ai[k] / size];
    re[k] = r * c[k] - i * s[k];
    im[k] = r * s[k] + i * c[k];
  }
}

/** What is made of a length, made once. */
function kept<T>(make: (n: number) => T): (n: number) => T {
  const known = new Map<number, T>();
  return (n) => {
    let found = known.get(n);
    if (found === undefined) known.set(n, (found = make(n)));
    return found;
  };
}
