import { existsSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { random } from "../tensor/random.js";
import { memoryDataset, variable } from "./dataset.js";
import { openDataset } from "./open.node.js";
import { CHECKS, qualityFlags } from "./quality.js";

const shared = path.join(process.env["FOEHN_SHARED"] ?? path.join(import.meta.dirname, "../../../shared"), "data");
const has = (name: string): boolean => existsSync(path.join(shared, name));

describe("quality control", () => {
  /** Five stations near each other, 200 hours of the same daily wave with a little noise of their own. */
  function network() {
    const [nTimes, nStations] = [200, 5];
    const noise = random(5);
    const data = Float64Array.from({ length: nTimes * nStations }, (_, i) => {
      const [t, station] = [Math.floor(i / nStations), i % nStations];
      return 280 + station + 8 * Math.sin((2 * Math.PI * t) / 24) + 0.3 * noise.normal();
    });
    const dataset = () =>
      memoryDataset({
        time: {
          dims: ["time"],
          data: { dtype: "float64", shape: [nTimes], data: Float64Array.from({ length: nTimes }, (_, t) => t) },
          attrs: { units: "hours since 2020-01-01" },
        },
        latitude: {
          dims: ["station"],
          data: { dtype: "float64", shape: [nStations], data: Float64Array.of(47, 47.2, 47.4, 47.1, 47.3) },
        },
        longitude: {
          dims: ["station"],
          data: { dtype: "float64", shape: [nStations], data: Float64Array.of(8, 8.2, 8.1, 8.4, 8.3) },
        },
        t2m: {
          dims: ["time", "station"],
          data: { dtype: "float64", shape: [nTimes, nStations], data },
          attrs: { units: "K" },
        },
      });
    return { data, dataset, at: (t: number, station: number) => t * nStations + station };
  }

  it("finds what was planted and nothing else", async () => {
    const { data, dataset, at } = network();
    expect((await qualityFlags(dataset(), "t2m")).counts).toEqual({ range: 0, step: 0, persistence: 0, spatial: 0 });
    data[at(50, 1)] = 1048;
    data[at(80, 2)] += 25;
    for (let t = 100; t < 140; t++) data[at(t, 3)] = 283.25;
    for (let t = 150; t < 154; t++) data[at(t, 0)] += 7;
    data[at(10, 4)] = NaN;
    const { flags, counts } = await qualityFlags(dataset(), "t2m");
    expect(flags.data[at(50, 1)] & CHECKS.range).toBeTruthy();
    expect(flags.data[at(80, 2)] & CHECKS.step).toBeTruthy();
    expect(flags.data[at(120, 3)] & CHECKS.persistence).toBeTruthy();
    expect(flags.data[at(151, 0)]).toBe(CHECKS.spatial);
    expect(counts).toMatchObject({ range: 1, step: 2, persistence: 40 });
    expect(flags.data[at(10, 4)]).toBe(0);
  });

  it.skipIf(!has("nyc-hourly-2013"))(
    "catches the 1048 mph wind at Newark (needs ../shared/data/nyc-hourly-2013)",
    async () => {
      const dataset = await openDataset(path.join(shared, "nyc-hourly-2013/weather.csv.gz"), {
        units: { wind_speed: "mph", temp: "degF" },
      });
      const { flags, counts } = await qualityFlags(dataset, "wind_speed");
      const values = (await variable(dataset, "wind_speed").read()).data as Float64Array;
      const worst = values.reduce((best, x, i) => (x > values[best] || Number.isNaN(values[best]) ? i : best), 0);
      expect(values[worst]).toBeGreaterThan(1000);
      expect(flags.data[worst] & CHECKS.range).toBeTruthy();
      expect(flags.data[worst] & CHECKS.step).toBeTruthy();
      expect(counts.range).toBe(1);
      expect((await qualityFlags(dataset, "temp")).counts.range).toBe(0);
    },
  );
});
