/**
 * Instants and calendars, after the CF conventions 1.11, section 4.4.
 *
 * An instant is a number: milliseconds since 1970-01-01T00:00Z counted in the data's own calendar. In a 360-day world
 * there are 360 * 86 400 000 of them in a year, and instants of two calendars must not be compared.
 *
 *     const times = decodeTimes([0, 6], "hours since 2013-01-01", "standard");
 *     formatTime(times[1]);                                  // "2013-01-01T06:00:00Z"
 *
 * Years are counted astronomically (there is a year 0) in every calendar; leap seconds do not exist, as in UDUNITS.
 */
import { FoehnError, nearest } from "../errors.js";

export type Calendar = "standard" | "proleptic_gregorian" | "julian" | "noleap" | "all_leap" | "360_day";

export const MS_PER_HOUR = 3_600_000;
export const MS_PER_DAY = 86_400_000;

const CALENDAR_NAMES: Readonly<Record<string, Calendar>> = {
  standard: "standard",
  gregorian: "standard",
  proleptic_gregorian: "proleptic_gregorian",
  julian: "julian",
  noleap: "noleap",
  "365_day": "noleap",
  all_leap: "all_leap",
  "366_day": "all_leap",
  "360_day": "360_day",
};

/** CF's name of a calendar, any alias and case; an absent one is `standard`. */
export function calendarFrom(name: string | undefined): Calendar {
  if (name === undefined || name.trim() === "") return "standard";
  const calendar = CALENDAR_NAMES[name.trim().toLowerCase()];
  if (calendar) return calendar;
  const near = nearest(name, Object.keys(CALENDAR_NAMES));
  throw new FoehnError(
    `calendar '${name}' is not one of CF's${near ? ` (did you mean '${near}'?)` : ""}; known are ${Object.keys(CALENDAR_NAMES).join(", ")}`,
  );
}

const LEAP_CUMULATIVE = [0, 31, 60, 91, 121, 152, 182, 213, 244, 274, 305, 335, 366];
const COMMON_CUMULATIVE = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365];

/** Julian day number (at noon) of 1970-01-01, and the mixed calendar's change: 1582-10-04 was followed by 1582-10-15. */
const JULIAN_DAY_1970 = 2_440_588;
const GREGORIAN_FROM = 2_299_161 - JULIAN_DAY_1970;

/** Days from 1970-01-01 of a proleptic Gregorian date; years run from March, so that the leap day comes last. */
function gregorianDays(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year;
  const m = (month + 9) % 12;
  return 365 * y + Math.floor(y / 4) - Math.floor(y / 100) + Math.floor(y / 400) + marchDays(m) + day - 1 - 719_468;
}

/** The same of a Julian date. */
function julianDays(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year;
  const m = (month + 9) % 12;
  return 365 * y + Math.floor(y / 4) + marchDays(m) + day - 1 - 719_470;
}

/** Days from March 1st to the first of the m-th month after March. */
const marchDays = (m: number): number => Math.floor((153 * m + 2) / 5);

/** Days from 1970-01-01, in the calendar's own days, of a date. Month 1-12; no check of the day. */
function daysFromDate(year: number, month: number, day: number, calendar: Calendar): number {
  switch (calendar) {
    case "proleptic_gregorian":
      return gregorianDays(year, month, day);
    case "julian":
      return julianDays(year, month, day);
    case "standard": {
      const days = gregorianDays(year, month, day);
      return days >= GREGORIAN_FROM ? days : julianDays(year, month, day);
    }
    case "noleap":
      return 365 * (year - 1970) + COMMON_CUMULATIVE[month - 1] + day - 1;
    case "all_leap":
      return 366 * (year - 1970) + LEAP_CUMULATIVE[month - 1] + day - 1;
    case "360_day":
      return 360 * (year - 1970) + 30 * (month - 1) + day - 1;
  }
}

/** Julian days are those since 1970-01-01 of the standard calendar: the Julian calendar's 1969-12-19. */
function dateFromDays(days: number, calendar: Calendar): { year: number; month: number; day: number } {
  switch (calendar) {
    case "standard":
      return dateFromDays(days, days >= GREGORIAN_FROM ? "proleptic_gregorian" : "julian");
    case "proleptic_gregorian": {
      const z = days + 719_468;
      const era = Math.floor(z / 146_097);
      const dayOfEra = z - era * 146_097;
      const yearOfEra = Math.floor(
        (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
      );
      const rest = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
      return fromMarch(yearOfEra + 400 * era, rest);
    }
    case "julian": {
      const z = days + 719_470;
      const era = Math.floor(z / 1461);
      const dayOfEra = z - era * 1461;
      const yearOfEra = Math.floor((dayOfEra - Math.floor(dayOfEra / 1460)) / 365);
      return fromMarch(yearOfEra + 4 * era, dayOfEra - 365 * yearOfEra);
    }
    case "noleap":
    case "all_leap": {
      const [length, cumulative] = calendar === "noleap" ? [365, COMMON_CUMULATIVE] : [366, LEAP_CUMULATIVE];
      const year = Math.floor(days / length);
      const dayOfYear = days - year * length;
      const month = cumulative.findLastIndex((start) => start <= dayOfYear) + 1;
      return { year: year + 1970, month, day: dayOfYear - cumulative[month - 1] + 1 };
    }
    case "360_day": {
      const year = Math.floor(days / 360);
      const dayOfYear = days - year * 360;
      return { year: year + 1970, month: Math.floor(dayOfYear / 30) + 1, day: (dayOfYear % 30) + 1 };
    }
  }
}

/** A date from a year that begins in March and the days since its beginning. */
function fromMarch(year: number, dayOfYear: number): { year: number; month: number; day: number } {
  const m = Math.floor((5 * dayOfYear + 2) / 153);
  const month = m < 10 ? m + 3 : m - 9;
  return { year: month <= 2 ? year + 1 : year, month, day: dayOfYear - marchDays(m) + 1 };
}

/** How many days a month (1-12) has; October 1582 has 21 in the standard calendar. */
export function daysInMonth(year: number, month: number, calendar: Calendar = "standard"): number {
  const next = month === 12 ? daysFromDate(year + 1, 1, 1, calendar) : daysFromDate(year, month + 1, 1, calendar);
  return next - daysFromDate(year, month, 1, calendar);
}

/** How many days a year has. */
export const daysInYear = (year: number, calendar: Calendar = "standard"): number =>
  daysFromDate(year + 1, 1, 1, calendar) - daysFromDate(year, 1, 1, calendar);

export interface DateParts {
  year: number;
  /** 1-12. */
  month: number;
  /** 1-31. */
  day: number;
  hour: number;
  minute: number;
  second: number;
  millisecond: number;
}

/** The date and time of day of an instant. */
export function dateParts(ms: number, calendar: Calendar = "standard"): DateParts {
  const days = Math.floor(ms / MS_PER_DAY);
  const rest = Math.round(ms - days * MS_PER_DAY);
  return {
    ...dateFromDays(days, calendar),
    hour: Math.floor(rest / MS_PER_HOUR),
    minute: Math.floor(rest / 60_000) % 60,
    second: Math.floor(rest / 1000) % 60,
    millisecond: rest % 1000,
  };
}

/** The instant of a date; parts left out are the first of their kind. Throws where the calendar has no such day. */
export function instant(parts: Partial<DateParts> & { year: number }, calendar: Calendar = "standard"): number {
  const { year, month = 1, day = 1, hour = 0, minute = 0, second = 0, millisecond = 0 } = parts;
  const days = month >= 1 && month <= 12 ? daysFromDate(year, month, day, calendar) : NaN;
  const back = dateFromDays(days, calendar);
  if (back.year !== year || back.month !== month || back.day !== day)
    throw new FoehnError(`the ${calendar} calendar has no day ${year}-${two(month)}-${two(day)}`);
  return days * MS_PER_DAY + hour * MS_PER_HOUR + minute * 60_000 + second * 1000 + millisecond;
}

/** 1 on January 1st, up to 366. */
export function dayOfYear(ms: number, calendar: Calendar = "standard"): number {
  const days = Math.floor(ms / MS_PER_DAY);
  return days - daysFromDate(dateFromDays(days, calendar).year, 1, 1, calendar) + 1;
}

/** Hours since midnight, with their fraction: 6.5 at 06:30. */
export const hourOfDay = (ms: number): number => (ms - Math.floor(ms / MS_PER_DAY) * MS_PER_DAY) / MS_PER_HOUR;

const ORIGIN =
  /^([+-]?\d{1,6})(?:-(\d{1,2})(?:-(\d{1,2}))?)?(?:(?:[T\s]+|:)(\d{1,2})(?::?(\d{1,2})(?::?(\d{1,2}(?:\.\d*)?))?)?)?\s*(.*)$/i;
const COMPACT = /^(\d{4})(\d{2})(\d{2})(?:T?(\d{2})(?:(\d{2})(?:(\d{2}(?:\.\d*)?))?)?)?(Z?)$/i;
const ZONE = /^(?:z|utc|gmt|([+-])?(\d{1,2}):?(\d{2})?)?$/i;

/**
 * The instant a text names: ISO 8601 and what UDUNITS takes (`2013`, `2013-7-1`, `2013-07-01T06:30`, `1800-1-1 00:00:0.0`,
 * `20130701`, `2013070106`), with `Z`, `UTC` or an offset such as `-6:00` behind it; UTC where nothing is said.
 */
export function parseTime(text: string, calendar: Calendar = "standard"): number {
  const trimmed = text.trim();
  const match = COMPACT.exec(trimmed) ?? ORIGIN.exec(trimmed);
  const zone = match && ZONE.exec(match[7].trim());
  if (!match || !zone)
    throw new FoehnError(`'${text}' is not a time; write it as 2013-07-01, 2013-07-01T06 or 2013-07-01T06:30:00Z`);
  const [, year, month = "1", day = "1", hour = "0", minute = "0", second = "0"] = match;
  if (+hour > 24 || +minute > 59 || +second >= 61) throw new FoehnError(`'${text}' has no such time of day`);
  const local = instant({ year: +year, month: +month, day: +day, hour: +hour, minute: +minute }, calendar);
  const offset = (zone[1] === "-" ? -1 : 1) * (+(zone[2] ?? 0) * MS_PER_HOUR + +(zone[3] ?? 0) * 60_000);
  return Math.round(local + +second * 1000 - offset);
}

const two = (n: number): string => String(n).padStart(2, "0");

/** ISO 8601 in UTC to the second, or to the millisecond where there are any: `2013-07-01T06:00:00Z`. */
export function formatTime(ms: number, calendar: Calendar = "standard"): string {
  if (!Number.isFinite(ms)) return "not-a-time";
  const { year, month, day, hour, minute, second, millisecond } = dateParts(Math.round(ms), calendar);
  const sign = year < 0 ? "-" : "";
  const fraction = millisecond ? `.${String(millisecond).padStart(3, "0")}` : "";
  return `${sign}${String(Math.abs(year)).padStart(4, "0")}-${two(month)}-${two(day)}T${two(hour)}:${two(minute)}:${two(second)}${fraction}Z`;
}

const UNIT_MS: Readonly<Record<string, number>> = {
  week: 7 * MS_PER_DAY,
  day: MS_PER_DAY,
  d: MS_PER_DAY,
  hour: MS_PER_HOUR,
  hr: MS_PER_HOUR,
  h: MS_PER_HOUR,
  minute: 60_000,
  min: 60_000,
  second: 1000,
  sec: 1000,
  s: 1000,
  millisecond: 1,
  millisec: 1,
  msec: 1,
  ms: 1,
  microsecond: 1e-3,
  microsec: 1e-3,
  us: 1e-3,
  nanosecond: 1e-6,
  nanosec: 1e-6,
  ns: 1e-6,
};

/** What `units` of a time variable say: the length of one unit and where they count from. */
function timeUnits(units: string, calendar: Calendar): { unit: number; origin: number } {
  const match = /^\s*([a-z_]+)\s+(?:since|after|from|ref|@)\s+(.+?)\s*$/i.exec(units);
  if (!match)
    throw new FoehnError(`'${units}' are not units of time; CF writes them as 'hours since 1900-01-01 00:00:00'`);
  const name = match[1].toLowerCase();
  const singular = name.length > 2 ? name.replace(/s$/, "") : name;
  const unit = UNIT_MS[name] ?? UNIT_MS[singular] ?? (calendar === "360_day" ? MONTHS_360[singular] : undefined);
  if (unit === undefined) {
    const months = singular in MONTHS_360;
    throw new FoehnError(
      months
        ? `'${units}': a ${singular} has no fixed length in the ${calendar} calendar (UDUNITS takes 1/12 of 365.242198781 days); give the times in days or hours`
        : `'${units}': '${match[1]}' is not a unit of time; use days, hours, minutes or seconds`,
    );
  }
  return { unit, origin: parseTime(match[2], calendar) };
}

/** Where every month has 30 days, months and years are units too. */
const MONTHS_360: Readonly<Record<string, number>> = { month: 30 * MS_PER_DAY, year: 360 * MS_PER_DAY };

/** True where `units` count time from an origin (`days since 1850-01-01`). */
export const isTimeUnits = (units: unknown): units is string =>
  typeof units === "string" && /^\s*([a-z_]+\s+(since|after|ref)\s+[-+\d]|day as %Y%m%d)/i.test(units);

/**
 * Instants from the numbers of a CF time variable, rounded to the millisecond; NaN stays NaN. Also takes the absolute
 * form `day as %Y%m%d.%f`.
 *
 * @param units e.g. `hours since 1900-01-01 00:00:0.0`
 */
export function decodeTimes(values: ArrayLike<number>, units: string, calendar: string = "standard"): Float64Array {
  const known = calendarFrom(calendar);
  if (/^\s*day as %Y%m%d/i.test(units)) return Float64Array.from(values, (value) => absoluteDay(value, known));
  const { unit, origin } = timeUnits(units, known);
  return Float64Array.from(values, (value) => origin + Math.round(value * unit));
}

/** 20130701.25 is 2013-07-01T06. */
function absoluteDay(value: number, calendar: Calendar): number {
  if (!Number.isFinite(value)) return NaN;
  const date = Math.floor(value);
  const [year, month, day] = [Math.floor(date / 10_000), Math.floor(date / 100) % 100, date % 100];
  return instant({ year, month, day }, calendar) + Math.round((value - date) * MS_PER_DAY);
}

/** The numbers of a CF time variable from instants: `decodeTimes` backwards. */
export function encodeTimes(times: ArrayLike<number>, units: string, calendar: string = "standard"): Float64Array {
  const { unit, origin } = timeUnits(units, calendarFrom(calendar));
  return Float64Array.from(times, (ms) => (ms - origin) / unit);
}
