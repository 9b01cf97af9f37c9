/** The rows that verification gives: scores, and differences from the baselines. */
import { blockLength, drawBlocks, interval, type Resampled, resampledSums } from "./bootstrap.js";
import { dieboldMariano, falseDiscoveryRates, wilcoxon } from "./statistics/tests.js";
import { EE, evaluate, type Row, type Score, usedPlaces, W } from "./scores/sums.js";

export interface ScoreRow {
  readonly metric: string;
  readonly variable: string;
  readonly level: number | null;
  readonly lead_hours: number;
  readonly region: string;
  /** The baseline this row scores; null for the forecast's own. */
  readonly baseline: string | null;
  readonly value: number;
  /** Ends of the interval; null where there are too few starts for one. */
  readonly low: number | null;
  readonly high: number | null;
  /** Starts. */
  readonly n: number;
}

/** The forecast's score minus a baseline's over the same starts. */
export interface ComparisonRow extends ScoreRow {
  readonly baseline: string;
  /** 1 - forecast / baseline for errors: the share of the baseline's error that is gone; null for other scores. */
  readonly skill: number | null;
  /** Two-sided bootstrap probability of a difference this far from 0 if there were none. */
  readonly p: number | null;
  /** False-discovery rate over all differences of this metric at which this one would be called real; null without p. */
  readonly q: number | null;
  /** Second opinions on p from the differences of single starts: Diebold and Mariano's test with Newey and West's variance, and Wilcoxon's, which takes starts as independent. */
  readonly p_dm: number | null;
  readonly p_wilcoxon: number | null;
  /** Whether the forecast is better, by the score's own direction. */
  readonly better: boolean;
}

export interface Sample {
  readonly variable: string;
  readonly level: number | null;
  readonly leadHours: number;
  readonly region: string;
  /** One row a start, in time order. */
  readonly forecast: readonly Row[];
  readonly baselines: ReadonlyMap<string, readonly Row[]>;
  /** Baselines that are ensembles, for scores of distributions only. */
  readonly ensembles?: ReadonlyMap<string, readonly Row[]>;
  /** What the length of blocks is told from; squared errors unless given. */
  readonly loss?: (row: Row) => number;
}

export interface RowOptions {
  readonly scores: readonly Score[];
  readonly confidence: number;
  readonly resamples: number;
  readonly seed: number;
}

/** Fewer starts than this give no interval. */
export const FEWEST_STARTS = 8;

/** Scores of a sample with intervals, and their differences from every baseline. */
export function rowsOf(
  sample: Sample,
  { scores, confidence, resamples, seed }: RowOptions,
): { rows: ScoreRow[]; comparisons: ComparisonRow[]; blockLength: number } {
  const n = sample.forecast.length;
  const length = n < FEWEST_STARTS ? 1 : sampleBlockLength(sample);
  const draw = n < FEWEST_STARTS ? undefined : drawBlocks(n, length, { resamples, seed });
  const key = {
    variable: sample.variable,
    level: sample.level,
    lead_hours: sample.leadHours,
    region: sample.region,
    n,
  };
  const rows: ScoreRow[] = [];
  const comparisons: ComparisonRow[] = [];
  const width = sample.forecast[0]?.length ?? 0;
  // The others are means over starts of each one's score.
  const ofSums = scores.flatMap((score) => score.ratio ?? [score]).filter((score) => score.over === "all");
  const places = new Map(ofSums.map((score) => [score, usedPlaces([score], width)]));
  const columns = [...new Set([...places.values()].flat())];
  const forecastSums = draw && resampledSums(sample.forecast, draw, columns);
  const rivals = [...sample.baselines, ...(sample.ensembles ?? [])];
  const baselineSums = new Map(rivals.map(([name, of]) => [name, draw && resampledSums(of, draw, columns)] as const));
  /** The score in every resample. */
  const draws = (score: Score, of: readonly Row[], sums: Resampled): Float64Array => {
    if (score.ratio) {
      const [above, below] = score.ratio.map((part) => draws(part, of, sums));
      return above.map((x, k) => x / below[k]);
    }
    if (score.over === "all") return sums.map(score.value, places.get(score));
    const each = of.map((row) => [score.value(row)]);
    return resampledSums(each, draw!).map(([total]) => total / n);
  };
  for (const score of scores) {
    const own = evaluate(score, sample.forecast);
    const ownDraws = draw && draws(score, sample.forecast, forecastSums!);
    const add = (baseline: string | null, value: number, replicates: Float64Array | undefined) => {
      if (!Number.isFinite(value)) return; // not defined: the correlation of a climatology with anything
      const [low, high] = replicates ? interval(replicates, confidence) : [null, null];
      rows.push({ metric: score.name, ...key, baseline, value, low, high });
    };
    add(null, own, ownDraws);
    // A baseline is a point forecast: it has no spread to score.
    for (const [name, of] of score.needsEnsemble ? [] : score.probabilistic ? rivals : sample.baselines) {
      const theirs = evaluate(score, of);
      const theirDraws = draw && draws(score, of, baselineSums.get(name)!);
      add(name, theirs, theirDraws);
      if (!Number.isFinite(own) || !Number.isFinite(theirs)) continue;
      const cost = costOf(score);
      const differences = ownDraws && theirDraws && ownDraws.map((x, k) => x - theirDraws[k]);
      const [low, high] = differences ? interval(differences, confidence) : [null, null];
      comparisons.push({
        metric: score.name,
        ...key,
        baseline: name,
        value: own - theirs,
        low,
        high,
        skill: score.better === "low" && theirs > 0 ? 1 - own / theirs : null,
        p: differences ? tailProbability(differences) : null,
        q: null,
        ...startTests(score, sample.forecast, of),
        better: cost(own) < cost(theirs),
      });
    }
  }
  return { rows, comparisons, blockLength: length };
}

/** Tests of the differences of single starts; null where the score is not defined for every one of them. */
function startTests(
  score: Score,
  own: readonly Row[],
  theirs: readonly Row[],
): Pick<ComparisonRow, "p_dm" | "p_wilcoxon"> {
  const differences = own.map((row, t) => score.value(row) - score.value(theirs[t]));
  const told =
    own.length >= FEWEST_STARTS && differences.every(Number.isFinite) && differences.some((d) => d !== differences[0]);
  if (!told) return { p_dm: null, p_wilcoxon: null };
  const finite = (p: number) => (Number.isFinite(p) ? p : null);
  return { p_dm: finite(dieboldMariano(differences).p), p_wilcoxon: finite(wilcoxon(differences).p) };
}

/** Turns a score into something to keep small. */
const costOf = ({ better }: Score): ((value: number) => number) =>
  better === "low" ? (v) => v : better === "high" ? (v) => -v : (v) => Math.abs(v - better);

/** Twice the smaller share of differences on one side of 0, never below what the number of resamples can tell. */
function tailProbability(differences: Float64Array): number {
  let below = 0;
  let above = 0;
  let finite = 0;
  for (let k = 0; k < differences.length; k++) {
    const d = differences[k];
    if (!Number.isFinite(d)) continue;
    finite++;
    if (d <= 0) below++;
    if (d >= 0) above++;
  }
  return Math.min(1, (2 * (Math.min(below, above) + 1)) / (finite + 1));
}

const squareError = (row: Row): number => row[EE] / row[W];

/** The longest block that the forecast's squared errors, or their differences from a baseline's, ask for. */
function sampleBlockLength({ forecast, baselines, loss = squareError }: Sample): number {
  const own = forecast.map(loss);
  const series = [own, ...[...baselines.values()].map((rows) => rows.map((row, t) => own[t] - loss(row)))];
  return Math.max(...series.map(blockLength));
}

/** Fills in `q`, metric by metric: a scorecard of many cells has some that differ by chance (Benjamini and Hochberg 1995). */
export function withDiscoveryRates(comparisons: readonly ComparisonRow[]): ComparisonRow[] {
  const out = [...comparisons];
  for (const metric of new Set(comparisons.map((c) => c.metric))) {
    const indices = [...comparisons.keys()].filter(
      (i) => comparisons[i].metric === metric && comparisons[i].p !== null,
    );
    const rates = falseDiscoveryRates(indices.map((i) => comparisons[i].p!));
    indices.forEach((i, k) => (out[i] = { ...comparisons[i], q: rates[k] }));
  }
  return out;
}
