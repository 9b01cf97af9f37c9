/**
 * From a grid to stations: interpolation and height.
 *
 *     const at = interpolateToStations(field, grid, stations, { method: "bilinear" });
 */
import { applyWeights, points, rectilinear, type RegridWeights, regridWeights } from "../earth/regrid/index.js";

export interface Station {
  readonly id: string;
  readonly latitude: number;
  readonly longitude: number;
  /** Metres above the sea. */
  readonly elevation?: number;
}

export interface LatLonGrid {
  readonly latitudes: ArrayLike<number>;
  readonly longitudes: ArrayLike<number>;
}

export type StationMethod = "nearest" | "bilinear";

/** Outside a regional grid `bilinear` gives NaN, `nearest` the value at its rim. */
export const stationWeights = (
  { latitudes, longitudes }: LatLonGrid,
  stations: readonly Station[],
  method: StationMethod,
): RegridWeights => {
  const places = points(
    stations.map((s) => s.latitude),
    stations.map((s) => s.longitude),
  );
  return regridWeights(rectilinear(latitudes, longitudes), places, method);
};

/** A field [latitude, longitude] at the stations. For many fields make the weights once (`stationWeights`). */
export function interpolateToStations(
  field: Float32Array | Float64Array,
  grid: LatLonGrid,
  stations: readonly Station[],
  options: { method?: StationMethod } = {},
): Float32Array | Float64Array {
  const { method = "bilinear" } = options;
  return applyWeights(stationWeights(grid, stations, method), field);
}

/** The standard atmosphere's fall of temperature with height, K/m. */
export const LAPSE_RATE = 0.0065;

/**
 * A temperature brought from the model's height to the station's: T + rate (model - station). Stations whose height is not known stay
 * as they are.
 */
export const correctForElevation = (
  temperatures: ArrayLike<number>,
  modelElevations: ArrayLike<number>,
  stations: readonly Station[],
  options: { lapseRate?: number } = {},
): Float64Array => {
  const { lapseRate = LAPSE_RATE } = options;
  return Float64Array.from(stations, ({ elevation }, i) =>
    elevation === undefined ? temperatures[i] : temperatures[i] + lapseRate * (modelElevations[i] - elevation),
  );
};
