/**
 * Centres of HEALPix pixels in ring or nested order. Gorski et al. 2005 (ApJ 622, 759), sections 4.1 and 5.3. GRIB's
 * template 3.150 gives the longitude of the first rhomboid's centre, which is 45 degrees in the standard grid.
 */
import type { Grid } from "./grid.js";

const DEGREES = 180 / Math.PI;

export function healpixCoordinates(grid: Extract<Grid, { kind: "healpix" }>): {
  latitude: Float64Array;
  longitude: Float64Array;
} {
  const { nside, nested, points } = grid;
  const shift = grid.firstLongitude - 45;
  const latitude = new Float64Array(points);
  const longitude = new Float64Array(points);
  /** Pixel `i` of ring `ring`, both from 1 on (equations 2 to 9). */
  const put = (pixel: number, ring: number, i: number): void => {
    const south = ring > 2 * nside;
    const mirrored = south ? 4 * nside - ring : ring;
    const polar = mirrored < nside;
    const z = polar ? 1 - mirrored ** 2 / (3 * nside ** 2) : 4 / 3 - (2 * mirrored) / (3 * nside);
    const perQuarter = polar ? mirrored : nside;
    // Of two rings about the equator one begins at 0 degrees: the published s is off by one half there.
    const offset = polar ? 0.5 : (1 + ((ring + nside) % 2)) / 2;
    latitude[pixel] = Math.asin(south ? -z : z) * DEGREES;
    longitude[pixel] = ((((90 * (i - offset)) / perQuarter + shift) % 360) + 360) % 360;
  };
  if (!nested) {
    let pixel = 0;
    for (let ring = 1; ring < 4 * nside; ring++) {
      const count = 4 * Math.min(ring, nside, 4 * nside - ring);
      for (let i = 1; i <= count; i++) put(pixel++, ring, i);
    }
    return { latitude, longitude };
  }
  const perFace = nside * nside;
  for (let pixel = 0; pixel < points; pixel++) {
    const face = Math.floor(pixel / perFace);
    const inFace = pixel % perFace;
    const [x, y] = [everySecondBit(inFace), everySecondBit(Math.floor(inFace / 2))];
    const row = Math.floor(face / 4); // of base pixels: north, equator, south
    // Ring and place in the ring (equations 10 to 13, with F1 = row + 2 and F2).
    const ring = (row + 2) * nside - x - y - 1;
    const f2 = row === 1 ? 2 * (face % 4) : 2 * (face % 4) + 1;
    const polar = ring < nside || ring > 3 * nside;
    const perQuarter = polar ? (ring < nside ? ring : 4 * nside - ring) : nside;
    const odd = polar ? 1 : 1 + ((ring + nside) % 2);
    let i = Math.floor((f2 * perQuarter + x - y + odd) / 2);
    if (i < 1) i += 4 * perQuarter;
    put(pixel, ring, i);
  }
  return { latitude, longitude };
}

/** Bits 0, 2, 4, ... of a number, moved together. */
function everySecondBit(value: number): number {
  let out = 0;
  for (let bit = 1, rest = value; rest > 0; rest = Math.floor(rest / 4), bit *= 2) if (rest % 2 === 1) out += bit;
  return out;
}
