/** Balances and budgets through a whole verification: what is put into the forecast is what the report says of it. */
import { expect, it } from "vitest";
import { type Dataset, memoryDataset } from "../data/dataset.js";
import { ndarray } from "../tensor/ndarray.js";
import { random } from "../tensor/random.js";
import { reportHtml } from "./report/html.js";
import { axis, COLUMNS, ROWS } from "./testing/world.js";
import { verifyForecast } from "./verify.js";

const GRAVITY = 9.80665;
const DAYS = 40;
const LEVELS = [850, 500, 250];
const cells = ROWS.length * COLUMNS.length;
const rng = random(12);
const noise = Float32Array.from({ length: 4096 }, () => rng.normal());

/** Name, units, mean by level and spread of each variable. */
const VARIABLES: readonly (readonly [name: string, units: string, means: readonly number[], spread: number])[] = [
  ["geopotential", "m2 s-2", [14000, 54000, 102000], 500],
  ["temperature", "K", [280, 255, 220], 3],
  ["specific_humidity", "kg kg-1", [8e-3, 2e-3, 1e-4], 2e-5],
  ["u_component_of_wind", "m s-1", [5, 10, 20], 4],
  ["v_component_of_wind", "m s-1", [0, 0, 0], 4],
  ["surface_pressure", "Pa", [98000], 300],
];
const valueOf = (v: number, day: number, level: number, cell: number): number =>
  VARIABLES[v][2][level] + VARIABLES[v][3] * noise[(v * 977 + day * 131 + level * 389 + cell) % 4096];

/** The truth, or forecasts of it at one to three days that `change` makes worse. */
function world(change?: (name: string, value: number, lead: number) => number): Dataset {
  const leads = change ? [1, 2, 3] : [0];
  const starts = Array.from({ length: change ? 10 : DAYS }, (_, k) => (change ? 25 + k : k));
  const variables = VARIABLES.map(([name, units, means], v) => {
    const levels = means.length;
    const data = starts.flatMap((start) =>
      leads.flatMap((lead) =>
        Array.from({ length: levels * cells }, (_, i) => {
          const value = valueOf(v, start + lead, Math.floor(i / cells), i % cells);
          return change ? change(name, value, lead) : value;
        }),
      ),
    );
    const dims = ["time", ...(change ? ["lead_time"] : []), ...(levels > 1 ? ["level"] : []), "latitude", "longitude"];
    const shape = [starts.length, ...(change ? [3] : []), ...(levels > 1 ? [levels] : []), ROWS.length, COLUMNS.length];
    return [name, { dims, data: ndarray("float64", shape, Float64Array.from(data)), attrs: { units } }] as const;
  });
  return memoryDataset(
    {
      ...axis("time", starts, "days since 2010-01-01"),
      ...(change ? axis("lead_time", leads, "days") : {}),
      ...axis("level", LEVELS, "hPa"),
      ...axis("latitude", ROWS, "degrees_north"),
      ...axis("longitude", COLUMNS, "degrees_east"),
      ...Object.fromEntries(variables),
    },
    { source: change ? "forecast.zarr" : "truth.zarr" },
  );
}

it("air that is put in is found, twice the imbalance is twice, and drift is told", async () => {
  // 98.0665 Pa more at the surface each day: 10 kg more air on every square metre.
  const more = 10 * GRAVITY;
  const forecast = world((name, value, lead) => value + (name === "surface_pressure" ? more * lead : 0));
  const result = await verifyForecast({ forecast, truth: world(), resamples: 50 });
  const value = (metric: string, hours: number, baseline: string | null = null) =>
    result.rows.find((r) => r.metric === metric && r.lead_hours === hours && r.baseline === baseline)!.value;
  for (const lead of [1, 3]) {
    const air = value("budget:dry-mass", 24 * lead) + value("budget:vapour", 24 * lead);
    expect(air / (10 * lead)).toBeCloseTo(1, 5); // single precision of 98 000 Pa
    expect(value("imbalance:geostrophic", 24 * lead)).toBeCloseTo(1, 5);
    expect(value("imbalance:hydrostatic", 24 * lead)).toBeCloseTo(1, 5);
  }
  const drift = (name: string) => result.rows.find((r) => r.metric === "drift" && r.variable === name)!.value;
  expect(drift("surface_pressure") / more).toBeCloseTo(1, 4);
  expect(Math.abs(drift("temperature"))).toBeLessThan(1e-6);
  // Persistence neither makes nor loses air beyond the weather's own changes.
  expect(Math.abs(value("budget:dry-mass", 72, "persistence"))).toBeLessThan(5);
  const page = reportHtml(result);
  for (const words of ["Wind, balances and budgets", "Geostrophic balance at 500", "Budgets of dry air"])
    expect(page.includes(words), words).toBe(true);

  // Twice the noise of geopotential and wind about their means: each departs from balance twice as far.
  const doubled = await verifyForecast({
    forecast: world((name, x) => {
      const [, , means] = VARIABLES.find(([n]) => n === name)!;
      const mean = means.reduce((a, b) => (Math.abs(b - x) < Math.abs(a - x) ? b : a));
      return /wind|geopotential/.test(name) ? (name.startsWith("u") ? 2 * x : 2 * x - mean) : x;
    }),
    truth: world(),
    resamples: 50,
    metrics: ["imbalance:geostrophic"],
  });
  for (const row of doubled.rows.filter((r) => r.metric === "imbalance:geostrophic" && r.baseline === null))
    expect(row.value).toBeCloseTo(2, 4);
});
