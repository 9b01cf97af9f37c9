/** The discrete Fourier transform of any length: radix 2 where it fits, otherwise Bluestein's chirp (1970) through radix 2. */

/** X_k = Σ_n x_n exp(-2 pi i k n / N), in place. */
export function fourier(re: Float64Array, im: Float64Array): void {
  const n = re.length;
  if ((n & (n - 1)) === 0) powerOfTwo(re, im);
  else bluestein(re, im);
}

function powerOfTwo(re: Float64Array, im: Float64Array): void {
  const n = re.length;
  for (let i = 1, j = 0; i < n; i++) {
    let bit = n >> 1;
    for (; j & bit; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i < j) {
      [re[i], re[j]] = [re[j], re[i]];
      [im[i], im[j]] = [im[j], im[i]];
    }
  }
  for (let length = 2; length <= n; length *= 2) {
    const half = length / 2;
    for (let k = 0; k < half; k++) {
      const [c, s] = [Math.cos((-2 * Math.PI * k) / length), Math.sin((-2 * Math.PI * k) / length)];
      for (let from = k; from < n; from += length) {
        const to = from + half;
        const [r, i] = [re[to] * c - im[to] * s, re[to] * s + im[to] * c];
        re[to] = re[from] - r;
        im[to] = im[from] - i;
        re[from] += r;
        im[from] += i;
      }
    }
  }
}

/** k n = (k^2 + n^2 - (k - n)^2) / 2 turns the transform into a convolution. */
function bluestein(re: Float64Array, im: Float64Array): void {
  const n = re.length;
  let size = 1;
  while (size < 2 * n) size *= 2;
  const chirp = (k: number): [number, number] => {
    const angle = (Math.PI * ((k * k) % (2 * n))) / n;
    return [Math.cos(angle), -Math.sin(angle)];
  };
  const [ar, ai, br, bi] = [0, 0, 0, 0].map(() => new Float64Array(size));
  for (let k = 0; k < n; k++) {
    const [c, s] = chirp(k);
    ar[k] = re[k] * c - im[k] * s;
    ai[k] = re[k] * s + im[k] * c;
    br[k] = c;
    bi[k] = -s;
    if (k > 0) [br[size - k], bi[size - k]] = [c, -s];
  }
  powerOfTwo(ar, ai);
  powerOfTwo(br, bi);
  for (let k = 0; k < size; k++) {
    // The conjugate, so that a forward transform of it goes back.
    [ar[k], ai[k]] = [ar[k] * br[k] - ai[k] * bi[k], -(ar[k] * bi[k] + ai[k] * br[k])];
  }
  powerOfTwo(ar, ai);
  for (let k = 0; k < n; k++) {
    const [c, s] = chirp(k);
    const [r, i] = [ar[k] / size, -ai[k] / size];
    re[k] = r * c - i * s;
    im[k] = r * s + i * c;
  }
}
