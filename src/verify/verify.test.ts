import { describe, expect, it } from "vitest";
import { type Dataset, memoryDataset, type MemoryVariable } from "../data/dataset.js";
import { ndarray } from "../tensor/ndarray.js";
import { random } from "../tensor/random.js";
import { reportHtml } from "./report/html.js";
import { allFigures } from "./report/figures.js";
import { cellScores } from "./cell-scores.js";
import { sideBySide } from "./side-by-side.js";
import { savedScores } from "./saved.js";
import { formatScores } from "./table.js";
import { verifyForecast } from "./verify.js";

const HOURS = 3_600_000;
const start = Date.parse("2010-01-01T00:00Z");
const latitudes = [-60, -20, 20, 60];
const longitudes = [0, 90, 180, 270];
const cells = 16;
const days = 900;

// A world of damped, noisy waves on an annual cycle, one state a day.
const rng = random(5);
const states: Float64Array[] = [];
for (let t = 0, a = new Float64Array(cells); t < days; t++) {
  a = a.map((x) => 0.8 * x + rng.normal());
  states.push(a.map((x, i) => 280 + 5 * Math.sin((2 * Math.PI * t) / 365.25 + i) + x));
}

const coordinate = (name: string, values: number[], units: string): Record<string, MemoryVariable> => ({
  [name]: {
    dims: [name],
    data: ndarray("float64", [values.length], Float64Array.from(values)),
    attrs: { units },
  },
});

function truthOf(options: { lats?: number[]; units?: string; count?: number } = {}): Dataset {
  const { lats = latitudes, units = "K", count = days } = options;
  return memoryDataset(
    {
      ...coordinate(
        "time",
        Array.from({ length: count }, (_, t) => 24 * t),
        "hours since 2010-01-01",
      ),
      ...coordinate("latitude", lats, "degrees_north"),
      ...coordinate("longitude", longitudes, "degrees_east"),
      t: {
        dims: ["time", "latitude", "longitude"],
        data: ndarray("float32", [count, 4, 4], Float32Array.from(states.slice(0, count).flatMap((s) => [...s]))),
        attrs: { units, long_name: "Temperature" },
      },
    },
    { source: "truth.zarr" },
  );
}

/** Forecasts `error` away from the truth at each lead, for the given start days. */
function forecastOf(
  starts: number[],
  leadDays: number[],
  error: (lead: number, cell: number) => number,
  names = ["time", "prediction_timedelta"],
): Dataset {
  const values = starts.flatMap((s) =>
    leadDays.flatMap((l) => [...(states[s + l] ?? states[0])].map((x, i) => x + error(l, i))),
  );
  const [time, lead] = names;
  return memoryDataset(
    {
      ...coordinate(
        time,
        starts.map((s) => 24 * s),
        "hours since 2010-01-01",
      ),
      ...coordinate(
        lead,
        leadDays.map((l) => 24 * l),
        "hours",
      ),
      ...coordinate("latitude", latitudes, "degrees_north"),
      ...coordinate("longitude", longitudes, "degrees_east"),
      t: {
        dims: [time, lead, "latitude", "longitude"],
        data: ndarray("float32", [starts.length, leadDays.length, 4, 4], Float32Array.from(values)),
        attrs: { units: "K" },
      },
    },
    { source: "forecast.zarr" },
  );
}

const trainPeriod = [start, start + 700 * 24 * HOURS] as const;
const starts = Array.from({ length: 120 }, (_, k) => 720 + k);

describe("verifyForecast", async () => {
  const forecast = forecastOf(starts, [1, 3], (lead) => 0.1 * lead);
  const result = await verifyForecast({ forecast, truth: truthOf(), trainPeriod, regions: ["all", "tropics"] });
  const row = (metric: string, lead: number, baseline: string | null = null, region = "all") =>
    result.rows.find(
      (r) => r.metric === metric && r.lead_hours === lead && r.baseline === baseline && r.region === region,
    )!;

  it("scores the forecast and every baseline at the valid times", () => {
    for (const metric of ["rmse", "mae", "bias"]) {
      expect(row(metric, 24).value).toBeCloseTo(0.1, 4);
      expect(row(metric, 72, null, "tropics").value).toBeCloseTo(0.3, 4);
    }
    expect(row("rmse", 24).n).toBe(120);
    // Of a first-order autoregression x(t + 1) = 0.8 x(t) + e, sd e = 1, with a yearly wave beside it.
    const sd = 1 / Math.sqrt(1 - 0.64);
    expect(row("rmse", 24, "persistence").value / (sd * Math.sqrt(2 * 0.2))).toBeCloseTo(1, 1);
    expect(row("rmse", 24, "damped-anomaly").value).toBeGreaterThan(0.9);
    expect(row("rmse", 24, "damped-anomaly").value).toBeLessThan(1.15);
    expect(row("rmse", 72, "climatology").value / sd).toBeGreaterThan(0.9);
    expect(result.rows.every((r) => Number.isFinite(r.value))).toBe(true);
  });

  it("gives intervals that hold the value, and differences from each baseline", () => {
    const own = row("rmse", 24, "ridge");
    expect(own.low).toBeLessThan(own.value);
    expect(own.high).toBeGreaterThan(own.value);
    const against = result.comparisons.find(
      (c) => c.metric === "rmse" && c.baseline === "ridge" && c.lead_hours === 24 && c.region === "all",
    )!;
    expect(against.value).toBeCloseTo(row("rmse", 24).value - own.value, 10);
    expect([against.better, against.high! < 0, against.p! < 0.01]).toEqual([true, true, true]);
    expect(against.skill).toBeCloseTo(1 - 0.1 / own.value, 3);
  });

  it("reads init_time and lead_time as well", async () => {
    const named = forecastOf(starts, [1, 3], (lead) => 0.1 * lead, ["init_time", "lead_time"]);
    const again = await verifyForecast({ forecast: named, truth: truthOf(), trainPeriod, regions: ["all", "tropics"] });
    expect(again.rows).toEqual(result.rows);
  });

  it("gives the same rows whichever way the latitudes run", async () => {
    const turned = memoryDataset({
      ...coordinate(
        "time",
        Array.from({ length: days }, (_, t) => 24 * t),
        "hours since 2010-01-01",
      ),
      ...coordinate("latitude", [...latitudes].reverse(), "degrees_north"),
      ...coordinate("longitude", longitudes, "degrees_east"),
      t: {
        dims: ["time", "latitude", "longitude"],
        data: ndarray(
          "float32",
          [days, 4, 4],
          Float32Array.from(states.flatMap((s) => [12, 8, 4, 0].flatMap((r) => [...s.subarray(r, r + 4)]))),
        ),
        attrs: { units: "degK" },
      },
    });
    const again = await verifyForecast({ forecast, truth: turned, trainPeriod, regions: ["all", "tropics"] });
    expect(again.rows).toEqual(result.rows);
  });

  it("reports whatever scores were asked for", async () => {
    const options = { forecast, truth: truthOf(), trainPeriod, resamples: 50 };
    const other = await verifyForecast({ ...options, metrics: ["acc:wb2", "pod>285"] });
    expect([...new Set(other.rows.map((r) => r.metric))]).toEqual(["acc:wb2", "pod>285"]);
    expect(reportHtml(other).includes("Temperature, verified at 2 leads")).toBe(true);
  });

  it("writes a table, scores.json, and a report without a network", () => {
    const table = formatScores(result.rows);
    expect(table).toMatch(/t, whole grid, 120 starts/);
    expect(table).toMatch(/24 h +0\.100\*/);
    const json = JSON.parse(JSON.stringify(savedScores(result))) as { scores: unknown[]; weights: string };
    expect(json.scores.length).toBe(result.rows.length);
    const html = reportHtml(result);
    expect(html.includes("Temperature: the forecast beats every baseline at every lead to 72 h")).toBe(true);
    expect(html.match(/(src|href)="(?!data:|#)[^"]*"/g)).toBeNull();
    // A PNG may by chance spell NaN; nothing else may.
    const broken = (text: string) => /NaN|undefined|Infinity/.test(text.replace(/base64,[^"]*/g, ""));
    expect(broken(html)).toBe(false);
    expect(
      allFigures(result)
        .filter(({ svg }) => broken(svg))
        .map((f) => f.name),
    ).toEqual([]);
  });
});

describe("two forecasts side by side", async () => {
  const verify = (error: number, of = starts) =>
    verifyForecast({
      forecast: forecastOf(of, [1, 2], (lead, cell) => error * lead * (cell % 2 ? 1 : -1)),
      truth: truthOf(),
      trainPeriod,
      metrics: ["rmse", "bias"],
      resamples: 100,
    });
  const [a, b] = [await verify(0.2), await verify(0.3, starts.slice(20))];
  it("are compared over the starts both have", () => {
    const both = sideBySide(a, b, { name: "older" });
    const row = both.comparisons.find((c) => c.baseline === "older" && c.metric === "rmse" && c.lead_hours === 48)!;
    expect([row.n, row.better]).toEqual([100, true]);
    expect(row.value).toBeCloseTo(-0.2, 4);
    expect(row.skill).toBeCloseTo(1 / 3, 4);
    expect(reportHtml(both).includes("Against older")).toBe(true);
  });
  it("must share their grid and weights", async () => {
    const other = await verifyForecast({
      forecast: forecastOf(starts, [1], () => 1),
      truth: truthOf(),
      weights: "cos",
    });
    expect(() => sideBySide(a, other)).toThrow(/differ in their weights/);
  });
  it("leave maps of their errors as a dataset", async () => {
    const cells = cellScores(a);
    expect(cells.dims).toEqual({ lead_time: 2, latitude: 4, longitude: 4 });
    const { data } = await cells.variables.get("t_bias")!.read({ lead_time: 1 });
    expect(Array.from(data as Float32Array, (x) => +x.toFixed(3)).slice(0, 4)).toEqual([-0.4, 0.4, -0.4, 0.4]);
  });
});

describe("refuses, saying what would fix it", () => {
  const forecast = forecastOf(starts, [1], () => 0);
  it.each([
    ["other grids", { forecast, truth: truthOf({ lats: [-60, -20, 20, 50] }) }, /latitudes.*--regrid/],
    ["other units", { forecast, truth: truthOf({ units: "degC" }) }, /'K' but in 'degC'.*--units/],
    ["no overlap", { forecast, truth: truthOf({ count: 300 }) }, /no valid time.*2010-10-27.*covers/],
    ["no lead", { forecast: truthOf(), truth: truthOf() }, /needs a dimension for the lead/],
    ["unknown scores", { forecast, truth: truthOf(), metrics: ["rsme"] }, /did you mean 'rmse'/],
    ["unknown variables", { forecast, truth: truthOf(), variables: ["u"] }, /no variable 'u'/],
  ])("%s", async (_, options, message) => {
    await expect(verifyForecast({ trainPeriod, ...options })).rejects.toThrow(message);
  });

  it("says that a single start has no interval, and a short record only persistence", async () => {
    const one = await verifyForecast({ forecast: forecastOf([720], [1], () => 1), truth: truthOf(), trainPeriod });
    expect(one.meta.notes.join()).toMatch(/A single start has no interval/);
    expect(one.rows[0]).toMatchObject({ value: expect.closeTo(1, 4) as number, low: null, high: null, n: 1 });
    expect(reportHtml(one).includes("too few starts to tell skill from luck")).toBe(true);
    const short = await verifyForecast({
      forecast: forecastOf([50, 51], [1], () => 1),
      truth: truthOf({ count: 60 }),
      metrics: ["rmse"],
    });
    expect(short.meta.baselines.map((b) => b.name)).toEqual(["persistence"]);
    expect(short.meta.notes.join()).toMatch(/persistence is the only baseline/);
  });

  it("scores the cells both have where values are missing", async () => {
    const gappy = forecastOf(starts, [1], (_, cell) => (cell === 3 ? NaN : 0.5));
    const result = await verifyForecast({ forecast: gappy, truth: truthOf(), trainPeriod, metrics: ["rmse"] });
    expect(result.rows[0].value).toBeCloseTo(0.5, 4);
  });
});
