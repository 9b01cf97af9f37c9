import { describe, expect, it } from "vitest";
import { EARTH_RADIUS, ROTATION_RATE, sphereDerivatives } from "../earth/differential.js";
import { globalGrid, rectilinear, type RectilinearGrid } from "../earth/regrid/index.js";
import { type NdArray, toNumbers } from "../tensor/ndarray.js";
import { random } from "../tensor/random.js";
import { climatologyQuantiles, monthlyClimatology, quantileOf } from "./climate-statistics.js";
import { type Dataset, memoryDataset, type MemoryVariable, variable } from "./dataset.js";
import { derivable, derive } from "./derive.js";
import { regridded } from "./regrid.js";
import { resampled } from "./resample.js";

const RADIANS = Math.PI / 180;
const floats = (shape: number[], data: ArrayLike<number>): NdArray => ({
  dtype: "float64",
  shape,
  data: Float64Array.from(data),
});
const numbers = async (dataset: Dataset, name: string, selection = {}): Promise<number[]> =>
  Array.from(toNumbers(await variable(dataset, name).read(selection)));
const on = (grid: RectilinearGrid, f: (lat: number, lon: number) => number): Float64Array =>
  Float64Array.from([...grid.latitudes].flatMap((y) => [...grid.longitudes].map((x) => f(y * RADIANS, x * RADIANS))));
const worst = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Math.max(...Array.from(a, (x, i) => Math.abs(x - b[i])));

describe("derivatives on the sphere", () => {
  const U = 40;
  it("of solid rotation and of a potential flow are the analytic ones, poles included, to second order", () => {
    const errors = [37, 73].map((ny) => {
      const grid = globalGrid(`${2 * (ny - 1)}x${ny}`);
      const d = sphereDerivatives(grid);
      // rotation about an axis in the equator's plane: u = -U sin phi cos lambda, v = U sin lambda; vorticity -2U/a cos phi cos lambda
      const u = on(grid, (y, x) => -U * Math.sin(y) * Math.cos(x));
      const v = on(grid, (_, x) => U * Math.sin(x));
      // between 80 degrees and the pole meridians meet, and the error is of first order
      const away = (field: Float64Array): Float64Array =>
        field.filter(
          (_, i) => !(Math.abs(Math.abs(grid.latitudes[Math.floor(i / grid.longitudes.length)]) - 85) < 4.9),
        );
      const vorticity = worst(
        away(d.vorticity(u, v)),
        away(on(grid, (y, x) => ((2 * U) / EARTH_RADIUS) * Math.cos(y) * Math.cos(x))),
      );
      const divergence = worst(away(d.divergence(u, v)), new Float64Array(u.length));
      return { vorticity, divergence };
    });
    expect(errors[1].vorticity).toBeLessThan((2 * U) / EARTH_RADIUS / 300);
    expect(errors[0].vorticity / errors[1].vorticity).toBeGreaterThan(3);
    expect(errors[1].divergence).toBeLessThan((2 * U) / EARTH_RADIUS / 300);
    const grid = globalGrid("72x37");
    const d = sphereDerivatives(grid);
    const zonal = on(grid, (y) => U * Math.cos(y));
    const calm = new Float64Array(zonal.length);
    const wanted = on(grid, (y) => ((2 * U) / EARTH_RADIUS) * Math.sin(y));
    expect(worst(d.vorticity(zonal, calm), wanted)).toBeLessThan((2 * U) / EARTH_RADIUS / 100);
    // v = U cos phi: div = -2U/a sin phi
    expect(
      worst(
        d.divergence(calm, zonal),
        wanted.map((x) => -x),
      ),
    ).toBeLessThan((2 * U) / EARTH_RADIUS / 100);
  });

  it("give the wind that balances a height", () => {
    const grid = rectilinear(globalGrid("72x37").latitudes.slice().reverse(), globalGrid("72x37").longitudes);
    // Phi = -a Omega U sin^2 phi is balanced by u = U cos phi
    const phi = on(grid, (y) => -EARTH_RADIUS * ROTATION_RATE * U * Math.sin(y) ** 2);
    const { u, v } = sphereDerivatives(grid).geostrophicWind(phi);
    grid.latitudes.forEach((y, j) => {
      const value = u[j * 72 + 5];
      if (Math.abs(y) < 5 || Math.abs(y) > 89) expect(value).toBeNaN();
      else {
        expect(Math.abs(value / (U * Math.cos(y * RADIANS)) - 1)).toBeLessThan(0.01);
        expect(Math.abs(v[j * 72 + 5])).toBeLessThan(1e-9);
      }
    });
  });
});

describe("derived variables", () => {
  const grid = globalGrid("8x5");
  const level = [500, 850, 1000];
  const shape = [2, 3, 5, 8];
  const upper = (value: (t: number, k: number) => number, units: string, standard: string): MemoryVariable => ({
    dims: ["time", "level", "latitude", "longitude"],
    data: floats(
      shape,
      Float64Array.from({ length: 240 }, (_, i) => value(Math.floor(i / 120), Math.floor(i / 40) % 3)),
    ),
    attrs: { units, standard_name: standard },
  });
  const dataset = memoryDataset({
    time: { dims: ["time"], data: floats([2], [0, 6]), attrs: { units: "hours since 2000-01-01" } },
    level: { dims: ["level"], data: floats([3], level), attrs: { units: "hPa" } },
    latitude: { dims: ["latitude"], data: floats([5], grid.latitudes), attrs: { units: "degrees_north" } },
    longitude: { dims: ["longitude"], data: floats([8], grid.longitudes), attrs: { units: "degrees_east" } },
    u: upper(() => 3, "m s-1", "eastward_wind"),
    v: upper((t) => 4 * (t + 1), "m s-1", "northward_wind"),
    q: upper((_, k) => [0.001, 0.006, 0.01][k], "kg kg-1", "specific_humidity"),
    t: upper((_, k) => [-13, 7, 17][k], "degC", "air_temperature"),
    zg: upper((_, k) => [5500, 1450, 100][k], "m", "geopotential_height"),
  });

  it("come from inputs known by what they are, in whatever units", async () => {
    const more = await derive(dataset, [
      "wind_speed",
      "wind_from_direction",
      "relative_humidity",
      "thickness_500_1000",
      "integrated_vapour_transport",
      "eastward_integrated_vapour_transport",
    ]);
    expect(new Set(await numbers(more, "wind_speed", { time: 0 }))).toEqual(new Set([5]));
    expect(
      (await numbers(more, "wind_from_direction", { time: 0, level: 0, latitude: 0, longitude: 0 }))[0],
    ).toBeCloseTo(216.8699, 4);
    // by hand: e_s(290.15 K) = 19.364 hPa, w_s = 0.622 e_s / (p - e_s) = 0.012283, w = 0.010101
    const rh = await numbers(more, "relative_humidity", {
      time: 1,
      latitude: 2,
      longitude: { start: 3, stop: 4 },
      level: [2],
    });
    expect(rh).toHaveLength(1);
    expect(rh[0]).toBeCloseTo(0.010101 / 0.012283, 3);
    expect(new Set(await numbers(more, "thickness_500_1000"))).toEqual(new Set([5400]));
    // trapezia: 350 hPa of mean 0.0035 and 150 hPa of mean 0.008, over g, times the wind
    const water = (35_000 * 0.0035 + 15_000 * 0.008) / 9.80665;
    expect(
      (await numbers(more, "eastward_integrated_vapour_transport", { time: 0, latitude: 0, longitude: 0 }))[0],
    ).toBeCloseTo(3 * water, 9);
    expect((await numbers(more, "integrated_vapour_transport", { time: 1, latitude: 0, longitude: 0 }))[0]).toBeCloseTo(
      Math.hypot(3, 8) * water,
      9,
    );
    expect(variable(more, "integrated_vapour_transport").dims).toEqual(["time", "latitude", "longitude"]);
  });

  it("are offered where their inputs are, refused with what is missing", async () => {
    expect(derivable(dataset)).toEqual(
      expect.arrayContaining(["vorticity", "relative_humidity", "u_component_of_geostrophic_wind"]),
    );
    expect(derivable(dataset)).not.toContain("10m_wind_speed");
    await expect(derive(dataset, ["10m_wind_speed"])).rejects.toThrow(
      /needs 10m u component of wind, which is not there/,
    );
    await expect(derive(dataset, ["vortcity"])).rejects.toThrow(/did you mean 'vorticity'/);
    await expect(derive(dataset, ["thickness_300_500"])).rejects.toThrow(/needs the level 300 hPa/);
  });

  it("regrids curvilinear fields and station networks", async () => {
    const lat = Array.from({ length: 30 }, (_, i) => 45 + Math.floor(i / 6) + 0.1 * (i % 6));
    const lon = Array.from({ length: 30 }, (_, i) => 5 + (i % 6) - 0.1 * Math.floor(i / 6));
    const values = floats(
      [30],
      lat.map((y, i) => y + 2 * lon[i]),
    );
    const plane = memoryDataset({
      latitude: { dims: ["y", "x"], data: floats([5, 6], lat) },
      longitude: { dims: ["y", "x"], data: floats([5, 6], lon) },
      h: {
        dims: ["y", "x"],
        data: { ...values, shape: [5, 6] },
        attrs: { units: "m", coordinates: "latitude longitude", grid_mapping: "plane" },
      },
      plane: { dims: [], data: floats([], [0]), attrs: { grid_mapping_name: "polar_stereographic" } },
    });
    const target = rectilinear([46, 47], [6, 7, 8]);
    const got = await regridded(plane, target);
    expect(variable(got, "h").dims).toEqual(["latitude", "longitude"]);
    // what told where it lay does so no more
    expect(variable(got, "h").attrs).toEqual({ units: "m" });
    expect(got.variables.has("plane")).toBe(false);
    const means = await numbers(await regridded(plane, target, { method: "conservative" }), "h");
    means.forEach((x, i) => expect(Math.abs(x - [58, 60, 62, 59, 61, 63][i])).toBeLessThan(0.1));
    const wanted = [58, 60, 62, 59, 61, 63];
    (await numbers(got, "h")).forEach((x, i) => expect(Math.abs(x - wanted[i])).toBeLessThan(0.01));
    const network = memoryDataset({
      latitude: { dims: ["station"], data: floats([30], lat) },
      longitude: { dims: ["station"], data: floats([30], lon) },
      h: { dims: ["time", "station"], data: { ...values, shape: [1, 30] } },
    });
    const map = await regridded(network, target, { method: "delaunay" });
    expect(variable(map, "h").shape).toEqual([1, 2, 3]);
    (await numbers(map, "h")).forEach((x, i) => expect(Math.abs(x - wanted[i])).toBeLessThan(0.02));
  });
});

describe("resampling in time", () => {
  const hours = 24 * 62;
  const hourly = memoryDataset({
    time: {
      dims: ["time"],
      data: floats(
        [hours],
        Array.from({ length: hours }, (_, i) => i),
      ),
      attrs: { units: "hours since 2001-01-01" },
    },
    t2m: {
      dims: ["time", "x"],
      data: floats(
        [hours, 2],
        Array.from({ length: 2 * hours }, (_, i) => (i === 10 ? NaN : (i >> 1) % 24)),
      ),
      attrs: { units: "K", standard_name: "air_temperature" },
    },
    tp: {
      dims: ["time"],
      data: floats(
        [hours],
        Array.from({ length: hours }, (_, i) => (i === 30 ? NaN : 1)),
      ),
      attrs: { units: "kg m-2", standard_name: "precipitation_amount" },
    },
  });

  it("averages states, sums amounts over the interval that ends at their time, and says its bounds", async () => {
    const daily = await resampled(hourly, "day");
    expect(daily.dims["time"]).toBe(62);
    const t = await numbers(daily, "t2m");
    expect(t[2]).toBe(11.5);
    expect(t[0]).toBeCloseTo((276 - 5) / 23, 12); // 23 values: the sixth hour is missing
    // amounts at 01 to 24 UTC belong to a day: the second has a gap, the last one misses 24 UTC
    expect(await numbers(daily, "tp", { time: [0, 1, 2, 61] })).toEqual([24, NaN, 24, NaN]);
    expect(await numbers(await resampled(hourly, "day", { minimumShare: 0.9 }), "tp", { time: [1, 61] })).toEqual([
      23, 23,
    ]);
    const bounds = await numbers(daily, "time_bnds", { time: 1 });
    expect(bounds[1] - bounds[0]).toBe(24);
    expect(variable(daily, "tp").attrs["cell_methods"]).toBe("time: sum");
  });

  it("averages directions around the compass", async () => {
    const winds = memoryDataset({
      time: { dims: ["time"], data: floats([4], [0, 6, 12, 18]), attrs: { units: "hours since 2001-01-01" } },
      dd: {
        dims: ["time", "x"],
        data: floats([4, 3], [350, 0, 170, 10, 180, NaN, 350, 0, 190, 10, 180, 180]),
        attrs: { units: "degree", standard_name: "wind_from_direction" },
      },
    });
    const mean = await numbers(await resampled(winds, "day"), "dd");
    expect(Math.min(mean[0], 360 - mean[0])).toBeCloseTo(0, 9);
    expect(mean[1]).toBeNaN(); // from north as often as from south
    expect(mean[2]).toBeCloseTo(180, 9);
    await expect(resampled(winds, "day", { how: "sum" })).rejects.toThrow(/is a direction, which has no sum/);
  });

  it("knows months, extremes and single instants", async () => {
    const monthly = await resampled(hourly, "month", { how: { t2m: "max", tp: "mean" } });
    expect(monthly.dims["time"]).toBe(3); // January, February, the first three days of March
    expect(await numbers(monthly, "t2m", { x: 1 })).toEqual([23, 23, 23]);
    expect(await numbers(monthly, "tp")).toEqual([1, 1, 1]);
    const six = await resampled(hourly, "6h", { how: "instant" });
    expect(await numbers(six, "t2m", { time: { start: 0, stop: 5 }, x: 1 })).toEqual([0, 6, 12, 18, 0]);
    await expect(resampled(hourly, "10min")).rejects.toThrow(/only be made coarser/);
    await expect(resampled(hourly, "fortnight")).rejects.toThrow(/no step of time/);
  });
});

describe("climate statistics", () => {
  const rng = random(5);
  const days = 3 * 365;
  const values = Float64Array.from({ length: days * 6 }, (_, i) =>
    i === 77 ? NaN : 1e4 + Math.floor(i / 6 / 30.42) + rng.normal(),
  );
  const daily = memoryDataset({
    time: {
      dims: ["time"],
      data: floats(
        [days],
        Array.from({ length: days }, (_, i) => i),
      ),
      attrs: { units: "days since 2001-01-01", calendar: "noleap" },
    },
    x: { dims: ["a", "time", "b"], data: floats([2, days, 3], arrangedAs(values)) },
  });
  /** [time, a, b] as [a, time, b]. */
  function arrangedAs(list: Float64Array): Float64Array {
    return Float64Array.from({ length: list.length }, (_, i) => {
      const [a, rest] = [Math.floor(i / (days * 3)), i % (days * 3)];
      return list[Math.floor(rest / 3) * 6 + a * 3 + (rest % 3)];
    });
  }
  const series = (cell: number, keep: (day: number) => boolean): number[] =>
    Array.from({ length: days }, (_, d) => d)
      .filter(keep)
      .map((d) => values[d * 6 + cell])
      .filter((x) => x === x);

  it("of months are means and deviations", async () => {
    const normal = await monthlyClimatology(daily, ["x"]);
    expect(variable(normal, "x").dims).toEqual(["month", "a", "b"]);
    const january = series(4, (d) => d % 365 < 31);
    const mean = january.reduce((s, x) => s + x, 0) / january.length;
    const std = Math.sqrt(january.reduce((s, x) => s + (x - mean) ** 2, 0) / january.length);
    expect((await numbers(normal, "x", { month: 0, a: 1, b: 1 }))[0]).toBe(Math.fround(mean));
    expect((await numbers(normal, "x_std", { month: 0, a: 1, b: 1 }))[0]).toBeCloseTo(std, 4);
  });

  it("are quantiles as NumPy has them, whatever the memory", async () => {
    // numpy.quantile([1, 2, 4, 8], [0.1, 0.5, 0.9]) = 1.3, 3, 6.8
    expect([0.1, 0.5, 0.9].map((q) => quantileOf([1, 2, 4, 8], q))).toEqual(
      [1.3, 3, 6.8].map((x) => expect.closeTo(x, 12) as number),
    );
    const small = await climatologyQuantiles(daily, ["x"], { quantiles: [0, 0.5, 1], memory: 1 });
    const large = await climatologyQuantiles(daily, ["x"], { quantiles: [0, 0.5, 1] });
    expect(await numbers(small, "x")).toEqual(await numbers(large, "x"));
    const all = series(0, () => true).sort((p, q) => p - q);
    expect(await numbers(small, "x", { a: 0, b: 0 })).toEqual(
      [all[0], quantileOf(all, 0.5), all.at(-1)!].map(Math.fround),
    );
    const byMonth = await climatologyQuantiles(daily, ["x"], { quantiles: [1], by: "month" });
    const may = series(5, (d) => d % 365 >= 120 && d % 365 < 151);
    expect((await numbers(byMonth, "x", { month: 4, a: 1, b: 2 }))[0]).toBe(Math.fround(Math.max(...may)));
  });
});
