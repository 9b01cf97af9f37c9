/** How the spectrum of a real circle lies in that of a complex one half as long: the ends of the real transforms of `fft.ts`. */

/**
 * The spectrum of a real circle folded into that of the half-as-long complex circle z_j = x_{2j} + i x_{2j+1}:
 *
 *     Z_k = (X_k + conj X_{half-k}) + i exp(2 pi i k / length) (X_k - conj X_{half-k})
 */
export function packSpectrum(
  spectrum: Float64Array,
  from: number,
  last: number,
  z: Float64Array,
  half: number,
  turn: Float64Array,
  columns: number,
): void {
  const row = 2 * columns;
  for (let k = 0; k < half; k++) {
    const mirror = half - k;
    const wr = turn[2 * k];
    const wi = -turn[2 * k + 1];
    const out = k * row;
    const here = from + k * row;
    const there = from + mirror * row;
    if (k <= last && mirror <= last) {
      for (let c = 0; c < columns; c++) {
        const ar = spectrum[here + c];
        const ai = spectrum[here + columns + c];
        const br = spectrum[there + c];
        const bi = -spectrum[there + columns + c];
        const dr = ar - br;
        const di = ai - bi;
        z[out + c] = ar + br - (wr * di + wi * dr);
        z[out + columns + c] = ai + bi + (wr * dr - wi * di);
      }
    } else if (k <= last) {
      for (let c = 0; c < columns; c++) {
        const ar = spectrum[here + c];
        const ai = spectrum[here + columns + c];
        z[out + c] = ar - (wr * ai + wi * ar);
        z[out + columns + c] = ai + (wr * ar - wi * ai);
      }
    } else if (mirror <= last) {
      for (let c = 0; c < columns; c++) {
        const br = spectrum[there + c];
        const bi = -spectrum[there + columns + c];
        z[out + c] = br + (wr * bi + wi * br);
        z[out + columns + c] = bi - (wr * br - wi * bi);
      }
    } else z.fill(0, out, out + row);
  }
}

/**
 * The inverse of `packSpectrum`, for k = 0..last, over `length`:
 *
 *     X_k = ((Z_k + conj Z_{half-k}) - i exp(-2 pi i k / length) (Z_k - conj Z_{half-k})) / 2
 */
export function unpackSpectrum(
  z: Float64Array,
  half: number,
  turn: Float64Array,
  spectrum: Float64Array,
  to: number,
  last: number,
  columns: number,
): void {
  const row = 2 * columns;
  const scale = 0.25 / half;
  for (let k = 0; k <= last; k++) {
    const here = (k % half) * row;
    const there = ((half - k) % half) * row;
    const wr = turn[2 * k];
    const wi = turn[2 * k + 1];
    const out = to + k * row;
    for (let c = 0; c < columns; c++) {
      const ar = z[here + c];
      const ai = z[here + columns + c];
      const br = z[there + c];
      const bi = -z[there + columns + c];
      const dr = ar - br;
      const di = ai - bi;
      spectrum[out + c] = scale * (ar + br + (wr * di + wi * dr));
      spectrum[out + columns + c] = scale * (ai + bi - (wr * dr - wi * di));
    }
  }
}
