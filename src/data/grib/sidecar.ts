/**
 * Index sidecars of open-data servers: text files that say where each message of a GRIB file lies, so that a reader takes
 * a few byte ranges instead of the whole. Two forms: wgrib2's inventory (`.idx`, NOAA: GFS, GEFS, HRRR) and ECMWF open
 * data's JSON lines (`.index`).
 *
 *     const entries = parseSidecar(await (await fetch(url + ".idx")).text(), url + ".idx");
 *     const ranges = mergeRanges(entries.filter((entry) => entry.parameter === "TMP" && entry.level === "850 mb"));
 */
import { DataError } from "../../errors.js";

export interface SidecarEntry {
  readonly offset: number;
  /** Undefined for the last message of an `.idx`, which runs to the end of the file. */
  readonly length?: number;
  /** As the file names it: `TMP` in an inventory, `2t` in ECMWF's. */
  readonly parameter: string;
  /** As the file spells it: `850 mb`, or type and value of ECMWF's keys, `pl 850`. */
  readonly level: string;
  /** As the file spells it: `6 hour fcst`, `0-6 hour acc fcst`; the step of ECMWF's keys. */
  readonly step: string;
  /** Reference time in milliseconds since 1970. */
  readonly time: number;
  readonly member?: number;
  /** All further keys. */
  readonly keys: Readonly<Record<string, string>>;
}

/** Reads either form, told apart by its first character. Throws DataError with the line that is wrong. */
export function parseSidecar(text: string, source: string): SidecarEntry[] {
  const entries = /^\s*\{/.test(text) ? parseIndex(text, source) : parseIdx(text, source);
  if (!entries.length) throw new DataError(source, "the index lists no message");
  return entries;
}

/** `12:4567890:d=2024010100:TMP:850 mb:6 hour fcst:ENS=+1`; fields of one message (`3.1`, `3.2`) share an offset. */
export function parseIdx(text: string, source: string): SidecarEntry[] {
  const rows = linesOf(text).map(([line, number]) => {
    const [, offset, date, parameter, level, step, ...rest] = line.split(":");
    const time = /^d=(\d{4})(\d{2})(\d{2})(\d{2})(\d{2})?/.exec(date ?? "");
    if (!/^\d+$/.test(offset ?? "") || !time || step === undefined || !Number.isSafeInteger(Number(offset)))
      throw new DataError(
        source,
        `line ${number} is not an inventory line (number:offset:d=date:parameter:level:step): '${line.slice(0, 80)}'`,
      );
    const [year, month, day, hour, minute = 0] = time.slice(1).map((part) => Number(part ?? 0));
    const ensemble = rest.map((part) => /^ENS=([+-]?)(\d+|\S+ ctl)/.exec(part)).find(Boolean);
    const member = ensemble ? (/ctl/.test(ensemble[0]) ? 0 : Number(ensemble[2])) : undefined;
    const keys = Object.fromEntries(rest.filter(Boolean).map((part, i) => [`key${i + 1}`, part]));
    return {
      offset: Number(offset),
      parameter,
      level,
      step,
      time: Date.UTC(year, month - 1, day, hour, minute),
      member,
      keys,
    };
  });
  const offsets = [...new Set(rows.map(({ offset }) => offset))].sort((a, b) => a - b);
  const next = new Map(offsets.map((offset, i): [number, number | undefined] => [offset, offsets[i + 1]]));
  return rows.map((row) => {
    const end = next.get(row.offset);
    return end === undefined ? row : { ...row, length: end - row.offset };
  });
}

/** One JSON object a line with `_offset` and `_length` beside MARS keys. */
export function parseIndex(text: string, source: string): SidecarEntry[] {
  return linesOf(text).map(([line, number]) => {
    const bad = (why: string, cause?: unknown) =>
      new DataError(source, `line ${number} of the index ${why}: '${line.slice(0, 80)}'`, { cause });
    let row: Record<string, unknown>;
    try {
      row = JSON.parse(line) as Record<string, unknown>;
    } catch (cause) {
      throw bad("is not JSON", cause);
    }
    const { _offset: offset, _length: length, ...rest } = row;
    if (!isCount(offset) || !isCount(length)) throw bad("has no whole numbers _offset and _length");
    const keys = Object.fromEntries(Object.entries(rest).map(([key, value]) => [key, String(value)]));
    const { param = "", levtype = "", levelist = "", step = "", date = "", time = "0", number: member } = keys;
    const clock = time.padStart(4, "0");
    const [hour, minute] = time.length <= 2 ? [Number(time), 0] : [Number(clock.slice(0, 2)), Number(clock.slice(2))];
    const when = Date.UTC(
      Number(date.slice(0, 4)),
      Number(date.slice(4, 6)) - 1,
      Number(date.slice(6, 8)),
      hour,
      minute,
    );
    if (!/^\d{8}$/.test(date) || Number.isNaN(when)) throw bad("has no date of the form YYYYMMDD");
    return {
      offset,
      length,
      parameter: param,
      level: `${levtype} ${levelist}`.trim(),
      step,
      time: when,
      ...(member !== undefined && { member: Number(member) }),
      keys,
    };
  });
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

function linesOf(text: string): [line: string, number: number][] {
  return text
    .split(/\r?\n/)
    .map((line, i): [string, number] => [line, i + 1])
    .filter(([line]) => line.trim() !== "");
}

/** A range to request; `length` undefined runs to the end of the file. */
export interface SidecarRange {
  readonly offset: number;
  readonly length?: number;
}

/**
 * The entries' ranges in ascending order, each message once, ranges closer than `gap` bytes joined: one request costs
 * more than a few kilobytes too many.
 */
export function mergeRanges(entries: Iterable<SidecarRange>, options: { gap?: number } = {}): SidecarRange[] {
  const { gap = 0 } = options;
  const merged: { offset: number; end: number }[] = [];
  for (const { offset, length = Infinity } of [...entries].sort((a, b) => a.offset - b.offset)) {
    const last = merged.at(-1);
    if (last && offset <= last.end + gap) last.end = Math.max(last.end, offset + length);
    else merged.push({ offset, end: offset + length });
  }
  return merged.map(({ offset, end }) => (end === Infinity ? { offset } : { offset, length: end - offset }));
}
