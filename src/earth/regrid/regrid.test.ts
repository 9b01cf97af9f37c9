import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { random } from "../../tensor/random.js";
import { curvilinearCells, sharedAreas, sphericalArea, straightCell, unit, type Vector } from "./conservative-cells.js";
import { latitudeEdges, longitudeEdges, RADIANS } from "./grid.js";
import {
  applyWeights,
  curvilinear,
  globalGrid,
  points,
  rectilinear,
  type RectilinearGrid,
  type RegridMethod,
  regridWeights,
} from "./index.js";
import { nearestFinder, unitVectors } from "./sphere-points.js";

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

/** The field fixtures/make-cdo.py gives cdo, at a place. */
function valueAt(latitude: number, longitude: number): number {
  const [y, x] = [latitude * RADIANS, longitude * RADIANS];
  return 300 + 40 * Math.sin(2 * y) * Math.cos(3 * x) + 5 * Math.cos(y) ** 2 * Math.sin(x) - 20 * Math.sin(y) ** 2;
}
const field = ({ latitudes, longitudes }: RectilinearGrid): Float64Array =>
  Float64Array.from(
    [...latitudes].flatMap((latitude) => [...longitudes].map((longitude) => valueAt(latitude, longitude))),
  );

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
      fc.property(global, global, fc.constantFrom("conservative", "conservative2" as const), (from, to, method) => {
        const given = field(from);
        const got = applyWeights(regridWeights(from, to, method as RegridMethod), given);
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
    const truth = Array.from(cap.latitudes, (y, i) => valueAt(y, cap.longitudes[i]));
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

  it("conserves to second order where it says so", () => {
    // the mean of the field over a cell, by 8 x 8 points within it
    const means = (grid: RectilinearGrid): Float64Array => {
      const [y, x] = [latitudeEdges(grid).map((e) => Math.sin(e * RADIANS)), longitudeEdges(grid)];
      return Float64Array.from({ length: grid.latitudes.length * grid.longitudes.length }, (_, i) => {
        const [row, column] = [Math.floor(i / grid.longitudes.length), i % grid.longitudes.length];
        let sum = 0;
        for (let a = 0; a < 8; a++)
          for (let b = 0; b < 8; b++) {
            const s = y[row] + ((a + 0.5) / 8) * (y[row + 1] - y[row]);
            sum += valueAt(Math.asin(s) / RADIANS, x[column] + ((b + 0.5) / 8) * (x[column + 1] - x[column]));
          }
        return sum / 64;
      });
    };
    const to = globalGrid("50x33"); // no edge in common with the sources but the poles
    const truth = means(to);
    const error = (n: number, method: RegridMethod): number => {
      const from = globalGrid(`${2 * n}x${n}`);
      const got = applyWeights(regridWeights(from, to, method), means(from));
      return Math.sqrt(got.reduce((sum, value, i) => sum + (value - truth[i]) ** 2, 0) / got.length);
    };
    expect(error(24, "conservative2") / error(48, "conservative2")).toBeGreaterThan(3.5);
    expect(error(24, "conservative2")).toBeLessThan(error(24, "conservative") / 10);
    expect(error(48, "conservative2")).toBeLessThan(error(48, "conservative") / 10);
    // missing neighbours: the first order
    const from = globalGrid("36x18");
    const given = field(from);
    given[9 * 36 + 9] = NaN;
    const [first, second] = (["conservative", "conservative2"] as const).map((m) =>
      applyWeights(regridWeights(from, to, m), given),
    );
    const beside = first.findIndex((value, i) => Number.isNaN(value) !== Number.isNaN(second[i]));
    expect(beside).toBe(-1);
  });

  it("triangulates stations: exact for planes through the centre, without values outside", () => {
    const rng = random(2);
    const spread = (n: number, south: number, north: number, west: number, east: number) =>
      points(
        Array.from({ length: n }, () => south + (north - south) * rng.uniform()),
        Array.from({ length: n }, () => west + (east - west) * rng.uniform()),
      );
    // a linear function of the unit vector, over its length along the triangle's plane, is what barycentric weights give
    const linear = (lat: number, lon: number): number =>
      2 * Math.cos(lat * RADIANS) * Math.cos(lon * RADIANS) - Math.sin(lat * RADIANS);
    const stations = spread(300, 40, 55, 0, 20);
    const inside = spread(200, 44, 51, 5, 15);
    const values = Float64Array.from(stations.latitudes, (lat, i) => linear(lat, stations.longitudes[i]));
    const got = applyWeights(regridWeights(stations, inside, "delaunay"), values);
    got.forEach((x, i) => expect(Math.abs(x - linear(inside.latitudes[i], inside.longitudes[i]))).toBeLessThan(2e-3));
    const outside = points([30, 60, 47], [10, 10, -20]);
    expect(Array.from(applyWeights(regridWeights(stations, outside, "delaunay"), values))).toEqual([NaN, NaN, NaN]);
    // at a station, its value; Delaunay's own property: no station within a triangle's circle
    const here = applyWeights(
      regridWeights(stations, points([stations.latitudes[5]], [stations.longitudes[5]]), "delaunay"),
      values,
    );
    expect(here[0]).toBeCloseTo(values[5], 9);
    // a global network covers the globe, rows and columns (four on a circle) are no trouble
    const everywhere = applyWeights(
      regridWeights(globalGrid("18x9"), globalGrid("50x25"), "delaunay"),
      new Float64Array(162).fill(3),
    );
    everywhere.forEach((x) => expect(x).toBeCloseTo(3, 12));
    expect(() => regridWeights(points([1, 2], [3, 4]), outside, "delaunay")).toThrow(/at least three different points/);
  });

  it("finds the nearest of scattered points as a look at all of them does", () => {
    const rng = random(8);
    const n = 700;
    const lat = Array.from({ length: n }, () => Math.asin(2 * rng.uniform() - 1) / RADIANS);
    const lon = Array.from({ length: n }, () => 720 * rng.uniform() - 360);
    const find = nearestFinder(lat, lon);
    const vectors = unitVectors(lat, lon);
    for (let trial = 0; trial < 200; trial++) {
      const [y, x] = [180 * rng.uniform() - 90, 360 * rng.uniform()];
      const v = unitVectors([y], [x]);
      const all = lat.map((_, i) => [i, [0, 1, 2].reduce((s, a) => s + (vectors[3 * i + a] - v[a]) ** 2, 0)]);
      const wanted = all.sort((a, b) => a[1] - b[1]).slice(0, 5);
      expect(find(y, x, 5).map(({ index }) => index)).toEqual(wanted.map(([i]) => i));
    }
  });

  it("interpolates from a curvilinear grid, over the pole too", () => {
    // a polar stereographic plane of 41 x 41 nodes, and rows and columns told as one
    const nodes = Array.from({ length: 41 * 41 }, (_, i) => [(i % 41) - 20.3, Math.floor(i / 41) - 19.8]);
    const lat = nodes.map(([x, y]) => 90 - (2 * Math.atan(Math.hypot(x, y) * 0.02)) / RADIANS);
    const lon = nodes.map(([x, y]) => Math.atan2(y, x) / RADIANS);
    const grid = curvilinear(41, 41, lat, lon);
    const smooth = (la: number, lo: number): number => {
      const [x, y, z] = unitVectors([la], [lo]);
      return 300 + 30 * x * y + 10 * z * x - 15 * y;
    };
    const values = Float64Array.from(lat, (la, i) => smooth(la, lon[i]));
    const to = points([90, 89.2, 75, 60, 70, 40, 0], [0, 200, 359, -120, 45, 10, 10]);
    const got = applyWeights(regridWeights(grid, to, "bilinear"), values);
    for (let i = 0; i < 5; i++) expect(Math.abs(got[i] - smooth(to.latitudes[i], to.longitudes[i]))).toBeLessThan(0.02);
    expect(Array.from(got.subarray(6))).toEqual([NaN]);
    const from = rectilinear([46, 47, 48, 49], [7, 8, 9]);
    const told = curvilinear(
      4,
      3,
      [46, 46, 46, 47, 47, 47, 48, 48, 48, 49, 49, 49],
      [7, 8, 9, 7, 8, 9, 7, 8, 9, 7, 8, 9],
    );
    const given = Float64Array.from({ length: 12 }, (_, i) => i * i);
    const place = points([46.3, 48.9], [7.6, 8.2]);
    const [a, b] = [from, told].map((g) => applyWeights(regridWeights(g, place, "bilinear"), given));
    // great circles between corners bulge over parallels by 0.002 rows, on a slope of up to 60 a row
    a.forEach((x, i) => expect(Math.abs(x - b[i])).toBeLessThan(0.13));
  });

  it("shares areas between curvilinear cells and rows and columns, the pole inside", () => {
    // nodes on the tangent plane at the pole, off its centre (stereographic: rho = 2 tan(colatitude / 2))
    const size = 41;
    const [lat, lon]: [number[], number[]] = [[], []];
    for (let j = 0; j < size; j++)
      for (let i = 0; i < size; i++) {
        const [x, y] = [(i - 19.7) * 0.03, (j - 20.4) * 0.03];
        lat.push(90 - (360 / Math.PI) * Math.atan(Math.hypot(x, y) / 2));
        lon.push((180 / Math.PI) * Math.atan2(y, x));
      }
    const patch = curvilinear(size, size, lat, lon);
    const globe = globalGrid("72x37");
    const shared = sharedAreas(patch, globe);
    const byCell = new Float64Array(size * size);
    const byBox = new Float64Array(72 * 37);
    for (const { curved, straight, area } of shared) {
      byCell[curved] += area;
      byBox[straight] += area;
    }
    // a cell's area by Girard's theorem: the sum of its angles less 2 pi, of which rounding leaves eight digits
    const angles = (cell: readonly (readonly [number, number, number])[]): number =>
      cell.reduce((sum, b, k) => {
        const [a, c] = [cell[(k + 3) % 4], cell[(k + 1) % 4]];
        const dot = (p: readonly number[], q: readonly number[]): number => p[0] * q[0] + p[1] * q[1] + p[2] * q[2];
        const [ab, cb, ac] = [dot(a, b), dot(c, b), dot(a, c)];
        return sum + Math.acos((ac - ab * cb) / Math.sqrt((1 - ab * ab) * (1 - cb * cb)));
      }, -2 * Math.PI);
    curvilinearCells(patch).forEach((cell, k) => expect(byCell[k] / angles(cell)).toBeCloseTo(1, 7));
    // a box that the patch covers is covered to the last of its area; parallels are followed in chords of half a degree
    areas(globe).forEach((box, k) => {
      if (globe.latitudes[Math.floor(k / 72)] >= 62) expect(byBox[k] / box).toBeCloseTo(1, 4);
    });
    // the integral over what is covered stays, both ways
    const field = Float64Array.from(lat, (y, i) => Math.sin(3 * y) + Math.cos(lon[i] * RADIANS));
    const there = applyWeights(regridWeights(patch, globe, "conservative"), field);
    const integral = (values: Float64Array, areas: Float64Array): number =>
      values.reduce((sum, value, k) => (areas[k] > 0 ? sum + value * areas[k] : sum), 0);
    expect(integral(there, byBox)).toBeCloseTo(integral(field, byCell), 10);
    const waves = Float64Array.from({ length: 72 * 37 }, (_, k) => Math.sin(k));
    const back = applyWeights(regridWeights(globe, patch, "conservative"), waves);
    expect(integral(back, byCell)).toBeCloseTo(integral(waves, byBox), 10);
    expect(() => regridWeights(patch, patch, "conservative")).toThrow(
      /goes over rows and columns: regrid to those first/,
    );

    // the second order keeps the integral too, and is nearer the means of what it stands for than the first
    const smooth = (v: readonly number[]): number => Math.exp(v[0]) * Math.sin(3 * v[1] + v[2]);
    const meanOver = (polygon: readonly Vector[]): number => {
      // triangles from the first corner, halved five times
      const parts = (a: Vector, b: Vector, c: Vector, depth: number): [number, number] => {
        if (depth === 0) {
          const area = sphericalArea([a, b, c]);
          return [area, area * smooth(unit([a[0] + b[0] + c[0], a[1] + b[1] + c[1], a[2] + b[2] + c[2]]))];
        }
        const [ab, bc, ca] = [
          [a, b],
          [b, c],
          [c, a],
        ].map(([p, q]) => unit([p[0] + q[0], p[1] + q[1], p[2] + q[2]]));
        const four = [
          parts(a, ab, ca, depth - 1),
          parts(ab, b, bc, depth - 1),
          parts(ca, bc, c, depth - 1),
          parts(ab, bc, ca, depth - 1),
        ];
        return [four.reduce((sum, [area]) => sum + area, 0), four.reduce((sum, [, value]) => sum + value, 0)];
      };
      let [area, sum] = [0, 0];
      for (let k = 1; k + 1 < polygon.length; k++) {
        const [size, value] = parts(polygon[0], polygon[k], polygon[k + 1], 3);
        area += size;
        sum += value;
      }
      return sum / area;
    };
    const cells = curvilinearCells(patch);
    const [latEdges, lonEdges] = [latitudeEdges(globe), longitudeEdges(globe)];
    const boxes = Array.from({ length: 72 * 37 }, (_, k) =>
      straightCell(latEdges, lonEdges, Math.floor(k / 72), k % 72),
    );
    const trueCells = Float64Array.from(cells, meanOver);
    const trueBoxes = Float64Array.from(boxes, meanOver);
    const error = (got: Float64Array, want: Float64Array, held: Float64Array, whole: Float64Array): number => {
      const there = [...got.keys()].filter((k) => held[k] > 0.999 * whole[k]);
      return Math.sqrt(there.reduce((sum, k) => sum + (got[k] - want[k]) ** 2, 0) / there.length);
    };
    const cellAreas = Float64Array.from(cells, sphericalArea);
    const boxAreas = areas(globe);
    for (const [from, to, given, want, held, sent, whole] of [
      [patch, globe, trueCells, trueBoxes, byBox, byCell, boxAreas],
      [globe, patch, trueBoxes, trueCells, byCell, byBox, cellAreas],
    ] as const) {
      const first = applyWeights(regridWeights(from, to, "conservative"), given);
      const second = applyWeights(regridWeights(from, to, "conservative2"), given);
      // where whole cells are shared; cells that are cut lose what their gradients move beyond the cut
      if (from === patch) expect(integral(second, held)).toBeCloseTo(integral(given, sent), 10);
      expect(error(second, want, held, whole)).toBeLessThan(0.15 * error(first, want, held, whole));
    }
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
    expect(() => regridWeights(stations, grid, "conservative")).toThrow(
      /needs cells on both sides: rows and columns, of which one may be curvilinear/,
    );
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
