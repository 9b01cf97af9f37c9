/** Between which rows and columns of a grid a place lies. */
import { type Grid, isPeriodic, type RectilinearGrid } from "./grid.js";

/** The rows or columns on either side of a coordinate, and how far it lies towards the second. */
export interface Bracket {
  low: number;
  high: number;
  share: number;
}

/** Finds `value` in rising or falling values by bisection; undefined outside them. */
export function bracket(values: Float64Array, value: number): Bracket | undefined {
  const n = values.length;
  const sign = n > 1 && values[1] < values[0] ? -1 : 1;
  const slack = 1e-9;
  if ((value - values[0]) * sign < -slack || (value - values[n - 1]) * sign > slack) return undefined;
  let low = 0;
  let high = n - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if ((value - values[middle]) * sign >= 0) low = middle;
    else high = middle;
  }
  const gap = values[high] - values[low];
  return { low, high, share: gap === 0 ? 0 : Math.min(1, Math.max(0, (value - values[low]) / gap)) };
}

/** The same among longitudes, around the globe where the grid goes around. */
export function longitudeBracket(grid: RectilinearGrid, longitude: number): Bracket | undefined {
  const { longitudes } = grid;
  const n = longitudes.length;
  const least = Math.min(longitudes[0], longitudes[n - 1]);
  const turned = least + ((((longitude - least) % 360) + 360) % 360);
  const inside = bracket(longitudes, turned) ?? bracket(longitudes, turned - 360);
  if (inside) return inside;
  if (!isPeriodic(grid)) return undefined;
  // across the seam, from the easternmost column to the westernmost
  const rising = longitudes[n - 1] > longitudes[0];
  const [east, west] = rising ? [n - 1, 0] : [0, n - 1];
  const gap = longitudes[west] + 360 - longitudes[east];
  return { low: east, high: west, share: (turned - longitudes[east]) / gap };
}

/** A target's points, each as latitude and longitude. */
export function* targetPoints(grid: Grid): Generator<[latitude: number, longitude: number]> {
  if (grid.kind !== "rectilinear")
    for (let i = 0; i < grid.latitudes.length; i++) yield [grid.latitudes[i], grid.longitudes[i]];
  else for (const latitude of grid.latitudes) for (const longitude of grid.longitudes) yield [latitude, longitude];
}
