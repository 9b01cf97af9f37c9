/** A small world to verify in: a wave on an annual cycle with red noise, daily, and forecasts of it that err as they are told. */
import { type Dataset, memoryDataset, type MemoryVariable } from "../../data/dataset.js";
import { ndarray } from "../../tensor/ndarray.js";
import { random } from "../../tensor/random.js";

export const ROWS = [-60, -20, 20, 60];
export const COLUMNS = [0, 45, 90, 135, 180, 225, 270, 315];
export const DAYS = 440;
export const CELLS = ROWS.length * COLUMNS.length;

export const axis = (name: string, values: readonly number[], units: string): Record<string, MemoryVariable> => ({
  [name]: {
    dims: [name],
    data: ndarray("float64", [values.length], Float64Array.from(values)),
    attrs: { units },
  },
});

const count = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

const states: Float32Array[] = [];
{
  const rng = random(5);
  let a = new Float64Array(CELLS);
  for (let t = 0; t < DAYS + 10; t++) {
    a = a.map((x) => 0.8 * x + rng.normal());
    states.push(Float32Array.from(a, (x, i) => 280 + 5 * Math.sin((2 * Math.PI * t) / 365.25 + i) + x));
  }
}
export const stateOf = (day: number): Float32Array => states[day];

export interface WorldOptions {
  readonly units?: string;
  readonly longitudes?: readonly number[];
  readonly days?: number;
  readonly value?: (x: number, day: number, cell: number) => number;
}

export function worldTruth(options: WorldOptions = {}): Dataset {
  const { units = "K", longitudes = COLUMNS, days = DAYS, value = (x) => x } = options;
  const data = new Float32Array(days * CELLS);
  for (let t = 0; t < days; t++)
    data.set(
      states[t].map((x, i) => value(x, t, i)),
      t * CELLS,
    );
  return memoryDataset(
    {
      ...axis("time", count(days), "days since 2010-01-01"),
      ...axis("latitude", ROWS, "degrees_north"),
      ...axis("longitude", longitudes, "degrees_east"),
      t: {
        dims: ["time", "latitude", "longitude"],
        data: ndarray("float32", [days, ROWS.length, COLUMNS.length], data),
        attrs: { units, long_name: "Temperature" },
      },
    },
    { source: "truth.zarr" },
  );
}

export interface ForecastOptions extends WorldOptions {
  readonly starts?: readonly number[];
  readonly leads?: readonly number[];
  readonly members?: number;
  /** Added to the truth. */
  readonly error?: (of: { start: number; lead: number; member: number; cell: number }) => number;
  readonly source?: string;
}

export function worldForecast(options: ForecastOptions = {}): Dataset {
  const { units = "K", longitudes = COLUMNS, value = (x) => x, source = "forecast.zarr" } = options;
  const { starts = count(30).map((k) => 400 + k), leads = [1, 2, 3], members = 1, error = () => 0.5 } = options;
  const data = new Float32Array(starts.length * members * leads.length * CELLS);
  let at = 0;
  for (const start of starts)
    for (let member = 0; member < members; member++)
      for (const lead of leads) {
        const state = states[start + lead] ?? states[0];
        data.set(
          state.map((x, cell) => value(x + error({ start, lead, member, cell }), start + lead, cell)),
          at,
        );
        at += CELLS;
      }
  return memoryDataset(
    {
      ...axis("time", starts, "days since 2010-01-01"),
      ...axis("lead_time", leads, "days"),
      ...(members > 1 ? axis("member", count(members), "1") : {}),
      ...axis("latitude", ROWS, "degrees_north"),
      ...axis("longitude", longitudes, "degrees_east"),
      t: {
        dims: ["time", ...(members > 1 ? ["member"] : []), "lead_time", "latitude", "longitude"],
        data: ndarray(
          "float32",
          [starts.length, ...(members > 1 ? [members] : []), leads.length, ROWS.length, COLUMNS.length],
          data,
        ),
        attrs: { units, long_name: "Temperature" },
      },
    },
    { source },
  );
}
