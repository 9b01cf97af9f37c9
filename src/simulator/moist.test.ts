import { describe, expect, it } from "vitest";
import { simulationConfig } from "./config.js";
import { condensation, convection, convectionSetting, liftParcel, moistColumn } from "./convection.js";
import { defaultHalfLevels, sigmaLevels } from "./levels.js";
import type { MoistAtmosphere } from "./moist.js";
import { EARTH } from "./planet.js";
import {
  albedo,
  dailyInsolation,
  longWave,
  momentInsolation,
  SOLAR_CONSTANT,
  sunshineShares,
  transmissions,
} from "./radiation.js";
import { atmosphere } from "./simulate.js";
import { EXCHANGE, mixing, oceanHeating, type SurfaceFluxes, surfaceFluxes } from "./surface.js";
import {
  LATENT_HEAT,
  saturationHumidity,
  saturationPressure,
  STEFAN_BOLTZMANN,
  VAPOUR_CONSTANT,
} from "./thermodynamics.js";
import { gaussianNodes } from "./gaussian.js";
import { sphericalTransform } from "./transform.js";

const L = 8;
const levels = sigmaLevels(defaultHalfLevels(L));

/** A tropical column: 27 degrees at the ground, 6.5 K/km, 80 % humidity. */
function tropics(humidity = 0.8) {
  const column = moistColumn(L);
  for (let k = 0; k < L; k++) {
    column.p[k] = levels.full[k] * 1e5;
    column.dp[k] = levels.thickness[k] * 1e5;
    column.T[k] = Math.max(200, 300 * levels.full[k] ** ((EARTH.gasConstant * 0.0065) / EARTH.gravity));
    column.q[k] = humidity * saturationHumidity(column.T[k], column.p[k]);
  }
  return column;
}

describe("saturation", () => {
  it("follows the formula of Frierson et al. (2006) to 1e-4", () => {
    for (let T = 180.1; T < 330; T += 7.3) {
      const exact = 610.78 * Math.exp((-LATENT_HEAT / VAPOUR_CONSTANT) * (1 / T - 1 / 273.16));
      expect(Math.abs(saturationPressure(T) / exact - 1)).toBeLessThan(1e-4);
    }
  });
});

describe("radiation", () => {
  it("sunshine over a year and the globe is a quarter of the solar constant", () => {
    const { mu, weights } = gaussianNodes(64);
    let mean = 0;
    for (let day = 0; day < 360; day++) {
      const declination = Math.sin((23.44 * Math.PI) / 180) * Math.sin((2 * Math.PI * day) / 360);
      mu.forEach((x, j) => (mean += (weights[j] * dailyInsolation(x, declination)) / 2 / 360));
    }
    expect(mean).toBeCloseTo(SOLAR_CONSTANT / 4, 0);
  });

  it("at the equinox the equator has S / pi, at midsummer the pole S sin(23.44)", () => {
    expect(dailyInsolation(0, 0)).toBeCloseTo(SOLAR_CONSTANT / Math.PI, 9);
    const declination = Math.sin((23.44 * Math.PI) / 180);
    expect(dailyInsolation(1 - 1e-12, declination)).toBeCloseTo(SOLAR_CONSTANT * declination, 2);
    expect(dailyInsolation(-1 + 1e-12, declination)).toBeCloseTo(0, 2);
  });

  it("the daily mean is the mean over the hours", () => {
    let sum = 0;
    for (let h = 0; h < 1440; h++) sum += momentInsolation(0.6, 0.3, (2 * Math.PI * (h + 0.5)) / 1440) / 1440;
    expect(sum).toBeCloseTo(dailyInsolation(0.6, 0.3), 2);
  });

  it("an isothermal air over ground as warm neither gains within nor loses more than a black body", () => {
    const T = new Float64Array(L).fill(280);
    const transmission = new Float64Array(L);
    transmissions(levels, 0.3, 0, transmission, 0);
    const absorbed = new Float64Array(L);
    const { upAtTop, downAtGround } = longWave(T, transmission, 0, 280, absorbed);
    expect(upAtTop).toBeCloseTo(STEFAN_BOLTZMANN * 280 ** 4, 9);
    // What leaves at the top and below is what the levels lose and the ground gives.
    const gained = absorbed.reduce((a, b) => a + b, 0);
    expect(gained).toBeCloseTo(STEFAN_BOLTZMANN * 280 ** 4 - upAtTop - downAtGround, 9);
  });

  it("more CO2 lets less out", () => {
    const { T } = tropics();
    const out = [0, 0.1].map((thickening) => {
      const transmission = new Float64Array(L);
      transmissions(levels, 0.3, thickening, transmission, 0);
      return longWave(T, transmission, 0, 300, new Float64Array(L)).upAtTop;
    });
    expect(out[1]).toBeLessThan(out[0]);
  });

  it("shares of sunshine sum to one, and the planet reflects 30 %", () => {
    expect(sunshineShares(levels).reduce((a, b) => a + b, 0)).toBeCloseTo(1, 12);
    const { mu, weights } = gaussianNodes(32);
    expect(mu.reduce((sum, x, j) => sum + (weights[j] * albedo(x)) / 2, 0)).toBeCloseTo(0.3, 2);
  });
});

describe("convection and condensation", () => {
  const setting = convectionSetting(levels, EARTH);

  it("a saturated parcel cools along the pseudo-adiabat of the tables", () => {
    // From 293 K at 1000 hPa: 284.64 K at 800, 272.81 K at 600, 264.42 K at 500 hPa (MetPy's reference for moist_lapse).
    const at = [500, 600, 800, 1000].map((hPa) => hPa * 100);
    const p = Float64Array.from(at);
    const logStep = Float64Array.from([0, 1, 2].map((k) => Math.log(at[k] / at[k + 1])));
    const own = {
      ...setting,
      logStep,
      dryStep: logStep.map((log) => Math.exp((2 / 7) * log)),
      parcel: new Float64Array(4),
      humidity: new Float64Array(4),
    };
    const cold = new Float64Array([200, 200, 200, 293]);
    const q = new Float64Array([0, 0, 0, saturationHumidity(293, 1e5) * 1.0001]);
    expect(liftParcel(own, cold, q, p)).toBe(0);
    // Its latent heat varies with temperature and ours does not: half a kelvin apart at most.
    expect(Math.abs(own.parcel[2] - 284.64)).toBeLessThan(0.5);
    expect(Math.abs(own.parcel[1] - 272.81)).toBeLessThan(0.5);
    expect(Math.abs(own.parcel[0] - 264.42)).toBeLessThan(0.6);
  });

  it("deep convection rains what it dries and warms by the rain's latent heat", () => {
    const column = tropics(0.9);
    const rain = convection(setting, column);
    expect(rain * 86_400).toBeGreaterThan(1);
    const sum = (values: Float64Array): number => values.reduce((s, x, k) => s + (x * column.dp[k]) / EARTH.gravity, 0);
    expect(sum(column.dq)).toBeCloseTo(-rain, 12);
    expect(EARTH.specificHeat * sum(column.dT)).toBeCloseTo(LATENT_HEAT * rain, 6);
  });

  it("shallow convection moves water and heat and rains none", () => {
    const column = tropics(0.9);
    for (let k = 0; k < L - 1; k++) column.q[k] *= 0.2;
    expect(convection(setting, column)).toBe(0);
    const sum = (values: Float64Array): number => values.reduce((s, x, k) => s + x * column.dp[k], 0);
    expect(Math.max(...column.dq.map(Math.abs))).toBeGreaterThan(0);
    expect(sum(column.dq)).toBeCloseTo(0, 9);
    expect(sum(column.dT)).toBeCloseTo(0, 6);
  });

  it("a stable column is left alone", () => {
    const column = tropics();
    for (let k = 0; k < L; k++) column.T[k] = 300 - 2 * (L - 1 - k);
    column.T[L - 1] = 260;
    column.q.fill(1e-4);
    expect(convection(setting, column)).toBe(0);
    expect(Math.max(...column.dT)).toBe(0);
  });

  it("condensation leaves the air saturated, its enthalpy unchanged", () => {
    const column = tropics(1.05);
    const rain = condensation(setting, column, 3600);
    expect(rain).toBeGreaterThan(0);
    for (let k = 4; k < L; k++) {
      const T = column.T[k] + 3600 * column.dT[k];
      const q = column.q[k] + 3600 * column.dq[k];
      expect(q / saturationHumidity(T, column.p[k])).toBeCloseTo(1, 2);
      expect(EARTH.specificHeat * column.dT[k] + LATENT_HEAT * column.dq[k]).toBeCloseTo(0, 9);
    }
  });
});

describe("the surface", () => {
  const setting = { ...EARTH, exchange: EXCHANGE, toGround: levels.full[L - 1] ** (-2 / 7) };

  it("gives the air what it takes from the ground", () => {
    const column = tropics(0.8);
    column.u[L - 1] = 7;
    const out: SurfaceFluxes = { sensible: 0, latent: 0, evaporation: 0 };
    surfaceFluxes(setting, column, 302, 1e5, 0, out);
    const mass = column.dp[L - 1] / EARTH.gravity;
    expect(column.dq[L - 1] * mass).toBeCloseTo(out.evaporation, 12);
    expect(out.latent).toBeGreaterThan(50);
    expect(out.latent).toBeLessThan(300);
    // Heat of the flux, and of the motion that friction stops.
    const stopped = -column.du[L - 1] * 7 * mass;
    expect(column.dT[L - 1] * mass * EARTH.specificHeat).toBeCloseTo(out.sensible + stopped, 9);
  });

  it("mixing keeps water, momentum and total energy", () => {
    const column = tropics(0.8);
    column.u.set([30, 28, 24, 20, 15, 10, 6, 2]);
    const height = column.T.map((T, k) => (-EARTH.gasConstant * T * Math.log(levels.full[k])) / EARTH.gravity);
    mixing(setting, column, height, levels.half);
    const sum = (value: (k: number) => number): number =>
      [...column.dp.keys()].reduce((s, k) => s + value(k) * column.dp[k], 0);
    expect(sum((k) => column.dq[k])).toBeCloseTo(0, 9);
    expect(sum((k) => column.du[k])).toBeCloseTo(0, 6);
    expect(sum((k) => EARTH.specificHeat * column.dT[k] + column.u[k] * column.du[k])).toBeCloseTo(0, 5);
  });

  it("the ocean's transport heats nothing in the mean", () => {
    const transform = sphericalTransform(21);
    const heat = oceanHeating(transform, new Float64Array(transform.points));
    const mean = heat.reduce((sum, x, p) => sum + x * transform.weights[Math.floor(p / transform.nlon)], 0);
    expect(mean).toBeCloseTo(0, 8);
    expect(heat[16 * 64]).toBeLessThan(-20);
  });
});

describe("the moist atmosphere", () => {
  const config = simulationConfig({
    model: "moist",
    truncation: 21,
    seed: 2,
    land: "idealised",
    orography: "idealised",
    diurnal: true,
  });

  it("goes on from a saved state bit for bit", () => {
    const whole = atmosphere(config);
    const first = atmosphere(config);
    for (let s = 0; s < 12; s++) whole.step();
    for (let s = 0; s < 5; s++) first.step();
    const second = atmosphere({ ...config, seed: 77 });
    second.restore(first.save());
    for (let s = 0; s < 7; s++) second.step();
    const [a, b] = [whole.save(), second.save()];
    for (const name of Object.keys(a.arrays)) expect(b.arrays[name]).toEqual(a.arrays[name]);
  });

  it("keeps its water: what evaporates either rains or stays", () => {
    const air = atmosphere(config) as MoistAtmosphere;
    const { transform, columns, levels: own, planet } = air.model;
    const water = (): number => {
      const grid = air.model.grid();
      let sum = 0;
      for (let p = 0; p < transform.points; p++) {
        const g = p * columns.grid;
        const w = transform.weights[Math.floor(p / transform.nlon)] / (2 * transform.nlon);
        const ps = Math.exp(grid[g + columns.logPressure]);
        for (let k = 0; k < own.count; k++)
          sum += (w * ps * own.thickness[k] * grid[g + columns.humidity + k]) / planet.gravity;
      }
      return sum;
    };
    for (let s = 0; s < 64; s++) air.step();
    const before = water();
    air.clearMeans();
    for (let s = 0; s < 64; s++) air.step();
    const { latent, rain } = air.means();
    const days = 2;
    const expected = (latent / LATENT_HEAT - rain) * days * 86_400;
    // Spectral truncation and the filling of negative humidity leave a few per cent of the two days' rain unaccounted for.
    expect(Math.abs(water() - before - expected)).toBeLessThan(0.05 * rain * days * 86_400);
    expect(rain * 86_400).toBeGreaterThan(1);
    expect(rain * 86_400).toBeLessThan(9);
  });
});
