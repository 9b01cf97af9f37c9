import { describe, expect, it } from "vitest";
import { ageostrophicWind, budget, drift, hydrostaticImbalance } from "./physics.js";

describe("balances", () => {
  const latitudes = Array.from({ length: 61 }, (_, i) => -60 + 2 * i);
  const longitudes = Array.from({ length: 90 }, (_, j) => 4 * j);
  const field = (of: (phi: number, lambda: number) => number) =>
    Float64Array.from({ length: 61 * 90 }, (_, i) =>
      of((latitudes[Math.floor(i / 90)] * Math.PI) / 180, (longitudes[i % 90] * Math.PI) / 180),
    );
  it("a solid rotation in geostrophic balance has nothing left over", () => {
    // f u = -(g / a) dz/dphi with u = U cos phi gives z = -(a Omega U / g) sin^2 phi.
    const [a, g, omega, U] = [6_371_229, 9.80665, 7.2921e-5, 20];
    const z = field((phi) => ((-a * omega * U) / g) * Math.sin(phi) ** 2);
    const [u, v] = [field((phi) => U * Math.cos(phi)), field(() => 0)];
    const grid = { latitudes, longitudes };
    expect(ageostrophicWind(z, u, v, grid)).toBeLessThan(0.02); // centred differences over 4 degrees
    expect(
      ageostrophicWind(
        z,
        u,
        field(() => 3),
        grid,
      ),
    ).toBeCloseTo(3, 2);
  });
  it("an isothermal column in hydrostatic balance", () => {
    const pressures = [1000, 850, 500];
    const height = (p: number) => ((287.05 * 250) / 9.80665) * Math.log(1000 / p);
    const heights = pressures.map((p) => [height(p)]);
    const temperatures = pressures.map(() => [250]);
    expect(hydrostaticImbalance(heights, temperatures, pressures, [1])).toBeCloseTo(0, 9);
    expect(hydrostaticImbalance([[0], [height(850) + 5], [height(500) + 5]], temperatures, pressures, [1])).toBeCloseTo(
      5 / Math.sqrt(2),
      9,
    );
  });
  it("budgets of a still, uniform column, and their drift", () => {
    const levels = <T>(x: T) => [x, x];
    const state = {
      temperature: levels([250]),
      humidity: levels([0.01]),
      u: levels([3]),
      v: levels([4]),
      surfacePressure: [1e5],
    };
    const { dryMass, vapour, energy } = budget(state, [0, 1e5], [1]);
    const mass = 1e5 / 9.80665;
    expect(vapour).toBeCloseTo(0.01 * mass, 9);
    expect(dryMass).toBeCloseTo(0.99 * mass, 9);
    expect(energy / mass).toBeCloseTo(1004.6 * 250 + 2.501e6 * 0.01 + 12.5, 6);
    expect(drift([10, 12, 14], [0, 24, 48])).toBeCloseTo(2, 12);
  });
});
