/**
 * Forecasts from a trained model. Leads it learnt are predicted directly; beyond them the forecast starts again from its own
 * states, so that any lead can be reached.
 *
 *     const predictor = await createPredictor(runtime, { config, normaliser, members });
 *     for await (const { lead, states } of predictor.rollout(starts, [1, 4, 12])) ...
 */
import type { Parameters } from "../../engine/parameters.js";
import type { Runtime } from "../../engine/runtime.js";
import { featureFeeds } from "./samples.js";
import { type Start, firstGuess } from "./features.js";
import type { ForecastConfig } from "./config.js";
import { ensembleModel } from "./network.js";
import type { Normaliser } from "./normaliser.js";

export interface ForecastModel {
  readonly config: ForecastConfig;
  readonly normaliser: Normaliser;
  /** Parameters of each network of the run; their mean is the forecast. */
  readonly members: readonly Parameters[];
}

export interface Predictor {
  /** States `lead` steps after each start, [channel, latitude, longitude] in the channels' units. Leads ascend. */
  rollout(starts: readonly Start[], leads: readonly number[]): AsyncGenerator<{ lead: number; states: Float32Array[] }>;
  close(): Promise<void>;
}

/** Loads the networks of a model, their parameters written into the graphs. */
export async function createPredictor(
  runtime: Runtime,
  { config, normaliser, members }: ForecastModel,
  options: { batch?: number } = {},
): Promise<Predictor> {
  const { batch = 16 } = options;
  const { history } = config.forecast;
  const session = await runtime.load(ensembleModel(members, { model: config.model, normaliser, history, batch }));

  /** One direct prediction of up to `lead` <= leadSteps for any number of starts. */
  const predict = async (starts: readonly Start[], lead: number): Promise<Float32Array[]> => {
    const states: Float32Array[] = [];
    for (let from = 0; from < starts.length; from += batch) {
      const part = starts.slice(from, from + batch);
      // The graph has a fixed batch: the last one is filled up with its own first sample
      const filled = Array.from({ length: batch }, (_, i) => ({ start: part[i] ?? part[0], lead }));
      const { output } = await session.run(featureFeeds(normaliser, filled, history));
      part.forEach((start, b) => states.push(denormalised(normaliser, start, lead, output.data as Float32Array, b)));
    }
    return states;
  };

  return {
    async *rollout(starts, leads) {
      let base = 0; // steps after the start of the states that predictions begin from
      let from = [...starts];
      let known = new Map<number, Float32Array[]>(); // by steps after `base`
      const at = async (lead: number) => {
        const found = known.get(lead) ?? (await predict(from, lead));
        known.set(lead, found);
        return found;
      };
      for (const lead of leads) {
        while (lead - base > normaliser.leadSteps) {
          const hop = normaliser.leadSteps;
          const past: Float32Array[][] = [];
          for (let j = 0; j < history; j++)
            past.push(hop - j > 0 ? await at(hop - j) : from.map((s) => s.states[j - hop]));
          from = from.map((s, i) => ({
            time: s.time + hop * normaliser.step,
            states: past.map((states) => states[i]),
          }));
          base += hop;
          known = new Map();
        }
        yield { lead, states: lead === base ? from.map((s) => s.states[0]) : await at(lead - base) };
      }
    },
    close: () => session.close(),
  };
}

/** first guess + r_L * output. */
function denormalised(n: Normaliser, start: Start, lead: number, output: Float32Array, row: number): Float32Array {
  const size = n.anomaly.length;
  const residual = n.residual.subarray((lead - 1) * size);
  return firstGuess(n, start, lead).map((v, p) => v + residual[p] * output[row * size + p]);
}
