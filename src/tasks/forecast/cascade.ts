/**
 * Models one after another: a short-range model to some lead, and from its states one that was trained for longer ranges (the
 * cascade of FuXi: Chen et al. 2023). What is handed over are the networks' own states, not the calibrated ones.
 *
 *     for await (const { lead, states } of cascade(stages, starts, [4, 20, 40])) ...
 */
import { UsageError } from "../../errors.js";
import { departure, stateOf } from "./features.js";
import type { ForecastModel, Predictor } from "./rollout.js";
import type { Start } from "./samples.js";

export interface Stage {
  readonly model: ForecastModel;
  readonly predictor: Predictor;
  /** Steps of the data after which it takes over; 0 for the first. */
  readonly after: number;
}

/** Throws UsageError where the stages do not fit one another: their fields, grids and steps, their order, and the states handed over. */
export function checkStages(stages: readonly Omit<Stage, "predictor">[]): void {
  const [first, ...rest] = stages.map(({ model }) => model.normaliser);
  const hours = (steps: number): number => (steps * first.step) / 3_600_000;
  rest.forEach((n, k) => {
    const { after, model } = stages[k + 1];
    const name = `the model that takes over after ${hours(after)} h`;
    const differs = (what: string): never => {
      throw new UsageError(`${name} has other ${what} than the first; train both on the same data`);
    };
    if (n.channels.join() !== first.channels.join()) differs("fields");
    if (n.latitudes.join() !== first.latitudes.join() || n.longitudes.join() !== first.longitudes.join())
      differs("grid points");
    if (n.step !== first.step) differs("time steps");
    const span = after - stages[k].after;
    const { history } = model.config.forecast;
    if (!Number.isInteger(after) || span < history)
      throw new UsageError(
        `${name} starts from ${history} states, ${hours(1)} h apart, of the model before, which has gone ${hours(span)} h: let it take over at least ${hours(history)} h after that one, in whole steps`,
      );
  });
}

/** States at each lead, in steps, ascending. `starts` are each stage's view of the same instants. */
export async function* cascade(
  stages: readonly Stage[],
  starts: readonly (readonly Start[])[],
  leads: readonly number[],
): AsyncGenerator<{ lead: number; states: Float32Array[] }> {
  let begin = starts[0];
  for (const [k, { model, predictor, after }] of stages.entries()) {
    const { normaliser: n } = model;
    const next = stages.at(k + 1);
    const until = next?.after ?? Infinity;
    const own = leads.filter((lead) => lead > after && lead <= until).map((lead) => lead - after);
    const goesOn = next !== undefined && leads.some((lead) => lead > until);
    // The newest states before the next stage takes over, newest first
    const handed = goesOn
      ? Array.from({ length: next.model.config.forecast.history }, (_, j) => until - j - after)
      : [];
    const kept = new Map<number, Float32Array[]>();
    const wanted = [...new Set([...own, ...handed])].sort((a, b) => a - b);
    for await (const { lead, raw, departures } of predictor.departures(begin, wanted, after)) {
      const states = (fields: readonly Float32Array[]): Float32Array[] =>
        fields.map((u, i) => stateOf(n, u, begin[i].time + lead * n.step));
      if (handed.includes(lead)) kept.set(lead, states(raw));
      if (own.includes(lead)) yield { lead: after + lead, states: states(departures) };
    }
    if (!goesOn) return;
    const { normaliser } = next.model;
    begin = starts[k + 1].map((start, i) => {
      const time = start.time + until * n.step;
      const past = handed.map((lead, j) => departure(normaliser, kept.get(lead)![i], time - j * n.step));
      return { ...start, time, departures: past };
    });
  }
}
