/**
 * Downscaling architectures by name: functions that turn maps on the fine grid (interpolated predictors, statics, the cell's
 * place in its coarse cell) into maps on the fine grid. None of them normalises over a whole map, and all but `patterns` see
 * only so far: so a large grid is done in overlapping tiles, and the tiles' insides are what the whole would have given.
 */
import type { Scope } from "../engine/parameters.js";
import type { Tensor } from "../graph/graph.js";
import { edsr } from "./downscale-edsr.js";
import { patterns } from "./downscale-patterns.js";
import { unetDown } from "./downscale-unet.js";
import { windowVit } from "./downscale-vit.js";
import { type AnyArchitecture, type ModelConfig, resolveIn } from "./index.js";
import type { Dropout } from "./model.js";

export interface DownscaleInputs {
  /** Normalised maps on the fine grid [batch, field, row, column]. */
  readonly fields: Tensor;
  /** Season and hour [batch, condition]. */
  readonly condition: Tensor;
  /** The whole coarse predictors, normalised [batch, predictor, row, column]; made an input where asked for. */
  readonly context: () => Tensor;
  /** How many maps to give back. */
  readonly channels: number;
  readonly dropout?: Dropout;
}

export interface DownscaleArchitecture<Config> {
  readonly name: string;
  readonly defaults: Config;
  check(config: Config): string | undefined;
  /** Cells around a cell that its value depends on; infinite where it depends on the whole domain, which then cannot be tiled. */
  reach(config: Config): number;
  /** Tiles begin at multiples of this many cells. */
  stride(config: Config): number;
  /** Normalised maps [batch, channels, row, column]; zero before training. */
  write(p: Scope, inputs: DownscaleInputs, config: Config): Tensor;
}

type AnyDownscale = Omit<DownscaleArchitecture<never>, "defaults"> & Pick<AnyArchitecture, "defaults">;

const table = { unet: unetDown, edsr, vit: windowVit, patterns } as unknown as Readonly<Record<string, AnyDownscale>>;

/** The downscaling architecture that a configuration names, its settings complete and checked. */
export const resolveDownscale = (config: ModelConfig): { architecture: AnyDownscale; settings: never } =>
  resolveIn(table, config);
