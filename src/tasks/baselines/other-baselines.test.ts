import { describe, expect, it } from "vitest";
import { rectilinear } from "../../earth/regrid/index.js";
import { random } from "../../tensor/random.js";
import type { Series } from "../series.js";
import { fitQuantileMap, interpolator } from "./downscaling.js";
import { fitPatternScaling } from "./pattern-scaling.js";
import { probabilisticClimatology } from "./probabilistic-climatology.js";

describe("interpolation to a finer grid", () => {
  const coarse = rectilinear([0, 10, 20, 30, 40], [0, 10, 20, 30, 40]);
  const fine = rectilinear([15, 17.5, 20], [12.5, 20, 25]);
  const field = (of: (y: number, x: number) => number) =>
    Float32Array.from({ length: 25 }, (_, i) => of(Math.floor(i / 5) * 10, (i % 5) * 10));
  const fineOf = (of: (y: number, x: number) => number) =>
    [...fine.latitudes].flatMap((y) => [...fine.longitudes].map((x) => of(y, x)));
  it("bilinear is exact for planes, bicubic for parabolas", () => {
    const plane = (y: number, x: number) => 2 * y - 3 * x + 1;
    const parabola = (y: number, x: number) => 0.01 * y * y - 0.02 * x * x + x;
    const close = (ours: Float32Array, theirs: number[]) => theirs.forEach((v, i) => expect(ours[i]).toBeCloseTo(v, 4));
    close(interpolator(coarse, fine, "bilinear")(field(plane)), fineOf(plane));
    close(interpolator(coarse, fine, "bicubic")(field(parabola)), fineOf(parabola));
  });
  it("nearest takes the nearest cell; longitudes may be counted from -180", () => {
    const nearest = interpolator(coarse, fine, "nearest")(field((y, x) => y + x / 100));
    expect(nearest[8]).toBeCloseTo(20.2, 4); // 25 lies between 20 and 30: the lower index
    const west = interpolator(rectilinear([0, 10], [350, 360]), rectilinear([5], [-5]), "bilinear");
    expect(west(Float32Array.of(0, 2, 4, 6))[0]).toBeCloseTo(3, 6);
  });
});

it("quantile mapping gives the model the observations' distribution", () => {
  const rng = random(4);
  const model = Array.from({ length: 2000 }, () => [rng.normal()]);
  const truth = Array.from({ length: 2000 }, () => [5 + 2 * rng.normal()]);
  const map = fitQuantileMap(model, truth);
  for (const x of [-1.5, 0, 1]) expect(Math.abs(map([x])[0] - (5 + 2 * x))).toBeLessThan(0.25);
  const top = Math.max(...model.map(([x]) => x));
  expect(map([top + 1])[0] - map([top])[0]).toBeCloseTo(1, 5);
  expect(map([NaN])[0]).toBeNaN();
});

it("pattern scaling finds a pattern that is linear, and refuses too few years", () => {
  const pattern = [0.5, 1, 2];
  const years = Array.from({ length: 20 }, (_, k) => pattern.map((p) => 10 + p * 0.1 * k));
  const scaling = fitPatternScaling(
    years.map((_, k) => 3 * k),
    years,
    [1, 1, 1],
  );
  pattern.forEach((p, i) => {
    expect(scaling.pattern[i]).toBeCloseTo(p / (3.5 / 3), 9);
    expect(scaling.predict(90)[i]).toBeCloseTo(10 + p * 3, 5);
  });
  expect(() => fitPatternScaling([1], years, [1])).toThrow(/1 drivers and 20 fields/);
});

it("probabilistic climatology takes the same day of the training years", () => {
  const day = 86_400_000;
  const times = Float64Array.from({ length: 1461 }, (_, k) => Date.parse("2001-01-01") + k * day);
  const series: Series = {
    times,
    values: Float32Array.from(times, (_, k) => k),
    channels: ["x"],
    units: ["K"],
    latitudes: Float64Array.of(0),
    longitudes: Float64Array.of(0),
    calendar: "standard",
  };
  const trainRange = [times[0], times[1460] + 1] as const;
  const members = probabilisticClimatology(series, { trainRange }).members(Date.parse("2010-01-02"));
  expect(members.map(([x]) => x)).toEqual([1, 366, 731, 1096]);
  const wide = probabilisticClimatology(series, { trainRange, window: 3 }).members(Date.parse("2010-01-02"));
  expect(wide).toHaveLength(12);
});
