/** States for a model of fixed channels from any dataset: variables told by what they are, in the catalogue's units, on the model's grid. */
import { canonical, readCoordinate } from "../../data/coords.js";
import { type Dataset, dataVariables, type Variable } from "../../data/dataset.js";
import { gridOf } from "../../data/regrid.js";
import { applyWeights, type Grid, rectilinear, regridWeights } from "../../earth/regrid/index.js";
import { identify, toCanonical } from "../../earth/variables.js";
import { DataError } from "../../errors.js";
import { toNumbers } from "../../tensor/ndarray.js";
import type { PublishedGrid, PublishedModel, State } from "./contract.js";

/** The grid of that size from pole to pole, longitudes from Greenwich east. */
export const publishedGrid = ({ latitudes, longitudes }: PublishedGrid): Grid =>
  rectilinear(
    Float64Array.from({ length: latitudes }, (_, i) => 90 - (180 * i) / (latitudes - 1)),
    Float64Array.from({ length: longitudes }, (_, j) => (360 * j) / longitudes),
  );

interface Found {
  readonly variable: Variable;
  readonly level?: number;
  readonly scale: number;
  readonly offset: number;
}

/** Reads states at time indices. Throws naming every channel that the dataset does not have. */
export async function stateReader(
  given: Dataset,
  model: Pick<PublishedModel, "name" | "channels" | "optional" | "scale">,
  grid: PublishedGrid,
): Promise<{ read(time: number): Promise<State>; readonly zeros: readonly string[] }> {
  const dataset = canonical(given);
  const levels = dataset.variables.has("level") ? [...(await readCoordinate(dataset, "level"))] : [];
  const found = model.channels.map((channel) => channelIn(dataset, channel, levels));
  const missing = model.channels.filter((channel, c) => !found[c] && !model.optional.includes(channel));
  if (missing.length > 0)
    throw new DataError(
      dataset.source,
      `${model.name} starts from ${model.channels.length} channels, and this data lacks ${missing.length}: ${missing.slice(0, 8).join(", ")}${missing.length > 8 ? ", ..." : ""}; add them ('foehn info' lists what it has)`,
    );
  const target = publishedGrid(grid);
  const source = await gridOf(dataset);
  const weights = regridWeights(source, target, "bilinear");
  const cells = grid.latitudes * grid.longitudes;
  return {
    zeros: model.channels.filter((_, c) => !found[c]),
    async read(time) {
      const state = new Float32Array(model.channels.length * cells);
      for (const [c, channel] of found.entries()) {
        if (!channel) continue;
        const { variable: v, level, scale, offset } = channel;
        const field = Float64Array.from(toNumbers(await v.read({ time, ...(level === undefined ? {} : { level }) })));
        const factor = model.scale[model.channels[c]] ?? 1;
        applyWeights(weights, field).forEach((value, i) => (state[c * cells + i] = factor * (scale * value + offset)));
      }
      const at = state.findIndex((v) => !Number.isFinite(v));
      if (at >= 0)
        throw new DataError(
          dataset.source,
          `'${model.channels[Math.floor(at / cells)]}' has missing values at time index ${time}; a global model needs all of them`,
        );
      return state;
    },
  };
}

function channelIn(dataset: Dataset, channel: string, levels: readonly number[]): Found | undefined {
  const [name, at] = channel.split("@");
  for (const v of dataVariables(dataset)) {
    const quantity = identify(v);
    if (quantity?.name !== name || v.dims.includes("level") !== (at !== undefined)) continue;
    const level = at === undefined ? undefined : levels.indexOf(Number(at));
    if (level === -1) continue;
    const units = v.attrs["units"];
    if (typeof units !== "string")
      throw new DataError(
        dataset.source,
        `'${v.name}' states no units, and a model of fixed channels cannot guess them; state them with --units ${v.name}=${quantity.units}`,
      );
    return { variable: v, level, ...toCanonical(quantity, units) };
  }
  return undefined;
}
