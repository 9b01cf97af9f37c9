/**
 * What every model of the hierarchy is to those who run it: it steps, tells its fields, is saved and restored.
 */
import type { SphericalTransform } from "./transform.js";

/** Named arrays from which a run goes on bit for bit. */
export interface Saved {
  readonly steps: number;
  readonly arrays: Readonly<Record<string, Float64Array>>;
  /** Output times that `simulate` had handed out when it saved this: it goes on with the next. */
  readonly outputs?: number;
}

export interface Atmosphere {
  readonly transform: SphericalTransform;
  readonly stepSeconds: number;
  /** What stands still, [latitude][longitude]: the ground's geopotential (J/kg) and the share of land (0 to 1), where there are any. */
  readonly surfaceGeopotential?: Float64Array;
  readonly land?: Float64Array;
  /** Steps done. */
  readonly steps: number;
  step(): void;
  /** Fields by name: [level][latitude][longitude] on pressure levels, else [latitude][longitude]. Reading them empties the rain gauge. */
  fields(names: readonly string[], pressureLevels: readonly number[]): Record<string, Float32Array>;
  save(): Saved;
  restore(saved: Saved): void;
  /** Seconds in transforms and altogether. */
  readonly timing: { readonly transforms: number; readonly total: number };
  readonly fastest: number;
}
