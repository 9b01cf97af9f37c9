/** The card of a downscaling run. */
import { formatTime } from "../../earth/time.js";
import { sizeOf } from "../../tensor/ndarray.js";
import type { CardFacts, CardTable } from "../card.js";
import type { Pairs } from "./pairs.js";
import { learntTimes, splitOf } from "./pairs.js";
import type { DownscaleModel } from "./predict.js";

export function downscaleCard(
  { config, fitted, members }: DownscaleModel,
  pairs: Pairs,
  cost: CardFacts["cost"],
  scores?: CardTable,
): CardFacts {
  const { data, downscale } = config;
  const split = splitOf(pairs, config);
  const text = (indices: readonly number[]) =>
    `${indices.length} times from ${formatTime(pairs.times[indices[0]], pairs.calendar)} to ${formatTime(pairs.times[indices[indices.length - 1]], pairs.calendar)}`;
  const { name, ...settings } = config.model;
  const { grid } = fitted;
  const heads = {
    mean: "its mean",
    quantile: `its mean and ${downscale.quantiles} quantiles`,
    "bernoulli-gamma": `the chance of more than ${downscale.dryUpTo}, a gamma law of amounts, their mean and ${downscale.quantiles} quantiles`,
  };
  const from =
    data.coarse.length > 0
      ? data.coarse.map((c) => c.path).join(", ")
      : `means of it over ${data.factors.map((f) => f.join(" x ")).join(", ")} cells`;
  return {
    title: `Downscaling to ${fitted.targets.join(", ")}`,
    purpose: `From coarse ${fitted.predictors.join(", ")} to fine ${fitted.targets.join(", ")} of the same time: of each cell ${heads[downscale.head]}.`,
    architecture: `${name} ${JSON.stringify(settings)}`,
    parameters: [...members[0].values()].reduce((sum, { shape }) => sum + sizeOf(shape), 0),
    networks: members.length,
    data: {
      source: `${data.fine.path} (fine), ${from} (coarse)`,
      variables: [
        ...fitted.targets.map((target, v) => [`${target}, fine`, fitted.targetUnits[v]] as const),
        ...fitted.predictors.map((predictor, p) => [`${predictor}, coarse`, fitted.predictorUnits[p]] as const),
        ...fitted.maps.map((map) => [`${map}, fixed`, "normalised"] as const),
      ],
      grid: `${grid.rows} x ${grid.columns} fine cells from ${fitted.coarse.latitudes.length} x ${fitted.coarse.longitudes.length} coarse ones`,
      step: `${pairs.times.length} times`,
      periods: [
        ...(config.training.crossFit
          ? [
              [
                "Trained on",
                `${text(learntTimes(split, config))}, of which each network left others out to be chosen on`,
              ] as const,
            ]
          : [["Trained on", text(split.train)] as const, ["Chosen on", text(split.validation)] as const]),
        ["Kept for the test", text(split.test)],
      ],
    },
    cost,
    scores,
    limits: [
      downscale.localClimate
        ? "It was shown each fine cell's own climate of the training period, so it serves this grid alone, and a climate like that period's."
        : "It serves other grids and factors, best those it was trained on.",
      "Cells are predicted one by one: their chances and quantiles are their own, and fields drawn from them would lack the weather's patterns.",
      downscale.conserve
        ? "Its mean is the coarse field's over every coarse cell, right or wrong as that may be."
        : "What it gives need not add up to the coarse field it came from.",
    ],
  };
}
