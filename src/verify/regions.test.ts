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
    const weights = regionWeights(name, { latitudes, longitudes }, latitudeWeights(latitudes, "wb2"));
    const rows = truth.map((o, t) => addField(new Float64Array(WIDTH), { forecast: forecast[t], truth: o, weights }));
    expect(Math.abs(evaluate(mse, rows) / goldens.wb2[`MSE_${name}`] - 1)).toBeLessThan(1e-6);
  },
);

it("does not care whether longitudes run from 0 or from -180", () => {
  const shifted = longitudes.map((l) => (l > 180 ? l - 360 : l));
  const ones = new Float64Array(latitudes.length).fill(1);
  for (const name of ["europe", "north-pacific"])
    expect(regionWeights(name, { latitudes, longitudes: shifted }, ones)).toEqual(
      regionWeights(name, { latitudes, longitudes }, ones),
    );
});

it("names the nearest region, and says when the grid has none of it", () => {
  expect(() => regionWeights("europa", { latitudes, longitudes }, latitudes)).toThrow(/did you mean 'europe'/);
  expect(() => regionWeights("arctic", { latitudes: [0, 10], longitudes: [0] }, [1, 1])).toThrow(
    /no cell in the region 'arctic'/,
  );
});

it("tells land from sea, alone and within a region, on grids and at stations", () => {
  // London, Paris, the Bay of Biscay, the Sahara, the South Pacific, the South Pole
  const places = { latitudes: [51.6, 48.8, 45.5, 22, -40, -89], longitudes: [0, 2.3, -5, 10, 230, 0], scattered: true };
  const ones = new Float64Array(6).fill(1);
  expect([...regionWeights("land", places, ones)]).toEqual([1, 1, 0, 1, 0, 1]);
  expect([...regionWeights("sea", places, ones)]).toEqual([0, 0, 1, 0, 1, 0]);
  expect([...regionWeights("europe+land", places, ones)]).toEqual([1, 1, 0, 0, 0, 0]);
  expect([...regionWeights("mine=40/50/-10/5", places, ones)]).toEqual([0, 1, 1, 0, 0, 0]);
  expect(() => regionWeights("mine=40/50", places, ones)).toThrow(/south\/north\/west\/east/);
  // 29.2 % of the Earth is land.
  const [rows, columns] = [
    Array.from({ length: 180 }, (_, i) => -89.5 + i),
    Array.from({ length: 360 }, (_, j) => j + 0.5),
  ];
  const share =
    regionWeights("land", { latitudes: rows, longitudes: columns }, latitudeWeights(rows)).reduce((a, b) => a + b) /
    (180 * 360);
  expect(share).toBeGreaterThan(0.282);
  expect(share).toBeLessThan(0.302);
});
