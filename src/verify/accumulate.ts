/** The one pass over the forecast: every start and lead read once, reduced to sums, maps and spectra. */
import { MS_PER_HOUR } from "../earth/time.js";
import type { Baseline, Climatology } from "../tasks/baselines/index.js";
import type { ProbabilisticClimatology } from "../tasks/baselines/probabilistic-climatology.js";
import { stateAt, stateSize, stepOf } from "../tasks/series.js";
import type { LeadMaps } from "./cases.js";
import { type EnsembleFields, ensembleKernel } from "./ensemble/kernel.js";
import { addEvent, type Event, type Limits, rowWidthWith } from "./events.js";
import { leadsPerBlock, type Pairing, readBlock } from "./pairing.js";
import { addField, type Row } from "./scores/sums.js";
import type { LeadSpectra } from "./spectra/lead-spectra.js";
import type { SumTable } from "./sum-table.js";

export interface Pass {
  readonly pairing: Pairing;
  readonly baselines: readonly Baseline[];
  readonly climatology?: Climatology;
  /** For ensembles: climatology as an ensemble of the same size. */
  readonly drawn?: ProbabilisticClimatology;
  /** By region. */
  readonly cellWeights: readonly Float64Array[];
  readonly events: readonly Event[];
  readonly limits: Limits;
  /** Where everything goes. */
  readonly table: SumTable;
  readonly maps: readonly LeadMaps[];
  readonly spectra: readonly LeadSpectra[];
  readonly onProgress?: (done: number, total: number) => void;
}

export async function accumulate(pass: Pass): Promise<void> {
  const { pairing, baselines, climatology, table } = pass;
  const { truth, channels, starts, leadHours, forecast: dataset } = pairing;
  const cells = stateSize(truth) / channels.length;
  const step = stepOf(truth);
  const members = dataset.dims["member"] ?? 1;
  const variables = [...new Set(channels.map((c) => c.variable))];
  const block = Math.min(...variables.map(leadsPerBlock));
  for (const [s, start] of starts.entries()) {
    for (let from = 0; from < leadHours.length; from += block) {
      const to = Math.min(from + block, leadHours.length);
      const read = variables.map(async (v) => [v, await readBlock(v, start.index, { start: from, stop: to })] as const);
      const blocks = new Map(await Promise.all(read));
      for (let l = from; l < to; l++) {
        if (start.validIndices[l] < 0) continue;
        const leadSteps = (leadHours[l] * MS_PER_HOUR) / step;
        const guesses = baselines.map((b) => b.predict([start.truthIndex], leadSteps));
        const mean = climatology?.at(truth.times[start.validIndices[l]]);
        const state = stateAt(truth, start.validIndices[l]);
        for (const [c, { variable, level = 0 }] of channels.entries()) {
          const part = (of: Float32Array) => of.subarray(c * cells, (c + 1) * cells);
          const fields = Array.from({ length: members }, (_, m) => blocks.get(variable)!.field(l - from, level, m));
          const ensemble = members > 1 ? ensembleKernel(members).run(fields, part(state)) : undefined;
          const field = ensemble?.mean ?? fields[0];
          const observed = maskedBy(part(state), field);
          const here = { channel: c, lead: l };
          pass.maps.find(at(here))?.add(field, observed);
          pass.spectra.find(at(here))?.add(fields[0], part(state));
          const sums = rowMaker(pass, c, members, observed, mean && part(mean));
          const past =
            pass.drawn && climatologicalEnsemble(pass.drawn, truth.times[start.validIndices[l]], members, part);
          const pastFields = past && ensembleKernel(members).run(past, observed);
          pass.cellWeights.forEach((weights, r) =>
            table.add(c, l, r, s, [
              sums(weights, fields, field, ensemble),
              ...guesses.map((guess) => sums(weights, [part(guess)], part(guess))),
              ...(past && pastFields ? [sums(weights, past, pastFields.mean, pastFields)] : []),
            ]),
          );
        }
      }
    }
    pass.onProgress?.(s + 1, starts.length);
  }
}

const at =
  (wanted: { channel: number; lead: number }) =>
  (of: { channel: number; lead: number }): boolean =>
    of.channel === wanted.channel && of.lead === wanted.lead;

/** As many past states as there are members, spread evenly over those there are. */
function climatologicalEnsemble(
  drawn: ProbabilisticClimatology,
  time: number,
  members: number,
  part: (of: Float32Array) => Float32Array,
): Float32Array[] {
  const all = drawn.members(time);
  return Array.from({ length: members }, (_, m) => part(all[Math.floor(((m + 0.5) * all.length) / members)]));
}

/** Rows of sums of any forecaster against one truth. */
function rowMaker(
  { events, limits }: Pass,
  channel: number,
  members: number,
  truth: Float32Array,
  climatology: Float32Array | undefined,
) {
  return (
    weights: Float64Array,
    fields: readonly Float32Array[],
    forecast: Float32Array | Float64Array,
    ensemble?: EnsembleFields,
  ): Row => {
    const row = new Float64Array(rowWidthWith(members, events));
    addField(row, { forecast, truth, weights, climatology, ensemble });
    events.forEach((_, e) => addEvent(row, e, fields, truth, weights, limits[e][channel], members));
    return row;
  };
}

/** The truth without the cells that the forecast lacks, so that baselines are scored on the same cells. */
function maskedBy(truth: Float32Array, forecast: Float32Array | Float64Array): Float32Array {
  if (!forecast.some(Number.isNaN)) return truth;
  return truth.map((x, i) => (Number.isNaN(forecast[i]) ? NaN : x));
}
