/**
 * A verification on disk, so that two reports can be laid side by side without their forecasts: `scores.json` says what was compared
 * and what came out, `sums.safetensors` holds each start's sums and each cell's errors of the forecast itself.
 */
import { quantity } from "../earth/variables.js";
import { FoehnError } from "../errors.js";
import { ndarray, type NdArray } from "../tensor/ndarray.js";
import { memoryRows } from "../tensor/rows.js";
import { decodeSafetensors, encodeSafetensors } from "../tensor/safetensors.js";
import { CellSums } from "./cell-sums.js";
import { scoresOfGroup } from "./measures/state.js";
import { type ChannelPlan, planChannel } from "./metrics.js";
import { SumTable } from "./sum-table.js";
import type { BreakdownRow, Verification, VerificationMeta } from "./verify.js";
import type { ComparisonRow, ScoreRow } from "./rows.js";

/** The content of `scores.json`. */
export interface SavedScores extends VerificationMeta {
  readonly scores: readonly ScoreRow[];
  readonly comparisons: readonly ComparisonRow[];
  readonly breakdown: readonly BreakdownRow[];
  readonly regions: readonly string[];
  /** What is needed to read the sums again. */
  readonly layout: {
    readonly columns: number;
    readonly wraps: boolean;
    readonly scattered: boolean;
    readonly drawnLeads: readonly number[];
    /** By variable: the names of its scores, and its quantity's name. */
    readonly channels: readonly { metrics: readonly string[]; quantity: string | null }[];
  };
}

export function savedScores({ meta, rows, comparisons, breakdown, regions, plans, ...of }: Verification): SavedScores {
  return {
    ...meta,
    scores: rows,
    comparisons,
    breakdown,
    regions,
    layout: {
      columns: of.stations ? 1 : of.longitudes.length,
      wraps: of.wraps,
      scattered: of.stations !== undefined,
      drawnLeads: of.drawnLeads,
      channels: plans.map((plan) => ({
        metrics: plan.scores.map((score) => score.name),
        quantity: plan.quantity ?? null,
      })),
    },
  };
}

/** The bytes of `sums.safetensors`. */
export function savedSums(of: Verification): Uint8Array {
  const { meta, sums, cells, regions, startTimes } = of;
  const tensors: [string, NdArray][] = [
    ["start", ndarray("float64", [startTimes.length], startTimes)],
    ["latitude", ndarray("float64", [of.latitudes.length], of.latitudes)],
    ["longitude", ndarray("float64", [of.longitudes.length], of.longitudes)],
  ];
  [...meta.variables, ...meta.groups].forEach(({ name }, c) => {
    const width = sums.widths[c];
    const shape = [meta.leadHours.length, regions.length, startTimes.length];
    const there = new Uint8Array(shape[0] * shape[1] * shape[2]);
    const rows = new Float64Array(there.length * width);
    for (let l = 0; l < shape[0]; l++)
      for (let r = 0; r < shape[1]; r++) {
        const [own] = sums.samples(c, l, r);
        sums.startsOf(c, l, r).forEach((start, k) => {
          const at = (l * shape[1] + r) * shape[2] + start;
          there[at] = 1;
          rows.set(own[k], at * width);
        });
      }
    tensors.push([`sums/${name}`, ndarray("float64", [...shape, width], rows)]);
    tensors.push([`there/${name}`, ndarray("uint8", shape, there)]);
    if (c >= meta.variables.length) return;
    const errors = cells.leads.map((lead) => cells.raw(c, lead, 0));
    const data = new Float32Array(errors.reduce((n, x) => n + x.length, 0));
    errors.forEach((x, k) => data.set(x, k * x.length));
    tensors.push([`cells/${name}`, ndarray("float32", [cells.leads.length, errors[0]?.length ?? 0], data)]);
  });
  return encodeSafetensors(tensors, { cell_leads: cells.leads.join(" ") });
}

/** A verification as it was saved: every score and start, without the fields that figures of cases are drawn of. */
export function loadVerification(scores: SavedScores, bytes: Uint8Array, source: string): Verification {
  const { layout, scores: rows, comparisons, breakdown, regions, ...meta } = scores;
  if (!layout || !rows) throw new FoehnError(`${source} is no scores.json of 'foehn verify'; verify the forecast anew`);
  const { tensors, metadata } = decodeSafetensors(bytes);
  const numbers = (name: string) => {
    const found = tensors.get(name);
    if (!found) throw new FoehnError(`${source}: sums.safetensors has no '${name}'; verify the forecast anew`);
    return found.data as Float64Array;
  };
  const starts = numbers("start");
  const plans = meta.variables.map(({ name, units }, c): ChannelPlan => {
    const { metrics, quantity: known } = layout.channels[c];
    const nothing = () => NaN; // limits are not needed to read what was summed with them
    const context = {
      ...{ name, units, members: meta.members, columns: layout.columns, wraps: layout.wraps },
      ...{ scattered: layout.scattered, quantity: known ? quantity(known) : undefined, limitOf: nothing },
      wetClimate: () => ({ dryFraction: [], heavyFrom: [] }),
    };
    return planChannel(metrics, context, (metric, why) => {
      throw new FoehnError(`${source}: '${metric}' cannot be read again (${why}); verify the forecast anew`);
    });
  });
  const groups = meta.groups.map(({ name }) => scoresOfGroup(name));
  const widths = [...plans, ...groups].map(({ width }) => width);
  const sums = new SumTable(widths, meta.leadHours.length, regions.length, starts.length, [""], memoryRows);
  const cellLeads = (metadata["cell_leads"] ?? "").split(" ").filter(Boolean).map(Number);
  const [latitudes, longitudes] = [numbers("latitude"), numbers("longitude")];
  const count = layout.scattered ? latitudes.length : latitudes.length * longitudes.length;
  const cells = new CellSums(meta.variables.length, cellLeads, 1, count, memoryRows);
  [...meta.variables, ...meta.groups].forEach(({ name }, c) => {
    const [values, there] = [numbers(`sums/${name}`), numbers(`there/${name}`)];
    for (let l = 0; l < meta.leadHours.length; l++)
      for (let r = 0; r < regions.length; r++)
        for (let s = 0; s < starts.length; s++) {
          const at = (l * regions.length + r) * starts.length + s;
          if (there[at]) sums.add(c, l, r, s, [values.slice(at * widths[c], (at + 1) * widths[c])]);
        }
    if (c >= meta.variables.length) return;
    const errors = tensors.get(`cells/${name}`)!.data as Float32Array;
    const size = errors.length / cellLeads.length;
    cellLeads.forEach((lead, k) => cells.restore(c, lead, 0, errors.subarray(k * size, (k + 1) * size)));
  });
  const stations = layout.scattered
    ? Array.from(latitudes, (latitude, i) => ({ id: `${i}`, latitude, longitude: longitudes[i] }))
    : undefined;
  return {
    ...{ meta, rows, comparisons, breakdown, latitudes, longitudes, stations, cells, sums, plans, regions },
    ...{ drawnLeads: layout.drawnLeads, cases: [], spectra: [], startTimes: starts, wraps: layout.wraps },
    groupScores: groups.map(({ scores: of }) => of),
  };
}
