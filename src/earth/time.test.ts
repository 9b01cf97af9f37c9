import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import {
  type Calendar,
  calendarFrom,
  dateParts,
  dayOfYear,
  daysInMonth,
  daysInYear,
  decodeTimes,
  encodeTimes,
  formatTime,
  hourOfDay,
  instant,
  isTimeUnits,
  parseTime,
} from "./time.js";

const CALENDARS: Calendar[] = ["standard", "proleptic_gregorian", "julian", "noleap", "all_leap", "360_day"];

describe("calendars", () => {
  const { rows } = JSON.parse(readFileSync(new URL("./fixtures/cftime.json", import.meta.url), "utf8")) as {
    rows: [Calendar, string, number, string, number, number][];
  };

  it("decodes as cftime does, in every calendar", () => {
    expect(rows.length).toBeGreaterThan(200);
    for (const [calendar, units, value, date, milliseconds, day] of rows) {
      const [ms] = decodeTimes([value], units, calendar);
      const fraction = milliseconds ? `.${String(milliseconds).padStart(3, "0")}` : "";
      expect(`${calendar} ${units} ${value} ${formatTime(ms, calendar)}`).toBe(
        `${calendar} ${units} ${value} ${date}${fraction}Z`,
      );
      // cftime numbers the days of 1582 as if the ten that were dropped had been
      if (!date.startsWith("1582")) expect(dayOfYear(ms, calendar)).toBe(day);
      expect(encodeTimes([ms], units, calendar)[0]).toBeCloseTo(value, 2);
    }
  });

  it("equals JavaScript's own proleptic Gregorian dates", () => {
    for (let year = -400; year <= 2500; year += 7)
      for (const month of [1, 2, 3, 12]) {
        const expected = new Date(0);
        expected.setUTCFullYear(year, month - 1, 28);
        expect(instant({ year, month, day: 28 }, "proleptic_gregorian")).toBe(expected.getTime());
      }
  });

  it("gives CF's published examples", () => {
    // CF 1.11, section 4.4.1: 1582-10-15 00:00 is one day after 1582-10-04 00:00 in the standard calendar.
    expect(parseTime("1582-10-15") - parseTime("1582-10-04")).toBe(86_400_000);
    expect(daysInMonth(1582, 10)).toBe(21);
    expect(() => parseTime("1582-10-10")).toThrow(/standard calendar has no day 1582-10-10/);
    // CF example 4.5: days since 1-7-15 0:0:0 with day 15 of a 360-day year.
    expect(formatTime(decodeTimes([15], "days since 1-7-15 0:0:0", "360_day")[0], "360_day")).toBe(
      "0001-07-30T00:00:00Z",
    );
    expect(daysInYear(1900, "julian")).toBe(366);
    expect(daysInYear(1900)).toBe(365);
    expect(CALENDARS.map((c) => daysInYear(2000, c))).toEqual([366, 366, 366, 365, 366, 360]);
    expect(formatTime(parseTime("2001-02-30", "360_day"), "360_day")).toBe("2001-02-30T00:00:00Z");
    expect(() => parseTime("2000-02-29", "noleap")).toThrow(/noleap calendar has no day 2000-02-29/);
  });

  it("walks every day of four centuries without a hole", () => {
    for (const calendar of CALENDARS) {
      let previous = dateParts(instant({ year: 1580 }, calendar), calendar);
      for (let ms = instant({ year: 1580 }, calendar); ms < instant({ year: 1585 }, calendar); ms += 86_400_000) {
        const parts = dateParts(ms, calendar);
        expect(instant(parts, calendar)).toBe(ms);
        const order = (p: typeof parts) => p.year * 10_000 + p.month * 100 + p.day;
        expect(order(parts)).toBeGreaterThanOrEqual(order(previous));
        previous = parts;
      }
    }
  });
});

describe("texts", () => {
  it("reads what people and files write", () => {
    const noon = Date.UTC(2013, 6, 1, 6);
    for (const text of [
      "2013-07-01T06",
      "2013-07-01 06:00",
      "2013-7-1 6:0:0.0",
      "2013-07-01T06:00:00Z",
      "2013-07-01T08:00+02:00",
      "2013-07-01 00:00:00 -6:00",
      "2013-07-01 06:00:00 UTC",
      "2013070106",
      "20130701T060000Z",
    ])
      expect([text, parseTime(text)]).toEqual([text, noon]);
    expect(parseTime("2013-07")).toBe(Date.UTC(2013, 6, 1));
    expect(parseTime("2013")).toBe(Date.UTC(2013, 0, 1));
    expect(parseTime("20130701")).toBe(Date.UTC(2013, 6, 1));
    expect(formatTime(noon + 250)).toBe("2013-07-01T06:00:00.250Z");
    for (const text of ["", "soon", "2013-13-01", "2013-02-29", "2013-01-01T25"])
      expect(() => parseTime(text), text).toThrow();
  });

  it("tells hours, units and calendars", () => {
    expect(hourOfDay(Date.UTC(1969, 11, 31, 18, 30))).toBe(18.5);
    expect(isTimeUnits("hours since 1800-01-01")).toBe(true);
    expect(isTimeUnits("K")).toBe(false);
    expect(isTimeUnits("days")).toBe(false);
    expect(calendarFrom("365_day")).toBe("noleap");
    expect(calendarFrom(undefined)).toBe("standard");
    expect(() => calendarFrom("gregorain")).toThrow(/did you mean 'gregorian'/);
    expect(formatTime(decodeTimes([20130701.25], "day as %Y%m%d.%f")[0])).toBe("2013-07-01T06:00:00Z");
    expect(() => decodeTimes([1], "months since 2000-01-01")).toThrow(/no fixed length/);
    expect(() => decodeTimes([1], "furlongs since 2000-01-01")).toThrow(/not a unit of time/);
    expect(decodeTimes([1.5], "months since 2000-01-01", "360_day")[0]).toBe(
      instant({ year: 2000, month: 2, day: 16 }, "360_day"),
    );
    expect(decodeTimes([NaN], "days since 2000-01-01")[0]).toBeNaN();
  });
});
