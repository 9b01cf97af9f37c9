/**
 * The grids of GRIB: what the grid section of either edition says, in degrees and metres, before any coordinate is
 * computed (`coordinates.ts` does that). Sources: WMO Manual on Codes, FM 92 GRIB-1 tables D, GRIB-2 templates 3.x.
 */

/** Flag table 3.4 (8 in edition 1): the order in which points follow each other. */
export interface Scanning {
  /** Rows run from east to west. */
  readonly iNegative: boolean;
  /** Rows follow each other from south to north. */
  readonly jPositive: boolean;
  /** Points along a meridian follow each other: the grid is stored column by column. */
  readonly jConsecutive: boolean;
  /** Every second row (or column) runs backwards. */
  readonly alternating: boolean;
}

export const scanningOf = (flags: number): Scanning => ({
  iNegative: (flags & 0x80) !== 0,
  jPositive: (flags & 0x40) !== 0,
  jConsecutive: (flags & 0x20) !== 0,
  alternating: (flags & 0x10) !== 0,
});

/** Semi-axes in metres; equal on a sphere. */
export interface EarthShape {
  readonly major: number;
  readonly minor: number;
}

/** Where the south pole of a rotated grid lies, and the rotation about the new axis, in degrees. */
export interface Rotation {
  readonly latitude: number;
  readonly longitude: number;
  readonly angle: number;
}

interface Common {
  /** ecCodes' name of the kind of grid. */
  readonly type: string;
  /** Grid points, present or missing; coefficients of a spectral field count twice. */
  readonly points: number;
  /** The same text for the same grid. */
  readonly key: string;
  readonly scanning: Scanning;
}

/** First and last point, in degrees as in the file. */
interface Corners {
  readonly firstLatitude: number;
  readonly firstLongitude: number;
  readonly lastLatitude: number;
  readonly lastLongitude: number;
}

export type Grid =
  | (Common &
      Corners & { readonly kind: "latlon"; readonly ni: number; readonly nj: number; readonly rotation?: Rotation })
  | (Common &
      Corners & {
        readonly kind: "gaussian";
        readonly ni: number;
        readonly nj: number;
        /** Parallels between a pole and the equator. */
        readonly n: number;
        readonly rotation?: Rotation;
      })
  | (Common &
      Corners & {
        readonly kind: "reduced";
        /** Points along each parallel, were it a whole circle. */
        readonly pl: readonly number[];
        /** Of a reduced Gaussian grid; undefined on a reduced lat-lon one. */
        readonly n?: number;
        readonly rotation?: Rotation;
      })
  | (Common & {
      readonly kind: "projected";
      readonly projection: "lambert" | "polar" | "mercator";
      readonly ni: number;
      readonly nj: number;
      readonly firstLatitude: number;
      readonly firstLongitude: number;
      readonly dx: number;
      readonly dy: number;
      /** Where dx and dy hold, in degrees. */
      readonly trueLatitude: number;
      /** The meridian parallel to the y axis (Lambert, polar), or the angle of the grid (Mercator), in degrees. */
      readonly orientation: number;
      readonly parallels: readonly [number, number];
      readonly southPole: boolean;
      readonly earth: EarthShape;
    })
  | (Common & {
      readonly kind: "healpix";
      readonly nside: number;
      readonly nested: boolean;
      readonly firstLongitude: number;
    })
  | (Common & { readonly kind: "spectral"; readonly j: number; readonly k: number; readonly m: number })
  /** A grid whose values can be read but whose coordinates are not computed; `reason` says why. */
  | (Common & { readonly kind: "other"; readonly reason: string });

/** Rows and columns of the grid, or nothing where it has none. */
export const gridShape = (grid: Grid): readonly [nj: number, ni: number] | undefined =>
  "ni" in grid ? [grid.nj, grid.ni] : undefined;

/** A short name of a section's bytes (FNV-1a, twice 32 bits), to tell grids apart. */
export function fingerprint(bytes: Uint8Array): string {
  let a = 0x811c9dc5;
  let b = 0x01000193;
  for (const byte of bytes) {
    a = Math.imul(a ^ byte, 0x01000193);
    b = Math.imul(b + byte, 0x85ebca6b) ^ (b >>> 13);
  }
  return (a >>> 0).toString(16) + (b >>> 0).toString(16) + bytes.length.toString(16);
}
