/**
 * The spherical harmonic transform: triangular truncation, Gaussian grid, many fields at once.
 *
 *     f(lambda, mu) = sum_m sum_n f_n^m P_n^m(mu) exp(i m lambda),   |m| <= T,  |m| <= n <= T
 *
 * A **spectrum** of `columns` fields is a Float64Array [row][re, im][columns], where the rows run over m = 0..T and, inside each
 * m, over n = m..T+1 (m < 0 is the conjugate). The row n = T+1 is zero in scalars; winds and gradients need it.
 * A **grid** of `columns` fields is a Float64Array [latitude][longitude][columns], north to south, eastward from Greenwich: a
 * column of the atmosphere lies in one piece. `columns` is even (pad with an empty field).
 *
 * Along latitude the transform is, for every m, a product of matrices; the parity of P_n^m halves it (Temperton 1991).
 * Inner loops hold 2 x 4 sums in registers; along longitude see `fft.ts`.
 *
 *     const transform = sphericalTransform(21);
 *     transform.synthesise(spectrum, grid, 2);
 */
import { UsageError } from "../errors.js";
import { circleTransform, niceLength } from "./fft.js";
import { gaussianNodes, legendreColumn } from "./gaussian.js";

export interface SphericalTransform {
  /** Largest total wavenumber T. */
  readonly truncation: number;
  readonly nlat: number;
  readonly nlon: number;
  /** Grid points. */
  readonly points: number;
  /** Coefficients per field, the extra row of every m among them. */
  readonly rows: number;
  /** Zonal (m) and total (n) wavenumber of every row. */
  readonly m: Int32Array;
  readonly n: Int32Array;
  /** Row of (m, n = m). */
  readonly firstRow: Int32Array;
  /** Sine of latitude, north to south; weights of the quadrature, summing to 2. */
  readonly mu: Float64Array;
  readonly weights: Float64Array;
  /** Degrees. */
  readonly latitudes: Float64Array;
  readonly longitudes: Float64Array;
  /** Spectrum to grid, both of `columns` fields. */
  synthesise(spectrum: Float64Array, grid: Float64Array, columns: number): void;
  /** Grid to spectrum, rows n = m..T+1. */
  analyse(grid: Float64Array, spectrum: Float64Array, columns: number): void;
}

/** Latitudes of the Gaussian grid on which products of two fields are free of aliasing: 3T + 1 longitudes, half as many latitudes. */
export function gridFor(truncation: number): { nlat: number; nlon: number } {
  let nlon = niceLength(3 * truncation + 1);
  while (nlon % 8 !== 0) nlon = niceLength(nlon + 2); // latitudes are taken in pairs of pairs
  return { nlon, nlat: nlon / 2 };
}

/** Plans the transform for T = `truncation` (1 to 170); `nlat` (a multiple of 4) and `nlon` choose another grid. */
export function sphericalTransform(
  truncation: number,
  options: { nlat?: number; nlon?: number } = {},
): SphericalTransform {
  const T = truncation;
  if (!Number.isInteger(T) || T < 1 || T > 170)
    throw new UsageError(`truncation T${T} is not possible: take a whole number from 1 to 170, such as 21, 31 or 42`);
  const { nlat, nlon } = { ...gridFor(T), ...options };
  if (nlat % 4 !== 0 || nlat < T + 2 || nlon < 2 * T + 2)
    throw new UsageError(
      `a grid of ${nlat} x ${nlon} does not hold T${T}: take at least ${4 * Math.ceil((T + 2) / 4)} latitudes (a multiple of 4) and ${2 * T + 2} longitudes`,
    );
  const circle = circleTransform(nlon);
  const { mu, weights } = gaussianNodes(nlat);
  const half = nlat / 2;

  const firstRow = new Int32Array(T + 2);
  for (let m = 0; m <= T; m++) firstRow[m + 1] = firstRow[m] + T + 2 - m;
  const rows = firstRow[T + 1];
  const mOf = new Int32Array(rows);
  const nOf = new Int32Array(rows);
  /** P_n^m at the northern latitudes, [row][latitude]. */
  const legendre = new Float64Array(rows * half);
  const column = new Float64Array(T + 2);
  for (let m = 0; m <= T; m++)
    for (let n = m; n <= T + 1; n++) {
      mOf[firstRow[m] + n - m] = m;
      nOf[firstRow[m] + n - m] = n;
    }
  for (let m = 0; m <= T; m++)
    for (let j = 0; j < half; j++) {
      legendreColumn(m, T + 1, mu[j], column);
      for (let n = m; n <= T + 1; n++) legendre[(firstRow[m] + n - m) * half + j] = column[n - m];
    }

  let fourier = new Float64Array(0);
  let folded = new Float64Array(0);
  const reserve = (columns: number): void => {
    if (columns % 2 !== 0)
      throw new UsageError(`a transform takes an even number of fields, not ${columns}: pad by one`);
    const size = nlat * (T + 1) * 2 * columns;
    if (fourier.length < size) {
      fourier = new Float64Array(size);
      folded = new Float64Array(nlat * 2 * columns);
    }
  };
  const plan: LegendrePlan = { T, nlat, half, firstRow, legendre, weights };

  return {
    truncation: T,
    nlat,
    nlon,
    points: nlat * nlon,
    rows,
    m: mOf,
    n: nOf,
    firstRow: firstRow.subarray(0, T + 1),
    mu,
    weights,
    latitudes: mu.map((x) => (Math.asin(x) * 180) / Math.PI),
    longitudes: Float64Array.from({ length: nlon }, (_, i) => (360 * i) / nlon),
    synthesise(spectrum, grid, columns) {
      reserve(columns);
      legendreSynthesis(plan, spectrum, fourier, columns);
      for (let j = 0; j < nlat; j++)
        circle.synthesise(fourier, j * (T + 1) * 2 * columns, T, grid, j * nlon * columns, columns);
    },
    analyse(grid, spectrum, columns) {
      reserve(columns);
      for (let j = 0; j < nlat; j++)
        circle.analyse(grid, j * nlon * columns, fourier, j * (T + 1) * 2 * columns, T, columns);
      legendreAnalysis(plan, fourier, folded, spectrum, columns);
    },
  };
}

interface LegendrePlan {
  readonly T: number;
  readonly nlat: number;
  readonly half: number;
  readonly firstRow: Int32Array;
  readonly legendre: Float64Array;
  readonly weights: Float64Array;
}

/**
 * For every m: even(j) = sum over n - m even of f_n P_n(mu_j), odd(j) likewise; north = even + odd, south = even - odd.
 * Blocks of 2 latitudes x 4 columns.
 */
function legendreSynthesis(plan: LegendrePlan, spectrum: Float64Array, fourier: Float64Array, columns: number): void {
  const { T, nlat, half, firstRow, legendre: P } = plan;
  const width = 2 * columns;
  const circle = (T + 1) * width;
  for (let m = 0; m <= T; m++) {
    const first = firstRow[m];
    const count = T + 2 - m;
    for (let j = 0; j < half; j += 2)
      for (let c = 0; c < width; c += 4) {
        let a0 = 0;
        let a1 = 0;
        let a2 = 0;
        let a3 = 0;
        let b0 = 0;
        let b1 = 0;
        let b2 = 0;
        let b3 = 0;
        for (let r = 0, s = first * width + c, p = first * half + j; r < count; r += 2, s += 2 * width, p += 2 * half) {
          const pa = P[p];
          const pb = P[p + 1];
          const s0 = spectrum[s];
          const s1 = spectrum[s + 1];
          const s2 = spectrum[s + 2];
          const s3 = spectrum[s + 3];
          a0 += pa * s0;
          a1 += pa * s1;
          a2 += pa * s2;
          a3 += pa * s3;
          b0 += pb * s0;
          b1 += pb * s1;
          b2 += pb * s2;
          b3 += pb * s3;
        }
        let e0 = 0;
        let e1 = 0;
        let e2 = 0;
        let e3 = 0;
        let f0 = 0;
        let f1 = 0;
        let f2 = 0;
        let f3 = 0;
        for (
          let r = 1, s = (first + 1) * width + c, p = (first + 1) * half + j;
          r < count;
          r += 2, s += 2 * width, p += 2 * half
        ) {
          const pa = P[p];
          const pb = P[p + 1];
          const s0 = spectrum[s];
          const s1 = spectrum[s + 1];
          const s2 = spectrum[s + 2];
          const s3 = spectrum[s + 3];
          e0 += pa * s0;
          e1 += pa * s1;
          e2 += pa * s2;
          e3 += pa * s3;
          f0 += pb * s0;
          f1 += pb * s1;
          f2 += pb * s2;
          f3 += pb * s3;
        }
        let at = j * circle + m * width + c;
        fourier[at] = a0 + e0;
        fourier[at + 1] = a1 + e1;
        fourier[at + 2] = a2 + e2;
        fourier[at + 3] = a3 + e3;
        at += circle;
        fourier[at] = b0 + f0;
        fourier[at + 1] = b1 + f1;
        fourier[at + 2] = b2 + f2;
        fourier[at + 3] = b3 + f3;
        at = (nlat - 1 - j) * circle + m * width + c;
        fourier[at] = a0 - e0;
        fourier[at + 1] = a1 - e1;
        fourier[at + 2] = a2 - e2;
        fourier[at + 3] = a3 - e3;
        at -= circle;
        fourier[at] = b0 - f0;
        fourier[at + 1] = b1 - f1;
        fourier[at + 2] = b2 - f2;
        fourier[at + 3] = b3 - f3;
      }
  }
}

/**
 * For every m: f_n = (1/2) sum_j w_j P_n(mu_j) (north +- south), plus for n - m even, minus for odd.
 * Blocks of 2 rows of one parity x 4 columns.
 */
function legendreAnalysis(
  plan: LegendrePlan,
  fourier: Float64Array,
  folded: Float64Array,
  spectrum: Float64Array,
  columns: number,
): void {
  const { T, nlat, half, firstRow, legendre: P, weights } = plan;
  const width = 2 * columns;
  const circle = (T + 1) * width;
  const odd = half * width;
  for (let m = 0; m <= T; m++) {
    for (let j = 0; j < half; j++) {
      const w = 0.5 * weights[j];
      let north = j * circle + m * width;
      let south = (nlat - 1 - j) * circle + m * width;
      let at = j * width;
      for (const end = at + width; at < end; at++, north++, south++) {
        const x = fourier[north];
        const y = fourier[south];
        folded[at] = w * (x + y);
        folded[odd + at] = w * (x - y);
      }
    }
    const first = firstRow[m];
    const count = T + 2 - m;
    for (let parity = 0; parity < 2; parity++)
      for (let r = parity; r < count; r += 4) {
        const pair = r + 2 < count;
        const p0 = (first + r) * half;
        const p2 = pair ? p0 + 2 * half : p0;
        for (let c = 0; c < width; c += 4) {
          let a0 = 0;
          let a1 = 0;
          let a2 = 0;
          let a3 = 0;
          let b0 = 0;
          let b1 = 0;
          let b2 = 0;
          let b3 = 0;
          for (let j = 0, f = parity * odd + c; j < half; j++, f += width) {
            const pa = P[p0 + j];
            const pb = P[p2 + j];
            const f0 = folded[f];
            const f1 = folded[f + 1];
            const f2 = folded[f + 2];
            const f3 = folded[f + 3];
            a0 += pa * f0;
            a1 += pa * f1;
            a2 += pa * f2;
            a3 += pa * f3;
            b0 += pb * f0;
            b1 += pb * f1;
            b2 += pb * f2;
            b3 += pb * f3;
          }
          let at = (first + r) * width + c;
          spectrum[at] = a0;
          spectrum[at + 1] = a1;
          spectrum[at + 2] = a2;
          spectrum[at + 3] = a3;
          if (pair) {
            at += 2 * width;
            spectrum[at] = b0;
            spectrum[at + 1] = b1;
            spectrum[at + 2] = b2;
            spectrum[at + 3] = b3;
          }
        }
      }
  }
}
