import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { gridCoordinates } from "./coordinates.js";
import { decodeField, gridOrder } from "./decode.js";
import type { Packing } from "./field.js";
import { healpixCoordinates } from "./healpix.js";
import { unpackRunLength } from "./packing/run-length.js";
import { projectionOf } from "./projections.js";
import { indexGrib } from "./scan.js";
import { memorySource } from "../byte-source.js";

const fixture = (name: string) => new Uint8Array(readFileSync(new URL(`fixtures/${name}`, import.meta.url)));
const json = <T>(name: string) => JSON.parse(new TextDecoder().decode(fixture(name))) as T;

describe("every packing gives ecCodes' values (fixtures/make-fixtures.py)", async () => {
  const source = memorySource(fixture("packings.grib"));
  const { fields, problems } = await indexGrib(source, "packings.grib");
  const expected = new Float64Array(fixture("packings.f64").buffer);
  const rows = json<[label: string, points: number][]>("packings.json");
  it("finds every message", () => {
    expect(problems).toEqual([]);
    expect(fields.length).toBe(rows.length);
  });
  let begin = 0;
  rows.forEach(([label, points], i) => {
    const want = expected.subarray(begin, begin + points);
    begin += points;
    it(label, async () => {
      const values = await decodeField(source, fields[i]);
      expect(values.length).toBe(points);
      const present = want.filter((x) => !Number.isNaN(x));
      // Two orders of the same three roundings of a float64.
      const tolerance = 1e-13 * Math.max(...present.map(Math.abs), 1e-3);
      for (let p = 0; p < points; p++) {
        if (Number.isNaN(want[p])) expect(values[p], `point ${p}`).toBeNaN();
        else
          expect(Math.abs(values[p] - want[p]), `point ${p}: ${values[p]} for ${want[p]}`).toBeLessThanOrEqual(
            tolerance,
          );
      }
    });
  });
});

describe("every grid has ecCodes' latitudes and longitudes (fixtures/make-fixtures.py)", async () => {
  const { fields } = await indexGrib(memorySource(fixture("grids.grib")), "grids.grib");
  const rows =
    json<{ type: string; edition: number; points: number; samples: [number, number, number][] }[]>("grids.json");
  rows.forEach(({ type, edition, points, samples }, i) => {
    it(`${type}, edition ${edition}, ${points} points`, () => {
      const { grid } = fields[i];
      expect(grid.type).toBe(type);
      const { kind, latitude, longitude } = gridCoordinates(grid);
      const ni = longitude.length;
      for (const [at, lat, lon] of samples) {
        const [j, k] = kind === "axes" ? [Math.floor(at / ni), at % ni] : [at, at];
        // Edition 1 gives corners to a thousandth of a degree, and ecCodes adds rounded increments.
        const tolerance = edition === 1 ? 2e-3 : 2e-5;
        expect(Math.abs(latitude[j] - lat)).toBeLessThan(tolerance);
        const turn = Math.abs(((longitude[k] - lon + 540) % 360) - 180);
        expect(turn * Math.cos((lat * Math.PI) / 180)).toBeLessThan(tolerance);
      }
    });
  });
});

describe("HEALPix", () => {
  const common = {
    type: "healpix",
    key: "",
    scanning: { iNegative: false, jPositive: false, jConsecutive: false, alternating: false },
  };
  const grid = (nside: number, nested: boolean) =>
    healpixCoordinates({ ...common, kind: "healpix", nside, nested, points: 12 * nside * nside, firstLongitude: 45 });

  it("has the twelve base pixels where Gorski et al. 2005 put them", () => {
    const { latitude, longitude } = grid(1, false);
    const polar = (Math.asin(2 / 3) * 180) / Math.PI;
    expect([...latitude].map((x) => x.toFixed(9))).toEqual(
      [polar, polar, polar, polar, 0, 0, 0, 0, -polar, -polar, -polar, -polar]
        .map((x) => x.toFixed(9))
        .map((x) => (x === "-0.000000000" ? "0.000000000" : x)),
    );
    expect([...longitude]).toEqual([45, 135, 225, 315, 0, 90, 180, 270, 45, 135, 225, 315]);
  });

  it("numbers nested pixels as healpy does: nest2ring(2, 0..9) = 13, 5, 4, 0, 15, 7, 6, 1, 17, 9", () => {
    const [nested, ring] = [grid(2, true), grid(2, false)];
    [13, 5, 4, 0, 15, 7, 6, 1, 17, 9].forEach((to, from) => {
      expect(nested.latitude[from]).toBeCloseTo(ring.latitude[to], 10);
      expect(nested.longitude[from]).toBeCloseTo(ring.longitude[to], 10);
    });
  });

  it("has the same points in both orders", () => {
    const places = ({ latitude, longitude }: { latitude: Float64Array; longitude: Float64Array }) =>
      [...latitude].map((lat, i) => `${lat.toFixed(8)} ${longitude[i].toFixed(8)}`).sort();
    expect(places(grid(8, true))).toEqual(places(grid(8, false)));
  });
});

describe("scanning", () => {
  const grid = (jConsecutive: boolean, alternating: boolean) => ({
    kind: "latlon" as const,
    type: "regular_ll",
    key: "",
    ...{ ni: 3, nj: 2, points: 6, firstLatitude: 1, lastLatitude: 0, firstLongitude: 0, lastLongitude: 2 },
    scanning: { iNegative: false, jPositive: false, jConsecutive, alternating },
  });
  it.each([
    [false, false, [1, 2, 3, 4, 5, 6]],
    [false, true, [1, 2, 3, 6, 5, 4]],
    [true, false, [1, 3, 5, 2, 4, 6]],
    [true, true, [1, 4, 5, 2, 3, 6]],
  ])("columns first %s, alternating %s", (jConsecutive, alternating, rows) => {
    expect([...gridOrder(Float64Array.of(1, 2, 3, 4, 5, 6), grid(jConsecutive, alternating))]).toEqual(rows);
  });
});

describe("run length", () => {
  const packing: Extract<Packing, { kind: "run-length" }> = {
    kind: "run-length",
    bits: 4,
    maxLevel: 5,
    levels: [0.1, 0.2, 0.3, 0.4, 0.5],
  };
  it("repeats a level by digits to the base 2^bits - 1 - maxLevel, lowest first", () => {
    // Base 10. 3; 0 twelve times: 11 = 1 + 1 x 10 as digits 7, 7; 5.
    const out = new Float64Array(14);
    unpackRunLength(Uint8Array.of(0x30, 0x77, 0x50), packing, out.subarray(0, 14));
    expect([...out]).toEqual([0.3, ...new Array<number>(12).fill(NaN), 0.5]);
  });
  it("refuses more values than there are points", () => {
    expect(() => unpackRunLength(Uint8Array.of(0x3f), packing, new Float64Array(2))).toThrow(/more than the 2 values/);
  });
});

describe("projections on an ellipsoid agree with Snyder's worked examples (USGS PP 1395, appendix A)", () => {
  const common = {
    type: "",
    key: "",
    points: 1,
    ni: 1,
    nj: 1,
    kind: "projected" as const,
    firstLatitude: 0,
    firstLongitude: 0,
    dx: 1,
    dy: 1,
  };
  const scanning = { iNegative: false, jPositive: true, jConsecutive: false, alternating: false };
  const ellipsoid = (major: number, squared: number) => ({ major, minor: major * Math.sqrt(1 - squared) });
  const clarke = ellipsoid(6378206.4, 0.00676866);
  const base = { ...common, scanning, southPole: false, trueLatitude: 0, parallels: [0, 0] as const, orientation: 0 };
  const both = (grid: Parameters<typeof projectionOf>[0], latitude: number, longitude: number) => {
    const projection = projectionOf(grid);
    const [x, y] = projection.forward(latitude, longitude);
    const [lat, lon] = projection.inverse(x, y);
    expect(lat).toBeCloseTo(latitude, 9);
    expect(lon).toBeCloseTo(longitude, 9);
    return [x, y];
  };
  it("Lambert, page 296", () => {
    const grid = {
      ...base,
      projection: "lambert" as const,
      earth: clarke,
      parallels: [33, 45] as const,
      orientation: -96,
    };
    const [x, y] = both(grid, 35, -75);
    const origin = projectionOf(grid).forward(23, -96)[1];
    expect(x).toBeCloseTo(1894410.9, 0);
    expect(y - origin).toBeCloseTo(1564649.5, 0);
  });
  it("polar stereographic, south, page 315", () => {
    const earth = ellipsoid(6378388, 0.00672267);
    const [x, y] = both(
      { ...base, projection: "polar", earth, southPole: true, trueLatitude: -71, orientation: -100 },
      -75,
      -210,
    );
    expect(x).toBeCloseTo(-1540033.6, 0);
    expect(y).toBeCloseTo(-560526.4, 0);
  });
  it("Mercator, page 267", () => {
    const [x, y] = both({ ...base, projection: "mercator", earth: clarke }, 35, 105);
    expect(x).toBeCloseTo(11688673.7, 0);
    expect(y).toBeCloseTo(4139145.6, 0);
  });
});
