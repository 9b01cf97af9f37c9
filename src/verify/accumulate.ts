/** The one pass over the forecast: every start and lead read once, reduced to sums, maps and spectra. */
import { MS_PER_HOUR } from "../earth/time.js";
import type { Baseline, Climatology } from "../tasks/baselines/index.js";
import type { ProbabilisticClimatology } from "../tasks/baselines/probabilistic-climatology.js";
import { cellCount, stateAt, stepOf } from "../tasks/series.js";
import type { CellSums } from "./cell-sums.js";
import { type EnsembleFields, ensembleKernel } from "./ensemble/kernel.js";
import type { Field } from "./measures/measure.js";
import type { Group } from "./measures/state.js";
import type { ChannelPlan } from "./metrics.js";
import { leadsPerBlock, type Pairing, readBlock } from "./pairing.js";
import { addEnsemble, addErrors, holesOf, type Row, truthSums } from "./scores/sums.js";
import type { LeadSpectra } from "./spectra/lead-spectra.js";
import type { SumTable } from "./sum-table.js";

/** Bytes of forecast in memory at a time, all variables together. */
const BLOCK_BYTES = 128e6;

export interface Pass {
  readonly pairing: Pairing;
  readonly baselines: readonly Baseline[];
  readonly climatology?: Climatology;
  /** For ensembles: climatology as an ensemble of the same size. */
  readonly drawn?: ProbabilisticClimatology;
  /** By region. */
  readonly cellWeights: readonly Float64Array[];
  /** By channel. */
  readonly plans: readonly ChannelPlan[];
  readonly groups: readonly Group[];
  /** Where everything goes: channels, then groups. */
  readonly table: SumTable;
  readonly cells: CellSums;
  readonly spectra: readonly LeadSpectra[];
  readonly onProgress?: (done: number, total: number) => void;
}

/** What is left out of the comparison. */
export interface LeftOut {
  /** Reports farther from the forecast than was allowed. */
  gross: number;
  /** Values that the truth has and one of the forecasters lacks, and how many were compared. */
  unmatched: number;
  compared: number;
}

/** One forecaster's fields of a channel. */
interface Contender {
  readonly members: readonly Field[];
  readonly mean: Field;
  readonly ensemble?: EnsembleFields;
}

export async function accumulate(pass: Pass): Promise<LeftOut> {
  const { pairing, baselines, climatology, table, groups } = pass;
  const { truth, channels, starts, leadHours, forecast: dataset, atStations } = pairing;
  const cells = cellCount(truth);
  const step = stepOf(truth);
  const members = dataset.dims["member"] ?? 1;
  const variables = [...new Set(channels.map((c) => c.variable))];
  const block = Math.min(...variables.map((v) => leadsPerBlock(v, BLOCK_BYTES / variables.length)));
  const left: LeftOut = { gross: 0, unmatched: 0, compared: 0 };
  for (const [s, start] of starts.entries()) {
    for (let from = 0; from < leadHours.length; from += block) {
      const to = Math.min(from + block, leadHours.length);
      const read = variables.map(async (v) => [v, await readBlock(v, start.index, { start: from, stop: to })] as const);
      const blocks = new Map(await Promise.all(read));
      for (let l = from; l < to; l++) {
        if (start.validIndices[l] < 0) continue;
        const leadSteps = (leadHours[l] * MS_PER_HOUR) / step;
        const valid = truth.times[start.validIndices[l]];
        const guesses = baselines.map((b) => b.predict([start.truthIndex], leadSteps));
        const mean = climatology?.at(valid);
        const past = pass.drawn && spreadEvenly(pass.drawn.members(valid), members);
        const state = stateAt(truth, start.validIndices[l]);
        const contenders = channels.map(({ variable, level = 0 }, c): Contender[] => {
          const part = (of: Float32Array) => of.subarray(c * cells, (c + 1) * cells);
          const fields = Array.from({ length: members }, (_, m) => {
            const field = blocks.get(variable)!.field(l - from, level, m);
            return atStations ? atStations.toStations(c, field) : field;
          });
          const ensembleOf = (of: readonly Float32Array[]): Contender => {
            const ensemble = of.length > 1 ? ensembleKernel(of.length).run(of, part(state)) : undefined;
            return { members: of, mean: ensemble?.mean ?? of[0], ensemble };
          };
          return [
            ensembleOf(fields),
            ...guesses.map((guess) => ensembleOf([part(guess)])),
            ...(past ? [ensembleOf(past.map(part))] : []),
          ];
        });
        for (const [c, of] of contenders.entries()) {
          const whole = state.subarray(c * cells, (c + 1) * cells);
          const observed = comparable(whole, of, atStations?.farthest, left);
          const climate = mean?.subarray(c * cells, (c + 1) * cells);
          pass.spectra.find((of) => of.channel === c && of.lead === l)?.add(of[0].members[0], whole);
          if (pass.cells.keeps(l))
            for (let f = 0; f <= baselines.length; f++) pass.cells.add(c, l, f, of[f].mean, observed);
          pass.cellWeights.forEach((weights, r) => {
            const own = truthSums(observed, weights, climate);
            const rows = of.map((contender) => rowOf(pass.plans[c], contender, { observed, weights, climate, own }));
            table.add(c, l, r, s, rows);
          });
        }
        groups.forEach((group, g) =>
          pass.cellWeights.forEach((weights, r) => {
            const rows = table.forecasters.map((_, f) => {
              const row = new Float64Array(group.width);
              const field = (c: number) => (group.of === "mean" ? contenders[c][f].mean : contenders[c][f].members[0]);
              group.add(row, field, (c) => state.subarray(c * cells, (c + 1) * cells), weights);
              return row;
            });
            table.add(channels.length + g, l, r, s, rows);
          }),
        );
      }
    }
    pass.onProgress?.(s + 1, starts.length);
  }
  return left;
}

function rowOf(
  { width, measures }: ChannelPlan,
  { members, mean: forecast, ensemble }: Contender,
  to: {
    observed: Float32Array;
    weights: Float64Array;
    climate: Float32Array | undefined;
    own: ReturnType<typeof truthSums>;
  },
): Row {
  const { observed: truth, weights, climate: climatology, own } = to;
  const row = new Float64Array(width);
  addErrors(row, own, { forecast, truth, weights, climatology });
  if (ensemble) addEnsemble(row, ensemble, truth, weights, climatology);
  for (const { measure, at } of measures)
    measure.add(row.subarray(at, at + measure.width), { members, forecast, truth, weights, ensemble });
  return row;
}

/** The truth without the cells that any forecaster lacks, so that all are scored on the same, and without gross errors. */
function comparable(
  truth: Float32Array,
  contenders: readonly Contender[],
  farthest: number | undefined,
  left: LeftOut,
): Float32Array {
  const holed = contenders.filter(({ mean }) => holesOf(mean));
  if (holed.length === 0 && farthest === undefined) {
    left.compared += truth.length;
    return truth;
  }
  const forecast = contenders[0].mean;
  return truth.map((x, i) => {
    if (x !== x) return x;
    if (holed.some(({ mean }) => mean[i] !== mean[i])) {
      left.unmatched++;
      return NaN;
    }
    if (farthest !== undefined && Math.abs(x - forecast[i]) > farthest) {
      left.gross++;
      return NaN;
    }
    left.compared++;
    return x;
  });
}

/** `count` of them, spread evenly over all. */
const spreadEvenly = (all: readonly Float32Array[], count: number): Float32Array[] =>
  Array.from({ length: count }, (_, m) => all[Math.floor(((m + 0.5) * all.length) / count)]);
