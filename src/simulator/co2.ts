/** Paths of carbon dioxide: a constant, an abrupt jump, a steady growth, or any table of years. */
import { DataError, UsageError } from "../errors.js";

/** Rows of (year, ppm), years rising; values hold from a year's first day and are interpolated between. */
export type Co2Table = readonly (readonly [year: number, ppm: number])[];

/** Years between rows beyond which a table is taken to have a hole. */
const LONGEST_GAP = 10;
const EVER = [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY] as const;
const NEVER = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY] as const;

/**
 * Refuses what is no path of CO2: the year or value, and the remedy, are in the message. A hole between rows is refused only
 * where a run from one year to another would fall into it (observed tables jump from 1750 to 1850).
 */
export function checkCo2(path: number | Co2Table, [from, to]: readonly [from: number, to: number] = EVER): void {
  const sound = (ppm: number): boolean => ppm >= 10 && ppm <= 20_000;
  if (typeof path === "number") {
    if (!sound(path))
      throw new UsageError(`CO2 of ${path} ppm is not possible: give 10 to 20000 ppm, such as 280 or 420`);
    return;
  }
  if (path.length === 0) throw new UsageError("the CO2 table has no rows: give rows of year and ppm");
  path.forEach(([year, ppm], i) => {
    if (!Number.isFinite(year) || !sound(ppm))
      throw new UsageError(`row ${i + 1} of the CO2 table is (${year}, ${ppm}): give a year and 10 to 20000 ppm`);
    if (i === 0) return;
    const before = path[i - 1][0];
    if (year <= before) throw new UsageError(`the CO2 table goes from ${before} to ${year}: sort its rows by year`);
    if (year - before > LONGEST_GAP && from < year && to > before)
      throw new UsageError(
        `the CO2 table has no value between ${before} and ${year}, where the run would need one: fill the gap, at least every ${LONGEST_GAP} years`,
      );
  });
}

/** ppm at a year and its fraction; the ends hold beyond the table. */
export function co2At(path: number | Co2Table, year: number): number {
  if (typeof path === "number") return path;
  let i = 0;
  while (i < path.length && path[i][0] <= year) i++;
  if (i === 0) return path[0][1];
  if (i === path.length) return path[i - 1][1];
  const [[y0, c0], [y1, c1]] = [path[i - 1], path[i]];
  return c0 + ((c1 - c0) * (year - y0)) / (y1 - y0);
}

/** The classic abrupt quadrupling (or another `factor`) of pre-industrial CO2. */
export const abruptCo2 = (factor = 4): number => 280 * factor;

/** 280 ppm growing by `percent` a year from `start`, for `years`. */
export const growingCo2 = (start: number, years = 140, percent = 1): Co2Table =>
  Array.from({ length: years + 1 }, (_, i) => [start + i, 280 * (1 + percent / 100) ** i] as const);

/**
 * A path from comma-separated text with columns `year` (or `time`) and `CO2` (ppm) among others; `source` names it in errors.
 * Holes are left to the run that uses it (`simulationConfig`).
 */
export function parseCo2Table(text: string, source = "CO2 table"): Co2Table {
  const [header = [], ...rows] = text
    .split(/\r?\n/)
    .filter((line) => line.trim() !== "" && !line.startsWith("#"))
    .map((line) => line.split(",").map((cell) => cell.trim()));
  const column = (names: readonly string[]): number => header.findIndex((name) => names.includes(name.toLowerCase()));
  const year = column(["year", "time"]);
  const ppm = column(["co2"]);
  if (year < 0 || ppm < 0)
    throw new DataError(source, `has columns ${header.slice(0, 8).join(", ")}: name one 'year' and one 'CO2' (ppm)`);
  const table = rows.map((cells) => [Number(cells[year]), cells[ppm] ? Number(cells[ppm]) : Number.NaN] as const);
  checkCo2(table, NEVER);
  return table;
}
