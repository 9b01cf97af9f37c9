import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import {
  correctForElevation,
  interpolateToStations,
  scoreStations,
  type Station,
  type StationCase,
} from "./stations.js";

const shared = process.env["FOEHN_SHARED"] ?? path.resolve(import.meta.dirname, "../../../shared");
const uwme = path.join(shared, "data/uwme-ensemble/srft.csv.gz");

describe("from grid to station", () => {
  const grid = { latitudes: [10, 0], longitudes: [0, 90, 180, 270] };
  const field = Float64Array.of(0, 1, 2, 3, 10, 11, 12, 13);
  const at = (latitude: number, longitude: number): Station => ({ id: "", latitude, longitude });
  it("interpolates between cells, across the seam, and refuses places outside", () => {
    const places = [at(5, 45), at(10, -90), at(0, 315)];
    expect([...interpolateToStations(field, grid, places)]).toEqual([5.5, 3, 11.5]);
    expect([...interpolateToStations(field, grid, [at(4, 60)], { method: "nearest" })]).toEqual([11]);
    const regional = { latitudes: [0, 10], longitudes: [350, 355, 360] };
    expect([
      ...interpolateToStations(Float64Array.of(0, 1, 2, 3, 4, 5), regional, [at(5, -7.5), at(5, 0), at(5, 1)]),
    ]).toEqual([2, 3.5, NaN]);
  });
  it("warms a valley below the model's ground by 6.5 K a kilometre", () => {
    const valley = { ...at(0, 0), elevation: 500 };
    expect([...correctForElevation([280, 280], [1500, 1500], [valley, at(0, 0)])]).toEqual([286.5, 280]);
  });
});

describe("scores", () => {
  const stations: Station[] = [
    { id: "a", latitude: 0, longitude: 0 },
    { id: "b", latitude: 1, longitude: 1 },
  ];
  it("counts each report once, leaves out what is bad and says why", () => {
    const cases: StationCase[] = [
      { leadHours: 24, members: [[1, 5]], observed: [0, 5], flags: [0, 0] },
      { leadHours: 24, members: [[3, 5]], observed: [0, 99], flags: [0, 0] },
      { leadHours: 24, members: [[3, 5]], observed: [NaN, 4], flags: [0, 2] },
      { leadHours: 24, members: [[3, 5]], observed: [3, 45], flags: [0, 0] },
    ];
    const scored = scoreStations(cases, stations, { variable: "t", quality: { range: [-60, 60], farthest: 20 } });
    expect(scored.refused).toEqual({ missing: 1, flagged: 1, outOfRange: 1, gross: 1 });
    expect(scored.stations.map(({ id, n, rmse, bias }) => [id, n, rmse, bias])).toEqual([
      ["a", 3, Math.sqrt(10 / 3), 4 / 3],
      ["b", 1, 0, 0],
    ]);
    const rmse = scored.network.find((r) => r.metric === "rmse")!;
    expect(rmse.value).toBeCloseTo(Math.sqrt(10 / 4), 12);
    expect(() => scoreStations([cases[2]], stations, { variable: "t", quality: { range: [9, 9] } })).toThrow(
      /no report of 't'/,
    );
  });
});

it.skipIf(!existsSync(uwme))(
  "the University of Washington ensemble at 969 stations (needs ../shared/data/uwme-ensemble)",
  () => {
    const lines = gunzipSync(readFileSync(uwme)).toString().trim().split("\n").slice(1);
    const reports = lines.map((line) => line.split(","));
    const stations = [
      ...new Map(reports.map((r) => [r[10], { id: r[10].trim(), latitude: +r[11], longitude: +r[12] }])).values(),
    ];
    const index = new Map(stations.map((s, i) => [s.id, i]));
    const days = [...new Set(reports.map((r) => r[9]))].sort();
    const cases = days.map((day): StationCase => {
      const members = Array.from({ length: 8 }, () => new Float64Array(stations.length).fill(NaN));
      const observed = new Float64Array(stations.length).fill(NaN);
      for (const r of reports.filter((of) => of[9] === day)) {
        const i = index.get(r[10].trim())!;
        members.forEach((member, m) => (member[i] = +r[m]));
        observed[i] = +r[8];
      }
      return { leadHours: 48, members, observed };
    });
    const scored = scoreStations(cases, stations, {
      variable: "t2m",
      quality: { range: [220, 320], farthest: 20 },
      resamples: 200,
    });
    const value = (metric: string) => scored.network.find((r) => r.metric === metric)!.value;
    // Against numpy on the same 36820 reports.
    expect(scored.refused).toMatchObject({ outOfRange: 0, gross: 6 });
    expect(value("rmse")).toBeCloseTo(3.2107139009643944, 9);
    expect(value("mae")).toBeCloseTo(2.431566943916351, 9);
    expect(value("bias")).toBeCloseTo(-0.6651373132808314, 9);
    expect(value("crps:fair")).toBeCloseTo(2.117472346162801, 9);
    expect(value("spread")).toBeCloseTo(0.80734761877629, 9);
    expect(value("spread-skill")).toBeLessThan(0.3); // the raw ensemble is far too sure of itself
    const one = scored.stations.find((s) => s.id === "KMYL")!;
    expect([one.n, one.rmse, one.bias]).toEqual([
      52,
      expect.closeTo(2.7202752656180156, 9),
      expect.closeTo(0.2508004807692211, 9),
    ]);
  },
);
