import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { formatTime, MS_PER_DAY, MS_PER_HOUR } from "../earth/time.js";
import { type NdArray } from "../tensor/ndarray.js";
import { climatology, climatologyAt, climatologyDataset } from "./climatology.js";
import { concatenate } from "./concatenate.js";
import { canonical, ordered, readCoordinate, readLeadHours, readTimes, withLongitudes } from "./coords.js";
import { type Dataset, type MemoryVariable, memoryDataset, variable } from "./dataset.js";
import { openDataset } from "./open.node.js";
import { splitByTime } from "./split.js";
import { statistics } from "./statistics.js";
import { indicesInSpan, subset } from "./subset.js";

const f64 = (shape: number[], values: ArrayLike<number>): NdArray => ({
  dtype: "float64",
  shape,
  data: Float64Array.from(values),
});
const axis = (name: string, values: number[], units: string): Record<string, MemoryVariable> => ({
  [name]: { dims: [name], data: f64([values.length], values), attrs: { units } },
});

/** value = 1000 time + 100 latitude index + longitude index. */
function grid(
  options: {
    times?: number[];
    lats?: number[];
    lons?: number[];
    units?: string;
    names?: [string, string, string];
  } = {},
): Dataset {
  const {
    times = [0, 6, 12, 18],
    lats = [60, 30, 0],
    lons = [0, 90, 180, 270],
    units = "hours since 2013-01-01",
    names = ["time", "latitude", "longitude"],
  } = options;
  const values = times.flatMap((_, t) => lats.flatMap((_, y) => lons.map((_, x) => 1000 * t + 100 * y + x)));
  return memoryDataset({
    ...axis(names[0], times, units),
    ...axis(names[1], lats, "degrees_north"),
    ...axis(names[2], lons, "degrees_east"),
    v: { dims: names, data: f64([times.length, lats.length, lons.length], values), attrs: { units: "K" } },
  });
}
const values = async (dataset: Dataset, name = "v"): Promise<number[]> =>
  Array.from((await variable(dataset, name).read()).data as Float64Array);

describe("coordinates", () => {
  it("are found by attributes and names and renamed", async () => {
    const dataset = canonical(grid({ names: ["valid_time", "lat", "x"] }));
    expect(Object.keys(dataset.dims)).toEqual(["time", "latitude", "longitude"]);
    expect(variable(dataset, "v").dims).toEqual(["time", "latitude", "longitude"]);
    expect((await variable(dataset, "v").read({ time: 1, latitude: [2, 0], longitude: 3 })).data).toEqual(
      Float64Array.of(1203, 1003),
    );
    expect(formatTime((await readTimes(dataset)).values[3])).toBe("2013-01-01T18:00:00Z");
    await expect(variable(dataset, "v").read({ lat: 0 })).rejects.toThrow(
      /no dimension 'lat'; it has time, latitude, longitude/,
    );
  });

  it("are sorted and turned where asked, and refused with a word where not in order", async () => {
    const shuffled = grid({ lats: [60, 0, 30] });
    expect(Array.from(await readCoordinate(await ordered(shuffled, "latitude"), "latitude"))).toEqual([0, 30, 60]);
    const falling = await ordered(shuffled, "latitude", { order: "descending" });
    expect((await variable(falling, "v").read({ time: 0, longitude: 0 })).data).toEqual(Float64Array.of(0, 200, 100));
    const turned = await withLongitudes(grid(), { from: -180 });
    expect(Array.from(await readCoordinate(turned, "longitude"))).toEqual([-180, -90, 0, 90]);
    expect((await variable(turned, "v").read({ time: 0, latitude: 0 })).data).toEqual(Float64Array.of(2, 3, 0, 1));
  });

  it("decode lead times and say what is missing", async () => {
    const lead = memoryDataset({
      step: { dims: ["step"], data: f64([2], [0, 21.6e12]), attrs: { units: "nanoseconds" } },
    });
    expect(Array.from(await readLeadHours(canonical(lead)))).toEqual([0, 6]);
    await expect(readTimes(lead)).rejects.toThrow(/no coordinate 'time'; it has step/);
    const bare = memoryDataset({ time: { dims: ["time"], data: f64([1], [0]) } });
    await expect(readTimes(bare)).rejects.toThrow(/'time' has no units/);
    await expect(readTimes(grid({ units: "months since 2000-01-01" }))).rejects.toThrow(
      /cannot be decoded: .*no fixed length/,
    );
  });
});

describe("subset", () => {
  it("cuts names, boxes, times", async () => {
    const part = await subset(grid(), {
      variables: ["v"],
      box: { south: 0, north: 30, west: 90, east: 180 },
      time: { start: "2013-01-01T06", end: "2013-01-01T12" },
    });
    expect(part.dims).toEqual({ time: 2, latitude: 2, longitude: 2 });
    expect(await values(part)).toEqual([1101, 1102, 1201, 1202, 2101, 2102, 2201, 2202]);
  });

  it("crosses the seam of the grid with rising longitudes", async () => {
    const part = await subset(grid(), { box: { west: -100, east: 90 } });
    expect(Array.from(await readCoordinate(part, "longitude"))).toEqual([-90, 0, 90]);
    expect((await variable(part, "v").read({ time: 0, latitude: 0 })).data).toEqual(Float64Array.of(3, 0, 1));
    const europe = await subset(grid(), { box: { west: 270, east: 90 } });
    expect(Array.from(await readCoordinate(europe, "longitude"))).toEqual([270, 360, 450]);
    expect((await subset(grid(), { box: { west: 0, east: 360 } })).dims["longitude"]).toBe(4);
  });

  it("takes a year's name for the whole year", () => {
    const times = [Date.UTC(2013, 11, 31, 18), Date.UTC(2014, 0, 1), Date.UTC(2014, 11, 31, 18), Date.UTC(2015, 0, 1)];
    expect(indicesInSpan(times, { start: "2014", end: "2014" })).toEqual([1, 2]);
    expect(indicesInSpan(times, { end: "2013-12" })).toEqual([0]);
    expect(indicesInSpan(times, { start: "2014-12-31", end: "2014-12-31" })).toEqual([2]);
    expect(indicesInSpan(times, { end: Date.UTC(2014, 0, 1) })).toEqual([0, 1]);
  });

  it("says what is not there", async () => {
    await expect(subset(grid(), { variables: ["w"] })).rejects.toThrow(/no variable 'w'/);
    await expect(subset(grid(), { time: { start: "2020" } })).rejects.toThrow(
      /no time lies in 2020 to \.\.\.; it has 2013-01-01T00:00:00Z to 2013-01-01T18:00:00Z/,
    );
    await expect(subset(grid(), { box: { south: 80 } })).rejects.toThrow(
      /no latitude lies in the box .* it has 0 to 60/,
    );
    await expect(subset(grid(), { levels: [500] })).rejects.toThrow(/no coordinate 'level'/);
  });
});

describe("concatenate", () => {
  it("joins files along time, whatever their units", async () => {
    const whole = concatenate([grid(), grid({ units: "days since 2013-01-02", times: [0, 0.25] })], "time");
    expect(whole.dims["time"]).toBe(6);
    expect(Array.from((await readTimes(whole)).values, (t) => formatTime(t).slice(8, 13))).toEqual([
      "01T00",
      "01T06",
      "01T12",
      "01T18",
      "02T00",
      "02T06",
    ]);
    expect(
      (await variable(whole, "v").read({ time: [5, 0, 4], latitude: 1, longitude: { start: 1, stop: 3 } })).data,
    ).toEqual(Float64Array.of(1101, 1102, 101, 102, 101, 102));
    expect((await variable(whole, "v").read({ time: 4 })).shape).toEqual([3, 4]);
    expect(() => concatenate([grid(), grid({ lats: [1, 2] })], "time")).toThrow(/does not go on from/);
  });
});

describe("splits", () => {
  const times = Float64Array.from({ length: 100 }, (_, i) => Date.UTC(2013, 0, 1) + i * MS_PER_DAY);
  it("never overlap and keep their distance", () => {
    const parts = splitByTime(times, {
      train: { end: "2013-02" },
      validation: { start: "2013-03-01", end: "2013-03-15" },
      test: { start: "2013-03-16" },
      gap: 120,
    });
    expect([parts.train.length, parts.validation[0], parts.validation.length, parts.test[0]]).toEqual([59, 63, 11, 78]);
    expect((times[parts.validation[0]] - times[parts.train.at(-1)!]) / MS_PER_HOUR).toBeGreaterThanOrEqual(120);
  });
  it("are refused where they overlap or are empty", () => {
    expect(() => splitByTime(times, { train: { end: "2013-03" }, test: { start: "2013-03-31" } })).toThrow(
      /train and test spans overlap/,
    );
    expect(() => splitByTime(times, { train: { end: "2013-02" }, test: { start: "2014" } })).toThrow(
      /no time lies in the test span 2014/,
    );
    expect(() =>
      splitByTime(times, { train: { end: "2013-02" }, test: { start: "2013-03", end: "2013-03-02" }, gap: 240 }),
    ).toThrow(/leaves nothing of the test span/);
  });
});

describe("statistics", () => {
  it("are exact, level by level, and leave missing values out", async () => {
    // two levels: 1e8 + {1, 2, 3, 4} and {-1, 1, NaN, 3}; population deviations sqrt(1.25) and sqrt(8/3)
    const dataset = memoryDataset({
      z: { dims: ["time", "level", "x"], data: f64([2, 2, 2], [1e8 + 1, 1e8 + 2, -1, 1, 1e8 + 3, 1e8 + 4, NaN, 3]) },
    });
    const { z } = await statistics(dataset, ["z"]);
    expect(Array.from(z.mean)).toEqual([1e8 + 2.5, 1]);
    expect(z.std[0]).toBeCloseTo(Math.sqrt(1.25), 12);
    expect(z.std[1]).toBeCloseTo(Math.sqrt(8 / 3), 12);
    expect([z.count[1], z.missing[1], z.min[1], z.max[1]]).toEqual([3, 1, -1, 3]);
    expect((await statistics(dataset, ["z"], { time: [0] }))["z"].mean[1]).toBe(0);
    await expect(statistics(dataset, ["z"], { time: [1], x: [0] })).rejects.toThrow(
      /every value of 'z' on level 1 is missing/,
    );
  });
});

describe("climatology", () => {
  const reference = JSON.parse(readFileSync(new URL("./fixtures/climatology.json", import.meta.url), "utf8")) as {
    days: number[];
    values: number[][][];
  };
  const count = (Date.UTC(2021, 11, 31, 12) - Date.UTC(2019, 0, 1)) / (12 * MS_PER_HOUR) + 1;
  const field = (t: number, c: number): number =>
    280 + 10 * Math.cos((2 * Math.PI * t) / 730.5 + c) + 3 * Math.sin(2.7 * t + c) + 0.001 * t * (c + 1);
  const series = (from = 0, to = count): Dataset =>
    memoryDataset({
      ...axis(
        "time",
        Array.from({ length: to - from }, (_, i) => 12 * (i + from)),
        "hours since 2019-01-01",
      ),
      t: {
        dims: ["time", "x"],
        data: f64(
          [to - from, 2],
          Array.from({ length: 2 * (to - from) }, (_, i) => field(from + (i >> 1), i % 2)),
        ),
        attrs: { units: "K" },
      },
    });

  it("is WeatherBench 2's", async () => {
    for (const memory of [2 ** 20, 1]) {
      const normal = await climatology(series(), ["t"], { memory });
      expect(normal.hours).toEqual([0, 12]);
      reference.days.forEach((day, d) =>
        [0, 12].forEach((hour, h) => {
          const ms = Date.UTC(2020, 0, day, hour);
          const got = climatologyAt(normal, "t", ms);
          [0, 1].forEach((c) => expect(got[c] / reference.values[h][d][c]).toBeCloseTo(1, 6));
        }),
      );
    }
  });

  it("gives any instant from little more than a year, and no less", async () => {
    const normal = await climatology(series(0, 760), ["t"]);
    const [a, b] = [
      climatologyAt(normal, "t", Date.UTC(2013, 5, 5)),
      climatologyAt(normal, "t", Date.UTC(2013, 5, 5, 12)),
    ];
    expect(climatologyAt(normal, "t", Date.UTC(2013, 5, 5, 3))[0]).toBeCloseTo(0.75 * a[0] + 0.25 * b[0], 3);
    const midnight = climatologyAt(normal, "t", Date.UTC(2013, 5, 6));
    expect(climatologyAt(normal, "t", Date.UTC(2013, 5, 5, 18))[1]).toBeCloseTo((b[1] + midnight[1]) / 2, 3);
    expect(climatologyDataset(normal).dims).toEqual({ hour: 2, dayofyear: 366, x: 2 });
    await expect(climatology(series(0, 300), ["t"])).rejects.toThrow(
      /nothing within 29 days of day \d+ of the year .* at least a whole year/,
    );
  });

  const shared = path.join(
    process.env["FOEHN_SHARED"] ?? path.join(import.meta.dirname, "../../../shared"),
    "data/ncep-air-na/air_temperature.zarr",
  );
  it.skipIf(!existsSync(shared))(
    "of the real ncep-air-na beats its mean (needs ../shared/data/ncep-air-na)",
    async () => {
      const dataset = await openDataset(shared);
      const { values: times } = await readTimes(dataset);
      const { train, test } = splitByTime(times, { train: { end: "2014-03" }, test: { start: "2014-07" } });
      const normal = await climatology(dataset, ["air"], { times: train });
      const truth = (await variable(dataset, "air").read({ time: test })).data as Float32Array;
      let squares = 0;
      const cells = 25 * 53;
      test.forEach((time, i) => {
        const c = climatologyAt(normal, "air", times[time]);
        for (let k = 0; k < cells; k++) squares += (truth[i * cells + k] - c[k]) ** 2;
      });
      // unweighted over the grid; the season's harmonic fit gives about 3.4 K with cosine weights
      expect(Math.sqrt(squares / truth.length)).toBeLessThan(4.2);
    },
  );
});
