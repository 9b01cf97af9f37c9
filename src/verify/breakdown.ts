/** The same scores by season, by hour of the day and by month of the valid time: when is the forecast good? */
import { type Calendar, dateParts, hourOfDay } from "../earth/time.js";
import { UsageError } from "../errors.js";

export const BREAKDOWNS = ["season", "hour", "month"] as const;
export type Breakdown = (typeof BREAKDOWNS)[number];

const SEASONS = ["DJF", "MAM", "JJA", "SON"];
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** The part of the year or day an instant falls in: `DJF`, `06 UTC`, `Jan`. */
export function groupOf(by: Breakdown, ms: number, calendar: Calendar): string {
  if (by === "hour") return `${String(hourOfDay(ms)).padStart(2, "0")} UTC`;
  const { month } = dateParts(ms, calendar);
  return by === "month" ? MONTHS[month - 1] : SEASONS[Math.floor((month % 12) / 3)];
}

/** In the order of the year and of the day. */
export const groupOrder = (by: Breakdown): readonly string[] =>
  by === "season"
    ? SEASONS
    : by === "month"
      ? MONTHS
      : Array.from({ length: 24 }, (_, h) => `${String(h).padStart(2, "0")} UTC`);

/** Positions of the instants by group, in order. */
export function grouped(by: Breakdown, instants: readonly number[], calendar: Calendar): Map<string, number[]> {
  const found = new Map<string, number[]>();
  instants.forEach((ms, k) => {
    const group = groupOf(by, ms, calendar);
    found.set(group, [...(found.get(group) ?? []), k]);
  });
  return new Map(groupOrder(by).flatMap((name) => (found.has(name) ? [[name, found.get(name)!]] : [])));
}

/** Checks names from a command line. */
export function breakdownsOf(names: readonly string[]): Breakdown[] {
  for (const name of names)
    if (!(BREAKDOWNS as readonly string[]).includes(name))
      throw new UsageError(`'${name}' is nothing to split scores by; there are ${BREAKDOWNS.join(", ")}`);
  return names as Breakdown[];
}
