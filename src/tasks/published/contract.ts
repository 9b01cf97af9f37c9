/**
 * What a published global model is: channels in its order, states it starts from, and how its files are stepped. Their files are
 * downloaded by the user from their authors; Foehn runs them as they are.
 *
 * Signatures, orders and schedules follow the authors' inference code (repositories 198808xc/Pangu-Weather, tpys/FuXi and
 * OpenEarthLab/FengWu).
 */
import type { NdArray } from "../../tensor/ndarray.js";

/** One state, [channel, latitude, longitude] in the model's channel order; latitudes from 90 down to -90, longitudes from 0 on. */
export type State = Float32Array;

export interface PublishedGrid {
  readonly latitudes: number;
  readonly longitudes: number;
}

/** A loaded file: inputs by name to outputs by name, in the file's order. */
export interface GraphSession {
  run(feeds: Readonly<Record<string, NdArray>>): Promise<Record<string, NdArray>>;
}

export interface Stepping {
  readonly grid: PublishedGrid;
  /** Oldest first, as many as `history`, six hours apart. */
  readonly states: readonly State[];
  /** Of the newest state, milliseconds. */
  readonly time: number;
  /** Longest lead in hours. */
  readonly maxLead: number;
  /** Which of `files` are there. */
  readonly available: ReadonlySet<string>;
  /** The session of one of `files`; only those that are needed are asked for. Throws where it is not there. */
  readonly session: (file: string) => Promise<GraphSession>;
  /** Reads one of `tables` (FengWu's means and deviations). */
  readonly table: (file: string) => Promise<Float32Array>;
}

export interface PublishedModel {
  readonly name: string;
  /** Shown before anything is run. */
  readonly licence: string;
  readonly source: string;
  /** ONNX files that may be asked for, as their authors name them. */
  readonly files: readonly string[];
  readonly tables: readonly string[];
  /** Catalogue names, `geopotential@500` for one level, in the model's order and the catalogue's units, but for `scale`. */
  readonly channels: readonly string[];
  /** Factor from the catalogue's units to the model's, of channels where they differ. */
  readonly scale: Readonly<Record<string, number>>;
  /** Channels that are zero where the data has none. */
  readonly optional: readonly string[];
  readonly history: 1 | 2;
  /** States at every lead the model makes, in order. */
  forecast(options: Stepping): AsyncGenerator<{ readonly lead: number; readonly state: State }>;
}

/** Channels of several variables on several levels: all levels of the first, then of the second, ... */
export const onLevels = (variables: readonly string[], levels: readonly number[]): string[] =>
  variables.flatMap((name) => levels.map((level) => `${name}@${level}`));

export const LEVELS_13 = [50, 100, 150, 200, 250, 300, 400, 500, 600, 700, 850, 925, 1000] as const;
