import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { latitudeWeights } from "./weights.js";

const goldens = JSON.parse(
  readFileSync(new URL("../verify/fixtures/metric-goldens.json", import.meta.url), "utf8"),
) as Record<string, number[]> & { regional_lat_20_60_by5: Record<string, number[]> };

const close = (ours: ArrayLike<number>, theirs: readonly number[]) =>
  theirs.forEach((value, i) => expect(ours[i], `row ${i}`).toBeCloseTo(value, 12));
const grid64 = Array.from({ length: 32 }, (_, i) => -90 + (180 / 32) * (i + 0.5));
const regional = Array.from({ length: 9 }, (_, i) => 20 + 5 * i);

describe("latitudeWeights", () => {
  it("equals WeatherBench 2's on a global grid, with and without rows at the poles", () => {
    close(latitudeWeights(grid64, "exact"), goldens["wb2_lat_weights_64x32"]);
    close(latitudeWeights(grid64, "wb2"), goldens["wb2_lat_weights_64x32"]);
    const poles = Array.from({ length: 121 }, (_, i) => -90 + 1.5 * i);
    close(latitudeWeights(poles, "exact"), goldens["wb2_lat_weights_240x121_first3"]);
    close(latitudeWeights(poles, "cos"), goldens["cos_weights_240x121_first3"]);
  });

  it("tells the three apart on a regional grid", () => {
    close(latitudeWeights(regional, "wb2"), goldens.regional_lat_20_60_by5["wb2"]);
    close(latitudeWeights(regional, "exact"), goldens.regional_lat_20_60_by5["wbx"]);
    close(latitudeWeights(regional, "cos"), goldens.regional_lat_20_60_by5["cos"]);
  });

  it("gives descending rows the weights of ascending ones, reversed", () => {
    for (const kind of ["exact", "wb2", "cos"] as const)
      close(latitudeWeights([...regional].reverse(), kind), [...latitudeWeights(regional, kind)].reverse());
  });

  it("refuses rows out of order and beyond the poles, naming them", () => {
    expect(() => latitudeWeights([0, 10, 5])).toThrow(/out of order at row 2 \(10, then 5\)/);
    expect(() => latitudeWeights([0, 100])).toThrow(/latitude 100 at row 1/);
    expect(() => latitudeWeights([])).toThrow(/none/);
  });
});
