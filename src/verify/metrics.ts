/**
 * The metrics of a verification by name, and those that a variable gets unasked.
 *
 *     rmse                    of every variable
 *     tp/seeps                of one
 *     csi>285  ets>q0.95      events: above a value in the variable's units, above each cell's own quantile
 *     fss>1@9                 in windows of 9 x 9 cells
 */
import { nearest, UsageError } from "../errors.js";
import {
  energyFamily,
  gaussianFamily,
  quantileFamily,
  rankFamily,
  rpsFamily,
  thresholdCrpsFamily,
} from "./measures/distribution.js";
import { eventFamily } from "./measures/events.js";
import type { Asked, ChannelContext, Family, Measure } from "./measures/measure.js";
import { millimetres, seepsFamily } from "./measures/precipitation.js";
import { fssFamily, objectFamily, salFamily, variogramFamily } from "./measures/spatial.js";
import { bias } from "./scores/bias.js";
import { SCORES } from "./scores/index.js";
import { rowWidth, type Score } from "./scores/sums.js";

export const FAMILIES: readonly Family[] = [
  eventFamily,
  fssFamily,
  seepsFamily,
  salFamily,
  objectFamily,
  energyFamily,
  variogramFamily,
  rpsFamily,
  thresholdCrpsFamily,
  quantileFamily,
  gaussianFamily,
  rankFamily,
];

/** Scores of fields that go around the globe, unasked. */
const SPECTRAL_SCORES = ["effective-resolution", "spectral-divergence", "spectral-residual"] as const;
/** Scores of a mean over starts, computed at the end and without intervals; `mean-scores.ts` and `spectra/` have them. */
export const MEAN_SCORES = [
  ...SPECTRAL_SCORES,
  "nrmse:climatebench",
  "nrmse:climatebench-spatial",
  "nrmse:climatebench-global",
] as const;

/** How fast the bias grows over the leads, whenever there are three. */
export const DRIFT = "drift";

/** Scores of several variables together, there whenever the variables are; `measures/state.ts` has them. */
export const GROUP_SCORES = [
  "wind-rmse",
  "wind-direction",
  "wind-speed-bias",
  "imbalance:geostrophic",
  "imbalance:hydrostatic",
  "budget:dry-mass",
  "budget:vapour",
  "budget:energy",
] as const;

/** Every variable's, where none are asked for. */
export const DEFAULT_METRICS = ["rmse", "mae", "bias", "acc:wb2", "activity", "log-variance-ratio"] as const;
/** Added for ensembles. */
export const ENSEMBLE_METRICS = [
  "crps:fair",
  "spread",
  "spread-skill",
  "rank-unevenness",
  "brier>q0.9",
  "brier-skill>q0.9",
  "roc-area>q0.9",
] as const;

/** A millimetre makes a wet day; the windows of FSS grow by threes. */
function precipitationMetrics(wet: number, { columns, scattered }: ChannelContext): string[] {
  const windows = [1, 3, 9, 27].filter((window) => window <= columns / 2);
  const limit = `>${Number(wet.toPrecision(6))}`;
  return [
    "seeps",
    ...["csi", "ets", "fbi"].map((name) => name + limit),
    ...["csi", "sedi"].map((name) => `${name}>q0.95`),
    ...(scattered ? [] : windows.map((window) => `fss${limit}@${window}`)),
  ];
}

/** What a variable is scored by where nothing is asked for. */
export function defaultMetrics(context: ChannelContext): string[] {
  const wet = millimetres(1, context);
  return [
    ...DEFAULT_METRICS,
    ...(context.members > 1 ? ENSEMBLE_METRICS : []),
    ...(wet === undefined ? [] : precipitationMetrics(wet, context)),
    ...(context.wraps ? SPECTRAL_SCORES : []),
  ];
}

/** A name apart: `tp/csi>q0.95`. Throws where it cannot be read. */
export function parseMetric(text: string): Asked & { variable?: string } {
  const slash = text.indexOf("/");
  const variable = slash > 0 ? text.slice(0, slash) : undefined;
  const name = text.slice(slash + 1);
  const match = /^([a-z0-9-]+(?::[a-z0-9.-]+)?)(?:>(q?)(-?\d+(?:\.\d+)?(?:e[-+]?\d+)?))?(?:@(\d+(?:\.\d+)?))?$/i.exec(
    name,
  );
  if (!match) throw new UsageError(`'${text}' is no metric's name; write rmse, csi>285, csi>q0.95 or fss>1@9`);
  const [, full, quantile, limit, at] = match;
  if (quantile && !(Number(limit) > 0 && Number(limit) < 1))
    throw new UsageError(`'${text}' asks for the quantile ${limit}; it must lie between 0 and 1`);
  // `coverage:0.9` is of the family `coverage`, `acc:wb2` a name of its own.
  const base = /:\d/.test(full) ? full.split(":")[0] : full;
  return {
    variable,
    name,
    base,
    ...(limit === undefined ? {} : { event: { limit: Number(limit), quantile: quantile !== "" } }),
    ...(at === undefined ? {} : { at: Number(at) }),
  };
}

const familyOf = (asked: Asked): Family | undefined => FAMILIES.find((family) => family.names.includes(asked.base));

/** All names there are, for help and errors. */
export const metricNames = (): string[] => [
  ...SCORES.map((score) => score.name),
  ...FAMILIES.flatMap((family) => family.names),
  ...GROUP_SCORES,
  ...MEAN_SCORES,
  DRIFT,
];

/** What a metric is called in full. */
export function metricTitle(name: string): string {
  const asked = parseMetric(name);
  return familyOf(asked)?.title(asked) ?? TITLES[name] ?? name;
}

/** What is computed for one variable: its scores, the measures they read and how wide its rows are. */
export interface ChannelPlan {
  readonly scores: readonly Score[];
  readonly measures: readonly { readonly measure: Measure; readonly at: number }[];
  readonly width: number;
  readonly meanScores: readonly string[];
  /** The name of the variable's quantity, where it is known. */
  readonly quantity?: string;
  /** Where an event's table begins, for diagrams. */
  readonly events: ReadonlyMap<string, number>;
}

/** Names that fit the variable; what does not is handed to `refuse`. */
export function planChannel(
  wanted: readonly string[] | undefined,
  context: ChannelContext,
  refuse: (name: string, why: string) => void,
): ChannelPlan {
  const asked = (wanted ?? defaultMetrics(context)).map(parseMetric);
  const scores: Score[] = [];
  const meanScores: string[] = [];
  const measures = new Map<string, { measure: Measure; at: number }>();
  let width = rowWidth(context.members);
  for (const one of asked) {
    if (one.variable !== undefined && one.variable !== context.name && one.variable !== context.name.split("@")[0])
      continue;
    const plain = SCORES.find((score) => score.name === one.name);
    if (plain) {
      if (plain.needsEnsemble && context.members === 1)
        refuse(
          one.name,
          `'${one.name}' is a score of ensembles, and the forecast has no member dimension; leave it out`,
        );
      else scores.push(plain);
      continue;
    }
    if ((MEAN_SCORES as readonly string[]).includes(one.name)) {
      if (context.scattered) refuse(one.name, `'${one.name}' needs a grid, and these are stations; leave it out`);
      else meanScores.push(one.name);
      continue;
    }
    if ((GROUP_SCORES as readonly string[]).includes(one.name)) continue;
    if (one.name === DRIFT) {
      if (!scores.includes(bias)) scores.push(bias); // whose growth it is
      continue;
    }
    const family = familyOf(one);
    if (!family) throw unknownMetric(one.name);
    const made = family.make(one, context);
    if (typeof made === "string") {
      refuse(one.name, made);
      continue;
    }
    let at = 0;
    if (made.measure) {
      const known = measures.get(made.measure.key);
      at = known?.at ?? width;
      if (!known) {
        measures.set(made.measure.key, { measure: made.measure, at });
        width += made.measure.width;
      }
    }
    scores.push(made.score(at));
  }
  const events = new Map([...measures].filter(([key]) => key.startsWith(">")).map(([key, { at }]) => [key, at]));
  return { scores, measures: [...measures.values()], width, meanScores, quantity: context.quantity?.name, events };
}

function unknownMetric(name: string): UsageError {
  const known = metricNames();
  const near = nearest(name.split(/[>@]/)[0], known);
  return new UsageError(
    `there is no metric '${name}'${near ? `; did you mean '${near}'?` : "."} Known are ${known.join(", ")}`,
  );
}

const TITLES: Readonly<Record<string, string>> = {
  rmse: "Root mean square error",
  "rmse:per-start": "Root mean square error, root before mean",
  mse: "Mean square error",
  mae: "Mean absolute error",
  bias: "Bias (forecast minus truth)",
  drift: "Growth of the bias in a day, by least squares over the leads",
  "acc:wb2": "Anomaly correlation",
  "acc:wbx": "Anomaly correlation, pooled",
  "acc:climatelearn": "Anomaly correlation, mean anomaly off",
  pearson: "Correlation",
  r2: "Explained variance (R²)",
  "nash-sutcliffe": "Nash-Sutcliffe efficiency",
  "kling-gupta": "Kling-Gupta efficiency",
  "crps:fair": "Continuous ranked probability score (fair)",
  "crps:unfair": "Continuous ranked probability score (unfair)",
  "crps:almost-fair": "Continuous ranked probability score (almost fair)",
  spread: "Ensemble spread",
  "spread-skill": "Spread over error (1: reliable)",
  activity: "Activity (how much it departs from climatology)",
  "log-variance-ratio": "Blur (log₁₀ of the variance ratio; 0: as lively as the truth)",
  "wind-rmse": "Vector error of the wind",
  "wind-direction": "Error of wind direction, degrees",
  "wind-speed-bias": "Bias of wind speed",
  "imbalance:geostrophic": "Geostrophic imbalance, forecast over truth",
  "imbalance:hydrostatic": "Hydrostatic imbalance, forecast over truth",
  "budget:dry-mass": "Dry air, forecast minus truth, kg m⁻²",
  "budget:vapour": "Water vapour, forecast minus truth, kg m⁻²",
  "budget:energy": "Energy of the column, forecast minus truth, J m⁻²",
  "effective-resolution": "Effective resolution, km (half of the truth's power)",
  "spectral-divergence": "Divergence of the mean's spectrum (ChaosBench)",
  "spectral-residual": "Residual of the mean's spectrum (ChaosBench)",
  "nrmse:climatebench": "Normalised error (ClimateBench): spatial + 5 global",
  "nrmse:climatebench-spatial": "Normalised error of the mean map (ClimateBench)",
  "nrmse:climatebench-global": "Normalised error of the global mean (ClimateBench)",
};
