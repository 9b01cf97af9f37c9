/**
 * What one GRIB field says of itself before any value is decoded: which parameter, when, where, of which member, and how
 * its values are packed. Both editions end in this one description; `read-grib1.ts` and `read-grib2.ts` make it.
 */
import type { Scaling } from "./bits.js";
import type { Grid } from "./grid.js";
import type { Level } from "./levels.js";

/** Edition 1 counts parameters within a table of a centre, edition 2 within a discipline and category. */
export type ParameterKey =
  | { readonly edition: 1; readonly centre: number; readonly table: number; readonly number: number }
  | {
      readonly edition: 2;
      readonly centre: number;
      readonly discipline: number;
      readonly category: number;
      readonly number: number;
    };

/** ecCodes' names of what was done over the step's interval; `instant` for none. */
export type StepType = string;

export interface Step {
  /** From the reference time to the interval's begin and end, in milliseconds; equal where the field is instantaneous. */
  readonly start: number;
  readonly end: number;
  readonly type: StepType;
}

export interface Ensemble {
  /** The perturbation's number. */
  readonly member: number;
  /** How many members the centre ran; 0 where it does not say. */
  readonly size: number;
  /** Code table 4.6, edition 2 only. */
  readonly type?: number;
}

/** A range of bytes in the source. */
export interface ByteRange {
  readonly offset: number;
  readonly length: number;
}

/** How values are packed: one entry a data representation template. `bits` is the width of a packed value. */
export type Packing =
  | { readonly kind: "simple"; readonly bits: number; readonly scaling: Scaling }
  | { readonly kind: "log"; readonly bits: number; readonly scaling: Scaling; readonly bias: number }
  | { readonly kind: "ieee"; readonly bits: 32 | 64 }
  | {
      readonly kind: "complex";
      readonly bits: number;
      readonly scaling: Scaling;
      readonly groups: number;
      readonly widthReference: number;
      readonly widthBits: number;
      readonly lengthReference: number;
      readonly lengthIncrement: number;
      readonly lastLength: number;
      readonly lengthBits: number;
      /** 0 none, 1 primary, 2 primary and secondary missing values among the packed ones. */
      readonly missing: number;
      /** Spatial differencing: 0 (template 5.2), 1 or 2 (5.3), and how many octets its extra descriptors take. */
      readonly order: number;
      readonly orderOctets: number;
    }
  /** Of edition 1: all but the decimal scale stands in the data section. */
  | { readonly kind: "second-order-1"; readonly decimalScale: number }
  | {
      readonly kind: "second-order-2";
      readonly scaling: Scaling;
      readonly bits: number;
      readonly groups: number;
      readonly firstOrderBits: number;
      readonly widthBits: number;
      readonly lengthBits: number;
      readonly order: number;
      readonly spd: readonly number[];
    }
  | { readonly kind: "jpeg2000"; readonly bits: number; readonly scaling: Scaling }
  | { readonly kind: "png"; readonly bits: number; readonly scaling: Scaling }
  | {
      readonly kind: "ccsds";
      readonly bits: number;
      readonly scaling: Scaling;
      readonly flags: number;
      readonly blockSize: number;
      readonly interval: number;
    }
  | {
      readonly kind: "run-length";
      readonly bits: number;
      readonly maxLevel: number;
      readonly levels: readonly number[];
    }
  | { readonly kind: "spectral-simple"; readonly bits: number; readonly scaling: Scaling; readonly mean: number }
  | {
      readonly kind: "spectral-complex";
      readonly bits: number;
      readonly scaling: Scaling;
      readonly laplacian: number;
      readonly subset: number;
      readonly floats: "ibm32" | "ieee32" | "ieee64";
    }
  | { readonly kind: "refused"; readonly reason: string };

export interface GribField {
  readonly edition: 1 | 2;
  /** The message that holds the field; several fields may share one in edition 2. */
  readonly message: ByteRange;
  /** Code table 0 / C-1, and C-12. */
  readonly centre: number;
  readonly subCentre: number;
  readonly parameter: ParameterKey;
  /** The reference time in milliseconds since 1970; NaN where the message has none that exists. */
  readonly time: number;
  readonly step: Step;
  readonly level: Level;
  readonly ensemble?: Ensemble;
  /** Further keys that tell fields apart: wave direction and frequency, wavelength, probability, percentile. */
  readonly extra: Readonly<Record<string, number>>;
  readonly grid: Grid;
  readonly packing: Packing;
  /** Values that are packed, where the header says it (edition 2); else as many as the bitmap marks. */
  readonly packedCount?: number;
  readonly bitmap?: ByteRange;
  readonly data: ByteRange;
}
