/** GRIB's dates and time units: code tables 4 (edition 1) and 4.4 (edition 2). Gregorian calendar, UTC. */
import { GribError } from "./octets.js";

const HOUR = 3_600_000;

/** Units of a fixed length, in milliseconds; the same codes in both editions up to 12. */
const FIXED: Readonly<Record<number, number>> = {
  0: 60_000,
  1: HOUR,
  2: 24 * HOUR,
  10: 3 * HOUR,
  11: 6 * HOUR,
  12: 12 * HOUR,
};
const FIXED_1: Readonly<Record<number, number>> = { ...FIXED, 13: 900_000, 14: 1_800_000, 254: 1000 };
const FIXED_2: Readonly<Record<number, number>> = { ...FIXED, 13: 1000 };
/** Units that are months, so many each. */
const MONTHS: Readonly<Record<number, number>> = { 3: 1, 4: 12, 5: 120, 6: 360, 7: 1200 };

/** `count` units after `from`, in milliseconds from `from`. Months are counted on the calendar from the reference time. */
export function duration(edition: 1 | 2, unit: number, count: number, from: number): number {
  const fixed = (edition === 1 ? FIXED_1 : FIXED_2)[unit];
  if (fixed !== undefined) return count * fixed;
  const months = MONTHS[unit];
  if (months === undefined) {
    if (count === 0) return 0;
    throw new GribError(`time unit ${unit} (code table ${edition === 1 ? "4" : "4.4"}) is not known`);
  }
  if (Number.isNaN(from)) return NaN;
  const date = new Date(from);
  return date.setUTCMonth(date.getUTCMonth() + count * months) - from;
}

/** Milliseconds since 1970 of a date, or NaN where no such date exists. */
export function instant(
  year: number,
  month: number,
  day: number,
  hour: number,
  minute: number,
  second: number,
): number {
  if (month < 1 || month > 12 || day < 1 || hour > 24 || minute > 59 || second > 60) return NaN;
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day); // Date.UTC reads the years 0 to 99 as 1900 to 1999
  if (date.getUTCMonth() !== month - 1) return NaN;
  return date.setUTCHours(hour, minute, second, 0);
}
