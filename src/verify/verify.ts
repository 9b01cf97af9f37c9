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
import { ordered } from "../data/coords.js";
import type { Dataset } from "../data/dataset.js";
import { formatTime, MS_PER_DAY, MS_PER_HOUR } from "../earth/time.js";
import { identify } from "../earth/variables.js";
import { latitudeWeights, type WeightKind } from "../earth/weights.js";
import { nearest, UsageError } from "../errors.js";
import {
  type Baseline,
  type Climatology,
  fitBaselines,
  persistenceOnly,
  readClimatology,
  type TimeRange,
} from "../tasks/baselines/index.js";
import { probabilisticClimatology } from "../tasks/baselines/probabilistic-climatology.js";
import { cellCount, type Channel, type States } from "../tasks/series.js";
import { toNumbers } from "../tensor/ndarray.js";
import { memoryRows, type RowMaker } from "../tensor/rows.js";
import { accumulate, type LeftOut } from "./accumulate.js";
import { type Breakdown, grouped } from "./breakdown.js";
import { type Cases, collectCases, leadsToDraw } from "./cases.js";
import { CellSums } from "./cell-sums.js";
import { meanScore } from "./mean-scores.js";
import { eventKey } from "./measures/events.js";
import type { ChannelContext, EventLimit } from "./measures/measure.js";
import { groupsOf } from "./measures/state.js";
import { cellQuantiles, wetClimateOf } from "./measures/training-climate.js";
import { type ChannelPlan, GROUP_SCORES, parseMetric, planChannel } from "./metrics.js";
import { pair, type Pairing } from "./pairing.js";
import { regionName, regionWeights } from "./regions.js";
import { type ComparisonRow, FEWEST_STARTS, rowsOf, type ScoreRow, withDiscoveryRates } from "./rows.js";
import { drift } from "./scores/physics.js";
import type { Score } from "./scores/sums.js";
import type { Rival } from "./side-by-side.js";
import { goesAround, type LeadSpectra, leadSpectra } from "./spectra/lead-spectra.js";
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
  const fitted = await fit(truth, trainRange, options, notes);
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
  const everyLead = options.everyLead || truth.scattered || plans.some((plan) => plan.meanScores.length > 0);
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
  for (let c = 0; c < widths.length; c++) {
    const scores = c < channels.length ? kept[c].scores : groups[c - channels.length].scores;
    const name = c < channels.length ? channels[c].name : groups[c - channels.length].label;
    leadHours.forEach((lead, l) =>
      regions.forEach((region, r) => {
        if (table.startsOf(c, l, r).length === 0) {
          notes.push(`${name} has no value to compare at ${lead} h in region ${region}.`);
          return;
        }
        const part = rowsAt(c, l, r, undefined, scores);
        rows.push(...part.rows);
        comparisons.push(...part.comparisons);
        lengths.push(part.blockLength);
        if (c >= channels.length) return;
        for (const metric of r === 0 ? kept[c].meanScores : [])
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
    return [null, ...baselines.map((b) => b.name)].flatMap((baseline, forecaster) => {
      const value = meanScore(
        metric,
        cells,
        { channel: at.c, lead: at.l, forecaster },
        { rows: samples[forecaster], weights: cellWeights[0], columns: truth.longitudes.length },
      );
      const key = { metric, variable, level, lead_hours: at.lead, region: regions[at.region], baseline };
      return Number.isFinite(value) ? [{ ...key, value, low: null, high: null, n: samples[0].length }] : [];
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

  notes.push(...undefinedNotes(kept, channels, rows));
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
    if (leadHours.length < 3 || (options.metrics && !options.metrics.includes("drift"))) return [];
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
        return [{ ...line[line.length - 1], metric: "drift", value, low: null, high: null }];
      }),
    );
  }
}

const CLIMATOLOGY_ENSEMBLE = "climatology-ensemble";
/** What seasons and hours are told apart by, unasked. */
const BREAKDOWN_METRICS = ["rmse", "bias", "acc:wb2", "crps:fair"] as const;

/** The plan of every channel. A metric that no variable takes is refused; one that some do is theirs. */
function planAll(
  metrics: readonly string[] | undefined,
  { truth, channels }: Pairing,
  members: number,
  training: readonly number[],
): ChannelPlan[] {
  const refused = new Map<string, string>();
  const taken = new Set<string>();
  const plans = channels.map((channel, c) => {
    const context = contextOf(channel, c, truth, members, training);
    const plan = planChannel(metrics, context, (name, why) => void refused.set(name, why));
    for (const name of [...plan.scores.map((score) => score.name), ...plan.meanScores]) taken.add(name);
    return plan;
  });
  if (metrics) {
    for (const [name, why] of refused) if (!taken.has(name)) throw new UsageError(why);
    for (const text of metrics) {
      const { variable } = parseMetric(text);
      const names = channels.flatMap((c) => [c.name, c.variable.name]);
      if (variable !== undefined && !names.includes(variable)) {
        const near = nearest(variable, names);
        throw new UsageError(
          `'${text}' is of a variable that is not compared here${near ? `; did you mean '${near}'?` : ""} There are ${[...new Set(names)].join(", ")}`,
        );
      }
    }
  }
  return plans;
}

function contextOf(
  { name, variable }: Channel,
  c: number,
  truth: States,
  members: number,
  training: readonly number[],
): ChannelContext {
  const limits = new Map<string, number | Float32Array>();
  const wet = new Map<number, ReturnType<typeof wetClimateOf>>();
  const enough = (what: string) => {
    if (training.length < 20)
      throw new UsageError(
        `${what} is told from the training period, which has ${training.length} times; give truth that reaches further back, or --train`,
      );
  };
  return {
    name,
    units: truth.units[c],
    quantity: identify({ ...variable, attrs: { ...variable.attrs, units: truth.units[c] || undefined } }),
    members,
    columns: truth.scattered ? 1 : truth.longitudes.length,
    wraps: goesAround(truth),
    scattered: truth.scattered ?? false,
    limitOf(event: EventLimit) {
      // Fields are single precision: 0.1 must not exceed 0.1.
      if (!event.quantile) return Math.fround(event.limit);
      const key = eventKey(event);
      if (!limits.has(key)) {
        enough(`The quantile ${event.limit} of each cell`);
        limits.set(key, cellQuantiles(truth, training, c, [event.limit])[0]);
      }
      return limits.get(key)!;
    },
    wetClimate(dryUpTo) {
      if (!wet.has(dryUpTo)) {
        enough("How often a cell is dry");
        wet.set(dryUpTo, wetClimateOf(truth, training, c, dryUpTo));
      }
      return wet.get(dryUpTo)!;
    },
  };
}

/** By region, a weight for every cell. Stations count alike. */
async function weightsOf(
  specs: readonly string[],
  kind: WeightKind,
  { truth, forecast }: Pairing,
  truthSet: Dataset,
): Promise<Float64Array[]> {
  const { latitudes, longitudes, scattered } = truth;
  const rowWeights = scattered ? new Float64Array(latitudes.length).fill(1) : latitudeWeights(latitudes, kind);
  const mask = scattered ? undefined : await maskOf([truthSet, forecast], truth);
  const places = { latitudes, longitudes, scattered, ...(mask ? { land: () => mask } : {}) };
  return specs.map((spec) => regionWeights(spec, places, rowWeights));
}

/** A land-sea mask on the grid, if one of the data sets has it. */
async function maskOf(
  datasets: readonly Dataset[],
  { latitudes, longitudes }: States,
): Promise<Uint8Array | undefined> {
  for (const each of datasets) {
    const dataset = await ordered(each, "latitude");
    for (const v of dataset.variables.values())
      if (
        v.dims.join() === "latitude,longitude" &&
        v.shape[0] === latitudes.length &&
        v.shape[1] === longitudes.length &&
        identify(v)?.name === "land_sea_mask"
      )
        return Uint8Array.from(toNumbers(await v.read()), (x) => Number(x >= 0.5));
  }
  return undefined;
}

/** All baselines, or persistence alone where the truth before the forecast is too short to know a climatology. */
async function fit(
  truth: States,
  trainRange: TimeRange,
  { climatology: file, climatologyWindow, seed = 0, rows, baselines: wanted }: VerifyOptions,
  notes: string[],
): Promise<{ baselines: Baseline[]; climatology?: Climatology; whole: boolean }> {
  const climatology = file && (await readClimatology(file, truth, { rows }));
  const inside = truth.times.filter((t) => t >= trainRange[0] && t < trainRange[1]).length;
  if (inside < 100) {
    if (!wanted || wanted.some((name) => name !== "persistence"))
      notes.push(
        `The truth holds ${inside} times in the training period: persistence is the only baseline${climatology ? "" : ", and anomaly scores are left out"}. Give truth that reaches further back (a year or more).`,
      );
    return { baselines: persistenceOnly(truth), climatology, whole: false };
  }
  const baselines = fitBaselines(truth, { trainRange, climatologyWindow, seed, rows, climatology });
  return { baselines, climatology: baselines.climatology, whole: true };
}

function referenceOf(wanted: string | undefined, baselines: readonly Baseline[]): string | null {
  if (wanted === undefined || baselines.some((b) => b.name === wanted)) return wanted ?? null;
  const names = baselines.map((b) => b.name);
  const near = nearest(wanted, names);
  throw new UsageError(
    `there is no baseline '${wanted}' here${near ? `; did you mean '${near}'?` : ""} There are ${names.join(", ")}`,
  );
}

/** Past states of the season as members: of the same day where the training years are enough, else of the days around it. */
function climatologyEnsemble(truth: States, trainRange: TimeRange, members: number) {
  // Whole years: a day seen once too few would have to be a member twice.
  const years = Math.max(1, Math.floor((trainRange[1] - trainRange[0]) / (365.2425 * MS_PER_DAY)));
  const window = Math.min(61, 2 * Math.ceil((members / years - 1) / 2) + 1);
  return probabilisticClimatology(truth, { trainRange, window: Math.max(1, window) });
}

function leftOutNotes({ gross, unmatched, compared }: LeftOut, { stations }: VerifyOptions): string[] {
  const share = (n: number) => `${((100 * n) / Math.max(1, n + compared)).toPrecision(2)} %`;
  return [
    ...(gross > 0
      ? [`${gross} reports lie more than ${stations?.farthest} from the forecast and are left out as gross errors.`]
      : []),
    ...(unmatched > 0
      ? [
          `${unmatched} values of the truth (${share(unmatched)}) are left out because the forecast or one of its baselines has none there: all are scored on the same cells.`,
        ]
      : []),
  ];
}

/** Scores that were asked for and are defined nowhere. */
function undefinedNotes(
  plans: readonly ChannelPlan[],
  channels: readonly Channel[],
  rows: readonly ScoreRow[],
): string[] {
  return plans.flatMap(({ scores }, c) => {
    const { variable, levelValue = null } = channels[c];
    const own = rows.filter(
      (row) => row.variable === variable.name && row.level === levelValue && row.baseline === null,
    );
    return scores
      .filter(({ name }) => own.length > 0 && !own.some((row) => row.metric === name))
      .map(({ name }) =>
        name.includes(">")
          ? `'${name}' has no value for ${channels[c].name}: the event never happens here or always does; choose a threshold inside the data.`
          : `'${name}' has no value for ${channels[c].name}: it is not defined for these fields (a constant field, or nothing that counts).`,
      );
  });
}

const PROVENANCE = ["title", "model", "source", "institution", "version", "software", "history", "training_period"];

function provenanceOf({ attrs }: Dataset): Record<string, string> {
  const found = PROVENANCE.flatMap((name) => (typeof attrs[name] === "string" ? [[name, attrs[name]]] : []));
  return Object.fromEntries(found) as Record<string, string>;
}

/** The long name that the forecast or else the truth gives the variable, with its level. */
function labelOf({ name, variable, levelValue }: Channel, { truth }: VerifyOptions): string {
  const long = variable.attrs["long_name"] ?? truth.variables.get(variable.name)?.attrs["long_name"];
  if (typeof long !== "string") return name;
  return levelValue === undefined ? long : `${long} at ${levelValue}`;
}

const describeGrid = ({ latitudes, longitudes }: States): string => {
  const span = (x: Float64Array) => `${+x[0].toFixed(3)} to ${+x[x.length - 1].toFixed(3)}`;
  return `${latitudes.length} x ${longitudes.length} (latitudes ${span(latitudes)}, longitudes ${span(longitudes)})`;
};
