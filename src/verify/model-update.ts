/** What a model's update changed, case by case: which it had right and now has wrong, and where. */
import type { Dataset } from "../data/dataset.js";
import { type WeightKind, latitudeWeights } from "../earth/weights.js";
import { cellCount, stateAt } from "../tasks/series.js";
import type { RowMaker } from "../tensor/rows.js";
import { leadsToDraw } from "./cases.js";
import { type Pairing, pair, readBlock, type Start } from "./pairing.js";
import { type Flips, FlipSums } from "./statistics/flips.js";

export interface UpdateRow extends Flips {
  /** `air`, `z@500`. */
  readonly variable: string;
  readonly lead_hours: number;
  /** What counts as right, in the variable's units. */
  readonly tolerance: number;
  readonly n: number;
}

export type ModelUpdate = readonly UpdateRow[];

/**
 * Flips between the old and the new forecast over the starts both have, at the leads that reports draw. Of ensembles their means.
 *
 * @param tolerance by variable; the old model's root mean square error at the lead unless given
 */
export async function modelUpdate(
  forecasts: { new: Dataset; old: Dataset; truth: Dataset },
  options: {
    variables?: readonly string[];
    weights?: WeightKind;
    rows?: RowMaker;
    tolerance: (variable: string, leadHours: number) => number | undefined;
  },
): Promise<UpdateRow[]> {
  const { variables, rows } = options;
  const [now, before] = [
    await pair(forecasts.new, forecasts.truth, { variables, rows }),
    await pair(forecasts.old, forecasts.truth, { variables, rows }),
  ];
  const { truth } = now;
  const cells = cellCount(truth);
  const rowWeights = truth.scattered ? undefined : latitudeWeights(truth.latitudes, options.weights ?? "exact");
  const weights = Float64Array.from({ length: cells }, (_, i) =>
    rowWeights ? rowWeights[Math.floor(i / truth.longitudes.length)] : 1,
  );
  const olds = new Map(before.starts.map((start) => [start.time, start]));
  const out: UpdateRow[] = [];
  for (const [c, { name }] of now.channels.entries()) {
    const cOld = before.channels.findIndex((channel) => channel.name === name);
    if (cOld < 0) continue;
    for (const lead of leadsToDraw(now.leadHours)) {
      const hours = now.leadHours[lead];
      const leadOld = before.leadHours.indexOf(hours);
      const tolerance = options.tolerance(name, hours);
      if (leadOld < 0 || tolerance === undefined) continue;
      const sums = new FlipSums(weights, tolerance);
      let n = 0;
      for (const start of now.starts) {
        const other = olds.get(start.time);
        if (!other || start.validIndices[lead] < 0) continue;
        const observed = stateAt(truth, start.validIndices[lead]).subarray(c * cells, (c + 1) * cells);
        const errors = async (of: Pairing, at: Start, channel: number, l: number) =>
          (await meanField(of, at, channel, l)).map((x, i) => x - observed[i]);
        sums.add(await errors(before, other, cOld, leadOld), await errors(now, start, c, lead));
        n++;
      }
      if (n > 0) out.push({ variable: name, lead_hours: hours, tolerance, n, ...sums.result() });
    }
  }
  return out;
}

/** The members' mean at one start and lead, where the truth lies. */
async function meanField(
  { forecast, channels, atStations }: Pairing,
  start: Start,
  channel: number,
  lead: number,
): Promise<Float32Array> {
  const { variable, level = 0 } = channels[channel];
  const members = forecast.dims["member"] ?? 1;
  const block = await readBlock(variable, start.index, { start: lead, stop: lead + 1 });
  let sum: Float32Array | undefined;
  for (let m = 0; m < members; m++) {
    const field = block.field(0, level, m);
    sum = sum ? sum.map((x, i) => x + field[i]) : Float32Array.from(field);
  }
  const mean = sum!.map((x) => x / members);
  return atStations ? atStations.toStations(channel, mean) : mean;
}
