/** The card of a forecasting run. */
import { formatTime } from "../../earth/time.js";
import { sizeOf } from "../../tensor/ndarray.js";
import type { Series } from "../series.js";
import type { CardFacts, CardTable } from "../card.js";
import type { CalibrationScore } from "./calibration.js";
import { resolvePeriods } from "./periods.js";
import type { ForecastModel } from "./rollout.js";

const HOUR = 3_600_000;

export function forecastCard(
  { config, normaliser: n, members }: ForecastModel,
  series: Series,
  cost: CardFacts["cost"],
  scores: readonly CalibrationScore[] | undefined,
): CardFacts {
  const hours = n.step / HOUR;
  const periods = resolvePeriods(series, config);
  const text = ([from, to]: readonly [number, number]) =>
    `${formatTime(from, n.calendar)} to ${formatTime(to - n.step, n.calendar)}`;
  const range = (axis: Float64Array) => `${axis[0]} to ${axis[axis.length - 1]}`;
  const { forecast } = config;
  return {
    title: `Forecasts of ${n.channels.join(", ")}`,
    purpose: `From the last ${forecast.history === 1 ? "state" : `${forecast.history} states`} to states up to ${forecast.maxLead} h ahead (${forecast.method}); longer leads go on from its own.`,
    architecture: `${config.model.name} ${JSON.stringify(withoutName(config.model))}`,
    parameters: [...members[0].values()].reduce((sum, { shape }) => sum + sizeOf(shape), 0),
    networks: members.length,
    data: {
      source: config.data.path,
      variables: n.channels.map((name, c) => [name, n.units[c]] as const),
      grid: `${n.latitudes.length} x ${n.longitudes.length} points, latitude ${range(n.latitudes)}, longitude ${range(n.longitudes)}`,
      step: `every ${hours} h`,
      ...(n.statics && { statics: n.statics.names }),
      periods: [
        ["Trained on", text(periods.train)],
        ["Chosen and calibrated on", text(periods.validation)],
        ["Kept for the test", text(periods.test)],
      ],
    },
    cost,
    scores: scores && scoreTable(scores, hours),
    limits: [
      "It knows the grid, the season and the variables above; other data must be brought to them first.",
      "One value at each point: no spread, so no probabilities; single extremes are damped at long leads, as in any forecast that minimises squared error.",
      "It has not been asked whether it obeys conservation laws.",
    ],
  };
}

const withoutName = ({ name: _, ...rest }: ForecastModel["config"]["model"]) => rest;

/** The daily leads (all, where they are few). */
function scoreTable(scores: readonly CalibrationScore[], hours: number): CardTable {
  const daily = scores.filter(({ lead }) => (lead * hours) % 24 === 0);
  return {
    note: "Root mean square error over the validation period, on which the weights were chosen and the calibration fitted: the test period is `foehn verify`'s.",
    columns: ["variable", "lead h", "this model", "climatology", "damped anomaly", "anomaly persistence"],
    rows: (daily.length > 0 ? daily : scores).map((s) => [
      s.channel,
      String(s.lead * hours),
      s.model,
      s.climatology,
      s.damped,
      s.anomalyPersistence,
    ]),
  };
}

/** A score as verification writes it. */
export interface CardScore {
  readonly metric: string;
  readonly variable: string;
  readonly level: number | null;
  readonly lead_hours: number;
  readonly region: string;
  readonly baseline: string | null;
  readonly value: number;
}

/** The test period's root mean square errors beside every baseline's, one row a variable and whole day. */
export function testTable(scores: readonly CardScore[], period: string): CardTable {
  const rows = scores.filter((s) => s.metric === "rmse" && s.lead_hours % 24 === 0 && s.region === scores[0].region);
  const baselines = [...new Set(rows.flatMap(({ baseline }) => (baseline === null ? [] : [baseline])))];
  const key = (s: CardScore) => `${s.variable}${s.level === null ? "" : `@${s.level}`} ${s.lead_hours}`;
  return {
    note: `Root mean square error over the test period (${period}), which nothing was chosen on.`,
    columns: ["variable", "lead h", "this model", ...baselines],
    rows: rows
      .filter(({ baseline }) => baseline === null)
      .map((own) => [
        ...key(own).split(" "),
        own.value,
        ...baselines.map((name) => rows.find((s) => s.baseline === name && key(s) === key(own))?.value ?? "-"),
      ]),
  };
}
