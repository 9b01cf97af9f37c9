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
    // As remembered from the paper's figures 5 and 7 (no table gives them): hardly a change to day 4, a closed low of some 992-993 hPa on day 7
    // (deeper in its successor), 940 to 950 hPa on day 9 in all models at fine resolution; 5 hPa more either way.
    expect(byDay[3]).toBeGreaterThan(998);
    expect(byDay[8]).toBeGreaterThan(935);
    expect(byDay[8]).toBeLessThan(955);
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
    // As remembered from the paper's figures 1-3 (no table gives them): a westerly jet of some 28-30 m/s near 45 degrees and 250 hPa, surface westerlies of 6-8 m/s,
    // easterlies in the tropics; transient temperature variance of some 40 K^2 low in mid-latitudes. Equatorial air at the ground lies
    // some 5 to 13 K below its equilibrium of 313 K. The bounds leave room for two thirds of the paper's resolution and half its levels.
    expect(jet.speed).toBeGreaterThan(25);
    expect(jet.speed).toBeLessThan(34);
    expect(jet.latitude).toBeGreaterThan(35);
    expect(jet.latitude).toBeLessThan(52);
    expect(jet.sigma).toBeGreaterThan(0.15);
    expect(jet.sigma).toBeLessThan(0.35);
    expect(Math.max(...surfaceWinds)).toBeGreaterThan(4);
    expect(Math.max(...surfaceWinds)).toBeLessThan(11);
    expect(Math.min(...surfaceWinds)).toBeLessThan(-3);
    expect(equator).toBeGreaterThan(300);
    expect(equator).toBeLessThan(309);
    expect(variance.value).toBeGreaterThan(30);
    expect(variance.value).toBeLessThan(60);
    expect(variance.latitude).toBeGreaterThan(30);
    expect(variance.latitude).toBeLessThan(60);
  });
});
