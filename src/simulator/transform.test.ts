import { describe, expect, it } from "vitest";
import { random } from "../tensor/random.js";
import { circleTransform } from "./fft.js";
import { gaussianNodes, legendreColumn } from "./gaussian.js";
import { divergenceAndCurl, gradient, operators, windFromVorticity } from "./operators.js";
import { gridFor, sphericalTransform, type SphericalTransform } from "./transform.js";

/** A random spectrum of `columns` fields: real where m = 0, empty beyond n = T, white in n. */
export function randomSpectrum(transform: SphericalTransform, columns: number, seed: number): Float64Array {
  const draw = random(seed);
  const { rows, m, n, truncation } = transform;
  const out = new Float64Array(rows * 2 * columns);
  for (let r = 0; r < rows; r++)
    for (let part = 0; part < 2; part++)
      for (let k = 0; k < columns; k++)
        if (n[r] <= truncation && !(part === 1 && m[r] === 0)) out[(2 * r + part) * columns + k] = draw.normal();
  return out;
}

const worst = (a: Float64Array, b: Float64Array): number =>
  a.reduce((top, x, i) => Math.max(top, Math.abs(x - b[i])), 0);

describe("Gaussian latitudes and Legendre functions", () => {
  it("has the nodes and weights of Abramowitz and Stegun, table 25.4, n = 8", () => {
    const { mu, weights } = gaussianNodes(8);
    expect([...mu.subarray(0, 4)].map((x) => x.toFixed(12))).toEqual([
      "0.960289856498",
      "0.796666477414",
      "0.525532409916",
      "0.183434642496",
    ]);
    expect([...weights.subarray(0, 4)].map((x) => x.toFixed(12))).toEqual([
      "0.101228536290",
      "0.222381034453",
      "0.313706645878",
      "0.362683783378",
    ]);
  });

  it("has the closed forms of the first functions", () => {
    const out = new Float64Array(4);
    const x = 0.3;
    legendreColumn(0, 3, x, out);
    expect(out[1]).toBeCloseTo(Math.sqrt(3) * x, 14);
    expect(out[2]).toBeCloseTo((Math.sqrt(5) * (3 * x * x - 1)) / 2, 14);
    legendreColumn(1, 3, x, out);
    expect(out[0]).toBeCloseTo(Math.sqrt(1.5) * Math.sqrt(1 - x * x), 14);
  });
});

describe("the Fourier transform", () => {
  it.each([10, 12, 16, 60, 64, 90, 96, 128, 192, 250, 256])(
    "of %i points agrees with the sum it stands for",
    (length) => {
      const columns = 2;
      const last = Math.floor((length - 1) / 2);
      const draw = random(1);
      const coefficients = Float64Array.from({ length: (last + 1) * 2 * columns }, () => draw.normal());
      for (let c = 0; c < columns; c++) coefficients[columns + c] = 0;
      const points = new Float64Array(length * columns);
      const circle = circleTransform(length);
      circle.synthesise(coefficients, 0, last, points, 0, columns);
      for (const j of [0, 1, Math.floor(length / 3), length - 1])
        for (let c = 0; c < columns; c++) {
          let sum = coefficients[c];
          for (let m = 1; m <= last; m++) {
            const angle = (2 * Math.PI * m * j) / length;
            sum +=
              2 *
              (coefficients[2 * m * columns + c] * Math.cos(angle) -
                coefficients[(2 * m + 1) * columns + c] * Math.sin(angle));
          }
          expect(points[j * columns + c]).toBeCloseTo(sum, 11);
        }
      const back = new Float64Array(coefficients.length);
      circle.analyse(points, 0, back, 0, last, columns);
      expect(worst(back, coefficients)).toBeLessThan(1e-13 * length);
    },
  );
  it("refuses what it cannot do and says what it can", () => {
    expect(() => circleTransform(26)).toThrow(/such as 30/);
  });
});

describe("the spherical harmonic transform", () => {
  it.each([21, 31, 42, 63, 85])("T%i: a round trip is exact to 1e-12", (truncation) => {
    const transform = sphericalTransform(truncation);
    const columns = 2;
    const spectrum = randomSpectrum(transform, columns, truncation);
    const grid = new Float64Array(transform.points * columns);
    transform.synthesise(spectrum, grid, columns);
    const back = new Float64Array(spectrum.length);
    transform.analyse(grid, back, columns);
    expect(worst(back, spectrum)).toBeLessThan(1e-12);
  });

  it("has the grids of the literature", () => {
    expect([21, 31, 42, 63, 85].map((t) => gridFor(t).nlat)).toEqual([32, 48, 64, 96, 128]);
  });

  it("gives the global mean as its first coefficient, whatever the field", () => {
    const transform = sphericalTransform(21);
    const grid = new Float64Array(transform.points * 2);
    // The mean of cos^2(phi) over the sphere is 2/3.
    for (let j = 0; j < transform.nlat; j++)
      for (let i = 0; i < transform.nlon; i++) grid[(j * transform.nlon + i) * 2] = 1 - transform.mu[j] ** 2;
    const spectrum = new Float64Array(transform.rows * 4);
    transform.analyse(grid, spectrum, 2);
    expect(spectrum[0]).toBeCloseTo(2 / 3, 14);
  });

  it("winds from vorticity and divergence give both back", () => {
    const transform = sphericalTransform(31);
    const ops = operators(transform, 6.371e6);
    const L = 2;
    const state = randomSpectrum(transform, 2 * L, 5);
    state.fill(0, 0, 4 * L); // neither has a mean
    const wind = new Float64Array(transform.rows * 2 * 2 * L);
    const slot = (spectrum: Float64Array, at: number) => ({ spectrum, columns: 2 * L, at });
    windFromVorticity(ops, slot(state, 0), slot(state, L), slot(wind, 0), slot(wind, L), L);
    const grid = new Float64Array(transform.points * 2 * L);
    transform.synthesise(wind, grid, 2 * L);
    for (let j = 0; j < transform.nlat; j++) {
      const scale = 1 / (1 - transform.mu[j] ** 2);
      const row = transform.nlon * 2 * L;
      for (let i = j * row; i < (j + 1) * row; i++) grid[i] *= scale;
    }
    const analysed = new Float64Array(wind.length);
    transform.analyse(grid, analysed, 2 * L);
    const back = new Float64Array(state.length);
    divergenceAndCurl(ops, slot(analysed, 0), slot(analysed, L), slot(back, L), slot(back, 0), L);
    expect(worst(back, state)).toBeLessThan(1e-11);
  });

  it("winds of solid-body rotation are u = u0 cos(phi), v = 0", () => {
    const transform = sphericalTransform(21);
    const radius = 6.371e6;
    const ops = operators(transform, radius);
    // zeta = 2 u0 sin(phi) / a = (2 u0 / (a sqrt 3)) P_1^0
    const vorticity = new Float64Array(transform.rows * 4);
    vorticity[1 * 4] = (2 * 40) / (radius * Math.sqrt(3));
    const wind = new Float64Array(vorticity.length);
    const slot = (spectrum: Float64Array, at: number) => ({ spectrum, columns: 2, at });
    windFromVorticity(ops, slot(vorticity, 0), slot(vorticity, 1), slot(wind, 0), slot(wind, 1), 1);
    const grid = new Float64Array(transform.points * 2);
    transform.synthesise(wind, grid, 2);
    for (let j = 0; j < transform.nlat; j++) {
      const at = j * transform.nlon * 2;
      expect(grid[at]).toBeCloseTo(40 * (1 - transform.mu[j] ** 2), 10);
      expect(grid[at + 1]).toBeCloseTo(0, 10);
    }
  });

  it("gradients are those of an analytic field", () => {
    const transform = sphericalTransform(21);
    const ops = operators(transform, 1);
    // f = cos(phi) sin(phi) cos(lambda) = mu sqrt(1 - mu^2) cos(lambda)
    const grid = new Float64Array(transform.points * 2);
    const { nlat, nlon, mu, longitudes } = transform;
    for (let j = 0; j < nlat; j++)
      for (let i = 0; i < nlon; i++)
        grid[(j * nlon + i) * 2] = mu[j] * Math.sqrt(1 - mu[j] ** 2) * Math.cos((longitudes[i] * Math.PI) / 180);
    const spectrum = new Float64Array(transform.rows * 4);
    transform.analyse(grid, spectrum, 2);
    const slopes = new Float64Array(spectrum.length);
    gradient(
      ops,
      { spectrum, columns: 2, at: 0 },
      { spectrum: slopes, columns: 2, at: 0 },
      { spectrum: slopes, columns: 2, at: 1 },
      1,
    );
    transform.synthesise(slopes, grid, 2);
    for (const j of [0, 5, 20])
      for (const i of [0, 7, 40]) {
        const lambda = (longitudes[i] * Math.PI) / 180;
        const c = Math.sqrt(1 - mu[j] ** 2);
        expect(grid[(j * nlon + i) * 2]).toBeCloseTo(-mu[j] * c * Math.sin(lambda), 12);
        // (1 - mu^2) d(mu c)/dmu = c (c^2 - mu^2)
        expect(grid[(j * nlon + i) * 2 + 1]).toBeCloseTo(c * (c * c - mu[j] ** 2) * Math.cos(lambda), 12);
      }
  });

  it("refuses an impossible truncation or grid with the remedy", () => {
    expect(() => sphericalTransform(21.5)).toThrow(/whole number/);
    expect(() => sphericalTransform(42, { nlat: 32, nlon: 64 })).toThrow(/at least 44 latitudes/);
  });
});
