import { describe, expect, it } from "vitest";
import {
  dewPoint,
  dewPointOfRelativeHumidity,
  relativeHumidity,
  relativeHumidityOfDewPoint,
  saturationVapourPressure,
  specificHumidity,
  vapourPressure,
} from "./moisture.js";
import { isUnit } from "./units.js";
import { identify, QUANTITIES, quantity, toCanonical } from "./variables.js";
import { windComponents, windDirection, windSpeed } from "./wind.js";

describe("the catalogue", () => {
  it("has one name each, units that are known and ranges that are", () => {
    expect(new Set(QUANTITIES.map((q) => q.name)).size).toBe(QUANTITIES.length);
    for (const q of QUANTITIES) {
      expect([q.name, isUnit(q.units), q.range[0] < q.range[1]]).toEqual([q.name, true, true]);
      expect(q.grib2 === undefined || q.grib2.every(Number.isInteger)).toBe(true);
    }
  });

  it("tells quantities by any of their names", () => {
    const cases: [string, Record<string, unknown>, string[], string][] = [
      ["t2m", { units: "K" }, ["time"], "2m_temperature"],
      ["tas", { standard_name: "air_temperature", units: "K" }, ["time"], "2m_temperature"],
      ["t", { standard_name: "air_temperature", units: "K" }, ["time", "level"], "temperature"],
      ["air", { units: "degK" }, ["time"], "temperature"],
      ["z", { units: "m**2 s**-2", standard_name: "geopotential" }, ["level"], "geopotential"],
      ["z500", { units: "m" }, ["time"], "geopotential_height"],
      ["pr", { units: "mm day-1", standard_name: "precipitation_flux" }, ["time"], "precipitation_rate"],
      ["tp", { units: "m" }, ["time"], "total_precipitation"],
      ["x", { GRIB_paramId: 151 }, [], "mean_sea_level_pressure"],
      ["hfds", { units: "W m-2" }, [], "downward_heat_flux_in_sea_water"],
      ["unknown", { standard_name: "eastward_wind", units: "m s-1" }, ["level"], "u_component_of_wind"],
    ];
    for (const [name, attrs, dims, expected] of cases)
      expect([name, identify({ name, attrs, dims })?.name]).toEqual([name, expected]);
    expect(identify({ name: "banana", attrs: {} })).toBeUndefined();
    expect(identify({ name: "t2m", attrs: { units: "Pa" } })).toBeUndefined();
    expect(quantity("TASMAX")?.name).toBe("maximum_2m_temperature");
  });

  it("brings units to its own", () => {
    expect(toCanonical(quantity("tp")!, "m")).toEqual({ scale: 1000, offset: 0 });
    expect(toCanonical(quantity("pr")!, "mm day-1").scale).toBeCloseTo(1 / 86400, 15);
    expect(toCanonical(quantity("2t")!, "degC")).toEqual({ scale: 1, offset: 273.15 });
  });
});

describe("water vapour", () => {
  it("agrees with published tables", () => {
    // WMO-No. 8, Annex 4.B: saturation over water 6.107 hPa at 0 C, 12.272 at 10 C, 23.37 at 20 C, 42.43 at 30 C; Bolton's fit is within 0.3 %
    for (const [celsius, hectopascal] of [
      [0, 6.107],
      [10, 12.272],
      [20, 23.37],
      [30, 42.43],
    ])
      expect(saturationVapourPressure(273.15 + celsius) / 100 / hectopascal).toBeCloseTo(1, 2);
    // 20 C and 50 %: dew point 9.3 C
    expect(dewPointOfRelativeHumidity(0.5, 293.15) - 273.15).toBeCloseTo(9.26, 1);
  });
  it("goes round without loss", () => {
    expect(dewPoint(saturationVapourPressure(281.3))).toBeCloseTo(281.3, 9);
    const q = specificHumidity(1234, 95_000);
    expect(vapourPressure(q, 95_000)).toBeCloseTo(1234, 9);
    expect(relativeHumidityOfDewPoint(280, 280)).toBe(1);
    expect(relativeHumidity(specificHumidity(saturationVapourPressure(290), 1e5), 290, 1e5)).toBeCloseTo(1, 9);
  });
});

describe("wind", () => {
  it("comes from where WMO says", () => {
    expect([
      windDirection(0, -5),
      windDirection(-5, 0),
      windDirection(0, 5),
      windDirection(5, 0),
      windDirection(0, 0),
    ]).toEqual([360, 90, 180, 270, 0]);
    const { u, v } = windComponents(10, 225);
    expect([u, v].map((x) => x.toFixed(6))).toEqual(["7.071068", "7.071068"]);
    expect([windSpeed(u, v), windDirection(u, v)].map((x) => x.toFixed(6))).toEqual(["10.000000", "225.000000"]);
  });
});
