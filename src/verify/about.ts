/** What was compared with what, in words: notes, labels, the grid. */
import type { Dataset } from "../data/dataset.js";
import type { Channel, States } from "../tasks/series.js";
import type { LeftOut } from "./accumulate.js";
import type { ChannelPlan } from "./metrics.js";
import type { ScoreRow } from "./rows.js";
import type { VerifyOptions } from "./verify.js";

export function leftOutNotes({ gross, unmatched, compared }: LeftOut, { stations }: VerifyOptions): string[] {
  const share = (n: number) => {
    const percent = (100 * n) / Math.max(1, n + compared);
    return `${percent >= 99.5 ? Math.round(percent) : percent.toPrecision(2)} %`;
  };
  return [
    ...(gross > 0
      ? [`${gross} reports lie more than ${stations?.farthest} from the forecast and are left out as gross errors.`]
      : []),
    ...(unmatched > 0
      ? [
          `${unmatched} values of the truth (${share(unmatched)}) are left out because the forecast or one of its baselines has none there: all are scored on the same cells.`,
        ]
      : []),
  ];
}

/** Leads at which there is nothing to compare, by variable and region. */
export function emptyNotes(empty: ReadonlyMap<string, readonly number[]>, leadHours: ArrayLike<number>): string[] {
  return [...empty].map(
    ([where, leads]) =>
      `${where} has no value to compare at ${leads.length === leadHours.length ? "any lead" : `${leads.join(", ")} h`}.`,
  );
}

/** Scores that were asked for and are defined nowhere, of channels that have something to compare. */
export function undefinedNotes(
  plans: readonly ChannelPlan[],
  channels: readonly Channel[],
  rows: readonly ScoreRow[],
  compared: (channel: number) => boolean,
): string[] {
  return plans.flatMap(({ scores }, c) => {
    const { variable, levelValue = null } = channels[c];
    const own = rows.filter(
      (row) => row.variable === variable.name && row.level === levelValue && row.baseline === null,
    );
    return scores
      .filter(({ name }) => compared(c) && !own.some((row) => row.metric === name))
      .map(({ name }) =>
        name.includes(">")
          ? `'${name}' has no value for ${channels[c].name}: the event never happens here or always does; choose a threshold inside the data.`
          : `'${name}' has no value for ${channels[c].name}: it is not defined for these fields (a constant field, or nothing that counts).`,
      );
  });
}

const PROVENANCE = ["title", "model", "source", "institution", "version", "software", "history", "training_period"];

export function provenanceOf({ attrs }: Dataset): Record<string, string> {
  const found = PROVENANCE.flatMap((name) => (typeof attrs[name] === "string" ? [[name, attrs[name]]] : []));
  return Object.fromEntries(found) as Record<string, string>;
}

/** The long name that the forecast or else the truth gives the variable, with its level. */
export function labelOf({ name, variable, levelValue }: Channel, { truth }: VerifyOptions): string {
  const long = variable.attrs["long_name"] ?? truth.variables.get(variable.name)?.attrs["long_name"];
  if (typeof long !== "string") return name;
  return levelValue === undefined ? long : `${long} at ${levelValue}`;
}

export const describeGrid = ({ latitudes, longitudes }: States): string => {
  const span = (x: Float64Array) => `${+x[0].toFixed(3)} to ${+x[x.length - 1].toFixed(3)}`;
  return `${latitudes.length} x ${longitudes.length} (latitudes ${span(latitudes)}, longitudes ${span(longitudes)})`;
};
