/**
 * What a network is shown of a window of the fine grid: coarse predictors interpolated to its cells, and fixed maps: the
 * cell's place in its coarse cell and the scale factors (so that one network serves any), orography and masks, each cell's own
 * climate. The season and the hour come as a vector.
 */
import { dayOfYear, hourOfDay } from "../../earth/time.js";
import type { Calendar } from "../../earth/time.js";
import type { RectilinearGrid } from "../../earth/regrid/index.js";
import { float32, type NdArray } from "../../tensor/ndarray.js";
import type { DownscaleConfig } from "./config.js";
import type { FieldGrid } from "./fields.js";
import { type Fitted, LOCAL_MAPS, logBase } from "./fitted.js";
import { guessMaps } from "./heads.js";
import type { Regression } from "./regression.js";
import { interpolate, placesIn, type Places, scaleFactors, type Window } from "./places.js";

/** Rain that an interpolated amount of none stands for, so that its logarithm is finite. */
export const TRACE = 1e-3;

/** Numbers of the calendar vector: season (4), hour (4). */
export const CALENDAR = 8;

/** Fixed maps a network is shown. */
export const placeMaps = (config: DownscaleConfig, { maps, targets }: Fitted): number =>
  4 + maps.length + (config.downscale.localClimate ? LOCAL_MAPS * targets.length + 2 : 0);

/** From one coarse grid to one fine grid. */
export interface Setting {
  readonly coarse: RectilinearGrid;
  readonly fine: FieldGrid;
  /** [map, row, column], as read; on the fine grid. */
  readonly mapValues: Float32Array;
}

export interface WindowFeatures {
  readonly window: Window;
  readonly places: Places;
  /** [map, cell]. */
  readonly place: Float32Array;
  /** [guess map x target, cell], without what the base field adds. */
  readonly guess: Float32Array;
  /** Gain and centre of each target and cell, where the run has a regression. */
  readonly regression?: Regression;
}

/** The fixed part of a window's features. */
export function windowFeatures(
  config: DownscaleConfig,
  fitted: Fitted,
  setting: Setting,
  window: Window,
): WindowFeatures {
  const { fine, coarse } = setting;
  const places = placesIn(coarse, fine, window);
  const { cells } = places;
  const place = new Float32Array(placeMaps(config, fitted) * cells);
  place.set(places.offset);
  const [rows, columns] = scaleFactors(coarse, fine);
  place.fill(Math.log2(rows) / 2, 2 * cells, 3 * cells);
  place.fill(Math.log2(columns) / 2, 3 * cells, 4 * cells);
  const all = fine.rows * fine.columns;
  const cellOf = cellIndex(fine, window);
  let at = 4 * cells;
  fitted.maps.forEach((_, k) => {
    for (let i = 0; i < cells; i++)
      place[at + i] = finite((setting.mapValues[k * all + cellOf(i)] - fitted.mapMean[k]) / fitted.mapDeviation[k]);
    at += cells;
  });
  const targets = fitted.targets.length;
  const guess = new Float32Array(guessMaps(config) * targets * cells);
  const isRain = config.downscale.head === "bernoulli-gamma";
  for (let v = 0; v < targets; v++) {
    const { wet, mean } = fitted.rain[v];
    const global = isRain ? [Math.log(wet / (1 - wet)), Math.log(mean)] : [fitted.offset[v]];
    for (let m = 0; m < guessMaps(config); m++)
      for (let i = 0; i < cells; i++) {
        const own = config.downscale.localClimate ? fitted.local[(m * targets + v) * all + cellOf(i)] : NaN;
        guess[(m * targets + v) * cells + i] = own === own ? own : global[m];
      }
  }
  if (config.downscale.localClimate) {
    for (let m = 0; m < LOCAL_MAPS * targets; m++) {
      const v = m % targets;
      const scale = isRain ? 1 : fitted.scale[v];
      for (let i = 0; i < cells; i++) place[at + i] = finite(fitted.local[m * all + cellOf(i)] / scale);
      at += cells;
    }
    for (let i = 0; i < cells; i++) {
      const cell = cellOf(i);
      const [r, c] = [Math.floor(cell / fine.columns), cell % fine.columns];
      place[at + i] = (2 * r) / Math.max(1, fine.rows - 1) - 1;
      place[at + cells + i] = (2 * c) / Math.max(1, fine.columns - 1) - 1;
    }
  }
  const { regression } = fitted;
  const windowed = (values: Float32Array) =>
    Float32Array.from({ length: targets * cells }, (_, k) => values[Math.floor(k / cells) * all + cellOf(k % cells)]);
  return {
    window,
    places,
    place,
    guess,
    ...(regression && { regression: { gain: windowed(regression.gain), centre: windowed(regression.centre) } }),
  };
}

const finite = (x: number): number => (Number.isFinite(x) ? x : 0);

/** The cell of the whole grid that a window's cell is. */
export function cellIndex(fine: Pick<FieldGrid, "columns">, window: Window): (i: number) => number {
  return (i) => {
    const r = window.row + Math.floor(i / window.columns);
    const c = window.column + (i % window.columns);
    return r * fine.columns + (((c % fine.columns) + fine.columns) % fine.columns);
  };
}

/** Season and hour, two harmonics each. */
export function calendarOf(time: number, calendar: Calendar): number[] {
  const season = (2 * Math.PI * (dayOfYear(time, calendar) - 1)) / 365.25;
  const hour = (2 * Math.PI * hourOfDay(time)) / 24;
  return [season, 2 * season, hour, 2 * hour].flatMap((a) => [Math.sin(a), Math.cos(a)]);
}

/** One sample: a window and the coarse fields [predictor, row, column] of a time. */
export interface Sample {
  readonly features: WindowFeatures;
  readonly coarse: Float32Array;
  readonly time: number;
}

/** The network's inputs for samples of one window size. */
export function sampleFeeds(
  config: DownscaleConfig,
  fitted: Fitted,
  samples: readonly Sample[],
): Record<string, NdArray> {
  const [{ features }] = samples;
  const { rows, columns } = features.window;
  const { cells } = features.places;
  const predictors = fitted.predictors.length;
  const maps = features.place.length / cells;
  const guesses = features.guess.length / cells;
  const n = samples.length;
  const data = {
    predictors: new Float32Array(n * predictors * cells),
    place: new Float32Array(n * maps * cells),
    guess: new Float32Array(n * guesses * cells),
    calendar: new Float32Array(n * CALENDAR),
  };
  const { latitudes, longitudes } = fitted.coarse;
  const size = predictors * latitudes.length * longitudes.length;
  // Only networks that know one coarse grid look at the whole of it
  const context = samples.every(({ coarse }) => coarse.length === size) ? new Float32Array(n * size) : undefined;
  samples.forEach(({ features: f, coarse, time }, b) => {
    const coarseCells = coarse.length / predictors;
    for (let p = 0; p < predictors; p++)
      interpolate(
        f.places,
        coarse.subarray(p * coarseCells, (p + 1) * coarseCells),
        data.predictors,
        (b * predictors + p) * cells,
      );
    data.place.set(f.place, b * f.place.length);
    data.guess.set(f.guess, b * f.guess.length);
    fitted.base.forEach((p, v) => {
      if (p < 0) return;
      const from = (b * predictors + p) * cells;
      const to = (b * guesses + v) * cells;
      const { oddsByBase } = fitted.rain[v];
      if (!oddsByBase) {
        for (let i = 0; i < cells; i++) data.guess[to + i] += data.predictors[from + i];
        if (f.regression)
          for (let i = 0, k = v * cells; i < cells; i++, k++)
            data.guess[to + i] += f.regression.gain[k] * (data.predictors[from + i] - f.regression.centre[k]);
        return;
      }
      // The mean p m is then the interpolated amount, and the network's residual a factor on it
      const second = to + fitted.targets.length * cells;
      for (let i = 0; i < cells; i++) {
        const amount = data.predictors[from + i];
        const odds = oddsByBase[0] + oddsByBase[1] * logBase(amount, config.downscale.dryUpTo);
        data.guess[to + i] = odds;
        data.guess[second + i] = Math.log((Math.max(0, amount) + TRACE) * (1 + Math.exp(-odds)));
      }
    });
    data.calendar.set(calendarOf(time, fitted.calendar), b * CALENDAR);
    context?.set(coarse, b * size);
  });
  return {
    predictors: float32([n, predictors, rows, columns], data.predictors),
    place: float32([n, maps, rows, columns], data.place),
    guess: float32([n, guesses, rows, columns], data.guess),
    calendar: float32([n, CALENDAR], data.calendar),
    ...(context && { context: float32([n, predictors, latitudes.length, longitudes.length], context) }),
  };
}
