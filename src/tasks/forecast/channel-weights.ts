/**
 * How much each channel's error counts in the loss. `pressure` is Stormer's (Nguyen et al. 2024, arXiv:2312.03876, section 3.3):
 *
 *     w = p / (sum of the levels)   on a level p,    1 for 2 m temperature,    0.1 for any other field at the surface
 *
 * on errors that are measured in the first guess's own, as theirs are in the deviation of the six-hour differences. The low levels,
 * where weather is felt, count for more than the thin air above.
 */
import { nearest, UsageError } from "../../errors.js";
import type { ForecastConfig } from "./config.js";
import { variableNames } from "./features.js";
import type { Normaliser } from "./normaliser.js";

export type ChannelWeights = ForecastConfig["training"]["channelWeights"];

/**
 * One weight a channel, their mean 1, so that the loss of the first guess stays 1. Named weights are for a channel (`z@500`), its
 * catalogue name (`geopotential@500`) or all levels of a variable (`z`), the first of these that is named; channels that are not
 * have 1. Throws UsageError where a name is no channel's, or nothing is left to learn.
 */
export function channelWeights(
  wanted: ChannelWeights,
  n: Pick<Normaliser, "channels" | "units">,
): readonly number[] | undefined {
  if (wanted === "uniform") return undefined;
  const names = variableNames(n);
  const raw = wanted === "pressure" ? pressureWeights(names) : namedWeights(wanted, n.channels, names);
  const mean = raw.reduce((a, b) => a + b, 0) / raw.length;
  if (mean === 0)
    throw new UsageError("training.channelWeights gives every channel 0, which leaves nothing to learn; raise one");
  return raw.map((w) => w / mean);
}

function pressureWeights(names: readonly string[]): number[] {
  const levels = names.map((name) => (name.includes("@") ? Number(name.split("@")[1]) : undefined));
  const sum = [...new Set(levels)].reduce<number>((total, level) => total + (level ?? 0), 0);
  return names.map((name, c) => (levels[c] === undefined ? (name === "2m_temperature" ? 1 : 0.1) : levels[c] / sum));
}

function namedWeights(
  wanted: Readonly<Record<string, number>>,
  channels: readonly string[],
  names: readonly string[],
): number[] {
  const keysOf = channels.map((channel, c) => [channel, names[c], channel.split("@")[0], names[c].split("@")[0]]);
  const known = new Set(keysOf.flat());
  for (const key of Object.keys(wanted))
    if (!known.has(key)) {
      const near = nearest(key, [...known]);
      throw new UsageError(
        `training.channelWeights: there is no channel '${key}'${near ? `; did you mean '${near}'?` : `; there are ${channels.join(", ")}`}`,
      );
    }
  return keysOf.map((keys) => wanted[keys.find((key) => key in wanted) ?? ""] ?? 1);
}
