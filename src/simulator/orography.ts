/**
 * Idealised mountains: a few elliptic Gaussians where Earth has its great ranges, so that stationary waves and storm tracks find
 * their places. Heights in metres on the model's grid.
 */
import { UsageError } from "../errors.js";
import type { SphericalTransform } from "./transform.js";

interface Mountain {
  readonly latitude: number;
  readonly longitude: number;
  /** m. */
  readonly height: number;
  /** Half widths at exp(-1) of the height, degrees north-south and (of a great circle) east-west. */
  readonly north: number;
  readonly east: number;
}

const MOUNTAINS: readonly Mountain[] = [
  { latitude: 34, longitude: 88, height: 3800, north: 9, east: 18 }, // Tibet
  { latitude: 44, longitude: 250, height: 1800, north: 14, east: 10 }, // Rocky Mountains
  { latitude: -22, longitude: 292, height: 2000, north: 18, east: 5 }, // Andes
  { latitude: 73, longitude: 320, height: 2300, north: 8, east: 8 }, // Greenland
  { latitude: -82, longitude: 80, height: 3000, north: 11, east: 16 }, // Antarctica
  { latitude: 8, longitude: 38, height: 900, north: 12, east: 8 }, // East Africa
];

/** Heights (m) of the idealised mountains, [latitude][longitude]. */
export function idealisedOrography(transform: SphericalTransform): Float64Array {
  const { latitudes, longitudes, nlat, nlon } = transform;
  const out = new Float64Array(nlat * nlon);
  for (const { latitude, longitude, height, north, east } of MOUNTAINS)
    for (let j = 0; j < nlat; j++)
      for (let i = 0; i < nlon; i++) {
        const dy = latitudes[j] - latitude;
        const around = ((longitudes[i] - longitude + 540) % 360) - 180;
        const dx = around * Math.cos((latitudes[j] * Math.PI) / 180);
        out[j * nlon + i] += height * Math.exp(-((dy / north) ** 2) - (dx / east) ** 2);
      }
  return out;
}

/** South, north, west and east edges of the idealised continents, degrees. */
const CONTINENTS: readonly (readonly [number, number, number, number])[] = [
  [35, 70, -8, 140], // Europe and northern Asia
  [10, 35, 68, 118], // southern Asia
  [-33, 33, -15, 45], // Africa and Arabia
  [28, 70, 235, 295], // North America
  [-50, 8, 285, 322], // South America
  [-37, -15, 115, 152], // Australia
  [62, 82, 305, 335], // Greenland
  [-90, -69, 0, 360], // Antarctica
];

/** Land (1) and sea (0) of the idealised continents, [latitude][longitude]. */
export function idealisedLand(transform: SphericalTransform): Float64Array {
  const { latitudes, longitudes, nlat, nlon } = transform;
  const out = new Float64Array(nlat * nlon);
  for (const [south, north, west, east] of CONTINENTS)
    for (let j = 0; j < nlat; j++)
      for (let i = 0; i < nlon; i++) {
        const around = (longitudes[i] - west + 720) % 360;
        if (latitudes[j] >= south && latitudes[j] <= north && around <= east - west) out[j * nlon + i] = 1;
      }
  return out;
}

/** Shares of land that a configuration asks for, checked against the grid. */
export function landOn(transform: SphericalTransform, wanted: "none" | "idealised" | Float64Array): Float64Array {
  if (wanted === "none") return new Float64Array(transform.points);
  if (wanted === "idealised") return idealisedLand(transform);
  onThisGrid(transform, wanted, "land", "shares");
  const bad = wanted.findIndex((share) => !(share >= 0 && share <= 1));
  if (bad >= 0) throw new UsageError(`the land holds ${wanted[bad]} at point ${bad}: give shares from 0 (sea) to 1`);
  return wanted;
}

function onThisGrid(
  { nlat, nlon, truncation, points }: SphericalTransform,
  values: Float64Array,
  what: string,
  unit: string,
): void {
  if (values.length !== points)
    throw new UsageError(
      `the ${what} has ${values.length} ${unit}, but T${truncation} lives on ${nlat} Gaussian latitudes x ${nlon} longitudes (${points}): regrid it to that grid first`,
    );
}

/** Heights (m) that a configuration asks for, checked against the grid; undefined for a smooth planet. */
export function orographyOn(
  transform: SphericalTransform,
  wanted: "none" | "idealised" | Float64Array,
): Float64Array | undefined {
  if (wanted === "none") return undefined;
  if (wanted === "idealised") return idealisedOrography(transform);
  onThisGrid(transform, wanted, "orography", "heights");
  const bad = wanted.findIndex((h) => !(h >= -500 && h <= 9000));
  if (bad >= 0)
    throw new UsageError(
      `the orography holds ${wanted[bad]} m at point ${bad}: give heights in metres between -500 and 9000`,
    );
  return wanted;
}
