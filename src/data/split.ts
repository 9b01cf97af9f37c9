/** Training, validation and test: spans of time that never overlap, with a gap between them. */
import { type Calendar, formatTime, MS_PER_HOUR } from "../earth/time.js";
import { UsageError } from "../errors.js";
import { indicesInSpan, type TimeSpan } from "./subset.js";

export type SplitName = "train" | "validation" | "test";

export interface SplitOptions extends Readonly<Partial<Record<SplitName, TimeSpan>>> {
  /** Hours that lie between any two parts; samples of the later part that come too soon are left out. */
  readonly gap?: number;
  readonly calendar?: Calendar;
}

/**
 * The indices of each part.
 *
 * @throws where spans overlap, or where a part has no times left.
 */
export function splitByTime(times: ArrayLike<number>, options: SplitOptions): Record<SplitName, number[]> {
  const { gap = 0, calendar = "standard" } = options;
  if (!(gap >= 0)) throw new UsageError(`the gap between the parts is ${gap} hours; it must be 0 or more`);
  const names = (["train", "validation", "test"] as const).filter((name) => options[name]);
  const parts: Record<SplitName, number[]> = { train: [], validation: [], test: [] };
  for (const name of names) {
    parts[name] = indicesInSpan(times, options[name]!, calendar);
    if (parts[name].length === 0)
      throw new UsageError(
        `no time lies in the ${name} span ${show(options[name]!)}; the data have ${spanOf(times, calendar)}`,
      );
  }
  const order = [...names].sort((a, b) => times[parts[a][0]] - times[parts[b][0]]);
  for (let i = 1; i < order.length; i++) {
    const [before, after] = [order[i - 1], order[i]];
    const end = times[parts[before].at(-1)!];
    if (times[parts[after][0]] <= end)
      throw new UsageError(
        `the ${before} and ${after} spans overlap: ${before} lasts to ${formatTime(end, calendar)}, ${after} begins at ${formatTime(times[parts[after][0]], calendar)}`,
      );
    parts[after] = parts[after].filter((index) => times[index] >= end + gap * MS_PER_HOUR);
    if (parts[after].length === 0)
      throw new UsageError(
        `a gap of ${gap} hours after the ${before} span leaves nothing of the ${after} span; shorten it`,
      );
  }
  return parts;
}

const show = ({ start = "...", end = "..." }: TimeSpan): string => `${start} to ${end}`;
const spanOf = (times: ArrayLike<number>, calendar: Calendar): string =>
  `${formatTime(times[0], calendar)} to ${formatTime(times[times.length - 1], calendar)}`;
