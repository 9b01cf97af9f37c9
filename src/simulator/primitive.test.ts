import { describe, expect, it } from "vitest";
import { dryAtmosphere } from "./dry.js";
import { simulationConfig } from "./config.js";
import { geopotential, defaultHalfLevels, sigmaLevels } from "./levels.js";
import { BAROCLINIC_PLANET, baroclinicWave, budget, setPrimitive } from "./primitive-cases.js";
import { type PrimitiveOptions, primitiveModel } from "./primitive.js";
import { invert, semiImplicit } from "./semi-implicit.js";
import { onGrid } from "./shallow-water-cases.js";
import { BlowUpError } from "./stability.js";
import { sphericalTransform } from "./transform.js";

function wave(options: Partial<PrimitiveOptions> & { perturbed: boolean }) {
  const { truncation = 31, perturbed, ...rest } = options;
  const start = baroclinicWave({ perturbed });
  const model = primitiveModel({
    truncation,
    halfLevels: defaultHalfLevels(10),
    step: 1800,
    planet: BAROCLINIC_PLANET,
    surfaceGeopotential: onGrid(sphericalTransform(truncation), start.surfaceGeopotential),
    ...rest,
  });
  setPrimitive(model, start);
  return model;
}

describe("sigma levels", () => {
  it("the hydrostatic sum is exact for an isothermal atmosphere at its full levels", () => {
    const levels = sigmaLevels(defaultHalfLevels(8));
    const phi = new Float64Array(8);
    geopotential(levels, 287, new Float64Array(8).fill(250), 0, phi);
    levels.full.forEach((sigma, k) => expect(phi[k]).toBeCloseTo(-287 * 250 * Math.log(sigma), 6));
  });

  it("refuses half levels that do not rise", () => {
    expect(() => sigmaLevels([0, 0.5, 0.4, 1])).toThrow(/rise from 0 to 1/);
  });
});

describe("the semi-implicit solver", () => {
  it("inverts its matrices", () => {
    const L = 5;
    const a = Float64Array.from({ length: L * L }, (_, i) => Math.sin(i * i + 1));
    const b = invert(a, L);
    for (let i = 0; i < L; i++)
      for (let j = 0; j < L; j++) {
        let sum = 0;
        for (let k = 0; k < L; k++) sum += a[i * L + k] * b[k * L + j];
        expect(sum).toBeCloseTo(i === j ? 1 : 0, 11);
      }
  });

  it("has the external gravity wave at nearly the speed sqrt(cp / cv R T) of Lamb's wave", () => {
    // The eigenvalues c^2 of -(G tau - R T_r 1 dsigma^T); the greatest by power iteration.
    const L = 20;
    const levels = sigmaLevels(defaultHalfLevels(L));
    const T = 300;
    const { hydrostatic: G, conversion: tau } = semiImplicit(levels, BAROCLINIC_PLANET, {
      referenceTemperature: T,
      truncation: 1,
    });
    let x = new Float64Array(L).fill(1);
    let square = 0;
    for (let iteration = 0; iteration < 200; iteration++) {
      const heated = new Float64Array(L);
      let flow = 0;
      for (let k = 0; k < L; k++) {
        flow += levels.thickness[k] * x[k];
        for (let j = 0; j < L; j++) heated[k] += tau[k * L + j] * x[j];
      }
      const y = new Float64Array(L).fill(BAROCLINIC_PLANET.gasConstant * T * flow);
      for (let k = 0; k < L; k++) for (let j = 0; j < L; j++) y[k] -= G[k * L + j] * heated[j];
      square = Math.hypot(...y);
      x = y.map((value) => value / square);
    }
    const lamb =
      (BAROCLINIC_PLANET.gasConstant * T) / (1 - BAROCLINIC_PLANET.gasConstant / BAROCLINIC_PLANET.specificHeat);
    expect(square / lamb).toBeGreaterThan(0.97);
    expect(square / lamb).toBeLessThan(1.03);
  });
});

describe("the dry primitive equations", () => {
  it("hold the steady state of Jablonowski and Williamson (2006)", () => {
    const model = wave({ perturbed: false, step: 1800 });
    const before = model.grid().slice();
    for (let s = 0; s < 4 * 48; s++) model.step();
    const after = model.grid();
    let change = 0;
    let pressure = 0;
    const { columns, transform, levels } = model;
    for (let p = 0; p < transform.points; p++) {
      const g = p * columns.grid;
      pressure = Math.max(
        pressure,
        Math.abs(Math.exp(after[g + columns.logPressure]) - Math.exp(before[g + columns.logPressure])),
      );
      const w = transform.weights[Math.floor(p / transform.nlon)] / (2 * transform.nlon);
      for (let k = 0; k < levels.count; k++)
        change += w * levels.thickness[k] * (after[g + columns.u + k] - before[g + columns.u + k]) ** 2;
    }
    // The paper's figure 3: l2 of u stays below some 0.5 m/s where the levels are few; p_s within a hectopascal or so.
    expect(Math.sqrt(change)).toBeLessThan(0.5);
    expect(pressure).toBeLessThan(200);
  });

  it("conserve mass, energy and angular momentum while a cyclone grows", () => {
    const model = wave({ perturbed: true, truncation: 21, conserveMass: false, diffusion: { order: 8, hours: 0 } });
    // The ground of this case varies with latitude alone, so it exerts no torque.
    const start = budget(model);
    for (let s = 0; s < 3 * 48; s++) model.step();
    const end = budget(model);
    expect(Math.abs(end.mass / start.mass - 1)).toBeLessThan(1e-7);
    expect(Math.abs(end.energy / start.energy - 1)).toBeLessThan(2e-6);
    expect(Math.abs(end.angularMomentum / start.angularMomentum - 1)).toBeLessThan(1e-5);
  });

  it("close the energy budget in space: with short steps the drift is a sliver of the exchange", () => {
    const model = wave({
      perturbed: true,
      truncation: 21,
      step: 60,
      conserveMass: false,
      filter: { nu: 0, alpha: 0.5 },
      diffusion: { order: 8, hours: 0 },
    });
    // Warm one half of the globe, so that potential energy turns into motion.
    const { columns, transform, levels } = model;
    for (let k = 0; k < levels.count; k++)
      model.now[2 * transform.firstRow[1] * columns.state + columns.temperature + k] += 3;
    const start = budget(model);
    for (let s = 0; s < 120; s++) model.step();
    const end = budget(model);
    const exchanged = Math.abs(end.kinetic - start.kinetic);
    expect(exchanged).toBeGreaterThan(1e4);
    expect(Math.abs(end.energy - start.energy)).toBeLessThan(5e-3 * exchanged);
  });

  it("keep mean surface pressure to rounding where asked", () => {
    const model = wave({ perturbed: true, truncation: 21 });
    const start = budget(model).mass;
    for (let s = 0; s < 96; s++) model.step();
    expect(Math.abs(budget(model).mass / start - 1)).toBeLessThan(1e-9);
  });

  it("go on from a saved state bit for bit", () => {
    const config = simulationConfig({ model: "dry", truncation: 21, levels: 5, seed: 3 });
    const whole = dryAtmosphere(config);
    const first = dryAtmosphere(config);
    for (let s = 0; s < 12; s++) whole.step();
    for (let s = 0; s < 5; s++) first.step();
    const second = dryAtmosphere({ ...config, seed: 99 });
    second.restore(first.save());
    for (let s = 0; s < 7; s++) second.step();
    const [a, b] = [whole.save(), second.save()];
    for (const name of Object.keys(a.arrays)) expect(b.arrays[name]).toEqual(a.arrays[name]);
  });

  it("end with a sentence when the step is too long", () => {
    const model = wave({ perturbed: true, truncation: 42, step: 7200 });
    const run = () => {
      for (let s = 0; s < 200; s++) model.step();
    };
    expect(run).toThrow(BlowUpError);
    expect(run).toThrow(/at level \d+: wind .* take a step shorter than 7200 s/);
  });
});
