/** The card of a run of grid and stations. */
import { formatTime } from "../../earth/time.js";
import { sizeOf } from "../../tensor/ndarray.js";
import type { CardFacts, CardTable } from "../card.js";
import { resolvePeriods } from "../forecast/periods.js";
import type { Series } from "../series.js";
import type { PointwiseModel } from "./predict.js";

export function pointwiseCard(
  { config, normalisers: { grid: n, stations }, places, members }: PointwiseModel,
  series: Series,
  cost: CardFacts["cost"],
  scores: CardTable,
): CardFacts {
  const periods = resolvePeriods(series, config);
  const text = ([from, to]: readonly [number, number]) =>
    `${formatTime(from, n.calendar)} to ${formatTime(to - n.step, n.calendar)}`;
  const { name, ...settings } = config.model;
  return {
    title: `Forecasts of ${stations.channels.join(", ")} at ${places.names.length} stations`,
    purpose: `From the last ${config.forecast.history} gridded states and the stations' reports to the stations up to ${config.forecast.maxLead} h ahead, in one jump to each lead.`,
    architecture: `${name} ${JSON.stringify(settings)}`,
    parameters: [...members[0].values()].reduce((sum, { shape }) => sum + sizeOf(shape), 0),
    networks: members.length,
    data: {
      source: `${config.data.path} and ${config.data.stations.path}`,
      variables: [
        ...n.channels.map((channel, c) => [`${channel} on the grid`, n.units[c]] as const),
        ...stations.channels.map((channel, c) => [`${channel} at stations`, stations.units[c]] as const),
      ],
      grid: `${n.latitudes.length} x ${n.longitudes.length} points and ${places.names.length} stations`,
      step: `every ${n.step / 3_600_000} h`,
      ...(n.statics && { statics: n.statics.names }),
      periods: [
        ["Trained on", text(periods.train)],
        ["Chosen on", text(periods.validation)],
        ["Kept for the test", text(periods.test)],
      ],
    },
    cost,
    scores,
    limits: [
      "It serves the stations above: each enters by its own climate of the training period.",
      "One value at each station and lead: no spread, so no probabilities.",
    ],
  };
}
