import { describe, expect, it } from "vitest";
import { heldSuarez, heldSuarezDrag } from "./held-suarez.js";
import { defaultHalfLevels, sigmaLevels } from "./levels.js";
import { startAtRest } from "./dry.js";
import { BAROCLINIC_PLANET, baroclinicWave, setPrimitive } from "./primitive-cases.js";
import { primitiveModel } from "./primitive.js";
import { onGrid } from "./shallow-water-cases.js";
import { sphericalTransform } from "./transform.js";

describe("Jablonowski and Williamson (2006), the baroclinic wave", () => {
  it("reaches the published depth by day 9 at T85", () => {
    const truncation = 85;
    const start = baroclinicWave({ perturbed: true });
    const model = primitiveModel({
      truncation,
      halfLevels: defaultHalfLevels(18),
      step: 600,
      planet: BAROCLINIC_PLANET,
      surfaceGeopotential: onGrid(sphericalTransform(truncation), start.surfaceGeopotential),
      // The paper's spectral model: del^4 with 1e15 m^4/s, which is 8.6 h at the smallest scale of T85.
      diffusion: { order: 4, hours: 8.6 },
    });
    setPrimitive(model, start);
    const lowest = (): number => {
      const grid = model.grid();
      let least = Number.POSITIVE_INFINITY;
      for (let p = 0; p < model.transform.points; p++)
        least = Math.min(least, grid[p * model.columns.grid + model.columns.logPressure]);
      return Math.exp(least) / 100;
    };
    const byDay: number[] = [];
    for (let day = 1; day <= 9; day++) {
      for (let s = 0; s < 144; s++) model.step();
      byDay.push(lowest());
    }
    console.log(`lowest surface pressure by day, hPa: ${byDay.map((p) => p.toFixed(1)).join(" ")}`);
    // The paper gives the cyclone's depth as maps alone, neither a table nor a range. What can be traced are the maps' scales, as E3SM's
    // scripts have them that "mimic the J&W paper" (components/homme/test/jw_baroclinic/ps.ncl): every 1 hPa from 993 to 1005 hPa
    // before day 7, every 10 hPa from 940 to 1020 hPa from then on, so that the lowest line on day 9 is 940 hPa: one step of it
    // either way. Our own runs deepen with resolution towards it: 952.8 hPa at T42, 942.1 hPa at T85.
    expect(Math.min(...byDay.slice(0, 6))).toBeGreaterThan(992);
    expect(byDay[8]).toBeGreaterThan(930);
    expect(byDay[8]).toBeLessThan(950);
  });
});

describe("Held and Suarez (1994)", () => {
  it("has the published jets, temperatures and eddies", () => {
    const half = defaultHalfLevels(10);
    const levels = sigmaLevels(half);
    const model = primitiveModel({
      truncation: 42,
      halfLevels: half,
      step: 1350,
      physics: heldSuarez(),
      drag: heldSuarezDrag(levels),
      diffusion: { order: 8, hours: 2.4 }, // 0.1 day at the smallest scale, as in the paper's spectral model
    });
    startAtRest(model, { seed: 1 });
    const { transform, columns } = model;
    const { nlat, nlon, mu } = transform;
    const L = levels.count;
    for (let s = 0; s < 100 * 64; s++) model.step();
    const wind = new Float64Array(nlat * L);
    const warm = new Float64Array(nlat * L);
    const square = new Float64Array(nlat * L);
    let samples = 0;
    for (let s = 0; s < 160 * 64; s++) {
      model.step();
      if (s % 32 !== 0) continue;
      samples++;
      const grid = model.grid();
      for (let j = 0; j < nlat; j++)
        for (let k = 0; k < L; k++) {
          let mean = 0;
          for (let i = 0; i < nlon; i++) mean += grid[(j * nlon + i) * columns.grid + columns.temperature + k] / nlon;
          warm[j * L + k] += mean;
          for (let i = 0; i < nlon; i++) {
            const g = (j * nlon + i) * columns.grid;
            wind[j * L + k] += grid[g + columns.u + k] / Math.sqrt(1 - mu[j] ** 2) / nlon;
            square[j * L + k] += (grid[g + columns.temperature + k] - mean) ** 2 / nlon;
          }
        }
    }
    const at = (field: Float64Array, j: number, k: number): number =>
      (field[j * L + k] + field[(nlat - 1 - j) * L + k]) / (2 * samples);
    let jet = { speed: 0, latitude: 0, sigma: 0 };
    let variance = { value: 0, latitude: 0, sigma: 0 };
    for (let j = 0; j < nlat / 2; j++)
      for (let k = 0; k < L; k++) {
        const place = { latitude: transform.latitudes[j], sigma: levels.full[k] };
        if (at(wind, j, k) > jet.speed && levels.full[k] > 0.1) jet = { speed: at(wind, j, k), ...place };
        if (at(square, j, k) > variance.value && levels.full[k] > 0.5) variance = { value: at(square, j, k), ...place };
      }
    const surfaceWinds = Array.from({ length: nlat / 2 }, (_, j) => at(wind, j, L - 1));
    const equator = at(warm, nlat / 2 - 1, L - 1);
    console.log({
      jet,
      variance,
      equator,
      easterlies: Math.min(...surfaceWinds),
      westerlies: Math.max(...surfaceWinds),
    });
    // The paper's words for its T63 and 20 levels (section 3): one jet of "roughly 30 m/s near 45 degrees latitude" that closes off above
    // sigma = 0.2, surface westerlies of "almost 8 m/s near 45 degrees"; eddy temperature variance to some 40 K^2 at sigma 0.75 to
    // 0.85 and 40 to 45 degrees (as transcribed in the Palintropos project's protocol of the test). The bounds: a tenth of the
    // jet, a quarter of the other two, and two rows of T42's grid, for two thirds of the paper's resolution and half its levels.
    // With its 20 equal levels at T42, over 160 days: 32.7 m/s at 46 degrees, 8.9 m/s, 40.3 K^2 at 43 degrees and sigma 0.77.
    // Of the trades and the equator's temperature the paper gives no number: their sign, and colder than equilibrium (313 K).
    expect(jet.speed).toBeGreaterThan(27);
    expect(jet.speed).toBeLessThan(33);
    expect(jet.latitude).toBeGreaterThan(39);
    expect(jet.latitude).toBeLessThan(51);
    expect(jet.sigma).toBeGreaterThan(0.15);
    expect(jet.sigma).toBeLessThan(0.35);
    expect(Math.max(...surfaceWinds)).toBeGreaterThan(6);
    expect(Math.max(...surfaceWinds)).toBeLessThan(10);
    expect(Math.min(...surfaceWinds)).toBeLessThan(-3);
    expect(equator).toBeGreaterThan(300);
    expect(equator).toBeLessThan(313);
    expect(variance.value).toBeGreaterThan(30);
    expect(variance.value).toBeLessThan(50);
    expect(variance.latitude).toBeGreaterThan(35);
    expect(variance.latitude).toBeLessThan(51);
    expect(variance.sigma).toBeGreaterThan(0.6);
    expect(variance.sigma).toBeLessThan(0.95);
  });
});
