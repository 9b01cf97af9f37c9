/**
 * The inverse wavelet transforms (ISO/IEC 15444-1, annex F), in place on a tile: the lower resolution lies top left, and
 * beside and below it the subbands of the next.
 */

/** Columns that are transformed together. */
const COLUMNS = 16;

/** Where a resolution lies on its reference grid. */
export interface Extent {
  readonly x0: number;
  readonly y0: number;
  readonly x1: number;
  readonly y1: number;
}

/** From subbands to samples: `data` [height][width of the tile], the resolutions from the lowest to the whole. */
export function inverseWavelet(
  data: Int32Array | Float64Array,
  stride: number,
  resolutions: readonly Extent[],
  reversible: boolean,
): void {
  const lift = reversible ? lift53 : lift97;
  const longest = resolutions.reduce((most, { x0, x1, y0, y1 }) => Math.max(most, x1 - x0, COLUMNS * (y1 - y0)), 0);
  const line = reversible ? new Int32Array(longest) : new Float64Array(longest);
  for (let r = 1; r < resolutions.length; r++) {
    const { x0, y0, x1, y1 } = resolutions[r];
    const width = x1 - x0;
    const height = y1 - y0;
    const lows = [resolutions[r - 1].x1 - resolutions[r - 1].x0, resolutions[r - 1].y1 - resolutions[r - 1].y0];
    const [oddX, oddY] = [x0 & 1, y0 & 1];
    for (let j = 0; j < height; j++) {
      const row = j * stride;
      for (let i = 0; i < lows[0]; i++) line[2 * i + oddX] = data[row + i];
      for (let i = lows[0]; i < width; i++) line[2 * (i - lows[0]) + 1 - oddX] = data[row + i];
      lift(line, width, 1, oddX);
      for (let i = 0; i < width; i++) data[row + i] = line[i];
    }
    for (let left = 0; left < width; left += COLUMNS) {
      const n = Math.min(COLUMNS, width - left);
      for (let j = 0; j < height; j++) {
        const to = (j < lows[1] ? 2 * j + oddY : 2 * (j - lows[1]) + 1 - oddY) * n;
        const from = j * stride + left;
        for (let c = 0; c < n; c++) line[to + c] = data[from + c];
      }
      lift(line, height, n, oddY);
      for (let j = 0; j < height; j++) for (let c = 0; c < n; c++) data[j * stride + left + c] = line[j * n + c];
    }
  }
}

/** F.3.8.1, on `n` lines of `length` that lie beside each other; the first sample is a high one where `odd`. */
function lift53(x: Int32Array | Float64Array, length: number, n: number, odd: number): void {
  if (length === 1) {
    if (odd) for (let c = 0; c < n; c++) x[c] = Math.trunc(x[c] / 2);
    return;
  }
  for (let p = odd; p < length; p += 2) {
    const before = (p > 0 ? p - 1 : 1) * n;
    const after = (p + 1 < length ? p + 1 : p - 1) * n;
    const at = p * n;
    for (let c = 0; c < n; c++) x[at + c] -= (x[before + c] + x[after + c] + 2) >> 2;
  }
  for (let p = 1 - odd; p < length; p += 2) {
    const before = (p > 0 ? p - 1 : 1) * n;
    const after = (p + 1 < length ? p + 1 : p - 1) * n;
    const at = p * n;
    for (let c = 0; c < n; c++) x[at + c] += (x[before + c] + x[after + c]) >> 1;
  }
}

/** Table F.4. */
const K = 1.230174104914001;
const [ALPHA, BETA, GAMMA, DELTA] = [-1.586134342059924, -0.052980118572961, 0.882911075530934, 0.443506852043971];

/** F.3.8.2. */
function lift97(x: Int32Array | Float64Array, length: number, n: number, odd: number): void {
  if (length === 1) {
    if (odd) for (let c = 0; c < n; c++) x[c] /= 2;
    return;
  }
  for (let p = 0; p < length; p++) {
    const scale = (p & 1) === odd ? K : 1 / K;
    for (let c = 0; c < n; c++) x[p * n + c] *= scale;
  }
  const step = (first: number, factor: number): void => {
    for (let p = first; p < length; p += 2) {
      const before = (p > 0 ? p - 1 : 1) * n;
      const after = (p + 1 < length ? p + 1 : p - 1) * n;
      const at = p * n;
      for (let c = 0; c < n; c++) x[at + c] -= factor * (x[before + c] + x[after + c]);
    }
  };
  step(odd, DELTA);
  step(1 - odd, GAMMA);
  step(odd, BETA);
  step(1 - odd, ALPHA);
}
