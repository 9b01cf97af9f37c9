/**
 * Real Fourier transforms along longitude, many columns at once: mixed radix 4, 2, 3, 5 (Stockham's self-sorting form,
 * Temperton 1983), with the columns innermost so that every twiddle factor is read once for all levels of all fields.
 *
 * A circle of `length` points is a matrix [length][columns]; its Fourier coefficients are [m][re, im][columns].
 *
 *     x_j = c_0 + 2 Re sum_{m = 1..last} c_m exp(i m lambda_j),   lambda_j = 2 pi j / length
 */
import { UsageError } from "../errors.js";
import { packSpectrum, unpackSpectrum } from "./fft-fold.js";

export interface CircleTransform {
  readonly length: number;
  /** Coefficients 0..last to points. `coefficients` and `points` are read and written from the given offsets. */
  synthesise(
    coefficients: Float64Array,
    from: number,
    last: number,
    points: Float64Array,
    to: number,
    columns: number,
  ): void;
  /** Points to coefficients 0..last, divided by `length`. */
  analyse(
    points: Float64Array,
    from: number,
    coefficients: Float64Array,
    to: number,
    last: number,
    columns: number,
  ): void;
}

interface Pass {
  readonly radix: number;
  /** Transform length still to do before this pass, over its radix. */
  readonly blocks: number;
  /** Product of the radices done. */
  readonly stride: number;
  /** exp(-2 pi i p k / n) for p in blocks, k in 1..radix-1: pairs. */
  readonly twiddles: Float64Array;
}

/** The radices of `n`, or undefined where it has a prime factor above 5. */
export function radicesOf(n: number): number[] | undefined {
  const radices: number[] = [];
  for (const radix of [4, 2, 3, 5])
    while (n % radix === 0) {
      radices.push(radix);
      n /= radix;
    }
  return n === 1 ? radices : undefined;
}

/** The least even length >= `least` that `circleTransform` takes. */
export function niceLength(least: number): number {
  for (let n = least + (least % 2); ; n += 2) if (radicesOf(n / 2)) return n;
}

/** Plans transforms of an even `length` of factors 2, 3 and 5. */
export function circleTransform(length: number): CircleTransform {
  const half = length / 2;
  const radices = Number.isInteger(half) ? radicesOf(half) : undefined;
  if (!radices)
    throw new UsageError(
      `a circle of ${length} longitudes cannot be transformed: take an even number of factors 2, 3 and 5, such as ${niceLength(length)}`,
    );
  const passes = planPasses(half, radices);
  // exp(-2 pi i k / length), k = 0 .. half
  const turn = new Float64Array(2 * (half + 1));
  for (let k = 0; k <= half; k++) {
    turn[2 * k] = Math.cos((2 * Math.PI * k) / length);
    turn[2 * k + 1] = -Math.sin((2 * Math.PI * k) / length);
  }
  let a = new Float64Array(0);
  let b = new Float64Array(0);
  const reserve = (columns: number): void => {
    if (a.length < length * columns) [a, b] = [new Float64Array(length * columns), new Float64Array(length * columns)];
  };

  return {
    length,
    synthesise(coefficients, from, last, points, to, columns) {
      reserve(columns);
      packSpectrum(coefficients, from, last, a, half, turn, columns);
      // The inverse transform is the conjugate of the forward one of the conjugate; conjugation is in the twiddles' sign.
      runPasses(passes, a, 0, a, b, points, to, columns, -1);
    },
    analyse(points, from, coefficients, to, last, columns) {
      reserve(columns);
      // A circle of real points lies just as half as many complex ones do: no copy.
      const result = runPasses(passes, points, from, a, b, undefined, 0, columns, 1);
      unpackSpectrum(result, half, turn, coefficients, to, last, columns);
    },
  };
}

function planPasses(n: number, radices: readonly number[]): Pass[] {
  let stride = 1;
  let left = n;
  return radices.map((radix) => {
    const blocks = left / radix;
    const twiddles = new Float64Array(2 * blocks * (radix - 1));
    for (let p = 0; p < blocks; p++)
      for (let k = 1; k < radix; k++) {
        const angle = (-2 * Math.PI * p * k) / left;
        twiddles[2 * (p * (radix - 1) + k - 1)] = Math.cos(angle);
        twiddles[2 * (p * (radix - 1) + k - 1) + 1] = Math.sin(angle);
      }
    const pass = { radix, blocks, stride, twiddles };
    stride *= radix;
    left = blocks;
    return pass;
  });
}

/**
 * Runs all passes from `first` at `from`, with room in `a` and `b`; the last one writes to `points` at `to` where given. Returns the
 * array that holds the result.
 */
function runPasses(
  passes: readonly Pass[],
  first: Float64Array,
  from: number,
  a: Float64Array,
  b: Float64Array,
  points: Float64Array | undefined,
  to: number,
  columns: number,
  sign: 1 | -1,
): Float64Array {
  let source = first;
  let start = from;
  let target = b;
  let other = a;
  for (let i = 0; i < passes.length; i++) {
    const atEnd = points !== undefined && i === passes.length - 1;
    const out = atEnd ? points : target;
    const offset = atEnd ? to : 0;
    const { radix } = passes[i];
    if (radix === 4) pass4(passes[i], source, start, out, offset, columns, sign);
    else if (radix === 2) pass2(passes[i], source, start, out, offset, columns, sign);
    else if (radix === 3) pass3(passes[i], source, start, out, offset, columns, sign);
    else pass5(passes[i], source, start, out, offset, columns, sign);
    source = out;
    start = 0;
    [target, other] = [other, target];
  }
  return source;
}

// In every pass: y[q + stride (radix p + k)] = w^(p k) sum_i x[q + stride (p + blocks i)] exp(-2 pi i i k / radix).
// A row is one complex number for every column: [re, im][columns].

function pass2(
  pass: Pass,
  x: Float64Array,
  from: number,
  y: Float64Array,
  to: number,
  columns: number,
  sign: number,
): void {
  const { blocks, stride, twiddles } = pass;
  const row = 2 * columns;
  for (let p = 0; p < blocks; p++) {
    const wr = twiddles[2 * p];
    const wi = sign * twiddles[2 * p + 1];
    for (let q = 0; q < stride; q++) {
      let x0 = from + (q + stride * p) * row;
      let x1 = x0 + stride * blocks * row;
      let y0 = to + (q + stride * 2 * p) * row;
      let y1 = y0 + stride * row;
      for (const end = x0 + columns; x0 < end; x0++, x1++, y0++, y1++) {
        const ar = x[x0];
        const ai = x[x0 + columns];
        const br = x[x1];
        const bi = x[x1 + columns];
        y[y0] = ar + br;
        y[y0 + columns] = ai + bi;
        const dr = ar - br;
        const di = ai - bi;
        y[y1] = wr * dr - wi * di;
        y[y1 + columns] = wr * di + wi * dr;
      }
    }
  }
}

function pass3(
  pass: Pass,
  x: Float64Array,
  from: number,
  y: Float64Array,
  to: number,
  columns: number,
  sign: number,
): void {
  const { blocks, stride, twiddles } = pass;
  const row = 2 * columns;
  const s60 = sign * Math.sin(Math.PI / 3);
  for (let p = 0; p < blocks; p++) {
    const w1r = twiddles[4 * p];
    const w1i = sign * twiddles[4 * p + 1];
    const w2r = twiddles[4 * p + 2];
    const w2i = sign * twiddles[4 * p + 3];
    for (let q = 0; q < stride; q++) {
      let x0 = from + (q + stride * p) * row;
      let x1 = x0 + stride * blocks * row;
      let x2 = x1 + stride * blocks * row;
      let y0 = to + (q + stride * 3 * p) * row;
      let y1 = y0 + stride * row;
      let y2 = y1 + stride * row;
      for (const end = x0 + columns; x0 < end; x0++, x1++, x2++, y0++, y1++, y2++) {
        const ar = x[x0];
        const ai = x[x0 + columns];
        const sr = x[x1] + x[x2];
        const si = x[x1 + columns] + x[x2 + columns];
        const dr = s60 * (x[x1] - x[x2]);
        const di = s60 * (x[x1 + columns] - x[x2 + columns]);
        y[y0] = ar + sr;
        y[y0 + columns] = ai + si;
        const tr = ar - 0.5 * sr;
        const ti = ai - 0.5 * si;
        const br = tr + di;
        const bi = ti - dr;
        const cr = tr - di;
        const ci = ti + dr;
        y[y1] = w1r * br - w1i * bi;
        y[y1 + columns] = w1r * bi + w1i * br;
        y[y2] = w2r * cr - w2i * ci;
        y[y2 + columns] = w2r * ci + w2i * cr;
      }
    }
  }
}

function pass4(
  pass: Pass,
  x: Float64Array,
  from: number,
  y: Float64Array,
  to: number,
  columns: number,
  sign: number,
): void {
  const { blocks, stride, twiddles } = pass;
  const row = 2 * columns;
  for (let p = 0; p < blocks; p++) {
    const w1r = twiddles[6 * p];
    const w1i = sign * twiddles[6 * p + 1];
    const w2r = twiddles[6 * p + 2];
    const w2i = sign * twiddles[6 * p + 3];
    const w3r = twiddles[6 * p + 4];
    const w3i = sign * twiddles[6 * p + 5];
    for (let q = 0; q < stride; q++) {
      let x0 = from + (q + stride * p) * row;
      const step = stride * blocks * row;
      let y0 = to + (q + stride * 4 * p) * row;
      const jump = stride * row;
      for (const end = x0 + columns; x0 < end; x0++, y0++) {
        const x1 = x0 + step;
        const x2 = x1 + step;
        const x3 = x2 + step;
        const ar = x[x0] + x[x2];
        const ai = x[x0 + columns] + x[x2 + columns];
        const br = x[x0] - x[x2];
        const bi = x[x0 + columns] - x[x2 + columns];
        const cr = x[x1] + x[x3];
        const ci = x[x1 + columns] + x[x3 + columns];
        const dr = sign * (x[x1 + columns] - x[x3 + columns]);
        const di = sign * (x[x3] - x[x1]);
        const y1 = y0 + jump;
        const y2 = y1 + jump;
        const y3 = y2 + jump;
        y[y0] = ar + cr;
        y[y0 + columns] = ai + ci;
        const er = br + dr;
        const ei = bi + di;
        y[y1] = w1r * er - w1i * ei;
        y[y1 + columns] = w1r * ei + w1i * er;
        const fr = ar - cr;
        const fi = ai - ci;
        y[y2] = w2r * fr - w2i * fi;
        y[y2 + columns] = w2r * fi + w2i * fr;
        const gr = br - dr;
        const gi = bi - di;
        y[y3] = w3r * gr - w3i * gi;
        y[y3 + columns] = w3r * gi + w3i * gr;
      }
    }
  }
}

function pass5(
  pass: Pass,
  x: Float64Array,
  from: number,
  y: Float64Array,
  to: number,
  columns: number,
  sign: number,
): void {
  const { blocks, stride, twiddles } = pass;
  const row = 2 * columns;
  const cosines = [0, 1, 2, 3, 4].map((k) => Math.cos((2 * Math.PI * k) / 5));
  const sines = [0, 1, 2, 3, 4].map((k) => -sign * Math.sin((2 * Math.PI * k) / 5));
  for (let p = 0; p < blocks; p++)
    for (let q = 0; q < stride; q++) {
      const x0 = from + (q + stride * p) * row;
      const y0 = to + (q + stride * 5 * p) * row;
      for (let k = 0; k < 5; k++) {
        const wr = k === 0 ? 1 : twiddles[2 * (4 * p + k - 1)];
        const wi = k === 0 ? 0 : sign * twiddles[2 * (4 * p + k - 1) + 1];
        for (let c = 0; c < columns; c++) {
          let re = 0;
          let im = 0;
          for (let i = 0; i < 5; i++) {
            const at = x0 + i * stride * blocks * row + c;
            const cosine = cosines[(i * k) % 5];
            const sine = sines[(i * k) % 5];
            re += x[at] * cosine - x[at + columns] * sine;
            im += x[at + columns] * cosine + x[at] * sine;
          }
          y[y0 + k * stride * row + c] = wr * re - wi * im;
          y[y0 + k * stride * row + c + columns] = wr * im + wi * re;
        }
      }
    }
}
