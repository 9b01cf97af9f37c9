/** The jumps that a method is made of, in steps of the data. */
import { UsageError } from "../../errors.js";
import type { ForecastConfig } from "./config.js";
import type { Normaliser } from "./normaliser.js";

const HOUR = 3_600_000;

/** Intervals of the randomised method, ascending. Throws where one is not made of whole steps or is longer than the longest lead. */
export function intervalSteps({ forecast }: ForecastConfig, { step, leadSteps }: Normaliser): number[] {
  if (forecast.history !== 1)
    throw new UsageError(
      `forecast.history is ${forecast.history}, but randomised intervals start from one state; set it to 1`,
    );
  return forecast.intervals
    .map((hours) => {
      const steps = (hours * HOUR) / step;
      if (Number.isInteger(steps) && steps <= leadSteps) return steps;
      throw new UsageError(
        `forecast.intervals: ${hours} h is not a multiple of the data's step of ${step / HOUR} h up to forecast.maxLead; give intervals that are`,
      );
    })
    .sort((a, b) => a - b);
}

/** Leads that a sample of `jumps` jumps may have. */
export function trainedLeads(config: ForecastConfig, n: Normaliser, jumps: number): number[] {
  switch (config.forecast.method) {
    case "direct":
      return Array.from({ length: n.leadSteps }, (_, i) => i + 1);
    case "iterative":
      return [1];
    case "randomised": {
      const fitting = intervalSteps(config, n).filter((steps) => steps * jumps <= n.leadSteps);
      if (fitting.length > 0) return fitting;
      throw new UsageError(
        `${jumps} jumps of the shortest of forecast.intervals go beyond forecast.maxLead; lengthen it or shorten training.rollout`,
      );
    }
  }
}

/** The last jump of the fewest that go to a lead: the longest interval whose multiple it is; undefined where there is none. */
export const lastJump = (lead: number, intervals: readonly number[]): number | undefined =>
  intervals.reduce<number | undefined>((best, i) => (lead % i === 0 && i > (best ?? 0) ? i : best), undefined);

/** Whether a lead, in steps, can be reached from the start by the method's jumps. */
export function reaches(config: ForecastConfig, n: Normaliser, lead: number): boolean {
  return config.forecast.method !== "randomised" || intervalSteps(config, n).some((steps) => lead % steps === 0);
}
