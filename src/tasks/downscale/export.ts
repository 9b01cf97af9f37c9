/**
 * A downscaling run as one file for other programs, as `foehn export` writes it: the run's coarse grid (or, of a run that made its
 * fine fields coarse itself, any pair of factors) to its fine grid; of an invertible model either direction.
 */
import { UsageError } from "../../errors.js";
import { portableDownscaling } from "./portable.js";
import { coarsened } from "./places.js";
import type { DownscaleModel } from "./predict.js";
import { isInvertible, rescalingModels } from "./rescale.js";

export interface DownscaleExport {
  /** Fine rows and columns in a coarse cell; the run's first where left out. */
  readonly factors?: readonly [number, number];
  /** Of an invertible model: from fine to coarse. */
  readonly shrink?: boolean;
  readonly metadata?: Readonly<Record<string, string>>;
}

/** The bytes of the file, and a sentence of what it makes of what. */
export function downscaleFile(
  model: DownscaleModel,
  { factors, shrink = false, metadata = {} }: DownscaleExport,
): { bytes: Uint8Array; about: string } {
  const { config, fitted, members } = model;
  const { grid } = fitted;
  const fine = `${grid.rows} x ${grid.columns}`;
  if (isInvertible(config)) {
    if (factors) throw new UsageError("--factor: an invertible model has its own factors; leave it out");
    const files = rescalingModels(config, fitted, members[0], metadata);
    const { latitudes, longitudes } = fitted.coarse;
    const coarse = `${latitudes.length} x ${longitudes.length}`;
    return shrink
      ? { bytes: files.down, about: `${fine} cells to ${coarse}` }
      : { bytes: files.up, about: `${coarse} cells to ${fine}` };
  }
  if (shrink)
    throw new UsageError(`--shrink: the model '${config.model.name}' goes one way; only 'invertible' goes both`);
  if (factors && config.data.factors.length === 0)
    throw new UsageError("--factor: this run knows the grid of its data.coarse alone; leave it out");
  const coarse = factors ? coarsened(grid, ...factors) : { kind: "rectilinear" as const, ...fitted.coarse };
  const bytes = portableDownscaling(model, { coarse, fine: grid, mapValues: fitted.mapValues }, metadata);
  return { bytes, about: `${coarse.latitudes.length} x ${coarse.longitudes.length} cells to ${fine}` };
}
