/** Which scores each variable gets, and what they need to know of it. */
import { identify } from "../earth/variables.js";
import { nearest, UsageError } from "../errors.js";
import type { Channel, States } from "../tasks/series.js";
import { eventKey } from "./measures/events.js";
import type { ChannelContext, EventLimit } from "./measures/measure.js";
import { cellQuantiles, wetClimateOf } from "./measures/training-climate.js";
import { type ChannelPlan, parseMetric, planChannel } from "./metrics.js";
import type { Pairing } from "./pairing.js";
import { goesAround } from "./spectra/lead-spectra.js";

/** The plan of every channel. A metric that no variable takes is refused; one that some do is theirs. */
export function planAll(
  metrics: readonly string[] | undefined,
  { truth, channels }: Pairing,
  members: number,
  training: readonly number[],
): ChannelPlan[] {
  const refused = new Map<string, string>();
  const taken = new Set<string>();
  const plans = channels.map((channel, c) => {
    const context = contextOf(channel, c, truth, members, training);
    const plan = planChannel(metrics, context, (name, why) => void refused.set(name, why));
    for (const name of [...plan.scores.map((score) => score.name), ...plan.meanScores]) taken.add(name);
    return plan;
  });
  if (metrics) {
    for (const [name, why] of refused) if (!taken.has(name)) throw new UsageError(why);
    for (const text of metrics) {
      const { variable } = parseMetric(text);
      const names = channels.flatMap((c) => [c.name, c.variable.name]);
      if (variable !== undefined && !names.includes(variable)) {
        const near = nearest(variable, names);
        throw new UsageError(
          `'${text}' is of a variable that is not compared here${near ? `; did you mean '${near}'?` : "."} There are ${[...new Set(names)].join(", ")}`,
        );
      }
    }
  }
  return plans;
}

function contextOf(
  { name, variable }: Channel,
  c: number,
  truth: States,
  members: number,
  training: readonly number[],
): ChannelContext {
  const limits = new Map<string, number | Float32Array>();
  const wet = new Map<number, ReturnType<typeof wetClimateOf>>();
  const enough = (what: string) => {
    if (training.length < 20)
      throw new UsageError(
        `${what} is told from the training period, which has ${training.length} times; give truth that reaches further back, or --train`,
      );
  };
  return {
    name,
    units: truth.units[c],
    quantity: identify({ ...variable, attrs: { ...variable.attrs, units: truth.units[c] || undefined } }),
    members,
    columns: truth.scattered ? 1 : truth.longitudes.length,
    wraps: goesAround(truth),
    scattered: truth.scattered ?? false,
    limitOf(event: EventLimit) {
      // Fields are single precision: 0.1 must not exceed 0.1.
      if (!event.quantile) return Math.fround(event.limit);
      const key = eventKey(event);
      if (!limits.has(key)) {
        enough(`The quantile ${event.limit} of each cell`);
        limits.set(key, cellQuantiles(truth, training, c, [event.limit])[0]);
      }
      return limits.get(key)!;
    },
    wetClimate(dryUpTo) {
      if (!wet.has(dryUpTo)) {
        enough("How often a cell is dry");
        wet.set(dryUpTo, wetClimateOf(truth, training, c, dryUpTo));
      }
      return wet.get(dryUpTo)!;
    },
  };
}
