import { describe, expect, it } from "vitest";
import { gaussianNodes } from "../../simulator/gaussian.js";
import { random } from "../../tensor/random.js";
import { closedForm, goldens } from "../fixtures/goldens.node.js";
import { spectralDivergence, spectralResidual } from "./divergence.js";
import { fourier } from "./fourier.js";
import { sphericalSpectrum } from "./spherical.js";
import { circleLength, effectiveWavenumber, meanSpectrum, zonalSpectrum } from "./zonal.js";

const c = closedForm();

it("transforms any length as the definition says", () => {
  const rng = random(1);
  for (const n of [1, 2, 8, 12, 53, 60]) {
    const x = Float64Array.from({ length: n }, () => rng.normal());
    const [re, im] = [x.slice(), new Float64Array(n)];
    fourier(re, im);
    for (let k = 0; k < n; k++) {
      const real = x.reduce((sum, v, t) => sum + v * Math.cos((2 * Math.PI * k * t) / n), 0);
      const imaginary = x.reduce((sum, v, t) => sum - v * Math.sin((2 * Math.PI * k * t) / n), 0);
      expect(Math.abs(re[k] - real) + Math.abs(im[k] - imaginary)).toBeLessThan(1e-10);
    }
  }
});

describe("equal to the reference implementations", () => {
  it("zonal spectrum of WeatherBench 2 (of the forecast at -2.8125 degrees)", () => {
    const theirs = goldens.wb2["ZonalEnergySpectrum_t0_lat-2.8125_k0..8"] as unknown as number[];
    const row = c.latitudes.indexOf(-2.8125);
    const ours = zonalSpectrum(c.forecast[0].subarray(row * 64, (row + 1) * 64), -2.8125);
    // Wavenumbers the field does not have are rounding errors of the first.
    theirs.forEach((power, k) => expect(Math.abs(ours[k] - power)).toBeLessThan(1e-6 * power + 1e-18 * theirs[0]));
    expect(circleLength(-2.8125) / goldens.wb2["spectrum_wavelength_m_lat-2.8125_k1"]).toBeCloseTo(1, 9);
  });
  it("ChaosBench's spectral divergence and residual", () => {
    const mean = (fields: Float64Array[]) =>
      fields[0].map((_, i) => fields.reduce((s, f) => s + f[i], 0) / fields.length);
    const [f, o] = [mean(c.forecast), mean(c.truth)];
    expect(spectralDivergence(f, o, 64) / goldens.chaosbench["SpectralDiv_train"]).toBeCloseTo(1, 6);
    expect(spectralResidual(f, o, 64) / goldens.chaosbench["SpectralRes_train"]).toBeCloseTo(1, 6);
  });
});

describe("on the sphere", () => {
  const rows = { fejer: 33, "with poles": 33, gaussian: 32 };
  const latitudesOf: Record<string, number[]> = {
    fejer: Array.from({ length: rows.fejer }, (_, i) => -90 + (180 / 33) * (i + 0.5)),
    "with poles": Array.from({ length: rows["with poles"] }, (_, i) => 90 - (180 / 32) * i),
    gaussian: Array.from(gaussianNodes(rows.gaussian).mu, (mu) => (Math.asin(mu) * 180) / Math.PI),
  };
  const columns = 70;
  const field = (latitudes: number[], of: (x: number, lambda: number) => number) =>
    Float64Array.from({ length: latitudes.length * columns }, (_, i) =>
      of(Math.sin((latitudes[Math.floor(i / columns)] * Math.PI) / 180), (2 * Math.PI * (i % columns)) / columns),
    );

  it.each(Object.entries(latitudesOf))("every harmonic has its power at its own degree: %s", (kind, latitudes) => {
    const highest = kind === "gaussian" ? 31 : 16;
    // Y ~ P_3^2 cos 2 lambda = 15 x (1 - x^2) cos 2 lambda; mean square of x (1 - x^2) cos: 1/2 · 1/2 ∫ x²(1-x²)² dx = 1/2 · 8/105.
    const third = field(latitudes, (x, l) => x * (1 - x * x) * Math.cos(2 * l));
    // Sectoral: (1 - x²)^8 cos(16 l), mean square 1/2 · 1/2 ∫ (1-x²)^16 dx = 1/4 · 2^33 16!² / 33!.
    const factorial = (n: number): number => (n < 2 ? 1 : n * factorial(n - 1));
    const last = field(latitudes, (x, l) => (1 - x * x) ** 8 * Math.cos(16 * l));
    for (const [of, degree, power] of [
      [third, 3, 4 / 105],
      [last, 16, (2 ** 31 * factorial(16) ** 2) / factorial(33)],
      [field(latitudes, () => 3), 0, 9],
    ] as const) {
      const found = sphericalSpectrum(of, latitudes);
      expect(found.length).toBe(highest + 1);
      found.forEach((p, l) =>
        expect(Math.abs(p / power - Number(l === degree)), `${degree}: ${l}`).toBeLessThan(1e-12),
      );
    }
    expect(() => sphericalSpectrum(third, latitudes, { highest: 60 })).toThrow(new RegExp(`up to ${highest}, not 60`));
  });
  it("bands have none", () => {
    const band = [-60, -30, 0, 30, 60];
    expect(() =>
      sphericalSpectrum(
        field(band, () => 0),
        band,
      ),
    ).toThrow(/neither Gaussian nor evenly spaced/);
  });
});

it("rows that do not go around have the spectrum of their cosine transform", () => {
  const [n, part, k] = [20, 0.25, 3];
  // cos(pi k (j + 1/2) / n) is one wave of the transform (Denis et al. 2002, eq. 1): mean square 1/2, at k, on any row.
  const wave = Float64Array.from({ length: 2 * n }, (_, i) => 4 + Math.cos((Math.PI * k * ((i % n) + 0.5)) / n));
  const power = meanSpectrum(wave, [0, 60], { part });
  // By area: half the circle's length at 60 degrees, and half its weight.
  const length = (2 * part * (circleLength(0) + 0.5 * circleLength(60))) / 1.5;
  expect(power.length).toBe(n + 1);
  power.forEach((p, at) => expect(p / length).toBeCloseTo(at === k ? 0.5 : at === 0 ? 16 : 0, 10));
});

it("says from where on a forecast is blurred", () => {
  expect(effectiveWavenumber([9, 8, 7, 2, 0.1, 0.1], [9, 8, 7, 3, 2, 1])).toBe(4);
  expect(effectiveWavenumber([1, 1, 1], [1, 1, 1])).toBeUndefined();
});
