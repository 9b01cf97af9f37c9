import { expect, it } from "vitest";
import { closedForm, goldens } from "./fixtures/goldens.node.js";
import { regionWeights } from "./regions.js";
import { mse } from "./scores/mse.js";
import { addField, evaluate, WIDTH } from "./scores/sums.js";
import { latitudeWeights } from "../earth/weights.js";

const { latitudes, longitudes, truth, forecast } = closedForm();

it.each(["tropics", "northern-hemisphere", "arctic", "extra-tropics", "europe"])(
  "scores %s as WeatherBench 2 does",
  (name) => {
    const weights = regionWeights(name, latitudes, longitudes, latitudeWeights(latitudes, "wb2"));
    const rows = truth.map((o, t) => addField(new Float64Array(WIDTH), { forecast: forecast[t], truth: o, weights }));
    expect(Math.abs(evaluate(mse, rows) / goldens.wb2[`MSE_${name}`] - 1)).toBeLessThan(1e-6);
  },
);

it("does not care whether longitudes run from 0 or from -180", () => {
  const shifted = longitudes.map((l) => (l > 180 ? l - 360 : l));
  const ones = new Float64Array(latitudes.length).fill(1);
  for (const name of ["europe", "north-pacific"])
    expect(regionWeights(name, latitudes, shifted, ones)).toEqual(regionWeights(name, latitudes, longitudes, ones));
});

it("names the nearest region, and says when the grid has none of it", () => {
  expect(() => regionWeights("europa", latitudes, longitudes, latitudes)).toThrow(/did you mean 'europe'/);
  expect(() => regionWeights("arctic", [0, 10], [0], [1, 1])).toThrow(/no cell in the region 'arctic'/);
});
