/**
 * Coarser in time, lazily: means of states and rates, sums of amounts, extremes, or the values at the beginnings.
 *
 *     const daily = await resampled(hourly, "day");                       // tp summed, the rest averaged
 *     const highest = await resampled(hourly, "day", { how: { t2m: "max" } });
 *
 * A step is `month`, `year`, `day`, or a number of hours or days (`6h`, `5d`), counted from midnight of 1 January 1970 in
 * the data's calendar. The time of a result is the beginning of its interval; CF bounds say both ends.
 */
import { dateParts, encodeTimes, instant, MS_PER_DAY, MS_PER_HOUR, type Calendar } from "../earth/time.js";
import { identify } from "../earth/variables.js";
import { DataError, UsageError } from "../errors.js";
import { sizeOf } from "../tensor/ndarray.js";
import { asArray, keptShape } from "./blocks.js";
import { arranged } from "./computed.js";
import { readTimes } from "./coords.js";
import { type Dataset, memoryDataset, resolveSelection, type Selection, type Variable, variable } from "./dataset.js";
import { usualStep } from "./problems.js";
import { takenVariable, withVariables } from "./views.js";

export const RESAMPLE_METHODS = ["mean", "sum", "min", "max", "instant"] as const;
export type ResampleMethod = (typeof RESAMPLE_METHODS)[number];

export interface ResampleOptions {
  /** For all variables or by name. Unless told, amounts are summed and everything else is averaged. */
  readonly how?: ResampleMethod | Readonly<Record<string, ResampleMethod>>;
  /**
   * Of an interval's values, how many must be there: else the result is missing. All of them for sums (a sum with gaps is
   * too small), any for the others.
   */
  readonly minimumShare?: number;
}

interface Interval {
  readonly start: number;
  readonly end: number;
}

/** How a step divides time. */
interface Division {
  /** Which interval an instant lies in, and the interval. `closedRight`: an instant at a boundary ends the interval before. */
  of(ms: number, closedRight: boolean): number;
  interval(index: number): Interval;
}

function divisionOf(step: string, calendar: Calendar): Division {
  if (step === "month" || step === "year") {
    const months = step === "month" ? 1 : 12;
    const interval = (index: number): Interval => {
      const start = (k: number): number =>
        instant({ year: Math.floor((k * months) / 12), month: ((((k * months) % 12) + 12) % 12) + 1 }, calendar);
      return { start: start(index), end: start(index + 1) };
    };
    const at = (ms: number): number => {
      const { year, month } = dateParts(ms, calendar);
      return Math.floor((year * 12 + month - 1) / months);
    };
    return {
      interval,
      of: (ms, closedRight) => (closedRight && interval(at(ms)).start === ms ? at(ms) - 1 : at(ms)),
    };
  }
  const match = /^(\d+)?\s*(h|hours?|d|days?|min)$/.exec(step);
  const unit = match && { h: MS_PER_HOUR, d: MS_PER_DAY, m: 60_000 }[match[2][0] as "h"];
  const length = match ? Number(match[1] ?? 1) * unit! : 0;
  if (!(length > 0)) throw new UsageError(`'${step}' is no step of time; write 6h, 1d, month or year`);
  return {
    interval: (index) => ({ start: index * length, end: (index + 1) * length }),
    of: (ms, closedRight) => (closedRight ? Math.ceil(ms / length) - 1 : Math.floor(ms / length)),
  };
}

/** The dataset at a coarser step. Text variables on time are left out. */
export async function resampled(dataset: Dataset, step: string, options: ResampleOptions = {}): Promise<Dataset> {
  const time = variable(dataset, "time");
  const { values: instants, calendar } = await readTimes(dataset);
  const division = divisionOf(step, calendar);
  const usual = usualStep(instants)?.ms;
  const { how } = options;
  if (typeof how === "object") for (const name of Object.keys(how)) variable(dataset, name);
  const methodOf = (v: Variable): ResampleMethod =>
    (typeof how === "string" ? how : how?.[v.name]) ?? (isAmount(v) ? "sum" : "mean");
  const left = new Set(Array.from(instants, (ms) => division.of(ms, false)));
  const bins = [...left].sort((a, b) => a - b);
  const intervals = bins.map((bin) => division.interval(bin));
  const [first] = intervals;
  if (!first) throw new DataError(dataset.source, "it has no times to resample");
  if (usual !== undefined && first.end - first.start < usual * 0.999)
    throw new UsageError(
      `${dataset.source}: its times lie ${usual / MS_PER_HOUR} hours apart, more than the step of '${step}'; it can only be made coarser`,
    );
  const variables = [...dataset.variables.values()].flatMap((v) => {
    if (v.name === "time") return [];
    if (!v.dims.includes("time")) return [v];
    if (v.readStrings) return [];
    const method = methodOf(v);
    const groups = bins.map((): number[] => []);
    const place = new Map(bins.map((bin, i) => [bin, i]));
    instants.forEach((ms, i) => {
      const at = place.get(division.of(ms, method === "sum"));
      if (at !== undefined) groups[at].push(i);
    });
    const share = options.minimumShare ?? (method === "sum" ? 1 : 0);
    const expected = intervals.map(({ start, end }) => (usual ? Math.max(1, Math.round((end - start) / usual)) : 1));
    const needed = expected.map((n) => Math.max(1, Math.ceil(share * n - 1e-9)));
    if (method === "sum" && isDirection(v))
      throw new UsageError(`${dataset.source}: '${v.name}' is a direction, which has no sum; take its mean`);
    return [reduced(v, groups, method, needed, dataset.source)];
  });
  const units = "hours since 1970-01-01";
  const encoded = (list: readonly number[]): Float64Array => encodeTimes(list, units, calendar);
  const attrs = { ...time.attrs, units, calendar, bounds: "time_bnds" };
  const times = memoryDataset({
    time: {
      dims: ["time"],
      data: asArray("float64", [bins.length], encoded(intervals.map(({ start }) => start))),
      attrs,
    },
    time_bnds: {
      dims: ["time", "bnds"],
      data: asArray("float64", [bins.length, 2], encoded(intervals.flatMap(({ start, end }) => [start, end]))),
      attrs: { units, calendar },
    },
  });
  return withVariables(dataset, [...times.variables.values(), ...variables]);
}

/** Directions go around: their mean is that of unit vectors, 350 and 10 degrees make 0. */
const isDirection = (v: Variable): boolean => /_from_direction$|_to_direction$/.test(identify(v)?.standardName ?? "");

const isAmount = (v: Variable): boolean =>
  identify(v)?.kind === "amount" || /\btime:\s*sum\b/.test(String(v.attrs["cell_methods"] ?? ""));

/** A variable reduced over groups of its times. */
function reduced(
  v: Variable,
  groups: readonly (readonly number[])[],
  method: ResampleMethod,
  needed: readonly number[],
  source: string,
): Variable {
  if (method === "instant") {
    const firsts = groups.map(([index]) => index);
    return takenVariable(v, { time: firsts }, source);
  }
  const axis = v.dims.indexOf("time");
  const shape = v.shape.map((n, i) => (i === axis ? groups.length : n));
  const dtype = v.dtype === "float32" ? "float32" : "float64";
  const circular = method === "mean" && isDirection(v);
  const turn = (2 * Math.PI) / (/^rad/.test(String(v.attrs["units"] ?? "")) ? 2 * Math.PI : 360);
  const name = method === "mean" ? "mean" : method === "sum" ? "sum" : method === "min" ? "minimum" : "maximum";
  return {
    ...v,
    shape,
    dtype,
    attrs: { ...v.attrs, cell_methods: `time: ${name}` },
    chunks: undefined,
    async read(selection: Selection = {}) {
      const axes = resolveSelection({ name: v.name, dims: v.dims, shape }, selection, source);
      const counts = axes.map(({ indices }) => indices.length);
      const outer = sizeOf(counts.slice(0, axis));
      const inner = sizeOf(counts.slice(axis + 1));
      const out = new (dtype === "float32" ? Float32Array : Float64Array)(sizeOf(counts));
      const others = Object.fromEntries(v.dims.map((dim, i) => [dim, Array.from(axes[i].indices)]));
      for (let bin = 0; bin < counts[axis]; bin++) {
        const index = axes[axis].indices[bin];
        const group = groups[index];
        const values =
          group.length === 0
            ? []
            : arranged(await v.read({ ...others, time: [...group] }), v.dims, [
                "time",
                ...v.dims.filter((d) => d !== "time"),
              ]);
        for (let cell = 0; cell < outer * inner; cell++) {
          // one by one: declared as a list they are boxed, which takes three times as long
          let sum = 0;
          let low = Infinity;
          let high = -Infinity;
          let n = 0;
          let east = 0;
          let north = 0;
          for (let t = 0; t < group.length; t++) {
            const x = values[t * outer * inner + cell];
            if (x !== x) continue;
            n++;
            sum += x;
            if (circular) {
              east += Math.sin(x * turn);
              north += Math.cos(x * turn);
            }
            if (x < low) low = x;
            if (x > high) high = x;
          }
          const mean = circular ? compassMean(east, north, n, turn) : sum / n;
          const result = method === "mean" ? mean : method === "sum" ? sum : method === "min" ? low : high;
          const at = (Math.floor(cell / inner) * counts[axis] + bin) * inner + (cell % inner);
          out[at] = n < needed[index] ? NaN : result;
        }
      }
      return asArray(dtype, keptShape(axes), out);
    },
  };
}

/** The direction of summed unit vectors, in the data's units from 0 to a whole turn; none where they cancel out. */
function compassMean(east: number, north: number, n: number, turn: number): number {
  if (Math.hypot(east, north) < 1e-9 * n) return NaN;
  const whole = (2 * Math.PI) / turn;
  return (((Math.atan2(east, north) / turn) % whole) + whole) % whole;
}

/** What `foehn info` and errors call it. */
export const isResampleMethod = (word: string): word is ResampleMethod =>
  (RESAMPLE_METHODS as readonly string[]).includes(word);
