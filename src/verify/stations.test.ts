import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { type Dataset, memoryDataset, type MemoryVariable, type Variable } from "../data/dataset.js";
import { ndarray } from "../tensor/ndarray.js";
import { random } from "../tensor/random.js";
import { cellScores } from "./cell-scores.js";
import { reportHtml } from "./report/html.js";
import { correctForElevation, interpolateToStations, type Station } from "./stations.js";
import { verifyForecast } from "./verify.js";

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

const numbers = (dims: string[], shape: number[], values: ArrayLike<number>, units = ""): MemoryVariable => ({
  dims,
  data: ndarray("float64", shape, Float64Array.from(values)),
  attrs: units ? { units } : {},
});

/** A dataset of arrays and the stations' names. */
function withNames(dataset: Dataset, ids: readonly string[]): Dataset {
  const station: Variable = {
    ...{ name: "station", dims: ["station"], shape: [ids.length], dtype: "uint8", attrs: {} },
    read: () => Promise.reject(new Error("names are text")),
    readStrings: async () => [...ids],
  };
  return { ...dataset, variables: new Map([...dataset.variables, ["station", station]]) };
}

describe("a gridded forecast against stations", () => {
  // Truth is 280 + a wave of the day + 0.01 per degree east; reports are that at the stations, 100 m above the model's ground.
  const days = 500;
  const stations = [
    { id: "a", latitude: 1, longitude: 1, elevation: 100 },
    { id: "b", latitude: 3, longitude: 3, elevation: 100 },
    { id: "c", latitude: 2, longitude: 1.5, elevation: 100 },
  ];
  const rng = random(1);
  const noise = Float64Array.from({ length: days }, () => rng.normal());
  const at = (day: number, longitude: number) => 280 + 5 * Math.sin(day / 58) + noise[day] + 0.01 * longitude;
  const reports = (of: (value: number, day: number, station: number) => number) =>
    Array.from({ length: days * 3 }, (_, k) => {
      const [day, s] = [Math.floor(k / 3), k % 3];
      return of(at(day, stations[s].longitude) - 0.65, day, s);
    });
  const truthOf = (of: (value: number, day: number, station: number) => number, flags?: number[]) =>
    withNames(
      memoryDataset({
        time: numbers(
          ["time"],
          [days],
          Array.from({ length: days }, (_, t) => t),
          "days since 2001-01-01",
        ),
        latitude: numbers(
          ["station"],
          [3],
          stations.map((s) => s.latitude),
          "degrees_north",
        ),
        longitude: numbers(
          ["station"],
          [3],
          stations.map((s) => s.longitude),
          "degrees_east",
        ),
        elevation: numbers(
          ["station"],
          [3],
          stations.map((s) => s.elevation),
          "m",
        ),
        t2m: numbers(["time", "station"], [days, 3], reports(of), "K"),
        ...(flags ? { t2m_qc: numbers(["time", "station"], [days, 3], flags) } : {}),
      }),
      stations.map((s) => s.id),
    );
  const starts = Array.from({ length: 30 }, (_, k) => 450 + k);
  const grid = [0, 2, 4];
  const forecast = memoryDataset({
    time: numbers(["time"], [30], starts, "days since 2001-01-01"),
    lead_time: numbers(["lead_time"], [2], [1, 2], "days"),
    latitude: numbers(["latitude"], [3], grid, "degrees_north"),
    longitude: numbers(["longitude"], [3], grid, "degrees_east"),
    orography: numbers(["latitude", "longitude"], [3, 3], new Float64Array(9), "m"),
    t2m: numbers(
      ["time", "lead_time", "latitude", "longitude"],
      [30, 2, 3, 3],
      starts.flatMap((s) => [1, 2].flatMap((l) => grid.flatMap(() => grid.map((x) => at(s + l, x) + 0.2)))),
      "K",
    ),
  });
  const options = { forecast, resamples: 100 };

  it("interpolates, corrects for height and says so, with every baseline beside it", async () => {
    const result = await verifyForecast({ ...options, truth: truthOf((x) => x) });
    const rmse = result.rows.filter((r) => r.metric === "rmse" && r.lead_hours === 24);
    expect(rmse.map((r) => r.baseline)).toEqual([null, "persistence", "climatology", "damped-anomaly", "ridge"]);
    expect(rmse[0].value).toBeCloseTo(0.2, 4); // the grid's plane is met exactly, 100 m are 0.65 K
    expect(rmse[1].value).toBeGreaterThan(1);
    expect(result.meta.grid).toMatch(/3 stations; bilinear interpolation from 3 x 3 points, temperatures corrected/);
    expect(result.meta.notes.join()).toMatch(/6.5 K a kilometre .3 of 3/);
    const plain = await verifyForecast({ ...options, truth: truthOf((x) => x), stations: { elevation: false } });
    expect(plain.rows.find((r) => r.metric === "bias")!.value).toBeCloseTo(0.85, 4);
    const html = reportHtml(result);
    expect(html).toMatch(/Every station/);
    expect(/NaN|undefined|Infinity/.test(html.replace(/base64,[^"]*/g, ""))).toBe(false);
    const cells = cellScores(result);
    expect(cells.dims).toEqual({ lead_time: 2, station: 3 });
    const { data } = await cells.variables.get("t2m_bias")!.read({ lead_time: 0 });
    expect(Array.from(data as Float32Array, (x) => +x.toFixed(3))).toEqual([0.2, 0.2, 0.2]);
  });

  it("honours flags, finds what is out of range, and leaves gross errors out where asked", async () => {
    const flags = reports((_, day, s) => Number(day === 460 && s === 0));
    const truth = truthOf((x, day, s) => (day === 461 && s === 1 ? 900 : day === 465 && s === 2 ? x + 9 : x), flags);
    const result = await verifyForecast({ ...options, truth, stations: { farthest: 5 }, baselines: [] });
    const notes = result.meta.notes.join(" ");
    expect(notes).toMatch(/t2m: 1446 reports.*1 \(by their own flags\).*1 \(out of range\)/);
    expect(notes).toMatch(/2 reports lie more than 5 from the forecast/); // day 465 at both leads
    expect(result.rows.find((r) => r.metric === "rmse")!.value).toBeCloseTo(0.2, 4);
    const n = result.cells.of(0, 0).count();
    expect([...n]).toEqual([29, 29, 29]);
  });

  it("says what is missing", async () => {
    const { variables, ...rest } = truthOf((x) => x);
    const placeless = { ...rest, variables: new Map([...variables].filter(([name]) => name !== "latitude")) };
    await expect(verifyForecast({ ...options, truth: placeless })).rejects.toThrow(
      /no latitude and longitude.*--stations/,
    );
    await expect(verifyForecast({ ...options, truth: truthOf((x) => x), metrics: ["fss>280@3"] })).rejects.toThrow(
      /needs a grid, and these are stations/,
    );
  });
});

it.skipIf(!existsSync(uwme))(
  "the University of Washington ensemble at 969 stations (needs ../shared/data/uwme-ensemble)",
  async () => {
    const lines = gunzipSync(readFileSync(uwme)).toString().trim().split("\n").slice(1);
    const reports = lines.map((line) => line.split(","));
    const places = new Map(reports.map((r) => [r[10].trim(), { latitude: +r[11], longitude: +r[12] }]));
    const ids = [...places.keys()];
    const index = new Map(ids.map((id, i) => [id, i]));
    const valid = [...new Set(reports.map((r) => r[9]))].sort();
    const dayOf = (date: string) => Date.parse(`${date.slice(0, 4)}-${date.slice(4, 6)}-${date.slice(6, 8)}`) / 864e5;
    const [first, last] = [dayOf(valid[0]) - 2, dayOf(valid[valid.length - 1])];
    const members = Array.from({ length: valid.length * 8 * ids.length }, () => NaN);
    const observed = new Float64Array((last - first + 1) * ids.length).fill(NaN);
    for (const r of reports) {
      const [t, i] = [valid.indexOf(r[9]), index.get(r[10].trim())!];
      for (let m = 0; m < 8; m++) members[(t * 8 + m) * ids.length + i] = +r[m];
      observed[(dayOf(r[9]) - first) * ids.length + i] = +r[8];
    }
    const where = {
      latitude: numbers(
        ["station"],
        [ids.length],
        [...places.values()].map((p) => p.latitude),
        "degrees_north",
      ),
      longitude: numbers(
        ["station"],
        [ids.length],
        [...places.values()].map((p) => p.longitude),
        "degrees_east",
      ),
    };
    const truth = memoryDataset({
      ...where,
      time: numbers(
        ["time"],
        [last - first + 1],
        Array.from({ length: last - first + 1 }, (_, t) => first + t),
        "days since 1970-01-01",
      ),
      t2m: numbers(["time", "station"], [last - first + 1, ids.length], observed, "K"),
    });
    const forecast = memoryDataset({
      ...where,
      time: numbers(
        ["time"],
        [valid.length],
        valid.map((date) => dayOf(date) - 2),
        "days since 1970-01-01",
      ),
      lead_time: numbers(["lead_time"], [1], [48], "hours"),
      member: numbers(["member"], [8], [0, 1, 2, 3, 4, 5, 6, 7]),
      t2m: numbers(["time", "lead_time", "member", "station"], [valid.length, 1, 8, ids.length], members, "K"),
    });
    const result = await verifyForecast({
      forecast: withNames(forecast, ids),
      truth: withNames(truth, ids),
      baselines: [],
      metrics: ["rmse", "mae", "bias", "crps:fair", "spread", "spread-skill"],
      // What numpy was given: every report within 20 K of the ensemble's mean.
      stations: { farthest: 20, checks: [] },
      resamples: 200,
    });
    const value = (metric: string) => result.rows.find((r) => r.metric === metric)!.value;
    // Against numpy on the same 36820 reports, in single precision here.
    expect(result.meta.notes.join()).toMatch(/6 reports lie more than 20/);
    expect(value("rmse")).toBeCloseTo(3.2107139009643944, 5);
    expect(value("mae")).toBeCloseTo(2.431566943916351, 5);
    expect(value("bias")).toBeCloseTo(-0.6651373132808314, 5);
    expect(value("crps:fair")).toBeCloseTo(2.117472346162801, 5);
    expect(value("spread")).toBeCloseTo(0.80734761877629, 5);
    expect(value("spread-skill")).toBeLessThan(0.3); // the raw ensemble is far too sure of itself
    const [i, one] = [index.get("KMYL")!, result.cells.of(0, 0)];
    expect([one.count()[i], one.rmse()[i], one.bias()[i]]).toEqual([
      52,
      expect.closeTo(2.7202752656180156, 5),
      expect.closeTo(0.2508004807692211, 5),
    ]);
  },
);
