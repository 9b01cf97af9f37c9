/**
 * Regions that scores are given for, by WeatherBench 2's names (`regions.py` and its documentation): boxes whose edges belong to
 * them. `all` is the whole grid.
 */
import { nearest, UsageError } from "../errors.js";

interface Box {
  /** Any of these bands of latitude, degrees. */
  readonly latitudes: readonly (readonly [number, number])[];
  /** From west to east, degrees in 0..360; may pass through 0. Absent: all. */
  readonly longitudes?: readonly [number, number];
}

export const REGIONS: Readonly<Record<string, Box>> = {
  all: { latitudes: [[-90, 90]] },
  tropics: { latitudes: [[-20, 20]] },
  "extra-tropics": {
    latitudes: [
      [-90, -20],
      [20, 90],
    ],
  },
  "northern-hemisphere": { latitudes: [[20, 90]] },
  "southern-hemisphere": { latitudes: [[-90, -20]] },
  europe: { latitudes: [[35, 75]], longitudes: [347.5, 42.5] },
  "north-america": { latitudes: [[25, 60]], longitudes: [240, 285] },
  "north-atlantic": { latitudes: [[25, 65]], longitudes: [290, 350] },
  "north-pacific": { latitudes: [[25, 60]], longitudes: [145, 230] },
  "east-asia": { latitudes: [[25, 60]], longitudes: [102.5, 150] },
  ausnz: { latitudes: [[-45, -12.5]], longitudes: [120, 175] },
  arctic: { latitudes: [[60, 90]] },
  antarctic: { latitudes: [[-90, -60]] },
};

/**
 * A weight for each cell [latitude, longitude]: the row's weight inside the region, 0 outside.
 * Throws where the region is unknown or the grid has no cell in it.
 */
export function regionWeights(
  name: string,
  latitudes: ArrayLike<number>,
  longitudes: ArrayLike<number>,
  rowWeights: ArrayLike<number>,
): Float64Array {
  const box = REGIONS[name];
  if (!box) {
    const near = nearest(name, Object.keys(REGIONS));
    throw new UsageError(
      `there is no region '${name}'${near ? `; did you mean '${near}'?` : ""} Known are ${Object.keys(REGIONS).join(", ")}`,
    );
  }
  const east = (longitude: number) => ((longitude % 360) + 360) % 360;
  const inLongitudes = (longitude: number): boolean => {
    if (!box.longitudes) return true;
    const [west, to] = box.longitudes;
    return east(longitude - west) <= east(to - west);
  };
  const columns = longitudes.length;
  const weights = new Float64Array(latitudes.length * columns);
  for (let i = 0; i < latitudes.length; i++)
    if (box.latitudes.some(([south, north]) => latitudes[i] >= south && latitudes[i] <= north))
      for (let j = 0; j < columns; j++) if (inLongitudes(longitudes[j])) weights[i * columns + j] = rowWeights[i];
  if (weights.every((w) => w === 0))
    throw new UsageError(
      `the grid (latitudes ${latitudes[0]} to ${latitudes[latitudes.length - 1]}, longitudes ${longitudes[0]} to ${longitudes[columns - 1]}) has no cell in the region '${name}'; leave that region out`,
    );
  return weights;
}
