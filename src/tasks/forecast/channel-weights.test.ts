import { describe, expect, it } from "vitest";
import { latitudeWeights } from "../../earth/weights.js";
import type { NdArray } from "../../tensor/ndarray.js";
import { readSeries } from "../series.js";
import { preset } from "../../models/index.js";
import { channelWeights } from "./channel-weights.js";
import { parseForecastConfig } from "./config.js";
import { departuresOf, sampleFeeds } from "./samples.js";
import { HEIGHT, travellingWaves, WIDTH } from "./testing/waves.js";
import { normaliserFor } from "./train.js";

const LEVELS = [50, 100, 150, 200, 250, 300, 400, 500, 600, 700, 850, 925, 1000];

describe("weights of channels", () => {
  it("are Stormer's on its 69 variables, by hand", () => {
    const upper = ["z", "u", "v", "t", "q"].flatMap((name) => LEVELS.map((level) => `${name}@${level}`));
    const channels = ["t2m", "u10", "v10", "msl", ...upper];
    const units = ["K", "m s-1", "m s-1", "Pa", ...upper.map(() => "")];
    const w = channelWeights("pressure", { channels, units })!;
    // 1 + 3 x 0.1 at the surface, and each upper variable's levels together 1: 6.3 in all, over 69 channels
    const scale = 69 / 6.3;
    expect(w[0]).toBeCloseTo(scale, 10);
    for (const c of [1, 2, 3]) expect(w[c]).toBeCloseTo(0.1 * scale, 10);
    // The thirteen levels add up to 6,025 hPa
    expect(w[4 + LEVELS.indexOf(500)]).toBeCloseTo((500 / 6025) * scale, 10);
    expect(w[4 + 4 * 13 + LEVELS.indexOf(850)]).toBeCloseTo((850 / 6025) * scale, 10);
    expect(w.reduce((a, b) => a + b, 0)).toBeCloseTo(69, 8);
  });

  it("are those named, by channel before variable, 1 for the others, and their mean 1", () => {
    const n = { channels: ["z@500", "z@850", "t2m", "msl"], units: ["m2 s-2", "m2 s-2", "K", "Pa"] };
    // 3, 2, 0 and 1 over their mean of 1.5
    expect(channelWeights({ z: 2, "geopotential@500": 3, "2m_temperature": 0 }, n)).toEqual([2, 4 / 3, 0, 2 / 3]);
    expect(channelWeights("uniform", n)).toBeUndefined();
    expect(() => channelWeights({ msk: 2 }, n)).toThrow(/there is no channel 'msk'; did you mean 'msl'/);
    expect(() => channelWeights({ z: 0, t2m: 0, msl: 0 }, n)).toThrow(/every channel 0/);
    const refused = { data: { path: "x" }, training: { channelWeights: "presure" } };
    expect(() => parseForecastConfig(refused)).toThrow(/training.channelWeights: write uniform, pressure, or a number/);
  });

  it("weigh the squared errors of the loss, channel by channel", async () => {
    const series = await readSeries(travellingWaves());
    const settings = parseForecastConfig({ data: { path: "memory" }, forecast: { history: 1, maxLead: 12 } });
    const double = {
      ...series,
      channels: ["t", "u"],
      units: ["K", "K"],
      values: Float32Array.from({ length: 2 * series.values.length }, (_, i) => {
        const cells = HEIGHT * WIDTH;
        return series.values[Math.floor(i / (2 * cells)) * cells + (i % cells)];
      }),
    };
    const n = normaliserFor(double, settings);
    const feeds = (weights?: readonly number[]) =>
      sampleFeeds(
        n,
        departuresOf(n, double),
        [
          { start: 5, lead: 1 },
          { start: 9, lead: 2 },
        ],
        { history: 1, slowDays: [] },
        1,
        weights,
      );
    const cells = HEIGHT * WIDTH;
    const [plain, weighed] = [feeds(), feeds([0.5, 1.5])].map((f) => (f["0.weight"] as NdArray).data as Float32Array);
    plain.forEach((w, p) => expect(weighed[p]).toBeCloseTo((Math.floor(p / cells) % 2 === 0 ? 0.5 : 1.5) * w, 6));
    // The area weight times the squared deviation over the area mean of the first guess's squared error
    const area = latitudeWeights(n.latitudes, "exact");
    const mean = Array.from({ length: cells }, (_, p) => (area[Math.floor(p / WIDTH)] * n.residual[p] ** 2) / cells);
    const expected = (area[2] * n.anomaly[2 * WIDTH + 3] ** 2) / mean.reduce((a, b) => a + b, 0);
    expect(plain[2 * WIDTH + 3]).toBeCloseTo(expected, 4);
  });

  it("come with Stormer's preset", () => {
    expect(preset("stormer-1.4").training).toEqual({ channelWeights: "pressure" });
    expect(preset("climax-5.6").training).toBeUndefined();
  });
});
