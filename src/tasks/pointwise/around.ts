/** The gridded departures at the stations, interpolated: what a linear model begins with, and what a query knows of its place. */
import { applyWeights, points, rectilinear, regridWeights } from "../../earth/regrid/index.js";
import type { Departures } from "../forecast/samples.js";
import type { Normaliser } from "../forecast/normaliser.js";
import type { Places } from "./data.js";

/** [channel, station] at an index of the grid's times: bilinear; the nearest point's where a station lies outside a regional grid. */
export function aroundStations(
  grid: Departures,
  { latitudes, longitudes }: Pick<Normaliser, "latitudes" | "longitudes">,
  places: Places,
): (index: number) => Float32Array {
  const from = rectilinear(latitudes, longitudes);
  const to = points(places.latitudes, places.longitudes);
  const bilinear = regridWeights(from, to, "bilinear");
  const inside = applyWeights(bilinear, new Float32Array(latitudes.length * longitudes.length));
  const weights = inside.every((v) => v === 0) ? bilinear : regridWeights(from, to, "nearest");
  const known = new Map<number, Float32Array>();
  return (index) => {
    const before = known.get(index) ?? applyWeights(weights, grid.at(index));
    known.set(index, before);
    return before;
  };
}
