import { describe, expect, it } from "vitest";
import {
  GRID,
  GEOPOTENTIAL,
  invariants,
  setShallowWater,
  type ShallowWaterModel,
  shallowWaterModel,
  STATE,
} from "./shallow-water.js";
import {
  flowOverMountain,
  onGrid,
  rossbyHaurwitz,
  rossbyHaurwitzSpeed,
  type ShallowWaterCase,
  steadyZonalFlow,
  TEST_PLANET,
  unstableJet,
} from "./shallow-water-cases.js";
import { BlowUpError } from "./stability.js";
import { sphericalTransform } from "./transform.js";

function started(
  test: ShallowWaterCase,
  {
    truncation,
    step,
    hours = 0,
    barotropic = false,
  }: { truncation: number; step: number; hours?: number; barotropic?: boolean },
) {
  const transform = sphericalTransform(truncation);
  const surface = test.surface && onGrid(transform, test.surface);
  const coriolis = test.coriolis && onGrid(transform, test.coriolis);
  const model = shallowWaterModel({
    truncation,
    step,
    barotropic,
    planet: TEST_PLANET,
    meanGeopotential: test.meanGeopotential,
    surfaceGeopotential: surface,
    coriolis,
    diffusion: { order: 4, hours },
  });
  setShallowWater(model, test.start);
  return { model, measure: () => invariants(model, surface, coriolis) };
}

/** The normalised l2 difference of depth, Williamson et al. (1992), equation 83. */
function depthError(model: ShallowWaterModel, reference: Float64Array): number {
  const { transform, meanGeopotential } = model;
  const grid = model.grid();
  let error = 0;
  let norm = 0;
  for (let p = 0; p < transform.points; p++) {
    const w = transform.weights[Math.floor(p / transform.nlon)];
    const truth = reference[p * GRID + GEOPOTENTIAL] + meanGeopotential;
    error += w * (grid[p * GRID + GEOPOTENTIAL] + meanGeopotential - truth) ** 2;
    norm += w * truth ** 2;
  }
  return Math.sqrt(error / norm);
}

const run = (model: ShallowWaterModel, days: number): void => {
  while (model.steps * model.stepSeconds < days * 86_400 - 1) model.step();
};

describe("Williamson et al. (1992)", () => {
  it.each([0, Math.PI / 4, Math.PI / 2])("case 2: a steady flow tilted by %f rad stays for 5 days", (alpha) => {
    // The flow is in the span of n <= 2, so a spectral model holds it to rounding.
    const { model, measure } = started(steadyZonalFlow(alpha), { truncation: 21, step: 1800 });
    const before = model.grid().slice();
    const { mass, energy } = measure();
    run(model, 5);
    expect(depthError(model, before)).toBeLessThan(1e-13);
    expect(Math.abs(measure().mass / mass - 1)).toBeLessThan(1e-14);
    expect(Math.abs(measure().energy / energy - 1)).toBeLessThan(1e-14);
  });

  it("case 5: flow over a mountain keeps mass, energy and potential enstrophy for 5 days", () => {
    const { model, measure } = started(flowOverMountain(), { truncation: 31, step: 1800 });
    const start = measure();
    run(model, 5);
    const end = measure();
    expect(Math.abs(end.mass / start.mass - 1)).toBeLessThan(1e-13);
    // Jakob-Chien, Hack and Williamson (1995), table 5: energy of the spectral model drifts by some 1e-6 in 15 days at T42.
    expect(Math.abs(end.energy / start.energy - 1)).toBeLessThan(5e-6);
    expect(Math.abs(end.potentialEnstrophy / start.potentialEnstrophy - 1)).toBeLessThan(1e-4);
  });

  it("case 6: a Rossby-Haurwitz wave keeps its four-fold form and turns east at less than the nondivergent speed", () => {
    const { model, measure } = started(rossbyHaurwitz(), { truncation: 31, step: 1200 });
    const start = measure();
    const phase = phaseOf(model, 4, 5);
    run(model, 3);
    // Only wavenumbers that are multiples of four may appear.
    let stray = 0;
    const { m, rows } = model.transform;
    for (let r = 0; r < rows; r++) if (m[r] % 4 !== 0) stray = Math.max(stray, Math.abs(model.now[2 * r * STATE]));
    expect(stray).toBeLessThan(1e-16);
    const end = measure();
    expect(Math.abs(end.mass / start.mass - 1)).toBeLessThan(1e-13);
    expect(Math.abs(end.energy / start.energy - 1)).toBeLessThan(1e-5);
    const speed = turned(phaseOf(model, 4, 5), phase, 4) / (3 * 86_400);
    const nondivergent = rossbyHaurwitzSpeed(4, 7.848e-6, TEST_PLANET);
    expect(speed).toBeGreaterThan(0.6 * nondivergent);
    expect(speed).toBeLessThan(nondivergent);
  });
});

/** Phase of the vorticity coefficient (m, n), and the angle by which a pattern has turned east (less than half its wavelength). */
function phaseOf(model: ShallowWaterModel, m: number, n: number): number {
  const at = 2 * (model.transform.firstRow[m] + n - m) * STATE;
  return Math.atan2(model.now[at + STATE], model.now[at]);
}
const turned = (now: number, before: number, m: number): number => {
  const angle = before - now;
  return (angle - 2 * Math.PI * Math.floor(angle / (2 * Math.PI))) / m;
};

describe("the barotropic vorticity equation", () => {
  it.each([1, 3, 4])("turns a Rossby-Haurwitz wave of wavenumber %i at Haurwitz' (1940) speed", (R) => {
    const { model } = started(rossbyHaurwitz(R), { truncation: 21, step: 900, barotropic: true });
    const phase = phaseOf(model, R, R + 1);
    run(model, 1);
    const expected = (rossbyHaurwitzSpeed(R, 7.848e-6, TEST_PLANET) * 86_400) % ((2 * Math.PI) / R);
    const wrapped = expected < 0 ? expected + (2 * Math.PI) / R : expected;
    // Leapfrog's phase error, (omega dt)^2 / 6, is below 1e-3 here.
    expect(turned(phaseOf(model, R, R + 1), phase, R)).toBeCloseTo(wrapped, 3);
  });
});

describe("gravity waves", () => {
  it("swing at sqrt(Phi n (n + 1)) / a on a planet at rest", () => {
    const planet = { ...TEST_PLANET, rotation: 0 };
    const Phi = 1e4;
    const n = 4;
    const period = (2 * Math.PI * planet.radius) / Math.sqrt(Phi * n * (n + 1));
    const model = shallowWaterModel({ truncation: 21, step: period / 400, planet, meanGeopotential: Phi });
    const at = 2 * (model.transform.firstRow[2] + n - 2) * STATE + GEOPOTENTIAL;
    model.now[at] = 1e-3;
    for (let s = 0; s < 100; s++) model.step(); // a quarter: phi has passed into D
    expect(Math.abs(model.now[at])).toBeLessThan(1e-5);
    for (let s = 0; s < 100; s++) model.step(); // half a period: phi is reversed
    expect(model.now[at]).toBeCloseTo(-1e-3, 5);
  });
});

describe("Galewsky, Scott and Polvani (2004)", () => {
  it("the balanced jet has the paper's strength and stays, unperturbed, for a day", () => {
    const { model } = started(unstableJet({ perturbed: false }), { truncation: 63, step: 600 });
    const before = model.grid().slice();
    run(model, 1);
    expect(model.fastest).toBeGreaterThan(78);
    expect(model.fastest).toBeLessThan(82);
    expect(depthError(model, before)).toBeLessThan(1e-5);
  });
});

describe("restart and blow-up", () => {
  it("a split run equals an unsplit one bit for bit", () => {
    const whole = started(rossbyHaurwitz(), { truncation: 21, step: 1800 }).model;
    const half = started(rossbyHaurwitz(), { truncation: 21, step: 1800 }).model;
    for (let s = 0; s < 20; s++) whole.step();
    for (let s = 0; s < 10; s++) half.step();
    const other = started(steadyZonalFlow(), { truncation: 21, step: 1800 }).model;
    const settings = started(rossbyHaurwitz(), { truncation: 21, step: 1800 }).model;
    expect(other.now.length).toBe(half.now.length);
    settings.restore(half.save());
    for (let s = 0; s < 10; s++) settings.step();
    expect([...settings.now]).toEqual([...whole.now]);
  });

  it("a wind beyond reason ends the run with a sentence", () => {
    const { model } = started(unstableJet({ perturbed: true }), { truncation: 42, step: 7200 });
    expect(() => run(model, 20)).toThrow(BlowUpError);
    expect(() => run(model, 20)).toThrow(/take a step shorter than 7200 s/);
  });
});
