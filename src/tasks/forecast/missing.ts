/**
 * Forecasts from data that lack some of a run's variables. Models whose parameters carry their variable's name (climax, stormer, masked,
 * met2, pointwise) take any part of what they learnt: the others are left out of the graph, going in and coming out. A network of
 * whole maps has one place for each and takes all or nothing.
 *
 *     const absent = await absentChannels(dataset, model.normaliser.channels);       // ["specific_humidity@700"]
 *     const part = withoutChannels(model, absent, dataset.source);                   // forecasts the rest
 */
import { canonical, readCoordinate } from "../../data/coords.js";
import type { Dataset } from "../../data/dataset.js";
import { DataError } from "../../errors.js";
import { ARCHITECTURES, architecture } from "../../models/index.js";
import { type Series, stateAt } from "../series.js";
import { variableNames } from "./features.js";
import { harmonicClimatology } from "./harmonic.js";
import type { Normaliser } from "./normaliser.js";
import type { ForecastModel } from "./rollout.js";

/** The channels (`t2m`, `z@500`) of which a dataset has no variable, or not the level. */
export async function absentChannels(given: Dataset, channels: readonly string[]): Promise<string[]> {
  const dataset = canonical(given);
  const levels = dataset.variables.has("level") ? [...(await readCoordinate(dataset, "level"))] : [];
  return channels.filter((channel) => {
    const [name, level] = channel.split("@");
    const found = dataset.variables.get(name);
    return !found || (level !== undefined && found.dims.includes("level") && !levels.includes(Number(level)));
  });
}

/** The channels of a series without a single value. */
export function emptyChannels(series: Series): string[] {
  const cells = series.latitudes.length * series.longitudes.length;
  return series.channels.filter((_, c) =>
    Array.from(series.times.keys()).every((t) =>
      stateAt(series, t)
        .subarray(c * cells, (c + 1) * cells)
        .every((v) => v !== v),
    ),
  );
}

/** The model for what is left of its channels; itself where nothing is absent. Throws DataError where it needs them all, or none is left. */
export function withoutChannels(model: ForecastModel, absent: readonly string[], source: string): ForecastModel {
  if (absent.length === 0) return model;
  const { config, normaliser: n, calibration } = model;
  const list = absent.map((name) => `'${name}'`).join(", ");
  const { name, anyVariables } = architecture(config.model.name);
  if (!anyVariables)
    throw new DataError(
      source,
      `it lacks ${list}, which this model's ${name} needs: it takes all its variables or none. Give data that have ${absent.length > 1 ? "them" : "it"}, or train a model that forecasts from any part of its variables (${ARCHITECTURES.filter((each) => architecture(each).anyVariables).join(", ")})`,
    );
  const kept = [...n.channels.keys()].filter((c) => !absent.includes(n.channels[c]));
  if (kept.length === 0)
    throw new DataError(
      source,
      `it has none of the model's variables (${n.channels.join(", ")}); rename them, or name other data`,
    );
  const names = variableNames(n);
  const normaliser = partOf(n, kept);
  const renamed = variableNames(normaliser).findIndex((own, i) => own !== names[kept[i]]);
  if (renamed >= 0)
    throw new DataError(
      source,
      `it lacks ${list}, without which '${normaliser.channels[renamed]}' would be taken for another variable of the model; give data that have ${absent.length > 1 ? "them" : "it"}`,
    );
  return {
    ...model,
    normaliser,
    ...(calibration && {
      calibration: { ...calibration, weights: picked(calibration.weights, n.channels.length, kept, 2) },
    }),
  };
}

/** What a normaliser knows of some of its channels. */
function partOf(n: Normaliser, kept: readonly number[]): Normaliser {
  const cells = n.latitudes.length * n.longitudes.length;
  const of = (values: Float32Array, each: number) => picked(values, n.channels.length, kept, each);
  const { coefficients, harmonics } = n.climatology;
  return {
    ...n,
    channels: kept.map((c) => n.channels[c]),
    units: kept.map((c) => n.units[c]),
    climatology: harmonicClimatology(of(coefficients, cells), harmonics, n.calendar),
    mean: of(n.mean, 1),
    spread: of(n.spread, 1),
    anomaly: of(n.anomaly, cells),
    damping: of(n.damping, cells),
    residual: of(n.residual, cells),
  };
}

/** Of [..., channel, each], some channels. */
function picked(values: Float32Array, channels: number, kept: readonly number[], each: number): Float32Array {
  const rows = values.length / (channels * each);
  const out = new Float32Array(rows * kept.length * each);
  for (let r = 0; r < rows; r++)
    kept.forEach((c, i) => {
      const from = (r * channels + c) * each;
      out.set(values.subarray(from, from + each), (r * kept.length + i) * each);
    });
  return out;
}
