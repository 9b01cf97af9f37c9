/** The shared model's forecasts for a site: one graph, loaded once and fed whatever numbers a round brings. */
import type { Runtime } from "../../engine/runtime.js";
import { exportOnnx } from "../../graph/export.js";
import type { Parameters } from "../protocol/parameters.js";
import type { Member } from "./member.js";
import { ofNetwork, patchOf, siteNetwork } from "./network.js";
import { firstGuess, type Pick, sampleFeeds } from "./samples.js";
import type { SharedTask } from "./task.js";

export interface Forecaster {
  /** z of the forecasts, [variable, latitude, longitude] for each pick. */
  correct(parameters: Parameters, picks: readonly Pick[]): Promise<Float32Array[]>;
  close(): Promise<void>;
}

/** The array of a personal model by which the network's part is multiplied. */
export const AMPLITUDE = "amplitude";

/** Numbers of a feature that go through the network at once. */
const FORECAST_NUMBERS = 16_000;

/** For members on the grid of `member`: a network of stations is many members of one point. */
export async function createForecaster(
  runtime: Runtime,
  task: SharedTask,
  variables: readonly string[],
  { series: { latitudes, longitudes } }: Member,
): Promise<Forecaster> {
  const cells = variables.length * latitudes.length * longitudes.length;
  const batch = Math.max(8, Math.min(256, Math.floor(FORECAST_NUMBERS / cells)));
  const { correction } = siteNetwork(task, { variables, latitudes, longitudes, batch });
  const layout = correction.graph.parameters.map(({ name, shape }) => ({ name, shape }));
  const session = await runtime.load(exportOnnx(correction.graph, { outputs: new Map([["correction", correction]]) }));
  return {
    async correct(parameters, picks) {
      const numbers = Object.fromEntries(ofNetwork(parameters, layout));
      const amplitude = parameters.get(AMPLITUDE)?.data[0] ?? 1;
      const out: Float32Array[] = [];
      for (let from = 0; from < picks.length; from += batch) {
        const part = picks.slice(from, from + batch);
        // The graph has a fixed batch: the last one is filled up with its own first sample
        const filled = Array.from({ length: batch }, (_, i) => part[i] ?? part[0]);
        const found = await session.run({ ...sampleFeeds(task, filled, patchOf(task)), ...numbers });
        const data = found["correction"].data as Float32Array;
        part.forEach((pick, b) => {
          const guess = firstGuess(task, pick);
          out.push(data.slice(b * cells, (b + 1) * cells).map((z, p) => amplitude * z + (guess ? guess[p] : 0)));
        });
      }
      return out;
    },
    close: () => session.close(),
  };
}
