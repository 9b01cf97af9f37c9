import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { conversion, convertUnits, isUnit, parseUnit } from "./units.js";

describe("units", () => {
  const rows = JSON.parse(readFileSync(new URL("./fixtures/udunits.json", import.meta.url), "utf8")) as [
    string,
    string,
    number,
    number,
  ][];
  it.each(rows)("%s to %s as UDUNITS does", (from, to, value, expected) => {
    expect(convertUnits([value], from, to)[0] / expected).toBeCloseTo(1, 9);
    expect(convertUnits([expected], to, from)[0]).toBeCloseTo(value, 6);
  });

  it("reads every spelling of the same", () => {
    for (const text of ["m s-1", "m s**-1", "m s^-1", "m/s", "m.s-1", "meters per second", "m*s^-1", "mps"])
      expect([text, parseUnit(text)]).toEqual([text, parseUnit("m s-1")]);
    for (const text of ["kg kg**-1", "kg/kg", "1", "", "(0 - 1)", "fraction"]) expect(parseUnit(text).scale).toBe(1);
    expect(parseUnit("W m**-2")).toEqual(parseUnit("J m-2 s-1"));
  });

  it("bridges water and geopotential only where told to", () => {
    expect(convertUnits([86.4], "mm day-1", "kg m-2 s-1", { water: true })[0]).toBeCloseTo(1e-3, 12);
    expect(convertUnits([1], "m", "kg m-2", { water: true })[0]).toBe(1000);
    expect(convertUnits([1], "kg m-2", "mm", { water: true })[0]).toBeCloseTo(1, 12);
    expect(convertUnits([9806.65], "m2 s-2", "gpm", { geopotential: true })[0]).toBeCloseTo(1000, 9);
    expect(() => conversion("mm", "kg m-2")).toThrow(/measure different things \(unless it is water/);
    expect(() => conversion("m**2 s**-2", "m")).toThrow(/unless it is geopotential/);
    expect(() => conversion("K", "Pa")).toThrow(/'K' cannot be converted to 'Pa'/);
  });

  it("leaves offsets out of differences", () => {
    expect(convertUnits([9], "degF", "K", { difference: true })[0]).toBeCloseTo(5, 12);
  });

  it("names the nearest known unit", () => {
    expect(() => parseUnit("kelvn")).toThrow(/did you mean 'kelvin'/);
    expect(isUnit("W m-2")).toBe(true);
    expect(isUnit("bananas")).toBe(false);
  });
});
