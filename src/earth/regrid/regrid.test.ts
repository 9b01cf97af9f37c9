import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { latitudeEdges, longitudeEdges, RADIANS } from "./grid.js";
import {
  applyWeights,
  globalGrid,
  points,
  rectilinear,
  type RectilinearGrid,
  type RegridMethod,
  regridWeights,
} from "./index.js";

interface Case {
  source: string;
  target: string;
  method: RegridMethod;
  missing: boolean;
  values: (number | null)[];
}
const reference = JSON.parse(readFileSync(new URL("../fixtures/cdo.json", import.meta.url), "utf8")) as {
  cases: Case[];
  sources: Record<string, [number[], number[]]>;
  targets: Record<string, [number[], number[]]>;
};

/** The field fixtures/make-cdo.py gives cdo. */
function field({ latitudes, longitudes }: RectilinearGrid): Float64Array {
  const values: number[] = [];
  for (const latitude of latitudes)
    for (const longitude of longitudes) {
      const [y, x] = [latitude * RADIANS, longitude * RADIANS];
      values.push(
        300 + 40 * Math.sin(2 * y) * Math.cos(3 * x) + 5 * Math.cos(y) ** 2 * Math.sin(x) - 20 * Math.sin(y) ** 2,
      );
    }
  return Float64Array.from(values);
}

/** The area of every cell, steradians. */
function areas(grid: RectilinearGrid): Float64Array {
  const [y, x] = [latitudeEdges(grid), longitudeEdges(grid)];
  return Float64Array.from({ length: grid.latitudes.length * grid.longitudes.length }, (_, i) => {
    const [row, column] = [Math.floor(i / grid.longitudes.length), i % grid.longitudes.length];
    const height = Math.abs(Math.sin(y[row + 1] * RADIANS) - Math.sin(y[row] * RADIANS));
    return height * Math.abs(x[column + 1] - x[column]) * RADIANS;
  });
}

describe("regridding", () => {
  it.each(reference.cases)(
    "$method from $source to $target as cdo does (missing: $missing)",
    ({ source, target, method, missing, values }) => {
      const from = rectilinear(...reference.sources[source]);
      const to = rectilinear(...reference.targets[target]);
      const given = field(from);
      if (missing) given.forEach((x, i) => (given[i] = x > 310 && x < 318 ? NaN : x));
      // cdo's bilinear gives a value only where all four neighbours have one, its conservative where any has
      const minimumShare = method === "bilinear" ? 1 - 1e-9 : 1e-6;
      const got = applyWeights(regridWeights(from, to, method), given, { minimumShare });
      expect(got.length).toBe(values.length);
      // cdo asks for all four neighbours even of a point on the line between two of them
      const onLine = (i: number): boolean =>
        method === "bilinear" &&
        (from.latitudes.includes(to.latitudes[Math.floor(i / to.longitudes.length)]) ||
          from.longitudes.some((x) => (x - to.longitudes[i % to.longitudes.length]) % 360 === 0));
      // beside the pole cdo's cubic has a one-sided slope, ours goes on across it (below)
      const atPole = (i: number): boolean =>
        method === "bicubic" &&
        source === "centres" &&
        Math.abs(to.latitudes[Math.floor(i / to.longitudes.length)]) > 75;
      const differing = Array.from(got).flatMap((x, i) => {
        if ((values[i] === null && onLine(i)) || atPole(i)) return [];
        const wanted = values[i] ?? NaN;
        const same = Number.isNaN(wanted) ? Number.isNaN(x) : Math.abs(x / wanted - 1) < 1e-6;
        return same ? [] : [`${i}: ${x} for ${wanted}`];
      });
      expect(differing).toEqual([]);
    },
  );

  it("conserves the integral to 1e-10, whatever the grids", () => {
    const global = fc
      .record({
        nx: fc.integer({ min: 2, max: 40 }),
        ny: fc.integer({ min: 3, max: 30 }),
        west: fc.double({ min: -360, max: 360, noNaN: true }),
        down: fc.boolean(),
      })
      .map(({ nx, ny, west, down }) => {
        const grid = globalGrid(`${nx}x${ny}`);
        const latitudes = down ? grid.latitudes.slice().reverse() : grid.latitudes;
        return rectilinear(
          latitudes,
          grid.longitudes.map((x) => x + west),
        );
      });
    const integral = (grid: RectilinearGrid, values: Float64Array): number => {
      const area = areas(grid);
      return values.reduce((sum, value, i) => sum + value * area[i], 0);
    };
    fc.assert(
      fc.property(global, global, (from, to) => {
        const given = field(from);
        const got = applyWeights(regridWeights(from, to, "conservative"), given);
        expect(Math.abs(integral(to, got) / integral(from, given) - 1)).toBeLessThan(1e-10);
      }),
      { numRuns: 60, seed: 11 },
    );
  });

  it("is exact for what a method is exact for, poles and seam included", () => {
    const from = globalGrid("36x18");
    const to = globalGrid("50x41");
    const constant = applyWeights(regridWeights(from, to, "bilinear"), new Float64Array(36 * 18).fill(7));
    constant.forEach((x) => expect(x).toBeCloseTo(7, 12));
    const slope = Float64Array.from({ length: 36 * 18 }, (_, i) => from.latitudes[Math.floor(i / 36)]);
    const inner = applyWeights(regridWeights(from, points([12.5, -60], [359.9, -0.1]), "bilinear"), slope);
    expect(inner[0]).toBeCloseTo(12.5, 12);
    expect(inner[1]).toBeCloseTo(-60, 12);
    // at the pole itself: the mean of the last row
    const wave = Float64Array.from({ length: 36 * 18 }, (_, i) => Math.cos(from.longitudes[i % 36] * RADIANS));
    expect(applyWeights(regridWeights(from, points([90], [123]), "bilinear"), wave)[0]).toBeCloseTo(0, 12);
  });

  it("goes across the poles by cubics, and bilinearly where a source is missing", () => {
    const [centres, falling] = [
      globalGrid("36x18"),
      rectilinear(globalGrid("35x18").latitudes, globalGrid("35x18").longitudes.slice().reverse()),
    ];
    const cap = points([80, 85.5, 89.9, 90, -90, -86], [3, 95, 181, 7, 12, 359]);
    const truth = Array.from(cap.latitudes, (y, i) => field(rectilinear([y], [cap.longitudes[i]]))[0]);
    for (const from of [centres, falling, globalGrid("36x19")]) {
      const given = field(from);
      const cubic = applyWeights(regridWeights(from, cap, "bicubic"), given);
      const linear = applyWeights(regridWeights(from, cap, "bilinear"), given);
      const worst = (got: Float64Array): number => Math.max(...got.map((x, i) => Math.abs(x - truth[i])));
      // the wave's third derivative times the spacing cubed allows 0.1 K; straight lines do four times worse
      expect(worst(cubic)).toBeLessThan(0.1);
      expect(worst(cubic)).toBeLessThan(worst(linear) / 4);
    }
    const holed = field(centres);
    holed[5 * 36 + 4] = NaN; // latitude -35, longitude 40
    const place = points([-31, -41, -60], [41, 52, 41]);
    const [cubic, linear] = (["bicubic", "bilinear"] as const).map((method) =>
      applyWeights(regridWeights(centres, place, method), holed),
    );
    expect(cubic[0]).toBe(linear[0]);
    expect(cubic[1]).toBe(linear[1]);
    expect(cubic[2]).not.toBe(linear[2]);
  });

  it("goes to and from stations", () => {
    const stations = points([47, 48, 46.5], [8, 9, 7]);
    const grid = rectilinear([46, 47, 48, 49], [7, 8, 9]);
    const values = Float64Array.from({ length: 12 }, (_, i) => i);
    expect(Array.from(applyWeights(regridWeights(grid, stations, "bilinear"), values))).toEqual([4, 8, 1.5]);
    expect(Array.from(applyWeights(regridWeights(grid, stations, "nearest"), values)).slice(0, 2)).toEqual([4, 8]);
    const back = applyWeights(regridWeights(stations, grid, "inverse-distance"), Float64Array.of(10, 20, 30));
    expect(back[4]).toBe(10); // at the station itself
    back.forEach((x) => expect(x).toBeGreaterThanOrEqual(10 - 1e-9));
    expect(Array.from(applyWeights(regridWeights(grid, points([60], [8]), "bilinear"), values))).toEqual([NaN]);
    expect(() => regridWeights(stations, grid, "conservative")).toThrow(/needs cells on both sides/);
  });

  it("leaves missing values out, as far as allowed", () => {
    const from = globalGrid("8x4");
    const to = globalGrid("4x2");
    const values = new Float64Array(32).fill(1);
    values[0] = NaN;
    const weights = regridWeights(from, to, "conservative");
    expect(applyWeights(weights, values).some(Number.isNaN)).toBe(false);
    expect(applyWeights(weights, values, { minimumShare: 1 }).filter(Number.isNaN).length).toBeGreaterThan(0);
    expect(() => applyWeights(weights, new Float64Array(31))).toThrow(/no whole number of fields of 32/);
    expect(() => rectilinear([0, 10, 5], [0])).toThrow(/at index 2, 5 follows 10/);
  });
});
