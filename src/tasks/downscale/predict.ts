/**
 * Fine fields from a trained model: whole grids, or tile by tile in bounded memory. Tiles overlap by as much as the network
 * sees, and begin where its halvings do, so that their insides are what the whole grid would have given.
 *
 *     const predictor = await createPredictor(runtime, model, setting);
 *     for (const tile of predictor.tiles(128)) {
 *       const [fields] = await predictor.predict(tile, [coarse], [time]);
 *     }
 */
import type { Parameters } from "../../engine/parameters.js";
import type { Runtime, Session } from "../../engine/runtime.js";
import { UsageError } from "../../errors.js";
import { resolveDownscale } from "../../models/downscale.js";
import type { Calibration } from "./calibration.js";
import { type Conserve, conservation, conserved } from "./conserve.js";
import { type DownscaleConfig, levelsOf } from "./config.js";
import { cellIndex, type Setting, sampleFeeds, type WindowFeatures, windowFeatures } from "./features.js";
import type { FieldGrid } from "./fields.js";
import type { Fitted } from "./fitted.js";
import { gammaQuantile, logGamma } from "./gamma.js";
import { downscaleModel } from "./network.js";
import { createRescaler, isInvertible } from "./rescale.js";
import { isAround, wholeOf, type Window } from "./places.js";

export interface DownscaleModel {
  readonly config: DownscaleConfig;
  readonly fitted: Fitted;
  /** Parameters of each network of the run. */
  readonly members: readonly Parameters[];
  /** How far the networks' corrections are believed; wholly where left out. */
  readonly calibration?: Calibration;
}

/** Fields of one time over a tile's inside. */
export interface FineFields {
  /** [target, row, column] */
  readonly mean: Float32Array;
  /** Of each level, [target, row, column]; none where the head is a mean. */
  readonly quantiles: readonly Float32Array[];
  /** Of more than `dryUpTo`, where the head tells it. */
  readonly probability?: Float32Array;
}

/** What is written, and the larger window that is computed for it. */
export interface Tile {
  readonly inside: Window;
  readonly window: Window;
}

export interface Predictor {
  /** Tiles of about `size` cells a side that cover the grid; one tile where left out. */
  tiles(size?: number): Tile[];
  /** Fields of several times over one tile. `coarse` [predictor, row, column] each. */
  predict(tile: Tile, coarse: readonly Float32Array[], times: readonly number[]): Promise<FineFields[]>;
  /** Of an invertible model: the coarse field that it makes of a fine one [row, column], rounded to its precision. */
  shrink?(fine: Float32Array): Promise<Float32Array>;
  close(): Promise<void>;
}

export async function createPredictor(runtime: Runtime, model: DownscaleModel, setting: Setting): Promise<Predictor> {
  const { config, fitted } = model;
  if (isInvertible(config)) return createRescaler(runtime, model);
  const conserve = config.downscale.conserve ? conservationOf(model, setting) : undefined;
  const sessions = new Map<string, Session[]>();
  const load = async (rows: number, columns: number): Promise<Session[]> => {
    const key = `${rows} x ${columns}`;
    const found = sessions.get(key);
    if (found) return found;
    const made: Session[] = [];
    for (const parameters of model.members)
      made.push(await runtime.load(downscaleModel(parameters, model, { batch: 1, rows, columns })));
    sessions.set(key, made);
    return made;
  };
  let last: WindowFeatures | undefined;
  return {
    tiles: (size) => tilesOf(model, setting.fine, size),
    async predict({ inside, window }, coarse, times) {
      if (conserve && (inside.rows < setting.fine.rows || inside.columns < setting.fine.columns))
        throw new UsageError("downscale.conserve needs the whole field at once; leave --tile out, or set it to false");
      const networks = await load(window.rows, window.columns);
      if (!last || !sameWindow(last.window, window)) last = windowFeatures(config, fitted, setting, window);
      // Cells that had no truth in training (sea, for a record of land) have no value
      const empty = emptyCells(config, fitted, inside);
      const out: FineFields[] = [];
      for (const [k, field] of coarse.entries()) {
        const feeds = sampleFeeds(config, fitted, [{ features: last, coarse: field, time: times[k] }]);
        const each: FineFields[] = [];
        for (const session of networks)
          each.push(fieldsOf(await session.run(feeds), config, fitted, inside, window, empty));
        const made = meanOf(each);
        out.push(conserve ? conserved(conserve, fitted, made, field) : made);
      }
      return out;
    },
    async close() {
      for (const each of sessions.values()) for (const session of each) await session.close();
    },
  };
}

/** Refuses what has no coarse field of its own to keep. */
function conservationOf({ fitted }: DownscaleModel, { coarse, fine }: Setting): Conserve {
  fitted.targets.forEach((target, v) => {
    const base = fitted.base[v];
    if (base < 0 || fitted.targetUnits[v] !== fitted.predictorUnits[base])
      throw new UsageError(
        `downscale.conserve: there is no coarse field of '${target}' in '${fitted.targetUnits[v]}' whose means could be kept; set it to false`,
      );
  });
  return conservation(coarse, fine);
}

const sameWindow = (a: Window, b: Window): boolean =>
  a.row === b.row && a.column === b.column && a.rows === b.rows && a.columns === b.columns;

/** Tiles whose windows begin at multiples of the stride and reach as far beyond the inside as the network sees. */
export function tilesOf({ config }: Pick<DownscaleModel, "config">, fine: FieldGrid, size?: number): Tile[] {
  const { architecture, settings } = resolveDownscale(config.model);
  const [reach, stride] = [architecture.reach(settings), architecture.stride(settings)];
  const around = isAround(fine);
  if (size === undefined && !around) return [{ inside: wholeOf(fine), window: wholeOf(fine) }];
  if (reach === Infinity) {
    if (size === undefined) return [{ inside: wholeOf(fine), window: wholeOf(fine) }];
    throw new UsageError("this model sees the whole domain at once, so it cannot be tiled; leave --tile out");
  }
  const halo = Math.ceil(reach / stride) * stride;
  const spans = (length: number, wraps: boolean) => {
    const step = Math.max(1, Math.ceil(Math.min(size ?? length, length) / stride)) * stride;
    return Array.from({ length: Math.ceil(length / step) }, (_, i) => {
      const [from, to] = [i * step, Math.min(length, (i + 1) * step)];
      return {
        from,
        to,
        start: wraps ? from - halo : Math.max(0, from - halo),
        end: wraps ? to + halo : Math.min(length, to + halo),
      };
    });
  };
  const columns = spans(fine.columns, around);
  return spans(fine.rows, false).flatMap((r) =>
    columns.map((c) => ({
      inside: { row: r.from, column: c.from, rows: r.to - r.from, columns: c.to - c.from },
      window: { row: r.start, column: c.start, rows: r.end - r.start, columns: c.end - c.start },
    })),
  );
}

/** By target and cell of a window, whether the training period never had a value there; undefined where that is not known. */
export function emptyCells(
  { downscale }: DownscaleConfig,
  { local, targets, grid }: Fitted,
  inside: Window,
): Uint8Array | undefined {
  if (!downscale.localClimate) return undefined;
  const cellOf = cellIndex(grid, inside);
  const cells = inside.rows * inside.columns;
  const out = new Uint8Array(targets.length * cells);
  for (let i = 0; i < out.length; i++)
    out[i] = Number(Number.isNaN(local[Math.floor(i / cells) * grid.rows * grid.columns + cellOf(i % cells)]));
  return out.includes(1) ? out : undefined;
}

/** One network's outputs over the inside of its window, as fields. */
function fieldsOf(
  outputs: Record<string, { data: unknown }>,
  config: DownscaleConfig,
  { targets, positive }: Fitted,
  inside: Window,
  window: Window,
  empty: Uint8Array | undefined,
): FineFields {
  const cells = inside.rows * inside.columns;
  const size = window.rows * window.columns;
  /** Maps `from` to `from` + targets of an output. */
  const cut = (name: string, from = 0): Float32Array => {
    const data = outputs[name].data as Float32Array;
    const out = new Float32Array(targets.length * cells);
    for (let v = 0; v < targets.length; v++)
      for (let r = 0; r < inside.rows; r++) {
        const start =
          (from + v) * size + (inside.row - window.row + r) * window.columns + inside.column - window.column;
        out.set(data.subarray(start, start + inside.columns), v * cells + r * inside.columns);
      }
    empty?.forEach((e, i) => e && (out[i] = NaN));
    return out;
  };
  const floor = (values: Float32Array): Float32Array => {
    for (let v = 0; v < targets.length; v++)
      if (positive[v]) for (let i = v * cells; i < (v + 1) * cells; i++) if (values[i] < 0) values[i] = 0;
    return values;
  };
  const levels = levelsOf(config);
  const mean = floor(cut("mean"));
  if (config.downscale.head === "mean") return { mean, quantiles: [] };
  if (config.downscale.head === "quantile")
    return { mean, quantiles: levels.map((_, q) => floor(cut("quantiles", q * targets.length))) };
  const [probability, shape, amount] = [cut("probability"), cut("shape"), cut("amount")];
  return { mean, quantiles: rainQuantiles(levels, probability, shape, amount), probability };
}

/** Quantiles of a law that is 0 with chance 1 - p and gamma else. */
export function rainQuantiles(
  levels: readonly number[],
  probability: Float32Array,
  shape: Float32Array,
  amount: Float32Array,
): Float32Array[] {
  const out = levels.map(() => new Float32Array(probability.length));
  for (let i = 0; i < probability.length; i++) {
    const [p, k] = [probability[i], shape[i]];
    if (p !== p) {
      for (const field of out) field[i] = NaN;
      continue;
    }
    const lgk = logGamma(k);
    levels.forEach((level, q) => {
      if (level > 1 - p) out[q][i] = (gammaQuantile(k, (level - 1 + p) / p, lgk) * amount[i]) / k;
    });
  }
  return out;
}

/** The networks' mean: of means and chances, and of quantiles level by level (Vincent 1912). */
function meanOf(each: readonly FineFields[]): FineFields {
  if (each.length === 1) return each[0];
  const mean = (fields: readonly Float32Array[]) =>
    fields[0].map((_, i) => fields.reduce((sum, f) => sum + f[i], 0) / fields.length);
  return {
    mean: mean(each.map((f) => f.mean)),
    quantiles: each[0].quantiles.map((_, q) => mean(each.map((f) => f.quantiles[q]))),
    ...(each[0].probability && { probability: mean(each.map((f) => f.probability!)) }),
  };
}
