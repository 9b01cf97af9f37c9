import { describe, expect, it } from "vitest";
import { globalGrid, points } from "../earth/regrid/index.js";
import { type Dataset, memoryDataset, variable } from "./dataset.js";
import { regridded } from "./regrid.js";

const f64 = (shape: number[], values: ArrayLike<number>) => ({
  dtype: "float64" as const,
  shape,
  data: Float64Array.from(values),
});

/** value = 1000 time + latitude + 2 level, on (time, level, latitude, longitude) or with longitude before latitude. */
function sample(order: ("latitude" | "longitude")[]): Dataset {
  const lats = [-67.5, -22.5, 22.5, 67.5];
  const lons = [0, 90, 180, 270];
  const values: number[] = [];
  for (let t = 0; t < 2; t++)
    for (let l = 0; l < 2; l++)
      for (let a = 0; a < 4; a++)
        for (let b = 0; b < 4; b++) values.push(1000 * t + 2 * l + (order[0] === "latitude" ? lats[a] : lats[b]));
  return memoryDataset({
    latitude: { dims: ["latitude"], data: f64([4], lats) },
    longitude: { dims: ["longitude"], data: f64([4], lons) },
    scalar: { dims: ["time"], data: f64([2], [1, 2]) },
    v: { dims: ["time", "level", ...order], data: f64([2, 2, 4, 4], values), attrs: { units: "K" } },
  });
}

describe("a dataset on another grid", () => {
  it.each([[["latitude", "longitude"]], [["longitude", "latitude"]]] as ["latitude", "longitude"][][])(
    "from (%s)",
    async (order) => {
      const coarse = await regridded(sample(order), globalGrid("8x5"), { method: "bilinear" });
      expect(coarse.dims).toEqual({ time: 2, level: 2, latitude: 5, longitude: 8 });
      const v = variable(coarse, "v");
      expect(v.dims).toEqual(["time", "level", "latitude", "longitude"]);
      expect(v.attrs).toEqual({ units: "K" });
      // rows at -90 (the pole: the last row's mean), -45, 0, 45, 90
      const column = (await v.read({ time: 1, level: 1, longitude: 3 })).data as Float64Array;
      expect(Array.from(column, (x) => Number(x.toFixed(9)))).toEqual([934.5, 957, 1002, 1047, 1069.5]);
      const some = await v.read({ time: [1, 0], level: 0, latitude: { start: 1, stop: 3 }, longitude: 0 });
      expect([some.shape, Array.from(some.data as Float64Array, (x) => Number(x.toFixed(9)))]).toEqual([
        [2, 2],
        [955, 1000, -45, 0],
      ]);
      expect((await variable(coarse, "scalar").read()).data).toEqual(Float64Array.of(1, 2));
    },
  );

  it("at stations", async () => {
    const at = await regridded(sample(["latitude", "longitude"]), points([10, -30], [45, 350]));
    expect(variable(at, "v").dims).toEqual(["time", "level", "station"]);
    const values = (await variable(at, "v").read({ time: 0, level: 0 })).data as Float64Array;
    expect(Array.from(values, (x) => Number(x.toFixed(9)))).toEqual([10, -30]);
  });
});
