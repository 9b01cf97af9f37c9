/** Verification of real data against numpy and scipy's values (`fixtures/make-real.py`). */
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { type Dataset, memoryDataset, type MemoryVariable } from "../data/dataset.js";
import { openDataset } from "../data/open.node.js";
import { ndarray, toNumbers } from "../tensor/ndarray.js";
import { rankHistogram } from "./scores/rank-histogram.js";
import { addRows } from "./scores/sums.js";
import { type Verification, verifyForecast } from "./verify.js";

const shared = path.join(process.env["FOEHN_SHARED"] ?? path.resolve(import.meta.dirname, "../../../shared"), "data");
const real = JSON.parse(readFileSync(new URL("fixtures/real.json", import.meta.url), "utf8")) as Record<
  string,
  Record<string, number>
>;

const axis = (name: string, values: readonly number[], units: string): Record<string, MemoryVariable> => ({
  [name]: { dims: [name], data: ndarray("float64", [values.length], Float64Array.from(values)), attrs: { units } },
});
const field = (dims: string[], shape: number[], values: ArrayLike<number>, attrs: Record<string, string>) => ({
  dims,
  data: ndarray("float32", shape, Float32Array.from(values)),
  attrs,
});
const expectScores = ({ rows }: Verification, expected: Record<string, number>, hours?: number) => {
  for (const [metric, value] of Object.entries(expected)) {
    const row = rows.find(
      (r) => r.metric === metric && r.baseline === null && (hours === undefined || r.lead_hours === hours),
    );
    expect(row?.value, metric).toBeCloseTo(value, 5);
  }
};
const read = async (dataset: Dataset, name: string, selection = {}) =>
  toNumbers(await dataset.variables.get(name)!.read(selection));

const seasonal = path.join(shared, "seasonal-ensemble/seasonal_tas.nc");
it.skipIf(!existsSync(seasonal))(
  "a seasonal ensemble of 15 members against ERA5 (needs ../shared/data/seasonal-ensemble)",
  async () => {
    const file = await openDataset(seasonal, { names: "original" });
    const [lat, lon] = [[...Array.from(await read(file, "lat"))], [...Array.from(await read(file, "lon"))]];
    const [members, starts, leads, cells] = [15, 6, 3, lat.length * lon.length];
    // The file has no times: starts are 1 November of 2000 to 2005, leads the months after, whose first days follow at these hours.
    const hours = [0, 30, 61].map((days) => 24 * days);
    const days = Array.from({ length: starts }, (_, k) => Date.UTC(2000 + k, 10, 1) / 864e5);
    const grid = { ...axis("latitude", lat, "degrees_north"), ...axis("longitude", lon, "degrees_east") };
    const forecast = memoryDataset({
      ...grid,
      ...axis("time", days, "days since 1970-01-01"),
      ...axis("lead_time", hours, "hours"),
      ...axis(
        "member",
        Array.from({ length: members }, (_, m) => m),
        "1",
      ),
      tas: field(
        ["member", "time", "lead_time", "latitude", "longitude"],
        [members, starts, leads, lat.length, lon.length],
        await read(file, "exp"),
        { units: "K" },
      ),
    });
    const times = days.flatMap((day) => hours.map((h) => day + h / 24));
    const truth = memoryDataset({
      ...grid,
      ...axis("time", times, "days since 1970-01-01"),
      tas: field(["time", "latitude", "longitude"], [times.length, lat.length, lon.length], await read(file, "obs"), {
        units: "K",
      }),
    });
    const result = await verifyForecast({
      forecast,
      truth,
      baselines: [],
      metrics: Object.keys(real["seasonal1"]).filter((name) => !name.startsWith("rank")),
    });
    expect(result.rows[0].n).toBe(6);
    hours.forEach((lead, l) => {
      const { rank0, rank15, ...scores } = real[`seasonal${l + 1}`];
      expectScores(result, scores, lead);
      const [rows] = result.sums.samples(0, l, 0);
      const ranks = rankHistogram(addRows(rows, rows[0].length), members);
      expect([ranks[0], ranks[15]]).toEqual([expect.closeTo(rank0, 6), expect.closeTo(rank15, 6)]);
    });
    expect(cells).toBe(1166);
  },
);

const radar = path.join(shared, "knmi-radar");
it.skipIf(!existsSync(radar))(
  "persistence of radar rain: fractions, structure-amplitude-location, objects (needs ../shared/data/knmi-radar)",
  async () => {
    const [rows, columns] = [200, 180];
    const minutes = [60, 75, 90, 105];
    const scan = async (minute: number) => {
      const name = `RAD_NL25_RAP_5min_20100826${String(Math.floor(minute / 60)).padStart(2, "0")}${String(minute % 60).padStart(2, "0")}.h5`;
      const at = { time: 0, y: { start: 300, stop: 500 }, x: { start: 260, stop: 440 } };
      const file = await openDataset(path.join(radar, name));
      const values = Array.from(await read(file, "image1/image_data", at));
      await file.close();
      return values;
    };
    const all = [...new Set([...minutes, ...minutes.map((t) => t + 30)])].sort((a, b) => a - b);
    const scans = new Map<number, number[]>();
    for (const minute of all) scans.set(minute, await scan(minute));
    // A kilometre's grid near the equator, where all rows weigh alike.
    const grid = {
      ...axis(
        "latitude",
        Array.from({ length: rows }, (_, i) => 0.001 * (i - 100)),
        "degrees_north",
      ),
      ...axis(
        "longitude",
        Array.from({ length: columns }, (_, j) => 0.001 * j),
        "degrees_east",
      ),
    };
    const about = { units: "mm", standard_name: "precipitation_amount" };
    const since = "minutes since 2010-08-26";
    const forecast = memoryDataset({
      ...grid,
      ...axis("time", minutes, since),
      ...axis("lead_time", [30], "minutes"),
      tp: field(
        ["time", "lead_time", "latitude", "longitude"],
        [4, 1, rows, columns],
        minutes.flatMap((t) => scans.get(t)!),
        about,
      ),
    });
    const truth = memoryDataset({
      ...grid,
      ...axis("time", all, since),
      tp: field(
        ["time", "latitude", "longitude"],
        [all.length, rows, columns],
        all.flatMap((t) => scans.get(t)!),
        about,
      ),
    });
    const result = await verifyForecast({ forecast, truth, baselines: [], metrics: Object.keys(real["radar"]) });
    expectScores(result, real["radar"]);
  },
);

describe.skipIf(!existsSync(path.join(shared, "meteonet-nw")))(
  "a coarse model's rain against a fine one's (needs ../shared/data/meteonet-nw)",
  () => {
    it("SEEPS, the contingency table's scores, fractions, bias and SAL", async () => {
      const part = async (name: string, every: number) => {
        const file = await openDataset(path.join(shared, "meteonet-nw", `${name}_PRECIP_NW_20180501000000.grib`));
        const v = file.variables.get("tp")!;
        const pick = (n: number) => Array.from({ length: n }, (_, i) => every * i);
        const values = toNumbers(await v.read({ time: 0, latitude: pick(57), longitude: pick(79) }));
        await file.close();
        return values;
      };
      const [fine, coarse] = [await part("arome", 4), await part("arpege", 1)];
      const cells = 57 * 79;
      const grid = {
        ...axis(
          "latitude",
          Array.from({ length: 57 }, (_, i) => 51.896 - 0.1 * i),
          "degrees_north",
        ),
        ...axis(
          "longitude",
          Array.from({ length: 79 }, (_, j) => -5.842 + 0.1 * j),
          "degrees_east",
        ),
      };
      const about = { units: "kg m-2", standard_name: "precipitation_amount" };
      const hours = Array.from({ length: 25 }, (_, h) => h);
      const forecast = memoryDataset({
        ...grid,
        ...axis("time", [0], "hours since 2018-05-01"),
        ...axis("lead_time", [24], "hours"),
        tp: field(
          ["time", "lead_time", "latitude", "longitude"],
          [1, 1, 57, 79],
          Array.from(coarse).slice(23 * cells),
          about,
        ),
      });
      const truth = memoryDataset({
        ...grid,
        ...axis("time", hours, "hours since 2018-05-01"),
        tp: field(
          ["time", "latitude", "longitude"],
          [25, 57, 79],
          [...new Float32Array(cells), ...Array.from(fine)],
          about,
        ),
      });
      const start = Date.UTC(2018, 4, 1);
      const result = await verifyForecast({
        forecast,
        truth,
        trainPeriod: [start + 3_600_000, start + 25 * 3_600_000],
        baselines: [],
        metrics: Object.keys(real["meteonet"]),
      });
      expectScores(result, real["meteonet"]);
      expect(result.meta.notes.join()).toMatch(/training period of the baselines reaches into the verified starts/);
    });
  },
);
