/**
 * Verification: a forecast against the truth, with every baseline beside it.
 *
 *     const result = await verifyForecast({ forecast, truth, trainPeriod: [start, end] });
 *     console.log(formatScores(result.rows));
 *
 * Fields are read start by start and reduced at once to sums (scores/sums.ts). What grows with the years or the starts (truth,
 * climatology, anomalies, rows of sums) lies in `rows`: in memory, or in a scratch file where it is large. Intervals are
 * moving-block bootstraps over starts; differences from baselines are over the same starts, cells and resamples.
 */
import type { Dataset } from "../data/dataset.js";
import { formatTime, MS_PER_HOUR } from "../earth/time.js";
import type { WeightKind } from "../earth/weights.js";
import { DataError, UsageError } from "../errors.js";
import type { TimeRange } from "../tasks/baselines/index.js";
import { cellCount, type Channel } from "../tasks/series.js";
import { memoryRows, type RowMaker } from "../tensor/rows.js";
import { describeGrid, emptyNotes, labelOf, leftOutNotes, provenanceOf, undefinedNotes } from "./about.js";
import { accumulate } from "./accumulate.js";
import { type Breakdown, grouped } from "./breakdown.js";
import { type Cases, collectCases, leadsToDraw } from "./cases.js";
import { CellSums } from "./cell-sums.js";
import { meanScore } from "./mean-scores.js";
import { groupsOf } from "./measures/state.js";
import { type ChannelPlan, DRIFT, GROUP_SCORES } from "./metrics.js";
import { pair } from "./pairing.js";
import { planAll } from "./planning.js";
import { regionName } from "./regions.js";
import { type ComparisonRow, FEWEST_STARTS, rowsOf, type ScoreRow, withDiscoveryRates } from "./rows.js";
import { drift } from "./scores/physics.js";
import type { Score } from "./scores/sums.js";
import type { Rival } from "./side-by-side.js";
import { goesAround, type LeadSpectra, leadSpectra } from "./spectra/lead-spectra.js";
import { climatologyEnsemble, fit, referenceOf, weightsOf } from "./setting.js";
import type { StationOptions } from "./station-pairing.js";
import type { Station } from "./stations.js";
import { SumTable } from "./sum-table.js";

export interface VerifyOptions {
  /** Dimensions time (the start), lead_time, [member], [level], latitude, longitude (or station); WeatherBench 2's names are taken too. */
  readonly forecast: Dataset;
  /** Dimensions time, [level], latitude, longitude, on the forecast's grid; or time, station. Holds the training period too. */
  readonly truth: Dataset;
  /** Baselines and climatology come from truth in [start, end), milliseconds; everything before the first start if absent. */
  readonly trainPeriod?: TimeRange;
  /** `air`, or `z@500` for one level; all that both have if absent. */
  readonly variables?: readonly string[];
  /** Names of scores; by the variable's kind if absent. */
  readonly metrics?: readonly string[];
  readonly weights?: WeightKind;
  readonly regions?: readonly string[];
  /** Days of the climatology's window. */
  readonly climatologyWindow?: number;
  /** A climatology in WeatherBench 2's layout, instead of the training period's. */
  readonly climatology?: Dataset;
  /** Which baselines are computed; all of them unless a program wants fewer. */
  readonly baselines?: readonly string[];
  /** The baseline that the report's scorecard and headline count from first. */
  readonly reference?: string;
  /** Scores by parts of the year or day of the valid time, at every lead; if absent by season and hour at the drawn leads. */
  readonly by?: readonly Breakdown[];
  /** Errors by cell at every lead, not only at the drawn ones. */
  readonly everyLead?: boolean;
  readonly stations?: StationOptions;
  /** Where large tables are kept; memory if absent. */
  readonly rows?: RowMaker;
  readonly confidence?: number;
  readonly resamples?: number;
  readonly seed?: number;
  /** Called after each start. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** What was compared with what. */
export interface VerificationMeta {
  readonly forecast: string;
  readonly truth: string;
  /** What the forecast's file says of where it comes from. */
  readonly provenance: Readonly<Record<string, string>>;
  readonly variables: readonly { name: string; label: string; units: string }[];
  /** Scores of several variables together: `wind@500`. */
  readonly groups: readonly { name: string; label: string; units: string }[];
  readonly weights: WeightKind;
  readonly grid: string;
  /** 1 for a single forecast. */
  readonly members: number;
  readonly starts: number;
  readonly firstStart: string;
  readonly lastStart: string;
  readonly leadHours: readonly number[];
  readonly training: readonly [string, string];
  readonly baselines: readonly { name: string; description: string }[];
  readonly reference: string | null;
  readonly metrics: readonly string[] | null;
  readonly intervals: string;
  readonly confidence: number;
  readonly notes: readonly string[];
}

/** A score of some of the starts: `DJF`, `06 UTC`. */
export interface BreakdownRow extends ScoreRow {
  readonly by: Breakdown;
  readonly group: string;
}

export interface Verification {
  readonly meta: VerificationMeta;
  readonly rows: readonly ScoreRow[];
  readonly comparisons: readonly ComparisonRow[];
  readonly breakdown: readonly BreakdownRow[];
  readonly latitudes: Float64Array;
  readonly longitudes: Float64Array;
  /** Where the truth is stations. */
  readonly stations?: readonly Station[];
  /** Errors of each cell and forecaster at a few leads. */
  readonly cells: CellSums;
  /** Whether the grid's last column is followed by its first. */
  readonly wraps: boolean;
  /** Positions of the leads that figures are drawn of. */
  readonly drawnLeads: readonly number[];
  /** A middling, the best and the worst start, with their fields. */
  readonly cases: readonly Cases[];
  /** Of forecast and truth at the same leads; none for a regional grid. */
  readonly spectra: readonly LeadSpectra[];
  /** What every score was made from, a row a start, so that two forecasts can be compared start by start. */
  readonly sums: SumTable;
  readonly plans: readonly ChannelPlan[];
  /** By group, in the order of `meta.groups`. */
  readonly groupScores: readonly (readonly Score[])[];
  /** Of each start, in milliseconds. */
  readonly startTimes: Float64Array;
  readonly regions: readonly string[];
  /** Another forecast beside it (`side-by-side.ts`). */
  readonly rival?: Rival;
}

export async function verifyForecast(options: VerifyOptions): Promise<Verification> {
  const { weights = "exact", confidence = 0.95, resamples = 1000, seed = 0, rows: rowMaker = memoryRows } = options;
  const specs = options.regions ?? ["all"];
  const regions = specs.map(regionName);
  const pairing = await pair(options.forecast, options.truth, {
    variables: options.variables,
    from: options.trainPeriod?.[0],
    rows: rowMaker,
    stations: options.stations,
  });
  const { truth, channels, starts, leadHours } = pairing;
  const members = pairing.forecast.dims["member"] ?? 1;
  const notes = [...pairing.notes];
  const trainRange = options.trainPeriod ?? [truth.times[0], starts[0].time];
  if (trainRange[1] > starts[0].time)
    notes.push("The training period of the baselines reaches into the verified starts: they have an unfair advantage.");
  const training = [...truth.times.keys()].filter(
    (t) => truth.times[t] >= trainRange[0] && truth.times[t] < trainRange[1],
  );
  // What can be refused is refused before the long work.
  const plans = planAll(options.metrics, pairing, members, training);
  const groups = groupsOf(channels, truth).filter(
    (group) => !options.metrics || group.scores.some((score) => options.metrics!.includes(score.name)),
  );
  for (const name of options.metrics ?? [])
    if (
      (GROUP_SCORES as readonly string[]).includes(name) &&
      !groups.some((g) => g.scores.some((s) => s.name === name))
    )
      throw new UsageError(
        `'${name}' needs variables that are not compared here (${channels.map((c) => c.name).join(", ")}); add them or leave it out`,
      );
  const cellWeights = await weightsOf(specs, weights, pairing, options.truth);
  const fitted = await fit(pairing, trainRange, options, notes);
  const { climatology } = fitted;
  const baselines = fitted.baselines.filter((b) => options.baselines?.includes(b.name) ?? true);
  const reference = referenceOf(options.reference, baselines);
  const kept = plans.map((plan) => ({
    ...plan,
    scores: plan.scores.filter((score) => climatology || !score.needsClimatology),
  }));
  const probabilistic =
    fitted.whole && climatology && members > 1 && !options.baselines
      ? climatologyEnsemble(truth, trainRange, members)
      : undefined;
  const forecasters = ["", ...baselines.map((b) => b.name), ...(probabilistic ? [CLIMATOLOGY_ENSEMBLE] : [])];
  const widths = [...plans.map((plan) => plan.width), ...groups.map((group) => group.width)];
  const table = new SumTable(widths, leadHours.length, regions.length, starts.length, forecasters, rowMaker);
  const drawn = leadsToDraw(leadHours);
  // Who asks for scores of mean fields wants them at every lead; unasked they are told where figures are drawn.
  const asked = options.metrics !== undefined && plans.some((plan) => plan.meanScores.length > 0);
  const everyLead = options.everyLead || truth.scattered || asked;
  const cellLeads = everyLead ? [...leadHours.keys()] : drawn;
  const cells = new CellSums(channels.length, cellLeads, baselines.length + 1, cellCount(truth), rowMaker);
  const spectra = leadSpectra(pairing, drawn);
  const left = await accumulate({
    pairing,
    baselines,
    climatology,
    drawn: probabilistic,
    cellWeights,
    plans: kept,
    groups,
    table,
    cells,
    spectra,
    onProgress: options.onProgress,
  });
  notes.push(...leftOutNotes(left, options));

  const rows: ScoreRow[] = [];
  const comparisons: ComparisonRow[] = [];
  const breakdown: BreakdownRow[] = [];
  const lengths: number[] = [];
  const common = { confidence, resamples, seed };
  const rowsAt = (
    c: number,
    l: number,
    region: number,
    pick: readonly number[] | undefined,
    scores: readonly Score[],
  ) => {
    const all = table.samples(c, l, region);
    const [forecast, ...others] = pick ? all.map((of) => pick.map((k) => of[k])) : all;
    const { variable, levelValue } =
      c < channels.length ? channelKey(channels[c]) : groupKey(groups[c - channels.length]);
    const grouped = c >= channels.length;
    return rowsOf(
      {
        variable,
        level: levelValue,
        leadHours: leadHours[l],
        region: regions[region],
        forecast,
        baselines: new Map(baselines.map((b, k) => [b.name, others[k]])),
        ensembles: new Map(probabilistic && !grouped ? [[CLIMATOLOGY_ENSEMBLE, others[baselines.length]]] : []),
        ...(grouped ? { loss: (row: Float64Array) => row[1] / row[0] } : {}),
      },
      { ...common, scores },
    );
  };
  const empty = new Map<string, number[]>();
  for (let c = 0; c < widths.length; c++) {
    const scores = c < channels.length ? kept[c].scores : groups[c - channels.length].scores;
    const name = c < channels.length ? channels[c].name : groups[c - channels.length].label;
    leadHours.forEach((lead, l) =>
      regions.forEach((region, r) => {
        if (table.startsOf(c, l, r).length === 0) {
          const where = regions.length > 1 ? `${name} in region ${region}` : name;
          empty.set(where, [...(empty.get(where) ?? []), lead]);
          return;
        }
        const part = rowsAt(c, l, r, undefined, scores);
        rows.push(...part.rows);
        comparisons.push(...part.comparisons);
        lengths.push(part.blockLength);
        if (c >= channels.length) return;
        for (const metric of r === 0 && cells.keeps(l) ? kept[c].meanScores : [])
          rows.push(...meanRows(metric, { c, l, region: r, lead }));
        const by = options.by ?? (drawn.includes(l) && r === 0 ? (["season", "hour"] as const) : []);
        for (const kind of by) breakdown.push(...breakdownRows(kind, c, l, r, scores));
      }),
    );
    rows.push(...driftRows(rows, c));
  }

  function channelKey({ variable, levelValue }: Channel) {
    return { variable: variable.name, levelValue: levelValue ?? null };
  }
  function groupKey({ variable, level }: (typeof groups)[number]) {
    return { variable, levelValue: level };
  }
  function meanRows(metric: string, at: { c: number; l: number; region: number; lead: number }): ScoreRow[] {
    const samples = table.samples(at.c, at.l, at.region);
    const { variable, levelValue: level } = channelKey(channels[at.c]);
    const key = { metric, variable, level, lead_hours: at.lead, region: regions[at.region], low: null, high: null };
    if (metric === "effective-resolution") {
      const spectrum = spectra.find((of) => of.channel === at.c && of.lead === at.l);
      const n = spectrum?.count() ?? 0;
      return n > 0 ? [{ ...key, baseline: null, value: spectrum!.resolution().km, n }] : [];
    }
    return [null, ...baselines.map((b) => b.name)].flatMap((baseline, forecaster) => {
      const value = meanScore(
        metric,
        cells,
        { channel: at.c, lead: at.l, forecaster },
        { rows: samples[forecaster], weights: cellWeights[0], columns: truth.longitudes.length },
      );
      return Number.isFinite(value) ? [{ ...key, baseline, value, n: samples[0].length }] : [];
    });
  }
  function breakdownRows(by: Breakdown, c: number, l: number, r: number, scores: readonly Score[]): BreakdownRow[] {
    const valid = table.startsOf(c, l, r).map((s) => starts[s].time + leadHours[l] * MS_PER_HOUR);
    const parts = grouped(by, valid, truth.calendar);
    if (parts.size < 2) return [];
    const chosen = scores.filter(
      (score) => options.by || (BREAKDOWN_METRICS as readonly string[]).includes(score.name),
    );
    return [...parts].flatMap(([group, picked]) =>
      rowsAt(c, l, r, picked, chosen).rows.map((row) => ({ ...row, by, group })),
    );
  }

  const compared = (c: number) => leadHours.some((_, l) => regions.some((_, r) => table.startsOf(c, l, r).length > 0));
  notes.push(...emptyNotes(empty, leadHours), ...undefinedNotes(kept, channels, rows, compared));
  if (rows.length === 0)
    throw new DataError(
      pairing.forecast.source,
      `no score has a value. ${notes.join(" ")} 'foehn info' shows what ${pairing.forecast.source} and ${options.truth.source} hold and miss`,
    );
  if (starts.length < FEWEST_STARTS)
    notes.push(
      `${starts.length === 1 ? "A single start has" : `${starts.length} starts have`} no interval: verify ${FEWEST_STARTS} starts or more to tell skill from luck.`,
    );
  const spanOf = (low: number, high: number) => (low === high ? `${low}` : `${low} to ${high}`);
  const meta: VerificationMeta = {
    forecast: pairing.forecast.source,
    truth: options.truth.source,
    provenance: provenanceOf(options.forecast),
    variables: channels.map((ch, c) => ({ name: ch.name, label: labelOf(ch, options), units: truth.units[c] })),
    groups: groups.map(({ variable, level, label, units }) => ({
      name: level === null ? variable : `${variable}@${level}`,
      label,
      units,
    })),
    weights,
    grid: pairing.atStations?.words ?? describeGrid(truth),
    members,
    starts: starts.length,
    firstStart: formatTime(starts[0].time, truth.calendar),
    lastStart: formatTime(starts[starts.length - 1].time, truth.calendar),
    leadHours: [...leadHours],
    training: [formatTime(trainRange[0], truth.calendar), formatTime(trainRange[1], truth.calendar)],
    baselines: baselines.map(({ name, description }) => ({ name, description })),
    reference,
    metrics: options.metrics ?? null,
    intervals:
      starts.length < FEWEST_STARTS || lengths.length === 0
        ? "none: too few starts"
        : `${100 * confidence} % moving-block bootstrap over starts, ${resamples} resamples, blocks of ${spanOf(Math.min(...lengths), Math.max(...lengths))} starts (Politis and White 2004)`,
    confidence,
    notes,
  };
  const cases = await collectCases(pairing, table, baselines, drawn);
  return {
    meta,
    rows,
    comparisons: withDiscoveryRates(comparisons),
    breakdown,
    latitudes: truth.latitudes,
    longitudes: truth.longitudes,
    stations: pairing.atStations?.stations,
    cells,
    wraps: goesAround(truth),
    drawnLeads: drawn,
    cases,
    spectra,
    sums: table,
    plans: kept,
    groupScores: groups.map((group) => group.scores),
    startTimes: Float64Array.from(starts, (start) => start.time),
    regions,
  };

  /** How fast the bias grows along the leads, of every forecaster: the drift of a roll-out. */
  function driftRows(of: readonly ScoreRow[], c: number): ScoreRow[] {
    if (leadHours.length < 3 || (options.metrics && !options.metrics.includes(DRIFT))) return [];
    const { variable, levelValue: level } =
      c < channels.length ? channelKey(channels[c]) : groupKey(groups[c - channels.length]);
    const of_ = of.filter((row) => row.variable === variable && row.level === level && row.metric === "bias");
    return regions.flatMap((region) =>
      [null, ...baselines.map((b) => b.name)].flatMap((baseline) => {
        const line = of_.filter((row) => row.region === region && row.baseline === baseline);
        if (line.length < 3) return [];
        const value = drift(
          line.map((row) => row.value),
          line.map((row) => row.lead_hours),
        );
        return [{ ...line[line.length - 1], metric: DRIFT, value, low: null, high: null }];
      }),
    );
  }
}

const CLIMATOLOGY_ENSEMBLE = "climatology-ensemble";
/** What seasons and hours are told apart by, unasked. */
const BREAKDOWN_METRICS = ["rmse", "bias", "acc:wb2", "crps:fair"] as const;
