import { describe, expect, it } from "vitest";
import { type Dataset, memoryDataset, type MemoryVariable } from "../../data/dataset.js";
import { random } from "../../tensor/random.js";
import { siteMembers } from "./data.js";
import { sampleOf } from "./samples.js";
import { errorsOf, relativeError, scoredPicks, scoredStarts } from "./scores.js";
import { stencil } from "./surroundings.js";
import { parseSharedTask, type SharedTask } from "./task.js";

/** Distance along a great circle by the haversine formula, km. */
function distance([lat1, lon1]: readonly number[], [lat2, lon2]: readonly number[]): number {
  const rad = Math.PI / 180;
  const h =
    Math.sin(((lat2 - lat1) * rad) / 2) ** 2 +
    Math.cos(lat1 * rad) * Math.cos(lat2 * rad) * Math.sin(((lon2 - lon1) * rad) / 2) ** 2;
  return 2 * 6371.0088 * Math.asin(Math.sqrt(h));
}

describe("the square of points around a place", () => {
  it.each([
    [0, 10],
    [52, 5],
    [-75, 359],
    [89.5, 100],
  ])("at %d N %d E lies as far away as it should, pole or not", (latitude, longitude) => {
    const places = { latitudes: Float64Array.of(latitude), longitudes: Float64Array.of(longitude) };
    const { latitudes, longitudes } = stencil(places, { reach: 1000, points: 3 });
    const away = Array.from(latitudes, (lat, i) => distance([latitude, longitude], [lat, longitudes[i]]));
    const corner = 1000 * Math.SQRT2;
    [corner, 1000, corner, 1000, 0, 1000, corner, 1000, corner].forEach((km, i) => expect(away[i]).toBeCloseTo(km, 3));
    if (Math.abs(latitude) > 60) return;
    expect(latitudes[7]).toBeGreaterThan(latitude);
    expect(longitudes[5]).toBeGreaterThan(longitude);
  });

  it("keeps the cells of a grid together, point by point", () => {
    const grid = { latitudes: Float64Array.of(40, 42), longitudes: Float64Array.of(0, 3, 6) };
    const { latitudes, longitudes } = stencil(grid, { reach: 100, points: 3 });
    expect(latitudes.length).toBe(9 * 6);
    expect(Array.from(latitudes.subarray(24, 30))).toEqual([40, 40, 40, 42, 42, 42]);
    expect(Array.from(longitudes.subarray(24, 30))).toEqual([0, 3, 6, 0, 3, 6]);
  });
});

const TIMES = 700;
const LONGITUDES = Array.from({ length: 21 }, (_, i) => 2 * i);

/** Weather that moves two columns (four degrees) east in each step; the station stands at 20 E. */
function world(): { station: Dataset; field: (from?: number, count?: number) => Dataset } {
  const rng = random(3);
  const columns: number[][] = Array.from({ length: TIMES }, () => []);
  for (let t = 0; t < TIMES; t++)
    for (let x = 0; x < LONGITUDES.length; x++)
      columns[t].push(t > 0 && x >= 2 ? 0.95 * columns[t - 1][x - 2] + 0.2 * rng.normal() : rng.normal());
  const time = (from: number, count: number): [string, MemoryVariable] => [
    "time",
    {
      dims: ["time"],
      data: { dtype: "float64", shape: [count], data: Float64Array.from({ length: count }, (_, t) => 6 * (from + t)) },
      attrs: { units: "hours since 2001-01-01", calendar: "standard" },
    },
  ];
  const axis = (name: string, dim: string, values: readonly number[]): [string, MemoryVariable] => [
    name,
    { dims: [dim], data: { dtype: "float64", shape: [values.length], data: Float64Array.from(values) } },
  ];
  const values = (name: string, dims: string[], shape: number[], data: number[]): [string, MemoryVariable] => [
    name,
    { dims, data: { dtype: "float64", shape, data: Float64Array.from(data) }, attrs: { units: "K" } },
  ];
  const rows = [46, 50, 54];
  return {
    station: memoryDataset(
      Object.fromEntries([
        time(0, TIMES),
        values(
          "heat",
          ["time", "station"],
          [TIMES, 1],
          columns.map((row) => 280 + row[10]),
        ),
        axis("latitude", "station", [50]),
        axis("longitude", "station", [20]),
      ]),
      { source: "station" },
    ),
    field: (from = 0, count = TIMES) =>
      memoryDataset(
        Object.fromEntries([
          time(from, count),
          values(
            "heat",
            ["time", "latitude", "longitude"],
            [count, rows.length, LONGITUDES.length],
            Array.from({ length: count }, (_, t) => columns[(from + t) % TIMES]).flatMap((row) =>
              rows.flatMap(() => row.map((v) => 280 + v)),
            ),
          ),
          axis("latitude", "latitude", rows),
          axis("longitude", "longitude", LONGITUDES),
        ]),
        { source: "field" },
      ),
  };
}

const task = parseSharedTask({
  variables: ["heat"],
  forecast: { step: 6, leads: [6], lags: [6] },
  // At 50 N four degrees of longitude are 286 km
  surroundings: { variables: ["heat"], reach: 286, points: 3, lags: [6] },
  split: { train: 0.6, validation: 0.15, blocks: 2 },
});
const { surroundings: _, ...rest } = task;
const bare: SharedTask = rest;

const ridgeError = async (given: SharedTask, station: Dataset, field?: Dataset): Promise<number> => {
  const { members, variables } = await siteMembers(station, given, { surroundings: field });
  const starts = scoredStarts(members[0], given, "test", Infinity);
  const guesses = scoredPicks(members, given, starts).map(({ member, start, lead }) => member.ridge.at(start, lead));
  return relativeError(
    errorsOf(given, members, variables, starts, "ridge", guesses),
    errorsOf(given, members, variables, starts, "damped"),
  );
};

describe("a site that sees the fields around it", () => {
  it("foretells what comes from the west, which its own past does not say", async () => {
    const { station, field } = world();
    expect(await ridgeError(bare, station)).toBeGreaterThan(0.9);
    // What is left is the noise of a step: 0.2^2 of a variance of about 0.04 / (1 - 0.95^2)
    expect(await ridgeError(task, station, field())).toBeLessThan(0.3);
  });

  it("is shown each point's departure, then its change; a time without a field as nothing", async () => {
    const { station, field } = world();
    const { members } = await siteMembers(station, task, { surroundings: field(0, 600) });
    const [member] = members;
    const shown = (start: number) => sampleOf(task, { member, start, lead: 0 }).fields.slice(-18);
    const { departures } = member.surroundings!;
    const at = (t: number, point: number) => departures[t * 9 + point];
    const maps = shown(300);
    for (const point of [0, 4, 8]) {
      expect(maps[point]).toBeCloseTo(at(300, point), 6);
      expect(maps[9 + point]).toBeCloseTo(at(300, point) - at(299, point), 6);
    }
    expect(Array.from(shown(650)).every((v) => v === 0)).toBe(true);
  });

  it("says what the fields lack, and where to name them", async () => {
    const { station, field } = world();
    await expect(siteMembers(station, task)).rejects.toThrow(/look at the fields around them \(heat\).*--surroundings/);
    const damp = parseSharedTask({ ...task, surroundings: { ...task.surroundings, variables: ["heat", "damp"] } });
    await expect(siteMembers(station, damp, { surroundings: field() })).rejects.toThrow(/field: it has no damp/);
    await expect(siteMembers(station, task, { surroundings: field(600, 500) })).rejects.toThrow(
      /field: it has a field at the site's place for 100 of the record's 700 times/,
    );
  });
});
