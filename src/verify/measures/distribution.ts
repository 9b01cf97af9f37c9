/** Scores of whole distributions that the sums do not hold: energy score, ranked probabilities, quantiles, tails, a normal fit. */
import { energyScore } from "../scores/energy.js";
import { gaussianCrps, normalDistribution } from "../scores/gaussian-crps.js";
import { ensembleQuantile, quantileLoss } from "../scores/quantile.js";
import { rankHistogram, rankUnevenness } from "../scores/rank-histogram.js";
import { rankedProbabilityScore } from "../scores/rps.js";
import { thresholdCrps } from "../scores/threshold-crps.js";
import { type Score, W } from "../scores/sums.js";
import { aboveWords, areaOf, type Family, type FieldCase, type Made, type Measure } from "./measure.js";
import { eventKey } from "./events.js";

const NEEDS_MEMBERS = (name: string) =>
  `'${name}' is a score of ensembles, and the forecast has no member dimension; leave it out`;

/** A measure of an area mean: its sum, to be divided by Σw. */
const areaMean = (key: string, value: (field: FieldCase) => number): Measure => ({
  key,
  width: 1,
  add(places, field) {
    const mean = value(field);
    if (mean === mean) places[0] += mean * areaOf(field);
  },
});

/** A measure of one number a start. */
const startMean = (key: string, value: (field: FieldCase) => number): Measure => ({
  key,
  width: 2,
  add(places, field) {
    const x = value(field);
    if (x !== x) return;
    places[0] += x;
    places[1]++;
  },
});

const made = (
  measure: Measure,
  score: Omit<Score, "over" | "value">,
  value: (row: ArrayLike<number>, at: number) => number = (row, at) => row[at] / row[W],
): Made => ({ measure, score: (at) => ({ ...score, over: "all", value: (row) => value(row, at) }) });

export const energyFamily: Family = {
  names: ["energy-score"],
  form: "energy-score",
  title: () => "Energy score (the CRPS of whole fields)",
  make: ({ name }) =>
    made(
      startMean("energy", ({ members, truth, weights }) => energyScore(members, truth, weights).score),
      {
        name,
        formula: "mean_m |x_m - o| - mean_{i<j} |x_i - x_j| / 2, |.| the root of the area mean square",
        units: "field",
        better: "low",
        probabilistic: true,
        source: "Gneiting and Raftery 2007, JASA 102, eq. 22; WeatherBench-X",
      },
      (row, at) => row[at] / row[at + 1],
    ),
};

const TERCILES = [1 / 3, 2 / 3];

export const rpsFamily: Family = {
  names: ["rps"],
  form: "rps",
  title: () => "Ranked probability score of the three terciles",
  make({ name }, { limitOf }) {
    const limits = TERCILES.map((limit) => limitOf({ limit, quantile: true }) as Float32Array);
    // Each cell has thresholds of its own: what is counted is on which side of them a value lies.
    const tercile = (field: ArrayLike<number>) =>
      Float32Array.from(field, (x, i) => (x === x ? Number(x >= limits[0][i]) + Number(x >= limits[1][i]) : NaN));
    return made(
      areaMean("rps", ({ members, truth, weights }) =>
        rankedProbabilityScore(members.map(tercile), tercile(truth), weights, [1, 2]),
      ),
      {
        name,
        formula: "Σ_k (P(below q_k) - [o below q_k])^2, q the terciles of the training period",
        units: "1",
        better: "low",
        probabilistic: true,
        source: "Epstein 1969; WeatherBench 2 `RankedProbabilityScore`",
      },
    );
  },
};

export const thresholdCrpsFamily: Family = {
  names: ["twcrps"],
  form: "twcrps>285",
  title: ({ event }) => `Threshold-weighted CRPS above ${aboveWords(event!)}`,
  make({ name, event }, { limitOf }) {
    if (!event) return `'${name}' needs a threshold: write twcrps>285 or twcrps>q0.95`;
    const limit = limitOf(event);
    return made(
      areaMean(`twcrps${eventKey(event)}`, ({ members, truth, weights }) =>
        thresholdCrps(members, truth, weights, limit),
      ),
      {
        name,
        formula: "fair CRPS of max(x, t)",
        units: "field",
        better: "low",
        probabilistic: true,
        source: "Gneiting and Ranjan 2011; Allen, Ginsbourger and Ziegel 2023",
      },
    );
  },
};

const share = (name: string, text: string): number | string => {
  const p = Number(text);
  return p > 0 && p < 1 ? p : `'${name}' needs a share between 0 and 1`;
};

/** Mean over cells that the truth has. */
function cellMean({ truth, weights }: FieldCase, of: (i: number) => number): number {
  let sum = 0;
  let total = 0;
  for (let i = 0; i < truth.length; i++) {
    if (weights[i] === 0 || truth[i] !== truth[i]) continue;
    sum += weights[i] * of(i);
    total += weights[i];
  }
  return sum / total;
}

export const quantileFamily: Family = {
  names: ["quantile-loss", "coverage"],
  form: "quantile-loss:0.9, coverage:0.9",
  title: ({ base, name }) =>
    base === "coverage"
      ? `Share of truths inside the central ${name.split(":")[1]} of the members`
      : `Loss of the ${name.split(":")[1]} quantile`,
  make({ name, base }, { members }) {
    const p = share(name, name.split(":")[1] ?? "");
    if (typeof p === "string") return `${p}: write ${base}:0.9`;
    if (members === 1 && base === "coverage") return NEEDS_MEMBERS(name);
    if (base === "coverage")
      return {
        ...made(
          areaMean(name, (field) => {
            const [low, high] = [(1 - p) / 2, (1 + p) / 2].map((q) => ensembleQuantile(field.members, q));
            return cellMean(field, (i) => Number(field.truth[i] >= low[i] && field.truth[i] <= high[i]));
          }),
          {
            name,
            formula: `share of truths between the members' quantiles ${((1 - p) / 2).toFixed(3)} and ${((1 + p) / 2).toFixed(3)}`,
            units: "1",
            better: 1,
            needsEnsemble: true,
            source: "Gneiting, Balabdaoui and Raftery 2007, JRSS B 69",
          },
        ),
      };
    return made(
      areaMean(name, (field) => {
        const q = ensembleQuantile(field.members, p);
        return cellMean(field, (i) => quantileLoss(q[i], field.truth[i], p));
      }),
      {
        name,
        formula: `p (o - q) where o >= q, (1 - p) (q - o) below, p = ${p}`,
        units: "field",
        better: "low",
        probabilistic: true,
        source: "Koenker and Bassett 1978",
      },
    );
  },
};

const PIT_BINS = 20;

export const gaussianFamily: Family = {
  names: ["crps:gaussian", "pit-unevenness"],
  form: "crps:gaussian, pit-unevenness",
  title: ({ base }) =>
    base === "crps:gaussian"
      ? "CRPS of a normal distribution with the members' mean and spread"
      : "Unevenness of the probability integral transform of a normal fit (0: flat)",
  make({ name, base }, { members }) {
    if (members === 1) return NEEDS_MEMBERS(name);
    const common = { name, better: "low", needsEnsemble: true } as const;
    if (base === "crps:gaussian")
      return made(
        areaMean("crps:gaussian", (field) =>
          cellMean(field, (i) =>
            gaussianCrps(field.forecast[i], Math.sqrt(field.ensemble!.variance[i]) || 1e-12, field.truth[i]),
          ),
        ),
        {
          ...common,
          formula: "s (z (2 Phi(z) - 1) + 2 phi(z) - 1/sqrt(pi)), z = (o - mean) / s",
          units: "field",
          source: "Gneiting et al. 2005, MWR 133, eq. 5",
        },
      );
    return made(
      {
        key: "pit",
        width: PIT_BINS,
        add(places, { forecast, truth, weights, ensemble }) {
          for (let i = 0; i < truth.length; i++) {
            if (weights[i] === 0 || truth[i] !== truth[i]) continue;
            const z = (truth[i] - forecast[i]) / (Math.sqrt(ensemble!.variance[i]) || 1e-12);
            places[Math.min(PIT_BINS - 1, Math.floor(normalDistribution(z) * PIT_BINS))] += weights[i];
          }
        },
      },
      {
        ...common,
        formula: `mean |share of a bin x ${PIT_BINS} - 1| over ${PIT_BINS} bins of Phi((o - mean) / s)`,
        units: "1",
        source: "Dawid 1984; Gneiting, Balabdaoui and Raftery 2007, JRSS B 69",
      },
      (row, at) => rankUnevenness(Array.from({ length: PIT_BINS }, (_, k) => row[at + k] / row[W])),
    );
  },
};

export const rankFamily: Family = {
  names: ["rank-unevenness"],
  form: "rank-unevenness",
  title: () => "Unevenness of the rank histogram (0: flat)",
  make: ({ name }, { members }) =>
    members === 1
      ? NEEDS_MEMBERS(name)
      : {
          score: () => ({
            name,
            formula: "mean |share of a rank x (M + 1) - 1|",
            units: "1",
            better: "low",
            needsEnsemble: true,
            over: "all",
            source: "Delle Monache et al. 2006, JGR 111 (reliability index)",
            value: (row) => rankUnevenness(rankHistogram(row, members)),
          }),
        },
};
