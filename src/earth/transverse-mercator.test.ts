import { describe, expect, it } from "vitest";
import { inverseTransverseMercator, utm } from "./transverse-mercator.js";

describe("transverse Mercator", () => {
  it("gives the places of EPSG's worked example (Guidance Note 7-2, OSGB 1936 / British National Grid)", () => {
    const britain = {
      radius: 6_377_563.396,
      flattening: 1 / 299.32496,
      centralMeridian: -2,
      scale: 0.9996012717,
      falseEasting: 400_000,
      // Origin at 49 N: its meridian arc is taken off with the false northing
      falseNorthing: -100_000 - 0.9996012717 * 5_429_228.602,
    };
    const [latitude, longitude] = inverseTransverseMercator(britain, 577_274.99, 69_740.5);
    expect(latitude).toBeCloseTo(50.5, 6);
    expect(longitude).toBeCloseTo(0.5, 6);
  });
  it("lies on the central meridian at the false easting, and is even about it", () => {
    expect(inverseTransverseMercator(utm(30), 500_000, 0)).toEqual([0, -3]);
    const [east, west] = [700_000, 300_000].map((x) => inverseTransverseMercator(utm(30), x, 4_400_000));
    expect(east[0]).toBeCloseTo(west[0], 12);
    expect(east[1] + west[1]).toBeCloseTo(-6, 12);
  });
  it("keeps the length of the meridian: a quarter of it is 10 001 965.729 m on GRS 80 (Moritz 2000)", () => {
    const [latitude] = inverseTransverseMercator(utm(31), 500_000, 0.9996 * 10_001_965.7293);
    expect(latitude).toBeCloseTo(90, 7);
  });
});
