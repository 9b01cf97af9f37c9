/**
 * Sums by day of the year and hour, and their means over a window of days: what a climatology is made of, wherever its fields come
 * from (`climatology.ts` reads datasets piece by piece, `tasks/baselines/climatology.ts` series).
 */
import { type Calendar, dateParts, dayOfYear, daysInYear, hourOfDay } from "../earth/time.js";

const LONGEST_YEAR: Readonly<Record<Calendar, number>> = {
  standard: 366,
  proleptic_gregorian: 366,
  julian: 366,
  all_leap: 366,
  noleap: 365,
  "360_day": 360,
};

/** The days of the year and the hours that instants count towards. A slot is `hour * days + day`, both from 0. */
export interface DaySlots {
  /** UTC, ascending: those there are. */
  readonly hours: readonly number[];
  /** Of the longest year. */
  readonly days: number;
  /** The one or two slots an instant counts towards; two where it stands for the 366th day too. */
  readonly of: (ms: number) => number[];
}

export function daySlots(instants: readonly number[], calendar: Calendar): DaySlots {
  const days = LONGEST_YEAR[calendar];
  const hours = [...new Set(instants.map(hourOfDay))].sort((a, b) => a - b);
  return {
    hours,
    days,
    of(ms) {
      const day = dayOfYear(ms, calendar) - 1;
      const base = hours.indexOf(hourOfDay(ms)) * days;
      const isLast = day === 364 && days === 366 && daysInYear(dateParts(ms, calendar).year, calendar) === 365;
      return isLast ? [base + day, base + 365] : [base + day];
    },
  };
}

/** Days of the year, by slot, that no instant falls within the window of; empty where the climatology knows every day. */
export function uncovered(slots: DaySlots, instants: readonly number[], window: number): number[] {
  const { hours, days, of } = slots;
  const reach = Math.max(0, (window - 1) / 2 - 1);
  const seen = new Uint8Array(hours.length * days);
  for (const ms of instants) for (const slot of of(ms)) seen[slot] = 1;
  const missing: number[] = [];
  for (let hour = 0; hour < hours.length; hour++)
    for (let day = 0; day < days; day++) {
      let found = false;
      for (let d = -reach; d <= reach && !found; d++) found = seen[hour * days + ((day + d + days * 2) % days)] === 1;
      if (!found) missing.push(hour * days + day);
    }
  return missing;
}

/** Sums and counts of some cells by slot, and the means over windows of days that they give. */
export class DaySums {
  readonly #sums: Float64Array;
  readonly #counts: Float32Array;

  constructor(
    readonly slots: DaySlots,
    readonly cells: number,
  ) {
    const length = slots.hours.length * slots.days * cells;
    this.#sums = new Float64Array(length);
    this.#counts = new Float32Array(length);
  }

  /** How many bytes a cell takes. */
  static bytesPerCell = ({ hours, days }: Pick<DaySlots, "hours" | "days">): number => 12 * hours.length * days;

  /** Counts a field of an instant in; missing values take no part. */
  add(ms: number, values: ArrayLike<number>): void {
    for (const slot of this.slots.of(ms)) {
      const base = slot * this.cells;
      for (let cell = 0; cell < this.cells; cell++) {
        const x = values[cell];
        if (x !== x) continue;
        this.#sums[base + cell] += x;
        this.#counts[base + cell]++;
      }
    }
  }

  /** Hands over the mean of every slot, weighted by `half - |distance|` over the window; NaN where all is missing. */
  means(window: number, put: (slot: number, mean: Float32Array) => void): void {
    const { hours, days } = this.slots;
    const half = Math.max(1, (window - 1) / 2);
    for (let hour = 0; hour < hours.length; hour++) {
      const wrapped = (day: number) => (hour * days + (((day % days) + days) % days)) * this.cells;
      const [totals, weights] = [this.#sums, this.#counts].map((of) => slidingTriangle(of, this.cells, half, wrapped));
      for (let day = 0; day < days; day++) {
        const [total, weight] = [totals(day), weights(day)];
        // Weights are whole numbers, so that their sums are exact and nothing is told from rounding.
        const mean = new Float32Array(this.cells);
        for (let i = 0; i < mean.length; i++) mean[i] = weight[i] > 0 ? total[i] / weight[i] : NaN;
        put(hour * days + day, mean);
      }
    }
  }
}

/**
 * Σ_k (half - |k|) x(day + k) for one day after the other from 0. The triangle is two boxes one after the other, so that a step
 * costs three additions a cell however wide the window: T(d + 1) = T(d) + after(d) - before(d).
 */
function slidingTriangle(
  x: Float64Array | Float32Array,
  cells: number,
  half: number,
  at: (day: number) => number,
): (day: number) => Float64Array {
  const sumOf = (from: number, to: number, weight: (k: number) => number): Float64Array => {
    const total = new Float64Array(cells);
    for (let k = from; k <= to; k++) {
      const [w, base] = [weight(k), at(k)];
      for (let i = 0; i < cells; i++) total[i] += w * x[base + i];
    }
    return total;
  };
  const total = sumOf(1 - half, half - 1, (k) => half - Math.abs(k));
  const after = sumOf(1, half, () => 1); // days d + 1 .. d + half
  const before = sumOf(1 - half, 0, () => 1); // days d - half + 1 .. d
  let now = 0;
  return (day) => {
    for (; now < day; now++) {
      const [next, far, old] = [at(now + 1), at(now + half + 1), at(now - half + 1)];
      for (let i = 0; i < cells; i++) {
        total[i] += after[i] - before[i];
        after[i] += x[far + i] - x[next + i];
        before[i] += x[next + i] - x[old + i];
      }
    }
    return total;
  };
}
