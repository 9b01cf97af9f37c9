/** What the report draws: which leads, and the fields of a middling, the best and the worst start. */
import type { Baseline } from "../tasks/baselines/index.js";
import { cellCount, stateAt, stepOf } from "../tasks/series.js";
import { formatTime, MS_PER_HOUR } from "../earth/time.js";
import { type Pairing, readBlock } from "./pairing.js";
import { EE, W } from "./scores/sums.js";
import type { SumTable } from "./sum-table.js";

/** At most this many leads are drawn. */
const MOST_LEADS = 3;

/** Positions of the leads to draw: near a day, near three, and the last. */
export function leadsToDraw(leadHours: ArrayLike<number>): number[] {
  const nearestTo = (hours: number) => {
    let best = 0;
    for (let l = 0; l < leadHours.length; l++)
      if (Math.abs(leadHours[l] - hours) < Math.abs(leadHours[best] - hours)) best = l;
    return best;
  };
  const wanted = [nearestTo(24), nearestTo(72), leadHours.length - 1].filter((l) => leadHours[l] > 0);
  return [...new Set(wanted)].sort((a, b) => a - b).slice(0, MOST_LEADS);
}

export interface Case {
  readonly kind: "middling" | "best" | "worst";
  readonly start: string;
  readonly valid: string;
  readonly rmse: number;
  readonly forecast: Float32Array;
  readonly truth: Float32Array;
  readonly baselines: ReadonlyMap<string, Float32Array>;
}

export interface Cases {
  readonly channel: number;
  readonly lead: number;
  readonly cases: readonly Case[];
}

/** By channel and drawn lead, the starts of median, least and greatest error, their fields read again. */
export async function collectCases(
  { channels, truth, forecast, starts, leadHours, atStations }: Pairing,
  table: SumTable,
  baselines: readonly Baseline[],
  leads: readonly number[],
): Promise<Cases[]> {
  const cells = cellCount(truth);
  const members = forecast.dims["member"] ?? 1;
  const all: Cases[] = [];
  for (const [c, { variable, level = 0 }] of channels.entries())
    for (const lead of leads) {
      const errors = table.samples(c, lead, 0)[0].map((row) => Math.sqrt(row[EE] / row[W]));
      if (errors.length === 0) continue;
      const order = [...errors.keys()].sort((a, b) => errors[a] - errors[b]);
      const chosen: [Case["kind"], number][] = [["middling", order[order.length >> 1]]];
      if (order.length > 2) chosen.push(["best", order[0]], ["worst", order[order.length - 1]]);
      const cases: Case[] = [];
      for (const [kind, which] of chosen) {
        const start = starts[table.startsOf(c, lead, 0)[which]];
        const block = await readBlock(variable, start.index, { start: lead, stop: lead + 1 });
        const mean = new Float32Array(cells);
        for (let m = 0; m < members; m++) {
          const field = atStations ? atStations.toStations(c, block.field(0, level, m)) : block.field(0, level, m);
          for (let i = 0; i < cells; i++) mean[i] += field[i] / members;
        }
        const part = (of: Float32Array) => of.slice(c * cells, (c + 1) * cells);
        const leadSteps = (leadHours[lead] * MS_PER_HOUR) / stepOf(truth);
        cases.push({
          kind,
          start: formatTime(start.time, truth.calendar),
          valid: formatTime(start.time + leadHours[lead] * MS_PER_HOUR, truth.calendar),
          rmse: errors[which],
          forecast: mean,
          truth: part(stateAt(truth, start.validIndices[lead])),
          baselines: new Map(baselines.map((b) => [b.name, part(b.predict([start.truthIndex], leadSteps))])),
        });
      }
      all.push({ channel: c, lead, cases });
    }
  return all;
}
