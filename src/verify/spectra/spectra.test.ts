import { describe, expect, it } from "vitest";
import { random } from "../../tensor/random.js";
import { closedForm, goldens } from "../fixtures/goldens.node.js";
import { spectralDivergence, spectralResidual } from "./divergence.js";
import { fourier } from "./fourier.js";
import { sphericalSpectrum } from "./spherical.js";
import { circleLength, effectiveWavenumber, zonalSpectrum } from "./zonal.js";

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
  const latitudes = Array.from({ length: 64 }, (_, i) => -90 + (180 / 64) * (i + 0.5));
  const field = (of: (x: number, lambda: number) => number) =>
    Float64Array.from({ length: 64 * 128 }, (_, i) =>
      of(Math.sin((latitudes[Math.floor(i / 128)] * Math.PI) / 180), (2 * Math.PI * (i % 128)) / 128),
    );
  it("a harmonic has its power at its own degree", () => {
    // Y ~ P_3^2 cos 2 lambda = 15 x (1 - x^2) cos 2 lambda
    const power = sphericalSpectrum(
      field((x, l) => x * (1 - x * x) * Math.cos(2 * l)),
      latitudes,
    );
    const total = power.reduce((a, b) => a + b, 0);
    expect(power[3] / total).toBeGreaterThan(0.999);
    expect(power[3] / (4 / 105)).toBeCloseTo(1, 2); // mean over the sphere: 1/2 · 1/2 ∫ x²(1-x²)² dx = 1/2 · 8/105
    expect(() =>
      sphericalSpectrum(
        field(() => 0),
        latitudes,
        { highest: 60 },
      ),
    ).toThrow(/up to 32, not 60/);
  });
  it("says from where on a forecast is blurred", () => {
    expect(effectiveWavenumber([9, 8, 7, 2, 0.1, 0.1], [9, 8, 7, 3, 2, 1])).toBe(4);
    expect(effectiveWavenumber([1, 1, 1], [1, 1, 1])).toBeUndefined();
  });
});
