/**
 * What is normal month by month: means and standard deviations of the calendar's months, and quantiles. The climatology of
 * the day of the year, which scores are taken against, is in `climatology.ts`.
 *
 *     const normal = await monthlyClimatology(dataset, ["t2m"], { times: split.train });
 *     const extremes = await climatologyQuantiles(dataset, ["t2m"], { quantiles: [0.1, 0.5, 0.9], by: "month" });
 */
import { dateParts } from "../earth/time.js";
import { DataError, UsageError } from "../errors.js";
import { type NdArray, sizeOf } from "../tensor/ndarray.js";
import { arranged } from "./computed.js";
import { readTimes } from "./coords.js";
import { type Dataset, memoryDataset, type MemoryVariable, type Variable, variable } from "./dataset.js";

export interface ClimateStatisticsOptions {
  /** Indices of the times to learn from (the training years); all unless given. */
  readonly times?: readonly number[];
  /** Bytes of values or sums kept at a time. */
  readonly memory?: number;
}

const MONTHS = 12;
const MEMORY = 256 * 2 ** 20;

/** Means and standard deviations (of the population) by month: variables `x` and `x_std` on (month, ...), in one pass. */
export async function monthlyClimatology(
  dataset: Dataset,
  names: readonly string[],
  options: ClimateStatisticsOptions = {},
): Promise<Dataset> {
  const { months, times } = await monthsOf(dataset, options.times);
  const out: Record<string, MemoryVariable> = {};
  for (const name of names) {
    const { v, dims, shape, cells } = layoutOf(dataset, name);
    const [means, squares, counts] = [0, 1, 2].map(() => new Float64Array(MONTHS * cells));
    const batch = Math.max(1, Math.min(v.chunks?.[v.dims.indexOf("time")] ?? 64, Math.ceil(2 ** 22 / cells)));
    for (let from = 0; from < times.length; from += batch) {
      const some = times.slice(from, from + batch);
      const values = arranged(await v.read({ time: some }), v.dims, ["time", ...dims]);
      some.forEach((time, t) => {
        const base = months[time] * cells;
        for (let cell = 0; cell < cells; cell++) {
          const x = values[t * cells + cell];
          if (x !== x) continue;
          // Welford's update: the sum of squares about the mean loses nothing to a large mean
          const n = ++counts[base + cell];
          const before = x - means[base + cell];
          means[base + cell] += before / n;
          squares[base + cell] += before * (x - means[base + cell]);
        }
      });
    }
    const asFloats = (value: (i: number) => number): NdArray => ({
      dtype: "float32",
      shape: [MONTHS, ...shape],
      data: Float32Array.from(means, (_, i) => (counts[i] === 0 ? NaN : value(i))),
    });
    const attrs = { ...v.attrs, cell_methods: "time: mean within years time: mean over years" };
    out[name] = { dims: ["month", ...dims], data: asFloats((i) => means[i]), attrs };
    out[`${name}_std`] = {
      dims: ["month", ...dims],
      data: asFloats((i) => Math.sqrt(squares[i] / counts[i])),
      attrs: { ...v.attrs, cell_methods: "time: standard_deviation" },
    };
  }
  return memoryDataset(
    { month: monthCoordinate(), ...(await coordinatesOf(dataset, Object.values(out))), ...out },
    { source: dataset.source },
  );
}

/**
 * Quantiles over time, linear between order statistics (Hyndman and Fan's type 7, NumPy's default): variables `x` on
 * (quantile, ...) or (month, quantile, ...). Whole series are needed, so points are taken block by block, within `memory`.
 */
export async function climatologyQuantiles(
  dataset: Dataset,
  names: readonly string[],
  options: ClimateStatisticsOptions & { quantiles: readonly number[]; by?: "all" | "month" },
): Promise<Dataset> {
  const { quantiles, by = "all", memory = MEMORY } = options;
  const wrong = quantiles.find((q) => !(q >= 0 && q <= 1));
  if (quantiles.length === 0 || wrong !== undefined)
    throw new UsageError(`quantiles lie between 0 and 1, not at ${wrong ?? "none"}`);
  const { months, times } = await monthsOf(dataset, options.times);
  const groups: number[][] =
    by === "all"
      ? [times.map((_, t) => t)]
      : Array.from({ length: MONTHS }, (_, m) => times.map((_, t) => t).filter((t) => months[times[t]] === m));
  const out: Record<string, MemoryVariable> = {};
  for (const name of names) {
    const { v, dims, shape, cells } = layoutOf(dataset, name);
    const result = new Float32Array(groups.length * quantiles.length * cells).fill(NaN);
    const rows = shape[0] ?? 1;
    const rowCells = cells / rows;
    const blockRows = Math.max(1, Math.min(rows, Math.floor(memory / (8 * times.length * rowCells))));
    for (let row = 0; row < rows; row += blockRows) {
      const n = Math.min(blockRows, rows - row);
      const block = dims[0] ? { [dims[0]]: { start: row, stop: row + n } } : {};
      // time last: a point's series lies together
      const series = arranged(await v.read({ ...block, time: times }), v.dims, [...dims, "time"]);
      for (let cell = 0; cell < n * rowCells; cell++)
        groups.forEach((group, g) => {
          const sorted = Float64Array.from(group, (t) => series[cell * times.length + t])
            .filter((x) => x === x)
            .sort();
          quantiles.forEach((q, k) => {
            const at = (g * quantiles.length + k) * cells + row * rowCells + cell;
            result[at] = quantileOf(sorted, q);
          });
        });
    }
    const lead = by === "all" ? ["quantile"] : ["month", "quantile"];
    const leadShape = by === "all" ? [quantiles.length] : [MONTHS, quantiles.length];
    out[name] = {
      dims: [...lead, ...dims],
      data: { dtype: "float32", shape: [...leadShape, ...shape], data: result },
      attrs: v.attrs,
    };
  }
  const quantile: MemoryVariable = {
    dims: ["quantile"],
    data: { dtype: "float64", shape: [quantiles.length], data: Float64Array.from(quantiles) },
  };
  return memoryDataset(
    {
      quantile,
      ...(by === "month" ? { month: monthCoordinate() } : {}),
      ...(await coordinatesOf(dataset, Object.values(out))),
      ...out,
    },
    { source: dataset.source },
  );
}

/** Of values in rising order; NaN of none. */
export function quantileOf(sorted: ArrayLike<number>, q: number): number {
  if (sorted.length === 0) return NaN;
  const at = q * (sorted.length - 1);
  const low = Math.floor(at);
  const high = Math.min(low + 1, sorted.length - 1);
  return sorted[low] + (at - low) * (sorted[high] - sorted[low]);
}

async function monthsOf(
  dataset: Dataset,
  chosen: readonly number[] | undefined,
): Promise<{ months: number[]; times: number[] }> {
  const { values, calendar } = await readTimes(dataset);
  const times = chosen ? [...chosen] : Array.from(values, (_, i) => i);
  if (times.length === 0) throw new DataError(dataset.source, "there are no times to make a climatology of");
  return { months: Array.from(values, (ms) => dateParts(ms, calendar).month - 1), times };
}

function layoutOf(dataset: Dataset, name: string): { v: Variable; dims: string[]; shape: number[]; cells: number } {
  const v = variable(dataset, name);
  if (!v.dims.includes("time"))
    throw new DataError(dataset.source, `variable '${name}' has no time, so it has no climatology`);
  const dims = v.dims.filter((dim) => dim !== "time");
  const shape = dims.map((dim) => v.shape[v.dims.indexOf(dim)]);
  return { v, dims, shape, cells: sizeOf(shape) };
}

const monthCoordinate = (): MemoryVariable => ({
  dims: ["month"],
  data: { dtype: "int32", shape: [MONTHS], data: Int32Array.from({ length: MONTHS }, (_, i) => i + 1) },
});

async function coordinatesOf(dataset: Dataset, of: readonly MemoryVariable[]): Promise<Record<string, MemoryVariable>> {
  const found: Record<string, MemoryVariable> = {};
  for (const dim of new Set(of.flatMap(({ dims }) => dims))) {
    const v = dataset.variables.get(dim);
    if (v && !v.readStrings) found[dim] = { dims: v.dims, data: await v.read(), attrs: v.attrs };
  }
  return found;
}
