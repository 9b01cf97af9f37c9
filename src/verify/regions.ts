/**
 * Regions that scores are given for, by WeatherBench 2's names (`regions.py` and its documentation): boxes whose edges belong to
 * them; `all` is the whole grid. `land` and `sea` are told by the data's mask or Natural Earth's coasts, `europe+land` is both, and a
 * box of one's own is `alps=44/48/5/17` (south/north/west/east).
 */
import { nearest, UsageError } from "../errors.js";
import { landMask } from "./land.js";

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

/** Where cells lie. */
export interface Places {
  readonly latitudes: ArrayLike<number>;
  readonly longitudes: ArrayLike<number>;
  /** Stations: a latitude and a longitude each, instead of rows and columns. */
  readonly scattered?: boolean;
  /** 1 on land, by cell; Natural Earth's where absent. */
  readonly land?: () => Uint8Array;
}

/** The name of a region as rows give it: what stands before `=` of a box. */
export const regionName = (spec: string): string => spec.split("=")[0];

/**
 * A weight for each cell [latitude, longitude] (or station): the row's weight inside the region, 0 outside.
 * Throws where the region is unknown or the grid has no cell in it.
 */
export function regionWeights(spec: string, places: Places, rowWeights: ArrayLike<number>): Float64Array {
  const { latitudes, longitudes, scattered = false } = places;
  const columns = scattered ? 1 : longitudes.length;
  const count = latitudes.length * columns;
  const longitudeOf = (i: number) => longitudes[scattered ? i : i % columns];
  const weights = Float64Array.from({ length: count }, (_, i) => rowWeights[Math.floor(i / columns)]);
  for (const part of spec.includes("=") ? [spec] : spec.split("+")) {
    if (part === "land" || part === "sea") {
      const land = places.land?.() ?? landMask(latitudes, longitudes, { scattered });
      for (let i = 0; i < count; i++) if (land[i] !== Number(part === "land")) weights[i] = 0;
      continue;
    }
    const box = part.includes("=") ? boxOf(part) : namedBox(part);
    for (let i = 0; i < count; i++)
      if (!inside(box, latitudes[Math.floor(i / columns)], longitudeOf(i))) weights[i] = 0;
  }
  if (weights.every((w) => w === 0))
    throw new UsageError(
      `${scattered ? "no station lies" : `the grid (latitudes ${latitudes[0]} to ${latitudes[latitudes.length - 1]}, longitudes ${longitudes[0]} to ${longitudes[longitudes.length - 1]}) has no cell`} in the region '${regionName(spec)}'; leave that region out`,
    );
  return weights;
}

const east = (longitude: number) => ((longitude % 360) + 360) % 360;

function inside({ latitudes, longitudes }: Box, latitude: number, longitude: number): boolean {
  if (!latitudes.some(([south, north]) => latitude >= south && latitude <= north)) return false;
  if (!longitudes) return true;
  const [west, to] = longitudes;
  return east(longitude - west) <= east(to - west);
}

function boxOf(spec: string): Box {
  const [, text] = spec.split("=");
  const numbers = text.split("/").map(Number);
  const [south, north, west, to] = numbers;
  if (numbers.length !== 4 || numbers.some(Number.isNaN) || text.includes("//") || !(south <= north))
    throw new UsageError(
      `the region '${spec}' is no box; write it as name=south/north/west/east, such as alps=44/48/5/17`,
    );
  return { latitudes: [[south, north]], longitudes: [west, to] };
}

function namedBox(name: string): Box {
  const box = REGIONS[name];
  if (box) return box;
  const known = [...Object.keys(REGIONS), "land", "sea"];
  const near = nearest(name, known);
  throw new UsageError(
    `there is no region '${name}'${near ? `; did you mean '${near}'?` : "."} Known are ${known.join(", ")}, europe+land and boxes such as alps=44/48/5/17`,
  );
}
