/**
 * Verification: a forecast against the truth, with every baseline beside it.
 *
 *     const result = await verifyForecast({ forecast, truth, trainPeriod: [start, end] });
 *     console.log(formatScores(result.rows));
 *
 * Fields are read start by start and reduced at once to sums (scores/sums.ts), so memory holds one block of the forecast, the
 * truth from the training period to the last valid time, and a few numbers a start. Intervals are moving-block bootstraps over
 * starts; differences from baselines are over the same starts and the same resamples.
 */
import type { Dataset } from "../data/dataset.js";
import { formatTime, MS_PER_DAY } from "../earth/time.js";
import { latitudeWeights, type WeightKind } from "../earth/weights.js";
import { nearest, UsageError } from "../errors.js";
import {
  type Baseline,
  type Climatology,
  fitBaselines,
  persistenceOnly,
  type TimeRange,
} from "../tasks/baselines/index.js";
import { probabilisticClimatology } from "../tasks/baselines/probabilistic-climatology.js";
import type { Channel, Series } from "../tasks/series.js";
import { accumulate } from "./accumulate.js";
import { type Cases, collectCases, type LeadMaps, leadMaps, leadsToDraw } from "./cases.js";
import { type Event, eventScore, eventsOf, isEventMetric, limitsOf } from "./events.js";
import { pair } from "./pairing.js";
import { regionWeights } from "./regions.js";
import {
  type ComparisonRow,
  FEWEST_STARTS,
  type RowOptions,
  rowsOf,
  type ScoreRow,
  withDiscoveryRates,
} from "./rows.js";
import { SCORES } from "./scores/index.js";
import { rankHistogram } from "./scores/rank-histogram.js";
import { addRows, type Score } from "./scores/sums.js";
import { type LeadSpectra, leadSpectra } from "./spectra/lead-spectra.js";
import { SumTable } from "./sum-table.js";

export interface VerifyOptions {
  /** Dimensions time (the start), lead_time, [member], [level], latitude, longitude; WeatherBench 2's names are taken too. */
  readonly forecast: Dataset;
  /** Dimensions time, [level], latitude, longitude, on the forecast's grid. Holds the training period too. */
  readonly truth: Dataset;
  /** Baselines and climatology come from truth in [start, end), milliseconds; everything before the first start if absent. */
  readonly trainPeriod?: TimeRange;
  /** `air`, or `z@500` for one level; all that both have if absent. */
  readonly variables?: readonly string[];
  /** Names of scores. */
  readonly metrics?: readonly string[];
  readonly weights?: WeightKind;
  readonly regions?: readonly string[];
  /** Days of the climatology's window. */
  readonly climatologyWindow?: number;
  readonly confidence?: number;
  readonly resamples?: number;
  readonly seed?: number;
  /** Called after each start. */
  readonly onProgress?: (done: number, total: number) => void;
}

export const DEFAULT_METRICS = ["rmse", "mae", "bias", "acc:wb2", "activity", "log-variance-ratio"] as const;
/** Added for ensembles. */
export const ENSEMBLE_METRICS = ["crps:fair", "spread", "spread-skill"] as const;

/** What was compared with what. */
export interface VerificationMeta {
  readonly forecast: string;
  readonly truth: string;
  readonly variables: readonly { name: string; label: string; units: string }[];
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
  readonly intervals: string;
  readonly confidence: number;
  readonly notes: readonly string[];
}

export interface Verification {
  readonly meta: VerificationMeta;
  readonly rows: readonly ScoreRow[];
  readonly comparisons: readonly ComparisonRow[];
  readonly latitudes: Float64Array;
  readonly longitudes: Float64Array;
  /** Mean error and root mean square error of each cell at a few leads. */
  readonly maps: readonly LeadMaps[];
  /** A middling, the best and the worst start, with their fields. */
  readonly cases: readonly Cases[];
  /** Of forecast and truth at the same leads; none for a regional grid. */
  readonly spectra: readonly LeadSpectra[];
  /** Of an ensemble, over the whole grid, at the same leads. */
  readonly ranks: readonly { channel: number; lead: number; histogram: Float64Array }[];
  /** What every score was made from, a row a start, so that two forecasts can be compared start by start. */
  readonly sums: SumTable;
  /** Of each start, in milliseconds. */
  readonly startTimes: Float64Array;
  readonly regions: readonly string[];
  readonly scores: readonly Score[];
}

export async function verifyForecast(options: VerifyOptions): Promise<Verification> {
  const { weights = "exact", regions = ["all"], confidence = 0.95, resamples = 1000, seed = 0 } = options;
  const pairing = await pair(options.forecast, options.truth, {
    variables: options.variables,
    from: options.trainPeriod?.[0],
  });
  const { truth, channels, starts, leadHours } = pairing;
  const members = pairing.forecast.dims["member"] ?? 1;
  const events = eventsOf(options.metrics ?? []);
  const wanted = scoresNamed(options.metrics, members, events);
  const notes = [...pairing.notes];
  const trainRange = options.trainPeriod ?? [truth.times[0], starts[0].time];
  if (trainRange[1] > starts[0].time)
    notes.push("The training period of the baselines reaches into the verified starts: they have an unfair advantage.");
  const { baselines, climatology } = fit(truth, trainRange, options.climatologyWindow, seed, notes);

  const scores = wanted.filter((score) => climatology || !score.needsClimatology);
  const rowWeights = latitudeWeights(truth.latitudes, weights);
  const cellWeights = regions.map((name) => regionWeights(name, truth.latitudes, truth.longitudes, rowWeights));
  const probabilistic = climatology && members > 1 ? climatologyEnsemble(truth, trainRange, members) : undefined;
  const forecasters = ["", ...baselines.map((b) => b.name), ...(probabilistic ? [CLIMATOLOGY_ENSEMBLE] : [])];
  const table = new SumTable(channels.length, leadHours.length, regions.length, forecasters);
  const drawn = leadsToDraw(leadHours);
  const maps = leadMaps(pairing, drawn);
  const spectra = leadSpectra(pairing, drawn);
  const training = [...truth.times.keys()].filter(
    (t) => truth.times[t] >= trainRange[0] && truth.times[t] < trainRange[1],
  );
  const limits = limitsOf(events, truth, training);
  const { onProgress } = options;
  await accumulate({
    pairing,
    baselines,
    climatology,
    cellWeights,
    events,
    limits,
    table,
    maps,
    spectra,
    drawn: probabilistic,
    onProgress,
  });

  const rowOptions: RowOptions = { scores, confidence, resamples, seed };
  const rows: ScoreRow[] = [];
  const comparisons: ComparisonRow[] = [];
  const lengths: number[] = [];
  channels.forEach(({ variable, levelValue }, c) =>
    leadHours.forEach((lead, l) =>
      regions.forEach((region, r) => {
        const [forecast, ...others] = table.samples(c, l, r);
        if (forecast.length === 0) {
          notes.push(`${channels[c].name} has no value to compare at ${lead} h in region ${region}.`);
          return;
        }
        const named = new Map(baselines.map((b, k) => [b.name, others[k]]));
        const key = { variable: variable.name, level: levelValue ?? null, leadHours: lead, region };
        const ensembles = new Map(probabilistic ? [[CLIMATOLOGY_ENSEMBLE, others[baselines.length]]] : []);
        const part = rowsOf({ ...key, forecast, baselines: named, ensembles }, rowOptions);
        rows.push(...part.rows);
        comparisons.push(...part.comparisons);
        lengths.push(part.blockLength);
      }),
    ),
  );
  for (const { name } of scores.filter((score) => isEventMetric(score.name)))
    if (!rows.some((row) => row.metric === name))
      notes.push(
        `'${name}' has no value: the event never happens here or always does; choose a threshold inside the data.`,
      );
  if (starts.length < FEWEST_STARTS)
    notes.push(
      `${starts.length === 1 ? "A single start has" : `${starts.length} starts have`} no interval: verify ${FEWEST_STARTS} starts or more to tell skill from luck.`,
    );
  const spanOf = (low: number, high: number) => (low === high ? `${low}` : `${low} to ${high}`);
  const meta: VerificationMeta = {
    forecast: pairing.forecast.source,
    truth: options.truth.source,
    variables: channels.map((ch, c) => ({
      name: ch.name,
      label: labelOf(ch, options),
      units: truth.units[c],
    })),
    weights,
    grid: describeGrid(truth),
    members,
    starts: starts.length,
    firstStart: formatTime(starts[0].time, truth.calendar),
    lastStart: formatTime(starts[starts.length - 1].time, truth.calendar),
    leadHours: [...leadHours],
    training: [formatTime(trainRange[0], truth.calendar), formatTime(trainRange[1], truth.calendar)],
    baselines: baselines.map(({ name, description }) => ({ name, description })),
    intervals:
      starts.length < FEWEST_STARTS
        ? "none: too few starts"
        : `${100 * confidence} % moving-block bootstrap over starts, ${resamples} resamples, blocks of ${spanOf(Math.min(...lengths), Math.max(...lengths))} starts (Politis and White 2004)`,
    confidence,
    notes,
  };
  const cases = await collectCases(pairing, table, baselines, drawn);
  const ranks = rankHistograms(table, channels.length, drawn, members);
  return {
    meta,
    rows,
    comparisons: withDiscoveryRates(comparisons),
    latitudes: truth.latitudes,
    longitudes: truth.longitudes,
    maps,
    cases,
    spectra,
    ranks,
    sums: table,
    startTimes: Float64Array.from(starts, (start) => start.time),
    regions,
    scores,
  };
}

const CLIMATOLOGY_ENSEMBLE = "climatology-ensemble";

/** Past states of the season as members: of the same day where the training years are enough, else of the days around it. */
function climatologyEnsemble(truth: Series, trainRange: TimeRange, members: number) {
  // Whole years: a day seen once too few would have to be a member twice.
  const years = Math.max(1, Math.floor((trainRange[1] - trainRange[0]) / (365.2425 * MS_PER_DAY)));
  const window = Math.min(61, 2 * Math.ceil((members / years - 1) / 2) + 1);
  return probabilisticClimatology(truth, { trainRange, window: Math.max(1, window) });
}

/** The long name that the forecast or else the truth gives the variable, with its level. */
function labelOf({ name, variable, levelValue }: Channel, { truth }: VerifyOptions): string {
  const long = variable.attrs["long_name"] ?? truth.variables.get(variable.name)?.attrs["long_name"];
  if (typeof long !== "string") return name;
  return levelValue === undefined ? long : `${long} at ${levelValue}`;
}

function rankHistograms(table: SumTable, channels: number, leads: readonly number[], members: number) {
  if (members === 1) return [];
  return Array.from({ length: channels }, (_, channel) =>
    leads.flatMap((lead) => {
      const [rows] = table.samples(channel, lead, 0);
      return rows.length === 0
        ? []
        : [{ channel, lead, histogram: rankHistogram(addRows(rows, rows[0].length), members) }];
    }),
  ).flat();
}

function scoresNamed(wanted: readonly string[] | undefined, members: number, events: readonly Event[]): Score[] {
  const names = wanted ?? [...DEFAULT_METRICS, ...(members > 1 ? ENSEMBLE_METRICS : [])];
  return names.map((name) => {
    if (isEventMetric(name)) return eventScore(name, events, members);
    const found = SCORES.find((score) => score.name === name);
    if (found?.needsEnsemble && members === 1)
      throw new UsageError(`'${name}' is a score of ensembles, and the forecast has no member dimension; leave it out`);
    if (found) return found;
    const known = SCORES.map((score) => score.name);
    const near = nearest(name, known);
    throw new UsageError(
      `there is no metric '${name}'${near ? `; did you mean '${near}'?` : ""} Known are ${known.join(", ")}`,
    );
  });
}

/** All baselines, or persistence alone where the truth before the forecast is too short to know a climatology. */
function fit(
  truth: Series,
  trainRange: TimeRange,
  climatologyWindow: number | undefined,
  seed: number,
  notes: string[],
): { baselines: Baseline[]; climatology?: Climatology } {
  const inside = truth.times.filter((t) => t >= trainRange[0] && t < trainRange[1]).length;
  if (inside < 100) {
    notes.push(
      `The truth holds ${inside} times in the training period: persistence is the only baseline, and anomaly scores are left out. Give truth that reaches further back (a year or more).`,
    );
    return { baselines: persistenceOnly(truth) };
  }
  const baselines = fitBaselines(truth, { trainRange, climatologyWindow, seed });
  return { baselines, climatology: baselines.climatology };
}

const describeGrid = ({ latitudes, longitudes }: Series): string => {
  const span = (x: Float64Array) => `${+x[0].toFixed(3)} to ${+x[x.length - 1].toFixed(3)}`;
  return `${latitudes.length} x ${longitudes.length} (latitudes ${span(latitudes)}, longitudes ${span(longitudes)})`;
};
