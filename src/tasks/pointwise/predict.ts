/** Forecasts at the stations of a trained run: one jump to each lead, the mean of the run's networks. */
import type { Parameters } from "../../engine/parameters.js";
import type { Runtime, Session } from "../../engine/runtime.js";
import { exportOnnx } from "../../graph/export.js";
import { stateOf } from "../forecast/features.js";
import type { Normaliser } from "../forecast/normaliser.js";
import type { PointwiseRunConfig } from "./config.js";
import type { Places } from "./data.js";
import type { Lines } from "./lines.js";
import { pointwiseNetwork } from "./network.js";
import { type PointData, pointFeeds } from "./samples.js";

export interface PointwiseModel {
  readonly config: PointwiseRunConfig;
  readonly normalisers: { readonly grid: Normaliser; readonly stations: Normaliser };
  readonly places: Places;
  /** The first guess at the stations. */
  readonly lines: Lines;
  /** Parameters of each network of the run. */
  readonly members: readonly Parameters[];
}

/** The network at the stations as the bytes of an ONNX file, its parameters inside; the output is `next`. */
export function stationsModel(
  parameters: Parameters,
  { config, normalisers, places }: Pick<PointwiseModel, "config" | "normalisers" | "places">,
  batch: number,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  const { next } = pointwiseNetwork(config, normalisers, { batch, places: places.names.length, dropout: false });
  return exportOnnx(next.graph, { outputs: new Map([["next", next]]), parameters, metadata });
}

export interface StationPredictor {
  /** States at the stations `lead` steps after each start (an index of the grid's times), [variable, station] in the variables' units. */
  at(data: PointData, starts: readonly number[], lead: number): Promise<Float32Array[]>;
  close(): Promise<void>;
}

export async function stationPredictor(
  runtime: Runtime,
  model: PointwiseModel,
  { batch = 16 } = {},
): Promise<StationPredictor> {
  const sessions: Session[] = [];
  for (const parameters of model.members) sessions.push(await runtime.load(stationsModel(parameters, model, batch)));
  const n = model.normalisers.stations;
  const stations = model.places.names.length;
  const options = { history: model.config.forecast.history, stationWeight: 1, truth: false };
  return {
    async at(data, starts, lead) {
      const { ofStations, names } = data.targets;
      const out: Float32Array[] = [];
      for (let from = 0; from < starts.length; from += batch) {
        const part = starts.slice(from, from + batch);
        // The graph has a fixed batch: the last one is filled up with its own first start
        const picks = Array.from({ length: batch }, (_, i) => ({
          start: part[i] ?? part[0],
          lead,
          cells: new Int32Array(0),
        }));
        const feeds = pointFeeds(data, picks, options);
        const answers: Float32Array[] = [];
        for (const session of sessions) answers.push((await session.run(feeds))["next"].data as Float32Array);
        part.forEach((start, b) => {
          const u = new Float32Array(n.anomaly.length);
          ofStations.forEach((target, k) => {
            for (let s = 0; s < stations; s++) {
              const at = (b * stations + s) * names.length + target;
              u[k * stations + s] = answers.reduce((sum, a) => sum + a[at], 0) / answers.length;
            }
          });
          out.push(stateOf(n, u, data.grid.series.times[start] + lead * n.step));
        });
      }
      return out;
    },
    async close() {
      for (const session of sessions) await session.close();
    },
  };
}
